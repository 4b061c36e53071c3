//! A log with compressed segments is the log, whatever happens on the way.

use super::{begun_path, compress, pass};
use crate::leaf::Leaf;
use crate::log::Log;
use crate::mirror::Mirror;
use crate::options::Options;
use crate::prune::records_due;
use crate::reader::{Cursor, Entry, read, read_at, shard_dir};
use crate::samples::{admitted, options, settled};
use crate::segment::{compressed_path, failed_marker, list_segments, segment_path};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

const SMALL: u64 = 3_000;

fn log(dir: &Path, compresses: bool) -> Log {
    Log::open(&Options { segment_bytes_max: SMALL, compresses, ..options(dir) }).unwrap()
}

fn write(log: &Log, calls: std::ops::Range<u128>) {
    for number in calls {
        log.append(Leaf::Admitted(&admitted(number))).unwrap();
        log.append(Leaf::Settled(&settled(number))).unwrap();
    }
}

fn all(dir: &Path) -> Vec<Entry> {
    read(dir, Cursor::default(), 10_000).unwrap().entries
}

fn forms(dir: &Path) -> (usize, usize) {
    let segments = list_segments(dir).unwrap();
    let count =
        |path: fn(&Path, u64) -> PathBuf| segments.iter().filter(|one| path(dir, **one).exists()).count();
    (count(segment_path), count(compressed_path))
}

fn compact(dir: &Path) -> io::Result<()> {
    pass(dir, u64::MAX, &mut HashSet::new(), || true)
}

#[test]
fn every_cursor_reads_the_same_leaf_in_both_forms() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), false);
    write(&log, 0..40);
    let before = all(log.dir());
    let (raw, _) = forms(log.dir());
    assert!(raw > 10);
    // What is not on the disk yet stays.
    let second = list_segments(log.dir()).unwrap()[1];
    pass(log.dir(), second, &mut HashSet::new(), || true).unwrap();
    assert_eq!(forms(log.dir()), (raw - 1, 1));
    // Nor is anything left behind by one that has to end.
    pass(log.dir(), u64::MAX, &mut HashSet::new(), || false).unwrap();
    assert_eq!(forms(log.dir()), (raw - 1, 1));
    compact(log.dir()).unwrap();
    assert_eq!(forms(log.dir()), (1, raw - 1), "the last one is being written");
    assert_eq!(all(log.dir()), before);
    for entry in &before {
        let found = read_at(log.dir(), entry.at).unwrap().unwrap();
        assert_eq!((&found.leaf, found.next), (&entry.leaf, entry.next));
    }
    // It goes on, and a restart finds its end.
    write(&log, 40..50);
    let dir_of_log = log.dir().to_owned();
    drop(log);
    let log = self::log(dir.path(), false);
    let after = all(&dir_of_log);
    assert_eq!(
        (&after[..before.len()], log.stats().next_seq),
        (&before[..], u64::try_from(after.len()).unwrap())
    );
}

#[test]
fn whatever_ends_in_between_one_form_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), false);
    write(&log, 0..12);
    let (before, dir) = (all(log.dir()), log.dir());
    let first = list_segments(dir).unwrap()[0];
    // Half of a file aside, and a compressed one whose raw one was not deleted.
    std::fs::write(begun_path(dir, first), b"half").unwrap();
    std::fs::write(compressed_path(dir, first), b"no segment at all").unwrap();
    assert_eq!(all(dir), before, "the raw one counts");
    compact(dir).unwrap();
    assert!(!begun_path(dir, first).exists() && !segment_path(dir, first).exists());
    assert_eq!(all(dir), before);
    // Without a raw one beside it, what is damaged is said.
    let bytes = std::fs::read(compressed_path(dir, first)).unwrap();
    std::fs::write(compressed_path(dir, first), &bytes[..bytes.len() - 1]).unwrap();
    let error = read(dir, Cursor::default(), 9).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("00000000000000000000.segz is damaged"), "{why}");
    // A damaged block is passed over, as damage is, and told.
    let mut bad = bytes;
    bad[100..140].fill(0x55);
    std::fs::write(compressed_path(dir, first), &bad).unwrap();
    let rest = all(dir);
    assert!(!rest.is_empty() && rest.len() < before.len(), "{} of {}", rest.len(), before.len());
    assert!(before.ends_with(&rest));
}

#[test]
fn what_failed_or_is_damaged_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), false);
    write(&log, 0..12);
    let segments = list_segments(log.dir()).unwrap();
    std::fs::write(failed_marker(log.dir(), segments[0]), "a sync failed").unwrap();
    let path = segment_path(log.dir(), segments[1]);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let before = all(log.dir());
    compact(log.dir()).unwrap();
    let raw = |at: usize| segment_path(log.dir(), segments[at]).exists();
    assert_eq!((raw(0), raw(1), raw(2)), (true, true, false));
    assert_eq!(all(log.dir()), before);
}

#[test]
fn what_was_given_up_meanwhile_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path(), false);
    write(&log, 0..12);
    let segments = list_segments(log.dir()).unwrap();
    compact(log.dir()).unwrap();
    let due = records_due(log.dir(), u64::MAX, segments[3], None).unwrap();
    due.carry_out(log.dir()).unwrap();
    assert_eq!(list_segments(log.dir()).unwrap(), segments[3..]);
    // One that was being compressed when it was given up.
    std::fs::copy(segment_path(log.dir(), *segments.last().unwrap()), dir.path().join("aside")).unwrap();
    let other = tempfile::tempdir().unwrap();
    let raw = self::log(other.path(), false);
    write(&raw, 0..12);
    let first = list_segments(raw.dir()).unwrap()[0];
    std::fs::copy(segment_path(raw.dir(), first), segment_path(log.dir(), first)).unwrap();
    assert!(compress(log.dir(), first, &|| true).unwrap());
    assert_eq!(list_segments(log.dir()).unwrap(), segments[3..]);
    assert!(compress(log.dir(), first, &|| true).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
}

#[tokio::test]
async fn the_thread_and_the_second_place_come_to_the_same() {
    let (dir, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = log(dir.path(), true);
    let mirror = Mirror::start(&log, there.path()).unwrap();
    write(&log, 0..60);
    let last = log.append(Leaf::Settled(&settled(60))).unwrap();
    log.durable(last).await.unwrap();
    mirror.mirrored(last).await.unwrap();
    let copy = there.path().join("r0");
    let segments = list_segments(log.dir()).unwrap().len();
    assert!(segments > 10);
    while forms(log.dir()) != (1, segments - 1) || forms(&copy) != (1, segments - 1) {
        // The last end of a segment may have been seen before it was safe.
        log.shared().compactor.look();
        tokio::task::yield_now().await;
    }
    assert_eq!(all(&copy), all(log.dir()));
    drop((log, mirror));
    // A second place that is gone is made anew from what is compressed.
    std::fs::remove_dir_all(&copy).unwrap();
    let log = self::log(dir.path(), true);
    let mirror = Mirror::start(&log, there.path()).unwrap();
    let last = log.append(Leaf::Settled(&settled(61))).unwrap();
    log.durable(last).await.unwrap();
    mirror.mirrored(last).await.unwrap();
    assert_eq!(all(&copy), all(log.dir()));
    drop((log, mirror));
    // And can be taken over.
    let taken = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(taken.path().join("log")).unwrap();
    std::fs::rename(&copy, shard_dir(taken.path(), "r0")).unwrap();
    let log = self::log(taken.path(), true);
    assert_eq!(log.stats().next_seq, last.seq + 2);
}
