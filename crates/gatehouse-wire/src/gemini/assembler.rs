//! Parts of a model's content to events. Streams, whole answers and replayed histories all go through
//! here, so that they agree.
//!
//! Unsigned texts that follow each other are one block, as a stream cuts them anywhere. A signed part is
//! a block of its own, as Google wants signatures back on the part they came on.

use super::member::{get, text};
use super::partial::PartialCall;
use super::{media, response, seals};
use crate::chat::{Block, ChatEvent, Seal, Thought, ToolCall, Weight, fold};
use crate::json::Node;

/// Reads parts in order.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// Makes minted ids of calls unique beyond this answer.
    seed: String,
    next: u32,
    open: Option<Run>,
    partial: Option<PartialCall>,
    calls: u64,
    /// Ids of thoughts that became known when the thought was closed.
    late_ids: Vec<(u32, String)>,
    /// What these keep.
    late_bytes: usize,
}

/// An open block of text or thought.
#[derive(Clone, Copy, Debug)]
struct Run {
    index: u32,
    thought: bool,
}

// === impl Assembler ===

impl Assembler {
    /// Nothing yet. `seed` goes into the ids of calls that came without one.
    pub(super) fn new(seed: &str) -> Self {
        /// Ids stay under the 64 characters that OpenAI takes.
        const SEED_CHARS_MAX: usize = 40;
        let safe = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
        Self { seed: seed.chars().take(SEED_CHARS_MAX).map(safe).collect(), ..Self::default() }
    }

    /// How many bytes it keeps, about.
    pub(super) fn bytes(&self) -> usize {
        self.late_bytes + self.partial.as_ref().map_or(0, PartialCall::bytes)
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    /// Reads one part.
    pub(super) fn part(&mut self, part: Node<'_>, out: &mut Vec<ChatEvent>) {
        if let Some(call) = get(part, "functionCall") {
            self.call(part, call, out);
            return;
        }
        let words = get(part, "text");
        let signature = text(part, "thoughtSignature");
        let thought = get(part, "thought").and_then(|thought| thought.bool()) == Some(true);
        if words.is_some() || part.members().all(|(name, _)| super::member::spells(&name, "thoughtSignature"))
        {
            match signature.as_deref().and_then(seals::read) {
                Some((seal, note)) => self.signed(words, thought, seal, note, out),
                None => self.unsigned(words, thought, out),
            }
            return;
        }
        self.close(out);
        let weight = if get(part, "inlineData").or(get(part, "fileData")).is_some() {
            Weight::Meaning
        } else {
            Weight::Hint
        };
        self.whole(Block::Opaque(media::opaque(part, weight)), out);
    }

    /// The citations of what was said so far, behind it.
    pub(super) fn cite(&mut self, cited: Block, out: &mut Vec<ChatEvent>) {
        self.close(out);
        self.whole(cited, out);
    }

    /// Closes what is open.
    pub(super) fn close(&mut self, out: &mut Vec<ChatEvent>) {
        if let Some(run) = self.open.take() {
            out.push(ChatEvent::Close { index: run.index });
        }
        if let Some(call) = self.partial.take() {
            let (call, arguments) = call.finish();
            self.emit_call(call, arguments, out);
        }
    }

    /// The blocks that the events of this reader make up.
    pub(super) fn blocks(mut self, mut events: Vec<ChatEvent>) -> Vec<Block> {
        self.close(&mut events);
        let mut blocks = fold(&events).map(|whole| whole.blocks).unwrap_or_default();
        for (index, id) in self.late_ids {
            let place = usize::try_from(index).unwrap_or(usize::MAX);
            if let Some(Block::Thought(thought)) = blocks.get_mut(place) {
                thought.id = Some(id);
            }
        }
        blocks
    }

    fn unsigned(&mut self, words: Option<Node<'_>>, thought: bool, out: &mut Vec<ChatEvent>) {
        let Some(words) = words.filter(|words| words.is_str() && !words.is_empty()) else { return };
        let index = match self.open {
            Some(run) if run.thought == thought => run.index,
            _ => {
                self.close(out);
                let index = self.index();
                let block = if thought { Block::Thought(Thought::default()) } else { Block::text("") };
                out.push(ChatEvent::Open { index, block });
                self.open = Some(Run { index, thought });
                index
            }
        };
        out.push(delta(index, words));
    }

    fn signed(
        &mut self,
        words: Option<Node<'_>>,
        thought: bool,
        seal: Seal,
        note: seals::Note,
        out: &mut Vec<ChatEvent>,
    ) {
        let words = words.filter(|words| words.is_str() && !words.is_empty());
        if let (true, None, Some(run)) = (note.closes, words, self.open)
            && run.thought == thought
        {
            out.push(ChatEvent::Seal { index: run.index, seal });
            if let Some(id) = note.id {
                self.late_bytes += size_of::<(u32, String)>() + id.len();
                self.late_ids.push((run.index, id));
            }
            self.close(out);
            return;
        }
        self.close(out);
        let index = self.index();
        // With the opening as well, so that who writes it knows in time that the part will be signed.
        let sealed = Some(seal.clone());
        let block = if thought {
            let (id, redacted) = (note.id, note.redacted);
            Block::Thought(Thought { text: String::new(), id, seal: sealed, redacted })
        } else {
            Block::Text { text: String::new(), seal: sealed, cache: None }
        };
        out.push(ChatEvent::Open { index, block });
        out.extend(words.map(|words| delta(index, words)));
        out.extend((!note.redacted).then_some(ChatEvent::Seal { index, seal }));
        out.push(ChatEvent::Close { index });
    }

    fn call(&mut self, part: Node<'_>, call: Node<'_>, out: &mut Vec<ChatEvent>) {
        let goes_on = get(call, "willContinue").and_then(|more| more.bool()) == Some(true);
        let name = text(call, "name").unwrap_or_default();
        let pieces = get(call, "partialArgs");
        let belongs = name.is_empty() && self.partial.is_some();
        if !belongs {
            self.close(out);
            let (seal, _) = text(part, "thoughtSignature").as_deref().and_then(seals::read).unzip();
            let id = text(call, "id").filter(|id| !id.is_empty()).unwrap_or_else(|| self.mint());
            self.calls += 1;
            let start = ToolCall { id, name, seal, ..ToolCall::default() };
            if !goes_on && pieces.is_none() {
                self.emit_call(start, response::read_args(get(call, "args")), out);
                return;
            }
            self.partial = Some(PartialCall::new(start));
        }
        if let (Some(partial), Some(pieces)) = (&mut self.partial, pieces) {
            pieces.items().for_each(|piece| partial.take(piece));
        }
        if !goes_on {
            self.close(out);
        }
    }

    fn emit_call(&mut self, call: ToolCall, arguments: String, out: &mut Vec<ChatEvent>) {
        let index = self.index();
        out.push(ChatEvent::Open { index, block: Block::ToolCall(call) });
        out.push(ChatEvent::Delta { index, text: arguments, at: None });
        out.push(ChatEvent::Close { index });
    }

    fn whole(&mut self, block: Block, out: &mut Vec<ChatEvent>) {
        let index = self.index();
        out.push(ChatEvent::Open { index, block });
        out.push(ChatEvent::Close { index });
    }

    fn index(&mut self) -> u32 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        index
    }

    fn mint(&self) -> String {
        format!("call_{}_{}", self.seed, self.calls)
    }
}

fn delta(index: u32, words: Node<'_>) -> ChatEvent {
    let text = words.str().unwrap_or_default().into_owned();
    ChatEvent::Delta { index, text, at: Some(words.inner_range()) }
}
