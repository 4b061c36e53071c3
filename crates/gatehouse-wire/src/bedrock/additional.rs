//! `additionalModelRequestFields` of a caller's request: what models take beyond the common members, in their
//! makers' words. What means the same everywhere is read; the rest is for a model at Bedrock alone.

use super::DIALECT;
use super::blocks::text_of;
use crate::chat::{ChatRequest, Effort, Extension, RawJson, Reasoning, Weight};
use crate::json::Node;

/// Which members of it are read.
const READ: &[&str] =
    &["top_k", "inferenceConfig", "thinking", "output_config", "reasoning_effort", "reasoningConfig"];

/// What is asked of a model's thinking.
pub(super) struct How(Reasoning);

// === impl How ===

impl How {
    /// Whether it is to think at all.
    pub(super) fn is_on(&self) -> bool {
        self.0.effort != Some(Effort::None) && self.0.budget_tokens != Some(0)
    }
}

/// How a model is asked to think: as Claude is, as OpenAI's models are, or as Nova is.
pub(super) fn reasoning(fields: Node<'_>) -> Option<How> {
    let word =
        |path: &[&str]| fields.path(path).and_then(|word| word.str()).and_then(|one| Effort::parse(&one));
    let effort = word(&["output_config", "effort"]).or_else(|| word(&["reasoning_effort"]));
    let off = || Reasoning { effort: Some(Effort::None), ..Reasoning::default() };
    let on = |effort, budget_tokens| Reasoning { effort, budget_tokens, visible: true, sealed: true };
    if let Some(thinking) = fields.opt("thinking").filter(Node::is_object) {
        let budget = thinking.opt("budget_tokens").and_then(|tokens| tokens.u64());
        return Some(How(if text_of(thinking, "type") == "disabled" { off() } else { on(effort, budget) }));
    }
    if let Some(config) = fields.opt("reasoningConfig").filter(Node::is_object) {
        let effort = word(&["reasoningConfig", "maxReasoningEffort"]).or(Some(Effort::Medium));
        return Some(How(if text_of(config, "type") == "disabled" { off() } else { on(effort, None) }));
    }
    effort.map(|effort| How(Reasoning { effort: Some(effort), sealed: true, ..Reasoning::default() }))
}

/// Reads the member into a request.
pub(super) fn read(fields: Node<'_>, request: &mut ChatRequest) {
    request.reasoning = reasoning(fields).map(|how| how.0);
    let of_nova = fields.path(&["inferenceConfig", "topK"]);
    request.top_k = fields.opt("top_k").or(of_nova).and_then(|number| number.u64());
    for (name, value) in fields.members().filter(|(_, value)| !value.is_null()) {
        let is_read = match name.as_ref() {
            "inferenceConfig" => value.members().all(|(name, _)| name == "topK"),
            "output_config" => value.members().all(|(name, _)| name == "effort"),
            name => READ.contains(&name),
        };
        if !is_read {
            request.extensions.push(Extension {
                path: value.name(),
                value: RawJson(value.raw().to_owned()),
                origin: DIALECT,
                weight: Weight::Hint,
            });
        }
    }
}
