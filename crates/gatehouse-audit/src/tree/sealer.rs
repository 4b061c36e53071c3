//! Adds leaves to the tree, and signs it.

use super::files::TreeFiles;
use super::follow::Follower;
use super::{CHECKPOINT, EPOCHS, ORIGIN, TREE_DIR, keys};
use crate::disk::{create_dir, private};
use crate::error::ReadError;
use crate::leaf::now;
use crate::time::rfc3339;
use gatehouse_core::record::UnixMicros;
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::hash::Hash;
use gatehouse_proof::leaf::lost;
use gatehouse_proof::note::{Signed, SignerKey, VerifierKey, is_name};
use gatehouse_proof::proof_file::Proof;
use gatehouse_proof::tree::{Frontier, inclusion};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The file of the month in which the epoch under way began.
const BEGUN: &str = "begun";
/// What a leaf by which an epoch ends has in it. Texts of callers stand in leaves with their quotes escaped.
const EPOCH_CLOSED: &[u8] = br#""kind":"epoch.closed""#;

/// Why the tree cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The file system said no.
    #[error("cannot keep the tree in {dir}: {source}")]
    Io {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log is not the one that was signed.
    #[error(
        "the log in {dir} is not the one that was signed: {why}. Nothing more is signed. `gatehouse audit verify` says what was changed; to begin a new log, move this folder away"
    )]
    Inconsistent {
        /// The folder of the shard.
        dir: PathBuf,
        /// What differs.
        why: String,
    },
    /// The name of the log is another than it was.
    #[error(
        "the log in {dir} is called {was} in all that was signed, and cannot be called {now}: a new name needs a new data folder"
    )]
    Renamed {
        /// The folder of the shard.
        dir: PathBuf,
        /// Its name.
        was: String,
        /// The one that was asked for.
        now: String,
    },
}

/// A leaf and the proof that it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The leaf.
    pub leaf: Vec<u8>,
    /// That it is there.
    pub proof: Proof,
}

/// Adds leaves to the tree, and signs it. One at a time for a log.
#[derive(Debug)]
pub struct Sealer {
    /// The shard's folder, and its tree's.
    log: PathBuf,
    dir: PathBuf,
    shard: String,
    origin: String,
    key: SignerKey,
    files: TreeFiles,
    frontier: Frontier,
    /// The newest checkpoint with its signature; empty before the first.
    checkpoint: String,
    /// Epochs that ended, and with how many leaves the last of them did.
    epochs: Ended,
    /// The month in which the one under way began.
    month: String,
    /// Whether something went wrong on the way, so that what is on the disk has to be read again.
    stale: bool,
}

/// Epochs that ended.
#[derive(Clone, Copy, Debug, Default)]
struct Ended {
    count: u64,
    size: u64,
}

// === impl Sealer ===

impl Sealer {
    /// Opens the tree over the log in `log`, a folder of a shard. `origin` names it where it has no name yet.
    ///
    /// # Errors
    /// When its files cannot be used, or are not those that were signed.
    pub fn open(log: &Path, shard: &str, origin: Option<&str>) -> Result<Self, SealError> {
        let dir = log.join(TREE_DIR);
        let io = |source| SealError::Io { dir: dir.clone(), source };
        create_dir(&dir.join(EPOCHS)).map_err(io)?;
        let origin = named(log, &dir, shard, origin)?;
        let epochs = finish_rotation(&dir, &origin).map_err(io)?;
        let was_signed = dir.join(CHECKPOINT).exists();
        if was_signed && keys::held(&dir, &origin).map_err(io)?.is_none() {
            tracing::error!(
                "the key that signs the audit log is gone: nobody vouches for the one that is made now"
            );
        }
        let key = keys::current(&dir, &origin).map_err(io)?;
        let month = begun(&dir).map_err(io)?;
        keys::publish(&dir, &key.verifier()).map_err(io)?;
        let checkpoint = read_or_empty(&dir.join(CHECKPOINT)).map_err(io)?;
        let signed = match checkpoint.as_str() {
            "" => Checkpoint { origin: origin.clone(), size: 0, root: Hash::of_nothing() },
            text => signed(log, &dir, text)?,
        };
        let (files, frontier) = match loaded(&dir, signed.size).map_err(io)? {
            Some((files, frontier)) if frontier.root() == signed.root => (files, frontier),
            _ => rebuilt(log, &dir, shard, &signed)?,
        };
        Ok(Self {
            log: log.to_owned(),
            dir,
            shard: shard.to_owned(),
            origin,
            key,
            files,
            frontier,
            checkpoint,
            epochs,
            month,
            stale: false,
        })
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key that signs now.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.key.verifier()
    }

    /// How many leaves are in the tree.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The newest checkpoint with its signature; empty before the first.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The epoch under way, from one.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epochs.count + 1
    }

    /// The month in which the epoch began, such as `2026-11`.
    #[must_use]
    pub fn month(&self) -> &str {
        &self.month
    }

    /// The key of the next epoch: what the leaf that ends this one has to name.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn next_key(&self) -> Result<VerifierKey, SealError> {
        keys::next(&self.dir, &self.origin).map(|key| key.verifier()).map_err(|source| self.io(source))
    }

    /// Adds the leaves below `durable`, which are on the disk, and signs what there is then. True when there was
    /// anything new.
    ///
    /// # Errors
    /// When the log cannot be read, or the tree not be written.
    pub fn advance(&mut self, durable: u64) -> Result<bool, SealError> {
        if self.stale {
            // As after a crash: what was not signed is read and hashed again.
            *self = Self::open(&self.log, &self.shard, None)?;
        }
        let advanced = self.follow(durable);
        self.stale = advanced.is_err();
        advanced
    }

    fn follow(&mut self, durable: u64) -> Result<bool, SealError> {
        let before = self.size();
        if before >= durable {
            return Ok(false);
        }
        let mut follower = Follower::open(&self.log, before)?;
        while let Some(next) = follower.next(durable)? {
            let bytes = next.leaf.unwrap_or_else(|| lost(&self.shard, next.seq));
            self.push(&bytes)?;
            if memchr::memmem::find(&bytes, EPOCH_CLOSED).is_some() {
                self.end_epoch()?;
            }
        }
        if self.size() == before {
            return Ok(false);
        }
        self.sign()?;
        Ok(true)
    }

    /// The proof for a leaf below the newest checkpoint; `None` for one that it does not cover.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn prove(&self, index: u64) -> Result<Option<Proof>, SealError> {
        if self.stale || self.checkpoint.is_empty() || index >= self.size() {
            return Ok(None);
        }
        let path = inclusion(index, self.size(), &self.files).map_err(|source| self.io(source))?;
        Ok(Some(Proof { extra: None, index, path, checkpoint: self.checkpoint.clone() }))
    }

    fn push(&mut self, leaf: &[u8]) -> Result<(), SealError> {
        let mut failed = None;
        let files = &mut self.files;
        self.frontier.push(Hash::of_leaf(leaf), |level, _, hash| {
            if let Err(error) = files.add(level, hash) {
                failed.get_or_insert(error);
            }
        });
        failed.map_or(Ok(()), |error| Err(self.io(error)))
    }

    fn signed(&self) -> String {
        let checkpoint =
            Checkpoint { origin: self.origin.clone(), size: self.size(), root: self.frontier.root() };
        let text = checkpoint.to_string();
        format!("{text}\n{}", self.key.sign(&text, 0))
    }

    fn sign(&mut self) -> Result<(), SealError> {
        let signed = self.signed();
        let kept = self.files.sync().and_then(|()| replace(&self.dir, CHECKPOINT, signed.as_bytes()));
        kept.map_err(|source| self.io(source))?;
        self.checkpoint = signed;
        Ok(())
    }

    /// The leaf that was just added ends an epoch: its checkpoint is kept for ever, and its key is not.
    fn end_epoch(&mut self) -> Result<(), SealError> {
        if self.epochs.size == self.size() {
            // It did before a crash, and its key is gone.
            return Ok(());
        }
        self.epochs = Ended { count: self.epochs.count + 1, size: self.size() };
        let name = format!("{:06}", self.epochs.count);
        let done = replace(&self.dir.join(EPOCHS), &name, self.signed().as_bytes())
            .and_then(|()| keys::next(&self.dir, &self.origin))
            .and_then(|next| keys::publish(&self.dir, &next.verifier()).map(|()| next))
            .and_then(|next| keys::rotate(&self.dir).map(|()| next));
        self.key = done.map_err(|source| self.io(source))?;
        self.month = month_of(now());
        replace(&self.dir, BEGUN, self.month.as_bytes()).map_err(|source| self.io(source))?;
        tracing::info!(epoch = self.epochs.count, size = self.size(), "an epoch of the audit log ended");
        Ok(())
    }

    fn io(&self, source: io::Error) -> SealError {
        SealError::Io { dir: self.dir.clone(), source }
    }
}

/// The name of a log, kept when it is first given.
fn named(log: &Path, dir: &Path, shard: &str, wanted: Option<&str>) -> Result<String, SealError> {
    let io = |source| SealError::Io { dir: dir.to_owned(), source };
    let was = read_or_empty(&dir.join(ORIGIN)).map_err(io)?.trim().to_owned();
    if !was.is_empty() {
        return match wanted {
            Some(now) if now != was => {
                Err(SealError::Renamed { dir: log.to_owned(), was, now: now.to_owned() })
            }
            _ => Ok(was),
        };
    }
    let name = match wanted {
        Some(name) if is_name(name) => name.to_owned(),
        Some(name) => {
            let why = format!("{name:?} cannot be the name of a log: no spaces, no plus signs");
            return Err(io(io::Error::new(io::ErrorKind::InvalidInput, why)));
        }
        None => {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(|error| io(io::Error::other(error.to_string())))?;
            format!("gatehouse.invalid/{:016x}/{shard}", u64::from_be_bytes(random))
        }
    };
    replace(dir, ORIGIN, format!("{name}\n").as_bytes()).map_err(io)?;
    Ok(name)
}

/// The epochs that ended. Where a crash came between the end of the last and the begin of the next, its key is
/// destroyed now.
fn finish_rotation(dir: &Path, origin: &str) -> io::Result<Ended> {
    let mut ended = Ended::default();
    for entry in std::fs::read_dir(dir.join(EPOCHS))? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        ended.count = ended.count.max(number.unwrap_or_default());
    }
    if ended.count == 0 {
        return Ok(ended);
    }
    let last = std::fs::read(dir.join(EPOCHS).join(format!("{:06}", ended.count)))?;
    let (note, checkpoint) = Checkpoint::read(&last).map_err(|error| io::Error::other(error.to_string()))?;
    ended.size = checkpoint.size;
    let is_over =
        keys::held(dir, origin)?.is_none_or(|key| key.verifier().signed(&note) == Signed::Yes(None));
    if is_over && keys::is_next_waiting(dir) {
        keys::rotate(dir)?;
    }
    Ok(ended)
}

/// What was signed last, if one of the log's own keys did.
fn signed(log: &Path, dir: &Path, text: &str) -> Result<Checkpoint, SealError> {
    let wrong = |why: String| SealError::Inconsistent { dir: log.to_owned(), why };
    let (note, checkpoint) =
        Checkpoint::read(text.as_bytes()).map_err(|error| wrong(format!("its checkpoint: {error}")))?;
    let keys = read_or_empty(&dir.join(super::KEYS))
        .map_err(|source| SealError::Io { dir: dir.to_owned(), source })?;
    let known = keys.lines().filter_map(|line| VerifierKey::parse(line).ok());
    let by_us = known.into_iter().any(|key| key.signed(&note) == Signed::Yes(None));
    by_us
        .then_some(checkpoint)
        .ok_or_else(|| wrong("its checkpoint is not signed by a key of its own".to_owned()))
}

fn loaded(dir: &Path, size: u64) -> io::Result<Option<(TreeFiles, Frontier)>> {
    let Some(files) = TreeFiles::open(dir, size)? else { return Ok(None) };
    let frontier = Frontier::load(size, &files)?;
    Ok(Some((files, frontier)))
}

/// Makes the hashes anew from the leaves, which have to be those that were signed.
fn rebuilt(
    log: &Path,
    dir: &Path,
    shard: &str,
    signed: &Checkpoint,
) -> Result<(TreeFiles, Frontier), SealError> {
    let io = |source| SealError::Io { dir: dir.to_owned(), source };
    tracing::warn!(size = signed.size, "the hashes of the audit log are made anew from its leaves");
    let empty = loaded(dir, 0).map_err(io)?;
    let (mut files, mut frontier) = empty.ok_or_else(|| io(io::ErrorKind::InvalidData.into()))?;
    let mut follower = Follower::open(log, 0)?;
    while let Some(next) = follower.next(signed.size)? {
        let bytes = next.leaf.unwrap_or_else(|| lost(shard, next.seq));
        let mut written = Ok(());
        frontier.push(Hash::of_leaf(&bytes), |level, _, hash| {
            if written.is_ok() {
                written = files.add(level, hash);
            }
        });
        written.map_err(io)?;
    }
    let wrong = |why: String| Err(SealError::Inconsistent { dir: log.to_owned(), why });
    if frontier.size() < signed.size {
        return wrong(format!("{} leaves were signed, and {} are there", signed.size, frontier.size()));
    }
    if frontier.root() != signed.root {
        return wrong(format!("its first {} leaves have another hash", signed.size));
    }
    files.sync().map_err(io)?;
    Ok((files, frontier))
}

/// The month in which the epoch under way began, written down when it is first asked for.
fn begun(dir: &Path) -> io::Result<String> {
    let month = read_or_empty(&dir.join(BEGUN))?;
    if !month.is_empty() {
        return Ok(month);
    }
    let month = month_of(now());
    replace(dir, BEGUN, month.as_bytes())?;
    Ok(month)
}

/// The month of a time, such as `2026-11`.
pub(super) fn month_of(at: UnixMicros) -> String {
    rfc3339(at).chars().take("2026-11".len()).collect()
}

fn read_or_empty(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

/// Writes a file so that it is the old one or the new one, whatever happens.
pub(super) fn replace(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let begun = dir.join(format!("{name}.new"));
    let mut file = private().create(true).truncate(true).write(true).open(&begun)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(begun, dir.join(name))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
#[path = "sealer_tests.rs"]
mod tests;
