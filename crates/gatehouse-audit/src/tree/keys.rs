//! The keys that sign: one an epoch, destroyed at its end, so that whoever steals the newest cannot write older
//! checkpoints anew.

use gatehouse_proof::note::{KEY_BYTES, Scheme, SignerKey, VerifierKey};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::disk::private;

const KEY: &str = "key";
const NEXT: &str = "key.next";
const LASTING: &str = "key.anchors";
/// Bytes of the hash that tells one log from another.
const LOG_NAME_BYTES: usize = 6;

/// The key of the epoch under way, made when there is none yet.
pub(super) fn current(dir: &Path, origin: &str) -> io::Result<SignerKey> {
    match held(dir, origin)? {
        Some(key) => Ok(key),
        None => make(dir, KEY, origin),
    }
}

/// The key of the next epoch, made when there is none yet.
pub(super) fn next(dir: &Path, origin: &str) -> io::Result<SignerKey> {
    match read(&dir.join(NEXT), origin)? {
        Some(key) => Ok(key),
        None => make(dir, NEXT, origin),
    }
}

/// The key of the epoch under way, unless it is destroyed or was never made.
pub(super) fn held(dir: &Path, origin: &str) -> io::Result<Option<SignerKey>> {
    read(&dir.join(KEY), origin)
}

/// The key that signs for anchors, over all epochs; made when there is none yet.
pub(super) fn lasting(dir: &Path, origin: &str) -> io::Result<SignerKey> {
    match read(&dir.join(LASTING), origin)? {
        Some(key) => Ok(key),
        None => make(dir, LASTING, origin),
    }
}

/// Whether an epoch is ending.
pub(super) fn is_next_waiting(dir: &Path) -> bool {
    dir.join(NEXT).exists()
}

/// Destroys the key of the epoch that ended, and puts the next in its place.
pub(super) fn rotate(dir: &Path) -> io::Result<()> {
    let old = File::options().write(true).open(dir.join(KEY));
    if let Ok(mut old) = old {
        // What a disk keeps of overwritten bytes is beyond us; the name at least leads nowhere.
        old.write_all(&[0; KEY_BYTES])?;
        old.sync_all()?;
    }
    std::fs::rename(dir.join(NEXT), dir.join(KEY))?;
    File::open(dir)?.sync_all()
}

/// Adds a public key to the list of all.
pub(super) fn publish(dir: &Path, key: &VerifierKey) -> io::Result<()> {
    let path = dir.join(super::KEYS);
    let line = format!("{key}\n");
    let known = std::fs::read_to_string(&path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(String::new()),
        _ => Err(error),
    })?;
    if known.lines().any(|known| known == line.trim_end()) {
        return Ok(());
    }
    let mut file = File::options().create(true).append(true).open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

/// What tells the log in this folder from all others: 12 digits of the SHA-256 of its first public key. `None` while it
/// has none.
///
/// # Errors
/// When the file cannot be read.
pub fn log_name(log: &Path) -> io::Result<Option<String>> {
    let keys = match std::fs::read_to_string(log.join(super::TREE_DIR).join(super::KEYS)) {
        Ok(keys) => keys,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let name = |first: &str| {
        let digest = Sha256::digest(first);
        digest.iter().take(LOG_NAME_BYTES).map(|byte| format!("{byte:02x}")).collect()
    };
    Ok(keys.lines().next().map(name))
}

fn read(path: &Path, origin: &str) -> io::Result<Option<SignerKey>> {
    let mut seed = [0; KEY_BYTES];
    match File::open(path) {
        Ok(mut file) => file.read_exact(&mut seed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    if seed == [0; KEY_BYTES] {
        // It was destroyed, and the next had not taken its place yet.
        return Ok(None);
    }
    signer(origin, &seed).map(Some)
}

fn make(dir: &Path, name: &str, origin: &str) -> io::Result<SignerKey> {
    let mut seed = [0; KEY_BYTES];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    let path = dir.join(name);
    let begun = dir.join(format!("{name}.new"));
    let mut file = private().create(true).truncate(true).write(true).open(&begun)?;
    file.write_all(&seed)?;
    file.sync_all()?;
    std::fs::rename(begun, path)?;
    File::open(dir)?.sync_all()?;
    signer(origin, &seed)
}

fn signer(origin: &str, seed: &[u8; KEY_BYTES]) -> io::Result<SignerKey> {
    SignerKey::new(origin, Scheme::Ed25519, seed).map_err(|error| io::Error::other(error.to_string()))
}
