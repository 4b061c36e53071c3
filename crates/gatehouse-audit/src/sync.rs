//! The thread that makes the log durable, and that gets it going again after an error.
//!
//! Group commit: while one `fdatasync` runs, further leaves are written; the next one covers them all.
//! It runs at once when somebody waits, else a moment after the first leaf, so that even those who do not
//! wait lose no more than that moment to a power cut. A segment whose sync failed is never synced again:
//! the kernel may have dropped its pages and would report success.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::back::Way;
use crate::commit::commit;
use crate::disk::SegmentFile;
use crate::error::LogError;
use crate::event::{Event, EventKind};
use crate::group::Group;
use crate::leaf::{Leaf, now};
use crate::room::Room;
use crate::segment::segment_path;
use crate::shared::{Rest, Shared, State};
use crate::writer::{Failure, Segment, Write, Writer, create_segment};

/// One group commit.
struct Job {
    files: Vec<Arc<dyn SegmentFile>>,
    dir_changed: bool,
    /// Everything below is in `files`, or durable already.
    next_seq: u64,
}

/// What a sync costs does not depend on how much it covers, so calls share one, the more of them the busier
/// the log is: this is the least time from the begin of one sync to that of the next for each leaf that comes
/// in a millisecond. A call that comes after a pause does not wait for it, nor do calls that no other can join,
/// because all that are open wait already.
const PACE_MIN: Duration = Duration::from_micros(250);
const PACE_MAX: Duration = Duration::from_millis(4);

/// When the last sync began, and what it found.
#[derive(Clone, Copy)]
struct Last {
    began: Instant,
    next_seq: u64,
    pace: Duration,
}

/// Works until the log is closed.
pub(crate) fn run(shared: &Shared) {
    let mut state = shared.lock();
    let (mut last, mut way) = (None, None);
    loop {
        state = wait_for_work(shared, state, last);
        if state.writer.dirty {
            last = Some(Last::after(last, state.writer.next_seq));
            let waited_for = std::mem::take(&mut state.urgent);
            state.complete = false;
            let job = take_job(shared, &mut state.writer);
            drop(state);
            let synced = job.run(shared);
            state = shared.lock();
            finish(shared, &mut state.writer, &job, synced);
            if job.dir_changed {
                // Perhaps because a segment has ended.
                shared.compactor.look();
            }
            if waited_for {
                state = make_room(shared, state);
            }
        } else if state.closing {
            give_room_back(&state.writer);
            break;
        } else if state.writer.failure.is_none() && state.writer.has_spooled() {
            bring_back(shared, &mut state.writer, &mut way);
        } else if let Some(failure) = state.writer.failure.clone() {
            way = None;
            let (next_seq, first_seq) = (state.writer.next_seq, state.writer.written_seq());
            // Nothing is added while the log has failed.
            let (tail, uncut) = (state.writer.tail.clone(), state.writer.uncut.clone());
            drop(state);
            let cut = uncut.map_or(Ok(()), |(file, len)| file.set_len(len).and_then(|()| file.sync_data()));
            let opened = cut.and_then(|()| open_after(shared, &failure, next_seq, first_seq, &tail));
            state = shared.lock();
            resume(shared, &mut state.writer, opened);
        }
    }
    drop(state);
    shared.progress.change(crate::progress::Progress::close);
}

/// Some leaves come back from the spool. When all have, and are on the disk, it is emptied.
fn bring_back(shared: &Shared, writer: &mut Writer, way: &mut Option<Way>) {
    let came = match way {
        None => Way::begin(&shared.dir).map(|begun| *way = Some(begun)),
        Some(way) => {
            way.go_on(writer).and_then(|more| if more || writer.dirty { Ok(()) } else { way.end(writer) })
        }
    };
    if let Err(error) = came {
        *way = None;
        if writer.failure.is_none() {
            writer.fail(format!("cannot bring back what is in the spool: {error}").into(), 0..0);
        }
        shared.note_failure(writer);
    }
}

/// Rests until there is something to sync, or a failed log should be tried again, or the log closes.
fn wait_for_work<'a>(
    shared: &'a Shared,
    mut state: MutexGuard<'a, State>,
    last: Option<Last>,
) -> MutexGuard<'a, State> {
    // What is written while we doze until then is not older than it may get.
    let mut flush_at = Some(Instant::now() + shared.flush_after);
    loop {
        let now = Instant::now();
        let failure = state.writer.failure.as_ref();
        let (until, rest) = if state.closing {
            (Some(now), Rest::None)
        } else if state.writer.dirty && state.urgent {
            let soon = last.filter(|_| !state.complete).map_or(now, |last| last.began + last.pace);
            (Some(soon), Rest::Pace)
        } else if state.writer.dirty {
            (Some(*flush_at.get_or_insert(now + shared.flush_after)), Rest::Doze)
        } else if let Some(failure) = failure {
            (Some(failure.retry_at), Rest::Sleep)
        } else if state.writer.has_spooled() {
            (Some(now), Rest::None)
        } else if let Some(soon) = flush_at.filter(|soon| *soon > now) {
            // More may come at once, as it does under load.
            (Some(soon), Rest::Doze)
        } else {
            flush_at = None;
            (None, Rest::Sleep)
        };
        state.rest = rest;
        state = match until {
            Some(until) if until <= now => {
                state.rest = Rest::None;
                return state;
            }
            Some(until) => {
                let woken = shared.wake.wait_timeout(state, until - now);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
            None => shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

fn take_job(shared: &Shared, writer: &mut Writer) -> Job {
    if writer.failure.is_none()
        && let Err(error) = writer.flush()
    {
        writer.failed_to("write", &error);
        shared.note_failure(writer);
    }
    let mut files = std::mem::take(&mut writer.ended);
    // Texts before the leaves that refer to them.
    files.extend(writer.pack.as_ref().map(|pack| pack.file.clone()));
    files.extend(writer.segment.as_ref().map(|segment| segment.file.clone()));
    writer.dirty = false;
    Job { files, dir_changed: std::mem::take(&mut writer.dir_changed), next_seq: writer.written_seq() }
}

fn finish(shared: &Shared, writer: &mut Writer, job: &Job, synced: io::Result<()>) {
    shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
    match synced {
        Ok(()) => {
            shared.progress.change(|progress| progress.advance(job.next_seq));
            if writer.failure.is_none() {
                writer.forget_pause();
            }
        }
        Err(error) => {
            let lost = shared.progress.change(|progress| progress.lose(writer.written_seq()));
            writer.fail(format!("cannot sync: {error}").into(), lost);
            // Nothing in these may be trusted, so nothing is left to be synced.
            writer.ended.clear();
            writer.dirty = false;
            shared.note_failure(writer);
        }
    }
}

/// Sees that the next leaves and texts find room. Where there is none to be had, they are written all the same, or
/// fail.
fn make_room<'a>(shared: &'a Shared, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    let segment_bytes_max = state.writer.segment_bytes_max;
    let short = |file: &Arc<dyn SegmentFile>, room: &Room, offset: u64| {
        room.is_short(offset, segment_bytes_max).then(|| (file.clone(), room.clone()))
    };
    let (segment, pack) = (&state.writer.segment, &state.writer.pack);
    let leaves = segment.as_ref().and_then(|segment| short(&segment.file, &segment.room, segment.offset));
    let texts = pack.as_ref().and_then(|pack| short(&pack.file, &pack.room, pack.offset));
    if leaves.is_none() && texts.is_none() {
        return state;
    }
    drop(state);
    let grow = |(file, room): (Arc<dyn SegmentFile>, Room)| room.grow(&*file, segment_bytes_max);
    let made = leaves.map_or(Ok(()), grow).and_then(|()| texts.map_or(Ok(()), grow));
    state = shared.lock();
    if let Err(error) = made {
        tracing::debug!(%error, "no room ahead in the audit log");
        return state;
    }
    if let Some(segment) = &mut state.writer.segment {
        segment.room.look();
    }
    if let Some(pack) = &mut state.writer.pack {
        pack.room.look();
    }
    // The zeros are on the disk before a call has to wait for them.
    state.writer.dirty = true;
    state.urgent = true;
    state
}

/// A log that is closed ends with its last leaf, and its last text.
fn give_room_back(writer: &Writer) {
    let leaves = writer.segment.as_ref().map(|segment| (&segment.file, segment.offset));
    let texts = writer.pack.as_ref().map(|pack| (&pack.file, pack.offset));
    for (file, offset) in leaves.into_iter().chain(texts) {
        if let Err(error) = file.set_len(offset) {
            tracing::debug!(%error, "the audit log ends in zeros");
        }
    }
}

/// Opens a segment with the leaves from `first_seq` on that were not written before, in `tail`, and one that
/// says what happened, and sees that all is on the disk.
fn open_after(
    shared: &Shared,
    failure: &Failure,
    next_seq: u64,
    first_seq: u64,
    tail: &[u8],
) -> io::Result<Segment> {
    let end = shared.lock().writer.spans.leaves.end(now());
    let mut segment = create_segment(&*shared.disk, &shared.dir, &shared.shard, first_seq, end)?;
    let mut gap = Event::new(EventKind::GapDeclared, now()).field("reason", failure.reason.to_string());
    if !failure.lost.is_empty() {
        gap = gap.field("lost_first", failure.lost.start).field("lost_last", failure.lost.end - 1);
    }
    let refused = shared.counters.refused.swap(0, Ordering::Relaxed);
    gap = gap.field("calls_refused", refused);
    let mut group = Group::of_event(&gap, &shared.shard);
    group.number(next_seq);
    let bytes = [tail, group.bytes()].concat();
    let safe = segment.room.write(&*segment.file, &bytes, segment.offset);
    let safe = safe.and_then(|()| segment.file.sync_data()).and_then(|()| shared.disk.sync_dir(&shared.dir));
    if let Err(error) = safe {
        let _ = std::fs::remove_file(segment_path(&shared.dir, first_seq));
        shared.counters.refused.fetch_add(refused, Ordering::Relaxed);
        return Err(error);
    }
    segment.offset += u64::try_from(bytes.len()).unwrap_or_default();
    Ok(segment)
}

/// Lets leaves in again, those first that were kept.
fn resume(shared: &Shared, writer: &mut Writer, opened: io::Result<Segment>) {
    let segment = match opened {
        Ok(segment) => segment,
        Err(error) => return writer.fail(format!("cannot start a new segment: {error}").into(), 0..0),
    };
    tracing::info!(segment = segment.first_seq, "audit log works again");
    writer.segment = Some(segment);
    writer.next_seq += 1;
    writer.tail.clear();
    writer.tail_leaves = 0;
    writer.uncut = None;
    writer.failure = None;
    shared.failed.store(false, Ordering::Release);
    shared.progress.change(|progress| progress.advance(writer.next_seq));
    let mut kept = std::mem::take(&mut writer.kept).into_iter();
    while let Some(settled) = kept.next() {
        let Ok(commits) = commit(&settled, &shared.subjects) else {
            writer.kept = std::iter::once(settled).chain(kept).collect();
            writer.fail("the keys of subjects cannot be written".into(), 0..0);
            shared.note_failure(writer);
            return;
        };
        let mut group = Group::new(Leaf::Settled(&settled), &shared.shard, &commits);
        if let Err(LogError::Unavailable { .. }) = writer.append(&mut group, Write::Now) {
            writer.kept = std::iter::once(settled).chain(kept).collect();
            shared.note_failure(writer);
            return;
        }
    }
}

// === impl Last ===

impl Last {
    /// A sync begins now.
    fn after(before: Option<Self>, next_seq: u64) -> Self {
        let began = Instant::now();
        let pace = before.map_or(PACE_MIN, |before| {
            let leaves = u32::try_from(next_seq.saturating_sub(before.next_seq)).unwrap_or(u32::MAX);
            let micros = u32::try_from((began - before.began).as_micros()).unwrap_or(u32::MAX).max(1);
            (PACE_MIN * 1_000).saturating_mul(leaves) / micros
        });
        Self { began, next_seq, pace: pace.clamp(PACE_MIN, PACE_MAX) }
    }
}

// === impl Job ===

impl Job {
    fn run(&self, shared: &Shared) -> io::Result<()> {
        // What seals texts before the texts.
        shared.subjects.sync()?;
        // Older segments and the names first: durable means that everything before is durable too.
        self.files.iter().try_for_each(|file| file.sync_data())?;
        if self.dir_changed { shared.disk.sync_dir(&shared.dir) } else { Ok(()) }
    }
}
