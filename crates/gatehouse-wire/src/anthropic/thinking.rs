//! How to think: `thinking` and `output_config.effort`, both ways.

use super::check::Losses;
use super::content::text_of;
use crate::chat::{ChatRequest, Effort, Reasoning};
use crate::codec::Target;
use crate::json::{Node, Out};

/// The smallest token budget for thinking that Anthropic takes.
const BUDGET_TOKENS_MIN: u64 = 1024;

/// How to think, decided for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thinking {
    mode: Mode,
    effort: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Nothing is said about it.
    Unsaid,
    Disabled,
    Enabled {
        budget_tokens: u64,
    },
    Adaptive {
        visible: bool,
    },
}

/// Reads `thinking` and `output_config.effort`.
pub(super) fn read(root: Node<'_>) -> Option<Reasoning> {
    let effort = root.path(&["output_config", "effort"]).and_then(|word| word.str());
    let effort = effort.and_then(|word| Effort::parse(&word));
    let Some(thinking) = root.opt("thinking") else {
        // Effort alone: what it does to thinking is the model's affair, so nothing is asked to be shown.
        return effort.map(|_| Reasoning { effort, budget_tokens: None, visible: false, sealed: true });
    };
    if text_of(thinking, "type") == "disabled" {
        return Some(Reasoning { effort: Some(Effort::None), ..Reasoning::default() });
    }
    Some(Reasoning {
        effort,
        budget_tokens: thinking.opt("budget_tokens").and_then(|tokens| tokens.u64()),
        visible: text_of(thinking, "display") != "omitted",
        sealed: true,
    })
}

/// Whether `thinking` is of a kind that [`Reasoning`] can say.
pub(super) fn is_known(thinking: Node<'_>) -> bool {
    matches!(text_of(thinking, "type").as_str(), "enabled" | "adaptive" | "disabled")
}

// === impl Thinking ===

impl Thinking {
    /// Decides for a target. `max_tokens` is what the caller allows for the whole answer; `None` when the
    /// limit is ours to set. `resumable` says whether the history allows thinking with a budget.
    pub(crate) fn decide(
        request: &ChatRequest,
        target: &Target<'_>,
        max_tokens: Option<u64>,
        resumable: bool,
        losses: &mut Losses,
    ) -> Self {
        let nothing = Self { mode: Mode::Unsaid, effort: None };
        let Some(reasoning) = &request.reasoning else { return nothing };
        let off = reasoning.effort == Some(Effort::None) || reasoning.budget_tokens == Some(0);
        if target.capabilities.reasoning == Some(false) {
            losses.drop_if(!off, "reasoning");
            return nothing;
        }
        if off {
            return Self { mode: Mode::Disabled, effort: None };
        }
        if target.capabilities.adaptive_thinking == Some(true) {
            let effort = reasoning.effort.or_else(|| reasoning.budget_tokens.map(effort_of));
            let mode = Mode::Adaptive { visible: reasoning.visible };
            return Self { mode, effort: effort.map(word) };
        }
        let wanted = reasoning.budget_tokens.unwrap_or_else(|| budget_of(reasoning.effort));
        let most = max_tokens.map_or(u64::MAX, |tokens| tokens.saturating_sub(1));
        if most < BUDGET_TOKENS_MIN || !resumable {
            losses.drop("reasoning");
            return nothing;
        }
        let budget_tokens = wanted.max(BUDGET_TOKENS_MIN).min(most);
        // Only a caller that gave both can mean both; an effort alone became the budget.
        let effort = reasoning.budget_tokens.and(reasoning.effort).map(word);
        Self { mode: Mode::Enabled { budget_tokens }, effort }
    }

    /// Whether the model is told to think.
    pub(crate) fn is_on(&self) -> bool {
        matches!(self.mode, Mode::Enabled { .. } | Mode::Adaptive { .. })
    }

    /// The same, without thinking.
    pub(crate) fn without(self) -> Self {
        Self { mode: Mode::Unsaid, ..self }
    }

    /// The token budget, which must be below `max_tokens`.
    pub(crate) fn budget_tokens(&self) -> u64 {
        match self.mode {
            Mode::Enabled { budget_tokens } => budget_tokens,
            _ => 0,
        }
    }

    /// The member `output_config.effort`.
    pub(crate) fn effort(&self) -> Option<&'static str> {
        self.effort
    }

    /// Writes the member `thinking`, if there is something to say.
    pub(crate) fn write(&self, out: &mut Out) {
        match self.mode {
            Mode::Unsaid => {}
            Mode::Disabled => {
                out.object_field("thinking", |out| {
                    out.field("type", "disabled");
                });
            }
            Mode::Enabled { budget_tokens } => {
                out.object_field("thinking", |out| {
                    out.field("type", "enabled").field("budget_tokens", budget_tokens);
                });
            }
            Mode::Adaptive { visible } => {
                out.object_field("thinking", |out| {
                    let display = if visible { "summarized" } else { "omitted" };
                    out.field("type", "adaptive").field("display", display);
                });
            }
        }
    }
}

/// The token budget that stands for an effort, for models without adaptive thinking. Anthropic names no
/// such table; these are the numbers in common use.
pub(crate) fn budget_of(effort: Option<Effort>) -> u64 {
    match effort {
        Some(Effort::None | Effort::Minimal | Effort::Low) => BUDGET_TOKENS_MIN,
        None | Some(Effort::Medium) => 2048,
        Some(Effort::High) => 4096,
        Some(Effort::XHigh) => 8192,
        Some(Effort::Max) => 16384,
    }
}

/// The effort that stands for a token budget; never one that only some models know.
fn effort_of(budget_tokens: u64) -> Effort {
    match budget_tokens {
        0..=1024 => Effort::Low,
        1025..=2048 => Effort::Medium,
        _ => Effort::High,
    }
}

/// Anthropic's word for an effort.
fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium | Effort::High | Effort::XHigh | Effort::Max => effort.as_str(),
    }
}
