//! The tree in files: C2SP tlog-tiles. <https://c2sp.org/tlog-tiles>
//!
//! A tile holds up to 256 hashes of one level; hash *i* of tile *n* at level *l* is that of the perfect subtree over
//! `256^l` leaves that begins at leaf `(n · 256 + i) · 256^l`. Tiles of entries hold the leaves themselves.

use crate::hash::{HASH_BYTES, Hash};
use std::fmt;

/// Hashes of a full tile.
pub const TILE_WIDTH: u64 = 256;
/// Levels of the tree that a level of tiles stands for.
pub const TILE_HEIGHT: u32 = 8;
/// The longest entry: its length is written in two bytes.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Digits of a number in one part of a path.
const GROUP: u64 = 1_000;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Leaves.
    Entries,
    /// Hashes of this level.
    Hashes(u8),
}

/// A tile, as it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// What it holds.
    pub kind: Kind,
    /// Its number in its level.
    pub number: u64,
    /// How many hashes or leaves it holds: 1 to [`TILE_WIDTH`].
    pub width: u64,
}

// === impl Tile ===

impl Tile {
    /// Reads a path like `tile/0/x001/x234/067` or `tile/entries/000.p/112`; `None` for everything else.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => Kind::Entries,
            level => Kind::Hashes(
                level.parse().ok().filter(|number: &u8| *number < 64 && number.to_string() == level)?,
            ),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => {
                let known: u64 = width.parse().ok()?;
                (
                    number,
                    Some(known)
                        .filter(|known| (1..TILE_WIDTH).contains(known) && known.to_string() == width)?,
                )
            }
            None => (rest, TILE_WIDTH),
        };
        let mut parsed: u64 = 0;
        let last = number.split('/').count().checked_sub(1)?;
        for (at, group) in number.split('/').enumerate() {
            let digits = if at < last { group.strip_prefix('x')? } else { group };
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            parsed = parsed.checked_mul(GROUP)?.checked_add(digits.parse().ok()?)?;
        }
        let tile = Self { kind, number: parsed, width };
        // One tile, one name: no groups of zeros before the number.
        (tile.to_string() == path).then_some(tile)
    }

    /// The tiles over the first `size` leaves: every level, the last tile of each as wide as it is.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let levels = (0..8u8)
            .map(move |level| (Kind::Hashes(level), size.checked_shr(u32::from(level) * TILE_HEIGHT)));
        std::iter::once((Kind::Entries, Some(size))).chain(levels).flat_map(|(kind, count)| {
            let count = count.unwrap_or_default();
            (0..count.div_ceil(TILE_WIDTH)).map(move |number| Self {
                kind,
                number,
                width: (count - number * TILE_WIDTH).min(TILE_WIDTH),
            })
        })
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Entries => write!(f, "tile/entries")?,
            Kind::Hashes(level) => write!(f, "tile/{level}")?,
        }
        let groups =
            (0..7).map(|group| GROUP.pow(group)).take_while(|unit| *unit == 1 || self.number >= *unit);
        let groups: Vec<u64> = groups.collect();
        for unit in groups.into_iter().rev() {
            let mark = if unit > 1 { "x" } else { "" };
            write!(f, "/{mark}{:03}", self.number / unit % GROUP)?;
        }
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// The hashes of a tile; `None` when its bytes are no whole number of them.
#[must_use]
pub fn hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let chunks = bytes.chunks_exact(HASH_BYTES);
    let whole = chunks.remainder().is_empty();
    whole.then(|| chunks.filter_map(|chunk| chunk.try_into().ok().map(Hash)).collect())
}

/// The leaves of a tile of entries; `None` when its bytes do not end with one.
#[must_use]
pub fn entries(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        found.push(entry);
        bytes = rest;
    }
    Some(found)
}

/// Appends a leaf to a tile of entries; `false`, and nothing done, when it is longer than [`ENTRY_BYTES_MAX`].
#[must_use]
pub fn push_entry(out: &mut Vec<u8>, leaf: &[u8]) -> bool {
    let Ok(length) = u16::try_from(leaf.len()) else { return false };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(leaf);
    true
}

#[cfg(test)]
mod tests {
    use super::{Kind, TILE_WIDTH, Tile, entries, push_entry};
    use proptest::prelude::*;

    #[test]
    fn the_paths_are_those_of_the_specification() {
        let of = |kind, number, width| Tile { kind, number, width }.to_string();
        assert_eq!(of(Kind::Hashes(0), 1_234_067, TILE_WIDTH), "tile/0/x001/x234/067");
        assert_eq!(of(Kind::Entries, 0, 112), "tile/entries/000.p/112");
        assert_eq!(of(Kind::Hashes(5), 999, 1), "tile/5/999.p/1");
        assert_eq!(of(Kind::Hashes(1), 1_000, TILE_WIDTH), "tile/1/x001/000");
        let no = [
            "tile/0/x000/001",
            "tile/0/1",
            "tile/0/001.p/256",
            "tile/0/001.p/0",
            "tile/00/001",
            "tile/0/x001",
            "tile/0/x001/x234/067/",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/64/000",
            "tile/entries/000.p/01",
            "tile/entries/000.p/+1",
            "tiles/0/000",
            "tile/0/001.p/",
        ];
        no.into_iter().for_each(|path| assert_eq!(Tile::parse(path), None, "{path}"));
    }

    #[test]
    fn the_tiles_of_a_tree_are_those_of_the_specification() {
        let count = |size: u64, kind: Kind| {
            let of_kind: Vec<Tile> = Tile::all(size).filter(|tile| tile.kind == kind).collect();
            (of_kind.len(), of_kind.last().map(|tile| tile.width))
        };
        assert_eq!(count(70_000, Kind::Hashes(0)), (274, Some(112)));
        assert_eq!(count(70_000, Kind::Entries), (274, Some(112)));
        assert_eq!(count(70_000, Kind::Hashes(1)), (2, Some(17)));
        assert_eq!(count(70_000, Kind::Hashes(2)), (1, Some(1)));
        assert_eq!(count(70_000, Kind::Hashes(3)), (0, None));
        assert_eq!(count(256, Kind::Hashes(0)), (1, Some(256)));
        assert_eq!(count(256, Kind::Hashes(1)), (1, Some(1)));
        assert_eq!(Tile::all(0).count(), 0);
    }

    #[test]
    fn entries_read_back_and_torn_ones_do_not() {
        let mut bundle = Vec::new();
        assert!(
            push_entry(&mut bundle, b"one")
                && push_entry(&mut bundle, b"")
                && push_entry(&mut bundle, &[7; 65_535])
        );
        assert!(!push_entry(&mut bundle, &[7; 65_536]));
        let read = entries(&bundle).unwrap();
        assert_eq!((read.len(), read[0], read[1].len(), read[2].len()), (3, b"one".as_slice(), 0, 65_535));
        assert_eq!(entries(&bundle[..bundle.len() - 1]), None);
        assert_eq!(entries(&[0]), None);
    }

    proptest! {
        #[test]
        fn a_path_reads_back(level in 0u8..64, number in any::<u64>(), width in 1u64..=256, entries in any::<bool>()) {
            let kind = if entries { Kind::Entries } else { Kind::Hashes(level) };
            let tile = Tile { kind, number: number % 1_000_000_000_000_000_000, width };
            prop_assert_eq!(Tile::parse(&tile.to_string()), Some(tile));
        }

        #[test]
        fn what_is_no_path_is_no_tile(path in "tile/[0-9x/p.]{0,20}") {
            if let Some(tile) = Tile::parse(&path) {
                prop_assert_eq!(tile.to_string(), path);
            }
        }
    }
}
