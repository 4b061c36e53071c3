//! `gatehouse audit`: the record, as a list and call by call.

pub(crate) mod erase;
pub(crate) mod export;
mod follow;
pub(crate) mod hold;
mod live;
pub(crate) mod prove;
pub(crate) mod prune;
mod search;
pub(crate) mod verify;

use crate::cli::{AuditQuery, Place};
use crate::control::{Word, say, viewed};
use crate::data::Data;
use crate::index;
use crate::output;
use crate::when;
use anyhow::{Context as _, Result};
use gatehouse_audit::{Leaf, Standing, rfc3339};
use gatehouse_config::unit::Duration;
use gatehouse_core::call::CallId;
use gatehouse_core::money::Nanodollars;
use gatehouse_store::{After, CallRow, Filter, Shown};
use serde_json::{Value, json};
use std::process::ExitCode;

const HEADING: [&str; 12] =
    ["time", "record", "outcome", "status", "team", "app", "model", "target", "in", "out", "cost", "ms"];

/// Lists calls, newest first.
pub(crate) fn query(wanted: &AuditQuery) -> Result<()> {
    let data = Data::existing(&wanted.place.data)?;
    let filter = filter(wanted)?;
    if wanted.follow {
        return follow::run(&data, &filter, wanted.json);
    }
    let index = index::up_to_date(&data)?;
    let after = wanted.after.as_deref().map(behind).transpose()?;
    let page = match &wanted.text {
        Some(text) => search::calls(&data, &index, &filter, after, wanted.limit, text)?,
        None => index.calls(&filter, after.as_ref(), wanted.limit)?,
    };
    if wanted.json {
        let next = page.next.as_ref().map(|next| next.call.clone());
        output::json(&json!({ "calls": page.rows.iter().map(as_json).collect::<Vec<_>>(), "next": next }));
        return Ok(());
    }
    if page.rows.is_empty() {
        output::note("no such calls");
        return Ok(());
    }
    output::table(&HEADING, &page.rows.iter().map(as_row).collect::<Vec<_>>());
    if let Some(next) = page.next {
        output::note(&format!("more with --after {}", next.call));
    }
    Ok(())
}

/// Which calls are meant.
fn filter(wanted: &AuditQuery) -> Result<Filter> {
    Ok(Filter {
        since: wanted.since.as_deref().map(when::past).transpose()?,
        until: wanted.until.as_deref().map(when::past).transpose()?,
        org: wanted.org.clone(),
        team: wanted.team.clone(),
        app: wanted.app.clone(),
        use_case: wanted.use_case.clone(),
        user: wanted.user.clone(),
        key: wanted.key.clone(),
        run: wanted.run.clone(),
        model: wanted.model.clone(),
        provider: wanted.provider.clone(),
        ending: wanted.outcome.clone(),
        error: wanted.error.clone(),
        status: wanted.status,
        guard: wanted.guard.clone(),
        cost_min: wanted.cost_over.as_deref().map(dollars).transpose()?,
        micros_min: wanted.slower_than.as_deref().map(length).transpose()?,
    })
}

/// Shows one call.
pub(crate) fn show(place: &Place, record: &str, json: bool) -> Result<ExitCode> {
    let data = Data::existing(&place.data)?;
    let call = CallId::parse(record).with_context(|| format!("{record:?} is no record id"))?;
    let Some(shown) = index::up_to_date(&data)?.show(call)? else {
        output::note(&format!("there is no record {record}"));
        return Ok(ExitCode::FAILURE);
    };
    let content = content(&data, record, &shown)?;
    output::json(&if json { whole(&shown, &content) } else { readable(&shown, content) });
    Ok(ExitCode::SUCCESS)
}

fn dollars(text: &str) -> Result<Nanodollars> {
    Nanodollars::parse_dollars(text)
        .with_context(|| format!("--cost-over {text:?}: write an amount such as 0.05"))
}

fn length(text: &str) -> Result<u64> {
    let length = Duration::parse(text);
    length
        .map(when::micros)
        .with_context(|| format!("--slower-than {text:?}: write a duration such as 2s or 500ms"))
}

/// Where the page that ended with this record goes on.
fn behind(record: &str) -> Result<After> {
    CallId::parse(record).with_context(|| format!("--after {record:?} is no record id"))?;
    Ok(After { call: record.to_owned() })
}

fn as_row(row: &CallRow) -> Vec<String> {
    let target =
        if row.provider.is_empty() { String::new() } else { format!("{}/{}", row.provider, row.served) };
    let cost = row.cost.map_or_else(|| "unpriced".to_owned(), |cost| cost.to_string());
    let outcome = if row.error.is_empty() { row.ending.clone() } else { row.error.clone() };
    vec![
        rfc3339(row.at).chars().take(19).collect(),
        row.call.clone(),
        outcome,
        row.status.to_string(),
        row.team.clone(),
        row.app.clone(),
        row.model.clone(),
        target,
        row.input_tokens.to_string(),
        row.output_tokens.to_string(),
        cost,
        (row.total_us / 1_000).to_string(),
    ]
}

fn as_json(row: &CallRow) -> Value {
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
fn whole(shown: &Shown, content: &Value) -> Value {
    json!({
        "record": parsed(shown.leaf.as_deref()), "admitted": parsed(shown.admitted.as_deref()),
        "leaf": shown.leaf, "admitted_leaf": shown.admitted, "shard": shown.shard, "content": content,
    })
}

fn readable(shown: &Shown, content: Value) -> Value {
    let mut value = parsed(shown.leaf.as_deref().or(shown.admitted.as_deref()));
    if let (Some(members), true) = (value.as_object_mut(), content.is_array()) {
        members.insert("content".to_owned(), content);
    }
    value
}

fn parsed(leaf: Option<&str>) -> Value {
    leaf.and_then(|leaf| serde_json::from_str(leaf).ok()).unwrap_or(Value::Null)
}

/// What was said, as far as it can be read. That it was read is written into the book.
fn content(data: &Data, record: &str, shown: &Shown) -> Result<Value> {
    let Some(entry) = shown.entry.as_ref().filter(|entry| !entry.contents.is_empty()) else {
        return Ok(Value::Null);
    };
    let bodies = entry.payloads(&data.subjects(&shown.shard)?).context("the record does not read")?;
    let kept: Vec<Value> = bodies
        .iter()
        .filter(|body| body.standing != Standing::NotKept)
        .map(|body| match (&body.text, body.standing) {
            (Some(text), Standing::Intact) => json!({ "role": body.role, "text": text }),
            (Some(text), _) => json!({ "role": body.role, "text": text, "state": "changed" }),
            (None, Standing::Erased) => json!({ "role": body.role, "state": "erased" }),
            (None, Standing::Pruned) => json!({ "role": body.role, "state": "pruned" }),
            (None, Standing::Changed) => json!({ "role": body.role, "state": "changed" }),
            (None, _) => json!({ "role": body.role, "state": "missing" }),
        })
        .collect();
    if bodies.iter().any(|body| body.text.is_some()) && !say(data, &Word::Viewed(record.to_owned()))? {
        data.log()?.append(Leaf::Event(&viewed(record)))?;
    }
    Ok(Value::Array(kept))
}
