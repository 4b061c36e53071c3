//! Leaves of the log, made into what a sink sends at once.

use super::cursor::Position;
use crate::export::{Form, requests};
use anyhow::{Context as _, Result};
use gatehouse_audit::{View, read};
use std::path::Path;

/// A batch grows no longer than this, but for one leaf.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Some leaves, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// The number of the first.
    pub(super) first: u64,
    /// The number of the last.
    pub(super) last: u64,
    /// How many: what the disk lost is not among them.
    pub(super) leaves: u64,
    /// Each made into the sink's form, for those who send them one by one.
    pub(super) lines: Vec<String>,
    /// All of them, as one body.
    pub(super) body: Vec<u8>,
    /// Where the next batch begins.
    pub(super) next: Position,
}

/// The next leaves below `until`, at most so many; nothing when there are none.
pub(super) fn next(
    dir: &Path,
    from: Position,
    until: u64,
    at_most: usize,
    form: Form,
) -> Result<Option<Batch>> {
    let found = read(dir, from.at, at_most)?;
    let mut batch: Option<Batch> = None;
    let (mut leaves, mut bytes) = (Vec::new(), 0);
    for entry in &found.entries {
        let view = View::parse(&entry.leaf).context("a record does not read")?;
        if view.seq >= until || bytes + entry.leaf.len() > BATCH_BYTES_MAX && !leaves.is_empty() {
            break;
        }
        bytes += entry.leaf.len();
        let next = Position { at: entry.next, next: view.seq + 1 };
        let lines = Vec::new();
        let begun = Batch { first: view.seq, last: view.seq, leaves: 0, lines, body: Vec::new(), next };
        let batch = batch.get_or_insert(begun);
        (batch.last, batch.next, batch.leaves) = (view.seq, next, batch.leaves + 1);
        batch.lines.push(form.line(&entry.leaf, &view));
        leaves.push((entry.leaf.as_slice(), view));
    }
    if let Some(batch) = &mut batch {
        batch.body = match form {
            Form::Otlp => requests(&leaves).into_bytes(),
            Form::Jsonl | Form::Ocsf | Form::Cef => {
                batch.lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect()
            }
        };
    }
    Ok(batch)
}
