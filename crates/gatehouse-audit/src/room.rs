//! Room made ahead in a segment: zeros, written and synced before leaves take their place.
//!
//! A sync of bytes that replace others costs a write to the disk. A sync of a file that has grown costs
//! another one, for its new length. So where calls wait for syncs, the segment grows seldom, and by much. A reader
//! takes zeros for "nothing yet": no frame begins with them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::SegmentFile;

/// By how much a segment grows.
const ROOM_BYTES: u64 = 1 << 20;
/// What it grows by, piece by piece.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Where the zeros at the end of a segment end. The lock is held while zeros are being written, so that no
/// leaf is written behind them, or under them, meanwhile.
#[derive(Clone)]
pub(crate) struct Room {
    end: Arc<Mutex<u64>>,
    /// What `end` was when it was last looked at: it only ever grows.
    known: u64,
}

// === impl Room ===

impl Room {
    /// Of a file that is `len` bytes long.
    pub(crate) fn new(len: u64) -> Self {
        Self { end: Arc::new(Mutex::new(len)), known: len }
    }

    /// Writes leaves, into the room as far as there is any.
    pub(crate) fn write(&mut self, file: &dyn SegmentFile, bytes: &[u8], offset: u64) -> io::Result<()> {
        let after = offset + u64::try_from(bytes.len()).unwrap_or_default();
        if after <= self.known {
            return file.write_at(bytes, offset);
        }
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_at(bytes, offset)?;
        *end = (*end).max(after);
        self.known = *end;
        Ok(())
    }

    /// Whether a segment that is written up to `offset`, and ends at `segment_bytes_max`, should get more.
    pub(crate) fn is_short(&self, offset: u64, segment_bytes_max: u64) -> bool {
        self.known < segment_bytes_max && self.known.saturating_sub(offset) < ROOM_BYTES / 2
    }

    /// Makes more, up to `segment_bytes_max`.
    pub(crate) fn grow(&self, file: &dyn SegmentFile, segment_bytes_max: u64) -> io::Result<()> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let until = segment_bytes_max.min(*end + ROOM_BYTES);
        while *end < until {
            let piece = usize::try_from(until - *end).unwrap_or(usize::MAX).min(ZEROS.len());
            file.write_at(ZEROS.get(..piece).unwrap_or_default(), *end)?;
            *end += u64::try_from(piece).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes note of what was made meanwhile.
    pub(crate) fn look(&mut self) {
        self.known = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
    }
}
