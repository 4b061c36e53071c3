//! How a model is to answer: sampling, limits, thinking and the form.

use super::tools_out::is_json;
use crate::anthropic::check::Losses;
use crate::anthropic::content_out::is_blank;
use crate::anthropic::thinking::budget_of;
use crate::chat::{ChatRequest, Effort, Format, RawJson, Reasoning};
use crate::codec::Target;
use crate::json::{Out, Raw};
use gatehouse_core::error::Error;

/// The most texts that end an answer.
const STOPS_MAX: usize = 5;
/// The most for `k`.
const K_MAX: u64 = 500;
/// The least and the most for `p`, which callers may give from 0 to 1.
const P: (f64, &str, f64, &str) = (0.01, "0.01", 0.99, "0.99");
/// The least and the most for both penalties.
const PENALTY: (f64, f64) = (0.0, 1.0);

/// All of it, decided for a target.
pub(super) struct Settings<'a> {
    max_tokens: Option<u64>,
    temperature: Option<&'a str>,
    top_p: Option<&'a str>,
    top_k: Option<u64>,
    presence_penalty: Option<&'a str>,
    frequency_penalty: Option<&'a str>,
    seed: Option<&'a str>,
    stop: Vec<&'a String>,
    thinking: Option<Thinking>,
    format: Option<&'a Format>,
}

/// Whether to think, and how long.
#[derive(Clone, Copy)]
enum Thinking {
    Off,
    On { token_budget: Option<u64> },
}

// === impl Settings ===

impl<'a> Settings<'a> {
    /// Decides, and names what is left out.
    ///
    /// # Errors
    /// `unsupported_parameter` for a form that the model cannot follow, and for more texts to stop at than it takes.
    pub(super) fn of(
        request: &'a ChatRequest,
        target: &Target<'_>,
        has_tools: bool,
        losses: &mut Losses,
    ) -> Result<Self, Error> {
        let can = &target.capabilities;
        let stop: Vec<&String> = request.stop.iter().filter(|stop| !is_blank(stop)).collect();
        losses.drop_if(stop.len() < request.stop.len(), "stop");
        if stop.len() > STOPS_MAX {
            return Err(Error::unsupported("stop", "stop: the serving model takes five at most"));
        }
        let samples = can.sampling != Some(false);
        let max_tokens =
            request.max_output_tokens.map(|limit| limit.min(can.output_tokens.unwrap_or(u64::MAX)));
        let mut settings = Self {
            max_tokens,
            temperature: request.temperature.as_ref().map(text_of).filter(|_| samples),
            top_p: None,
            top_k: request.top_k.filter(|k| samples && *k <= K_MAX),
            presence_penalty: penalty(request.presence_penalty.as_ref(), "presence_penalty", losses),
            frequency_penalty: penalty(request.frequency_penalty.as_ref(), "frequency_penalty", losses),
            seed: request.seed.as_ref().map(text_of),
            stop,
            thinking: None,
            format: format(request, can.structured, has_tools, losses)?,
        };
        losses.drop_if(request.temperature.is_some() && settings.temperature.is_none(), "temperature");
        losses.drop_if(request.top_k.is_some() && settings.top_k.is_none(), "top_k");
        if let Some(asked) = &request.top_p {
            let fitting = fitting_p(text_of(asked));
            settings.top_p = Some(fitting).filter(|_| samples);
            losses.drop_if(settings.top_p != Some(text_of(asked)), "top_p");
        }
        if let Some(reasoning) = &request.reasoning {
            settings.thinking = thinking(reasoning, max_tokens).filter(|_| can.reasoning != Some(false));
            losses.drop_if(settings.thinking.is_none() && !is_off(reasoning), "reasoning");
        }
        Ok(settings)
    }

    /// Writes the members, each only if there is something to say.
    pub(super) fn write(&self, out: &mut Out) {
        out.field_opt("max_tokens", self.max_tokens);
        out.field_opt("temperature", self.temperature.map(Raw));
        out.field_opt("p", self.top_p.map(Raw)).field_opt("k", self.top_k);
        out.field_opt("presence_penalty", self.presence_penalty.map(Raw));
        out.field_opt("frequency_penalty", self.frequency_penalty.map(Raw));
        out.field_opt("seed", self.seed.map(Raw));
        if !self.stop.is_empty() {
            out.array_field("stop_sequences", |out| {
                self.stop.iter().for_each(|stop| {
                    out.item(*stop);
                });
            });
        }
        if let Some(thinking) = self.thinking {
            out.object_field("thinking", |out| match thinking {
                Thinking::Off => {
                    out.field("type", "disabled");
                }
                Thinking::On { token_budget } => {
                    out.field("type", "enabled").field_opt("token_budget", token_budget);
                }
            });
        }
        if let Some(format) = self.format {
            out.object_field("response_format", |out| {
                out.field("type", "json_object");
                if let Format::JsonSchema { schema, .. } = format {
                    out.field("json_schema", Raw(&schema.0));
                }
            });
        }
    }
}

/// The form, where it is one of JSON.
fn format<'a>(
    request: &'a ChatRequest,
    structured: Option<bool>,
    has_tools: bool,
    losses: &mut Losses,
) -> Result<Option<&'a Format>, Error> {
    let Some(format) = request.format.as_ref().filter(|format| is_json(Some(format))) else {
        return Ok(None);
    };
    if has_tools {
        let why = "response_format: the serving model cannot be bound to JSON while it has tools";
        return Err(Error::unsupported("response_format", why));
    }
    if let Format::JsonSchema { description, .. } = format {
        if structured == Some(false) {
            let why = "response_format: the serving model does not answer by a schema";
            return Err(Error::unsupported("response_format", why));
        }
        losses.drop_if(description.is_some(), "response_format.json_schema.description");
    }
    Ok(Some(format))
}

fn penalty<'a>(raw: Option<&'a RawJson>, name: &str, losses: &mut Losses) -> Option<&'a str> {
    let (least, most) = PENALTY;
    let kept = raw.map(text_of).filter(|raw| (least..=most).contains(&number(raw)));
    losses.drop_if(raw.is_some() && kept.is_none(), name);
    kept
}

/// The nearest to what is asked that is taken: leaving it out would be farther, as the default is 0.75.
fn fitting_p(asked: &str) -> &str {
    let (least, written_least, most, written_most) = P;
    match number(asked) {
        p if p < least => written_least,
        p if p > most => written_most,
        _ => asked,
    }
}

/// `None` where the answer leaves no room for it.
fn thinking(reasoning: &Reasoning, max_tokens: Option<u64>) -> Option<Thinking> {
    if is_off(reasoning) {
        return Some(Thinking::Off);
    }
    let by_effort = || reasoning.effort.map(|effort| budget_of(Some(effort)));
    let room = max_tokens.map_or(u64::MAX, |limit| limit.saturating_sub(1));
    let token_budget = reasoning.budget_tokens.or_else(by_effort).map(|budget| budget.min(room));
    (token_budget != Some(0)).then_some(Thinking::On { token_budget })
}

fn is_off(reasoning: &Reasoning) -> bool {
    reasoning.effort == Some(Effort::None) || reasoning.budget_tokens == Some(0)
}

fn text_of(raw: &RawJson) -> &str {
    raw.0.as_str()
}

/// Requests were read before: these are numbers.
fn number(raw: &str) -> f64 {
    raw.trim().parse().unwrap_or_default()
}
