//! The proofs that callers ask for: from the index to the leaf, from the leaf to the tree.

use crate::anchors::witnessed;
use crate::index::Handle;
use gatehouse_audit::tree::{KEYS, Sealing, SealingStatus, TREE_DIR, TreeFiles};
use gatehouse_audit::{DEFAULT_SHARD, Log, shard_dir};
use gatehouse_core::call::CallId;
use gatehouse_proof::leaf::Facts;
use gatehouse_proof::note::{Note, Signed, VerifierKey};
use gatehouse_proof::proof_file::Proof;
use gatehouse_proof::tile::{Kind, TILE_WIDTH, Tile};
use gatehouse_proof::tree::inclusion;
use gatehouse_server::receipts::{Receipt, Receipts};
use gatehouse_server::telemetry::book::Signing;
use gatehouse_store::Index;
use std::path::PathBuf;

/// Proves what is in the log that this process writes.
pub(crate) struct Prover {
    pub(crate) data: PathBuf,
    pub(crate) index: Handle,
    pub(crate) log: Log,
    pub(crate) sealing: Sealing,
}

// === impl Prover ===

impl Prover {
    /// Puts a proof under a checkpoint that witnesses signed, if there is one of this key over its leaf.
    fn witness(&self, proof: &mut Proof, key: &VerifierKey) -> std::io::Result<()> {
        let tree = shard_dir(&self.data, DEFAULT_SHARD).join(TREE_DIR);
        let files = TreeFiles::read(&tree)?;
        let Some((checkpoint, says)) = witnessed(&tree, &files, proof.index) else { return Ok(()) };
        if Note::parse(checkpoint.as_bytes()).is_ok_and(|note| key.signed(&note) == Signed::Yes(None)) {
            proof.path = inclusion(proof.index, says.size, &files)?;
            proof.checkpoint = checkpoint;
        }
        Ok(())
    }
}

impl Receipts for Prover {
    fn find(&self, call: CallId) -> Result<Option<Receipt>, String> {
        let open = || Index::open(&self.data).map_err(|error| error.to_string());
        let show = |index: Index| index.show(call).map_err(|error| error.to_string());
        let mut shown = show(open()?)?;
        if shown.as_ref().is_none_or(|shown| shown.leaf.is_none()) {
            // Perhaps it came a moment ago.
            self.index.catch_up().map_err(|error| error.to_string())?;
            shown = show(open()?)?;
        }
        let Some(leaf) = shown.and_then(|shown| shown.leaf) else { return Ok(None) };
        let says = Facts::of(leaf.as_bytes()).says.ok_or("the leaf does not read")?;
        let prove = || self.sealing.prove(says.seq).map_err(|error| error.to_string());
        let mut proof = prove()?;
        if proof.is_none() {
            // It is younger than the newest checkpoint.
            self.sealing.seal(&self.log).map_err(|error| error.to_string())?;
            proof = prove()?;
        }
        let (_, key, _) = self.sealing.signed();
        if let Some(proof) = &mut proof {
            self.witness(proof, &key).map_err(|error| format!("the tree cannot be read: {error}"))?;
        }
        let proof = proof.map(|mut proof| {
            proof.extra = Some(leaf.clone().into_bytes());
            proof.to_string()
        });
        Ok(Some(Receipt { leaf: leaf.into_bytes(), proof, key: key.to_string() }))
    }

    fn signing(&self) -> Signing {
        Signing { leaves: self.sealing.signed_size(), works: self.sealing.status() == SealingStatus::Healthy }
    }

    fn public(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(rest) = path.strip_prefix(DEFAULT_SHARD).and_then(|rest| rest.strip_prefix('/')) else {
            return Ok(None);
        };
        let tree = shard_dir(&self.data, DEFAULT_SHARD).join(TREE_DIR);
        let told = |error: std::io::Error| error.to_string();
        match (rest, Tile::parse(rest)) {
            ("checkpoint", _) => {
                Ok(Some(self.sealing.signed().2.into_bytes()).filter(|text| !text.is_empty()))
            }
            ("keys", _) => std::fs::read(tree.join(KEYS)).map(Some).map_err(told),
            (_, Some(Tile { kind: Kind::Hashes(level), number, width })) => {
                let files = TreeFiles::read(&tree).map_err(told)?;
                let begin = number.saturating_mul(TILE_WIDTH);
                let hashes = files.range(u32::from(level), begin, width).map_err(told)?;
                let whole = u64::try_from(hashes.len()).is_ok_and(|len| len == width);
                Ok(whole.then(|| hashes.iter().flat_map(|hash| hash.0).collect()))
            }
            _ => Ok(None),
        }
    }
}
