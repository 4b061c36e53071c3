//! The hashes of a log, in flat files: `hashes-<n>` holds those of its subtrees of `256^n` leaves, in order.

use gatehouse_proof::hash::{HASH_BYTES, Hash};
use gatehouse_proof::tile::TILE_HEIGHT;
use gatehouse_proof::tree::{Nodes, of_row};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::disk::private;

/// Levels that are kept: 256^8 is more than there can be.
const LEVELS: u32 = 8;
/// Bytes of a hash, as files count them.
const STEP: u64 = 32;
/// What is added is written when it has grown to this.
const BUFFER_BYTES: usize = 256 * 1024;

/// The hashes of a log.
#[derive(Debug)]
pub struct TreeFiles {
    dir: PathBuf,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    file: File,
    /// Hashes in the file.
    written: u64,
    /// Those behind them.
    buffer: Vec<u8>,
    /// Whether the file may have what the disk has not.
    dirty: bool,
}

// === impl TreeFiles ===

impl TreeFiles {
    /// Opens those in a folder, cut to a log of `size` leaves; `None` when they hold less than that.
    ///
    /// # Errors
    /// When the files cannot be opened.
    pub fn open(dir: &Path, size: u64) -> io::Result<Option<Self>> {
        let mut levels = Vec::new();
        let mut whole = true;
        for level in 0..LEVELS {
            let path = dir.join(format!("hashes-{level}"));
            let file = private().create(true).truncate(false).read(true).write(true).open(path)?;
            let wanted = size >> (level * TILE_HEIGHT);
            whole &= file.metadata()?.len() / STEP >= wanted;
            levels.push(Level { file, written: wanted, buffer: Vec::new(), dirty: true });
        }
        if !whole {
            return Ok(None);
        }
        for level in &levels {
            level.file.set_len(level.written * STEP)?;
        }
        Ok(Some(Self { dir: dir.to_owned(), levels }))
    }

    /// Those of a log that is read, and not written.
    ///
    /// # Errors
    /// When the files cannot be opened.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let mut levels = Vec::new();
        for level in 0..LEVELS {
            let file = File::open(dir.join(format!("hashes-{level}")))?;
            let written = file.metadata()?.len() / STEP;
            levels.push(Level { file, written, buffer: Vec::new(), dirty: false });
        }
        Ok(Self { dir: dir.to_owned(), levels })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Adds the hash of a subtree that became whole; others than those of whole tiles are passed over.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, level: u32, hash: Hash) -> io::Result<()> {
        let kept = level.is_multiple_of(TILE_HEIGHT).then_some(level / TILE_HEIGHT);
        let kept = kept.and_then(|level| self.levels.get_mut(usize::try_from(level).ok()?));
        let Some(level) = kept else { return Ok(()) };
        level.buffer.extend_from_slice(&hash.0);
        if level.buffer.len() >= BUFFER_BYTES { level.flush() } else { Ok(()) }
    }

    /// Hands what was added to the kernel.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.levels.iter_mut().try_for_each(Level::flush)
    }

    /// Sees that what was added is on the disk.
    ///
    /// # Errors
    /// When that cannot be had.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        for level in self.levels.iter_mut().filter(|level| level.dirty) {
            level.file.sync_data()?;
            level.dirty = false;
        }
        Ok(())
    }

    /// Some hashes of one level of tiles; fewer than asked for at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn range(&self, level: u32, begin: u64, count: u64) -> io::Result<Vec<Hash>> {
        let Some(kept) = usize::try_from(level).ok().and_then(|level| self.levels.get(level)) else {
            return Ok(Vec::new());
        };
        let count = count.min(kept.len().saturating_sub(begin));
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; usize::try_from(count * STEP).unwrap_or_default()];
        kept.read(&mut bytes, begin)?;
        Ok(bytes.chunks_exact(HASH_BYTES).filter_map(|chunk| chunk.try_into().ok().map(Hash)).collect())
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, Level::len)
    }
}

impl Nodes for TreeFiles {
    type Error = io::Error;

    fn node(&self, level: u32, index: u64) -> io::Result<Hash> {
        let (tile_level, above) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let row = self.range(tile_level, index << above, 1 << above)?;
        let whole = Some(row).filter(|row| row.len() == 1 << above).and_then(of_row);
        whole.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the tree has no such hash"))
    }
}

// === impl Level ===

impl Level {
    fn len(&self) -> u64 {
        self.written + u64::try_from(self.buffer.len()).unwrap_or_default() / STEP
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.dirty = true;
        self.file.write_all_at(&self.buffer, self.written * STEP)?;
        self.written = self.len();
        self.buffer.clear();
        Ok(())
    }

    /// Reads hashes from `begin` on, those in memory too.
    fn read(&self, bytes: &mut [u8], begin: u64) -> io::Result<()> {
        let on_disk = usize::try_from(self.written.saturating_sub(begin) * STEP).unwrap_or(usize::MAX);
        let (from_file, from_buffer) = bytes.split_at_mut(on_disk.min(bytes.len()));
        self.file.read_exact_at(from_file, begin * STEP)?;
        let at = usize::try_from(begin.saturating_sub(self.written) * STEP).unwrap_or(usize::MAX);
        let found = self.buffer.get(at..).and_then(|rest| rest.get(..from_buffer.len()));
        from_buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::TreeFiles;
    use gatehouse_proof::hash::Hash;
    use gatehouse_proof::tree::{Frontier, inclusion, is_included, root};

    #[test]
    fn what_is_written_proves_what_was_added() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = TreeFiles::open(dir.path(), 0).unwrap().unwrap();
        let mut frontier = Frontier::default();
        let leaf = |n: u64| Hash::of_leaf(&n.to_be_bytes());
        for n in 0..70_000 {
            frontier.push(leaf(n), |level, _, hash| files.add(level, hash).unwrap());
        }
        // Part of it is still in memory.
        assert_eq!(root(70_000, &files).unwrap(), frontier.root());
        files.sync().unwrap();
        let read = TreeFiles::read(dir.path()).unwrap();
        assert_eq!((read.size(), Frontier::load(70_000, &read).unwrap()), (70_000, frontier.clone()));
        // Of leaves that have no hash yet there is none, however far they are behind the last.
        let count = |begin| read.range(0, begin, 100).unwrap().len();
        assert_eq!((count(69_990), count(70_000), count(90_000)), (10, 0, 0));
        for index in [0, 255, 256, 65_535, 65_536, 69_999] {
            let path = inclusion(index, 70_000, &read).unwrap();
            assert!(is_included(&leaf(index), index, 70_000, &frontier.root(), &path));
        }
        assert_eq!(read.range(1, 270, 9).unwrap().len(), 3);
        let expected = root(65_538, &read).unwrap();
        // Cut back to what a checkpoint speaks of, and grown again another way.
        let mut files = TreeFiles::open(dir.path(), 65_537).unwrap().unwrap();
        let mut again = Frontier::load(65_537, &files).unwrap();
        assert_eq!(files.size(), 65_537);
        again.push(leaf(65_537), |level, _, hash| files.add(level, hash).unwrap());
        assert_eq!(root(65_538, &files).unwrap(), expected);
        drop(files);
        assert!(TreeFiles::open(dir.path(), 65_600).unwrap().is_none());
    }
}
