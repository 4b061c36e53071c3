//! The end of the log: which calls have ended since one looked.

use anyhow::Result;
use gatehouse_audit::{Cursor, Entry, Part, View, read, shard_dir, shards};
use gatehouse_core::call::CallId;
use gatehouse_store::BATCH_LEAVES_MAX;
use std::collections::HashMap;
use std::path::Path;

/// The calls that have ended since, at most one batch of each shard.
pub(crate) fn ended(data: &Path, cursors: &mut HashMap<String, Cursor>) -> Result<Vec<CallId>> {
    let mut ended = Vec::new();
    for shard in shards(data)? {
        let cursor = cursors.entry(shard.clone()).or_default();
        let batch = read(&shard_dir(data, &shard), *cursor, BATCH_LEAVES_MAX)?;
        *cursor = batch.next;
        ended.extend(batch.entries.iter().filter_map(ending));
    }
    Ok(ended)
}

fn ending(entry: &Entry) -> Option<CallId> {
    let view = View::parse(&entry.leaf).ok().filter(|view| view.part() == Part::Ending)?;
    CallId::parse(&view.id)
}
