//! What is kept of what was said: nothing but its size, a digest, or all of it.

use gatehouse_config::file::Content;
use gatehouse_core::record::{Payload, PayloadRole};
use sha2::{Digest, Sha256};

/// The most of one body that is kept in full. A longer one is kept up to here; its digest covers all.
pub const KEPT_BYTES_MAX: usize = 1 << 20;

/// A body going by.
pub struct Kept {
    policy: Content,
    bytes: u64,
    digest: Sha256,
    text: Vec<u8>,
}

// === impl Kept ===

impl Kept {
    /// Nothing yet.
    #[must_use]
    pub fn new(policy: Content) -> Self {
        Self { policy, bytes: 0, digest: Sha256::new(), text: Vec::new() }
    }

    /// More of the body.
    pub fn take_in(&mut self, piece: &[u8]) {
        self.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        match self.policy {
            Content::None => {}
            Content::Digest => self.digest.update(piece),
            Content::Full => {
                self.digest.update(piece);
                let room = KEPT_BYTES_MAX.saturating_sub(self.text.len());
                self.text.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            }
        }
    }

    /// Keeps the size and the digest alone.
    pub fn forget_text(&mut self) {
        self.text = Vec::new();
        if self.policy == Content::Full {
            self.policy = Content::Digest;
        }
    }

    /// What the record keeps; nothing of a body that never came.
    pub fn take(&mut self, role: PayloadRole) -> Option<Payload> {
        if self.bytes == 0 {
            return None;
        }
        let digest = std::mem::take(&mut self.digest);
        Some(Payload {
            role,
            bytes: std::mem::take(&mut self.bytes),
            sha256: (self.policy != Content::None).then(|| digest.finalize().into()),
            text: (self.policy == Content::Full)
                .then(|| String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned()),
        })
    }
}
