//! How far a log was pruned: a file beside the segments. What is not there and stands below is no loss.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::disk::{create_dir, private};

/// The file.
const FILE: &str = "pruned";

/// How far a log was pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Texts of leaves below this may be gone.
    pub contents: u64,
    /// Leaves below this are gone.
    pub records: u64,
}

// === impl Pruned ===

impl Pruned {
    /// How far the log in a folder was pruned.
    ///
    /// # Errors
    /// When the file is there and does not read.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(dir.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut numbers = text.lines().map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(contents)), Some(Ok(records))) => Ok(Self { contents, records }),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the file \"pruned\" does not read")),
        }
    }

    pub(crate) fn write(self, dir: &Path) -> io::Result<()> {
        create_dir(dir)?;
        let (begun, path) = (dir.join("pruned.new"), dir.join(FILE));
        let mut file = private().create(true).truncate(true).write(true).open(&begun)?;
        write!(file, "{}\n{}\n", self.contents, self.records)?;
        file.sync_all()?;
        fs::rename(begun, path)?;
        fs::File::open(dir)?.sync_all()
    }
}
