//! Giving up what its time is over for: texts pack by pack, records segment by segment, but for what is on hold.
//!
//! What is to go is found first ([`contents_due`], [`records_due`]), so that it can be said in the log before it is
//! done.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::ReadError;
use crate::pack::{self, Text};
use crate::pruned::Pruned;
use crate::reader::{Cursor, Reader};
use crate::segment::{Contents, compressed_path, failed_marker, list_segments, segment_path};
use crate::spot::Spot;
use crate::view::View;
use gatehouse_core::record::UnixMicros;

/// Whether a call is on hold.
pub type Held<'a> = &'a dyn Fn(&View<'_>) -> bool;

/// Texts whose time is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentsDue {
    /// Packs that go as a whole.
    packs: Vec<u64>,
    /// Texts that are overwritten, since others of their pack are on hold.
    texts: Vec<(u64, Vec<Spot>)>,
    /// Below which leaf this is all.
    until: u64,
    /// Texts whose time is over, and which are on hold.
    pub held: u64,
}

/// Records whose time is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordsDue {
    segments: Vec<u64>,
    /// The first leaf that goes.
    pub first: u64,
    /// The first leaf that stays.
    pub until: u64,
    /// Whether more would go if it were not on hold.
    pub held: bool,
}

/// The texts of periods that ended at `before`, or earlier. With no `held`, nothing is on hold.
///
/// # Errors
/// When a file cannot be read, or a leaf does not parse.
pub fn contents_due(
    dir: &Path,
    before: UnixMicros,
    held: Option<Held<'_>>,
) -> Result<ContentsDue, ReadError> {
    let io = |source| ReadError::Io { dir: dir.to_owned(), source };
    let packs = pack::list(dir).map_err(io)?;
    let mut due = ContentsDue::default();
    for (place, number) in packs.iter().enumerate() {
        // One that does not say its end is as old as the next that does.
        let end = |number: &u64| pack::end(dir, *number).transpose();
        let end = packs.get(place..).unwrap_or_default().iter().find_map(end).transpose().map_err(io)?;
        if end.is_none_or(|end| end > before) {
            break;
        }
        let until = packs.get(place + 1).copied().unwrap_or(u64::MAX);
        match held {
            None => due.packs.push(*number),
            Some(held) => due.sort(dir, *number, until, held)?,
        }
        due.until = if until == u64::MAX { number + 1 } else { until };
    }
    Ok(due)
}

/// The segments whose leaves all happened before `before`, from the begin of the log to the first that has to stay:
/// one with a leaf on hold, or with one that is not below `below`.
///
/// # Errors
/// When a file cannot be read, or a leaf does not parse.
pub fn records_due(
    dir: &Path,
    before: UnixMicros,
    below: u64,
    held: Option<Held<'_>>,
) -> Result<RecordsDue, ReadError> {
    let segments = list_segments(dir).map_err(|source| ReadError::Io { dir: dir.to_owned(), source })?;
    let mut due =
        RecordsDue { first: segments.first().copied().unwrap_or_default(), ..RecordsDue::default() };
    due.until = due.first;
    for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
        let first_of_next = Reader::open(dir, Cursor { segment: *next, offset: 0 }, Contents::Skip).next()?;
        let Some(entry) = first_of_next else { break };
        if *next > below || parse(&entry)?.at() >= before {
            break;
        }
        if let Some(held) = held
            && any_held(dir, *segment, held)?
        {
            due.held = true;
            break;
        }
        due.segments.push(*segment);
        due.until = *next;
    }
    Ok(due)
}

fn any_held(dir: &Path, segment: u64, held: Held<'_>) -> Result<bool, ReadError> {
    let mut reader = Reader::open(dir, Cursor { segment, offset: 0 }, Contents::Skip);
    while let Some(entry) = reader.next()?.filter(|entry| entry.at.segment == segment) {
        if held(&parse(&entry)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn parse(entry: &crate::reader::Entry) -> Result<View<'_>, ReadError> {
    View::parse(&entry.leaf).map_err(|source| ReadError::Leaf {
        segment: entry.at.segment,
        offset: entry.at.offset,
        source,
    })
}

// === impl ContentsDue ===

impl ContentsDue {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packs.is_empty() && self.texts.is_empty()
    }

    /// Below which leaf texts go.
    #[must_use]
    pub fn until(&self) -> u64 {
        self.until
    }

    /// Takes a pack apart: what is on hold stays.
    fn sort(&mut self, dir: &Path, number: u64, until: u64, held: Held<'_>) -> Result<(), ReadError> {
        let io = |source| ReadError::Io { dir: dir.to_owned(), source };
        let segments = list_segments(dir).map_err(io)?;
        let segment = segments.into_iter().take_while(|first| *first <= number).last().unwrap_or_default();
        let mut reader = Reader::open(dir, Cursor { segment, offset: 0 }, Contents::Skip);
        let (mut staying, mut going) = (0, Vec::new());
        while let Some(entry) = reader.next()? {
            if entry.at.segment >= until {
                break;
            }
            let mut spots = entry.spots.iter().filter(|spot| spot.pack == number).peekable();
            if spots.peek().is_none() {
                continue;
            }
            if held(&parse(&entry)?) {
                staying += u64::try_from(spots.count()).unwrap_or_default();
                continue;
            }
            for spot in spots {
                if matches!(pack::read(dir, *spot).map_err(io)?, Text::There(_)) {
                    going.push(*spot);
                }
            }
        }
        self.held += staying;
        match (staying, going.is_empty()) {
            (0, _) => self.packs.push(number),
            (_, false) => self.texts.push((number, going)),
            (_, true) => {}
        }
        Ok(())
    }

    /// Gives it all up. What goes has been said in the log before.
    ///
    /// # Errors
    /// When a file cannot be written; what is left goes the next time.
    pub fn carry_out(&self, dir: &Path) -> io::Result<()> {
        let mut pruned = Pruned::read(dir)?;
        pruned.contents = pruned.contents.max(self.until);
        pruned.write(dir)?;
        for (number, spots) in &self.texts {
            pack::give_up(dir, *number, spots)?;
        }
        self.packs.iter().try_for_each(|number| remove(&pack::path(dir, *number)))?;
        fs::File::open(dir)?.sync_all()
    }
}

// === impl RecordsDue ===

impl RecordsDue {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Gives them all up. What goes has been said in the log before.
    ///
    /// # Errors
    /// When a file cannot be written; what is left goes the next time.
    pub fn carry_out(&self, dir: &Path) -> io::Result<()> {
        let mut pruned = Pruned::read(dir)?;
        pruned.records = pruned.records.max(self.until);
        pruned.contents = pruned.contents.max(self.until);
        pruned.write(dir)?;
        for segment in &self.segments {
            remove(&failed_marker(dir, *segment))?;
            remove(&segment_path(dir, *segment))?;
            remove(&compressed_path(dir, *segment))?;
        }
        fs::File::open(dir)?.sync_all()
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "prune_tests.rs"]
mod tests;
