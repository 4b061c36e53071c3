//! How far a sink is: a file that says what its receiver has, written when he has it.

use anyhow::{Context as _, Result};
use gatehouse_audit::Cursor;
use serde_json::{Value, json};
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
pub(crate) struct Position {
    /// Where the next leaf stands.
    pub(crate) at: Cursor,
    /// Its number.
    pub(crate) next: u64,
}

// === impl CursorFile ===

impl CursorFile {
    /// The file of the sink of this name.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub(crate) fn of(data: &Path, name: &str) -> Result<Self> {
        let dir = data.join(DIR);
        fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        Ok(Self { path: dir.join(format!("{name}.{EXTENSION}")) })
    }

    /// How far it is; at the begin of the log when nothing was sent yet.
    ///
    /// # Errors
    /// When the file is there and does not read: a sink that began anew by itself would hide that.
    pub(crate) fn load(&self) -> Result<Position> {
        if !self.path.exists() {
            return Ok(Position::default());
        }
        read(&self.path)
    }

    /// The receiver has everything before this.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn save(&self, position: Position) -> Result<()> {
        let begun = self.path.with_extension("new");
        let mut file = File::create(&begun)?;
        let Position { at, next } = position;
        writeln!(file, "{}", json!({ "segment": at.segment, "offset": at.offset, "next": next }))?;
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
    let Ok(entries) = fs::read_dir(data.join(DIR)) else { return Ok(None) };
    let mut held = None;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            let next = read(&path)?.next;
            held = Some(held.map_or(next, |held: u64| held.min(next)));
        }
    }
    Ok(held)
}

fn read(path: &Path) -> Result<Position> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    let position = || {
        Some(Position {
            at: Cursor { segment: number("segment")?, offset: number("offset")? },
            next: number("next")?,
        })
    };
    position()
        .with_context(|| format!("{} does not read; delete it to send everything again", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{CursorFile, Position, held_from};
    use gatehouse_audit::Cursor;

    #[test]
    fn the_slowest_sink_holds_the_log() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(held_from(dir.path()).unwrap(), None);
        let [fast, slow] = ["fast", "slow"].map(|name| CursorFile::of(dir.path(), name).unwrap());
        assert_eq!(fast.load().unwrap(), Position::default());
        let far = Position { at: Cursor { segment: 7, offset: 99 }, next: 12 };
        fast.save(far).unwrap();
        slow.save(Position { next: 3, ..far }).unwrap();
        assert_eq!((fast.load().unwrap(), held_from(dir.path()).unwrap()), (far, Some(3)));
        std::fs::write(dir.path().join("sinks/slow.cursor"), "{").unwrap();
        assert!(slow.load().is_err() && held_from(dir.path()).is_err());
    }
}
