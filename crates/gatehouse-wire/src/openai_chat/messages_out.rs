//! The conversation, written.

use super::details;
use super::parts_out::{Content, content, part_json};
use super::quirks::tool_id;
use super::reasoning::{in_details, write_signature};
use super::request_out::Body;
use crate::chat::{Block, Citations, Origin, Part, Seal, Thought, ToolCall, ToolResult, Turn};
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// What a tool result says when all that it has is media, which follow in a message of the user's.
const MEDIA_FOLLOW: &str = "The result is attached to the next message.";

struct Messages<'b, 'a> {
    body: &'b mut Body<'a>,
    list: Out,
    /// Media of tool results, which only a user's message can carry: they wait for the end of the results.
    held: Vec<Out>,
    /// Whether only instructions came so far.
    leading: bool,
}

/// What an assistant's turn is made of, sorted by the member that it goes to.
#[derive(Default)]
struct Answer<'r> {
    texts: Vec<Part>,
    thoughts: Vec<&'r Thought>,
    calls: Vec<&'r ToolCall>,
    refusal: String,
    seal: Option<&'r Seal>,
    /// Members that are this dialect's own: name and JSON text.
    members: Vec<(&'r str, &'r str)>,
}

/// Writes `messages`.
pub(super) fn write(body: &mut Body<'_>, turns: &[Turn]) -> Result<(), Error> {
    let list = Out::after(b"[".to_vec());
    let mut messages = Messages { body, list, held: Vec::new(), leading: true };
    for turn in turns {
        messages.turn(turn)?;
    }
    messages.release();
    let Messages { body, list, .. } = messages;
    let mut list = list.into_bytes();
    list.push(b']');
    let list = Out::after(list);
    body.out.field("messages", Raw(list.as_str()));
    Ok(())
}

// === impl Messages ===

impl Messages<'_, '_> {
    fn turn(&mut self, turn: &Turn) -> Result<(), Error> {
        if !matches!(turn, Turn::User(_) | Turn::ToolResults(_)) {
            self.release();
        }
        match turn {
            Turn::System(parts) => self.system(parts),
            Turn::User(parts) => {
                let held = std::mem::take(&mut self.held);
                let said = content(self.body, parts, held)?;
                self.message("user", &said);
                Ok(())
            }
            Turn::Assistant(blocks) => self.assistant(blocks),
            Turn::ToolResults(results) => results.iter().try_for_each(|result| self.result(result)),
        }?;
        self.leading &= matches!(turn, Turn::System(_));
        Ok(())
    }

    /// A message that is a role, a content and perhaps members of this dialect's own.
    fn message(&mut self, role: &str, said: &Content<'_>) {
        self.list.object(|out| {
            out.field("role", role);
            said.write(out);
        });
    }

    fn system(&mut self, parts: &[Part]) -> Result<(), Error> {
        if self.leading || self.body.target.capabilities.system_anywhere != Some(false) {
            let said = content(self.body, parts, Vec::new())?;
            self.message("system", &said);
            return Ok(());
        }
        // The model takes instructions at the head only, where these would mean something else.
        let wrapped: Vec<Part> = parts
            .iter()
            .map(|part| match part {
                Part::Text { text, cache } => {
                    Part::Text { text: format!("<system>\n{text}\n</system>"), cache: *cache }
                }
                other => other.clone(),
            })
            .collect();
        self.body.drop("role of a later system message");
        let said = content(self.body, &wrapped, Vec::new())?;
        self.message("user", &said);
        Ok(())
    }

    /// Media that waited go into a message of the user's.
    fn release(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let held = std::mem::take(&mut self.held);
        self.message("user", &Content::parts(held));
    }

    fn result(&mut self, result: &ToolResult) -> Result<(), Error> {
        let (mut texts, mut media) = (Vec::new(), Vec::new());
        for part in &result.parts {
            match part {
                Part::Media(_) => media.push(part_json(self.body, part)?),
                Part::Text { .. } | Part::Opaque(_) => texts.push(part.clone()),
            }
        }
        let has_text = texts.iter().any(|part| matches!(part, Part::Text { .. }));
        match texts
            .iter_mut()
            .find_map(|part| if let Part::Text { text, .. } = part { Some(text) } else { None })
        {
            Some(first) if result.is_error && !first.starts_with("Error") => {
                *first = format!("Error: {first}");
            }
            None if result.is_error => texts.push(Part::text("Error")),
            None if !media.is_empty() && !has_text => texts.push(Part::text(MEDIA_FOLLOW)),
            Some(_) | None => {}
        }
        if let (Some(mark), Some(Part::Text { cache, .. })) = (result.cache, texts.last_mut()) {
            *cache = cache.or(Some(mark));
        }
        if !media.is_empty() {
            let label = Part::text(format!("Returned by the tool call {}:", result.call_id));
            self.held.push(part_json(self.body, &label)?);
            self.held.extend(media);
        }
        let said = content(self.body, &texts, Vec::new())?;
        let id = tool_id(&result.call_id, self.body.target.quirks);
        self.list.object(|out| {
            out.field("role", "tool").field("tool_call_id", id);
            said.write(out);
        });
        Ok(())
    }

    fn assistant(&mut self, blocks: &[Block]) -> Result<(), Error> {
        let answer = self.sort(blocks)?;
        self.name_lost_thoughts(&answer);
        let quirks = self.body.target.quirks;
        let has_calls = !answer.calls.is_empty();
        let said = content(self.body, &answer.texts, Vec::new())?;
        let reasoning: String = answer.thoughts.iter().map(|thought| thought.text.as_str()).collect();
        let keeps = |origin: Origin| quirks.seals == Some(origin);
        self.list.object(|out| {
            out.field("role", "assistant");
            if answer.texts.is_empty() && (has_calls || !answer.refusal.is_empty()) {
                out.field("content", None::<&str>);
            } else {
                said.write(out);
            }
            if !answer.refusal.is_empty() {
                out.field("refusal", &answer.refusal);
            }
            if quirks.reasoning_back && !reasoning.is_empty() {
                out.field("reasoning_content", &reasoning);
            }
            if keeps(Origin::OpenRouter) && answer.thoughts.iter().any(|thought| in_details(thought)) {
                out.array_field("reasoning_details", |out| {
                    answer.thoughts.iter().for_each(|thought| details::write(out, thought));
                });
            }
            if let Some(seal) = answer.seal {
                write_signature(out, seal);
            }
            if has_calls {
                out.array_field("tool_calls", |out| {
                    for call in &answer.calls {
                        let seal = call.seal.as_ref().filter(|seal| keeps(seal.origin));
                        write_call(out, call, &tool_id(&call.id, quirks), seal);
                    }
                });
            }
            for (name, value) in &answer.members {
                out.field(name, Raw(value));
            }
        });
        Ok(())
    }

    fn sort<'r>(&mut self, blocks: &'r [Block]) -> Result<Answer<'r>, Error> {
        let gemini = self.body.target.quirks.seals == Some(Origin::Gemini);
        let mut answer = Answer::default();
        for block in blocks {
            match block {
                Block::Text { text, seal, cache } => {
                    if !text.is_empty() {
                        answer.texts.push(Part::Text { text: text.clone(), cache: *cache });
                    }
                    match seal {
                        Some(seal) if gemini && seal.origin == Origin::Gemini => answer.seal = Some(seal),
                        Some(seal) => self.name_lost_seal(seal),
                        None => {}
                    }
                }
                Block::Thought(thought) => answer.thoughts.push(thought),
                Block::ToolCall(call) => {
                    if call.cache.is_some() {
                        self.body.drop("cache marks of tool calls");
                    }
                    if let Some(seal) =
                        call.seal.as_ref().filter(|seal| !(gemini && seal.origin == Origin::Gemini))
                    {
                        self.name_lost_seal(seal);
                    }
                    answer.calls.push(call);
                }
                Block::Refusal(text) => answer.refusal.push_str(text),
                Block::Opaque(own) if own.origin == Dialect::OpenAiChat => {
                    let value = own.value.0.as_str();
                    match own.path.rsplit_once('.') {
                        Some((_, member)) if !member.ends_with(']') => answer.members.push((member, value)),
                        _ => answer.texts.push(Part::Opaque(own.clone())),
                    }
                }
                Block::Citations(Citations { own, .. }) | Block::Opaque(own) => self.body.foreign(own)?,
            }
        }
        Ok(answer)
    }

    fn name_lost_thoughts(&mut self, answer: &Answer<'_>) {
        let quirks = self.body.target.quirks;
        for thought in &answer.thoughts {
            let goes_back = in_details(thought) && quirks.seals == Some(Origin::OpenRouter);
            if let Some(seal) = thought.seal.as_ref().filter(|_| !goes_back) {
                self.name_lost_seal(seal);
            }
            if !goes_back && !quirks.reasoning_back && !thought.text.is_empty() {
                self.body.drop("reasoning of earlier answers");
            }
        }
    }

    fn name_lost_seal(&mut self, seal: &Seal) {
        self.body.drop(&seal.name());
    }
}

/// Writes a call as OpenAI does; arguments that are missing are an empty object.
pub(super) fn write_call(out: &mut Out, call: &ToolCall, id: &str, seal: Option<&Seal>) {
    let arguments = if call.arguments.is_empty() { "{}" } else { call.arguments.as_str() };
    out.object(|out| {
        out.field("id", id).field("type", "function");
        out.object_field("function", |out| {
            out.field("name", &call.name).field("arguments", arguments);
        });
        if let Some(seal) = seal {
            write_signature(out, seal);
        }
    });
}
