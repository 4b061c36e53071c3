//! `gatehouse audit query --follow`: calls as they end.
//!
//! Calls are told in the order in which they ended, which is that of the log and not that of their ids.

use super::{HEADING, as_json, as_row};
use crate::data::Data;
use crate::index;
use crate::output;
use anyhow::Result;
use gatehouse_audit::{Cursor, Entry, Part, View, read, shard_dir, shards};
use gatehouse_core::call::CallId;
use gatehouse_store::{BATCH_LEAVES_MAX, Filter};
use std::collections::HashMap;
use std::time::Duration;

/// How long between two looks: a file that another process writes tells nobody.
const LOOK: Duration = Duration::from_millis(250);

/// Prints the calls that `filter` means, from now on.
pub(super) fn run(data: &Data, filter: &Filter, json: bool) -> Result<()> {
    let index = index::up_to_date(data)?;
    let mut cursors: HashMap<String, Cursor> = index.cursors()?.into_iter().collect();
    output::note("calls that end from now on; Ctrl-C ends this");
    if !json {
        output::line(&HEADING.join("  "));
    }
    loop {
        let ended = ended(data, &mut cursors)?;
        if ended.is_empty() {
            std::thread::sleep(LOOK);
            continue;
        }
        for row in index::up_to_date(data)?.among(&ended, filter)? {
            let text = if json { as_json(&row).to_string() } else { as_row(&row).join("  ") };
            output::line(&text);
        }
    }
}

/// The calls that have ended since, at most one batch of each shard.
fn ended(data: &Data, cursors: &mut HashMap<String, Cursor>) -> Result<Vec<CallId>> {
    let mut ended = Vec::new();
    for shard in shards(data.dir())? {
        let cursor = cursors.entry(shard.clone()).or_default();
        let batch = read(&shard_dir(data.dir(), &shard), *cursor, BATCH_LEAVES_MAX)?;
        *cursor = batch.next;
        ended.extend(batch.entries.iter().filter_map(ending));
    }
    Ok(ended)
}

fn ending(entry: &Entry) -> Option<CallId> {
    let view = View::parse(&entry.leaf).ok().filter(|view| view.part() == Part::Ending)?;
    CallId::parse(&view.id)
}
