//! The leaves of a log by their numbers, one after the other, and the places at which some are missing.

use crate::error::ReadError;
use crate::reader::{Cursor, Reader};
use crate::segment::Contents;
use std::path::Path;

/// A leaf with its number.
pub struct Numbered {
    /// Its number: how many were before it.
    pub seq: u64,
    /// The bytes; nothing when the disk lost it.
    pub leaf: Option<Vec<u8>>,
}

/// Follows a log from a number on.
pub struct Follower {
    reader: Reader,
    /// The segment that is read, and the number of its next leaf.
    segment: u64,
    in_segment: u64,
    /// The number of the leaf that is given next.
    next: u64,
    /// One that was read before those that are missing before it were given.
    read: Option<(u64, Vec<u8>)>,
}

// === impl Follower ===

impl Follower {
    /// One that begins at the leaf of this number.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(dir: &Path, next: u64) -> Result<Self, ReadError> {
        let segments = crate::segment::list_segments(dir)
            .map_err(|source| ReadError::Io { dir: dir.to_owned(), source })?;
        let segment = segments.into_iter().take_while(|first| *first <= next).last().unwrap_or_default();
        let reader = Reader::open(dir, Cursor { segment, offset: 0 }, Contents::Skip);
        Ok(Self { reader, segment, in_segment: segment, next, read: None })
    }

    /// The next leaf below `end`; `None` when there is none yet. One that is missing is given only when a later one is
    /// there.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn next(&mut self, end: u64) -> Result<Option<Numbered>, ReadError> {
        if self.next >= end {
            return Ok(None);
        }
        loop {
            if let Some((seq, leaf)) = self.read.take() {
                let given = self.next;
                if seq > given {
                    self.read = Some((seq, leaf));
                    self.next += 1;
                    return Ok(Some(Numbered { seq: given, leaf: None }));
                }
                if seq == given {
                    self.next += 1;
                    return Ok(Some(Numbered { seq, leaf: Some(leaf) }));
                }
                // Before the begin, or written twice because a segment could not be cut.
            }
            let Some(entry) = self.reader.next()? else { return Ok(None) };
            if entry.at.segment != self.segment {
                (self.segment, self.in_segment) = (entry.at.segment, entry.at.segment);
            }
            self.read = Some((self.in_segment, entry.leaf));
            self.in_segment += 1;
        }
    }
}
