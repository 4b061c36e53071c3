//! Answers in one piece, both ways, and what accounting and guardrails see of them.

use super::member::{each, get, text};
use super::stream_in::Decoder;
use super::view::strings;
use super::{finish, grounding, part_out, seals, time, usage};
use crate::chat::{Block, ChatResponse, Origin, Thought};
use crate::codec::{ReplyContext, Summary};
use crate::error::from_stream;
use crate::json::{Doc, Node, Out, Raw};
use gatehouse_core::content::{Dialect, Family, Place, Span};
use gatehouse_core::error::{Code, Error};

/// Reads a whole answer: it is a stream of one chunk.
pub(super) fn decode(doc: &Doc) -> Result<ChatResponse, Error> {
    let root = doc.root();
    if get(root, "candidates").is_none() && get(root, "promptFeedback").is_none() {
        let nothing = || Error::new(Code::UpstreamBadResponse, "the provider's answer holds no candidate");
        return Err(from_stream(Family::Gemini, doc).unwrap_or_else(nothing));
    }
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    decoder.chunk(root, &mut events);
    decoder.end(&mut events);
    crate::chat::fold(&events)
}

/// Writes a whole answer.
pub(super) fn encode(answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
    let mut parts = Out::new();
    answer.blocks.iter().for_each(|block| part(&mut parts, block));
    if parts.as_str().is_empty() {
        part_out::words(&mut parts, "", false, None);
    }
    let (mut said, mut cited) = (String::new(), Vec::new());
    for block in &answer.blocks {
        match block {
            Block::Text { text, .. } => said.push_str(text),
            Block::Citations(own) => cited.push(own.clone()),
            _ => {}
        }
    }
    let mut out = Out::new();
    out.object(|out| {
        let reason = finish::write(answer.finish, answer.native_finish.as_deref());
        candidate(out, parts.as_str(), Some(reason), |out| grounding::write(out, &cited, &said));
        if let Some(used) = &answer.usage {
            usage::write(out, used, answer.service_tier.as_deref());
        }
        let id = if answer.id.is_empty() { &context.id } else { &answer.id };
        trailer(out, &context.model, id, answer.created);
    });
    out.into_bytes()
}

/// The member `candidates` with one candidate.
pub(super) fn candidate(out: &mut Out, parts: &str, reason: Option<&str>, more: impl FnOnce(&mut Out)) {
    out.array_field("candidates", |out| {
        out.object(|out| {
            out.object_field("content", |out| {
                out.array_field("parts", |out| {
                    out.item(Raw(parts));
                });
                out.field("role", "model");
            });
            out.field_opt("finishReason", reason).field("index", 0u64);
            more(out);
        });
    });
}

/// The members that stand behind the candidates.
pub(super) fn trailer(out: &mut Out, model: &str, id: &str, created: Option<u64>) {
    out.field("modelVersion", model);
    out.field_opt("createTime", created.map(time::write)).field("responseId", id);
}

/// A block as a part; nothing for what only another dialect understands.
fn part(out: &mut Out, block: &Block) {
    match block {
        Block::Text { text, seal, .. } => {
            let signature = seal.as_ref().map(|seal| seals::write(seal, &seals::Note::default()));
            if !text.is_empty() || signature.is_some() {
                part_out::words(out, text, false, signature.as_deref());
            }
        }
        Block::Thought(thought) => {
            let signature = thought.seal.as_ref().map(|seal| seals::write(seal, &note(thought)));
            if !thought.text.is_empty() || signature.is_some() {
                part_out::words(out, &thought.text, true, signature.as_deref());
            }
        }
        Block::ToolCall(call) => {
            let signature = call.seal.as_ref().map(|seal| crate::seal::write(seal, Origin::Gemini));
            part_out::call(out, call, signature.as_deref());
        }
        Block::Refusal(text) => part_out::words(out, text, false, None),
        Block::Opaque(own) if own.origin == Dialect::GeminiGenerate => {
            out.item(Raw(&own.value.0));
        }
        // Citations stand beside the parts.
        Block::Citations(_) | Block::Opaque(_) => {}
    }
}

/// What an envelope has to say about a thought.
pub(super) fn note(thought: &Thought) -> seals::Note {
    seals::Note { closes: false, redacted: thought.redacted, id: thought.id.clone() }
}

/// Reads what accounting needs.
pub(super) fn summary(doc: &Doc) -> Summary {
    let root = doc.root();
    let candidates = || each(get(root, "candidates"));
    let mut used = get(root, "usageMetadata").and_then(usage::read);
    if let Some(used) = &mut used {
        let by_query = super::stream_in::billed_by_query(&text(root, "modelVersion").unwrap_or_default());
        used.searches = candidates().map(|one| usage::searches(one, by_query)).fold(0, u64::saturating_add);
    }
    let calls = candidates().flat_map(parts).any(|part| get(part, "functionCall").is_some());
    let reason = candidates().next().and_then(|first| text(first, "finishReason"));
    let blocked = get(root, "promptFeedback").and_then(|feedback| get(feedback, "blockReason")).is_some();
    Summary {
        usage: used,
        service_tier: get(root, "usageMetadata").and_then(usage::tier),
        finish: reason
            .map(|reason| finish::read(&reason, calls).as_str())
            .or(blocked.then_some(crate::chat::Finish::ContentFilter.as_str())),
        text_bytes: spans(doc).iter().map(|span| span.range.len()).sum(),
        error: from_stream(Family::Gemini, doc),
    }
}

/// Every text of an answer, with what grounding repeats of it.
pub(super) fn spans(doc: &Doc) -> Vec<Span> {
    let mut spans = Vec::new();
    for candidate in each(get(doc.root(), "candidates")) {
        parts(candidate).for_each(|part| part_spans(part, &mut spans));
        let grounding = get(candidate, "groundingMetadata");
        for support in each(grounding.and_then(|metadata| get(metadata, "groundingSupports"))) {
            if let Some(repeated) = get(support, "segment").and_then(|segment| get(segment, "text")) {
                strings(repeated, Place::Output, &mut spans);
            }
        }
    }
    spans
}

fn part_spans(part: Node<'_>, spans: &mut Vec<Span>) {
    for (name, place) in [("text", Place::Output), ("executableCode", Place::Output)] {
        if let Some(value) = get(part, name) {
            strings(value, place, spans);
        }
    }
    for (name, inside, place) in [
        ("functionCall", "args", Place::ToolArguments),
        ("functionCall", "partialArgs", Place::ToolArguments),
        ("toolCall", "args", Place::ToolArguments),
        ("toolResponse", "response", Place::ToolResult),
        ("codeExecutionResult", "output", Place::ToolResult),
    ] {
        if let Some(value) = get(part, name).and_then(|value| get(value, inside)) {
            strings(value, place, spans);
        }
    }
}

fn parts(candidate: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    each(get(candidate, "content").and_then(|content| get(content, "parts")))
}
