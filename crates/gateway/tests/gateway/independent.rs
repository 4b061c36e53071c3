//! Our logs, checked by code that is not ours: Cloudflare's `tlog_tiles` and `signed_note`, after Go's `tlog` and `note`.

use crate::client::Ask;
use crate::house::House;
use crate::provider::Provider;
use futures_util::future::join_all;
use gatehouse_proof::proof_file::Proof;
use serde_json::json;
use signed_note::{Note, StandardVerifier, VerifierList};
use std::path::{Path, PathBuf};
use tlog_tiles::{
    Checkpoint, Hash, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record, prove_tree,
    record_hash,
};

/// The tiles of a copy.
struct Copy(PathBuf);

impl TileReader for Copy {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        // Its paths carry the height of the tiles, as in Go; those of the specification do not.
        let read =
            |tile: &Tile| std::fs::read(self.0.join(tile.path().replacen("tile/8/", "tile/", 1))).unwrap();
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// The signed checkpoint of a copy: its size and root, when the signature is that of its key.
fn checkpoint(bytes: &[u8], key: &str) -> (u64, Hash) {
    let note = Note::from_bytes(bytes).unwrap();
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(key).unwrap())]);
    let (verified, unverified) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 0));
    let says = Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(says.origin(), "gatehouse.example/r0");
    (says.size(), *says.hash())
}

/// The leaves of a copy, by the specification of its tiles alone.
fn leaves(copy: &Path, size: u64) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    for tile in 0..size.div_ceil(256) {
        let width = (size - tile * 256).min(256);
        let part = if width < 256 { format!(".p/{width}") } else { String::new() };
        let bytes = std::fs::read(copy.join(format!("tile/entries/{tile:03}{part}"))).unwrap();
        let mut rest = bytes.as_slice();
        while let [high, low, behind @ ..] = rest {
            let (leaf, behind) = behind.split_at(usize::from(*high) << 8 | usize::from(*low));
            leaves.push(leaf.to_vec());
            rest = behind;
        }
    }
    leaves
}

#[tokio::test]
async fn another_implementation_verifies_our_logs() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("record: { origin: gatehouse.example/r0 }\n")).await;
    let body = json!({"model": "openai/m", "messages": [{"role": "user", "content": "hello"}]});
    let call = || house.call(Ask::post("/v1/chat/completions", &body));
    let mut copies = Vec::new();
    for (name, rounds) in [("early", 1), ("late", 9)] {
        let mut record = String::new();
        for _ in 0..rounds {
            record = join_all((0..17).map(|_| call())).await.pop().unwrap().record();
        }
        let (proof, copy) = (house.path(&format!("{name}.proof")), house.path(name));
        assert!(house.command(&["audit", "prove", &record, "-o", &proof]).await.status.success());
        assert!(house.command(&["audit", "export", "-o", &copy]).await.status.success());
        copies.push((std::fs::read_to_string(proof).unwrap(), Path::new(&copy).join("r0")));
    }
    let key = std::fs::read_to_string(copies[0].1.join("keys")).unwrap();
    let key = key.trim();
    let read = |copy: &Path| std::fs::read(copy.join("checkpoint")).unwrap();
    let (early, late) = (checkpoint(&read(&copies[0].1), key), checkpoint(&read(&copies[1].1), key));
    assert!(early.0 < late.0 && late.0 > 300);

    // Every leaf is proved from the tiles, each of which is checked against the checkpoint on the way.
    let tiles = Copy(copies[1].1.clone());
    let hashes = TileHashReader::new(late.0, late.1, &tiles);
    for (index, leaf) in (0..).zip(leaves(&copies[1].1, late.0)) {
        let proof = prove_record(late.0, index, &hashes).unwrap();
        check_record(&proof, late.0, late.1, index, record_hash(&leaf)).unwrap();
    }
    // The early log is the begin of the late one: by its own proof and by ours.
    let proof = prove_tree(late.0, early.0, &hashes).unwrap();
    check_tree(&proof, late.0, late.1, early.0, early.1).unwrap();
    let stored = gatehouse_audit::tree::TreeFiles::read(Path::new(&house.path("data/log/r0/tree"))).unwrap();
    let ours = gatehouse_proof::tree::consistency(early.0, late.0, &stored).unwrap();
    check_tree(&theirs(&ours), late.0, late.1, early.0, early.1).unwrap();
    assert!(check_tree(&theirs(&ours), late.0, early.1, early.0, late.1).is_err());

    // The proofs of single records.
    for (text, _) in &copies {
        let proof = Proof::parse(text).unwrap();
        let (size, root) = checkpoint(proof.checkpoint.as_bytes(), key);
        let leaf = record_hash(proof.extra.as_deref().unwrap());
        check_record(&theirs(&proof.path), size, root, proof.index, leaf).unwrap();
        assert!(check_record(&theirs(&proof.path), size, root, proof.index - 1, leaf).is_err());
    }
}

fn theirs(path: &[gatehouse_proof::hash::Hash]) -> Vec<Hash> {
    path.iter().map(|hash| Hash(hash.0)).collect()
}
