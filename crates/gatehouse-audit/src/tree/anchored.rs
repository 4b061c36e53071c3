//! What anchors gave back, beside the tree: it is kept with the log, and goes into copies.

use super::keys;
use super::sealer::replace;
use crate::disk::create_dir;
use gatehouse_proof::note::SignerKey;
use std::fs;
use std::io;
use std::path::Path;

/// The folder under that of the tree.
pub const ANCHORED: &str = "anchored";
/// The end of the name of a file that is being written.
const BEGUN: &str = ".new";

/// The key that signs checkpoints for witnesses, beside that of the epoch. It lasts, as witnesses are told by hand which
/// key a log has. Nobody who verifies goes by it: what it is good for is to be heard by a witness.
///
/// # Errors
/// When it cannot be read or made.
pub fn anchor_key(tree: &Path, origin: &str) -> io::Result<SignerKey> {
    keys::lasting(tree, origin)
}

/// Keeps what an anchor gave back: the file is the old one or the new one, whatever happens.
///
/// # Errors
/// When it cannot be written.
pub fn keep(tree: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let dir = tree.join(ANCHORED);
    create_dir(&dir)?;
    replace(&dir, name, bytes)
}

/// Takes away what is not needed any more.
///
/// # Errors
/// When it cannot be.
pub fn forget(tree: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(tree.join(ANCHORED).join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// All that is kept, by name, in order.
///
/// # Errors
/// When it cannot be read.
pub fn kept(tree: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let entries = match fs::read_dir(tree.join(ANCHORED)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(BEGUN) && entry.file_type()?.is_file() {
            match fs::read(entry.path()) {
                Ok(bytes) => found.push((name, bytes)),
                // It was replaced since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{ANCHORED, anchor_key, keep, kept};

    #[test]
    fn what_anchors_gave_back_is_kept_and_their_key_lasts() {
        let dir = tempfile::tempdir().unwrap();
        assert!(kept(dir.path()).unwrap().is_empty());
        keep(dir.path(), "witness-00000002", b"two").unwrap();
        keep(dir.path(), "witness-00000001", b"old").unwrap();
        keep(dir.path(), "witness-00000001", b"one").unwrap();
        // What a crash cut off.
        std::fs::write(dir.path().join(ANCHORED).join("day-2026-11-24.new"), b"half").unwrap();
        let names = kept(dir.path()).unwrap();
        assert_eq!(
            names,
            [
                ("witness-00000001".to_owned(), b"one".to_vec()),
                ("witness-00000002".to_owned(), b"two".to_vec())
            ]
        );
        let key = anchor_key(dir.path(), "log.example").unwrap().verifier();
        assert_eq!(anchor_key(dir.path(), "log.example").unwrap().verifier(), key);
        assert_eq!(key.name(), "log.example");
    }
}
