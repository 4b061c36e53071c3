//! Bytes that are set aside for the time of one call: a little in memory, more in an unnamed file that is gone with
//! the call, whatever becomes of it.

use bytes::Bytes;
use gatehouse_core::error::{Code, Error};
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

/// What is held in memory at most.
pub const MEMORY_BYTES_MAX: usize = 256 * 1024;
/// What is read at once.
const READ_BYTES: u64 = 64 * 1024;

/// Bytes that are set aside.
#[derive(Default)]
pub struct Aside {
    memory: Vec<u8>,
    /// Holds all of them, once they are many.
    file: Option<File>,
    length: u64,
}

// === impl Aside ===

impl Aside {
    /// How many there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.length
    }

    /// Sets more aside. The file is written without leaving the thread: it is the page cache that takes it.
    ///
    /// # Errors
    /// `overloaded` when the temporary folder takes nothing more.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.file.is_none() {
            if self.memory.len() + bytes.len() <= MEMORY_BYTES_MAX {
                self.memory.extend_from_slice(bytes);
                return Ok(());
            }
            let mut file = tempfile::tempfile().map_err(|error| full(&error))?;
            file.write_all(&std::mem::take(&mut self.memory)).map_err(|error| full(&error))?;
            self.file = Some(file);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes)).map_err(|error| full(&error))
    }

    /// The first of these bytes, as many as are read at once.
    ///
    /// # Errors
    /// `internal_error` when the file cannot be read.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let unreadable = |error: String| {
            Error::new(Code::Internal, "a file that was set aside cannot be read").detail(error)
        };
        let length =
            usize::try_from((range.end.saturating_sub(range.start)).min(READ_BYTES)).unwrap_or_default();
        if let Some(file) = &self.file {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, range.start).map_err(|error| unreadable(error.to_string()))?;
            return Ok(Bytes::from(bytes));
        }
        let from = usize::try_from(range.start).unwrap_or(usize::MAX);
        let held = self.memory.get(from..).and_then(|rest| rest.get(..length));
        held.map(Bytes::copy_from_slice).ok_or_else(|| unreadable("it is shorter than was said".to_owned()))
    }
}

fn full(error: &std::io::Error) -> Error {
    Error::new(Code::Overloaded, "the form cannot be set aside now").detail(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Aside, MEMORY_BYTES_MAX};

    #[test]
    fn what_was_set_aside_comes_back_wherever_it_lies() {
        for size in [10, MEMORY_BYTES_MAX, MEMORY_BYTES_MAX + 100_000] {
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut store = Aside::default();
            bytes.chunks(10_000).for_each(|chunk| store.append(chunk).unwrap());
            let (mut at, mut read) = (3, Vec::new());
            while at < store.size() {
                let piece = store.read(at..store.size()).unwrap();
                at += u64::try_from(piece.len()).unwrap();
                read.extend_from_slice(&piece);
            }
            assert_eq!(read, bytes[3..]);
        }
        assert!(Aside::default().read(0..1).is_err());
    }
}
