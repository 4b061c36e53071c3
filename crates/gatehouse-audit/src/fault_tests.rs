//! A disk that fails: nothing is said to be safe that is not, and the log goes on by itself.

use super::{Log, Options, Status};
use crate::disk::{Disk, RealDisk, SegmentFile};
use crate::error::LogError;
use crate::leaf::Leaf;
use crate::reader::{Cursor, read};
use crate::samples::{admitted, options, settled};
use crate::spool::SpoolOptions;
use crate::view::View;
use gatehouse_core::record::Settled;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Which operations fail at the moment.
#[derive(Default)]
struct Faults {
    /// Writes half of what they should, then fails.
    write: AtomicBool,
    sync: AtomicBool,
    cut: AtomicBool,
    create: AtomicBool,
    /// Held while a file is synced. The log's thread also syncs what nobody waits for, such as room ahead.
    syncing: Mutex<()>,
}

struct FaultyDisk(Arc<Faults>);

struct FaultyFile(Arc<dyn SegmentFile>, Arc<Faults>);

impl Faults {
    /// No sync is under way, and none begins before this is dropped.
    fn hold_syncs(&self) -> MutexGuard<'_, ()> {
        self.syncing.lock().unwrap()
    }
}

fn check(fault: &AtomicBool) -> io::Result<()> {
    if fault.load(Ordering::SeqCst) { Err(io::Error::other("injected")) } else { Ok(()) }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        check(&self.0.create)?;
        Ok(Arc::new(FaultyFile(RealDisk.create(path)?, self.0.clone())))
    }

    fn resume(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(Arc::new(FaultyFile(RealDisk.resume(path)?, self.0.clone())))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

impl SegmentFile for FaultyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = check(&self.1.write) {
            self.0.write_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(error);
        }
        self.0.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        let _syncing = self.1.hold_syncs();
        check(&self.1.sync)?;
        self.0.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        check(&self.1.cut)?;
        self.0.set_len(len)
    }
}

/// A call of which no text is kept.
fn mute(number: u128) -> Settled {
    let mut settled = settled(number);
    settled.payload.iter_mut().for_each(|payload| payload.text = None);
    settled
}

fn faulty(dir: &Path) -> (Log, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let log = Log::open_on(&options(dir), Arc::new(FaultyDisk(faults.clone()))).unwrap();
    (log, faults)
}

/// Waits until the log has written its next leaf by itself, which is the gap's.
async fn recovered(log: &Log, next_seq: u64) {
    while log.stats().durable_seq <= next_seq || log.status() != Status::Healthy {
        tokio::task::yield_now().await;
    }
}

fn leaves(log: &Log) -> Vec<(u64, String, String)> {
    let entries = read(log.dir(), Cursor::default(), usize::MAX).unwrap().entries;
    let leaf = |entry: &crate::Entry| {
        let view = View::parse(&entry.leaf).unwrap();
        (view.seq, view.kind.to_string(), String::from_utf8_lossy(&entry.leaf).into_owned())
    };
    entries.iter().map(leaf).collect()
}

fn kinds(log: &Log) -> Vec<(u64, String)> {
    leaves(log).into_iter().map(|(seq, kind, _)| (seq, kind)).collect()
}

fn expected(kinds: &[&str]) -> Vec<(u64, String)> {
    (0..).zip(kinds.iter().map(|kind| (*kind).to_owned())).collect()
}

#[tokio::test]
async fn a_full_disk_refuses_calls_and_keeps_the_ends_of_those_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let (log, faults) = faulty(dir.path());
    let mut permit = log.permit().unwrap();
    let first = permit.admitted(&admitted(1)).unwrap();
    faults.write.store(true, Ordering::SeqCst);
    assert!(matches!(permit.settle(&settled(1)), Err(LogError::Kept { .. })));
    assert!(matches!(log.status(), Status::Failed { .. }));
    let refused = log.permit().err().unwrap();
    assert_eq!(refused.code().as_str(), "audit_unavailable");
    assert_eq!(log.stats().leaves_kept, 1);
    // What was whole before is synced all the same.
    log.durable(first).await.unwrap();
    faults.write.store(false, Ordering::SeqCst);
    recovered(&log, 2).await;
    let mut permit = log.permit().unwrap();
    permit.admitted(&admitted(2)).unwrap();
    let last = permit.settle(&settled(2)).unwrap();
    log.durable(last).await.unwrap();
    let all =
        ["log.opened", "call.admitted", "gap.declared", "call.settled", "call.admitted", "call.settled"];
    assert_eq!(kinds(&log), expected(&all));
    let found = leaves(&log);
    assert!(
        found[2].2.contains(r#""calls_refused":1,"reason":"cannot write what was said: injected""#),
        "{}",
        found[2].2
    );
    // The text of a kept leaf is gone, the commitment to it is not.
    assert!(found[3].2.contains(r#""commit":"#) && !found[3].2.contains("sealed_sha256"), "{}", found[3].2);
    assert_eq!((log.stats().leaves_kept, log.stats().failures), (0, 1));
}

#[tokio::test]
async fn an_end_that_was_to_ride_with_the_next_write_is_not_lost_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (log, faults) = faulty(dir.path());
    let (mut one, mut two) = (log.permit().unwrap(), log.permit().unwrap());
    one.admitted(&admitted(1)).unwrap();
    faults.write.store(true, Ordering::SeqCst);
    // Into memory only: the next write, or the thread's, is the one that fails.
    let rides = one.settle_durably(&mute(1)).unwrap();
    assert!(two.admitted(&admitted(2)).is_err());
    // Nobody is kept waiting for the disk to be mended.
    assert!(matches!(log.durable(rides).await, Err(LogError::Lost { .. })));
    drop(two);
    faults.write.store(false, Ordering::SeqCst);
    recovered(&log, 3).await;
    let all = ["log.opened", "call.admitted", "call.settled", "gap.declared"];
    assert_eq!(kinds(&log), expected(&all));
    let found = leaves(&log);
    assert!(!found[3].2.contains("lost_first"), "{}", found[3].2);
    let next = log.append(Leaf::Admitted(&admitted(4))).unwrap();
    log.durable(next).await.unwrap();
    drop(log);
    let log = Log::open(&options(dir.path())).unwrap();
    assert_eq!(log.stats().next_seq, 6);
}

#[tokio::test]
async fn half_a_group_that_cannot_be_cut_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (log, faults) = faulty(dir.path());
    faults.write.store(true, Ordering::SeqCst);
    faults.cut.store(true, Ordering::SeqCst);
    assert!(log.append(Leaf::Admitted(&admitted(1))).is_err());
    faults.write.store(false, Ordering::SeqCst);
    recovered(&log, 1).await;
    assert_eq!(kinds(&log), expected(&["log.opened", "gap.declared"]));
    assert_eq!(read(log.dir(), Cursor::default(), 9).unwrap().damage.len(), 1);
}

#[tokio::test]
async fn a_failed_sync_is_told_to_those_who_wait_and_declared() {
    let dir = tempfile::tempdir().unwrap();
    let (log, faults) = faulty(dir.path());
    let safe = log.append(Leaf::Admitted(&admitted(1))).unwrap();
    log.durable(safe).await.unwrap();
    let held = faults.hold_syncs();
    let lost = log.append(Leaf::Admitted(&admitted(2))).unwrap();
    faults.sync.store(true, Ordering::SeqCst);
    drop(held);
    assert!(matches!(log.durable(lost).await, Err(LogError::Lost { seq: 2 })));
    assert!(matches!(log.append(Leaf::Admitted(&admitted(3))), Err(LogError::Unavailable { .. })));
    faults.sync.store(false, Ordering::SeqCst);
    recovered(&log, 3).await;
    // It stays lost, although a later leaf is safe.
    assert!(log.durable(safe).await.is_ok() && log.durable(lost).await.is_err());
    let found = leaves(&log);
    assert!(
        found[3].2.contains(r#""lost_first":2,"lost_last":2,"reason":"cannot sync: injected""#),
        "{}",
        found[3].2
    );
    let next = log.append(Leaf::Admitted(&admitted(4))).unwrap();
    assert_eq!(next.seq, 4);
    log.durable(next).await.unwrap();
}

#[test]
fn a_segment_that_failed_is_not_continued_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (log, faults) = faulty(dir.path());
    faults.create.store(true, Ordering::SeqCst);
    faults.write.store(true, Ordering::SeqCst);
    assert!(log.append(Leaf::Admitted(&admitted(1))).is_err());
    drop(log);
    let log = Log::open(&options(dir.path())).unwrap();
    assert_eq!(kinds(&log), expected(&["log.opened", "gap.declared", "log.opened"]));
    assert_eq!(crate::segment::list_segments(log.dir()).unwrap(), [0, 1]);
}

#[tokio::test]
async fn a_log_that_is_closed_while_it_failed_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (log, faults) = faulty(dir.path());
    faults.sync.store(true, Ordering::SeqCst);
    let ticket = log.append(Leaf::Admitted(&admitted(1))).unwrap();
    let shared = log.shared().clone();
    drop(log);
    assert!(shared.progress.wait(ticket.seq).await.is_err());
}

#[tokio::test]
async fn leaves_that_may_have_been_written_are_cut_before_they_are_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, faults) = faulty(dir.path());
    let (mut one, two) = (log.permit().unwrap(), log.permit().unwrap());
    one.admitted(&admitted(1)).unwrap();
    faults.write.store(true, Ordering::SeqCst);
    faults.cut.store(true, Ordering::SeqCst);
    // Two ends of calls in one write, of which half, and so the first, comes to the disk.
    one.settle_durably(&mute(1)).unwrap();
    two.settle_durably(&mute(2)).unwrap();
    assert!(log.append(Leaf::Admitted(&admitted(3))).is_err());
    faults.write.store(false, Ordering::SeqCst);
    // As long as half of it stands there, no other segment is begun.
    while !format!("{:?}", log.status()).contains("cannot start a new segment: injected") {
        tokio::task::yield_now().await;
    }
    faults.cut.store(false, Ordering::SeqCst);
    recovered(&log, 4).await;
    let all = ["log.opened", "call.admitted", "call.settled", "call.settled", "gap.declared"];
    assert_eq!(kinds(&log), expected(&all));
    assert!(read(log.dir(), Cursor::default(), 9).unwrap().damage.is_empty());
}

fn spooling(dir: &Path, bytes_max: u64) -> (Log, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let options = spooled(dir, bytes_max);
    let log = Log::open_on(&options, Arc::new(FaultyDisk(faults.clone()))).unwrap();
    (log, faults)
}

fn spooled(dir: &Path, bytes_max: u64) -> Options {
    Options { spool: Some(SpoolOptions { dir: dir.join("second"), bytes_max }), ..options(dir) }
}

/// Waits until all is back in the log.
async fn back(log: &Log) {
    while log.stats().leaves_spooled > 0 || log.status() != Status::Healthy {
        tokio::task::yield_now().await;
    }
}

fn ids(log: &Log) -> Vec<String> {
    let leaves = read(log.dir(), Cursor::default(), 99).unwrap().entries;
    let id = |leaf: &[u8]| View::parse(leaf).map(|view| format!("{} {}", view.kind, view.id)).unwrap();
    leaves.iter().map(|entry| id(&entry.leaf)).filter(|text| text.starts_with("call.")).collect()
}

#[tokio::test]
async fn with_a_second_place_calls_go_on_and_their_records_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (log, faults) = spooling(dir.path(), 1 << 20);
    let mut before = log.permit().unwrap();
    before.admitted(&admitted(1)).unwrap();
    faults.write.store(true, Ordering::SeqCst);
    faults.create.store(true, Ordering::SeqCst);
    // One that was under way ends, another begins and ends: both are told that all is safe.
    let ticket = before.settle_durably(&settled(1)).unwrap();
    log.durable(ticket).await.unwrap();
    let mut during = log.permit().unwrap();
    during.admitted(&admitted(2)).unwrap();
    let ticket = during.settle_durably(&settled(2)).unwrap();
    log.durable(ticket).await.unwrap();
    assert!(matches!(log.status(), Status::Spooling { .. }));
    assert_eq!((log.stats().leaves_spooled, log.stats().leaves_kept), (3, 0));

    faults.write.store(false, Ordering::SeqCst);
    faults.create.store(false, Ordering::SeqCst);
    back(&log).await;
    let call = |kind: &str, number| format!("call.{kind} {}", crate::samples::call(number));
    let all = [call("admitted", 1), call("settled", 1), call("admitted", 2), call("settled", 2)];
    assert_eq!(ids(&log), all);
    // Their texts, too.
    let found = read(log.dir(), Cursor::default(), 99).unwrap().entries;
    let last = crate::reader::read_at(log.dir(), found.last().unwrap().at).unwrap().unwrap();
    assert_eq!(last.payloads(log.subjects()).unwrap()[0].text.as_deref(), Some("hello"));
    drop(log);
    let log = Log::open(&spooled(dir.path(), 1 << 20)).unwrap();
    assert_eq!((ids(&log).len(), log.stats().leaves_spooled), (4, 0));
}

#[tokio::test]
async fn a_spool_that_is_full_refuses_and_what_is_in_it_survives_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let (log, faults) = spooling(dir.path(), 1_500);
    faults.write.store(true, Ordering::SeqCst);
    faults.create.store(true, Ordering::SeqCst);
    let mut one = log.permit().unwrap();
    one.admitted(&admitted(1)).unwrap();
    let mut two = log.permit().unwrap();
    two.admitted(&admitted(2)).unwrap();
    // What does not fit is kept in memory, as it is without a second place, and nobody else is let in.
    assert!(matches!(one.settle(&settled(1)), Err(LogError::Kept { .. })));
    assert!(matches!(log.permit(), Err(LogError::Unavailable { .. })));
    assert!(matches!(log.status(), Status::Failed { .. }));
    drop((two, log));

    let spool = dir.path().join("second/t0.spool");
    let spool = if spool.exists() { spool } else { dir.path().join("second/r0.spool") };
    let kept = std::fs::read(&spool).unwrap();
    let log = Log::open(&spooled(dir.path(), 1_500)).unwrap();
    assert_eq!(ids(&log).len(), 2);
    drop(log);
    // As if the process had died before the spool was emptied: nothing comes twice. A torn end is nobody's.
    std::fs::write(&spool, [&kept, &kept[..kept.len() / 3]].concat()).unwrap();
    let log = Log::open(&spooled(dir.path(), 1_500)).unwrap();
    assert_eq!(ids(&log).len(), 2);
    assert_eq!(std::fs::metadata(&spool).unwrap().len(), 0);
}
