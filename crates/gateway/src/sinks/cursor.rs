//! How far a sink is: a file that says what its receiver has, written when he has it, and what is on its way to him,
//! written before it goes.

use anyhow::{Context as _, Result, bail};
use gatehouse_audit::{Cursor, Entry, View, read};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The folder in the data folder.
const DIR: &str = "sinks";
const EXTENSION: &str = "cursor";

/// The file of one sink.
#[derive(Clone, Debug)]
pub(crate) struct CursorFile {
    path: PathBuf,
}

/// How far a sink is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Where the next leaf stands.
    pub(super) at: Cursor,
    /// Its number.
    pub(super) next: u64,
    /// The last leaf that the receiver has.
    pub(super) last: Option<Last>,
}

/// A leaf by which the log is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    at: Cursor,
    sha256: [u8; 32],
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// The log that it is about.
    pub(super) log: String,
    /// What the receiver has.
    pub(super) position: Position,
    /// The number of the last leaf of the batch that is on its way to him.
    pub(super) sending: Option<u64>,
}

#[derive(Deserialize, Serialize)]
struct Written {
    log: String,
    segment: u64,
    offset: u64,
    next: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<WrittenLast>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sending: Option<u64>,
}

#[derive(Deserialize, Serialize)]
struct WrittenLast {
    segment: u64,
    offset: u64,
    sha256: String,
}

// === impl Last ===

impl Last {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { at: entry.at, sha256: Sha256::digest(&entry.leaf).into() }
    }
}

// === impl Position ===

impl Position {
    /// Whether it is one in the log of this folder, whose leaves below `durable` are on the disk: an error says why not.
    pub(super) fn check(&self, dir: &Path, durable: u64) -> Result<()> {
        if self.next > durable {
            bail!("the log ends at {durable}, before what the receiver has ({})", self.next);
        }
        let Some(last) = self.last else { return Ok(()) };
        let found = read(dir, last.at, 1)?.entries.pop();
        let same = found.as_ref().is_some_and(|entry| Last::of(entry) == last);
        // It may have gone, its time being over: then what is there now came after it.
        let later = found.as_ref().filter(|entry| entry.at.segment > last.at.segment);
        let later =
            later.and_then(|entry| View::parse(&entry.leaf).ok()).is_some_and(|view| view.seq >= self.next);
        if !same && !later {
            bail!(
                "the log has another leaf where the receiver's last one was ({})",
                self.next.saturating_sub(1)
            );
        }
        Ok(())
    }
}

// === impl CursorFile ===

impl CursorFile {
    /// The file of the sink of this name.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub(super) fn of(data: &Path, name: &str) -> Result<Self> {
        let dir = data.join(DIR);
        fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        Ok(Self { path: dir.join(format!("{name}.{EXTENSION}")) })
    }

    /// What it says; nothing when nothing was sent yet.
    ///
    /// # Errors
    /// When the file is there and does not read: a sink that began anew by itself would hide that.
    pub(super) fn load(&self) -> Result<Option<Saved>> {
        self.path.exists().then(|| load(&self.path)).transpose()
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save(&self, saved: &Saved) -> Result<()> {
        let begun = self.path.with_extension("new");
        let mut file = File::create(&begun)?;
        let Position { at, next, last } = saved.position;
        let last = last.map(|Last { at, sha256 }| WrittenLast {
            segment: at.segment,
            offset: at.offset,
            sha256: hex(&sha256),
        });
        let (log, sending) = (saved.log.clone(), saved.sending);
        let written = Written { log, segment: at.segment, offset: at.offset, next, last, sending };
        writeln!(file, "{}", serde_json::to_string(&written)?)?;
        file.sync_all()?;
        fs::rename(&begun, &self.path)?;
        if let Some(dir) = self.path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }
}

/// The first leaf that some sink has not taken: nothing from there on may be given up. A sink that was taken out of the
/// configuration holds nothing once its file is deleted.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn held_from(data: &Path) -> Result<Option<u64>> {
    let mut held: Option<u64> = None;
    for path in files(data)? {
        let next = load(&path)?.position.next;
        held = Some(held.map_or(next, |held| held.min(next)));
    }
    Ok(held)
}

/// The files of sinks that are not among these names: they hold the record back, and nobody sends it.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn left_over(data: &Path, names: &[&str]) -> Result<Vec<PathBuf>> {
    let is_known = |path: &PathBuf| {
        let name = path.file_stem().and_then(|name| name.to_str());
        name.is_some_and(|name| names.contains(&name))
    };
    Ok(files(data)?.into_iter().filter(|path| !is_known(path)).collect())
}

fn files(data: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(data.join(DIR)) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn load(path: &Path) -> Result<Saved> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let last = |last: WrittenLast| {
        let at = Cursor { segment: last.segment, offset: last.offset };
        Some(Last { at, sha256: unhex(&last.sha256)? })
    };
    let saved = serde_json::from_str::<Written>(&text).ok().and_then(|written| {
        let at = Cursor { segment: written.segment, offset: written.offset };
        let last = match written.last {
            Some(written) => Some(last(written)?),
            None => None,
        };
        let position = Position { at, next: written.next, last };
        Some(Saved { log: written.log, position, sending: written.sending })
    });
    saved.with_context(|| format!("{} does not read; delete it to send everything again", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let pairs: Vec<u8> = (0..text.len())
        .step_by(2)
        .map(|at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<_>>()?;
    pairs.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{CursorFile, Last, Position, Saved, held_from, left_over};
    use gatehouse_audit::{Cursor, Event, EventKind, Leaf, Log, Options, read};

    #[test]
    fn the_slowest_sink_holds_the_log() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(held_from(dir.path()).unwrap(), None);
        let [fast, slow] = ["fast", "slow"].map(|name| CursorFile::of(dir.path(), name).unwrap());
        assert_eq!(fast.load().unwrap(), None);
        let at = Cursor { segment: 7, offset: 99 };
        let position = Position { at, next: 12, last: Some(Last { at, sha256: [0xa5; 32] }) };
        let far = Saved { log: "1f".to_owned(), position, sending: Some(17) };
        fast.save(&far).unwrap();
        slow.save(&Saved {
            position: Position { next: 3, last: None, ..position },
            sending: None,
            ..far.clone()
        })
        .unwrap();
        assert_eq!((fast.load().unwrap(), held_from(dir.path()).unwrap()), (Some(far), Some(3)));
        assert_eq!(left_over(dir.path(), &["fast"]).unwrap(), [dir.path().join("sinks/slow.cursor")]);
        std::fs::write(dir.path().join("sinks/slow.cursor"), "{").unwrap();
        assert!(slow.load().is_err() && held_from(dir.path()).is_err());
    }

    #[test]
    fn a_position_is_one_in_its_own_log_alone() {
        let log = |from: u64| {
            let dir = tempfile::tempdir().unwrap();
            let log = Log::open(&Options::new(dir.path())).unwrap();
            for number in from..from + 9 {
                log.append(Leaf::Event(&Event::new(EventKind::KeyCreated, number))).unwrap();
            }
            (dir, log)
        };
        let (_kept, one) = log(0);
        let entries = read(one.dir(), Cursor::default(), 5).unwrap().entries;
        let position = Position { at: entries[4].next, next: 5, last: Some(Last::of(&entries[4])) };
        assert!(position.check(one.dir(), 10).is_ok());
        assert!(Position::default().check(one.dir(), 10).is_ok());
        let says = |log: &Log, durable| position.check(log.dir(), durable).unwrap_err().to_string();
        assert!(says(&one, 4).contains("the log ends at 4"));
        // Another log of the same length.
        let (_kept, other) = log(100);
        assert!(says(&other, 10).contains("another leaf where the receiver's last one was (4)"));
    }
}
