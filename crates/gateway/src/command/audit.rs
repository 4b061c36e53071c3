//! `gatehouse audit`: the record, as a list and call by call.

pub(crate) mod erase;
pub(crate) mod export;
mod follow;
pub(crate) mod hold;
mod live;
pub(crate) mod prove;
pub(crate) mod prune;
pub(crate) mod verify;

use crate::cli::{AuditQuery, Place};
use crate::control::{Word, looked, say, viewed};
use crate::data::Data;
use crate::index;
use crate::output;
use crate::records;
use crate::search;
use anyhow::{Context as _, Result};
use gatehouse_audit::{Leaf, rfc3339};
use gatehouse_core::call::CallId;
use gatehouse_store::{After, CallRow, Filter, Index, Page, Shown};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;

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
        Some(text) => searched(&data, &index, &filter, after, wanted.limit, text)?,
        None => index.calls(&filter, after.as_ref(), wanted.limit)?,
    };
    if wanted.json {
        let next = page.next.as_ref().map(|next| next.call.clone());
        output::json(
            &json!({ "calls": page.rows.iter().map(records::row).collect::<Vec<_>>(), "next": next }),
        );
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

/// Calls in which this was said. That texts were read for it is recorded.
fn searched(
    data: &Data,
    index: &Index,
    filter: &Filter,
    after: Option<After>,
    limit: usize,
    text: &str,
) -> Result<Page> {
    let mut keys = |shard: &str| data.subjects(shard).map(Arc::new);
    let found = search::calls(index, filter, after, limit, text, &mut keys, &|| false)?;
    if found.read > 0 && !say(data, &Word::Looked("search".to_owned(), found.read))? {
        data.log()?.append(Leaf::Event(&looked("search", found.read)))?;
    }
    Ok(found.page)
}

/// Which calls are meant.
fn filter(wanted: &AuditQuery) -> Result<Filter> {
    Ok(Filter {
        provider: wanted.provider.clone(),
        ending: wanted.outcome.clone(),
        error: wanted.error.clone(),
        status: wanted.status,
        guard: wanted.guard.clone(),
        tag: wanted.tag.as_deref().map(records::tag).transpose().context("--tag")?,
        cost_min: wanted.cost_over.as_deref().map(records::dollars).transpose().context("--cost-over")?,
        micros_min: wanted
            .slower_than
            .as_deref()
            .map(records::length)
            .transpose()
            .context("--slower-than")?,
        ..hold::account(&wanted.of)?.filter()
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
    output::json(&if json { records::whole(&shown, &content) } else { readable(&shown, content) });
    Ok(ExitCode::SUCCESS)
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

fn readable(shown: &Shown, content: Value) -> Value {
    let mut value = records::parsed(shown.leaf.as_deref().or(shown.admitted.as_deref()));
    if let (Some(members), true) = (value.as_object_mut(), content.is_array()) {
        members.insert("content".to_owned(), content);
    }
    value
}

/// What was said, as far as it can be read. That it was read is written into the book.
fn content(data: &Data, record: &str, shown: &Shown) -> Result<Value> {
    let Some(entry) = shown.entry.as_ref().filter(|entry| !entry.contents.is_empty()) else {
        return Ok(Value::Null);
    };
    let bodies = entry.payloads(&data.subjects(&shown.shard)?).context("the record does not read")?;
    let kept = records::said(&bodies);
    if bodies.iter().any(|body| body.text.is_some()) && !say(data, &Word::Viewed(record.to_owned()))? {
        data.log()?.append(Leaf::Event(&viewed(record)))?;
    }
    Ok(Value::Array(kept))
}
