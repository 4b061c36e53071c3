//! An answer in one piece.

use super::usage;
use crate::chat::{Block, ChatResponse, Finish};
use crate::codec::{ReplyContext, Summary};
use crate::error::in_success_body;
use crate::json::{Doc, Node, Out};
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::{Code, Error};

/// How a choice ended.
pub(super) struct Ending {
    /// In our word.
    pub(super) finish: Finish,
    /// In the provider's.
    pub(super) native: String,
    /// The stop text that was met, where the server says (vLLM).
    pub(super) stop_sequence: Option<String>,
}

// === impl Ending ===

impl Ending {
    /// Reads a choice; `None` while it has not ended.
    pub(super) fn read(choice: Node<'_>) -> Option<Self> {
        let native = choice.opt("finish_reason")?.str().filter(|word| !word.is_empty())?.into_owned();
        let stop_sequence = choice.opt("stop_reason").and_then(|text| text.str()).map(Into::into);
        let finish = match native.as_str() {
            "length" => Finish::Length,
            "content_filter" => Finish::ContentFilter,
            "error" => Finish::Failed,
            // `stop`, `eos` (Together), `eos_token` (TGI), and words that are new.
            _ if stop_sequence.is_some() => Finish::StopSequence,
            _ => Finish::Stop,
        };
        Some(Self { finish, native, stop_sequence })
    }
}

/// This dialect's word. It knows no tools: a call cannot come, and `stop` is what is left.
pub(super) fn word(finish: Finish) -> &'static str {
    match finish {
        Finish::ToolCalls => "stop",
        other => other.as_str(),
    }
}

/// The texts of all choices.
fn texts<'a>(root: Node<'a>) -> impl Iterator<Item = Node<'a>> {
    let choices = root.opt("choices").into_iter().flat_map(|choices| choices.items());
    choices.filter_map(|choice| choice.opt("text")).filter(Node::is_str)
}

pub(super) fn summary(doc: &Doc) -> Summary {
    let root = doc.root();
    let first = root.opt("choices").and_then(|choices| choices.items().next());
    Summary {
        usage: usage::find(root),
        service_tier: tier(root),
        finish: first.and_then(Ending::read).map(|ending| word(ending.finish)),
        text_bytes: texts(root).map(|text| text.inner_range().len()).sum(),
        error: in_success_body(doc),
    }
}

fn tier(root: Node<'_>) -> Option<String> {
    root.opt("service_tier").and_then(|node| node.str()).map(Into::into)
}

pub(super) fn spans(root: Node<'_>) -> Vec<Span> {
    texts(root).map(|text| Span { range: text.inner_range(), place: Place::Output }).collect()
}

/// The first choice: several are only passed on in the same dialect.
pub(super) fn decode(doc: &Doc) -> Result<ChatResponse, Error> {
    let root = doc.root();
    if let Some(error) = in_success_body(doc) {
        return Err(error);
    }
    let choice = root
        .opt("choices")
        .and_then(|choices| choices.items().next())
        .filter(Node::is_object)
        .ok_or_else(|| Error::new(Code::UpstreamBadResponse, "the provider's answer has no choices"))?;
    let text = choice.opt("text").and_then(|text| text.str()).unwrap_or_default();
    let ending = Ending::read(choice);
    let own = |name: &str| root.opt(name).and_then(|node| node.str()).unwrap_or_default().into_owned();
    Ok(ChatResponse {
        id: own("id"),
        model: own("model"),
        created: root.opt("created").and_then(|node| node.u64()),
        blocks: if text.is_empty() { Vec::new() } else { vec![Block::text(text)] },
        finish: ending.as_ref().map_or(Finish::Stop, |ending| ending.finish),
        stop_sequence: ending.as_ref().and_then(|ending| ending.stop_sequence.clone()),
        native_finish: ending.map(|ending| ending.native),
        usage: usage::find(root),
        service_tier: tier(root),
    })
}

/// What of an answer is text here: words, and a refusal, which has no other place. Thoughts have none.
pub(super) fn shown(block: &Block) -> &str {
    match block {
        Block::Text { text, .. } | Block::Refusal(text) => text,
        Block::Thought(_) | Block::ToolCall(_) | Block::Citations(_) | Block::Opaque(_) => "",
    }
}

pub(super) fn encode(answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
    let text: String = answer.blocks.iter().map(shown).collect();
    let mut out = Out::new();
    out.object(|out| {
        head(out, context, answer.created);
        out.array_field("choices", |out| choice(out, &text, Some(answer.finish)));
        if let Some(usage) = &answer.usage {
            usage::write(out, usage);
        }
    });
    out.into_bytes()
}

/// What an answer and every chunk begin with.
pub(super) fn head(out: &mut Out, context: &ReplyContext, created: Option<u64>) {
    out.field("id", format!("cmpl-{}", context.id))
        .field("object", "text_completion")
        .field("created", created.unwrap_or(context.created))
        .field("model", &context.model);
}

/// The only choice.
pub(super) fn choice(out: &mut Out, text: &str, finish: Option<Finish>) {
    out.object(|out| {
        out.field("text", text)
            .field("index", 0u64)
            .field("logprobs", None::<u64>)
            .field("finish_reason", finish.map(word));
    });
}

#[cfg(test)]
mod tests {
    use super::super::Completions;
    use crate::chat::{Block, ChatResponse, Finish, Thought};
    use crate::codec::{Codec, ProviderCodec as _, ReplyContext};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::error::Code;
    use gatehouse_core::usage::Usage;

    fn doc(text: &str) -> Doc {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Provider).unwrap()
    }

    #[test]
    fn an_answer_is_read_metered_and_written_again() {
        let doc = doc(r#"{"id":"cmpl-1","object":"text_completion","created":7,"model":"m-1","choices":[
            {"text":"once\n","index":0,"logprobs":null,"finish_reason":"length"},{"text":"ab","index":1}],
            "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#);
        let summary = Completions.summary(&doc);
        assert_eq!((summary.finish, summary.text_bytes, summary.error), (Some("length"), 8, None));
        assert_eq!(Completions.answer_spans(&doc).len(), 2);
        let answer = Completions.decode_answer(&doc).unwrap();
        assert_eq!(answer.blocks, [Block::text("once\n")]);
        assert_eq!((answer.finish, answer.usage.unwrap().total_tokens()), (Finish::Length, 5));

        let context =
            ReplyContext { model: "mine".to_owned(), id: "ff".to_owned(), ..ReplyContext::default() };
        let written = Completions.encode_answer(&answer, &context);
        assert_eq!(
            String::from_utf8(written).unwrap(),
            r#"{"id":"cmpl-ff","object":"text_completion","created":7,"model":"mine","choices":[{"text":"once\n","index":0,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#
        );
    }

    #[test]
    fn thoughts_have_no_place_and_refusals_are_words() {
        let answer = ChatResponse {
            blocks: vec![
                Block::Thought(Thought { text: "hm".to_owned(), ..Thought::default() }),
                Block::text("a"),
                Block::Refusal("b".to_owned()),
            ],
            usage: Some(Usage { input_tokens: 9, cached_read_tokens: 4, ..Usage::default() }),
            ..ChatResponse::default()
        };
        let written = Completions.encode_answer(&answer, &ReplyContext::default());
        let back = Completions.decode_answer(&doc(std::str::from_utf8(&written).unwrap())).unwrap();
        assert_eq!((back.blocks, back.usage), (vec![Block::text("ab")], answer.usage));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let error = Completions.decode_answer(&doc(r#"{"object":"x"}"#)).unwrap_err();
        assert_eq!(error.code, Code::UpstreamBadResponse);
        let error = Completions.decode_answer(&doc(r#"{"error":{"message":"m","code":"content_filter"}}"#));
        assert_eq!(error.unwrap_err().code, Code::UpstreamContentFilter);
    }
}
