//! `thinkingConfig`: a budget for Gemini 2.5, a level from Gemini 3 on, nothing for older models.
//!
//! Efforts and budgets are exchanged as Google's own OpenAI-compatible endpoint does it
//! (<https://ai.google.dev/gemini-api/docs/openai>).

use super::member::{get, text};
use crate::chat::{Effort, Reasoning};
use crate::json::Node;

/// What a model understands of thinking, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// Before 2.5, or no Gemini: does not think.
    Old,
    /// 2.5: a budget in tokens.
    Budget,
    /// 3 and later: a level.
    Level,
}

/// What to write into `thinkingConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// `thinkingBudget`; -1 leaves it to the model.
    pub(super) budget: Option<String>,
    /// `thinkingLevel`
    pub(super) level: Option<&'static str>,
    /// `includeThoughts`
    pub(super) shown: bool,
    /// What could not be said as it was asked.
    pub(super) dropped: Option<&'static str>,
}

const LOW_TOKENS: u64 = 1_024;
const MEDIUM_TOKENS: u64 = 8_192;
const HIGH_TOKENS: u64 = 24_576;
/// The limits of the 2.5 models' budgets (<https://ai.google.dev/gemini-api/docs/thinking>).
const FLASH_TOKENS_MAX: u64 = 24_576;
const PRO_TOKENS_MAX: u64 = 32_768;
const PRO_TOKENS_MIN: u64 = 128;
const LITE_TOKENS_MIN: u64 = 512;

/// The generation of a model.
pub(super) fn generation(model: &str) -> Generation {
    let name = model.rsplit('/').next().unwrap_or_default();
    let Some(version) = name.strip_prefix("gemini-") else { return Generation::Old };
    if version.ends_with("latest") && !version.starts_with(|first: char| first.is_ascii_digit()) {
        return Generation::Level;
    }
    let mut digits = version.split('-').next().unwrap_or_default().split('.');
    let major: Option<u32> = digits.next().and_then(|digits| digits.parse().ok());
    let minor: u32 = digits.next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    match major {
        Some(3..) => Generation::Level,
        Some(2) if minor >= 5 => Generation::Budget,
        _ => Generation::Old,
    }
}

/// Reads `thinkingConfig`.
pub(super) fn read(config: Node<'_>) -> Reasoning {
    let budget = get(config, "thinkingBudget");
    let level = text(config, "thinkingLevel").map(|level| level.to_ascii_lowercase());
    let tokens = budget.and_then(super::member::whole);
    let off = (tokens == Some(0)).then_some(Effort::None);
    Reasoning {
        effort: level.as_deref().and_then(Effort::parse).or(off),
        budget_tokens: tokens.filter(|tokens| *tokens > 0),
        visible: get(config, "includeThoughts").and_then(|shown| shown.bool()) == Some(true),
        // Gemini sends its signatures without being asked.
        sealed: true,
    }
}

/// How to ask `model` for it.
pub(super) fn plan(reasoning: &Reasoning, model: &str) -> Plan {
    let name = model.rsplit('/').next().unwrap_or_default();
    let shown = reasoning.visible;
    match generation(model) {
        Generation::Old if reasoning.effort == Some(Effort::None) => Plan::default(),
        Generation::Old => Plan { dropped: Some("reasoning"), ..Plan::default() },
        Generation::Budget => Plan { budget: Some(budget(reasoning, name)), shown, ..Plan::default() },
        Generation::Level => {
            let asked = reasoning.effort.or(reasoning.budget_tokens.map(effort_of));
            let (level, dropped) = asked.map_or((None, None), |effort| level(effort, name));
            Plan { level, dropped, shown, budget: None }
        }
    }
}

fn budget(reasoning: &Reasoning, name: &str) -> String {
    let pro = name.contains("pro");
    let most = if pro { PRO_TOKENS_MAX } else { FLASH_TOKENS_MAX };
    let least = match (pro, name.contains("lite")) {
        (true, _) => PRO_TOKENS_MIN,
        (false, true) => LITE_TOKENS_MIN,
        (false, false) => 1,
    };
    let tokens = match (reasoning.effort, reasoning.budget_tokens) {
        (Some(Effort::None), _) if pro => PRO_TOKENS_MIN,
        (Some(Effort::None), _) => return "0".to_owned(),
        (_, Some(tokens)) => tokens,
        (Some(Effort::Minimal | Effort::Low), None) => LOW_TOKENS,
        (Some(Effort::Medium), None) => MEDIUM_TOKENS,
        (Some(Effort::High), None) => HIGH_TOKENS,
        (Some(Effort::XHigh | Effort::Max), None) => most,
        (None, None) => return "-1".to_owned(),
    };
    tokens.clamp(least, most).to_string()
}

fn effort_of(tokens: u64) -> Effort {
    if tokens <= LOW_TOKENS {
        Effort::Low
    } else if tokens <= MEDIUM_TOKENS {
        Effort::Medium
    } else {
        Effort::High
    }
}

/// The level, and what of the wish it does not fulfil. These models cannot stop thinking; the Pro ones
/// have no `minimal`, and the first of them no `medium`.
fn level(effort: Effort, name: &str) -> (Option<&'static str>, Option<&'static str>) {
    let pro = name.contains("pro");
    match effort {
        Effort::None if pro => (Some("low"), Some("reasoning effort none")),
        Effort::None => (Some("minimal"), Some("reasoning effort none")),
        Effort::Minimal if pro => (Some("low"), Some("reasoning effort minimal")),
        Effort::Minimal => (Some("minimal"), None),
        Effort::Low => (Some("low"), None),
        Effort::Medium if name.starts_with("gemini-3-pro") => (Some("high"), Some("reasoning effort medium")),
        Effort::Medium => (Some("medium"), None),
        Effort::High => (Some("high"), None),
        Effort::XHigh => (Some("high"), Some("reasoning effort xhigh")),
        Effort::Max => (Some("high"), Some("reasoning effort max")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Generation, generation, plan};
    use crate::chat::{Effort, Reasoning};

    #[test]
    fn generations_are_told_by_the_name() {
        for (model, expected) in [
            ("gemini-3-pro-preview", Generation::Level),
            ("models/gemini-3.1-flash-lite", Generation::Level),
            ("publishers/google/models/gemini-2.5-flash", Generation::Budget),
            ("gemini-flash-latest", Generation::Level),
            ("gemini-1.5-pro-latest", Generation::Old),
            ("gemini-2.0-flash", Generation::Old),
            ("gemma-3-27b-it", Generation::Old),
        ] {
            assert_eq!(generation(model), expected, "{model}");
        }
    }

    #[test]
    fn never_a_budget_and_a_level() {
        let ask = |effort, budget_tokens| Reasoning { effort, budget_tokens, ..Reasoning::default() };
        let budget = |asked: &Reasoning, model| plan(asked, model).budget.unwrap();
        assert_eq!(budget(&ask(Some(Effort::Low), None), "gemini-2.5-flash"), "1024");
        assert_eq!(budget(&ask(Some(Effort::None), None), "gemini-2.5-flash"), "0");
        assert_eq!(budget(&ask(Some(Effort::None), None), "gemini-2.5-pro"), "128");
        assert_eq!(budget(&ask(None, Some(99_999)), "gemini-2.5-pro"), "32768");
        assert_eq!(budget(&ask(None, None), "gemini-2.5-pro"), "-1");
        let level = plan(&ask(None, Some(5_000)), "gemini-3-flash-preview");
        assert_eq!((level.level, level.budget), (Some("medium"), None));
        assert_eq!(plan(&ask(Some(Effort::High), None), "gemini-2.0-flash").dropped, Some("reasoning"));
    }
}
