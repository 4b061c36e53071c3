//! The end of the log where leaves are added: everything that happens under the log's one lock.
//!
//! A leaf gets its number and is handed to the kernel by one `write`, so that the death
//! of the process afterwards loses nothing. A leaf that somebody will wait for before he says anything may be
//! written with the next one, at the latest by the sync he waits for. The first error seals the segment: it is
//! never written again, and the log has failed until the thread in `sync` has opened another segment, which
//! begins with the leaves that were still to be written.

use gatehouse_core::record::{Settled, UnixMicros};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::disk::{Disk, SegmentFile};
use crate::error::LogError;
use crate::group::Group;
use crate::pack::{self, Pack};
use crate::reader::Cursor;
use crate::room::Room;
use crate::segment::{failed_marker, header, segment_path};
use crate::span::Spans;
use crate::spool::Spool;

/// The first pause before a failed log tries a new segment.
pub(crate) const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Leaves that wait for the next write are written when they are more than this.
const TAIL_BYTES_MAX: usize = 64 * 1024;
/// A pack grows to so many times the size of a segment.
const SEGMENTS_OF_A_PACK: u64 = 16;

/// When a leaf has to be with the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// At once.
    Now,
    /// With the next write, or the next sync: whoever appends it waits for that.
    Soon,
}

/// The number in the ticket of a leaf that is in the spool, and on that disk.
pub(crate) const SPOOLED: u64 = u64::MAX;

/// A leaf that is in the log: its number, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The number of the leaf in its shard.
    pub seq: u64,
    /// Where the leaf, with its contents, stands.
    pub at: Cursor,
}

/// What the lock guards.
pub(crate) struct Writer {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) shard: Arc<str>,
    pub(crate) segment_bytes_max: u64,
    pub(crate) spans: Spans,
    pub(crate) next_seq: u64,
    /// The last leaves, as they will stand in the log, that are not with the kernel yet; and how many.
    pub(crate) tail: Vec<u8>,
    pub(crate) tail_leaves: u64,
    /// Where leaves go; none while the log has failed.
    pub(crate) segment: Option<Segment>,
    /// Where texts go; none before the first.
    pub(crate) pack: Option<Pack>,
    /// Ended packs and segments that hold what nobody has synced yet.
    pub(crate) ended: Vec<Arc<dyn SegmentFile>>,
    /// Whether a new segment's name may not be on the disk yet.
    pub(crate) dir_changed: bool,
    /// Whether there is anything to sync.
    pub(crate) dirty: bool,
    pub(crate) failure: Option<Failure>,
    /// A sealed segment that may end in leaves of which nobody was told, and which are still to be written: it
    /// has to be cut, on the disk, or they would stand in the log twice.
    pub(crate) uncut: Option<(Arc<dyn SegmentFile>, u64)>,
    /// How long to wait before the next attempt; grows while attempts fail.
    pub(crate) pause: Duration,
    /// Where leaves go while the log cannot be written, if there is such a place.
    pub(crate) spool: Option<Spool>,
    /// Ends of calls that met a failed log. Bounded by the permits: one for each call in flight.
    pub(crate) kept: Vec<Settled>,
}

/// The segment that is written.
pub(crate) struct Segment {
    pub(crate) file: Arc<dyn SegmentFile>,
    pub(crate) first_seq: u64,
    /// The end of its period.
    pub(crate) end: UnixMicros,
    /// Where the next group goes.
    pub(crate) offset: u64,
    pub(crate) room: Room,
}

/// Why and since when the log cannot be written.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Arc<str>,
    pub(crate) retry_at: Instant,
    /// Leaves that may not have reached the disk.
    pub(crate) lost: Range<u64>,
}

// === impl Writer ===

impl Writer {
    /// Whether leaves wait in the spool to come back.
    pub(crate) fn has_spooled(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| spool.leaves() > 0)
    }

    /// Where leaves go that the log cannot take. An error when there is no such place, or it takes nothing either.
    pub(crate) fn spool(&mut self, group: &Group) -> io::Result<Ticket> {
        let spool = self.spool.as_mut().ok_or(io::ErrorKind::NotFound)?;
        spool.push(group).inspect_err(|error| tracing::error!(%error, "the spool takes no record"))?;
        Ok(Ticket { seq: SPOOLED, at: Cursor::default() })
    }

    /// Adds a group. An error leaves the log failed, and the number unused.
    pub(crate) fn append(&mut self, group: &mut Group, mut when: Write) -> Result<Ticket, LogError> {
        if let Some(failure) = &self.failure {
            return Err(LogError::Unavailable { reason: failure.reason.clone() });
        }
        let full = |segment: &Segment| {
            segment.offset >= self.segment_bytes_max || self.spans.leaves.is_over(segment.end, group.at())
        };
        if self.segment.as_ref().is_none_or(full) {
            self.flush().map_err(|error| self.failed_to("write", &error))?;
            self.rotate(group.at()).map_err(|error| self.failed_to("start a new segment", &error))?;
        }
        // A leaf whose texts are with the kernel follows them at once: what waits for a later write has none.
        if let Some(texts) = group.texts() {
            let (pack, offset) = self
                .keep(texts, group.at())
                .map_err(|error| self.failed_to("write what was said", &error))?;
            group.placed(pack, offset);
            when = Write::Now;
        }
        group.number(self.next_seq);
        let at = self.add(group.bytes(), when).map_err(|error| self.failed_to("write", &error))?;
        let seq = self.next_seq;
        self.next_seq += 1;
        self.dirty = true;
        Ok(Ticket { seq, at })
    }

    /// Nothing is added any more to a pack whose period ended at this moment, or earlier.
    pub(crate) fn end_pack(&mut self, before: UnixMicros) {
        if let Some(ended) = self.pack.take_if(|pack| pack.end <= before) {
            self.ended.push(ended.file);
            self.dirty = true;
        }
    }

    /// Writes texts into the pack of their period: gives its number, and where they begin.
    fn keep(&mut self, texts: &[u8], at: UnixMicros) -> io::Result<(u64, u64)> {
        let full = |pack: &Pack| {
            pack.offset >= self.segment_bytes_max.saturating_mul(SEGMENTS_OF_A_PACK)
                || self.spans.texts.is_over(pack.end, at)
        };
        if self.pack.as_ref().is_none_or(full) {
            let next = pack::create(&*self.disk, &self.dir, self.next_seq, self.spans.texts.end(at))?;
            self.ended.extend(self.pack.replace(next).map(|ended| ended.file));
            self.dir_changed = true;
            self.dirty = true;
        }
        let pack = self.pack.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let offset = pack.offset;
        pack.room.write(&*pack.file, texts, offset)?;
        pack.offset += u64::try_from(texts.len()).unwrap_or_default();
        Ok((pack.number, offset))
    }

    fn add(&mut self, group: &[u8], when: Write) -> io::Result<Cursor> {
        let waiting = self.tail.len();
        let segment = self.segment.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let offset = segment.offset + u64::try_from(waiting).unwrap_or_default();
        let at = Cursor { segment: segment.first_seq, offset };
        if when == Write::Soon && waiting + group.len() <= TAIL_BYTES_MAX {
            self.tail.extend_from_slice(group);
            self.tail_leaves += 1;
        } else if waiting == 0 {
            self.write(group)?;
        } else {
            self.tail.extend_from_slice(group);
            let flushed = self.flush();
            if flushed.is_err() {
                self.tail.truncate(waiting);
            }
            self.tail.shrink_to(TAIL_BYTES_MAX);
            flushed?;
        }
        Ok(at)
    }

    /// Writes what waits to be written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.tail.is_empty() {
            return Ok(());
        }
        let mut tail = std::mem::take(&mut self.tail);
        let written = self.write(&tail);
        if written.is_ok() {
            tail.clear();
            self.tail_leaves = 0;
        }
        self.tail = tail;
        written
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let segment = self.segment.as_mut().ok_or(io::ErrorKind::NotFound)?;
        if let Err(error) = segment.room.write(&*segment.file, bytes, segment.offset) {
            // Takes what was written of them away again.
            // Half a group that stays is no harm: readers stop at its checksum.
            let _ = segment.file.set_len(segment.offset);
            if self.tail_leaves > 0 {
                // Whole ones of them must not stand in the log twice: the cut has to be on the disk before they are
                // written elsewhere.
                self.uncut = Some((segment.file.clone(), segment.offset));
            }
            return Err(error);
        }
        segment.offset += u64::try_from(bytes.len()).unwrap_or_default();
        Ok(())
    }

    /// The number of the first leaf that is not with the kernel.
    pub(crate) fn written_seq(&self) -> u64 {
        self.next_seq - self.tail_leaves
    }

    /// Ends the segment and starts the next one.
    fn rotate(&mut self, at: UnixMicros) -> io::Result<()> {
        let next =
            create_segment(&*self.disk, &self.dir, &self.shard, self.next_seq, self.spans.leaves.end(at))?;
        self.install(next);
        Ok(())
    }

    /// Makes `next` the segment that is written.
    pub(crate) fn install(&mut self, next: Segment) {
        if let Some(ended) = self.segment.replace(next) {
            self.ended.push(ended.file);
        }
        self.dir_changed = true;
        self.dirty = true;
    }

    pub(crate) fn failed_to(&mut self, what: &str, error: &io::Error) -> LogError {
        let reason: Arc<str> = format!("cannot {what}: {error}").into();
        self.fail(reason.clone(), 0..0);
        LogError::Unavailable { reason }
    }

    /// Seals the segment. What it holds is still synced once; nothing is ever added to it.
    pub(crate) fn fail(&mut self, reason: Arc<str>, lost: Range<u64>) {
        tracing::error!(%reason, lost = lost.end - lost.start, "audit log failed");
        if let Some(sealed) = self.segment.take() {
            // Survives a restart: whatever the page cache shows then, this segment is not continued.
            let marker = failed_marker(&self.dir, sealed.first_seq);
            if let Err(error) = std::fs::write(&marker, reason.as_bytes()) {
                tracing::warn!(%error, "cannot mark a failed segment");
            }
            self.ended.push(sealed.file);
            self.dirty = true;
        }
        self.ended.extend(self.pack.take().map(|pack| pack.file));
        let before = self.failure.take().map_or(0..0, |failure| failure.lost);
        let lost = match (before.is_empty(), lost.is_empty()) {
            (true, _) => lost,
            (false, true) => before,
            (false, false) => before.start..lost.end,
        };
        self.failure = Some(Failure { reason, retry_at: Instant::now() + self.pause, lost });
        self.pause = (self.pause * 2).min(RETRY_PAUSE_MAX);
    }

    /// The log works: should it fail, the next attempt comes soon.
    pub(crate) fn forget_pause(&mut self) {
        self.pause = RETRY_PAUSE_MIN;
    }
}

/// Makes a segment file with its header.
pub(crate) fn create_segment(
    disk: &dyn Disk,
    dir: &std::path::Path,
    shard: &str,
    first_seq: u64,
    end: UnixMicros,
) -> io::Result<Segment> {
    let path = segment_path(dir, first_seq);
    // A file of this name holds no leaf, or the number would have been used: a start that failed.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let _ = std::fs::remove_file(failed_marker(dir, first_seq));
    let file = disk.create(&path)?;
    let header = header(shard, first_seq);
    if let Err(error) = file.write_at(&header, 0) {
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    let offset = u64::try_from(header.len()).unwrap_or_default();
    Ok(Segment { file, first_seq, end, offset, room: Room::new(offset) })
}
