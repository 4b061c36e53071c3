//! Turns to `contents`: roles merged, the user first, every batch of calls answered at once and whole.

use super::request_out::{Dropped, leave_out};
use super::thinking::{Generation, generation};
use super::{media, part_out, response, seals};
use crate::chat::{
    Block, CacheMark, ChatRequest, Citations, Media, MediaKind, Origin, Part, Seal, ToolResult, Turn,
};
use crate::codec::Target;
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// The user's words where there are none: Google wants contents, and the user first.
const PLACEHOLDER: &str = " ";

/// The conversation as JSON text.
pub(super) struct Contents {
    /// The parts of the system instruction; empty when there is none.
    pub(super) system: String,
    /// The list of contents.
    pub(super) contents: String,
}

struct Writer<'a> {
    target: &'a Target<'a>,
    dropped: &'a mut Dropped,
    generation: Generation,
    system: Vec<String>,
    contents: Vec<Content>,
    /// Calls of the turn before, with the answers that have come.
    calls: Vec<Call<'a>>,
}

struct Content {
    model: bool,
    parts: Out,
}

struct Call<'a> {
    id: &'a str,
    name: &'a str,
    answer: Option<&'a ToolResult>,
}

/// Writes the whole conversation.
pub(super) fn write(
    request: &ChatRequest,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<Contents, Error> {
    let generation = generation(target.model);
    let mut writer =
        Writer { target, dropped, generation, system: Vec::new(), contents: Vec::new(), calls: Vec::new() };
    for turn in &request.turns {
        writer.turn(turn)?;
    }
    writer.answers()?;
    if writer.contents.is_empty() {
        writer.placeholder();
    }
    let mut out = Out::new();
    out.array(|out| {
        for content in &writer.contents {
            out.object(|out| {
                out.field("role", if content.model { "model" } else { "user" });
                out.array_field("parts", |out| {
                    out.item(Raw(content.parts.as_str()));
                });
            });
        }
    });
    let mut system = Out::new();
    system.array(|out| {
        writer.system.iter().for_each(|text| part_out::words(out, text, false, None));
    });
    let system = if writer.system.is_empty() { String::new() } else { system.as_str().to_owned() };
    Ok(Contents { system, contents: out.as_str().to_owned() })
}

// === impl Writer ===

impl<'a> Writer<'a> {
    fn turn(&mut self, turn: &'a Turn) -> Result<(), Error> {
        if let Turn::ToolResults(results) = turn {
            return results.iter().try_for_each(|result| self.answer(result));
        }
        self.answers()?;
        // A model's turn right behind another is of the same batch.
        if let (Some(call), false) = (self.calls.first(), matches!(turn, Turn::Assistant(_))) {
            return Err(orphan(call.id, "is not answered in the turn after it"));
        }
        match turn {
            Turn::System(parts) => self.system(parts),
            Turn::User(parts) => parts.iter().try_for_each(|part| self.part(part)),
            Turn::Assistant(blocks) => self.assistant(blocks),
            Turn::ToolResults(_) => Ok(()),
        }
    }

    /// Adds to the last content, if it is of this role, or to a new one.
    fn put(&mut self, model: bool, write: impl FnOnce(&mut Out)) {
        if model && self.contents.is_empty() {
            self.placeholder();
        }
        if self.contents.last().is_none_or(|last| last.model != model) {
            self.contents.push(Content { model, parts: Out::new() });
        }
        if let Some(content) = self.contents.last_mut() {
            write(&mut content.parts);
        }
    }

    /// What the user says where nobody said anything.
    fn placeholder(&mut self) {
        let mut parts = Out::new();
        part_out::words(&mut parts, PLACEHOLDER, false, None);
        self.contents.push(Content { model: false, parts });
    }

    fn put_raw(&mut self, model: bool, part: &str) {
        self.put(model, |out| {
            out.item(Raw(part));
        });
    }

    fn system(&mut self, parts: &'a [Part]) -> Result<(), Error> {
        let leading = self.contents.is_empty();
        for part in parts {
            let (text, cache) = match part {
                Part::Text { text, cache } => (text, cache),
                Part::Opaque(foreign) if foreign.origin != Dialect::GeminiGenerate => {
                    leave_out(foreign, self.dropped)?;
                    continue;
                }
                Part::Media(_) | Part::Opaque(_) => {
                    return Err(Error::unsupported("system", "Gemini takes only text as instructions"));
                }
            };
            self.mark(*cache);
            if text.is_empty() {
                continue;
            }
            if leading {
                self.system.push(text.clone());
            } else {
                self.dropped.name("system role in the middle of the conversation");
                let text = format!("<system>\n{text}\n</system>");
                self.put(false, |out| part_out::words(out, &text, false, None));
            }
        }
        Ok(())
    }

    fn part(&mut self, part: &'a Part) -> Result<(), Error> {
        match part {
            Part::Text { text, cache } => {
                self.mark(*cache);
                if !text.is_empty() {
                    self.put(false, |out| part_out::words(out, text, false, None));
                }
                Ok(())
            }
            Part::Media(media) => {
                let text = self.media(media)?;
                self.put_raw(false, &text);
                Ok(())
            }
            Part::Opaque(own) if own.origin == Dialect::GeminiGenerate => {
                self.put_raw(false, &own.value.0);
                Ok(())
            }
            Part::Opaque(foreign) => leave_out(foreign, self.dropped),
        }
    }

    fn media(&mut self, media: &Media) -> Result<String, Error> {
        let can = self.target.capabilities;
        let (word, able) = match media.kind {
            MediaKind::Image => ("images", can.images),
            MediaKind::Audio => ("audio", can.audio),
            MediaKind::Document => ("documents", can.documents),
            MediaKind::Video => ("video", None),
        };
        if able == Some(false) {
            return Err(Error::unsupported(word, format!("{} does not read {word}", self.target.model)));
        }
        self.mark(media.cache);
        for (name, there) in [("file name", media.name.is_some()), ("image detail", media.detail.is_some())] {
            if there {
                self.dropped.name(name);
            }
        }
        let mut out = Out::new();
        if !media::write(&mut out, media) {
            return Err(Error::unsupported("file_id", "a file of another provider cannot be sent to Gemini"));
        }
        Ok(out.as_str().to_owned())
    }

    fn assistant(&mut self, blocks: &'a [Block]) -> Result<(), Error> {
        let mut first_call = self.calls.is_empty();
        for block in blocks {
            match block {
                Block::Text { text, seal, cache } => {
                    self.mark(*cache);
                    self.words(text, false, seal.as_ref());
                }
                Block::Thought(thought) => {
                    let text = if thought.redacted { "" } else { thought.text.as_str() };
                    self.words(text, true, thought.seal.as_ref());
                }
                Block::Refusal(text) => self.words(text, false, None),
                Block::ToolCall(call) => {
                    self.mark(call.cache);
                    self.calls.push(Call { id: &call.id, name: &call.name, answer: None });
                    // Gemini 3 wants a signature on the first call of every batch.
                    let wanted = std::mem::take(&mut first_call) && self.generation == Generation::Level;
                    let signature = self.native(call.seal.as_ref()).or(wanted.then_some(seals::BYPASS));
                    self.put(true, |out| part_out::call(out, call, signature));
                }
                Block::Opaque(own) if own.origin == Dialect::GeminiGenerate => {
                    self.put_raw(true, &own.value.0);
                }
                Block::Citations(Citations { own: foreign, .. }) | Block::Opaque(foreign) => {
                    leave_out(foreign, self.dropped)?;
                }
            }
        }
        Ok(())
    }

    fn words(&mut self, text: &str, thought: bool, seal: Option<&Seal>) {
        let signature = self.native(seal);
        if !text.is_empty() || signature.is_some() {
            self.put(true, |out| part_out::words(out, text, thought, signature));
        }
    }

    /// Gemini's own seal; one of another maker is never shown to Google.
    fn native<'s>(&mut self, seal: Option<&'s Seal>) -> Option<&'s str> {
        let seal = seal?;
        if seal.origin == Origin::Gemini {
            return Some(&seal.value);
        }
        self.dropped.name(&seal.name());
        None
    }

    fn mark(&mut self, cache: Option<CacheMark>) {
        if cache.is_some() {
            self.dropped.name("cache marks");
        }
    }

    /// Keeps an answer until the batch is whole.
    fn answer(&mut self, result: &'a ToolResult) -> Result<(), Error> {
        let open = |call: &&mut Call<'a>| call.answer.is_none() && call.id == result.call_id;
        let Some(call) = self.calls.iter_mut().find(open) else {
            return Err(orphan(&result.call_id, "is answered, but was not made in the turn before"));
        };
        call.answer = Some(result);
        Ok(())
    }

    /// Writes the answers of a batch in the order of its calls, once they are all there.
    fn answers(&mut self) -> Result<(), Error> {
        if self.calls.iter().all(|call| call.answer.is_none()) {
            return Ok(());
        }
        let calls = std::mem::take(&mut self.calls);
        let mut beside = Vec::new();
        for call in &calls {
            let Some(result) = call.answer else {
                return Err(orphan(call.id, "is not answered in the turn after it"));
            };
            self.mark(result.cache);
            let mut inside = Vec::new();
            for part in &result.parts {
                match part {
                    Part::Text { cache, .. } => self.mark(*cache),
                    Part::Media(media) => inside.push(self.media(media)?),
                    Part::Opaque(own) if own.origin == Dialect::GeminiGenerate => {
                        inside.push(own.value.0.clone());
                    }
                    Part::Opaque(foreign) => leave_out(foreign, self.dropped)?,
                }
            }
            // Before Gemini 3 a function answers with JSON alone; its pictures follow it.
            if self.generation != Generation::Level {
                beside.append(&mut inside);
            }
            self.function_response(call, result, &inside);
        }
        for part in beside {
            self.put_raw(false, &part);
        }
        Ok(())
    }

    fn function_response(&mut self, call: &Call<'_>, result: &ToolResult, media: &[String]) {
        let body = |out: &mut Out| {
            out.field_opt("id", Some(call.id).filter(|id| !id.is_empty()));
            out.field("name", call.name);
            response::write(out, result);
            if !media.is_empty() {
                out.array_field("parts", |out| {
                    out.item(Raw(&media.join(",")));
                });
            }
        };
        self.put(false, |out| {
            out.object(|out| {
                out.object_field("functionResponse", body);
            });
        });
    }
}

fn orphan(id: &str, what: &str) -> Error {
    Error::invalid("messages", format!("the tool call {id:?} {what}"))
}
