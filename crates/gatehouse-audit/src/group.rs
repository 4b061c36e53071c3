//! A leaf with its texts as they will stand in the log, but for the leaf's number: made before the log's lock
//! is taken, so that under it nothing is left but to count and to write.

use gatehouse_core::record::UnixMicros;
use std::cell::Cell;
use std::io::Write as _;

use crate::commit::Commitments;
use crate::event::Event;
use crate::leaf::{Leaf, render};
use crate::pack::push_text;
use crate::segment::{FRAME_HEADER_BYTES, FrameKind, seal_frame};
use crate::spot::{SPOT_BYTES, Spot};

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
    /// How many digits of it are there.
    digits: usize,
    /// The texts that the leaf commits to, as they will stand in a pack.
    texts: Vec<u8>,
    /// How long each is.
    lengths: Vec<u32>,
    /// The moment of the leaf.
    at: UnixMicros,
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
        let sealed = || commits.bodies.iter().filter_map(|body| body.sealed.as_ref());
        let (mut texts, mut lengths) = (Vec::new(), Vec::new());
        for (sealed, _) in sealed() {
            push_text(&mut texts, sealed);
            lengths.push(u32::try_from(sealed.len()).unwrap_or(u32::MAX));
        }
        if !lengths.is_empty() {
            // Where they stand is only known under the lock.
            bytes.resize(FRAME_HEADER_BYTES + lengths.len() * SPOT_BYTES, 0);
        }
        let leaf_at = bytes.len();
        bytes.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
        let number_at = render(&mut bytes, leaf, shard, commits);
        Self { bytes, leaf_at, number_at, digits: 0, texts, lengths, at: leaf.at() }
    }

    /// The texts, as they stand in a pack; none when there are none.
    pub(crate) fn texts(&self) -> Option<&[u8]> {
        (!self.texts.is_empty()).then_some(&self.texts)
    }

    /// The moment of the leaf.
    pub(crate) fn at(&self) -> UnixMicros {
        self.at
    }

    /// The texts stand in this pack, from this place on.
    pub(crate) fn placed(&mut self, pack: u64, mut offset: u64) {
        let Some(frame) = self.bytes.get_mut(..self.leaf_at) else { return };
        let places = frame.get_mut(FRAME_HEADER_BYTES..).unwrap_or_default();
        for (place, bytes) in places.chunks_exact_mut(SPOT_BYTES).zip(&self.lengths) {
            place.copy_from_slice(&Spot { pack, offset, bytes: *bytes }.written());
            offset += u64::try_from(FRAME_HEADER_BYTES).unwrap_or_default() + u64::from(*bytes);
        }
        seal_frame(frame, 0, FrameKind::Spots);
    }

    /// Writes the number that its leaf has got, or, when it got another before, this one.
    pub(crate) fn number(&mut self, seq: u64) {
        let mut digits = [0; 20];
        let mut room = digits.as_mut_slice();
        // Twenty digits are enough for any number.
        let _ = write!(room, "{seq}");
        let left = room.len();
        let digits = digits.get(..20 - left).unwrap_or_default();
        self.bytes.splice(self.number_at..self.number_at + self.digits, digits.iter().copied());
        self.digits = digits.len();
        seal_frame(&mut self.bytes, self.leaf_at, FrameKind::Leaf);
    }

    /// The group as it stands in a segment, once it has its number.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of the leaf without its number: they are no other leaf's.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        let mut leaf = self.bytes.clone();
        leaf.drain(self.number_at..self.number_at + self.digits);
        leaf.split_off((self.leaf_at + FRAME_HEADER_BYTES).min(leaf.len()))
    }

    /// The group without its number, for the spool.
    pub(crate) fn spooled(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.drain(self.number_at..self.number_at + self.digits);
        let word = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        let mut out = Vec::with_capacity(bytes.len() + self.texts.len() + 64);
        out.extend_from_slice(&self.at.to_le_bytes());
        for value in [self.leaf_at, self.number_at, bytes.len(), self.lengths.len()] {
            out.extend_from_slice(&word(value));
        }
        self.lengths.iter().for_each(|length| out.extend_from_slice(&length.to_le_bytes()));
        out.extend_from_slice(&bytes);
        out.extend_from_slice(&self.texts);
        out
    }

    /// A group as the spool has it.
    pub(crate) fn of_spool(mut spooled: &[u8]) -> Option<Self> {
        let at = u64::from_le_bytes(*take(&mut spooled)?);
        let mut word = || take(&mut spooled).map(|bytes| u32::from_le_bytes(*bytes));
        let mut size = || word().and_then(|value| usize::try_from(value).ok());
        let (leaf_at, number_at, len, texts) = (size()?, size()?, size()?, size()?);
        let lengths = (0..texts).map(|_| word()).collect::<Option<Vec<_>>>()?;
        let (bytes, texts) = spooled.split_at_checked(len)?;
        let sound = leaf_at <= number_at && number_at <= len;
        sound.then(|| Self {
            bytes: bytes.to_vec(),
            leaf_at,
            number_at,
            digits: 0,
            texts: texts.to_vec(),
            lengths,
            at,
        })
    }
}

/// The next bytes.
fn take<'b, const N: usize>(from: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (head, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(head)
}

impl Drop for Group {
    fn drop(&mut self) {
        self.bytes.shrink_to(BUFFER_BYTES_KEPT);
        SPARE.set(std::mem::take(&mut self.bytes));
    }
}
