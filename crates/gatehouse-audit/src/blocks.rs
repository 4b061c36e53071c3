//! The compressed form of a segment that has ended: its bytes in blocks, each compressed by itself, so that any leaf is
//! read by opening one of them.
//!
//! ```text
//! blocks   zstd frames with checksums, each of BLOCK_BYTES raw bytes but for the last
//! table    the length of each frame, u32
//! end      raw bytes u64 · bytes of a block u32 · version u32 · crc32 of all this from the table on u32 · magic 8
//! ```
//! All numbers are little-endian. Places in it are those of the raw segment.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Ends a compressed segment.
const MAGIC: &[u8; 8] = b"GATEHSGZ";
const VERSION: u32 = 1;
/// Raw bytes that are compressed together: twice as many make the whole a twentieth smaller, and reading one leaf
/// twice as dear.
pub(crate) const BLOCK_BYTES: u32 = 128 * 1024;
/// The largest block that is read: a larger number is damage, not something to allocate.
const BLOCK_BYTES_MAX: u32 = 1024 * 1024;
/// Higher levels take six times as long for a twentieth of the size, and it is time of the machine that serves calls.
const LEVEL: i32 = 3;
const END_BYTES: usize = 8 + 4 + 4 + 4 + 8;

/// A compressed segment, read as if it were the raw one.
pub(crate) struct Blocks {
    file: File,
    path: PathBuf,
    /// Where each frame begins, and where the last one ends.
    begins: Vec<u64>,
    block_bytes: u64,
    len: u64,
    at: u64,
    /// The block that was opened last, and its bytes.
    open: Option<(u64, Vec<u8>)>,
}

/// Writes the first `len` bytes of `raw` in the compressed form. Stops with an error of the kind `Interrupted` when it
/// is not to go on.
pub(crate) fn write(raw: &File, len: u64, to: &mut impl Write, go_on: impl Fn() -> bool) -> io::Result<()> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
    let mut table = Vec::new();
    let mut buffer = vec![0; usize::try_from(BLOCK_BYTES).unwrap_or_default()];
    let mut at = 0;
    while at < len {
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let bytes = (len - at).min(u64::from(BLOCK_BYTES));
        let block = buffer.get_mut(..usize::try_from(bytes).unwrap_or_default()).unwrap_or_default();
        raw.read_exact_at(block, at)?;
        let frame = compressor.compress(block)?;
        table.extend_from_slice(&u32::try_from(frame.len()).map_err(io::Error::other)?.to_le_bytes());
        to.write_all(&frame)?;
        at += bytes;
    }
    table.extend_from_slice(&len.to_le_bytes());
    table.extend_from_slice(&BLOCK_BYTES.to_le_bytes());
    table.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = crc32fast::hash(&table);
    table.extend_from_slice(&checksum.to_le_bytes());
    table.extend_from_slice(MAGIC);
    to.write_all(&table)
}

// === impl Blocks ===

impl Blocks {
    /// Opens one.
    ///
    /// # Errors
    /// When it is not there, or its table is damaged: then nothing of it can be found.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let damaged = || {
            let why =
                format!("the compressed segment {} is damaged: its table does not read", path.display());
            io::Error::new(io::ErrorKind::InvalidData, why)
        };
        let size = file.metadata()?.len();
        let number = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let end_at = size.checked_sub(number(END_BYTES)).ok_or_else(damaged)?;
        let mut end = [0; END_BYTES];
        file.read_exact_at(&mut end, end_at)?;
        let (figures, checked) = end.split_at(16);
        let (checksum, magic) = checked.split_at(4);
        let len = u64_of(figures).ok_or_else(damaged)?;
        let block_bytes = u32_of(figures.get(8..).unwrap_or_default()).ok_or_else(damaged)?;
        let version = u32_of(figures.get(12..).unwrap_or_default());
        let sound =
            magic == MAGIC && version == Some(VERSION) && (1..=BLOCK_BYTES_MAX).contains(&block_bytes);
        let blocks = len.div_ceil(u64::from(block_bytes.max(1)));
        // A table that is longer than the file is none.
        let table_at = blocks.checked_mul(4).and_then(|bytes| end_at.checked_sub(bytes));
        let (true, Some(table_at)) = (sound, table_at) else { return Err(damaged()) };
        let mut table = vec![0; usize::try_from(end_at - table_at).unwrap_or_default()];
        file.read_exact_at(&mut table, table_at)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&table);
        hasher.update(figures);
        if u32_of(checksum) != Some(hasher.finalize()) {
            return Err(damaged());
        }
        let mut begins = vec![0];
        let mut at = 0;
        for length in table.chunks_exact(4) {
            at += u64::from(u32_of(length).unwrap_or_default());
            begins.push(at);
        }
        if at != table_at {
            return Err(damaged());
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            begins,
            block_bytes: block_bytes.into(),
            len,
            at: 0,
            open: None,
        })
    }

    /// How many raw bytes it has.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    fn block(&mut self, number: u64) -> io::Result<&[u8]> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            let ends = (self.begins.get(place).copied(), self.begins.get(place.saturating_add(1)).copied());
            let (Some(begin), Some(end)) = ends else { return Ok(&[]) };
            let mut frame = vec![0; usize::try_from(end - begin).unwrap_or_default()];
            self.file.read_exact_at(&mut frame, begin)?;
            let wanted = (self.len - number * self.block_bytes).min(self.block_bytes);
            let wanted = usize::try_from(wanted).unwrap_or_default();
            let block = match zstd::bulk::decompress(&frame, wanted) {
                Ok(block) if block.len() == wanted => block,
                // As on a raw segment, whoever reads goes on behind what the disk has lost, and says so.
                _ => {
                    tracing::error!(segment = %self.path.display(), block = number, "a block does not open");
                    vec![0; wanted]
                }
            };
            self.open = Some((number, block));
        }
        Ok(self.open.as_ref().map(|(_, block)| block.as_slice()).unwrap_or_default())
    }
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.len {
            return Ok(0);
        }
        let (number, from) = (self.at / self.block_bytes, self.at % self.block_bytes);
        let rest = self.block(number)?.get(usize::try_from(from).unwrap_or_default()..).unwrap_or_default();
        let bytes = rest.len().min(out.len());
        out.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        self.at += u64::try_from(bytes).unwrap_or_default();
        Ok(bytes)
    }
}

impl Seek for Blocks {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

fn u32_of(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_of(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_BYTES, Blocks, END_BYTES, write};
    use proptest::prelude::*;
    use std::fs::File;
    use std::io::{Read as _, Seek as _, SeekFrom};

    fn packed(dir: &std::path::Path, bytes: &[u8]) -> std::path::PathBuf {
        let (raw, path) = (dir.join("raw"), dir.join("packed"));
        std::fs::write(&raw, bytes).unwrap();
        let mut to = File::create(&path).unwrap();
        write(&File::open(raw).unwrap(), u64::try_from(bytes.len()).unwrap(), &mut to, || true).unwrap();
        path
    }

    fn noise(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at * at / 7 % 251).unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_place_reads_as_in_the_raw_bytes(len in 0usize..600_000, places in prop::collection::vec(any::<u32>(), 8)) {
            let dir = tempfile::tempdir().unwrap();
            let bytes = noise(len);
            let mut blocks = Blocks::open(&packed(dir.path(), &bytes)).unwrap();
            prop_assert_eq!(blocks.len(), u64::try_from(len).unwrap());
            for place in places {
                let from = usize::try_from(place).unwrap() % (len + 1);
                blocks.seek(SeekFrom::Start(u64::try_from(from).unwrap())).unwrap();
                let mut read = Vec::new();
                blocks.by_ref().take(200_000).read_to_end(&mut read).unwrap();
                prop_assert_eq!(&read, &bytes[from..bytes.len().min(from + 200_000)]);
            }
        }
    }

    #[test]
    fn what_is_damaged_is_said_or_reads_as_lost() {
        let dir = tempfile::tempdir().unwrap();
        let block = usize::try_from(BLOCK_BYTES).unwrap();
        let bytes = noise(3 * block);
        let path = packed(dir.path(), &bytes);
        let good = std::fs::read(&path).unwrap();
        let table = END_BYTES + 3 * 4;
        // Any bit of the table or of the end.
        for at in good.len() - table..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                std::fs::write(&path, bad).unwrap();
                let error = Blocks::open(&path).err().unwrap_or_else(|| panic!("byte {at} bit {bit}"));
                assert!(error.to_string().contains("packed is damaged"), "{error}");
            }
        }
        // Any length.
        for len in (0..good.len()).step_by(997).chain([good.len() - 1, END_BYTES, 5]) {
            std::fs::write(&path, &good[..len]).unwrap();
            assert!(Blocks::open(&path).is_err(), "{len}");
        }
        // A block.
        let mut bad = good.clone();
        let middle = good.len() / 2;
        bad[middle..middle + 40].fill(0x55);
        std::fs::write(&path, bad).unwrap();
        let mut read = Vec::new();
        Blocks::open(&path).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!((&read[..block], &read[2 * block..]), (&bytes[..block], &bytes[2 * block..]));
        assert!(read[block..2 * block].iter().all(|byte| *byte == 0));
    }
}
