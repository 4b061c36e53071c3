//! Taking over a log: the lock, the repair of its end, the first leaf.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::back::bring_all_back;
use crate::disk::{Disk, create_dir, private};
use crate::error::LogError;
use crate::event::{Event, EventKind};
use crate::group::Group;
use crate::leaf::now;
use crate::options::Options;
use crate::reader::shard_dir;
use crate::room::Room;
use crate::segment::{SHARD_BYTES_MAX, SegmentReader, failed_marker, header, list_segments, segment_path};
use crate::span::Spans;
use crate::spool::Spool;
use crate::subjects::{ContentKey, Subjects};
use crate::view::View;
use crate::writer::{RETRY_PAUSE_MIN, Segment, Write, Writer, create_segment};

/// The file whose lock says who writes.
const LOCK_FILE: &str = "lock";

/// The file of the content key of an installation that brings none.
const CONTENT_KEY_FILE: &str = "content.key";

/// What the last segment holds.
struct Tail {
    next_seq: u64,
    /// Where to go on writing; none when the segment must not be continued.
    segment: Option<Segment>,
    torn_bytes: u64,
    failed: bool,
}

/// A log that may be written.
pub(crate) struct Opened {
    /// Holds the lock as long as it is open.
    pub(crate) lock: File,
    pub(crate) writer: Writer,
    /// Everything below is on the disk.
    pub(crate) durable_seq: u64,
    pub(crate) subjects: Arc<Subjects>,
}

/// Opens the end of a log.
pub(crate) fn open(options: &Options, disk: Arc<dyn Disk>) -> Result<Opened, LogError> {
    check_shard(&options.shard)?;
    let dir = shard_dir(&options.data_dir, &options.shard);
    create_dir(&dir).map_err(LogError::io("create", &dir))?;
    let lock = lock(&dir)?;
    let content = options.content_key.clone().map_or_else(|| own_content_key(&options.data_dir), Ok)?;
    let subjects =
        Subjects::open(&dir, &content).map_err(LogError::io("open the keys of subjects in", &dir))?;
    let tail = find_tail(&dir, &options.shard, &*disk, options.spans)?;
    let is_new = tail.segment.is_none();
    let spool = options.spool.as_ref().map(|spool| Spool::open(spool, &options.shard)).transpose()?;
    let mut writer = Writer {
        disk,
        shard: options.shard.as_str().into(),
        segment_bytes_max: options.segment_bytes_max,
        spans: options.spans,
        next_seq: tail.next_seq,
        tail: Vec::new(),
        tail_leaves: 0,
        segment: tail.segment,
        pack: None,
        ended: Vec::new(),
        dir_changed: is_new,
        dirty: false,
        failure: None,
        uncut: None,
        pause: RETRY_PAUSE_MIN,
        spool,
        kept: Vec::new(),
        dir,
    };
    if is_new {
        let end = writer.spans.leaves.end(now());
        let first = create_segment(&*writer.disk, &writer.dir, &writer.shard, writer.next_seq, end);
        writer.install(first.map_err(LogError::io("create a segment in", &writer.dir))?);
    }
    if tail.failed {
        let gap = Event::new(EventKind::GapDeclared, now())
            .field("reason", "the last segment was sealed after an error");
        writer.append(&mut Group::of_event(&gap, &writer.shard), Write::Now)?;
    }
    let opened = Event::new(EventKind::LogOpened, now()).field("torn_bytes", tail.torn_bytes);
    writer.append(&mut Group::of_event(&opened, &writer.shard), Write::Now)?;
    bring_all_back(&mut writer)?;
    Ok(Opened { lock, writer, durable_seq: tail.next_seq, subjects: Arc::new(subjects) })
}

/// The content key of an installation that brings none, made at its first start.
///
/// # Errors
/// When it cannot be read or made.
pub fn own_content_key(data: &Path) -> Result<ContentKey, LogError> {
    let path = data.join(CONTENT_KEY_FILE);
    let io = || LogError::io("keep the content key in", &path);
    let mut bytes = [0; 32];
    match File::open(&path) {
        Ok(mut file) => file.read_exact(&mut bytes).map_err(io())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            aws_lc_rs::rand::fill(&mut bytes)
                .map_err(|_| io()(io::Error::other("there is no randomness")))?;
            let begun = path.with_extension(format!("new-{}", std::process::id()));
            let made = private().create(true).truncate(true).write(true).open(&begun);
            let made = made.and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
            made.and_then(|()| std::fs::rename(&begun, &path)).map_err(io())?;
        }
        Err(error) => return Err(io()(error)),
    }
    Ok(ContentKey::new(bytes))
}

fn check_shard(name: &str) -> Result<(), LogError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || name.len() > SHARD_BYTES_MAX || name.starts_with('.') || !name.bytes().all(fits) {
        return Err(LogError::BadShard { name: name.to_owned() });
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join(LOCK_FILE);
    let file = private().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(LogError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked { path }),
        Err(TryLockError::Error(error)) => Err(LogError::io("lock", path)(error)),
    }
}

fn find_tail(dir: &Path, shard: &str, disk: &dyn Disk, spans: Spans) -> Result<Tail, LogError> {
    let segments = list_segments(dir).map_err(LogError::io("list", dir))?;
    let Some(first_seq) = segments.last().copied() else {
        return Ok(Tail { next_seq: 0, segment: None, torn_bytes: 0, failed: false });
    };
    let path = segment_path(dir, first_seq);
    let failed = failed_marker(dir, first_seq).exists();
    let opened = SegmentReader::open(dir, first_seq).map_err(LogError::io("open", &path))?;
    let Some(mut reader) = opened else {
        return begun_or_damaged(&path, first_seq, header(shard, first_seq).len(), failed);
    };
    let (mut next_seq, mut begun) = (first_seq, now());
    while let Some(group) = reader.next_group().map_err(LogError::io("read", &path))? {
        if next_seq == first_seq
            && let Ok(first) = View::parse(&group.leaf)
        {
            begun = first.at();
        }
        next_seq += 1;
    }
    let offset = reader.offset();
    let torn_bytes = reader.left().map_err(LogError::io("read", &path))?;
    // A compressed one has ended: whatever came after it is gone.
    if failed || !path.exists() {
        return Ok(Tail { next_seq, segment: None, torn_bytes, failed });
    }
    let file = disk.resume(&path).map_err(LogError::io("open", &path))?;
    let mut len = reader.len();
    if torn_bytes > 0 {
        tracing::warn!(segment = first_seq, offset, torn_bytes, "repairing the torn end of the audit log");
        keep_aside(&path, offset, torn_bytes).map_err(LogError::io("keep the torn end of", &path))?;
        file.set_len(offset).map_err(LogError::io("repair", &path))?;
        len = offset;
    }
    // What was read came from memory, perhaps: from here on it counts as durable.
    file.sync_data().map_err(LogError::io("sync", &path))?;
    Ok(Tail {
        next_seq,
        segment: Some(Segment {
            file,
            first_seq,
            end: spans.leaves.end(begun),
            offset,
            room: Room::new(len),
        }),
        torn_bytes,
        failed,
    })
}

/// A segment without a whole header: either its first write never ended, or it is not one of ours.
fn begun_or_damaged(
    path: &Path,
    first_seq: u64,
    header_bytes: usize,
    failed: bool,
) -> Result<Tail, LogError> {
    let bytes = std::fs::metadata(path).map_err(LogError::io("open", path))?.len();
    if bytes >= u64::try_from(header_bytes).unwrap_or(u64::MAX) {
        return Err(LogError::Damaged { path: path.to_owned(), what: "its header does not read" });
    }
    Ok(Tail { next_seq: first_seq, segment: None, torn_bytes: bytes, failed })
}

/// Copies what is about to be cut: should it be more than a torn write, somebody may want to look at it.
fn keep_aside(path: &Path, offset: u64, bytes: u64) -> io::Result<()> {
    let mut from = File::open(path)?;
    from.seek(SeekFrom::Start(offset))?;
    let aside = path.with_extension(format!("torn-{offset}"));
    let mut to = private().create(true).truncate(true).write(true).open(aside)?;
    io::copy(&mut from.take(bytes), &mut to)?;
    to.sync_all()
}
