//! Reading the log back: for projections, the command line and restarts, also while it is being written.
//!
//! A [`Reader`] goes from group to group and from segment to segment. At the end of the newest segment it
//! stops, and may be asked again later. An older segment that ends in bytes that are no whole group was
//! torn or sealed after an error: those bytes are noted as [`Damage`] and reading goes on behind them.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::ReadError;
use crate::pack::{self, Text};
use crate::segment::{Contents, Found, SegmentReader, list_segments};
use crate::spot::Spot;

/// A place in the log of one shard. The default is its begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The first sequence number of the segment.
    pub segment: u64,
    /// The byte in the segment at which a group starts; zero for its first.
    pub offset: u64,
}

/// A leaf as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it, with its contents, starts.
    pub at: Cursor,
    /// Where to go on.
    pub next: Cursor,
    /// The leaf's bytes, exactly as hashed. [`crate::View`] reads them.
    pub leaf: Vec<u8>,
    /// The sealed texts that the leaf commits to, in the order of its payload entries with `sealed_sha256`; only
    /// when they were asked for.
    pub contents: Vec<Text>,
    /// Where they stand.
    pub(crate) spots: Vec<Spot>,
}

/// Bytes of a segment that are no whole group, with a newer segment behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The first of them.
    pub at: Cursor,
    /// How many.
    pub bytes: u64,
}

/// Some entries, and where to go on.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The entries, oldest first.
    pub entries: Vec<Entry>,
    /// The place behind them.
    pub next: Cursor,
    /// What was passed over.
    pub damage: Vec<Damage>,
}

/// Goes through the log of one shard.
pub struct Reader {
    dir: PathBuf,
    wanted: Contents,
    at: Cursor,
    segment: Option<SegmentReader>,
    damage: Vec<Damage>,
}

/// Reads at most `at_most` leaves, without contents, from `from` on.
///
/// # Errors
/// When a file cannot be read.
pub fn read(dir: &Path, from: Cursor, at_most: usize) -> Result<Batch, ReadError> {
    let mut reader = Reader::open(dir, from, Contents::Skip);
    let mut entries = Vec::new();
    while entries.len() < at_most
        && let Some(entry) = reader.next()?
    {
        entries.push(entry);
    }
    Ok(Batch { entries, next: reader.at, damage: reader.damage })
}

/// Reads the one entry that starts at `at`, with its contents.
///
/// # Errors
/// When a file cannot be read.
pub fn read_at(dir: &Path, at: Cursor) -> Result<Option<Entry>, ReadError> {
    let entry = Reader::open(dir, at, Contents::Keep).next()?;
    Ok(entry.filter(|entry| entry.at == at))
}

/// The folder of a shard's log under the data folder.
#[must_use]
pub fn shard_dir(data: &Path, shard: &str) -> PathBuf {
    log_dir(data).join(shard)
}

/// The folder of the logs of all shards under the data folder.
#[must_use]
pub fn log_dir(data: &Path) -> PathBuf {
    data.join("log")
}

/// The shards that have a log under the data folder, by name.
///
/// # Errors
/// When the folder cannot be read; one that is not there has none.
pub fn shards(data: &Path) -> Result<Vec<String>, ReadError> {
    let dir = log_dir(data);
    let read = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|source| ReadError::Io { dir: dir.clone(), source }),
    }
}

// === impl Reader ===

impl Reader {
    /// A reader of the shard whose log is in `dir`, starting at `from`.
    #[must_use]
    pub fn open(dir: &Path, from: Cursor, wanted: Contents) -> Self {
        Self { dir: dir.to_owned(), wanted, at: from, segment: None, damage: Vec::new() }
    }

    /// The place behind the last entry.
    #[must_use]
    pub fn at(&self) -> Cursor {
        self.at
    }

    /// What was passed over so far.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// The next entry; `None` at the end of what is written so far.
    ///
    /// # Errors
    /// When a file cannot be read.
    #[expect(clippy::should_implement_trait, reason = "an end that may move, and errors: not an iterator")]
    pub fn next(&mut self) -> Result<Option<Entry>, ReadError> {
        self.step().map_err(|source| ReadError::Io { dir: self.dir.clone(), source })
    }

    fn step(&mut self) -> io::Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.entry_of_segment()? {
                return Ok(Some(entry));
            }
            let newer = list_segments(&self.dir)?.into_iter().find(|first| *first > self.at.segment);
            let Some(newer) = newer else { return Ok(None) };
            // Once a newer segment is there, the older one does not grow any more; until then it may have.
            if let Some(entry) = self.entry_of_segment()? {
                return Ok(Some(entry));
            }
            self.note_damage()?;
            self.at = Cursor { segment: newer, offset: 0 };
            self.segment = None;
        }
    }

    fn entry_of_segment(&mut self) -> io::Result<Option<Entry>> {
        if self.segment.is_none() {
            self.segment = match SegmentReader::open(&self.dir, self.at.segment) {
                Ok(segment) => segment,
                // The begin of a log whose first segments are gone, or of none at all.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if let Some(segment) = &mut self.segment {
                segment.seek(self.at.offset)?;
            }
        }
        let Some(segment) = &mut self.segment else { return Ok(None) };
        let at = Cursor { segment: self.at.segment, offset: segment.offset() };
        let Some(Found { leaf, spots }) = segment.next_group()? else { return Ok(None) };
        self.at = Cursor { segment: at.segment, offset: segment.offset() };
        let contents = match self.wanted {
            Contents::Skip => Vec::new(),
            Contents::Keep => {
                spots.iter().map(|spot| pack::read(&self.dir, *spot)).collect::<io::Result<_>>()?
            }
        };
        Ok(Some(Entry { at, next: self.at, leaf, contents, spots }))
    }

    fn note_damage(&mut self) -> io::Result<()> {
        let left = self.segment.as_mut().map_or(Ok(0), SegmentReader::left)?;
        if left > 0 {
            let damage = Damage { at: self.at, bytes: left };
            tracing::warn!(
                segment = damage.at.segment,
                offset = damage.at.offset,
                bytes = damage.bytes,
                "unreadable bytes in the audit log"
            );
            self.damage.push(damage);
        }
        Ok(())
    }
}
