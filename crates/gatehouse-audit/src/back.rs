//! From the spool back into the log. A leaf that came back and was not taken out of the spool, because the process or
//! the disk gave up in between, does not come back again.

use gatehouse_proof::hash::Hash;
use std::collections::HashSet;
use std::io;
use std::path::Path;

use crate::error::LogError;
use crate::reader::{Cursor, Reader};
use crate::segment::{Contents, list_segments};
use crate::writer::{Write, Writer};

/// How many segments are searched for leaves that came back before.
const SEGMENTS_SEARCHED: usize = 128;
/// Leaves that come back while the log's lock is held once.
const LEAVES_AT_ONCE: usize = 256;

/// How far the way back is.
pub(crate) struct Way {
    /// The place in the spool of the next leaf.
    at: u64,
    /// Leaves that came back before, by the hash of their bytes without their numbers.
    before: HashSet<Hash>,
}

/// Brings everything back that an earlier process left in the spool, and sees that it is on the disk.
pub(crate) fn bring_all_back(writer: &mut Writer) -> Result<(), LogError> {
    let dir = writer.dir.clone();
    let io = || LogError::io("bring back what is in the spool into", &dir);
    if writer.spool.as_ref().is_none_or(|spool| spool.leaves() == 0) {
        return Ok(());
    }
    let mut way = Way::begin(&dir).map_err(io())?;
    while way.go_on(writer).map_err(io())? {}
    let files = writer.ended.iter().chain(writer.pack.as_ref().map(|pack| &pack.file));
    let mut files = files.chain(writer.segment.as_ref().map(|segment| &segment.file));
    files.try_for_each(|file| file.sync_data()).map_err(io())?;
    writer.disk.sync_dir(&dir).map_err(io())?;
    way.end(writer).map_err(io())
}

// === impl Way ===

impl Way {
    /// Looks for what came back before.
    pub(crate) fn begin(dir: &Path) -> io::Result<Self> {
        let segments = list_segments(dir)?;
        let first = segments.len().saturating_sub(SEGMENTS_SEARCHED);
        let segment = segments.get(first).copied().unwrap_or_default();
        let mut reader = Reader::open(dir, Cursor { segment, offset: 0 }, Contents::Skip);
        let mut before = HashSet::new();
        while let Some(entry) = reader.next().map_err(io::Error::other)? {
            before.insert(Hash::of_leaf(&without_number(entry.leaf)));
        }
        Ok(Self { at: 0, before })
    }

    /// Brings some leaves back: whether there are more. What came back is to be synced before [`Way::end`].
    pub(crate) fn go_on(&mut self, writer: &mut Writer) -> io::Result<bool> {
        let Some(spool) = writer.spool.take() else { return Ok(false) };
        let mut done = Ok(false);
        for (count, group) in spool.groups(self.at).enumerate() {
            if count == LEAVES_AT_ONCE {
                done = Ok(true);
                break;
            }
            let came = group.and_then(|(mut group, next)| {
                if !self.before.contains(&Hash::of_leaf(&group.leaf())) {
                    writer.append(&mut group, Write::Now).map_err(io::Error::other)?;
                }
                Ok(next)
            });
            match came {
                Ok(next) => self.at = next,
                Err(error) => {
                    done = Err(error);
                    break;
                }
            }
        }
        writer.spool = Some(spool);
        done
    }

    /// Everything came back and is on the disk: the spool is empty from here on, if nothing was added meanwhile.
    pub(crate) fn end(&self, writer: &mut Writer) -> io::Result<()> {
        let Some(spool) = writer.spool.as_mut() else { return Ok(()) };
        tracing::info!(leaves = spool.leaves(), "records came back from the spool");
        spool.clear()
    }
}

/// A leaf without the digits of its number.
fn without_number(mut leaf: Vec<u8>) -> Vec<u8> {
    const NAME: &[u8] = b",\"seq\":";
    const NEXT: &[u8] = b",\"shard\":";
    // No text has a bare quotation mark in it, and no other number stands before a shard.
    let found = memchr::memmem::find_iter(&leaf, NAME).find_map(|at| {
        let rest = leaf.get(at + NAME.len()..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0 && rest.get(digits..)?.starts_with(NEXT))
            .then_some(at + NAME.len()..at + NAME.len() + digits)
    });
    if let Some(digits) = found {
        leaf.drain(digits);
    }
    leaf
}
