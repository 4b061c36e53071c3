//! The proof of one record, in a file.

use crate::trust::Trust;
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::note::Signed;
use gatehouse_proof::proof_file::{Proof, ProofError};
use gatehouse_proof::report::Verdict;

/// What a proof is worth.
#[derive(Clone, Debug)]
pub struct Worth {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, for a person.
    pub says: String,
    /// The leaf that came with the proof.
    pub leaf: Option<String>,
    /// Where it is in its log.
    pub index: u64,
    /// The checkpoint, when it reads.
    pub checkpoint: Option<Checkpoint>,
    /// When witnesses are asked for: whether they agree.
    pub witnessed: Option<bool>,
}

/// Checks a proof whose leaf is in its `extra` line.
#[must_use]
pub fn verify(text: &str, trust: &Trust) -> Worth {
    match Proof::parse(text) {
        Ok(proof) => weighed(&proof, trust),
        Err(error) => Worth {
            verdict: Verdict::Unverifiable,
            says: error.to_string(),
            leaf: None,
            index: 0,
            checkpoint: None,
            witnessed: None,
        },
    }
}

fn weighed(proof: &Proof, trust: &Trust) -> Worth {
    let leaf = proof.extra.as_deref().unwrap_or_default();
    let needs_witnesses = trust.policy.needs_witnesses();
    let (verdict, says, witnessed) = match proof.verify(leaf, &trust.keys) {
        Ok((note, _))
            if trust.policy.witnesses.iter().any(|(_, key)| key.signed(&note) == Signed::Forged) =>
        {
            let says = "the checkpoint has a signature of a witness that does not fit it".to_owned();
            (Verdict::Tampered, says, Some(false))
        }
        Ok((note, _)) if needs_witnesses && !trust.policy.is_satisfied(&note) => {
            let says =
                "the checkpoint lacks the signatures of the witnesses that the policy asks for".to_owned();
            (Verdict::Unverifiable, says, Some(false))
        }
        Ok((_, known)) => {
            let says = format!(
                "the record is leaf {} of the log {}, which was signed with {} leaves",
                proof.index, known.origin, known.size
            );
            (Verdict::Verified, says, needs_witnesses.then_some(true))
        }
        Err(error @ ProofError::Unsigned(_)) => (Verdict::Unverifiable, error.to_string(), None),
        Err(error) => (Verdict::Tampered, error.to_string(), None),
    };
    let checkpoint = Checkpoint::read(proof.checkpoint.as_bytes()).ok().map(|(_, known)| known);
    let leaf = proof.extra.as_deref().map(|leaf| String::from_utf8_lossy(leaf).into_owned());
    Worth { verdict, says, leaf, index: proof.index, checkpoint, witnessed }
}
