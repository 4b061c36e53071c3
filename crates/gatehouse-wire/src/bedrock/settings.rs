//! How a model is to answer: sampling, limits, thinking and the tier. What is not common to all models
//! goes into `additionalModelRequestFields`, in the words of the model's maker.

use super::model::Maker;
use crate::anthropic::check::Losses;
use crate::anthropic::content_out::is_blank;
use crate::anthropic::thinking::Thinking;
use crate::anthropic::tools_out::forces_a_call;
use crate::chat::{ChatRequest, Effort, Format, Reasoning};
use crate::codec::Target;
use crate::json::{Out, Raw};
use gatehouse_core::error::Error;

/// The answer that a model of Anthropic's is given room for beside a budget for thinking, when neither the
/// caller nor the catalogue knows a limit.
const MAX_TOKENS_DEFAULT: u64 = 4096;
/// The tiers that can be asked for.
const TIERS: &[&str] = &["priority", "default", "flex", "reserved"];

/// All of it, decided for a target.
pub(super) struct Settings<'a> {
    max_tokens: Option<u64>,
    temperature: Option<&'a str>,
    top_p: Option<&'a str>,
    stop: Vec<&'a String>,
    top_k: Option<u64>,
    maker: Maker,
    /// Anthropic's way of thinking.
    thinking: Option<Thinking>,
    /// The effort, where the maker has one word for it.
    effort: Option<&'static str>,
    tier: Option<&'a str>,
}

// === impl Settings ===

impl<'a> Settings<'a> {
    /// Decides, and names what is left out.
    ///
    /// # Errors
    /// `unsupported_parameter` for a schema that the model cannot follow.
    pub(super) fn of(
        request: &'a ChatRequest,
        target: &Target<'_>,
        maker: Maker,
        resumable: bool,
        losses: &mut Losses,
    ) -> Result<Self, Error> {
        let can = &target.capabilities;
        if can.structured == Some(false) && matches!(request.format, Some(Format::JsonSchema { .. })) {
            let why = "response_format: the serving model does not answer by a schema";
            return Err(Error::unsupported("response_format", why));
        }
        let limit = request.max_output_tokens.map(|limit| limit.min(can.output_tokens.unwrap_or(u64::MAX)));
        let (mut thinking, mut effort) = (None, None);
        if maker == Maker::Anthropic {
            let decided = Thinking::decide(request, target, limit, resumable, losses);
            let excluded = forces_a_call(request) && decided.is_on();
            losses.drop_if(excluded, "reasoning");
            thinking = Some(if excluded { decided.without() } else { decided });
        } else if let Some(reasoning) = &request.reasoning {
            effort = effort_for(maker, reasoning).filter(|_| can.reasoning != Some(false));
            losses.drop_if(effort.is_none() && !is_off(reasoning), "reasoning");
        }
        let is_thinking = thinking.as_ref().is_some_and(Thinking::is_on);
        let budget = thinking.as_ref().map_or(0, Thinking::budget_tokens);
        let room = can.output_tokens.unwrap_or(MAX_TOKENS_DEFAULT);
        let room = if room > budget { room } else { budget.saturating_add(room) };
        let mut settings = Self {
            max_tokens: limit.or((budget > 0).then_some(room)),
            temperature: None,
            top_p: None,
            stop: request.stop.iter().filter(|stop| !is_blank(stop)).collect(),
            top_k: None,
            maker,
            thinking,
            effort,
            tier: request.service_tier.as_deref().filter(|tier| TIERS.contains(tier)),
        };
        losses.drop_if(settings.stop.len() < request.stop.len(), "stop");
        let tier = request.service_tier.as_deref();
        // `auto` is what it is without a word.
        losses.drop_if(tier.is_some_and(|tier| tier != "auto") && settings.tier.is_none(), "service_tier");
        settings.sample(request, can.sampling != Some(false), is_thinking, losses);
        Ok(settings)
    }

    fn sample(&mut self, request: &'a ChatRequest, allowed: bool, thinking: bool, losses: &mut Losses) {
        let number = |raw: &str| raw.trim().parse::<f64>().unwrap_or(1.0);
        let claude = self.maker == Maker::Anthropic;
        let heat = request.temperature.as_ref().map(|raw| raw.0.as_str());
        // Above 1 is refused. While Claude thinks it must be 1.
        let fits = |raw: &&str| allowed && number(raw) <= 1.0 && (!thinking || number(raw) >= 1.0);
        self.temperature = heat.filter(fits);
        losses.drop_if(heat.is_some() && self.temperature.is_none(), "temperature");
        let top_p = request.top_p.as_ref().map(|raw| raw.0.as_str());
        // Newer models of Anthropic's take only one of the two.
        let alone = !claude || self.temperature.is_none();
        let fits = |raw: &&str| allowed && alone && (!thinking || number(raw) >= 0.95);
        self.top_p = top_p.filter(fits);
        losses.drop_if(top_p.is_some() && self.top_p.is_none(), "top_p");
        let known = matches!(self.maker, Maker::Anthropic | Maker::Nova | Maker::Nova2);
        self.top_k = request.top_k.filter(|_| allowed && known && !thinking);
        losses.drop_if(request.top_k.is_some() && self.top_k.is_none(), "top_k");
    }

    /// Writes the members, each only if there is something in it.
    pub(super) fn write(&self, out: &mut Out) {
        member(out, "inferenceConfig", |out| self.inference(out));
        member(out, "additionalModelRequestFields", |out| self.additional(out));
        if let Some(tier) = self.tier {
            out.object_field("serviceTier", |out| {
                out.field("type", tier);
            });
        }
    }

    fn inference(&self, out: &mut Out) {
        out.field_opt("maxTokens", self.max_tokens);
        out.field_opt("temperature", self.temperature.map(Raw)).field_opt("topP", self.top_p.map(Raw));
        if !self.stop.is_empty() {
            out.array_field("stopSequences", |out| {
                for stop in &self.stop {
                    out.item(stop);
                }
            });
        }
    }

    fn additional(&self, out: &mut Out) {
        match self.maker {
            Maker::Nova | Maker::Nova2 => member(out, "inferenceConfig", |out| {
                out.field_opt("topK", self.top_k);
            }),
            _ => {
                out.field_opt("top_k", self.top_k);
            }
        }
        if let Some(thinking) = &self.thinking {
            thinking.write(out);
            if let Some(effort) = thinking.effort() {
                out.object_field("output_config", |out| {
                    out.field("effort", effort);
                });
            }
        }
        match (self.maker, self.effort) {
            (Maker::OpenAi, effort) => {
                out.field_opt("reasoning_effort", effort);
            }
            (Maker::Nova2, Some(effort)) => {
                out.object_field("reasoningConfig", |out| {
                    let is_on = effort != Effort::None.as_str();
                    out.field("type", if is_on { "enabled" } else { "disabled" });
                    out.field_opt("maxReasoningEffort", is_on.then_some(effort));
                });
            }
            _ => {}
        }
    }
}

/// A member that is an object, unless nothing would be in it.
fn member(out: &mut Out, name: &str, inside: impl FnOnce(&mut Out)) {
    let mut value = Out::new();
    value.object(inside);
    if value.as_str() != "{}" {
        out.field(name, Raw(value.as_str()));
    }
}

fn is_off(reasoning: &Reasoning) -> bool {
    reasoning.effort == Some(Effort::None) || reasoning.budget_tokens == Some(0)
}

/// The word for an effort, for makers that have one. Both know three, and only Nova can be told not to think.
fn effort_for(maker: Maker, reasoning: &Reasoning) -> Option<&'static str> {
    let known = matches!(maker, Maker::OpenAi | Maker::Nova2);
    let word = match reasoning.effort {
        _ if is_off(reasoning) => return (maker == Maker::Nova2).then_some(Effort::None.as_str()),
        Some(Effort::None | Effort::Minimal | Effort::Low) => "low",
        None | Some(Effort::Medium) => "medium",
        Some(Effort::High | Effort::XHigh | Effort::Max) => "high",
    };
    known.then_some(word)
}
