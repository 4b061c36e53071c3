//! A proof as a file: C2SP tlog-proof@v1. <https://c2sp.org/tlog-proof>
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64>                not signed; left out when there is none
//! index 12345
//! <base64 of a hash>            one a line, the leaf's sibling first
//!
//! <the checkpoint with its signatures>
//! ```

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::note::{Note, NoteError, Signed, VerifierKey};
use crate::tree::is_included;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use thiserror::Error;

const HEAD: &str = "c2sp.org/tlog-proof@v1";
/// A path has at most as many hashes as a tree has levels.
const PATH_MAX: usize = 63;

/// That a leaf is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What its giver adds; nobody signed it.
    pub extra: Option<Vec<u8>>,
    /// The place of the leaf.
    pub index: u64,
    /// From the leaf's sibling up.
    pub path: Vec<Hash>,
    /// The checkpoint, as it was signed.
    pub checkpoint: String,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The bytes are no proof.
    #[error("this is no proof: {0}")]
    Malformed(&'static str),
    /// Its checkpoint is none.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
    /// None of the given keys signed.
    #[error("the checkpoint of {0} is not signed by a key that you trust")]
    Unsigned(String),
    /// A signature does not fit.
    #[error("the checkpoint of {0} has a signature that does not fit it")]
    Forged(String),
    /// The leaf is not there.
    #[error("this leaf is not at index {index} of the log {origin} with {size} leaves")]
    NotIncluded {
        /// The log.
        origin: String,
        /// Where it should be.
        index: u64,
        /// How many leaves the log had.
        size: u64,
    },
}

// === impl Proof ===

impl Proof {
    /// Reads a proof.
    ///
    /// # Errors
    /// [`ProofError::Malformed`] when it is none.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let wrong = |why| ProofError::Malformed(why);
        let (head, checkpoint) = text.split_once("\n\n").ok_or(wrong("it has no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEAD) {
            return Err(wrong("its first line is not c2sp.org/tlog-proof@v1"));
        }
        let mut extra = None;
        if let Some(encoded) = lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            extra = Some(BASE64_STANDARD.decode(encoded).map_err(|_| wrong("its extra data is not base64"))?);
            lines.next();
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(|text| text.parse().ok().filter(|index: &u64| index.to_string() == text));
        let index = index.ok_or(wrong("it has no index"))?;
        let path = lines.map(Hash::from_base64).collect::<Option<Vec<_>>>();
        let path = path.ok_or(wrong("a line is no hash"))?;
        if path.len() > PATH_MAX {
            return Err(wrong("it has too many hashes"));
        }
        Ok(Self { extra, index, path, checkpoint: checkpoint.to_owned() })
    }

    /// Whether it proves that a leaf with these bytes is in a log whose checkpoints one of these keys signs. Gives the
    /// checkpoint.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, leaf: &[u8], keys: &[VerifierKey]) -> Result<(Note, Checkpoint), ProofError> {
        let (note, checkpoint) = Checkpoint::read(self.checkpoint.as_bytes())?;
        let mut signed = false;
        for key in keys.iter().filter(|key| key.name() == checkpoint.origin) {
            match key.signed(&note) {
                Signed::Yes(_) => signed = true,
                Signed::No => {}
                Signed::Forged => return Err(ProofError::Forged(checkpoint.origin)),
            }
        }
        if !signed {
            return Err(ProofError::Unsigned(checkpoint.origin));
        }
        let (index, size) = (self.index, checkpoint.size);
        if !is_included(&Hash::of_leaf(leaf), index, size, &checkpoint.root, &self.path) {
            return Err(ProofError::NotIncluded { origin: checkpoint.origin, index, size });
        }
        Ok((note, checkpoint))
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64_STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::{Proof, ProofError};
    use crate::checkpoint::Checkpoint;
    use crate::hash::Hash;
    use crate::note::{Scheme, SignerKey};

    fn proof() -> (Proof, SignerKey) {
        let (one, two) = (Hash::of_leaf(b"one"), Hash::of_leaf(b"two"));
        let origin = "log.example/a";
        let key = SignerKey::new(origin, Scheme::Ed25519, &[1; 32]).unwrap();
        let text = Checkpoint { origin: origin.to_owned(), size: 2, root: Hash::of_children(&one, &two) }
            .to_string();
        let checkpoint = format!("{text}\n{}", key.sign(&text, 0));
        (Proof { extra: None, index: 1, path: vec![one], checkpoint }, key)
    }

    #[test]
    fn a_proof_reads_back_and_proves_its_leaf_alone() {
        let (proof, key) = proof();
        let keys = [key.verifier()];
        let read = Proof::parse(&proof.to_string()).unwrap();
        assert_eq!(read, proof);
        assert_eq!(read.verify(b"two", &keys).unwrap().1.size, 2);
        assert!(matches!(read.verify(b"one", &keys), Err(ProofError::NotIncluded { index: 1, size: 2, .. })));
        assert!(matches!(read.verify(b"two", &[]), Err(ProofError::Unsigned(_))));
        let other = SignerKey::new("log.example/a", Scheme::Ed25519, &[2; 32]).unwrap().verifier();
        assert!(matches!(read.verify(b"two", &[other]), Err(ProofError::Unsigned(_))));
        let grown = Proof { checkpoint: proof.checkpoint.replace("\n2\n", "\n3\n"), ..proof.clone() };
        assert!(matches!(grown.verify(b"two", &keys), Err(ProofError::Forged(_))));
        let more = Proof { extra: Some(b"hi".to_vec()), ..proof };
        assert_eq!(Proof::parse(&more.to_string()).unwrap(), more);
        assert!(more.verify(b"two", &keys).is_ok());
    }

    #[test]
    fn what_is_no_proof_is_refused() {
        let whole = proof().0.to_string();
        for (from, to) in [("@v1", "@v2"), ("index 1", "index 01"), ("index 1\n", ""), ("\n\n", "\nx\n\n")] {
            let error = Proof::parse(&whole.replacen(from, to, 1)).unwrap_err();
            assert!(matches!(error, ProofError::Malformed(_)), "{from} {error}");
        }
    }
}
