//! Streams, read. Every chunk has the form of a whole answer; there is no mark of the end but the end of
//! the body, so an answer without a reason to stop was cut off.

use super::assembler::Assembler;
use super::member::{each, get, text, whole};
use super::thinking::{Generation, generation};
use super::{finish, grounding, time, usage};
use crate::chat::{Block, ChatEvent, Finish};
use crate::codec::StreamDecoder;
use crate::error::from_stream;
use crate::json::{Doc, Node, Strictness};
use crate::sse::Frame;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;
use std::borrow::Cow;

/// Reads chunks in order.
#[derive(Default)]
pub(super) struct Decoder {
    /// Reads the parts; there from the first chunk on.
    parts: Option<Assembler>,
    usage: Option<Usage>,
    searches: u64,
    /// The model's version.
    model: String,
    /// Google's reason to stop, or to refuse the prompt.
    reason: Option<String>,
    /// The prompt was refused.
    blocked: bool,
    /// All text so far, its citations, and whether these were told.
    said: String,
    cited: Option<Block>,
    is_cited: bool,
    tier: Option<String>,
    /// An error came: nothing follows.
    failed: bool,
    ended: bool,
}

/// The words of a part, unless it is a thought or something else.
fn words<'a>(part: Node<'a>) -> Option<Cow<'a, str>> {
    let is_thought = get(part, "thought").and_then(|thought| thought.bool()) == Some(true);
    get(part, "text").filter(|_| !is_thought && get(part, "functionCall").is_none())?.str()
}

/// Whether Google bills searches of this model by the query.
pub(super) fn billed_by_query(model: &str) -> bool {
    generation(model) == Generation::Level
}

// === impl Decoder ===

impl Decoder {
    /// Reads one chunk.
    pub(super) fn chunk(&mut self, root: Node<'_>, out: &mut Vec<ChatEvent>) {
        if self.failed || self.ended {
            return;
        }
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            None => self.start(root, out),
        };
        // Of several candidates only the first can be translated.
        let first = |one: &Node<'_>| get(*one, "index").and_then(whole).unwrap_or(0) == 0;
        for candidate in each(get(root, "candidates")).filter(first) {
            let content = get(candidate, "content");
            for part in each(content.and_then(|content| get(content, "parts"))) {
                // A signature without words is a block of its own, and citations belong behind the words.
                let words = words(part).unwrap_or_default();
                if words.is_empty() && get(part, "thoughtSignature").is_some() && !self.is_cited {
                    let cited = grounding::block(candidate, &self.said);
                    self.is_cited = cited.is_some();
                    cited.into_iter().for_each(|cited| parts.cite(cited, out));
                }
                // Beyond that nothing is looked for in it.
                if self.said.len() <= grounding::SAID_BYTES_MAX {
                    self.said.push_str(&words);
                }
                parts.part(part, out);
            }
            // Each chunk may know more than the one before.
            self.cited = grounding::block(candidate, &self.said).or(self.cited.take());
            if self.reason.is_none() {
                self.reason = text(candidate, "finishReason");
            }
            let searches = usage::searches(candidate, billed_by_query(&self.model));
            self.searches = self.searches.max(searches);
        }
        self.parts = Some(parts);
        let feedback = get(root, "promptFeedback").and_then(|feedback| text(feedback, "blockReason"));
        if let (Some(reason), None) = (feedback, &self.reason) {
            (self.reason, self.blocked) = (Some(reason), true);
        }
        self.count(root, out);
    }

    /// Says why the answer stopped and that it is over.
    pub(super) fn end(&mut self, out: &mut Vec<ChatEvent>) {
        if self.failed || self.ended {
            return;
        }
        self.ended = true;
        let mut calls = false;
        if let Some(parts) = &mut self.parts {
            match self.cited.take().filter(|_| !self.is_cited) {
                Some(cited) => parts.cite(cited, out),
                None => parts.close(out),
            }
            calls = parts.calls() > 0;
        }
        let finish = match self.reason.as_deref() {
            Some(_) if self.blocked => Finish::ContentFilter,
            Some(reason) => finish::read(reason, calls),
            None if calls => Finish::ToolCalls,
            None => Finish::Stop,
        };
        out.push(ChatEvent::Finish { finish, native: self.reason.take(), stop_sequence: None });
        out.push(ChatEvent::End);
    }

    fn start(&mut self, root: Node<'_>, out: &mut Vec<ChatEvent>) -> Assembler {
        let id = text(root, "responseId").unwrap_or_default();
        self.model = text(root, "modelVersion").unwrap_or_default();
        let created = text(root, "createTime").as_deref().and_then(time::read);
        let parts = Assembler::new(&id);
        out.push(ChatEvent::Start { id, model: self.model.clone(), created });
        parts
    }

    /// Google repeats the count on every chunk: it is passed on when it changed.
    fn count(&mut self, root: Node<'_>, out: &mut Vec<ChatEvent>) {
        let tier = get(root, "usageMetadata").and_then(usage::tier);
        if let Some(tier) = tier.filter(|tier| self.tier.as_ref() != Some(tier)) {
            self.tier = Some(tier.clone());
            out.push(ChatEvent::Tier(tier));
        }
        let new = get(root, "usageMetadata").and_then(usage::read).or(self.usage);
        let Some(new) = new.map(|new| Usage { searches: self.searches, ..new }) else { return };
        if self.usage != Some(new) {
            self.usage = Some(new);
            out.push(ChatEvent::Usage(new));
        }
    }
}

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        let data = frame.data();
        // Servers that imitate Google's may say what OpenAI's say at the end.
        if data.is_empty() || data.as_ref() == b"[DONE]" {
            return Ok(());
        }
        let unread = |error: Error| {
            Error::new(Code::UpstreamBadResponse, "a chunk of the provider's stream cannot be read")
                .detail(error.message)
        };
        let doc = Doc::parse(data, Strictness::Provider).map_err(unread)?;
        if let Some(error) = from_stream(Family::Gemini, &doc) {
            if !self.failed && !self.ended {
                self.failed = true;
                out.push(ChatEvent::Error(error));
            }
            return Ok(());
        }
        each(Some(doc.root())).for_each(|chunk| self.chunk(chunk, out));
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        if self.reason.is_none() && !self.failed && !self.ended {
            return Err(Error::new(
                Code::UpstreamBadResponse,
                "the provider's stream ended before its answer",
            ));
        }
        self.end(out);
        Ok(())
    }

    fn kept(&self) -> usize {
        // What was said and what is cited of it have bounds of their own.
        self.parts.as_ref().map_or(0, Assembler::bytes)
    }
}
