//! What callers name and what may pass: models, guardrails, teams.

use super::Report;
use super::provider::is_name;
use crate::account::{Slip, slip};
use crate::file::{Config, Guard, Only};
use crate::nearest::nearest;
use crate::path::Path;
use std::collections::BTreeSet;

/// Checks the models.
pub(super) fn models(config: &Config, report: &mut Report<'_>) {
    let providers_unknown = report.is_unreadable(&Path::of("providers"));
    for (name, model) in config.models.iter() {
        let at = Path::of("models").key(name);
        if name.is_empty() || name.len() > 200 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            report.error(&at, "a model's name has no spaces and no other characters than ASCII's");
        }
        let targets = at.key("targets");
        if model.targets.is_empty() {
            report.error(&targets, "is missing; name who serves it: [provider/model, …]");
        }
        let mut before = BTreeSet::new();
        for (index, target) in model.targets.iter().enumerate() {
            let at = targets.index(index);
            match target.split_once('/') {
                Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                    if config.providers.get(provider).is_none() && !providers_unknown {
                        let meant = nearest(provider, config.providers.iter().map(|(name, _)| name));
                        report.unknown(&at, &format!("there is no provider {provider:?}"), meant);
                    }
                }
                _ => report.error(&at, &format!("{target:?} is no target; write provider/model")),
            }
            if !before.insert(target) {
                report.warning(&at, "stands here twice; the second one adds nothing");
            }
        }
    }
}

/// Checks the guardrails.
pub(super) fn guards(config: &Config, report: &mut Report<'_>) {
    let mut names = BTreeSet::new();
    for (index, guard) in config.guards.iter().enumerate() {
        let at = Path::of("guards").index(index);
        if !is_name(&guard.name) {
            report.error(
                &at.key("name"),
                "a guardrail's name has letters, digits, \"-\", \"_\" and \".\" only",
            );
        }
        if !names.insert(guard.name.as_str()) {
            report.error(&at.key("name"), &format!("there is another guardrail {:?}", guard.name));
        }
        words(guard, &at, report);
        if guard.at.is_empty() {
            report.error(
                &at.key("at"),
                "is empty: the guardrail would see nothing; name what it looks at, such as [input]",
            );
        }
        only(config, &guard.only, &at.key("only"), report);
    }
}

fn words(guard: &Guard, at: &Path, report: &mut Report<'_>) {
    let at = at.key("words");
    if guard.words.is_empty() {
        report.error(&at, "is empty; write the words to look for");
    }
    for (index, word) in guard.words.iter().enumerate() {
        if word.trim().is_empty() {
            report.error(&at.index(index), "is an empty word");
        }
    }
}

pub(super) fn only(config: &Config, only: &Only, at: &Path, report: &mut Report<'_>) {
    if let Some(Slip { member, message, meant }) = slip(&config.teams, only) {
        report.unknown(&at.key(member), &message, meant);
    }
}

/// Checks the teams.
pub(super) fn teams(config: &Config, report: &mut Report<'_>) {
    for (name, team) in &config.teams {
        let at = Path::of("teams").key(name);
        account(name, &at, report);
        for (app, content) in &team.apps {
            let at = at.key("apps").key(app);
            account(app, &at, report);
            for (index, use_case) in content.use_cases.iter().enumerate() {
                account(use_case, &at.key("use_cases").index(index), report);
            }
        }
        for (index, model) in team.models.iter().enumerate() {
            team_model(config, model, &at.key("models").index(index), report);
        }
    }
}

/// The name of an account stands in headers, records and tables.
fn account(name: &str, at: &Path, report: &mut Report<'_>) {
    if name.trim().is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
        report.error(at, "a name has 1 to 200 characters and no control characters");
    }
}

fn team_model(config: &Config, model: &str, at: &Path, report: &mut Report<'_>) {
    if config.models.get(model).is_some() {
        return;
    }
    match model.split_once('/') {
        Some((provider, _)) if config.providers.get(provider).is_none() => {
            let meant = nearest(provider, config.providers.iter().map(|(name, _)| name));
            report.unknown(at, &format!("there is no provider {provider:?}"), meant);
        }
        Some(_) => {}
        None => match nearest(model, config.models.iter().map(|(name, _)| name)) {
            // So near to a configured name that it is hardly a provider's own.
            Some(meant) => report.unknown(at, &format!("there is no model {model:?}"), Some(meant)),
            None => report.warning(
                at,
                "is none of the models here; only a provider that has one of this name would serve it",
            ),
        },
    }
}
