//! Leaves in the words of others: security events, log lines. Nothing of what was said is in any of them.

mod cef;
mod ocsf;
mod otlp;
pub(crate) mod parquet;

use gatehouse_audit::View;

/// How a leaf is written for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The leaf itself, as it was signed.
    Jsonl,
    /// Open Cybersecurity Schema Framework: API Activity with the profile for AI operations.
    Ocsf,
    /// ArcSight's Common Event Format.
    Cef,
    /// Logs of OpenTelemetry, as OTLP in JSON.
    Otlp,
}

/// How grave a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gravity {
    /// As it should be.
    Fine,
    /// Somebody was told no, or left.
    Refused,
    /// Something failed.
    Failed,
}

// === impl Form ===

impl Form {
    /// One line for a leaf, without its end.
    pub(crate) fn line(self, leaf: &[u8], view: &View<'_>) -> String {
        match self {
            Self::Jsonl => String::from_utf8_lossy(leaf).into_owned(),
            Self::Ocsf => ocsf::event(view).to_string(),
            Self::Cef => cef::event(view),
            Self::Otlp => otlp::request(&[otlp::record(leaf, view)]).to_string(),
        }
    }
}

// === impl Gravity ===

impl Gravity {
    fn of(view: &View<'_>) -> Self {
        match &*view.kind {
            "call.failed" | "gap.declared" | "config.refused" | "signin.failed" => Self::Failed,
            "call.denied" | "stream.aborted" => Self::Refused,
            _ => Self::Fine,
        }
    }
}

/// Leaves as one request that a collector of OpenTelemetry takes.
pub(crate) fn requests(leaves: &[(&[u8], View<'_>)]) -> String {
    let records: Vec<_> = leaves.iter().map(|(leaf, view)| otlp::record(leaf, view)).collect();
    otlp::request(&records).to_string()
}

/// `guardrail=decision` of each that looked.
fn guards(view: &View<'_>) -> Vec<String> {
    view.policy.iter().map(|said| format!("{}={}", said.id, said.outcome)).collect()
}

#[cfg(test)]
mod samples {
    //! Leaves, as they are signed.

    /// A call that a guardrail changed.
    pub(super) const SETTLED: &str = r#"{"actor":{"credential":"ghk_7Yt2"},"corr":{"run_id":"run-9","trace_id":"0af7651916cd43dd8448eb211c80319c"},"cost":{"currency":"USD","nano":987654,"price_id":"p","status":"exact"},"id":"019a0000-0000-7000-8000-000000000001","kind":"call.settled","model":{"provider":"openai","requested":"smart","served":"gpt-5.2"},"op":"chat","org":{"app":"help|desk","org":"acme","team":"support","use_case":"triage"},"policy":[{"categories":["words"],"findings":2,"id":"names","outcome":"redact"}],"result":{"finish":"stop","status":200},"seq":7,"shard":"r0","stream":true,"subject":"55555555555555555555555555555555","surface":"openai.chat","tags":{"env":"prod"},"timing":{"queue_us":150,"total_us":1400000,"ttft_us":91200},"ts":"2026-11-22T19:30:01.523456Z","usage":{"in":1200,"in_cached":1000,"out":80,"source":"provider"},"v":1}"#;
    /// One that was stopped.
    pub(super) const DENIED: &str = r#"{"actor":{"credential":"ghk_7Yt2"},"cost":{"currency":"USD","nano":0,"status":"free"},"id":"019a0000-0000-7000-8000-000000000002","kind":"call.denied","model":{"requested":"smart"},"op":"chat","org":{"team":"support"},"policy":[{"id":"injection","outcome":"block"}],"result":{"error":"guard_blocked","status":400},"seq":8,"shard":"r0","stream":false,"surface":"openai.chat","timing":{"queue_us":0,"total_us":900},"ts":"2026-11-22T19:30:02.000000Z","usage":{"source":"none"},"v":1}"#;
    /// Something that is no call.
    pub(super) const EVENT: &str = r#"{"actor":{"credential":"command line"},"event":{"key":"ghk_7Yt2"},"kind":"key.created","seq":9,"shard":"r0","ts":"2026-11-22T19:30:03.000000Z","v":1}"#;
}

#[cfg(test)]
mod tests {
    use super::Form;
    use super::samples::{DENIED, EVENT, SETTLED};
    use gatehouse_audit::View;
    use serde_json::Value;

    #[test]
    fn every_leaf_is_one_line_in_every_form() {
        for form in [Form::Jsonl, Form::Ocsf, Form::Cef, Form::Otlp] {
            for leaf in [SETTLED, DENIED, EVENT] {
                let line = form.line(leaf.as_bytes(), &View::parse(leaf.as_bytes()).unwrap());
                assert!(!line.contains('\n') && !line.is_empty());
                let json = serde_json::from_str::<Value>(&line).is_ok();
                assert_eq!(json, form != Form::Cef, "{line}");
            }
        }
        let leaf = View::parse(SETTLED.as_bytes()).unwrap();
        assert_eq!(Form::Jsonl.line(SETTLED.as_bytes(), &leaf), SETTLED);
    }
}
