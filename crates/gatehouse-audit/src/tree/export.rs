//! A copy of a log that anybody can check: C2SP tlog-tiles, with the keys and the checkpoints of epochs beside them.

use super::anchored::{ANCHORED, kept};
use super::files::TreeFiles;
use super::follow::Follower;
use super::sealer::SealError;
use super::{CHECKPOINT, EPOCHS, KEYS, TREE_DIR};
use crate::pruned::Pruned;
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::leaf::lost;
use gatehouse_proof::tile::{Kind, TILE_WIDTH, Tile, push_entry};
use std::fs;
use std::io;
use std::path::Path;

/// Copies the log of a shard, as far as its newest checkpoint goes, to a folder that is not there yet or empty.
/// Gives the number of leaves.
///
/// # Errors
/// When something cannot be read or written, or nothing is signed yet.
pub fn export(log: &Path, shard: &str, to: &Path) -> Result<u64, SealError> {
    let tree = log.join(TREE_DIR);
    let io = |source| SealError::Io { dir: tree.clone(), source };
    let out = |source| SealError::Io { dir: to.to_owned(), source };
    let text = fs::read(tree.join(CHECKPOINT)).map_err(io)?;
    let (_, checkpoint) = Checkpoint::read(&text).map_err(|error| io(io::Error::other(error.to_string())))?;
    fs::create_dir_all(to.join(EPOCHS)).map_err(out)?;
    fs::copy(tree.join(KEYS), to.join(KEYS)).map_err(out)?;
    for entry in fs::read_dir(tree.join(EPOCHS)).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.path().extension().is_none() {
            fs::copy(entry.path(), to.join(EPOCHS).join(entry.file_name())).map_err(out)?;
        }
    }
    export_anchored(&tree, to, checkpoint.size)?;
    let files = TreeFiles::read(&tree).map_err(io)?;
    let mut follower = Follower::open(log, 0)?;
    let pruned = Pruned::read(log).map_err(io)?;
    for tile in Tile::all(checkpoint.size) {
        let mut bytes = Vec::new();
        match tile.kind {
            Kind::Entries => {
                let end = tile.number * TILE_WIDTH + tile.width;
                while let Some(next) = follower.next(end)? {
                    let leaf = match next.leaf {
                        Some(leaf) => leaf,
                        // Its time was over: its hash stands in the tile beside.
                        None if next.seq < pruned.records => Vec::new(),
                        None => lost(shard, next.seq),
                    };
                    if !push_entry(&mut bytes, &leaf) {
                        return Err(io(io::Error::other(format!(
                            "leaf {} is too long for a tile",
                            next.seq
                        ))));
                    }
                }
            }
            Kind::Hashes(level) => {
                let hashes =
                    files.range(u32::from(level), tile.number * TILE_WIDTH, tile.width).map_err(io)?;
                hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
            }
        }
        let path = to.join(tile.to_string());
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(out)?;
        }
        fs::write(path, bytes).map_err(out)?;
    }
    // Last: a folder with a checkpoint is a whole copy.
    fs::write(to.join(CHECKPOINT), text).map_err(out)?;
    Ok(checkpoint.size)
}

/// Copies what anchors gave back, as far as a copy of so many leaves goes: what they signed since is under a checkpoint
/// that it does not have.
fn export_anchored(tree: &Path, to: &Path, size: u64) -> Result<(), SealError> {
    let all = kept(tree).map_err(|source| SealError::Io { dir: tree.to_owned(), source })?;
    let is_later = |bytes: &[u8]| Checkpoint::read(bytes).is_ok_and(|(_, one)| one.size > size);
    let later: Vec<&str> =
        all.iter().filter(|(_, bytes)| is_later(bytes)).map(|(name, _)| name.as_str()).collect();
    for (name, bytes) in &all {
        // The token of a time stamp goes where its checkpoint goes.
        let stem = name.split_once('.').map_or(name.as_str(), |(stem, _)| stem);
        if later.contains(&stem) {
            continue;
        }
        let folder = to.join(ANCHORED);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join(name), bytes))
            .map_err(|source| SealError::Io { dir: to.to_owned(), source })?;
    }
    Ok(())
}
