//! The hashes of the tree: RFC 6962, section 2.1, with SHA-256.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::fmt;

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// Stands before the bytes of a leaf, so that no leaf has the hash of two others.
const LEAF_PREFIX: [u8; 1] = [0];
/// Stands before two hashes.
const NODE_PREFIX: [u8; 1] = [1];

/// The hash of a leaf, or of a tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; HASH_BYTES]);

// === impl Hash ===

impl Hash {
    /// The hash of a tree without leaves.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }

    /// The hash of a leaf with these bytes.
    #[must_use]
    pub fn of_leaf(bytes: &[u8]) -> Self {
        Self(Sha256::new().chain_update(LEAF_PREFIX).chain_update(bytes).finalize().into())
    }

    /// The hash of the tree whose halves have these hashes.
    #[must_use]
    pub fn of_children(left: &Self, right: &Self) -> Self {
        let digest = Sha256::new().chain_update(NODE_PREFIX).chain_update(left.0).chain_update(right.0);
        Self(digest.finalize().into())
    }

    /// Reads the form that checkpoints and proofs have; `None` for everything else.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        BASE64_STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The form that checkpoints and proofs have.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}
