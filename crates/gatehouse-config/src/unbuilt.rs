//! What the format will have and this version does not. It is refused by name: a gateway that silently
//! passed over a guardrail or a budget would be worse than one that does not start.

use crate::path::Path;

/// Settings and words by the section or setting they stand in (`*` stands for any name or number).
pub(crate) const UNBUILT: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "shared",
            "routing",
            "budgets",
            "rate_limits",
            "context",
            "quality",
            "cache",
            "agents",
            "mcp",
            "a2a",
            "inventory",
        ],
    ),
    ("models.*", &["weights"]),
    ("models.*.prefer", &["cost", "latency", "weight"]),
    ("guards.*", &["entities", "topics", "threshold", "when", "url", "timeout", "models", "languages"]),
    (
        "guards.*.detect",
        &["pii", "injection", "toxicity", "topic", "rule", "webhook", "secrets", "moderation"],
    ),
    ("guards.*.do", &["mask"]),
];

/// Whether a word is one of those, at this place.
pub(crate) fn knows(path: &Path, word: &str) -> bool {
    UNBUILT.iter().any(|(pattern, words)| path.matches(pattern) && words.contains(&word))
}

/// What to say about it.
pub(crate) fn message(word: &str) -> String {
    format!("this version does not have {word:?} yet and cannot honour it; take it out")
}
