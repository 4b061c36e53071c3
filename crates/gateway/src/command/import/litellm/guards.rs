//! Guardrails: lists of words go over; what needs a classifier, a pattern or another service does not yet.

use super::Import;
use crate::command::import::draft::Guard;
use crate::command::import::report::At;
use gatehouse_config::foreign::Foreign;

/// The built-in guardrail that has lists of words.
const WORDS: &str = "litellm_content_filter";
/// Other guardrails by what they look for, and what is to be said of them.
const OTHERS: [(&[&str], &str); 4] = [
    (
        &["presidio", "pii", "hide-secrets", "hide_secrets"],
        "guards for personal data and secrets are not there yet",
    ),
    (
        &["lakera", "lakera_v2", "prompt_injection", "prompt_security", "model_armor"],
        "guards against injection are not there yet",
    ),
    (
        &["openai_moderation", "azure/text_moderations", "azure/prompt_shield"],
        "guards by moderation are not there yet",
    ),
    (&["custom_code", "generic_guardrail_api"], "guards that call out (webhooks) are not there yet"),
];
/// The most characters of a guardrail's name.
const NAME_CHARS_MAX: usize = 58;

impl Import<'_> {
    /// The list.
    pub(super) fn guards(&mut self, items: &[Foreign], at: &At) {
        for (index, item) in items.iter().enumerate() {
            let at = at.index(index, item.line);
            let name = item.get("guardrail_name").and_then(Foreign::text).unwrap_or("guardrail");
            let Some(params) = item.get("litellm_params") else {
                self.report.lost(&at, "has no litellm_params");
                continue;
            };
            let kind = params.get("guardrail").and_then(Foreign::text).unwrap_or_default();
            if kind == WORDS {
                self.words(name, params, &at.key("litellm_params", params.line));
            } else {
                let known = OTHERS.iter().find(|(kinds, _)| kinds.contains(&kind));
                let message = known
                    .map_or("this version has no such guardrail; it has lists of words", |(_, message)| {
                        message
                    });
                self.report.lost(&at, format!("{name:?} ({kind}): {message}"));
            }
            for (other, value) in item.members() {
                if !["guardrail_name", "litellm_params", "guardrail_info", "guardrail_id"]
                    .contains(&other.as_str())
                {
                    self.report.lost(&at.key(other, value.line), "this version has nothing of the kind");
                }
            }
        }
    }

    fn words(&mut self, name: &str, params: &Foreign, at: &At) {
        let (mut block, mut mask) = (Vec::new(), Vec::new());
        for (member, value) in params.members() {
            let at = at.key(member, value.line);
            match member.as_str() {
                "guardrail" | "mode" => {}
                "default_on" if value.is_true() => {}
                "default_on" => self.always(&at),
                "blocked_words" => {
                    for (index, word) in value.items().iter().enumerate() {
                        let text = word.get("keyword").or(Some(word)).and_then(Foreign::text);
                        let masks =
                            word.get("action").and_then(Foreign::text).is_some_and(|action| action == "MASK");
                        match text.filter(|text| !text.trim().is_empty()) {
                            Some(text) if masks => mask.push(text.to_owned()),
                            Some(text) => block.push(text.to_owned()),
                            None => self.report.lost(&at.index(index, word.line), "has no keyword"),
                        }
                    }
                }
                "blocked_words_file" => self.report.lost(&at, "write the words of the file into words:"),
                "patterns" => {
                    self.report
                        .lost(&at, "patterns are not there yet; only words and phrases are looked for");
                }
                "categories" => self.report.lost(&at, "categories of content are not there yet"),
                "keyword_redaction_tag" | "pattern_redaction_format" => {
                    self.report.differs(&at, "what is redacted is replaced by a mark of its own");
                }
                _ => self.report.lost(&at, "this version has nothing of the kind"),
            }
        }
        if params.get("default_on").is_none() && !(block.is_empty() && mask.is_empty()) {
            self.always(at);
        }
        let (places, observes) = self.modes(params.get("mode"), at);
        for (words, suffix, action) in [(block, "", "block"), (mask, "-mask", "redact")] {
            if !words.is_empty() {
                let action = if observes { "observe" } else { action };
                let name = self.guard_name(name, suffix);
                self.draft.guards.push(Guard { name, words, at: places.clone(), action });
            }
        }
    }

    fn always(&mut self, at: &At) {
        self.report.differs(at, "it was off until a call or a key asked for it: here it applies to all calls, or to accounts (only:)");
    }

    /// Which texts it sees, and whether it only looks.
    fn modes(&mut self, mode: Option<&Foreign>, at: &At) -> (Vec<&'static str>, bool) {
        let modes = mode.map(Foreign::texts).unwrap_or_default();
        let sees = |names: &[&str]| modes.iter().any(|mode| names.contains(mode));
        let observes = !modes.is_empty() && modes.iter().all(|mode| *mode == "logging_only");
        let mut places = Vec::new();
        if sees(&["pre_call", "during_call"]) || observes || modes.is_empty() {
            places.push("input");
        }
        if sees(&["post_call"]) || observes {
            places.push("output");
        }
        if places.is_empty() {
            self.report.differs(at, "its mode is not known here: it sees input and output");
            places = vec!["input", "output"];
        }
        (places, observes)
    }

    /// A name as ours may be, that no other guardrail has.
    fn guard_name(&self, name: &str, suffix: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let base: String = name.chars().map(plain).take(NAME_CHARS_MAX - suffix.len()).collect();
        let is_free = |name: &String| self.draft.guards.iter().all(|guard| guard.name != *name);
        let numbered = (2..).map(|number: u32| format!("{base}{suffix}-{number}"));
        std::iter::once(format!("{base}{suffix}")).chain(numbered).find(is_free).unwrap_or(base)
    }
}
