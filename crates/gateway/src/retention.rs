//! Giving up what its time is over for, while the gateway runs and by command.

use crate::data::Data;
use crate::sinks;
use anyhow::{Context as _, Result};
use gatehouse_audit::tree::{CHECKPOINT, Sealing, TREE_DIR};
use gatehouse_audit::{
    ContentsDue, DEFAULT_SHARD, Event, EventKind, Held, Leaf, Log, RecordsDue, Spans, View, contents_due,
    records_due, rfc3339, shard_dir,
};
use gatehouse_config::file::Retention;
use gatehouse_core::record::UnixMicros;
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_server::clock::unix_micros;
use gatehouse_server::house::House;
use gatehouse_store::{Hold, Index, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often is looked, unless things are kept for a shorter time.
const LOOK_MAX: Duration = Duration::from_secs(3600);

/// What is to go now.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// Texts, and before which moment they were said.
    pub(crate) contents: Option<(ContentsDue, UnixMicros)>,
    /// Records, and before which moment they were made.
    pub(crate) records: Option<(RecordsDue, UnixMicros)>,
}

/// How long a time one file of the log holds.
pub(crate) fn spans(kept: &Retention) -> Spans {
    Spans::of(kept.texts().map(|time| time.0), kept.records.map(|time| time.0))
}

/// Finds what is to go.
pub(crate) fn due(data: &Data, log: &Path, kept: &Retention) -> Result<Due> {
    let holds = in_force(Store::open(data.dir())?.holds()?);
    let subjects = data.subjects(DEFAULT_SHARD)?;
    let is_held = |leaf: &View<'_>| holds.iter().any(|hold| hold.selection.covers(leaf, &subjects));
    let held: Option<Held<'_>> = if holds.is_empty() { None } else { Some(&is_held) };
    let before =
        |kept: Duration| unix_micros().saturating_sub(u64::try_from(kept.as_micros()).unwrap_or(u64::MAX));
    let mut due = Due::default();
    if let Some(kept) = kept.texts() {
        let before = before(kept.0);
        let found = contents_due(log, before, held).context("what was said cannot be looked through")?;
        due.contents = Some((found, before));
    }
    if let Some(kept) = kept.records {
        let before = before(kept.0);
        let found = records_due(log, before, settled_below(data)?, held);
        due.records = Some((found.context("the records cannot be looked through")?, before));
    }
    Ok(due)
}

/// Leaves that are signed, that the index has taken in, and that all sinks have.
fn settled_below(data: &Data) -> Result<u64> {
    let log = shard_dir(data.dir(), DEFAULT_SHARD);
    let signed = std::fs::read(log.join(TREE_DIR).join(CHECKPOINT))
        .ok()
        .and_then(|text| Checkpoint::read(&text).ok())
        .map_or(0, |(_, checkpoint)| checkpoint.size);
    let cursors = Index::open(data.dir())?.cursors()?;
    let indexed = cursors.iter().find(|(shard, _)| shard == DEFAULT_SHARD).map_or(0, |(_, at)| at.segment);
    // Nor what a sink has not got yet.
    let sent = sinks::held_from(data.dir())?.unwrap_or(u64::MAX);
    Ok(signed.min(indexed).min(sent))
}

/// Holds that were not released.
pub(crate) fn in_force(holds: Vec<Hold>) -> Vec<Hold> {
    holds.into_iter().filter(|hold| hold.released_at.is_none()).collect()
}

/// Gives up what is to go: first the log says so, signed, and then it is done.
pub(crate) async fn carry_out(log: &Log, sealing: &Sealing, due: &Due) -> Result<()> {
    if let Some((contents, before)) = due.contents.as_ref().filter(|(contents, _)| !contents.is_empty()) {
        let event = pruned("content", *before).field("until", contents.until()).field("held", contents.held);
        record(log, sealing, &event).await?;
        contents.carry_out(log.dir()).context("what was said cannot be given up")?;
        tracing::info!(before = rfc3339(*before), held = contents.held, "what was said was given up");
    }
    if let Some((records, before)) = due.records.as_ref().filter(|(records, _)| !records.is_empty()) {
        let last = records.until.saturating_sub(1);
        // All that is gone: the leaf that told of those before goes one day, too.
        let event = pruned("records", *before).field("first", 0).field("last", last);
        record(log, sealing, &event).await?;
        records.carry_out(log.dir()).context("records cannot be given up")?;
        tracing::info!(before = rfc3339(*before), first = records.first, last, "records were given up");
    }
    Ok(())
}

fn pruned(class: &'static str, before: UnixMicros) -> Event {
    let event = Event::new(EventKind::RetentionPruned, unix_micros());
    event.field("class", class).field("before", rfc3339(before))
}

async fn record(log: &Log, sealing: &Sealing, event: &Event) -> Result<()> {
    let ticket = log.append(Leaf::Event(event))?;
    log.durable(ticket).await?;
    Ok(sealing.seal(log)?)
}

/// Looks now and then, and when it is told to, until it is ended.
pub(crate) async fn watch(house: Arc<House>, sealing: Sealing, data: Data, now: Arc<Notify>) {
    loop {
        let kept = house.snapshot.load().retention.clone();
        let shortest = kept.texts().into_iter().chain(kept.records).map(|time| time.0 / 10).min();
        let mirror = house.mirror.get().map(|mirror| mirror.dir().to_owned());
        if let Err(error) = look(&house.log, &sealing, &data, mirror, kept).await {
            tracing::error!(error = format!("{error:#}"), "what its time is over for could not be given up");
        }
        let pause = shortest.unwrap_or(LOOK_MAX).clamp(Duration::from_secs(1), LOOK_MAX);
        let _ = tokio::time::timeout(pause, now.notified()).await;
    }
}

async fn look(
    log: &Log,
    sealing: &Sealing,
    data: &Data,
    mirror: Option<PathBuf>,
    kept: Retention,
) -> Result<()> {
    log.set_spans(spans(&kept));
    if kept == Retention::default() {
        return Ok(());
    }
    if let Some(texts) = kept.texts() {
        let kept = u64::try_from(texts.0.as_micros()).unwrap_or(u64::MAX);
        log.end_packs(unix_micros().saturating_sub(kept));
    }
    let (dir, data) = (log.dir().to_owned(), data.clone());
    let find = move |dir: PathBuf| {
        let (data, kept) = (data.clone(), kept.clone());
        tokio::task::spawn_blocking(move || due(&data, &dir, &kept))
    };
    carry_out(log, sealing, &find(dir).await??).await?;
    // What the log has given up by now goes from its second place, too.
    let Some(dir) = mirror else { return Ok(()) };
    let Due { contents, records } = find(dir.clone()).await??;
    tokio::task::spawn_blocking(move || {
        contents.map_or(Ok(()), |(contents, _)| contents.carry_out(&dir))?;
        records.map_or(Ok(()), |(records, _)| records.carry_out(&dir))
    })
    .await?
    .context("the second place of the log cannot give up what it has to")
}
