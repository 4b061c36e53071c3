//! What every way of reading a configuration ends in, and the version that it gets.

use crate::fault::Fault;
use crate::file::Config;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration, its references filled in.
    pub config: Config,
    /// Hex SHA-256 of the document as it is written, its references not filled in: no secret goes into it.
    pub version: String,
    /// What probably does not do what was meant.
    pub warnings: Vec<Fault>,
}

/// Hex SHA-256.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
