//! What is kept of what was said: nothing but its size, a digest, or its text.

use crate::keeping;
use crate::redacted::redacted;
use gatehouse_config::file::Content;
use gatehouse_core::record::{Payload, PayloadRole};
use gatehouse_guard::engine::Active;
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex, PoisonError};

/// The most of one body that is kept in full. A longer one is kept up to here; its digest covers all.
pub const KEPT_BYTES_MAX: usize = 1 << 20;

/// A body going by.
pub struct Kept {
    policy: Content,
    bytes: u64,
    digest: Sha256,
    text: Vec<u8>,
    /// Where the rest of it goes by.
    passing: Option<Passing>,
    /// Whether a guardrail has stopped it.
    stopped: bool,
}

/// A body that goes by somewhere else: counted there, and a part of what is kept here.
#[derive(Clone)]
pub struct Passing {
    policy: Content,
    so_far: Arc<Mutex<(u64, Sha256)>>,
}

// === impl Passing ===

impl Passing {
    /// More of the body.
    pub fn count(&self, piece: &[u8]) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.0 += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if self.policy != Content::None {
            so_far.1.update(piece);
        }
    }
}

// === impl Kept ===

impl Kept {
    /// Nothing yet.
    #[must_use]
    pub fn new(policy: Content) -> Self {
        Self { policy, bytes: 0, digest: Sha256::new(), text: Vec::new(), passing: None, stopped: false }
    }

    /// More of the body.
    pub fn take_in(&mut self, piece: &[u8]) {
        self.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        match self.policy {
            Content::None => {}
            Content::Digest => self.digest.update(piece),
            Content::Redacted | Content::Full => {
                self.digest.update(piece);
                let room = KEPT_BYTES_MAX.saturating_sub(self.text.len());
                self.text.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            }
        }
    }

    /// More of a body that is no text.
    pub fn count(&mut self, piece: &[u8]) {
        self.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if self.policy != Content::None {
            self.digest.update(piece);
        }
    }

    /// What is shown of a body that is no text, in the place of what was shown before.
    pub fn show(&mut self, text: &[u8]) {
        if self.policy >= Content::Redacted {
            self.text = text.get(..text.len().min(KEPT_BYTES_MAX)).unwrap_or_default().to_vec();
        }
    }

    /// The rest of the body is counted by another, from here on.
    pub fn pass_on(&mut self) -> Passing {
        let so_far = Arc::new(Mutex::new((self.bytes, self.digest.clone())));
        let passing = Passing { policy: self.policy, so_far };
        self.passing = Some(passing.clone());
        passing
    }

    /// Another body stands for this one.
    pub fn replace(&mut self, body: &[u8]) {
        *self = Self::new(self.policy);
        self.take_in(body);
    }

    /// A guardrail has stopped it: the size and the digest alone are kept, unless a rule says otherwise.
    pub fn stopped(&mut self) {
        self.stopped = true;
    }

    /// Keeps no more than this.
    pub fn limit(&mut self, policy: Content) {
        self.policy = self.policy.min(policy);
        if self.policy < Content::Redacted {
            self.text = Vec::new();
        }
    }

    /// What the record keeps; nothing of a body that never came.
    pub fn take(&mut self, role: PayloadRole, kept: keeping::Kept, guards: &Active) -> Option<Payload> {
        let unstopped = if self.stopped && !kept.of_stopped { Content::Digest } else { Content::Full };
        self.limit(kept.content.min(unstopped));
        if let Some(passing) = self.passing.take() {
            let so_far = passing.so_far.lock().unwrap_or_else(PoisonError::into_inner);
            (self.bytes, self.digest) = so_far.clone();
        }
        if self.bytes == 0 {
            return None;
        }
        let digest = std::mem::take(&mut self.digest);
        let text = (self.policy >= Content::Redacted)
            .then(|| String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned());
        let text = match self.policy {
            Content::Redacted => text.and_then(|text| redacted(&text, guards)),
            _ => text,
        };
        Some(Payload {
            role,
            bytes: std::mem::take(&mut self.bytes),
            sha256: (self.policy != Content::None).then(|| digest.finalize().into()),
            text,
            redacted: self.policy == Content::Redacted,
        })
    }
}
