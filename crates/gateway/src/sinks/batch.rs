//! Leaves of the log, made into what a sink sends at once.

use super::cursor::{Last, Position};
use crate::export::{Form, requests};
use anyhow::{Context as _, Result, bail};
use gatehouse_audit::{Contents, Entry, Reader, View};
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
    /// Each made into the sink's form, for those who send them one by one.
    pub(super) lines: Vec<String>,
    /// All of them, as one body.
    pub(super) body: Vec<u8>,
    /// Where the next batch begins.
    pub(super) next: Position,
}

/// How far a batch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounds {
    /// Below this number, and no more than so many leaves.
    Until(u64, usize),
    /// To this leaf: it was begun before, and comes again as it was.
    Through(u64),
}

/// The next leaves; nothing when there are none.
pub(super) fn next(dir: &Path, from: Position, bounds: Bounds, form: Form) -> Result<Option<Batch>> {
    let mut reader = Reader::open(dir, from.at, Contents::Skip);
    let (mut entries, mut bytes): (Vec<Entry>, usize) = (Vec::new(), 0);
    let mut last = None;
    while let Some(entry) = reader.next()? {
        let seq = View::parse(&entry.leaf).context("a record does not read")?.seq;
        bytes += entry.leaf.len();
        let over = match bounds {
            Bounds::Until(until, at_most) => {
                seq >= until || entries.len() >= at_most || bytes > BATCH_BYTES_MAX && last.is_some()
            }
            Bounds::Through(through) => seq > through,
        };
        if over {
            break;
        }
        last = Some(seq);
        entries.push(entry);
        let end = match bounds {
            Bounds::Until(until, _) => until,
            Bounds::Through(through) => through.saturating_add(1),
        };
        if seq.saturating_add(1) >= end {
            break;
        }
    }
    let (Some(end), Some(last)) = (entries.last(), last) else { return Ok(None) };
    let next = Position { at: end.next, next: last + 1, last: Some(Last::of(end)) };
    let mut leaves = Vec::with_capacity(entries.len());
    for entry in &entries {
        leaves.push((entry.leaf.as_slice(), View::parse(&entry.leaf).context("a record does not read")?));
    }
    let first = leaves.first().map_or(last, |(_, view)| view.seq);
    if first < from.next {
        bail!("where leaf {} should stand, there is leaf {first}", from.next);
    }
    let lines: Vec<String> = leaves.iter().map(|(leaf, view)| form.line(leaf, view)).collect();
    let body = match form {
        Form::Otlp => requests(&leaves).into_bytes(),
        Form::Jsonl | Form::Ocsf | Form::Cef => {
            lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect()
        }
    };
    Ok(Some(Batch { first, last, lines, body, next }))
}
