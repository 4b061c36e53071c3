//! A stream of the dialect, read.
//!
//! One block of words or thoughts is open at a time and ends where another begins; calls stay open until
//! the model stops, as their pieces may be mixed. The stop reason is told last, when the usage is known.

use super::answer::{bad, own_member};
use super::calls::Calls;
use super::details::{self, Detail};
use super::finish::Ending;
use super::{ForUsage, citations, reasoning, usage};
use crate::chat::{Block, ChatEvent, Thought, Weight};
use crate::codec::StreamDecoder;
use crate::error::from_stream;
use crate::json::{Doc, Node, Strictness};
use crate::kept::Texts;
use crate::sse::Frame;
use gatehouse_core::content::Family;
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;
use std::borrow::Cow;

/// Reads a stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    id: String,
    is_started: bool,
    is_ended: bool,
    /// The index that the next block gets.
    next: u32,
    open: Option<Open>,
    calls: Calls,
    usage: Option<Usage>,
    ending: Option<Ending>,
    tier: Option<String>,
    /// Citations that have not been told yet: a text has them behind it.
    cited: Texts,
    /// Perplexity's, which every chunk repeats: told at the end, where there are no others.
    sources: Texts,
    is_cited: bool,
}

/// The open block that is not a call.
#[derive(Debug)]
struct Open {
    index: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text,
    /// A thought without a seal so far, and what it has said: a sealed one is repeated whole at its end.
    Thought(String),
    Detail(Box<Detail>),
    Refusal,
}

/// What a chunk holds, found in one walk.
#[derive(Default)]
struct Parts<'a> {
    choice: Option<Node<'a>>,
    delta: Option<Node<'a>>,
    /// Whether usage may be in it.
    may_count: bool,
    /// Whether it may be an error.
    may_fail: bool,
    for_usage: ForUsage,
    tier: Option<Cow<'a, str>>,
    /// Whether sources stand beside the choices.
    has_sources: bool,
}

// === impl StreamDecoder for Decoder ===

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        let data = frame.data();
        if self.is_ended || data.is_empty() {
            return Ok(());
        }
        if data.trim_ascii() == b"[DONE]" {
            self.end(out);
            return Ok(());
        }
        let doc = Doc::parse(data, Strictness::Provider).map_err(|error| bad(&error.message))?;
        self.chunk(&doc, frame.name() == "error", out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        if self.is_ended {
            return Ok(());
        }
        if self.ending.is_none() {
            return Err(bad("the stream ended before the answer did"));
        }
        self.end(out);
        Ok(())
    }

    fn kept(&self) -> usize {
        let open = match self.open.as_ref().map(|open| &open.kind) {
            Some(Kind::Thought(told)) => told.len(),
            Some(Kind::Detail(detail)) => detail.bytes(),
            Some(Kind::Text | Kind::Refusal) | None => 0,
        };
        open + self.calls.bytes() + self.cited.bytes() + self.sources.bytes()
    }
}

// === impl Parts ===

impl<'a> Parts<'a> {
    fn of(root: Node<'a>) -> Self {
        let mut parts = Self::default();
        let mut has_choices = false;
        for (name, value) in root.members() {
            parts.for_usage.look(&name, value);
            match name.as_ref() {
                _ if value.is_null() => {}
                "choices" => {
                    has_choices = true;
                    parts.choose(value);
                }
                "usage" | "x_groq" => parts.may_count = true,
                "error" => parts.may_fail = true,
                "service_tier" => parts.tier = value.str(),
                "citations" | "search_results" => parts.has_sources = true,
                _ => {}
            }
        }
        parts.may_fail |= !has_choices;
        parts
    }

    /// The choice of index 0. Others, of a request for several, are not translated.
    fn choose(&mut self, choices: Node<'a>) {
        for choice in choices.items() {
            let (mut delta, mut message, mut is_first) = (None, None, true);
            for (name, value) in choice.members().filter(|(_, value)| !value.is_null()) {
                match name.as_ref() {
                    "index" => is_first = value.u64() == Some(0),
                    "delta" => delta = Some(value),
                    "message" => message = Some(value),
                    "usage" => self.may_count = true,
                    _ => {}
                }
            }
            if is_first && self.choice.is_none() {
                (self.choice, self.delta) = (Some(choice), delta.or(message));
            }
        }
    }
}

// === impl Decoder ===

impl Decoder {
    fn chunk(&mut self, doc: &Doc, is_error: bool, out: &mut Vec<ChatEvent>) {
        let root = doc.root();
        let parts = Parts::of(root);
        self.start(root, parts.choice.is_some(), out);
        parts.for_usage.tell(doc, out);
        self.tier(parts.tier.as_deref(), out);
        if parts.has_sources {
            self.sources = citations::of_root(root).into_iter().collect();
        }
        let error = if parts.may_fail || is_error { from_stream(Family::OpenAi, doc) } else { None };
        if let Some(choice) = parts.choice.filter(|_| error.is_none()) {
            if let Some(delta) = parts.delta {
                self.delta(delta, out);
            }
            if let Some(ending) = Ending::read(choice) {
                self.ending.get_or_insert(ending);
                self.close(out);
                self.cite(out);
                self.calls.close(&self.id, &mut self.next, out);
            }
        }
        let found = if parts.may_count { usage::find(root) } else { None };
        if let Some(usage) = found.filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            out.push(ChatEvent::Usage(usage));
        }
        if let Some(error) = error {
            self.is_ended = true;
            out.push(ChatEvent::Error(error));
        }
    }

    /// Begins with the first chunk that is of the answer: Azure sends one about the prompt before it,
    /// without id and model.
    fn start(&mut self, root: Node<'_>, has_choice: bool, out: &mut Vec<ChatEvent>) {
        if self.is_started {
            return;
        }
        let text = |name: &str| root.opt(name).and_then(|node| node.str()).unwrap_or_default().into_owned();
        self.id = text("id");
        if has_choice || !self.id.is_empty() {
            self.is_started = true;
            let created = root.opt("created").and_then(|created| created.u64());
            out.push(ChatEvent::Start { id: self.id.clone(), model: text("model"), created });
        }
    }

    fn delta(&mut self, delta: Node<'_>, out: &mut Vec<ChatEvent>) {
        // Nearly every delta is one piece of text and nothing else.
        let is_plain = |name: &str, value: Node<'_>| {
            value.is_null() || name == "role" || (name == "content" && value.is_str())
        };
        if delta.members().all(|(name, value)| is_plain(&name, value)) {
            if let Some(text) = delta.opt("content") {
                self.say(Kind::Text, text, out);
            }
            return;
        }
        self.reasoning(delta, out);
        match delta.opt("content") {
            Some(content) if content.is_str() => self.say(Kind::Text, content, out),
            Some(content) => content.items().for_each(|part| self.part(part, out)),
            None => {}
        }
        if let Some(seal) = reasoning::read_signature(delta) {
            let index = self.block(Kind::Text, out);
            out.push(ChatEvent::Seal { index, seal });
        }
        if let Some(refusal) = delta.opt("refusal") {
            self.say(Kind::Refusal, refusal, out);
        }
        for piece in delta.opt("tool_calls").iter().flat_map(Node::items) {
            self.close(out);
            self.calls.piece(piece, &self.id, &mut self.next, out);
        }
        if let Some(call) = delta.opt("function_call") {
            self.calls.legacy(call, &self.id, &mut self.next, out);
        }
        self.cited.extend(citations::of_message(delta));
        // Sound in pieces means nothing outside this dialect; only whole members are told.
        if let Some(own) = own_member(delta, "executed_tools", Weight::Hint) {
            self.close(out);
            self.whole(Block::Opaque(own), out);
        }
    }

    /// The tier that serves, when it changed.
    fn tier(&mut self, tier: Option<&str>, out: &mut Vec<ChatEvent>) {
        let new =
            tier.filter(|tier| !tier.is_empty() && self.is_started && self.tier.as_deref() != Some(*tier));
        if let Some(tier) = new {
            self.tier = Some(tier.to_owned());
            out.push(ChatEvent::Tier(tier.to_owned()));
        }
    }

    /// Tells the citations that came so far; with the end of the text or of the answer.
    fn cite(&mut self, out: &mut Vec<ChatEvent>) {
        if self.cited.all().is_empty() && self.ending.is_some() && !self.is_cited {
            self.cited = std::mem::take(&mut self.sources);
        }
        if let Some(cited) = citations::block(std::mem::take(&mut self.cited).all()) {
            self.is_cited = true;
            self.whole(cited, out);
        }
    }

    /// A part of a content list: text, or Mistral's thinking.
    fn part(&mut self, part: Node<'_>, out: &mut Vec<ChatEvent>) {
        if let Some(thinking) = part.opt("thinking") {
            self.say(Kind::Thought(String::new()), thinking, out);
            for piece in thinking.items().filter_map(|piece| piece.opt("text")) {
                self.say(Kind::Thought(String::new()), piece, out);
            }
        } else if let Some(text) = part.opt("text") {
            self.say(Kind::Text, text, out);
        }
    }

    fn reasoning(&mut self, delta: Node<'_>, out: &mut Vec<ChatEvent>) {
        let details = delta.opt("reasoning_details").filter(|list| list.is_array() && !list.is_empty());
        let plain = reasoning::plain_text(delta).filter(|text| !text.is_empty());
        match (details, plain) {
            (Some(details), _) => details.items().for_each(|entry| self.detail(entry, out)),
            (None, Some(text)) => self.say(Kind::Thought(String::new()), text, out),
            (None, None) => {}
        }
        for entry in delta.opt("thinking_blocks").iter().flat_map(Node::items) {
            self.thinking_block(entry, plain.is_some(), out);
        }
    }

    /// One of OpenRouter's details, or a piece of one.
    fn detail(&mut self, entry: Node<'_>, out: &mut Vec<ChatEvent>) {
        let continued = match &mut self.open {
            Some(Open { index, kind: Kind::Detail(detail) }) if detail.is_continued_by(entry) => {
                detail.merge(entry);
                Some(*index)
            }
            _ => None,
        };
        let index = match continued {
            Some(index) => index,
            None => {
                let detail = Detail::of(entry);
                let Some(thought) = detail.clone().thought() else { return };
                if thought.redacted {
                    self.close(out);
                    return self.whole(Block::Thought(thought), out);
                }
                if let (Some(index), Some(seal), false) =
                    (self.told(&thought.text), &thought.seal, thought.text.is_empty())
                {
                    out.push(ChatEvent::Seal { index, seal: seal.clone() });
                    return self.close(out);
                }
                self.block(Kind::Detail(Box::new(detail)), out)
            }
        };
        if let Some(text) = details::text(entry).filter(|text| !text.is_empty()) {
            self.tell(index, text, out);
        }
    }

    /// One of `thinking_blocks`: the seal of the thought that was just told, or a thought of its own.
    fn thinking_block(&mut self, entry: Node<'_>, is_told: bool, out: &mut Vec<ChatEvent>) {
        let Some(reasoning::Placed { thought, .. }) = reasoning::read_block(entry) else { return };
        match (self.told(&thought.text), &thought.seal) {
            (Some(index), Some(seal)) if !thought.redacted => {
                out.push(ChatEvent::Seal { index, seal: seal.clone() });
                self.close(out);
            }
            (_, Some(_)) => {
                self.close(out);
                self.whole(Block::Thought(thought), out);
            }
            // Pieces that repeat the plain text (LiteLLM).
            (_, None) if is_told => {}
            (_, None) => {
                if let Some(text) = entry.opt("thinking") {
                    self.say(Kind::Thought(String::new()), text, out);
                }
            }
        }
    }

    /// The open thought, when it has said just this: what comes with a seal repeats it, or says nothing.
    fn told(&self, text: &str) -> Option<u32> {
        match &self.open {
            Some(Open { index, kind: Kind::Thought(told) }) if text.is_empty() || told == text => {
                Some(*index)
            }
            _ => None,
        }
    }

    /// Adds the text of a JSON string to the open block of its kind.
    fn say(&mut self, kind: Kind, text: Node<'_>, out: &mut Vec<ChatEvent>) {
        if text.is_str() && !text.is_empty() {
            let index = self.block(kind, out);
            self.tell(index, text, out);
        }
    }

    fn tell(&mut self, index: u32, text: Node<'_>, out: &mut Vec<ChatEvent>) {
        let Some(words) = text.str() else { return };
        if let Some(Open { kind: Kind::Thought(told), .. }) = &mut self.open {
            told.push_str(&words);
        }
        out.push(ChatEvent::Delta { index, text: words.into_owned(), at: Some(text.inner_range()) });
    }

    /// The open block of this kind; a new one when another kind is open. Details are always new.
    fn block(&mut self, kind: Kind, out: &mut Vec<ChatEvent>) -> u32 {
        let same = |open: &&Open| {
            matches!(
                (&open.kind, &kind),
                (Kind::Text, Kind::Text)
                    | (Kind::Thought(_), Kind::Thought(_))
                    | (Kind::Refusal, Kind::Refusal)
            )
        };
        if let Some(open) = self.open.as_ref().filter(same) {
            return open.index;
        }
        self.close(out);
        let block = match &kind {
            Kind::Text => Block::text(""),
            Kind::Thought(_) | Kind::Detail(_) => Block::Thought(Thought::default()),
            Kind::Refusal => Block::Refusal(String::new()),
        };
        let index = self.opened(block, out);
        self.open = Some(Open { index, kind });
        index
    }

    /// A block that comes in one piece.
    fn whole(&mut self, block: Block, out: &mut Vec<ChatEvent>) {
        let (text, seal, block) = match block {
            Block::Thought(thought) if !thought.redacted => {
                let opening = Thought { id: thought.id, ..Thought::default() };
                (thought.text, thought.seal, Block::Thought(opening))
            }
            other => (String::new(), None, other),
        };
        let index = self.opened(block, out);
        if !text.is_empty() {
            out.push(ChatEvent::Delta { index, text, at: None });
        }
        out.extend(seal.map(|seal| ChatEvent::Seal { index, seal }));
        out.push(ChatEvent::Close { index });
    }

    fn opened(&mut self, block: Block, out: &mut Vec<ChatEvent>) -> u32 {
        let index = self.next;
        self.next += 1;
        out.push(ChatEvent::Open { index, block });
        index
    }

    /// Ends the open block.
    fn close(&mut self, out: &mut Vec<ChatEvent>) {
        let Some(Open { index, kind }) = self.open.take() else { return };
        if let Kind::Detail(detail) = &kind {
            out.extend(detail.seal().map(|seal| ChatEvent::Seal { index, seal }));
        }
        out.push(ChatEvent::Close { index });
        if matches!(kind, Kind::Text) {
            self.cite(out);
        }
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) {
        if !self.is_started {
            out.push(ChatEvent::Start { id: String::new(), model: String::new(), created: None });
        }
        self.close(out);
        self.cite(out);
        self.calls.close(&self.id, &mut self.next, out);
        let Ending { finish, native, stop_sequence } =
            self.ending.take().unwrap_or_default().with_calls(self.calls.any());
        out.push(ChatEvent::Finish { finish, native, stop_sequence });
        out.push(ChatEvent::End);
        self.is_ended = true;
    }
}
