//! An answer on its way: the events of a stream, and the way from a whole answer to them and back.

use super::{Block, ChatResponse, Finish, Seal, Thought, ToolCall};
use gatehouse_core::content::Place;
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;
use std::ops::Range;

/// A piece of an answer on its way.
///
/// A valid sequence: `Start`, then blocks (each `Open`, any `Delta` and `Seal`, `Close`; blocks may
/// overlap), `Usage`, `Tier` and `Finish` in any order (the last usage and tier count, the first finish),
/// `End`.
/// Folding a stream gives the [`ChatResponse`] that the same answer has without streaming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatEvent {
    /// The answer begins.
    Start {
        /// The provider's id of the answer.
        id: String,
        /// The model as the provider names it.
        model: String,
        /// When, in Unix seconds, where the provider says.
        created: Option<u64>,
    },
    /// A block begins. Indices count from 0 in order of opening.
    Open {
        /// Its index.
        index: u32,
        /// What it will be; text and arguments empty.
        block: Block,
    },
    /// More text of an open block: words, thoughts, arguments or a refusal.
    Delta {
        /// The block.
        index: u32,
        /// The text.
        text: String,
        /// Where the text stands in the frame's data (inside the quotes), for edits in place; `None` where it
        /// does not stand there in this form. All pieces of a text have it, or none ([`crate::watch`]).
        at: Option<Range<usize>>,
    },
    /// The seal of an open block.
    Seal {
        /// The block.
        index: u32,
        /// The seal.
        seal: Seal,
    },
    /// A block ends.
    Close {
        /// The block.
        index: u32,
    },
    /// What has been used so far; each replaces the one before.
    Usage(Usage),
    /// The tier that serves; each replaces the one before.
    Tier(String),
    /// Why the model stopped.
    Finish {
        /// In our word.
        finish: Finish,
        /// In the provider's.
        native: Option<String>,
        /// The stop text that was met.
        stop_sequence: Option<String>,
    },
    /// A whole text of a frame that is no delta: what the dialect repeats at the end of a block (Responses'
    /// `…done` events), and what only callers of the same dialect get. Only guardrails read it; encoders make
    /// their own.
    Repeat {
        /// What it is to the conversation.
        place: Place,
        /// The text.
        text: String,
        /// Where it stands in the frame's data.
        at: Range<usize>,
    },
    /// A piece of a text that comes in frames of its own, beside the blocks, or in another form than theirs.
    /// Only guardrails read it, where the caller gets the frames as they are ([`crate::watch`]).
    Aside {
        /// Which text it is a piece of.
        key: u32,
        /// The choice, block or item that it is said in.
        scope: u64,
        /// What it is to the conversation.
        place: Place,
        /// Whether the text is JSON.
        is_json: bool,
        /// The piece.
        text: String,
        /// Where it stands in the frame's data. Where a delta stands there too, this counts for edits.
        at: Range<usize>,
    },
    /// A text beside the blocks is over.
    AsideEnd {
        /// Which one.
        key: u32,
    },
    /// What spells texts once more, token by token, maybe in another frame than theirs: a piece of a text
    /// beside the blocks like [`ChatEvent::Aside`], but one that can only be taken out. It goes when it
    /// changes itself, with a text of its frame, and after any text of its scope has changed.
    Spelled {
        /// Which text it is a piece of; another than that which it spells.
        key: u32,
        /// The choice, block or item of the texts that it spells.
        scope: u64,
        /// What it spells.
        text: String,
        /// What could have stood there instead, each a text of its own.
        others: Vec<String>,
        /// Where it stands in the frame's data.
        at: Range<usize>,
        /// Whether it is a list, else an object.
        is_list: bool,
    },
    /// What of a frame is there only because usage was asked for: the member `usage` that counts nothing
    /// (OpenAI's `"usage":null` in every chunk), with its comma, or a whole chunk that holds nothing else. It
    /// is hidden from a caller who did not ask; encoders make their own.
    ForUsage {
        /// Where it stands in the frame's data.
        at: Range<usize>,
    },
    /// The provider failed in the middle. Nothing follows.
    Error(Error),
    /// The end, whole and well. Nothing follows.
    End,
}

// === impl ChatEvent ===

impl ChatEvent {
    /// How many bytes it adds, about, to an answer that is gathered from events: encoders keep as much of it.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Delta { text, .. } => text.len(),
            Self::Seal { seal, .. } => size_of::<Self>() + seal.value.len(),
            Self::Open { block, .. } => size_of::<Self>() + weight_of(block),
            _ => 0,
        }
    }

    /// Whether it is about its frame alone: who writes the answer anew has nothing to say of it.
    #[must_use]
    pub fn is_of_frame(&self) -> bool {
        matches!(
            self,
            Self::Repeat { .. }
                | Self::Aside { .. }
                | Self::AsideEnd { .. }
                | Self::Spelled { .. }
                | Self::ForUsage { .. }
        )
    }
}

/// The events of an answer that came in one piece: what a streaming front gets then, and the left side of
/// the law `fold(events(x)) == x`.
#[must_use]
pub fn events(response: &ChatResponse) -> Vec<ChatEvent> {
    let mut all = vec![ChatEvent::Start {
        id: response.id.clone(),
        model: response.model.clone(),
        created: response.created,
    }];
    for (index, block) in (0u32..).zip(&response.blocks) {
        let (opening, text, seal) = take_apart(block);
        all.push(ChatEvent::Open { index, block: opening });
        if !text.is_empty() {
            all.push(ChatEvent::Delta { index, text, at: None });
        }
        all.extend(seal.map(|seal| ChatEvent::Seal { index, seal }));
        all.push(ChatEvent::Close { index });
    }
    all.extend(response.usage.map(ChatEvent::Usage));
    all.extend(response.service_tier.clone().map(ChatEvent::Tier));
    all.push(ChatEvent::Finish {
        finish: response.finish,
        native: response.native_finish.clone(),
        stop_sequence: response.stop_sequence.clone(),
    });
    all.push(ChatEvent::End);
    all
}

/// A block as it opens, the text that follows, and the seal that comes last. A tool call's seal and a
/// redacted thought's come with the opening, as they do from providers.
fn take_apart(block: &Block) -> (Block, String, Option<Seal>) {
    match block {
        Block::Text { text, seal, cache } => {
            (Block::Text { text: String::new(), seal: None, cache: *cache }, text.clone(), seal.clone())
        }
        Block::Thought(thought) if thought.redacted => (block.clone(), String::new(), None),
        Block::Thought(thought) => {
            let opening = Thought { text: String::new(), seal: None, ..thought.clone() };
            (Block::Thought(opening), thought.text.clone(), thought.seal.clone())
        }
        Block::ToolCall(call) => {
            let opening = ToolCall { arguments: String::new(), ..call.clone() };
            (Block::ToolCall(opening), call.arguments.clone(), None)
        }
        Block::Refusal(text) => (Block::Refusal(String::new()), text.clone(), None),
        Block::Citations(_) | Block::Opaque(_) => (block.clone(), String::new(), None),
    }
}

/// Puts a streamed answer together again.
///
/// # Errors
/// The provider's error, when the stream ended with one.
pub fn fold(events: &[ChatEvent]) -> Result<ChatResponse, Error> {
    let mut whole = ChatResponse::default();
    let mut finished = false;
    let place = |index: &u32| usize::try_from(*index).unwrap_or(usize::MAX);
    for event in events {
        match event {
            ChatEvent::Start { id, model, created } => {
                (whole.id, whole.model, whole.created) = (id.clone(), model.clone(), *created);
            }
            ChatEvent::Open { block, .. } => whole.blocks.push(block.clone()),
            ChatEvent::Delta { index, text, .. } => {
                if let Some(block) = whole.blocks.get_mut(place(index)) {
                    append(block, text);
                }
            }
            ChatEvent::Seal { index, seal } => {
                if let Some(block) = whole.blocks.get_mut(place(index)) {
                    put_seal(block, seal);
                }
            }
            ChatEvent::Usage(usage) => whole.usage = Some(*usage),
            ChatEvent::Tier(tier) => whole.service_tier = Some(tier.clone()),
            ChatEvent::Finish { finish, native, stop_sequence } if !finished => {
                finished = true;
                whole.finish = *finish;
                (whole.native_finish, whole.stop_sequence) = (native.clone(), stop_sequence.clone());
            }
            ChatEvent::Error(error) => return Err(error.clone()),
            ChatEvent::Close { .. }
            | ChatEvent::Finish { .. }
            | ChatEvent::Repeat { .. }
            | ChatEvent::ForUsage { .. }
            | ChatEvent::Aside { .. }
            | ChatEvent::AsideEnd { .. }
            | ChatEvent::Spelled { .. }
            | ChatEvent::End => {}
        }
    }
    Ok(whole)
}

fn append(block: &mut Block, more: &str) {
    match block {
        Block::Text { text, .. } | Block::Refusal(text) => text.push_str(more),
        Block::Thought(thought) => thought.text.push_str(more),
        Block::ToolCall(call) => call.arguments.push_str(more),
        Block::Citations(_) | Block::Opaque(_) => {}
    }
}

fn put_seal(block: &mut Block, new: &Seal) {
    match block {
        Block::Text { seal, .. } => *seal = Some(new.clone()),
        Block::Thought(thought) => thought.seal = Some(new.clone()),
        Block::ToolCall(call) => call.seal = Some(new.clone()),
        Block::Refusal(_) | Block::Citations(_) | Block::Opaque(_) => {}
    }
}

/// The texts of a block that comes whole.
fn weight_of(block: &Block) -> usize {
    match block {
        Block::Text { text, .. } | Block::Refusal(text) => text.len(),
        Block::Thought(thought) => {
            thought.text.len() + thought.seal.as_ref().map_or(0, |seal| seal.value.len())
        }
        Block::ToolCall(call) => call.id.len() + call.name.len() + call.arguments.len(),
        Block::Citations(cited) => cited.own.value.0.len(),
        Block::Opaque(own) => own.value.0.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Block, ChatResponse, Finish, Origin, Seal, Thought, ToolCall};
    use super::{events, fold};
    use gatehouse_core::usage::Usage;

    #[test]
    fn folding_the_events_of_an_answer_gives_the_answer() {
        let seal = Seal { origin: Origin::Anthropic, value: "sig".to_owned() };
        let answer = ChatResponse {
            id: "1".to_owned(),
            model: "m".to_owned(),
            blocks: vec![
                Block::Thought(Thought {
                    text: "hm".to_owned(),
                    seal: Some(seal.clone()),
                    ..Thought::default()
                }),
                Block::Thought(Thought { seal: Some(seal), redacted: true, ..Thought::default() }),
                Block::text("hello"),
                Block::ToolCall(ToolCall {
                    id: "c".to_owned(),
                    arguments: "{}".to_owned(),
                    ..ToolCall::default()
                }),
                Block::Refusal("no".to_owned()),
            ],
            finish: Finish::ToolCalls,
            usage: Some(Usage { input_tokens: 3, ..Usage::default() }),
            service_tier: Some("flex".to_owned()),
            ..ChatResponse::default()
        };
        assert_eq!(fold(&events(&answer)), Ok(answer));
    }
}
