//! Where texts stand: apart from the leaves that commit to them, so that they can be given up before these.
//!
//! ```text
//! header  magic 8 · version u32 · number u64 · end u64 · crc32 u32
//! frame   length u32 · state u8 · crc32 u32 of state and text · sealed text
//! ```
//! All numbers are little-endian. A pack holds the texts of one period (a day, or less where texts are kept for
//! a short time) up to its end, in microseconds, and has the number of the first leaf that refers to it. A leaf's group in its segment says where its texts stand ([`Spot`]): that is not
//! signed and need not be, because the leaf has the SHA-256 of each. A pack is never gone on with after a restart.
//! Texts that are given up while others of their pack are on hold are overwritten where they stand.

use gatehouse_core::record::UnixMicros;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, SegmentFile, list_files};
use crate::pruned::Pruned;
use crate::room::Room;
use crate::spot::Spot;

const MAGIC: &[u8; 8] = b"GATEHPAK";
const VERSION: u32 = 1;
const HEADER_SIZE: usize = 8 + 4 + 8 + 8 + 4;
/// The same, as files count.
pub(crate) const HEADER_BYTES: u64 = 8 + 4 + 8 + 8 + 4;
const EXTENSION: &str = "pack";
/// Bytes of a frame before its text.
const FRAME_HEADER_SIZE: usize = 4 + 1 + 4;
/// The same, as files count.
pub(crate) const FRAME_HEADER_BYTES: u64 = 4 + 1 + 4;
/// The longest text that a reader accepts.
const TEXT_BYTES_MAX: u32 = 80 * 1024 * 1024;
/// What a frame holds: a text, or zeros where one was.
const TEXT: u8 = 1;
const GIVEN_UP: u8 = 2;

/// A sealed text that a leaf commits to, as far as it is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// It is.
    There(Vec<u8>),
    /// It was given up when its time was over.
    Pruned,
    /// It is not where it should be.
    Missing,
}

/// The pack that is written.
pub(crate) struct Pack {
    pub(crate) file: Arc<dyn SegmentFile>,
    pub(crate) number: u64,
    /// The end of its period.
    pub(crate) end: UnixMicros,
    /// Where the next text goes.
    pub(crate) offset: u64,
    pub(crate) room: Room,
}

/// The path of the pack of this number.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.{EXTENSION}"))
}

/// The numbers of the packs in `dir`, in order.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    list_files(dir, EXTENSION)
}

/// Makes a pack.
pub(crate) fn create(disk: &dyn Disk, dir: &Path, number: u64, end: UnixMicros) -> io::Result<Pack> {
    let path = path(dir, number);
    // A pack of this name has no leaf, or the number would have been used: a start that failed.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(&path)?;
    let header = header(number, end);
    if let Err(error) = file.write_at(&header, 0) {
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    let offset = u64::try_from(header.len()).unwrap_or_default();
    Ok(Pack { file, number, end, offset, room: Room::new(offset) })
}

/// The end of a pack's period; none when its header does not read.
pub(crate) fn end(dir: &Path, number: u64) -> io::Result<Option<UnixMicros>> {
    let mut found = [0; HEADER_SIZE];
    match File::open(path(dir, number))?.read_exact_at(&mut found, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let end = found.get(20..28).and_then(|end| end.try_into().ok()).map(u64::from_le_bytes);
    Ok(end.filter(|end| header(number, *end) == found))
}

fn header(number: u64, end: UnixMicros) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_SIZE);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&end.to_le_bytes());
    let checksum = crc32fast::hash(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Appends a text as it stands in a pack.
pub(crate) fn push_text(out: &mut Vec<u8>, sealed: &[u8]) {
    // Texts are limited far below four gigabytes before they come here.
    let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.push(TEXT);
    out.extend_from_slice(&checksum(TEXT, sealed).to_le_bytes());
    out.extend_from_slice(sealed);
}

fn checksum(state: u8, text: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[state]);
    hasher.update(text);
    hasher.finalize()
}

/// The text at a spot.
pub(crate) fn read(dir: &Path, spot: Spot) -> io::Result<Text> {
    let file = match File::open(path(dir, spot.pack)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let gone = Pruned::read(dir)?.contents > spot.pack;
            return Ok(if gone { Text::Pruned } else { Text::Missing });
        }
        Err(error) => return Err(error),
    };
    if spot.bytes > TEXT_BYTES_MAX {
        return Ok(Text::Missing);
    }
    let mut frame = vec![0; FRAME_HEADER_SIZE + usize::try_from(spot.bytes).unwrap_or_default()];
    match file.read_exact_at(&mut frame, spot.offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Text::Missing),
        other => other?,
    }
    let text = frame.split_off(FRAME_HEADER_SIZE);
    let [l0, l1, l2, l3, state, c0, c1, c2, c3] = frame.as_slice() else { return Ok(Text::Missing) };
    let known = u32::from_le_bytes([*l0, *l1, *l2, *l3]) == spot.bytes
        && checksum(*state, &text) == u32::from_le_bytes([*c0, *c1, *c2, *c3]);
    Ok(match (known, *state) {
        (true, TEXT) => Text::There(text),
        (true, GIVEN_UP) => Text::Pruned,
        _ => Text::Missing,
    })
}

/// Overwrites texts where they stand, and sees that this is on the disk.
pub(crate) fn give_up(dir: &Path, number: u64, spots: &[Spot]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path(dir, number))?;
    for spot in spots {
        let zeros = vec![0; usize::try_from(spot.bytes).unwrap_or_default()];
        let mut frame = Vec::with_capacity(FRAME_HEADER_SIZE + zeros.len());
        frame.extend_from_slice(&spot.bytes.to_le_bytes());
        frame.push(GIVEN_UP);
        frame.extend_from_slice(&checksum(GIVEN_UP, &zeros).to_le_bytes());
        frame.extend_from_slice(&zeros);
        file.write_all_at(&frame, spot.offset)?;
    }
    file.sync_data()
}
