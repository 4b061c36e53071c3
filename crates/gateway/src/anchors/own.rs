//! The log of this gateway, as anchors are told of it and compared with it.

use super::Outcome;
use anyhow::{Context as _, Result};
use gatehouse_audit::tree::{KEYS, Sealing, TreeFiles, anchor_key, keep};
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::hash::Hash;
use gatehouse_proof::note::{Note, Signed, SignerKey, VerifierKey};
use gatehouse_proof::tree::{consistency, root};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// The file of the public key that witnesses have to know, among what anchors gave back.
const ANCHOR_KEY: &str = "key";

/// The log of this gateway.
pub(super) struct Own {
    /// The folder of its tree.
    pub(super) tree: PathBuf,
    sealing: Sealing,
    /// What signs for witnesses.
    key: Option<SignerKey>,
}

/// The newest checkpoint.
#[derive(Clone)]
pub(super) struct Newest {
    /// As the log signed it.
    pub(super) text: String,
    /// The same, with the signature for witnesses too.
    pub(super) note: Note,
    pub(super) says: Checkpoint,
}

/// What a copy is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It is of as many leaves.
    Newest,
    /// The log added to it.
    Older,
}

// === impl Own ===

impl Own {
    /// That of a log that is signed. The key for witnesses is made, if there is none, and shown.
    pub(super) fn open(tree: &Path, sealing: &Sealing, has_witnesses: bool) -> Result<Self> {
        let (origin, _, _) = sealing.signed();
        let mut key = None;
        if has_witnesses {
            let signer = anchor_key(tree, &origin).context("the key for witnesses cannot be kept")?;
            keep(tree, ANCHOR_KEY, format!("{}\n", signer.verifier()).as_bytes())
                .context("the key for witnesses cannot be shown")?;
            tracing::info!(%origin, key = %signer.verifier(), "witnesses have to know this log by its origin and this key");
            key = Some(signer);
        }
        Ok(Self { tree: tree.to_owned(), sealing: sealing.clone(), key })
    }

    /// The key that witnesses have to know.
    pub(super) fn key(&self) -> String {
        self.key.as_ref().map(|key| key.verifier().to_string()).unwrap_or_default()
    }

    /// The newest checkpoint; `None` before the first.
    pub(super) async fn newest(self: &Arc<Self>) -> Option<Newest> {
        let own = Arc::clone(self);
        spawn_blocking(move || {
            let (_, _, text) = own.sealing.signed();
            let (mut note, says) = Checkpoint::read(text.as_bytes()).ok()?;
            let line = own.key.as_ref().map(|key| key.sign(&note.text, 0));
            let line = line.and_then(|line| gatehouse_proof::note::Signature::parse(line.trim_end()));
            line.into_iter().for_each(|line| note.add(line));
            Some(Newest { text, note, says })
        })
        .await
        .ok()?
    }

    /// That the first `new` leaves only add to the first `old`.
    pub(super) async fn consistency(self: &Arc<Self>, old: u64, new: u64) -> Result<Vec<Hash>, String> {
        let own = Arc::clone(self);
        let proof = spawn_blocking(move || consistency(old, new, &TreeFiles::read(&own.tree)?)).await;
        proof
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("the tree of the log cannot be read: {error}"))
    }

    /// What a copy that reads as a checkpoint is to this log. Blocks on the disk.
    pub(super) fn compare(&self, bytes: &[u8], newest: &Newest) -> Result<Age, Outcome> {
        let drifts = |says: String| Err(Outcome::Drifts(says));
        let (note, says) = match Checkpoint::read(bytes) {
            Ok(read) => read,
            Err(error) => return drifts(format!("what it holds is no checkpoint: {error}")),
        };
        let (size, own) = (says.size, newest.says.size);
        if says.origin != newest.says.origin {
            return drifts(format!("it holds a checkpoint of {}, not of this log", says.origin));
        }
        if size > own {
            return drifts(format!(
                "it holds {size} leaves, and the log has {own}: the log was rolled back, or another goes by its name"
            ));
        }
        let failed = |error: std::io::Error| Outcome::Failed(format!("the tree cannot be read: {error}"));
        let fits = root(size, &TreeFiles::read(&self.tree).map_err(failed)?).map_err(failed)? == says.root;
        if !fits {
            return drifts(format!(
                "it holds another root for the first {size} leaves: the log was written anew, or another goes by its name"
            ));
        }
        let keys = std::fs::read_to_string(self.tree.join(KEYS)).map_err(failed)?;
        let signs =
            |line: &str| VerifierKey::parse(line).is_ok_and(|key| key.signed(&note) == Signed::Yes(None));
        if !keys.lines().any(signs) {
            return drifts("it holds a checkpoint that no key of this log signed".to_owned());
        }
        Ok(if size == own { Age::Newest } else { Age::Older })
    }
}
