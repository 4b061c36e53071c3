//! The second place of leaves: where they go while the log cannot be written, and from where they come back into it.
//!
//! ```text
//! frame   payload length u32 · crc32 u32 · payload (a group without its number)
//! ```
//! Each leaf is on this disk before anybody is told of it. A torn last frame is nobody's. What comes back stands in the
//! log behind the leaf that declares the gap, under numbers of its own, at the time at which it happened.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::disk::{create_dir, private};
use crate::error::LogError;
use crate::group::Group;

/// Bytes of a frame before its payload.
const HEADER_BYTES: u64 = 8;
/// The longest frame that a reader accepts.
const FRAME_BYTES_MAX: u64 = 160 * 1024 * 1024;

/// Where leaves go while the log cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    /// The folder: on another disk than the log's, or little is won.
    pub dir: PathBuf,
    /// How much it may hold; then calls are refused.
    pub bytes_max: u64,
}

/// The file.
pub(crate) struct Spool {
    file: File,
    bytes_max: u64,
    /// Where the next frame goes.
    bytes: u64,
    /// How many leaves are in it.
    leaves: u64,
    /// Why it takes nothing: it is full, or it failed.
    stuck: bool,
}

// === impl Spool ===

impl Spool {
    /// Opens it, with what an earlier process left in it.
    pub(crate) fn open(options: &SpoolOptions, shard: &str) -> Result<Self, LogError> {
        let path = options.dir.join(format!("{shard}.spool"));
        Self::open_file(&path, options).map_err(LogError::io("open the spool", &path))
    }

    fn open_file(path: &Path, options: &SpoolOptions) -> io::Result<Self> {
        create_dir(&options.dir)?;
        let file = match private().create_new(true).read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                OpenOptions::new().read(true).write(true).open(path)?
            }
            other => other?,
        };
        file.sync_all()?;
        File::open(&options.dir)?.sync_all()?;
        let mut spool = Self { file, bytes_max: options.bytes_max, bytes: 0, leaves: 0, stuck: false };
        while let Some((_, next)) = spool.frame(spool.bytes)? {
            (spool.bytes, spool.leaves) = (next, spool.leaves + 1);
        }
        Ok(spool)
    }

    /// Whether it takes another leaf.
    pub(crate) fn takes(&self) -> bool {
        !self.stuck
    }

    /// How many leaves are in it.
    pub(crate) fn leaves(&self) -> u64 {
        self.leaves
    }

    /// Takes a leaf with its texts; when this returns, it is on the disk.
    pub(crate) fn push(&mut self, group: &Group) -> io::Result<()> {
        let payload = group.spooled();
        let length = u32::try_from(payload.len()).map_err(|_| io::Error::other("a record is too long"))?;
        let after = self.bytes + HEADER_BYTES + u64::from(length);
        if after > self.bytes_max {
            self.stuck = true;
            return Err(io::Error::other("the spool is full"));
        }
        let mut frame = Vec::with_capacity(payload.len() + 8);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        frame.extend_from_slice(&payload);
        let written = self.file.write_all_at(&frame, self.bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.stuck = true;
            return Err(error);
        }
        (self.bytes, self.leaves) = (after, self.leaves + 1);
        Ok(())
    }

    /// The leaves from a place on; the begin is zero.
    pub(crate) fn groups(&self, mut from: u64) -> impl Iterator<Item = io::Result<(Group, u64)>> {
        std::iter::from_fn(move || {
            if from >= self.bytes {
                return None;
            }
            let next = self.frame(from).and_then(|found| {
                let (payload, next) = found.ok_or_else(damaged)?;
                Ok((Group::of_spool(&payload).ok_or_else(damaged)?, next))
            });
            from = next.as_ref().map_or(u64::MAX, |(_, next)| *next);
            Some(next)
        })
    }

    /// Everything in it is in the log, and on that disk.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.sync_all()?;
        (self.bytes, self.leaves, self.stuck) = (0, 0, false);
        Ok(())
    }

    /// The frame at a place, and where the next one begins; nothing where there is no whole one.
    fn frame(&self, at: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
        let mut head = [0; 8];
        match self.file.read_exact_at(&mut head, at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let [l0, l1, l2, l3, c0, c1, c2, c3] = head;
        let length = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
        let next = at + HEADER_BYTES + length;
        if length == 0 || length > FRAME_BYTES_MAX || next > self.file.metadata()?.len() {
            return Ok(None);
        }
        let mut payload = vec![0; usize::try_from(length).unwrap_or_default()];
        self.file.read_exact_at(&mut payload, at + HEADER_BYTES)?;
        let intact = crc32fast::hash(&payload) == u32::from_le_bytes([c0, c1, c2, c3]);
        Ok(intact.then_some((payload, next)))
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the spool does not read")
}
