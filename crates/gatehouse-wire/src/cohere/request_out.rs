//! A request, written for a model of Cohere's.

use super::check::{can_return, check, text_of};
use super::settings::Settings;
use super::tools_out::Tools;
use crate::anthropic::check::Losses;
use crate::anthropic::content_out::is_blank;
use crate::anthropic::plan::{Message, Plan, Said};
use crate::anthropic::tools_out::count_marks;
use crate::chat::{Block, ChatRequest, Media, MediaKind, Part, Source, ToolCall, ToolResult};
use crate::codec::{Encoded, Target};
use crate::json::{Out, Raw};
use gatehouse_core::error::Error;

/// What stands for the result of a tool that said nothing.
const NO_RESULT: &str = "(no output)";
/// What stands for the result of a tool that said nothing in words: results hold text alone.
const MEDIA_FOLLOW: &str = "(the result follows)";

struct Writer {
    /// Whether the model thinks, and so reads thoughts as what they are.
    thinks: bool,
    losses: Losses,
}

/// Writes `request` for `target`.
pub(super) fn write(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut losses = Losses::default();
    check(request, target, &mut losses)?;
    let plan = Plan::of(&request.turns, true)?;
    losses.drop_if(count_marks(request) > 0, "cache_control");
    let tools = Tools::of(request, &mut losses)?;
    let settings = Settings::of(request, target, !tools.is_empty(), &mut losses)?;
    let mut writer = Writer { thinks: target.capabilities.reasoning == Some(true), losses };
    let mut messages = Out::new();
    messages.array(|out| writer.messages(out, &plan));
    if messages.as_str() == "[]" {
        let why = "messages: must hold at least one message with something in it";
        return Err(Error::invalid("messages", why));
    }
    let mut out = Out::new();
    out.object(|out| {
        out.field("model", target.model).field("messages", Raw(messages.as_str()));
        tools.write(out);
        settings.write(out);
        out.field_opt("stream", request.stream.then_some(true));
    });
    Ok(Encoded { body: out.into_bytes(), dropped: writer.losses.into_dropped() })
}

// === impl Writer ===

impl Writer {
    fn messages(&mut self, out: &mut Out, plan: &Plan<'_>) {
        let mut system = Out::new();
        system.array(|out| plan.system.iter().for_each(|one| part(out, one)));
        message(out, "system", &system);
        for one in &plan.messages {
            match one {
                Message::Assistant(turns) => {
                    let blocks: Vec<&Block> = turns.iter().flat_map(|turn| turn.iter()).collect();
                    self.assistant(out, &blocks);
                }
                Message::User { results, said } => user(out, results, said),
                Message::System(parts) => {
                    let mut content = Out::new();
                    content.array(|out| parts.iter().for_each(|one| part(out, one)));
                    message(out, "system", &content);
                }
            }
        }
    }

    fn assistant(&mut self, out: &mut Out, blocks: &[&Block]) {
        let thoughts = blocks.iter().filter_map(|block| match block {
            Block::Thought(thought) if can_return(thought) => Some(thought.text.as_str()),
            _ => None,
        });
        let thoughts = thoughts.collect::<Vec<_>>().join("\n\n");
        let calls: Vec<&ToolCall> = blocks
            .iter()
            .filter_map(|block| if let Block::ToolCall(call) = block { Some(call) } else { None })
            .collect();
        let mut content = Out::new();
        content.array(|out| {
            if self.thinks && !thoughts.is_empty() {
                out.object(|out| {
                    out.field("type", "thinking").field("thinking", &thoughts);
                });
            }
            blocks.iter().for_each(|block| match block {
                Block::Text { text: said, .. } | Block::Refusal(said) => text(out, said),
                _ => {}
            });
        });
        // Beside calls a model that does not think has had a plan.
        let plan = Some(&thoughts).filter(|thoughts| !self.thinks && !thoughts.is_empty());
        self.losses.drop_if(plan.is_some() && calls.is_empty(), "reasoning");
        if content.as_str() == "[]" && calls.is_empty() {
            return;
        }
        out.object(|out| {
            out.field("role", "assistant");
            if content.as_str() != "[]" {
                out.field("content", Raw(content.as_str()));
            }
            if !calls.is_empty() {
                out.field_opt("tool_plan", plan);
                out.array_field("tool_calls", |out| calls.iter().for_each(|call| tool_call(out, call)));
            }
        });
    }
}

/// Results are messages of their own; what they hold beside text goes into the user's words behind them.
fn user(out: &mut Out, results: &[&ToolResult], said: &[Said<'_>]) {
    let mut content = Out::new();
    content.array(|content| {
        for result in results {
            tool_result(out, result);
            let mut media = result.parts.iter().filter(|part| is_apart(part)).peekable();
            if media.peek().is_some() {
                text(content, &format!("Returned by the tool call {}:", result.call_id));
            }
            media.for_each(|one| part(content, one));
        }
        for one in said {
            match one {
                Said::System(words) => text(content, words),
                Said::Parts(parts) => parts.iter().for_each(|one| part(content, one)),
            }
        }
    });
    message(out, "user", &content);
}

/// Whether a part of a result has no place in the result.
fn is_apart(part: &Part) -> bool {
    matches!(part, Part::Media(media) if media.kind == MediaKind::Image)
}

fn tool_result(out: &mut Out, result: &ToolResult) {
    let texts = result.parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.clone()),
        Part::Media(media) => text_of(media),
        Part::Opaque(_) => None,
    });
    let mut said = texts.collect::<Vec<_>>().join("\n");
    if is_blank(&said) {
        let follows = result.parts.iter().any(is_apart);
        said = if follows { MEDIA_FOLLOW } else { NO_RESULT }.to_owned();
    }
    if result.is_error && !said.starts_with("Error") {
        // There is no member for it.
        said = format!("Error: {said}");
    }
    out.object(|out| {
        out.field("role", "tool").field("tool_call_id", &result.call_id).field("content", said);
    });
}

fn tool_call(out: &mut Out, call: &ToolCall) {
    let arguments = if is_blank(&call.arguments) { "{}" } else { &call.arguments };
    out.object(|out| {
        out.field("id", &call.id).field("type", "function").object_field("function", |out| {
            out.field("name", &call.name).field("arguments", arguments);
        });
    });
}

/// A message, unless nothing is said in it.
fn message(out: &mut Out, role: &str, content: &Out) {
    if content.as_str() != "[]" {
        out.object(|out| {
            out.field("role", role).field("content", Raw(content.as_str()));
        });
    }
}

fn part(out: &mut Out, part: &Part) {
    match part {
        Part::Text { text: said, .. } => text(out, said),
        Part::Media(media) => write_media(out, media),
        Part::Opaque(_) => {}
    }
}

fn text(out: &mut Out, said: &str) {
    if !is_blank(said) {
        out.object(|out| {
            out.field("type", "text").field("text", said);
        });
    }
}

/// An image, or a document, which is text under its name. What has no form here was refused by [`check`] before.
fn write_media(out: &mut Out, media: &Media) {
    let url = match &media.source {
        Source::Base64 { mime, data } if media.kind == MediaKind::Image => {
            format!("data:{mime};base64,{data}")
        }
        Source::Url { url, .. } => url.clone(),
        Source::Base64 { .. } | Source::Text(_) | Source::File { .. } => {
            let said = text_of(media).unwrap_or_default();
            let named = media.name.as_ref().map(|name| format!("{name}:\n\n{said}"));
            return text(out, &named.unwrap_or(said));
        }
    };
    out.object(|out| {
        out.field("type", "image_url").object_field("image_url", |out| {
            out.field("url", url).field_opt("detail", media.detail.as_deref());
        });
    });
}
