//! The sections of settings: what counts for all models, and for the program itself.

use super::params::Param;
use super::place::limit_times;
use super::{Import, unmapped};
use crate::command::import::draft::Text;
use crate::command::import::report::At;
use gatehouse_config::foreign::Foreign;

/// Additional attempts at one target that a configuration may ask for.
const ATTEMPTS_MAX: u32 = 10;
/// How often a budget renews, in their words and ours.
const PERIODS: [(&[&str], &str); 5] = [
    (&["1m", "60s"], "/minute"),
    (&["1h", "60m"], "/hour"),
    (&["1d", "24h"], "/day"),
    (&["7d", "1w"], "/week"),
    (&["30d", "31d", "1mo"], "/month"),
];

impl<'a> Import<'a> {
    /// `litellm_settings`.
    pub(super) fn litellm_settings(&mut self, section: &'a Foreign, at: &At) {
        for (name, value) in section.members() {
            let at = at.key(name, value.line);
            match name.as_str() {
                "fallbacks" => self.fallbacks(value, &at),
                "default_fallbacks" => self.default_fallbacks(value, at),
                "num_retries" => self.attempts(value, &at),
                "request_timeout" => self.times(value, &at, None),
                "default_key_generate_params" | "upperbound_key_generate_params" => {
                    self.key_shape(value, &at);
                }
                "model_group_alias" | "model_alias_map" => self.aliases(value, &at),
                other => self.unmapped(unmapped::LITELLM, other, &at),
            }
        }
    }

    /// `router_settings`.
    pub(super) fn router_settings(&mut self, section: &'a Foreign, at: &At) {
        let first = section.get("stream_timeout");
        for (name, value) in section.members() {
            let at = at.key(name, value.line);
            match name.as_str() {
                "fallbacks" => self.fallbacks(value, &at),
                "default_fallbacks" => self.default_fallbacks(value, at),
                "model_group_alias" => self.aliases(value, &at),
                "num_retries" => self.attempts(value, &at),
                "timeout" => self.times(value, &at, first),
                "stream_timeout" if section.get("timeout").is_some() => {}
                "stream_timeout" => {
                    let first = value.text().and_then(|text| self.time(&Param { text, at }));
                    limit_times(self.draft.sections.entry("timeouts").or_default(), None, first);
                }
                other => self.unmapped(unmapped::ROUTER, other, &at),
            }
        }
    }

    /// `general_settings`.
    pub(super) fn general_settings(&mut self, section: &'a Foreign, at: &At) {
        for (name, value) in section.members() {
            let at = at.key(name, value.line);
            let number = value.text().and_then(|text| text.parse::<u32>().ok()).filter(|number| *number > 0);
            match (name.as_str(), number) {
                ("master_key", _) => self.report.ask(
                    &at,
                    "not copied: make an administrator key with gatehouse key create --admin, and a caller key for each \
                     application that used the master key",
                ),
                ("global_max_parallel_requests", Some(number)) => {
                    self.draft.set("limits", "calls", Text::literal(&number.to_string()));
                }
                ("max_request_size_mb", Some(number)) => {
                    self.draft.set("limits", "body", Text::literal(&format!("{}MiB", number.min(1024))));
                }
                (other, _) => self.unmapped(unmapped::GENERAL, other, &at),
            }
        }
    }

    fn attempts(&mut self, value: &Foreign, at: &At) {
        match value.text().and_then(|text| text.parse::<u32>().ok()) {
            Some(number) => {
                if number > ATTEMPTS_MAX {
                    self.report.differs(at, format!("{ATTEMPTS_MAX} attempts are the most"));
                }
                self.draft.set("retry", "attempts", Text::literal(&number.min(ATTEMPTS_MAX).to_string()));
            }
            None => self.report.lost(at, "is no number; write retry.attempts"),
        }
    }

    fn times(&mut self, total: &'a Foreign, at: &At, first: Option<&'a Foreign>) {
        let mut read =
            |value: &'a Foreign| value.text().and_then(|text| self.time(&Param { text, at: at.clone() }));
        let (total, first) = (read(total), first.and_then(&mut read));
        limit_times(self.draft.sections.entry("timeouts").or_default(), total, first);
    }

    /// What a new key is like, as the command that makes one.
    fn key_shape(&mut self, section: &Foreign, at: &At) {
        let text = |name: &str| section.get(name).and_then(Foreign::text);
        let mut command = "gatehouse key create".to_owned();
        if let Some(budget) = text("max_budget") {
            let every = text("budget_duration").unwrap_or_default();
            let period =
                PERIODS.iter().find(|(names, _)| names.contains(&every)).map_or("", |(_, period)| period);
            if period.is_empty() && !every.is_empty() {
                let message =
                    format!("no budget renews every {every}: there are minute, hour, day, week and month");
                self.report.lost(&at.key("budget_duration", at.line), message);
            }
            command.push_str(&format!(" --budget \"{budget} USD{period}\""));
        }
        if let Some(duration) = text("duration") {
            command.push_str(&format!(" --expires {duration}"));
        }
        let models: Vec<&str> = section.get("models").map(Foreign::texts).unwrap_or_default();
        if !models.is_empty() {
            command.push_str(&format!(" --models {}", models.join(",")));
        }
        if let Some(team) = text("team_id") {
            command.push_str(&format!(" --team {team}"));
        }
        self.report.ask(at, format!("keys have no defaults; make each with: {command}"));
        let said = ["max_budget", "budget_duration", "duration", "models", "team_id"];
        for (name, value) in section.members().iter().filter(|(name, _)| !said.contains(&name.as_str())) {
            self.unmapped(unmapped::PARAMS, name, &at.key(name, value.line));
        }
    }
}
