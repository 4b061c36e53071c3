//! A leaf with its texts as they will stand in the log, but for the leaf's number: made before the log's lock
//! is taken, so that under it nothing is left but to count and to write.

use std::cell::Cell;
use std::io::Write as _;

use crate::commit::Commitments;
use crate::event::Event;
use crate::leaf::{Leaf, render};
use crate::segment::{FRAME_HEADER_BYTES, FrameKind, push_frame, seal_frame};

/// A buffer that a large content has grown beyond this is given back to the system.
const BUFFER_BYTES_KEPT: usize = 256 * 1024;

thread_local! {
    /// The buffer of the thread's last group.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The bytes of a group.
pub(crate) struct Group {
    bytes: Vec<u8>,
    /// Where the frame of the leaf begins.
    leaf_at: usize,
    /// Where the number of the leaf belongs.
    number_at: usize,
}

// === impl Group ===

impl Group {
    /// An event, but for its number.
    pub(crate) fn of_event(event: &Event, shard: &str) -> Self {
        Self::new(Leaf::Event(event), shard, &Commitments::default())
    }

    /// Writes everything but the number.
    pub(crate) fn new(leaf: Leaf<'_>, shard: &str, commits: &Commitments) -> Self {
        let mut bytes = SPARE.take();
        bytes.clear();
        for (sealed, _) in commits.bodies.iter().filter_map(|body| body.sealed.as_ref()) {
            push_frame(&mut bytes, FrameKind::Content, sealed);
        }
        let leaf_at = bytes.len();
        bytes.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
        let number_at = render(&mut bytes, leaf, shard, commits);
        Self { bytes, leaf_at, number_at }
    }

    /// The whole group, with the number that its leaf has got.
    pub(crate) fn numbered(mut self, seq: u64) -> Numbered {
        let mut digits = [0; 20];
        let mut room = digits.as_mut_slice();
        // Twenty digits are enough for any number.
        let _ = write!(room, "{seq}");
        let left = room.len();
        let digits = digits.get(..20 - left).unwrap_or_default();
        self.bytes.splice(self.number_at..self.number_at, digits.iter().copied());
        seal_frame(&mut self.bytes, self.leaf_at, FrameKind::Leaf);
        Numbered(std::mem::take(&mut self.bytes))
    }
}

/// The bytes of a group, ready to be written.
pub(crate) struct Numbered(Vec<u8>);

// === impl Numbered ===

impl Numbered {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.0.shrink_to(BUFFER_BYTES_KEPT);
        SPARE.set(std::mem::take(&mut self.0));
    }
}
