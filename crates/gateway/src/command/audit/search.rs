//! `gatehouse audit query --text`: calls in which this was said, among those whose texts are kept and can be opened.

use crate::control::{Word, looked, say};
use crate::data::Data;
use anyhow::{Context as _, Result};
use gatehouse_audit::{Leaf, Subjects};
use gatehouse_core::call::CallId;
use gatehouse_store::{After, CallRow, Filter, Index, Page};
use std::collections::HashMap;

/// Calls that are asked for at once.
const PAGE_ROWS: usize = 500;

/// The next calls, newest first, in whose request or answer `text` stands, in capitals or not. That texts were read for
/// it is recorded.
pub(super) fn calls(
    data: &Data,
    index: &Index,
    filter: &Filter,
    after: Option<After>,
    limit: usize,
    text: &str,
) -> Result<Page> {
    let wanted = text.to_lowercase();
    let mut subjects = HashMap::new();
    let (mut found, mut read, mut next) = (Vec::new(), 0, after);
    'pages: loop {
        let page = index.calls(filter, next.as_ref(), PAGE_ROWS)?;
        for row in page.rows {
            let texts = texts(data, index, &row, &mut subjects)?;
            read += u64::from(!texts.is_empty());
            next = Some(After { call: row.call.clone() });
            if texts.iter().any(|text| text.to_lowercase().contains(&wanted)) {
                found.push(row);
            }
            if found.len() == limit {
                break 'pages;
            }
        }
        if page.next.is_none() {
            next = None;
            break;
        }
    }
    if read > 0 && !say(data, &Word::Looked("search".to_owned(), read))? {
        data.log()?.append(Leaf::Event(&looked("search", read)))?;
    }
    Ok(Page { rows: found, next })
}

/// What was said in a call, as far as it can be read.
fn texts(
    data: &Data,
    index: &Index,
    row: &CallRow,
    subjects: &mut HashMap<String, Subjects>,
) -> Result<Vec<String>> {
    let call = CallId::parse(&row.call).context("the index has a call without an id")?;
    let Some(shown) = index.show(call)? else { return Ok(Vec::new()) };
    let Some(entry) = shown.entry.filter(|entry| !entry.contents.is_empty()) else { return Ok(Vec::new()) };
    let of_shard = match subjects.get(&shown.shard) {
        Some(known) => known,
        None => subjects.entry(shown.shard.clone()).or_insert(data.subjects(&shown.shard)?),
    };
    let bodies = entry.payloads(of_shard).context("a record does not read")?;
    Ok(bodies.into_iter().filter_map(|body| body.text).collect())
}
