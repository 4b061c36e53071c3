//! Signing over restarts and crashes, and refusing to.

use super::{SealError, Sealer};
use crate::event::{Event, EventKind};
use crate::leaf::Leaf;
use crate::log::Log;
use crate::tree::{EPOCHS, TREE_DIR};
use gatehouse_proof::examine::{Examiner, Known};
use gatehouse_proof::leaf::Facts;
use gatehouse_proof::note::VerifierKey;
use gatehouse_proof::policy::Policy;
use gatehouse_proof::report::{Report, Verdict};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct House {
    data: TempDir,
}

impl House {
    fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap() }
    }

    fn dir(&self) -> PathBuf {
        crate::shard_dir(self.data.path(), "r0")
    }

    fn tree(&self) -> PathBuf {
        self.dir().join(TREE_DIR)
    }

    /// Writes leaves, and closes the log: then all of them are on the disk. Gives how many there are.
    fn write(&self, count: u64) -> u64 {
        self.write_each(count, |n| Event::new(EventKind::KeyCreated, 1_795_488_606_000_000 + n).field("n", n))
    }

    fn write_each(&self, count: u64, event: impl Fn(u64) -> Event) -> u64 {
        let mut options = crate::samples::options(self.data.path());
        options.segment_bytes_max = 4_000;
        let log = Log::open(&options).unwrap();
        for n in 0..count {
            log.append(Leaf::Event(&event(n))).unwrap();
        }
        log.stats().next_seq
    }

    fn sealer(&self) -> Sealer {
        Sealer::open(&self.dir(), "r0", Some("gatehouse.example/r0")).unwrap()
    }

    /// What a verifier says who trusts the first key alone.
    fn verify(&self) -> Report {
        let read = |path: &Path| std::fs::read(path).unwrap();
        let mut known = vec![Known::read("checkpoint", &read(&self.tree().join("checkpoint"))).unwrap()];
        for entry in std::fs::read_dir(self.tree().join(EPOCHS)).unwrap() {
            let path = entry.unwrap().path();
            known.push(Known::read(path.display().to_string(), &read(&path)).unwrap());
        }
        let mut examiner = Examiner::new("gatehouse.example/r0", known);
        let mut reader = crate::Reader::open(&self.dir(), crate::Cursor::default(), crate::Contents::Skip);
        while let Some(entry) = reader.next().unwrap() {
            examiner.leaf(&Facts::of(&entry.leaf), None, "segments", |_, _, _| {});
        }
        let keys = String::from_utf8(read(&self.tree().join("keys"))).unwrap();
        let first = VerifierKey::parse(keys.lines().next().unwrap()).unwrap();
        examiner.finish(&[first], &Policy::default())
    }
}

#[test]
fn leaves_are_signed_proved_and_verified_over_restarts() {
    let house = House::new();
    let first = house.write(300);
    let mut sealer = house.sealer();
    assert!(sealer.prove(0).unwrap().is_none(), "nothing is signed yet");
    assert!(sealer.advance(first).unwrap() && !sealer.advance(first).unwrap());
    let early = sealer.prove(7).unwrap().unwrap();
    drop(sealer);
    let second = house.write(500);
    let mut sealer = house.sealer();
    assert_eq!(sealer.size(), first);
    sealer.advance(second).unwrap();
    assert_eq!(house.verify().verdict(), Verdict::Verified, "{:?}", house.verify());
    let leaves = crate::read(&house.dir(), crate::Cursor::default(), 10_000).unwrap().entries;
    assert_eq!(u64::try_from(leaves.len()).unwrap(), second);
    for index in [0u64, 7, 255, 256, second - 1] {
        let leaf = &leaves[usize::try_from(index).unwrap()].leaf;
        let proof = sealer.prove(index).unwrap().unwrap();
        assert_eq!(proof.verify(leaf, &[sealer.verifier()]).unwrap().1.size, second);
    }
    assert!(early.verify(&leaves[7].leaf, &[sealer.verifier()]).is_ok());
    assert!(sealer.prove(second).unwrap().is_none());
}

#[test]
fn the_hashes_are_made_anew_when_they_are_gone() {
    let house = House::new();
    let written = house.write(600);
    house.sealer().advance(written).unwrap();
    for (name, bytes) in [("hashes-0", &[7; 64][..]), ("hashes-1", b""), ("hashes-0", b"")] {
        std::fs::write(house.tree().join(name), bytes).unwrap();
        let sealer = house.sealer();
        assert_eq!(sealer.size(), written);
        assert!(sealer.prove(599).unwrap().is_some());
    }
    let path = house.tree().join("hashes-0");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(house.sealer().size(), written);
}

#[test]
fn what_was_signed_and_changed_is_not_signed_again() {
    let house = House::new();
    let written = house.write(100);
    house.sealer().advance(written).unwrap();
    let cut = |name: &str| std::fs::remove_file(house.tree().join(name)).unwrap();
    let refused = || {
        let error = Sealer::open(&house.dir(), "r0", None).unwrap_err();
        assert!(matches!(error, SealError::Inconsistent { .. }), "{error}");
        error.to_string()
    };
    // The newest leaves are gone, with the hashes.
    let last = crate::segment::list_segments(&house.dir()).unwrap().pop().unwrap();
    let path = crate::segment::segment_path(&house.dir(), last);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    cut("hashes-0");
    assert!(refused().contains("leaves were signed"));
    // A checkpoint of nobody's.
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(house.sealer().size(), written);
    let checkpoint = house.tree().join("checkpoint");
    let text = std::fs::read_to_string(&checkpoint).unwrap();
    std::fs::write(&checkpoint, text.replace(&format!("\n{written}\n"), "\n7\n")).unwrap();
    assert!(refused().contains("not signed by a key of its own"));
}

#[test]
fn a_log_keeps_its_name() {
    let house = House::new();
    house.write(1);
    assert_eq!(house.sealer().origin(), "gatehouse.example/r0");
    assert_eq!(Sealer::open(&house.dir(), "r0", None).unwrap().origin(), "gatehouse.example/r0");
    let renamed = Sealer::open(&house.dir(), "r0", Some("other.example/r0")).unwrap_err();
    assert!(matches!(renamed, SealError::Renamed { .. }), "{renamed}");
    let other = House::new();
    other.write(1);
    assert!(Sealer::open(&other.dir(), "r0", Some("two words")).is_err());
    let own = Sealer::open(&other.dir(), "r0", None).unwrap();
    assert!(
        own.origin().starts_with("gatehouse.invalid/") && own.origin().ends_with("/r0"),
        "{}",
        own.origin()
    );
}

/// Ends an epoch in the log, as [`super::super::Sealing::end_epoch`] does.
fn close_epoch(house: &House, sealer: &Sealer) -> u64 {
    let (next, epoch) = (sealer.next_key().unwrap().to_string(), sealer.epoch());
    house.write_each(1, |_| {
        Event::new(EventKind::EpochClosed, 1_795_488_607_000_000)
            .field("epoch", epoch)
            .field("next_key", next.clone())
    })
}

#[test]
fn an_epoch_ends_with_its_key() {
    let house = House::new();
    let written = house.write(20);
    let mut sealer = house.sealer();
    sealer.advance(written).unwrap();
    let old = sealer.verifier();
    for epoch in 2..4 {
        close_epoch(&house, &sealer);
        let written = house.write(20);
        sealer.advance(written).unwrap();
        assert_eq!((sealer.epoch(), sealer.size()), (epoch, written));
    }
    assert_ne!(sealer.verifier(), old);
    assert_eq!(house.verify().verdict(), Verdict::Verified, "{:?}", house.verify());
    assert_eq!(house.verify().checkpoints.len(), 3);
    // A restart goes on with the newest key.
    let key = sealer.verifier();
    drop(sealer);
    assert_eq!((house.sealer().verifier(), house.sealer().epoch()), (key, 3));
}

/// Wherever a crash comes while an epoch ends, the next start finishes it, and nothing is signed twice.
#[test]
fn an_epoch_that_a_crash_cut_off_ends_at_the_next_start() {
    // How far it came: the leaf written; the checkpoint of the epoch too; the old key overwritten too; all of it.
    for crash in 0..4 {
        let house = House::new();
        let written = house.write(20);
        let mut sealer = house.sealer();
        sealer.advance(written).unwrap();
        let closed = close_epoch(&house, &sealer);
        let before: Vec<(PathBuf, Vec<u8>)> = ["checkpoint", "key", "key.next", "keys"]
            .iter()
            .map(|name| house.tree().join(name))
            .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
            .collect();
        if crash > 0 {
            sealer.advance(closed).unwrap();
        }
        drop(sealer);
        if (1..3).contains(&crash) {
            before.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        }
        if crash == 2 {
            std::fs::write(house.tree().join("key"), [0; 32]).unwrap();
        }
        let written = house.write(20);
        let mut sealer = house.sealer();
        sealer.advance(written).unwrap();
        assert_eq!(sealer.epoch(), 2, "{crash}");
        assert_eq!(house.verify().verdict(), Verdict::Verified, "{crash}: {:?}", house.verify());
        assert!(!house.tree().join("key.next").exists(), "{crash}");
    }
}

/// A month later the running gateway ends the epoch by itself, once.
#[test]
fn a_new_month_is_a_new_epoch() {
    let house = House::new();
    house.write(3);
    drop(house.sealer());
    std::fs::write(house.tree().join("begun"), "2001-01").unwrap();
    let log = Log::open(&crate::samples::options(house.data.path())).unwrap();
    let tick = std::time::Duration::from_millis(1);
    let sealing = crate::tree::Sealing::start(&log, "r0", None, tick).unwrap();
    let old = sealing.signed().1;
    while sealing.signed().1 == old {
        std::thread::yield_now();
    }
    drop((sealing, log));
    assert_eq!(house.sealer().epoch(), 2);
    let leaves = crate::read(&house.dir(), crate::Cursor::default(), 100).unwrap().entries;
    let closed =
        leaves.iter().filter(|entry| entry.leaf.windows(12).any(|part| part == b"epoch.closed")).count();
    assert_eq!(closed, 1);
    assert_eq!(house.verify().verdict(), Verdict::Verified, "{:?}", house.verify());
}

/// What could not be signed is signed when it can be, with no proof in between that does not hold.
#[test]
fn a_disk_that_fails_for_a_while_costs_no_leaf_and_gives_no_false_proof() {
    let house = House::new();
    let first = house.write(300);
    let mut sealer = house.sealer();
    sealer.advance(first).unwrap();
    // A folder stands where the next checkpoint is to be written.
    let blocked = house.tree().join("checkpoint.new");
    std::fs::create_dir(&blocked).unwrap();
    let second = house.write(300);
    assert!(matches!(sealer.advance(second), Err(SealError::Io { .. })));
    assert_eq!(sealer.prove(5).unwrap(), None, "under which checkpoint?");
    assert!(sealer.advance(second).is_err(), "it is not well because nothing is new");
    std::fs::remove_dir(&blocked).unwrap();
    assert!(sealer.advance(second).unwrap());
    let leaves = crate::read(&house.dir(), crate::Cursor::default(), 10_000).unwrap().entries;
    for index in [5u64, second - 1] {
        let proof = sealer.prove(index).unwrap().unwrap();
        proof.verify(&leaves[usize::try_from(index).unwrap()].leaf, &[sealer.verifier()]).unwrap();
    }
    assert_eq!(house.verify().verdict(), Verdict::Verified, "{:?}", house.verify());
    // The same while an epoch ends.
    let closed = close_epoch(&house, &sealer);
    std::fs::create_dir(house.tree().join("epochs/000001.new")).unwrap();
    assert!(sealer.advance(closed).is_err());
    std::fs::remove_dir(house.tree().join("epochs/000001.new")).unwrap();
    let written = house.write(20);
    sealer.advance(written).unwrap();
    assert_eq!(sealer.epoch(), 2);
    assert_eq!(house.verify().verdict(), Verdict::Verified, "{:?}", house.verify());
}
