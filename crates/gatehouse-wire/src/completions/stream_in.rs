//! Reading a stream: chunks of text, an ending for each choice, usage, `[DONE]`.

use super::answer::Ending;
use super::usage;
use crate::chat::{Block, ChatEvent};
use crate::codec::StreamDecoder;
use crate::error::from_stream;
use crate::json::{Doc, Node, Strictness};
use crate::openai_chat::ForUsage;
use crate::sse::Frame;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};

/// How many choices of one answer are told apart: OpenAI's own limit of `n`. More are not read.
const CHOICES_MAX: usize = 128;

/// The state between frames.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    finished: bool,
    over: bool,
    /// A block for each choice that has said something, in order of opening: its index, and whether it is
    /// still open. Several choices (`n`) come only where the same dialect is on both sides.
    blocks: Vec<(u64, bool)>,
}

// === impl Decoder ===

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        let data = frame.data();
        if self.over || data.is_empty() {
            return Ok(());
        }
        if data.trim_ascii() == b"[DONE]" {
            self.end(out);
            return Ok(());
        }
        let doc = Doc::parse(data, Strictness::Provider)
            .map_err(|error| bad("the provider's stream cannot be read").detail(error.message))?;
        if let Some(error) = from_stream(Family::OpenAi, &doc) {
            self.over = true;
            out.push(ChatEvent::Error(error));
            return Ok(());
        }
        self.chunk(&doc, out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        if self.over {
            return Ok(());
        }
        if !self.finished {
            self.over = true;
            return Err(bad("the provider's stream ended in the middle"));
        }
        self.end(out);
        Ok(())
    }

    fn kept(&self) -> usize {
        // Nothing but the state of a few choices.
        self.blocks.len() * size_of::<(u64, bool)>()
    }
}

impl Decoder {
    fn chunk(&mut self, doc: &Doc, out: &mut Vec<ChatEvent>) {
        let root = doc.root();
        if !self.started && root.is_object() {
            self.started = true;
            let own =
                |name: &str| root.opt(name).and_then(|node| node.str()).unwrap_or_default().into_owned();
            let created = root.opt("created").and_then(|node| node.u64());
            out.push(ChatEvent::Start { id: own("id"), model: own("model"), created });
        }
        for choice in root.opt("choices").iter().flat_map(Node::items) {
            self.choice(choice, out);
        }
        out.extend(usage::find(root).map(ChatEvent::Usage));
        let mut for_usage = ForUsage::default();
        root.members().for_each(|(name, value)| for_usage.look(&name, value));
        for_usage.tell(doc, out);
    }

    fn choice(&mut self, choice: Node<'_>, out: &mut Vec<ChatEvent>) {
        let number = choice.opt("index").and_then(|node| node.u64()).unwrap_or(0);
        let text = choice.opt("text").filter(|text| text.is_str() && !text.is_empty());
        if let Some((text, index)) = text.and_then(|text| Some((text, self.block(number, out)?))) {
            let at = Some(text.inner_range());
            out.push(ChatEvent::Delta { index, text: text.str().unwrap_or_default().into_owned(), at });
        }
        let Some(ending) = Ending::read(choice) else { return };
        if let Some(at) = self.blocks.iter().position(|(own, open)| *own == number && *open) {
            self.close(at, out);
        }
        if !self.finished {
            self.finished = true;
            let Ending { finish, native, stop_sequence } = ending;
            out.push(ChatEvent::Finish { finish, native: Some(native), stop_sequence });
        }
    }

    /// The open block of a choice. `None` when it has ended, or when there are too many.
    fn block(&mut self, number: u64, out: &mut Vec<ChatEvent>) -> Option<u32> {
        let found = self.blocks.iter().position(|(own, _)| *own == number);
        let at = match found {
            Some(at) => self.blocks.get(at).filter(|(_, open)| *open).map(|_| at)?,
            None if self.blocks.len() < CHOICES_MAX => {
                self.blocks.push((number, true));
                let index = u32::try_from(self.blocks.len() - 1).ok()?;
                out.push(ChatEvent::Open { index, block: Block::text("") });
                self.blocks.len() - 1
            }
            None => return None,
        };
        u32::try_from(at).ok()
    }

    fn close(&mut self, at: usize, out: &mut Vec<ChatEvent>) {
        if let (Some((_, open)), Ok(index)) = (self.blocks.get_mut(at), u32::try_from(at)) {
            *open = false;
            out.push(ChatEvent::Close { index });
        }
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) {
        self.over = true;
        for at in 0..self.blocks.len() {
            if self.blocks.get(at).is_some_and(|(_, open)| *open) {
                self.close(at, out);
            }
        }
        out.push(ChatEvent::End);
    }
}

fn bad(message: &str) -> Error {
    Error::new(Code::UpstreamBadResponse, message)
}
