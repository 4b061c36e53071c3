//! Records as people and programs see them: the same for the commands and for the API.

use anyhow::{Context as _, Result, bail};
use gatehouse_audit::{Contents, Cursor, Kept, Reader, Standing, Subjects, View, rfc3339};
use gatehouse_config::unit::Duration;
use gatehouse_core::money::Nanodollars;
use gatehouse_store::{CallRow, Dimension, Selection, Shown, UsageRow};
use serde_json::{Map, Value, json};
use std::path::Path;

use crate::when;

/// An amount of US dollars.
pub(crate) fn dollars(text: &str) -> Result<Nanodollars> {
    Nanodollars::parse_dollars(text).with_context(|| format!("{text:?}: write an amount such as 0.05"))
}

/// A length of time in microseconds.
pub(crate) fn length(text: &str) -> Result<u64> {
    let length = Duration::parse(text).map(when::micros);
    length.with_context(|| format!("{text:?}: write a duration such as 2s or 500ms"))
}

/// A tag and its value.
pub(crate) fn tag(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => bail!("{text:?}: write name=value"),
    }
}

/// What to sum by.
pub(crate) fn dimension(word: &str) -> Result<Dimension> {
    Dimension::parse(word).with_context(|| {
        format!(
            "{word:?}: known are org, team, app, use_case, user, key, model, provider, target, operation, \
             outcome, error, day, hour and tag:NAME"
        )
    })
}

/// A call in a list.
pub(crate) fn row(row: &CallRow) -> Value {
    json!({
        "record": row.call, "at": rfc3339(row.at), "outcome": row.ending, "status": row.status, "error": row.error,
        "key": row.key, "org": row.org, "team": row.team, "app": row.app, "use_case": row.use_case,
        "user": row.user, "run": row.run, "model": row.model, "provider": row.provider, "served": row.served,
        "operation": row.operation, "surface": row.surface, "stream": row.stream,
        "input_tokens": row.input_tokens, "cached_tokens": row.cached_tokens,
        "output_tokens": row.output_tokens, "reasoning_tokens": row.reasoning_tokens,
        "usage_source": row.usage_source, "cost_usd": row.cost.map(|cost| cost.to_string()),
        "cost_status": row.cost_status, "total_us": row.total_us, "ttft_us": row.ttft_us, "guards": row.guards,
    })
}

/// Everything, with the leaves as the exact text that is in the log.
pub(crate) fn whole(shown: &Shown, content: &Value) -> Value {
    json!({
        "record": parsed(shown.leaf.as_deref()), "admitted": parsed(shown.admitted.as_deref()),
        "leaf": shown.leaf, "admitted_leaf": shown.admitted, "shard": shown.shard, "content": content,
    })
}

/// A leaf as a document.
pub(crate) fn parsed(leaf: Option<&str>) -> Value {
    leaf.and_then(|leaf| serde_json::from_str(leaf).ok()).unwrap_or(Value::Null)
}

/// What was said, as far as it was kept.
pub(crate) fn said(bodies: &[Kept]) -> Vec<Value> {
    let kept = bodies.iter().filter(|body| body.standing != Standing::NotKept);
    let shown = kept.map(|body| match (&body.text, body.standing) {
        (Some(text), Standing::Intact) => json!({ "role": body.role, "text": text }),
        (Some(text), _) => json!({ "role": body.role, "text": text, "state": "changed" }),
        (None, Standing::Erased) => json!({ "role": body.role, "state": "erased" }),
        (None, Standing::Pruned) => json!({ "role": body.role, "state": "pruned" }),
        (None, Standing::Changed) => json!({ "role": body.role, "state": "changed" }),
        (None, _) => json!({ "role": body.role, "state": "missing" }),
    });
    shown.collect()
}

/// A line of a report.
pub(crate) fn usage_row(names: &[String], row: &UsageRow) -> Value {
    let mut members: Map<String, Value> =
        names.iter().cloned().zip(row.by.iter().map(|value| json!(value))).collect();
    let figures = json!({
        "calls": row.calls, "errors": row.errors, "input_tokens": row.input_tokens,
        "cached_tokens": row.cached_tokens, "output_tokens": row.output_tokens,
        "reasoning_tokens": row.reasoning_tokens, "cost_usd": row.cost.to_string(), "cost_nanodollars": row.cost.0,
        "estimated_calls": row.estimated_calls, "unpriced_calls": row.unpriced_calls,
    });
    members.extend(figures.as_object().cloned().unwrap_or_default());
    Value::Object(members)
}

/// Every leaf of a log that is meant, in order, until `take` does not want more.
pub(crate) fn each(
    log: &Path,
    of: &Selection,
    subjects: &Subjects,
    mut take: impl FnMut(&[u8], Option<&View<'_>>) -> Result<bool>,
) -> Result<()> {
    let mut reader = Reader::open(log, Cursor::default(), Contents::Skip);
    while let Some(entry) = reader.next()? {
        let view = View::parse(&entry.leaf).context("a record does not read")?;
        let meant = of.covers(&view, subjects).then_some(&view);
        if !take(&entry.leaf, meant)? {
            break;
        }
    }
    Ok(())
}

/// What is asked for, as an object.
pub(crate) fn of(named: Vec<(&'static str, String)>) -> Value {
    named.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
}
