//! The file format: a header, then frames, each with its length and a checksum.
//!
//! ```text
//! header  magic 8 · version u32 · first seq u64 · shard length u8 · shard · crc32 u32
//! frame   payload length u32 · kind u8 · crc32 u32 of kind and payload · payload
//! ```
//! All numbers are little-endian. A *group* is a leaf preceded, where texts are kept, by a frame that says where in
//! which pack they stand: it is written by one call of `write`, and a reader takes it whole or not at all. Zeros at the end are room
//! made ahead (`room`): nothing yet. The checksum finds torn tails and bad sectors; against an attacker stands
//! the Merkle tree over the leaf bytes, not this.
//!
//! A segment that has ended is compressed (`blocks`); places in it are those of the raw bytes all the same.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::blocks::Blocks;
use crate::disk::list_files;
use crate::spot::Spot;

/// Opens every segment.
const MAGIC: &[u8; 8] = b"GATEHSEG";
/// The version of the file format. In the first, texts stood among the leaves.
const FORMAT_VERSION: u32 = 2;
/// The longest name of a shard.
pub const SHARD_BYTES_MAX: usize = 64;
/// Bytes of a frame before its payload.
pub(crate) const FRAME_HEADER_BYTES: usize = 9;
/// The longest payload that a reader accepts: a larger length is damage, not something to allocate.
const FRAME_BYTES_MAX: u64 = 64 * 1024;
/// How much is read at once.
const READ_BUFFER_BYTES: usize = 128 * 1024;
/// What a segment is called behind its number; one that is compressed; one that failed.
pub(crate) const EXTENSION: &str = "seg";
const COMPRESSED: &str = "segz";
const FAILED: &str = "failed";

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// The canonical bytes of a leaf.
    Leaf,
    /// Where the texts stand that the next leaf commits to.
    Spots,
}

/// Whether a reader wants the texts beside the leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Leaves only.
    Skip,
    /// Leaves and the texts stored with them.
    Keep,
}

/// A leaf, and where its texts stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) leaf: Vec<u8>,
    pub(crate) spots: Vec<Spot>,
}

/// Reads the groups of one segment file, from the front to the first byte that is no whole frame.
pub(crate) struct SegmentReader {
    input: BufReader<Source>,
    /// Where the next group starts.
    offset: u64,
    /// The size of the file when it was last looked at; of a compressed one, that of the raw one.
    len: u64,
}

/// The bytes of a segment, in whichever form it is.
pub(crate) enum Source {
    /// As it was written, and may still be.
    Raw(File),
    /// Compressed.
    Blocks(Box<Blocks>),
}

/// The path of the segment that starts at `first_seq`.
pub(crate) fn segment_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:020}.{EXTENSION}"))
}

/// The path of the compressed one.
pub(crate) fn compressed_path(dir: &Path, first_seq: u64) -> PathBuf {
    segment_path(dir, first_seq).with_extension(COMPRESSED)
}

/// The file that says that a segment must not be continued.
pub(crate) fn failed_marker(dir: &Path, first_seq: u64) -> PathBuf {
    segment_path(dir, first_seq).with_extension(FAILED)
}

/// The first sequence numbers of the segments in `dir`, in order. A folder that is not there has none.
pub(crate) fn list_segments(dir: &Path) -> io::Result<Vec<u64>> {
    // The compressed ones first: one that changes its form meanwhile is among the one or the other.
    let mut found = list_files(dir, COMPRESSED)?;
    found.extend(list_files(dir, EXTENSION)?);
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The bytes that open a segment.
pub(crate) fn header(shard: &str, first_seq: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(header_bytes(shard.len()));
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&first_seq.to_le_bytes());
    out.push(u8::try_from(shard.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(shard.as_bytes());
    let checksum = crc32fast::hash(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Fills in the head of a frame that ends with `out`, and whose payload follows its place at `start`.
pub(crate) fn seal_frame(out: &mut [u8], start: usize, kind: FrameKind) {
    let Some((head, payload)) = out.get_mut(start..).and_then(|f| f.split_at_mut_checked(FRAME_HEADER_BYTES))
    else {
        return;
    };
    // Payloads are limited far below four gigabytes before they come here.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let checksum = checksum(kind.byte(), payload).to_le_bytes();
    let filled = length.into_iter().chain([kind.byte()]).chain(checksum);
    head.iter_mut().zip(filled).for_each(|(to, from)| *to = from);
}

fn checksum(kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}

fn header_bytes(shard_bytes: usize) -> usize {
    MAGIC.len() + 4 + 8 + 1 + shard_bytes + 4
}

// === impl FrameKind ===

impl FrameKind {
    fn byte(self) -> u8 {
        match self {
            Self::Leaf => 1,
            Self::Spots => 3,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Leaf),
            3 => Some(Self::Spots),
            _ => None,
        }
    }
}

// === impl Source ===

impl Source {
    /// Opens a segment.
    pub(crate) fn open(dir: &Path, first_seq: u64) -> io::Result<Self> {
        let raw = || File::open(segment_path(dir, first_seq)).map(Self::Raw);
        let blocks =
            || Blocks::open(&compressed_path(dir, first_seq)).map(|blocks| Self::Blocks(Box::new(blocks)));
        // While there are both, the raw one counts; once there is the compressed one, the raw one may go.
        raw().or_else(|error| if is_missing(&error) { blocks() } else { Err(error) })
    }

    /// How many raw bytes there are by now.
    fn len(&self) -> io::Result<u64> {
        match self {
            Self::Raw(file) => Ok(file.metadata()?.len()),
            Self::Blocks(blocks) => Ok(blocks.len()),
        }
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Raw(file) => file.read(out),
            Self::Blocks(blocks) => blocks.read(out),
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Raw(file) => file.seek(to),
            Self::Blocks(blocks) => blocks.seek(to),
        }
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

// === impl SegmentReader ===

impl SegmentReader {
    /// Opens a segment and reads its header. `None` when the header is not whole yet or not one of ours.
    pub(crate) fn open(dir: &Path, first_seq: u64) -> io::Result<Option<Self>> {
        let source = Source::open(dir, first_seq)?;
        let len = source.len()?;
        let mut input = BufReader::with_capacity(READ_BUFFER_BYTES, source);
        let mut fixed = [0; 8 + 4 + 8 + 1];
        if !fill(&mut input, &mut fixed)? {
            return Ok(None);
        }
        let shard_bytes = usize::from(fixed.last().copied().unwrap_or_default());
        let mut rest = vec![0; shard_bytes + 4];
        if !fill(&mut input, &mut rest)? {
            return Ok(None);
        }
        let shard = rest.get(..shard_bytes).and_then(|shard| std::str::from_utf8(shard).ok());
        let found = [fixed.as_slice(), rest.as_slice()].concat();
        if shard.is_none_or(|shard| header(shard, first_seq) != found) {
            return Ok(None);
        }
        let offset = u64::try_from(found.len()).unwrap_or_default();
        Ok(Some(Self { input, offset, len }))
    }

    /// Goes on at a place that [`Self::offset`] gave before.
    pub(crate) fn seek(&mut self, offset: u64) -> io::Result<()> {
        // Zero stands for "the first group", before anybody knew how long the header is.
        if offset > self.offset {
            self.input.seek(SeekFrom::Start(offset))?;
            self.offset = offset;
        }
        Ok(())
    }

    /// Where the next group starts; after the end, the first byte that is not part of a whole group.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The size of the file, when it was last looked at.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes behind the last whole group, up to the zeros at the end.
    pub(crate) fn left(&mut self) -> io::Result<u64> {
        let (mut read, mut left) = (0, 0);
        self.input.seek(SeekFrom::Start(self.offset))?;
        loop {
            let part = self.input.fill_buf()?;
            let (bytes, last) = (part.len(), part.iter().rposition(|byte| *byte != 0));
            if bytes == 0 {
                break;
            }
            if let Some(last) = last {
                left = read + u64::try_from(last).unwrap_or_default() + 1;
            }
            read += u64::try_from(bytes).unwrap_or_default();
            self.input.consume(bytes);
        }
        self.input.seek(SeekFrom::Start(self.offset))?;
        Ok(left)
    }

    /// The next whole group, or `None` where there is none (yet).
    pub(crate) fn next_group(&mut self) -> io::Result<Option<Found>> {
        match self.group()? {
            // What was buffered may be older than what has been written since.
            None if self.has_more()? => self.group(),
            found => Ok(found),
        }
    }

    /// Whether the next group has at least been begun.
    fn has_more(&mut self) -> io::Result<bool> {
        let mut head = [0; FRAME_HEADER_BYTES];
        let read = self.input.get_mut().read(&mut head)?;
        self.input.seek(SeekFrom::Start(self.offset))?;
        Ok(head.get(..read).is_some_and(|head| head.iter().any(|byte| *byte != 0)))
    }

    fn group(&mut self) -> io::Result<Option<Found>> {
        let mut group = Found::default();
        let mut at = self.offset;
        // One frame of spots at the most, and the leaf.
        for _ in 0..2 {
            let Some((kind, payload)) = self.next_frame(at)? else { break };
            at += u64::try_from(FRAME_HEADER_BYTES + payload.len()).unwrap_or_default();
            match (kind, Spot::all(&payload)) {
                (FrameKind::Leaf, _) => {
                    self.offset = at;
                    group.leaf = payload;
                    return Ok(Some(group));
                }
                (FrameKind::Spots, Some(spots)) => group.spots = spots,
                (FrameKind::Spots, None) => break,
            }
        }
        // Whoever asks again starts at the group's first frame, and not with what was buffered.
        self.input.seek(SeekFrom::Start(self.offset))?;
        Ok(None)
    }

    fn next_frame(&mut self, at: u64) -> io::Result<Option<(FrameKind, Vec<u8>)>> {
        let mut head = [0; FRAME_HEADER_BYTES];
        if !fill(&mut self.input, &mut head)? {
            return Ok(None);
        }
        let [l0, l1, l2, l3, kind, c0, c1, c2, c3] = head;
        let length = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
        let end = at.saturating_add(9).saturating_add(length);
        if end > self.len {
            self.len = self.input.get_ref().len()?;
        }
        let (Some(known), true) = (FrameKind::from_byte(kind), length <= FRAME_BYTES_MAX && end <= self.len)
        else {
            return Ok(None);
        };
        let bytes = usize::try_from(length).unwrap_or_default();
        let mut payload = Vec::with_capacity(bytes);
        if (&mut self.input).take(length).read_to_end(&mut payload)? != bytes {
            return Ok(None);
        }
        let intact = checksum(kind, &payload) == u32::from_le_bytes([c0, c1, c2, c3]);
        Ok(intact.then_some((known, payload)))
    }
}

/// Reads exactly as much as fits; `false` when the file ends before.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
