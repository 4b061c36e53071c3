//! A request, written for a model at Bedrock.

use super::check::{can_return, check};
use super::model::Maker;
use super::names::{self, Documents};
use super::settings::Settings;
use super::{content_out as blocks, tools_out};
use crate::anthropic::check::Losses;
use crate::anthropic::content_out::is_blank;
use crate::anthropic::plan::{Message, Plan, Said};
use crate::anthropic::schema;
use crate::anthropic::tools_out::count_marks;
use crate::chat::{Block, CacheMark, ChatRequest, Format, MediaKind, Part, ToolResult};
use crate::codec::{Encoded, Target};
use crate::json::{Out, Raw};
use gatehouse_core::error::Error;
use std::cell::{Cell, RefCell};

/// The most cache marks that Bedrock takes in one request.
const CACHE_MARKS_MAX: usize = 4;
/// What asks for JSON where there is no schema to enforce: Converse has no such switch.
const ASK_FOR_JSON: &str = "Answer with one JSON object and nothing else.";
/// What stands for the result of a tool that said nothing: an empty one is refused.
const NO_RESULT: &str = "(no output)";

struct Writer<'a> {
    request: &'a ChatRequest,
    maker: Maker,
    plan: Plan<'a>,
    /// Cache marks still to be left out, from the front: the later a mark, the more it covers.
    surplus_marks: Cell<usize>,
    documents: RefCell<Documents>,
    losses: RefCell<Losses>,
}

/// Writes `request` for `target`.
pub(super) fn write(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut losses = Losses::default();
    check(request, target, &mut losses)?;
    let maker = Maker::of(target.model);
    let plan = Plan::of(&request.turns, false)?;
    losses.drop_if(plan.wrapped, "messages[].role");
    let most = if maker.caches() { CACHE_MARKS_MAX } else { 0 };
    let marks = count_marks(request);
    losses.drop_if(marks > most, "cache_control");
    let resumable = is_resumable(&plan);
    let settings = Settings::of(request, target, maker, resumable, &mut losses)?;
    let writer = Writer {
        request,
        maker,
        plan,
        surplus_marks: Cell::new(marks.saturating_sub(most)),
        documents: RefCell::default(),
        losses: RefCell::new(losses),
    };
    writer.write(&settings)
}

/// Whether a model of Anthropic's may think with a budget: in the middle of a tool loop only if the turn
/// that called the tools began with a thought, and that thought can be returned.
fn is_resumable(plan: &Plan<'_>) -> bool {
    let mut last = plan.messages.iter().rev();
    let in_loop = matches!(last.next(), Some(Message::User { results, .. }) if !results.is_empty());
    let Some(Message::Assistant(turns)) = last.next() else { return true };
    let first = turns.iter().flat_map(|turn| turn.iter()).find(|block| is_written(block));
    !in_loop || matches!(first, Some(Block::Thought(_)))
}

// === impl Writer: the root ===

impl Writer<'_> {
    fn write(&self, settings: &Settings<'_>) -> Result<Encoded, Error> {
        let mut out = Out::new();
        let mut is_empty = false;
        out.object(|out| {
            // In the order in which a provider reads them: marks of the cache are counted by it.
            let mut losses = self.losses.take();
            tools_out::write(out, self.request, self.maker, |mark| self.mark(mark), &mut losses);
            self.losses.replace(losses);
            self.system(out);
            out.array_field("messages", |out| is_empty = !self.messages(out));
            settings.write(out);
            self.format(out);
        });
        if is_empty {
            let why = "messages: must hold at least one message with something in it";
            return Err(Error::invalid("messages", why));
        }
        Ok(Encoded { body: out.into_bytes(), dropped: self.losses.take().into_dropped() })
    }

    fn system(&self, out: &mut Out) {
        let asks = self.request.format == Some(Format::JsonObject);
        self.losses.borrow_mut().drop_if(asks, "response_format");
        let mut content = Out::new();
        content.array(|out| {
            self.plan.system.iter().for_each(|part| self.part(out, part));
            if asks {
                blocks::text(out, ASK_FOR_JSON);
            }
        });
        if content.as_str() != "[]" {
            out.field("system", Raw(content.as_str()));
        }
    }

    fn format(&self, out: &mut Out) {
        let Some(Format::JsonSchema { name, description, schema, .. }) = &self.request.format else { return };
        out.object_field("outputConfig", |out| {
            out.object_field("textFormat", |out| {
                out.field("type", "json_schema").object_field("structure", |out| {
                    out.object_field("jsonSchema", |out| {
                        // A schema is a text here.
                        out.field("schema", schema::fit(&schema.0));
                        out.field_opt("name", name.as_deref());
                        out.field_opt("description", description.as_deref());
                    });
                });
            });
        });
    }

    /// The mark, unless there are more than Bedrock takes, or the model takes none.
    fn mark(&self, mark: Option<CacheMark>) -> Option<CacheMark> {
        let mark = mark?;
        let surplus = self.surplus_marks.get();
        self.surplus_marks.set(surplus.saturating_sub(1));
        if surplus > 0 {
            return None;
        }
        if self.maker == Maker::Anthropic {
            return Some(mark);
        }
        // An hour is known to Claude alone.
        self.losses.borrow_mut().drop_if(mark == CacheMark::Long, "cache_control.ttl");
        Some(CacheMark::Short)
    }
}

// === impl Writer: the conversation ===

impl Writer<'_> {
    /// Writes the messages, neighbours of one role as one: Converse demands that they alternate. Says
    /// whether there are any.
    fn messages(&self, out: &mut Out) -> bool {
        let last = self.plan.messages.len().saturating_sub(1);
        let mut open: Option<(&str, Out)> = None;
        let mut any = false;
        for (at, message) in self.plan.messages.iter().enumerate() {
            let role = if matches!(message, Message::Assistant(_)) { "assistant" } else { "user" };
            let mut content = match open.take() {
                Some((same, content)) if same == role => content,
                Some((other, content)) => {
                    any |= close(out, other, &content);
                    Out::new()
                }
                None => Out::new(),
            };
            match message {
                Message::Assistant(turns) => {
                    for (turn_at, turn) in turns.iter().enumerate() {
                        self.turn(&mut content, turn, at == last && turn_at + 1 == turns.len());
                    }
                }
                Message::User { results, said } => self.user(&mut content, results, said),
                Message::System(parts) => parts.iter().for_each(|part| self.part(&mut content, part)),
            }
            // What has nothing in it does not part its neighbours.
            open = Some((role, content));
        }
        open.is_some_and(|(role, content)| close(out, role, &content)) || any
    }

    fn user(&self, out: &mut Out, results: &[&ToolResult], said: &[Said<'_>]) {
        results.iter().for_each(|result| self.result(out, result));
        let (mut words, mut named) = (false, None);
        for one in said {
            match one {
                Said::System(text) => {
                    words = true;
                    blocks::text(out, text);
                }
                Said::Parts(parts) => {
                    for part in *parts {
                        self.part(out, part);
                        match part {
                            Part::Text { text, .. } => words |= !is_blank(text),
                            Part::Media(media) if media.kind == MediaKind::Document => {
                                named = Some(media.name.as_deref().unwrap_or("Document"));
                            }
                            Part::Media(_) | Part::Opaque(_) => {}
                        }
                    }
                }
            }
        }
        // A document has to have a text beside it.
        if let Some(name) = named.filter(|_| !words) {
            blocks::text(out, name);
        }
    }

    /// What the model said. At the very end it is the beginning of the answer, which may not end in space.
    fn turn(&self, out: &mut Out, turn: &[Block], is_prefill: bool) {
        for (at, block) in turn.iter().enumerate().filter(|(_, block)| is_written(block)) {
            match block {
                Block::Text { text, cache, .. } => {
                    let ends = is_prefill && turn.iter().skip(at + 1).all(|next| !is_written(next));
                    blocks::text(out, if ends { text.trim_end() } else { text });
                    self.cache_point(out, *cache);
                }
                Block::Refusal(text) => blocks::text(out, text),
                Block::Thought(thought) => blocks::thought(out, thought),
                Block::ToolCall(call) => {
                    blocks::tool_use(out, call);
                    self.cache_point(out, call.cache);
                }
                Block::Citations(_) | Block::Opaque(_) => {}
            }
        }
    }

    fn result(&self, out: &mut Out, result: &ToolResult) {
        let mut marks = Vec::new();
        let mut content = Out::new();
        content.array(|out| {
            for part in &result.parts {
                // Marks stand behind results, not in them.
                marks.extend(self.bare_part(out, part));
            }
        });
        if content.as_str() == "[]" {
            content = Out::new();
            content.array(|out| blocks::text(out, NO_RESULT));
        }
        out.object(|out| {
            out.object_field("toolResult", |out| {
                out.field("toolUseId", names::id(&result.call_id)).field("content", Raw(content.as_str()));
                // Models without the member fail at it; success is what goes without saying.
                out.field_opt("status", result.is_error.then_some("error"));
            });
        });
        let kept: Vec<CacheMark> =
            marks.into_iter().chain(result.cache).filter_map(|mark| self.mark(Some(mark))).collect();
        if let Some(mark) = kept.last() {
            blocks::cache_point(out, *mark);
        }
    }

    fn part(&self, out: &mut Out, part: &Part) {
        let mark = self.bare_part(out, part);
        let is_file = matches!(part, Part::Media(media) if matches!(media.kind, MediaKind::Document | MediaKind::Video));
        if is_file {
            // Refused right behind a file.
            self.losses.borrow_mut().drop_if(self.mark(mark).is_some(), "cache_control");
        } else {
            self.cache_point(out, mark);
        }
    }

    /// Writes a part, and gives the mark that is to follow it.
    fn bare_part(&self, out: &mut Out, part: &Part) -> Option<CacheMark> {
        match part {
            Part::Text { text, .. } if is_blank(text) => None,
            Part::Text { text, cache } => {
                blocks::text(out, text);
                *cache
            }
            Part::Media(media) => {
                blocks::media(out, media, &mut self.documents.borrow_mut());
                media.cache
            }
            Part::Opaque(_) => None,
        }
    }

    fn cache_point(&self, out: &mut Out, mark: Option<CacheMark>) {
        if let Some(mark) = self.mark(mark) {
            blocks::cache_point(out, mark);
        }
    }
}

/// Ends a message, unless nothing is said in it: empty ones are refused.
fn close(out: &mut Out, role: &str, content: &Out) -> bool {
    let is_written = !content.as_str().is_empty();
    if is_written {
        out.object(|out| {
            out.field("role", role).field("content", Raw(&format!("[{}]", content.as_str())));
        });
    }
    is_written
}

fn is_written(block: &Block) -> bool {
    match block {
        Block::Text { text, .. } | Block::Refusal(text) => !is_blank(text),
        Block::Thought(thought) => can_return(thought),
        Block::ToolCall(_) => true,
        Block::Citations(_) | Block::Opaque(_) => false,
    }
}
