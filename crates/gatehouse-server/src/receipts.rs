//! Who proves what is in the book: the composition root says it.

use crate::telemetry::book::Signing;
use gatehouse_core::call::CallId;

/// Proves what is in the book. Blocks on the disk.
pub trait Receipts: Send + Sync {
    /// The last leaf of a call, and its proof.
    ///
    /// # Errors
    /// When it cannot be had, in words for the operator.
    fn find(&self, call: CallId) -> Result<Option<Receipt>, String>;

    /// How far the log is signed.
    fn signing(&self) -> Signing;

    /// A file of the signed log that tells of nobody: `r0/checkpoint`, `r0/keys`, and tiles of hashes.
    ///
    /// # Errors
    /// As of [`Receipts::find`].
    fn public(&self, path: &str) -> Result<Option<Vec<u8>>, String>;
}

/// A leaf and its proof.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The bytes that are in the log.
    pub leaf: Vec<u8>,
    /// The proof, as a C2SP tlog-proof with the leaf in it; `None` while no checkpoint covers the leaf.
    pub proof: Option<String>,
    /// The public key that signed the checkpoint.
    pub key: String,
}
