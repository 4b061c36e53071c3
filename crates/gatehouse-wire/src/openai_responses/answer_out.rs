//! Writing an answer in one piece, and the response object that events of a stream carry too.
//!
//! The dialect repeats the request's settings in every answer, and its SDKs rely on some of them.

use super::item_out::{Item, Progress};
use super::names::Names;
use super::request_out::{effort, instructions, write_format};
use super::seals::item_id;
use crate::chat::{ChatRequest, ChatResponse, Effort, Finish};
use crate::codec::ReplyContext;
use crate::json::{Out, Raw};
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;

/// How a response stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum State<'a> {
    /// It is being made.
    InProgress,
    /// The model stopped.
    Finished(Finish, Option<&'a str>),
    /// It broke.
    Broken(&'a Error),
}

/// All that a response object says.
#[derive(Clone, Copy)]
pub(super) struct Reply<'a> {
    pub(super) context: &'a ReplyContext,
    /// Unix seconds.
    pub(super) created: u64,
    pub(super) state: State<'a>,
    /// The items that are done, as JSON; an empty text for one that is not.
    pub(super) output: &'a [String],
    pub(super) usage: Option<Usage>,
    pub(super) service_tier: Option<&'a str>,
}

/// See [`crate::codec::Codec::encode_answer`].
pub(super) fn encode(answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
    let names = Names::of(context.request.as_deref());
    let items = Item::all_of(&answer.blocks, &names).into_iter().enumerate();
    let written = |(index, item): (usize, Item)| {
        item.json(&item_id(item.id_prefix(), &context.id, index), Progress::Done)
    };
    let output: Vec<String> = items.map(written).collect();
    let reply = Reply {
        context,
        created: answer.created.unwrap_or(context.created),
        state: State::Finished(answer.finish, answer.native_finish.as_deref()),
        output: &output,
        usage: answer.usage,
        service_tier: answer.service_tier.as_deref(),
    };
    let mut out = Out::new();
    out.object(|out| reply.write(out));
    out.into_bytes()
}

// === impl State ===

impl State<'_> {
    /// `status`, which is also the end of the name of a stream's last event.
    pub(super) fn status(&self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Broken(_) | Self::Finished(Finish::Failed, _) => "failed",
            Self::Finished(Finish::Length | Finish::ContentFilter, _) => "incomplete",
            Self::Finished(..) => "completed",
        }
    }

    fn incomplete_reason(&self) -> Option<&'static str> {
        match self {
            Self::Finished(Finish::Length, _) => Some("max_output_tokens"),
            Self::Finished(Finish::ContentFilter, _) => Some("content_filter"),
            _ => None,
        }
    }

    /// Code and message.
    fn error(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Broken(error) => Some((error.code.as_str(), error.message.clone())),
            Self::Finished(Finish::Failed, reason) => {
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                Some(("server_error", format!("the model failed{reason}")))
            }
            _ => None,
        }
    }
}

// === impl Reply ===

impl Reply<'_> {
    /// Writes the members of the response object.
    pub(super) fn write(&self, out: &mut Out) {
        out.field("id", format!("resp_{}", self.context.id)).field("object", "response");
        out.field("created_at", self.created).field("status", self.state.status());
        out.field("background", false);
        object_or_null(out, "error", self.state.error(), |out, (code, message)| {
            out.field("code", code).field("message", message);
        });
        object_or_null(out, "incomplete_details", self.state.incomplete_reason(), |out, reason| {
            out.field("reason", reason);
        });
        out.field("model", &self.context.model);
        out.array_field("output", |out| {
            for item in self.output.iter().filter(|item| !item.is_empty()) {
                out.item(Raw(item));
            }
        });
        object_or_null(out, "usage", self.usage, write_usage);
        let nothing = ChatRequest::default();
        self.echo(out, self.context.request.as_deref().unwrap_or(&nothing));
    }

    /// What the request said, or the default where it said nothing.
    fn echo(&self, out: &mut Out, request: &ChatRequest) {
        let names = Names::of(Some(request));
        let own = |path: &str| names.own(path).map(Raw);
        out.field("instructions", request.turns.first().and_then(instructions));
        out.field("max_output_tokens", request.max_output_tokens);
        out.field("max_tool_calls", own("max_tool_calls"));
        out.field("parallel_tool_calls", request.parallel_tool_calls.unwrap_or(true));
        out.field("previous_response_id", None::<&str>);
        out.field("prompt_cache_key", own("prompt_cache_key"));
        out.object_field("reasoning", |out| {
            let reasoning = request.reasoning.as_ref();
            out.field("effort", reasoning.and_then(effort).map(Effort::as_str));
            let visible = reasoning.is_some_and(|reasoning| reasoning.visible);
            let summary = own("reasoning.summary").or(visible.then_some(Raw("\"auto\"")));
            out.field("summary", summary);
        });
        out.field("safety_identifier", own("safety_identifier"));
        out.field_opt("service_tier", self.service_tier.or(request.service_tier.as_deref()));
        out.field("store", false);
        out.field("temperature", number(request.temperature.as_ref().map(|raw| raw.0.as_str())));
        out.object_field("text", |out| {
            write_format(out, request.format.as_ref().unwrap_or(&crate::chat::Format::Text));
            out.field_opt("verbosity", own("text.verbosity"));
        });
        match (own("tool_choice"), &request.tool_choice) {
            (Some(raw), _) => {
                out.field("tool_choice", raw);
            }
            (None, Some(choice)) => names.write_choice(out, choice),
            (None, None) => {
                out.field("tool_choice", "auto");
            }
        }
        out.array_field("tools", |out| names.write_tools(out, &mut Vec::new()));
        out.field("top_logprobs", 0u64);
        out.field("top_p", number(request.top_p.as_ref().map(|raw| raw.0.as_str())));
        out.field("truncation", own("truncation").unwrap_or(Raw("\"disabled\"")));
        out.field("user", request.user.as_ref());
        out.object_field("metadata", |out| {
            for (name, value) in &request.metadata {
                out.field(name, value);
            }
        });
    }
}

/// A member that is an object, or `null`.
fn object_or_null<T>(out: &mut Out, name: &str, value: Option<T>, inside: impl FnOnce(&mut Out, T)) {
    match value {
        Some(value) => out.object_field(name, |out| inside(out, value)),
        None => out.field(name, None::<&str>),
    };
}

/// A number of the request, or the default of the API.
fn number(raw: Option<&str>) -> Raw<'_> {
    Raw(raw.unwrap_or("1.0"))
}

fn write_usage(out: &mut Out, usage: Usage) {
    let written = usage.cache_write_tokens.saturating_add(usage.cache_write_long_tokens);
    out.field("input_tokens", usage.input_tokens);
    out.object_field("input_tokens_details", |out| {
        out.field("cached_tokens", usage.cached_read_tokens).field("cache_write_tokens", written);
        if usage.cache_write_long_tokens > 0 {
            out.object_field("cache_write_tokens_details", |out| {
                out.field("ttl_30m", usage.cache_write_tokens);
                out.field("ttl_12h", usage.cache_write_long_tokens);
            });
        }
    });
    out.field("output_tokens", usage.output_tokens);
    out.object_field("output_tokens_details", |out| {
        out.field("reasoning_tokens", usage.reasoning_tokens);
    });
    out.field("total_tokens", usage.total_tokens());
}
