//! Calls in which something was said, among those whose texts are kept and can be opened.

use anyhow::{Context as _, Result};
use gatehouse_audit::Subjects;
use gatehouse_core::call::CallId;
use gatehouse_store::{After, CallRow, Filter, Index, Page};
use std::collections::HashMap;
use std::sync::Arc;

/// Calls that are asked for at once.
const PAGE_ROWS: usize = 500;

/// Where the keys of a shard's subjects are.
pub(crate) type Keys<'a> = &'a mut dyn FnMut(&str) -> Result<Arc<Subjects>>;

/// What was found.
pub(crate) struct Searched {
    /// The calls, and where the search goes on.
    pub(crate) page: Page,
    /// In how many calls texts were read; whoever searches records it.
    pub(crate) read: u64,
    /// Whether it was stopped before anything was looked at.
    pub(crate) is_stopped: bool,
}

/// The next calls, newest first, in whose request or answer `text` stands, in capitals or not. When `is_over` says so, it
/// ends where it is.
pub(crate) fn calls(
    index: &Index,
    filter: &Filter,
    after: Option<After>,
    limit: usize,
    text: &str,
    keys: Keys<'_>,
    is_over: &dyn Fn() -> bool,
) -> Result<Searched> {
    let wanted = text.to_lowercase();
    let mut subjects = HashMap::new();
    let (mut found, mut read, mut next) = (Vec::new(), 0, after);
    let (mut looked_at, mut is_stopped) = (0_u64, false);
    'pages: loop {
        let page = match index.calls(filter, next.as_ref(), PAGE_ROWS) {
            Err(error) if error.is_given_up() => {
                is_stopped = looked_at == 0;
                break;
            }
            page => page?,
        };
        for row in page.rows {
            if is_over() {
                is_stopped = looked_at == 0;
                break 'pages;
            }
            let texts = texts(index, &row, &mut subjects, keys)?;
            looked_at += 1;
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
    Ok(Searched { page: Page { rows: found, next }, read, is_stopped })
}

/// What was said in a call, as far as it can be read.
fn texts(
    index: &Index,
    row: &CallRow,
    subjects: &mut HashMap<String, Arc<Subjects>>,
    keys: Keys<'_>,
) -> Result<Vec<String>> {
    let call = CallId::parse(&row.call).context("the index has a call without an id")?;
    let Some(shown) = index.show(call)? else { return Ok(Vec::new()) };
    let Some(entry) = shown.entry.filter(|entry| !entry.contents.is_empty()) else { return Ok(Vec::new()) };
    let of_shard = match subjects.get(&shown.shard) {
        Some(known) => known,
        None => subjects.entry(shown.shard.clone()).or_insert(keys(&shown.shard)?),
    };
    let bodies = entry.payloads(of_shard).context("a record does not read")?;
    Ok(bodies.into_iter().filter_map(|body| body.text).collect())
}
