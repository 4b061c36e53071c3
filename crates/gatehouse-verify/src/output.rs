//! What was found, for people and for programs.

use crate::receipt::Worth;
use gatehouse_proof::report::{Finding, Report, Verdict};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Numbers of leaves that are told one by one.
const TOLD_MAX: usize = 10;

/// The verdict over several logs: the worst.
#[must_use]
pub fn verdict(reports: &[Report], strict: bool) -> Verdict {
    reports.iter().map(|report| of(report, strict)).max().unwrap_or(Verdict::Unverifiable)
}

/// The verdict over one. Who is strict does not accept declared gaps and calls without an end either.
fn of(report: &Report, strict: bool) -> Verdict {
    let open = strict && !(report.gaps.is_empty() && report.unfinished.is_empty());
    report.verdict().max(if open { Verdict::Incomplete } else { Verdict::Verified })
}

/// All that was found, as JSON.
#[must_use]
pub fn json(reports: &[Report], strict: bool) -> Value {
    let logs: Vec<Value> = reports
        .iter()
        .map(|report| {
            json!({
                "origin": report.origin, "verdict": of(report, strict).as_str(), "size": report.size,
                "root": report.root.map(|root| root.to_base64()), "newest_us": report.newest,
                "checkpoints": report.checkpoints.iter().map(|(name, size)| json!({"name": name, "size": size})).collect::<Vec<_>>(),
                "witnesses": report.witnesses.iter().map(|one| json!({"name": one.name, "size": one.size, "at": one.at})).collect::<Vec<_>>(),
                "stamps": report.stamps.iter().map(|one| json!({"name": one.name, "size": one.size, "at": one.at})).collect::<Vec<_>>(),
                "findings": report.findings.iter().map(finding).collect::<Vec<_>>(), "more_findings": report.more,
                "unfinished": report.unfinished, "gaps": report.gaps, "not_checked": report.unchecked,
            })
        })
        .collect();
    json!({ "verdict": verdict(reports, strict).as_str(), "logs": logs })
}

fn finding(found: &Finding) -> Value {
    json!({
        "verdict": found.verdict.as_str(), "index": found.index, "file": found.file, "says": found.says,
        "expected": found.expected.map(|hash| hash.to_string()), "found": found.found.map(|hash| hash.to_string()),
    })
}

/// All that was found, as lines.
#[must_use]
pub fn text(reports: &[Report], strict: bool) -> String {
    let mut out = String::new();
    for report in reports {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{}: {}", report.origin, of(report, strict));
        let root = report.root.map(|root| root.to_base64()).unwrap_or_default();
        let _ = writeln!(out, "  {} leaves, root {root}", report.size);
        if let Some(newest) = report.newest {
            let _ = writeln!(out, "  newest leaf written at {} (Unix seconds)", newest / 1_000_000);
        }
        // The newest last.
        let more = report.checkpoints.len().saturating_sub(TOLD_MAX);
        if more > 0 {
            let _ = writeln!(out, "  fit: {more} checkpoints, and");
        }
        for (name, size) in report.checkpoints.iter().skip(more) {
            let _ = writeln!(out, "  fits: {name}, {size} leaves");
        }
        for one in &report.witnesses {
            let (name, size, at) = (&one.name, one.size, one.at);
            let _ = writeln!(out, "  witness {name} vouches for {size} leaves, last at {at} (Unix seconds)");
        }
        if let Some(newest) = report.stamps.iter().max_by_key(|one| one.size) {
            let (count, size, at) = (report.stamps.len(), newest.size, newest.at);
            let _ =
                writeln!(out, "  {count} time stamps, the newest of {size} leaves at {at} (Unix seconds)");
        }
        for found in &report.findings {
            let word = if found.verdict == Verdict::Verified { "notice" } else { found.verdict.as_str() };
            let _ = writeln!(out, "  {word}: {}", found.says);
            if let (Some(expected), Some(found)) = (found.expected, found.found) {
                let _ = writeln!(out, "    expected {expected}\n    found    {found}");
            }
        }
        if report.more > 0 {
            let _ = writeln!(out, "  and {} findings more", report.more);
        }
        told(&mut out, "calls without an end, from leaf", &report.unfinished);
        told(&mut out, "gaps that the log declares, at leaf", &report.gaps);
        for what in &report.unchecked {
            let _ = writeln!(out, "  not checked: {what}");
        }
    }
    let _ = writeln!(out, "{}", verdict(reports, strict));
    out
}

fn told(out: &mut String, what: &str, places: &[u64]) {
    if places.is_empty() {
        return;
    }
    let first: Vec<String> = places.iter().take(TOLD_MAX).map(ToString::to_string).collect();
    let more = if places.len() > TOLD_MAX { ", …" } else { "" };
    let _ = writeln!(out, "  {} {what} {}{more}", places.len(), first.join(", "));
}

/// What a proof is worth, as JSON.
#[must_use]
pub fn proof_json(worth: &Worth) -> Value {
    json!({
        "verdict": worth.verdict.as_str(), "says": worth.says, "index": worth.index, "witnessed": worth.witnessed,
        "origin": worth.checkpoint.as_ref().map(|known| &known.origin),
        "size": worth.checkpoint.as_ref().map(|known| known.size),
        "leaf": worth.leaf.as_deref().map(|leaf| serde_json::from_str::<Value>(leaf).unwrap_or_else(|_| leaf.into())),
    })
}

/// What a proof is worth, as lines.
#[must_use]
pub fn proof_text(worth: &Worth) -> String {
    let mut out = format!("{}\n", worth.says);
    if let Some(leaf) = &worth.leaf {
        let _ = writeln!(out, "{leaf}");
    }
    if worth.witnessed.is_none() {
        let _ = writeln!(out, "not checked: no witness vouches for the log");
    }
    let _ = writeln!(out, "{}", worth.verdict);
    out
}
