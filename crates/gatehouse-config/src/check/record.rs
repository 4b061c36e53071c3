//! The rules of the record.

use super::Report;
use super::limit::duration;
use super::policy::only;
use crate::file::{Config, Content, Durability, OnUnwritable, Record, RecordRule};
use crate::nearest::nearest;
use crate::path::Path;
use crate::unit::Bytes;

/// Less would be full at once.
const SPOOL_BYTES_MIN: Bytes = Bytes(1 << 20);
/// What guardrails may say of a call.
const DECISIONS: [&str; 9] =
    ["allow", "error_open", "observe", "flag", "redact", "mask", "unread", "block", "error_closed"];

/// Checks what is kept, and of whom.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let at = Path::of("record");
    redacts(config, config.record.content, &at, report);
    spool(&config.record, &at, report);
    remote(&config.record, &at, report);
    for (index, rule) in config.record.rules.iter().enumerate() {
        let at = at.key("rules").index(index);
        if rule.content.is_none() && rule.durability.is_none() {
            report.error(&at, "says nothing; write content, durability or both");
        }
        only(config, &rule.only, &at.key("only"), report);
        guard(config, rule, &at, report);
        redacts(config, rule.content.unwrap_or_default(), &at, report);
    }
}

fn spool(record: &Record, at: &Path, report: &mut Report<'_>) {
    let spools = record.on_failure == OnUnwritable::Spool;
    match &record.spool.dir {
        None if spools => report
            .error(&at.key("spool"), "has no dir; write a folder on another disk than the data folder's"),
        Some(dir) if dir.trim().is_empty() => report.error(&at.key("spool").key("dir"), "is empty"),
        Some(_) if !spools => {
            report.warning(&at.key("spool"), "is not used: on_failure is refuse; write on_failure: spool");
        }
        _ => {}
    }
    if record.spool.max < SPOOL_BYTES_MIN {
        report.error(&at.key("spool").key("max"), &format!("is less than {SPOOL_BYTES_MIN}"));
    }
}

fn remote(record: &Record, at: &Path, report: &mut Report<'_>) {
    let mut wanted = record.rules.iter().filter_map(|rule| rule.durability).chain([record.durability]);
    match &record.remote.dir {
        None if wanted.any(|durability| durability == Durability::Remote) => {
            let message =
                "has no dir, and durability is remote; write a folder that is mounted from another machine";
            report.error(&at.key("remote"), message);
        }
        Some(dir) if dir.trim().is_empty() => report.error(&at.key("remote").key("dir"), "is empty"),
        _ => {}
    }
    duration(record.remote.timeout, &at.key("remote").key("timeout"), report);
}

fn redacts(config: &Config, content: Content, at: &Path, report: &mut Report<'_>) {
    if content == Content::Redacted && config.guards.is_empty() {
        let message =
            "there is no guardrail, so nobody would find what to take out; write guards, or content: digest";
        report.error(&at.key("content"), message);
    }
}

fn guard(config: &Config, rule: &RecordRule, at: &Path, report: &mut Report<'_>) {
    let Some(wanted) = &rule.guard else { return };
    let at = at.key("guard");
    let (name, decision) =
        wanted.split_once('=').map_or((wanted.as_str(), None), |(name, said)| (name, Some(said)));
    if !config.guards.iter().any(|guard| guard.name == name) {
        let meant = nearest(name, config.guards.iter().map(|guard| guard.name.as_str()));
        report.unknown(&at, &format!("there is no guardrail {name:?}"), meant);
    }
    if let Some(said) = decision.filter(|said| !DECISIONS.contains(said)) {
        report.unknown(&at, &format!("no guardrail says {said:?}"), nearest(said, DECISIONS));
    }
}
