//! Whatever is done to a copy of a log, its verification sees it.

use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::hash::Hash;
use gatehouse_proof::note::{KEY_BYTES, Note, Scheme, Signature, SignerKey};
use gatehouse_proof::policy::Policy;
use gatehouse_proof::report::{Report, Verdict};
use gatehouse_proof::tile::{Kind, TILE_HEIGHT, Tile, push_entry};
use gatehouse_proof::tree::Frontier;
use gatehouse_verify::copy::{logs, verify};
use gatehouse_verify::trust::Trust;
use proptest::prelude::*;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const ORIGIN: &str = "gatehouse.example/r0";
const SIZE: u64 = 700;

fn key() -> SignerKey {
    SignerKey::new(ORIGIN, Scheme::Ed25519, &[1; KEY_BYTES]).unwrap()
}

fn witness() -> SignerKey {
    SignerKey::new("witness.example", Scheme::Cosignature, &[3; KEY_BYTES]).unwrap()
}

fn leaf(seq: u64, says: &str) -> Vec<u8> {
    format!(r#"{{"kind":"{says}","seq":{seq},"shard":"r0","ts":"2026-11-24T00:00:00.{seq:06}Z","v":1}}"#)
        .into_bytes()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A copy of a log of these leaves, signed by this key.
fn copy(leaves: &[Vec<u8>], key: &SignerKey) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (mut frontier, mut levels): (Frontier, HashMap<u32, Vec<Hash>>) = Default::default();
    for leaf in leaves {
        frontier.push(Hash::of_leaf(leaf), |level, _, hash| {
            if level.is_multiple_of(TILE_HEIGHT) {
                levels.entry(level / TILE_HEIGHT).or_default().push(hash);
            }
        });
    }
    let index = |number: u64| usize::try_from(number).unwrap();
    for tile in Tile::all(frontier.size()) {
        let span = index(tile.number * 256)..index(tile.number * 256 + tile.width);
        let mut bytes = Vec::new();
        match tile.kind {
            Kind::Entries => leaves[span].iter().for_each(|leaf| assert!(push_entry(&mut bytes, leaf))),
            Kind::Hashes(level) => {
                levels[&u32::from(level)][span].iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
            }
        }
        write(&dir.path().join(tile.to_string()), &bytes);
    }
    let signed = checkpoint(&frontier, key);
    write(&dir.path().join("checkpoint"), signed.as_bytes());
    let mut note = Note::parse(signed.as_bytes()).unwrap();
    note.add(Signature::parse(witness().sign(&note.text, 7).trim_end()).unwrap());
    write(&dir.path().join("anchored/witness-00c0ffee"), note.to_string().as_bytes());
    write(&dir.path().join("keys"), format!("{}\n", key.verifier()).as_bytes());
    dir
}

fn checkpoint(frontier: &Frontier, key: &SignerKey) -> String {
    let text =
        Checkpoint { origin: ORIGIN.to_owned(), size: frontier.size(), root: frontier.root() }.to_string();
    format!("{text}\n{}", key.sign(&text, 0))
}

fn whole() -> Vec<Vec<u8>> {
    (0..SIZE).map(|seq| leaf(seq, "log.opened")).collect()
}

/// By somebody who knows the key, and asks for the witness.
fn judged(dir: &Path) -> Report {
    let policy = Policy::all_of(vec![witness().verifier()]);
    verify(dir, &Trust { keys: vec![key().verifier()], policy, ..Trust::default() }).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.retain(|path| !path.ends_with("keys"));
    found.sort();
    found
}

#[test]
fn a_whole_copy_is_verified_with_and_without_a_key() {
    let dir = copy(&whole(), &key());
    let report = judged(dir.path());
    assert_eq!((report.verdict(), report.size), (Verdict::Verified, SIZE), "{report:?}");
    let trusting = verify(dir.path(), &Trust::default()).unwrap();
    assert_eq!(trusting.verdict(), Verdict::Verified);
    assert!(trusting.unchecked.iter().any(|says| says.contains("the key came with the log")), "{trusting:?}");
    assert_eq!(logs(dir.path()).unwrap(), [dir.path()]);
    assert!(logs(tempfile::tempdir().unwrap().path()).is_err());
}

#[test]
fn a_changed_leaf_is_named_with_its_file() {
    let dir = copy(&whole(), &key());
    let path = dir.path().join("tile/entries/001");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    let at = middle + bytes[middle..].windows(4).position(|window| window == b"kind").unwrap();
    bytes[at] = b'K';
    fs::write(&path, bytes).unwrap();
    let report = judged(dir.path());
    let first = &report.findings[0];
    assert_eq!(
        (report.verdict(), first.file.as_deref()),
        (Verdict::Tampered, Some("tile/entries/001")),
        "{report:?}"
    );
    assert!((256..512).contains(&first.index.unwrap()));
}

#[test]
fn a_log_written_anew_by_another_key_proves_nothing() {
    let other = SignerKey::new(ORIGIN, Scheme::Ed25519, &[2; KEY_BYTES]).unwrap();
    assert_eq!(judged(copy(&whole(), &other).path()).verdict(), Verdict::Unverifiable);
}

#[test]
fn a_log_written_anew_by_its_own_key_is_seen_by_who_remembers() {
    let mut rewritten = whole();
    rewritten[300] = leaf(300, "log.closed");
    let dir = copy(&rewritten, &key());
    assert_eq!(judged(dir.path()).verdict(), Verdict::Verified);
    let remember = |leaves: &[Vec<u8>]| {
        let mut frontier = Frontier::default();
        leaves.iter().for_each(|leaf| frontier.push(Hash::of_leaf(leaf), |_, _, _| {}));
        let path = dir.path().join("remembered");
        fs::write(&path, checkpoint(&frontier, &key())).unwrap();
        let trust = Trust::read(&[key().verifier().to_string()], None, &[path]).unwrap();
        verify(dir.path(), &trust).unwrap()
    };
    assert_eq!(remember(&whole()[..200]).verdict(), Verdict::Verified);
    let seen = remember(&whole()[..400]);
    assert_eq!(seen.verdict(), Verdict::Tampered, "{seen:?}");
    // Rolled back: who remembers more than there is knows that the end is gone.
    let mut longer = rewritten.clone();
    longer.push(leaf(SIZE, "log.opened"));
    assert_eq!(remember(&longer).verdict(), Verdict::Incomplete);
}

#[test]
fn what_a_witness_signed_is_looked_at_whatever_stands_beside_it() {
    let dir = copy(&whole(), &key());
    let report = judged(dir.path());
    let said: Vec<_> = report.witnesses.iter().map(|one| (one.name.as_str(), one.size, one.at)).collect();
    assert_eq!((report.verdict(), said.as_slice()), (Verdict::Verified, &[("witness.example", SIZE, 7)][..]));
    let folder = dir.path().join("anchored");
    // Files that are none of these are passed over; damaged ones, and what cannot be read, are told of.
    for name in ["key", "witness-00c0ffee.new", "notes.txt"] {
        write(&folder.join(name), b"nothing");
    }
    assert_eq!(judged(dir.path()).verdict(), Verdict::Verified);
    write(&folder.join("day-2026-11-24"), b"nothing");
    fs::create_dir(folder.join("witness-0000dead")).unwrap();
    let report = judged(dir.path());
    let told = |name: &str| report.findings.iter().any(|one| one.file.as_deref() == Some(name));
    assert_eq!((report.verdict(), report.witnesses.len()), (Verdict::Tampered, 1), "{report:?}");
    assert!(told("anchored/day-2026-11-24") && told("anchored/witness-0000dead"), "{report:?}");
    // A witness saw more than there is: the end was cut off.
    let mut longer = whole();
    longer.push(leaf(SIZE, "log.opened"));
    let (dir, longer) = (copy(&whole(), &key()), copy(&longer, &key()));
    let note = "anchored/witness-00c0ffee";
    fs::copy(longer.path().join(note), dir.path().join(note)).unwrap();
    assert_eq!(judged(dir.path()).verdict(), Verdict::Unverifiable, "and nobody vouches for the rest");
    let report = verify(dir.path(), &Trust { keys: vec![key().verifier()], ..Trust::default() }).unwrap();
    assert_eq!(report.verdict(), Verdict::Incomplete, "{report:?}");
    // A witness saw something else.
    let mut other = whole();
    other[300] = leaf(300, "log.closed");
    fs::copy(copy(&other, &key()).path().join(note), dir.path().join(note)).unwrap();
    assert_eq!(judged(dir.path()).verdict(), Verdict::Tampered);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A flipped bit, a removed, cut, lengthened or exchanged file: of any file of the copy.
    #[test]
    fn no_change_of_a_copy_goes_unseen(
        file in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(), how in 0u8..5, bit in 0u8..8,
    ) {
        let dir = copy(&whole(), &key());
        let files = files(dir.path());
        let (file, other) = (&files[file.index(files.len())], &files[other.index(files.len())]);
        let mut bytes = fs::read(file).unwrap();
        let before = bytes.clone();
        match how {
            0 => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            1 => bytes.truncate(at.index(bytes.len())),
            2 => bytes.extend_from_slice(&before[..=at.index(before.len())]),
            3 => bytes = fs::read(other).unwrap(),
            _ => {}
        }
        // In the place of the checkpoint, the same with one more signature is no change.
        let is_the_same = bytes == before || (how == 3 && bytes.starts_with(&before));
        prop_assume!(how == 4 || !is_the_same);
        if how == 4 { fs::remove_file(file).unwrap() } else { fs::write(file, bytes).unwrap() }
        let seen = logs(dir.path()).is_err() || judged(dir.path()).verdict() != Verdict::Verified;
        // The hashes of the lowest level only help to say where; without them the leaves still tell.
        let only_help = how == 4 && file.to_string_lossy().contains("tile/0/");
        prop_assert!(seen || only_help, "{how} {}", file.display());
    }
}
