//! Many lives of one log, each from a seed: calls, a disk that fails, crashes that lose what was not synced, restarts.
//! Whatever happens, what was said to be safe is there, once, and the tree that was signed is the tree of what is there.

use crate::disk::{Disk, RealDisk, SegmentFile};
use crate::log::{Log, Status};
use crate::options::Options;
use crate::reader::{Cursor, read, shard_dir};
use crate::samples::{admitted, options, settled};
use crate::spool::SpoolOptions;
use crate::tree::Sealer;
use crate::view::View;
use gatehouse_core::record::Settled;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Lives that are tried. `SEEDS=n` tries others.
const SEEDS: u64 = 24;
/// Steps of one life.
const STEPS: usize = 160;

/// A generator of numbers that is the same everywhere (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// What a crash would leave of each file.
#[derive(Default)]
struct World {
    /// The bytes that are on the disk for good, by file, as of its last sync.
    synced: Mutex<HashMap<PathBuf, Vec<u8>>>,
    write_fails: AtomicBool,
    sync_fails: AtomicBool,
}

struct SimDisk(Arc<World>);

struct SimFile {
    file: Arc<dyn SegmentFile>,
    path: PathBuf,
    world: Arc<World>,
}

fn injected(fault: &AtomicBool) -> io::Result<()> {
    if fault.load(Ordering::SeqCst) { Err(io::Error::other("injected")) } else { Ok(()) }
}

impl SimDisk {
    fn file(&self, file: Arc<dyn SegmentFile>, path: &Path) -> Arc<dyn SegmentFile> {
        Arc::new(SimFile { file, path: path.to_owned(), world: Arc::clone(&self.0) })
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        injected(&self.0.write_fails)?;
        // Another file, of which nothing is on the disk, though one had this name before.
        self.0.synced.lock().unwrap().remove(path);
        Ok(self.file(RealDisk.create(path)?, path))
    }

    fn resume(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        Ok(self.file(RealDisk.resume(path)?, path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

impl SegmentFile for SimFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = injected(&self.world.write_fails) {
            self.file.write_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(error);
        }
        self.file.write_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        injected(&self.world.sync_fails)?;
        self.world.synced.lock().unwrap().insert(self.path.clone(), std::fs::read(&self.path)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

/// One life of a log.
struct Life {
    dir: tempfile::TempDir,
    world: Arc<World>,
    dice: Dice,
    /// Whether there is a second place while the log cannot be written.
    spools: bool,
    log: Option<Log>,
    /// The next call.
    number: u128,
    /// Ends of calls of which somebody was told that they are safe.
    safe: HashSet<String>,
    /// Leaves that were written, and of which nobody was told anything: they may be there or not.
    written: HashSet<String>,
}

impl Life {
    fn begin(seed: u64) -> Self {
        let (dir, world) = (tempfile::tempdir().unwrap(), Arc::new(World::default()));
        let mut life = Self {
            dir,
            world,
            dice: Dice(seed),
            spools: seed % 2 == 1,
            log: None,
            number: 0,
            safe: HashSet::new(),
            written: HashSet::new(),
        };
        life.start();
        life
    }

    fn options(&self) -> Options {
        let spool = SpoolOptions { dir: self.dir.path().join("second"), bytes_max: 40_000 };
        Options { segment_bytes_max: 6_000, spool: self.spools.then_some(spool), ..options(self.dir.path()) }
    }

    fn start(&mut self) {
        let disk = Arc::new(SimDisk(Arc::clone(&self.world)));
        self.log = Some(Log::open_on(&self.options(), disk).unwrap());
    }

    fn shard(&self) -> PathBuf {
        shard_dir(self.dir.path(), "r0")
    }

    /// A call from its begin to its end, with texts or without; at the end somebody waits for it, or not.
    async fn call(&mut self) {
        self.number += 1;
        let (number, kind) = (self.number, self.dice.below(4));
        let log = self.log.clone().unwrap();
        let Ok(mut permit) = log.permit() else { return };
        if permit.admitted(&admitted(number)).is_err() {
            let refused = mute(number);
            self.written.insert(refused.call.to_string());
            drop(permit.settle(&refused));
            return;
        }
        let settled = if kind % 2 == 0 { settled(number) } else { mute(number) };
        let id = settled.call.to_string();
        let ticket = if kind < 2 { permit.settle_durably(&settled) } else { permit.settle(&settled) };
        self.written.insert(id.clone());
        let Ok(ticket) = ticket else { return };
        if kind < 2 && log.durable(ticket).await.is_ok() {
            self.safe.insert(id);
        }
    }

    /// The process is gone, and with it whatever was not synced, down to a place that the dice say.
    fn crash(&mut self) {
        let kept: Vec<(PathBuf, Vec<u8>)> = {
            let synced = self.world.synced.lock().unwrap();
            synced.iter().map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
        };
        // What was written and not synced, as the kernel has it at this moment.
        let now: HashMap<PathBuf, Vec<u8>> = files(&self.shard());
        self.log = None;
        self.world.write_fails.store(false, Ordering::SeqCst);
        self.world.sync_fails.store(false, Ordering::SeqCst);
        let closed: Vec<PathBuf> = files(&self.shard()).into_keys().collect();
        for path in closed {
            let synced = kept.iter().find(|(known, _)| *known == path).map(|(_, bytes)| bytes.clone());
            let Some(written) = now.get(&path) else {
                // Made while the log was closed.
                std::fs::remove_file(&path).unwrap();
                continue;
            };
            let mut bytes = synced.unwrap_or_default();
            if written.len() > bytes.len() {
                let more = self.dice.below(u64::try_from(written.len() - bytes.len()).unwrap() + 1);
                let end = bytes.len() + usize::try_from(more).unwrap();
                bytes.extend_from_slice(&written[bytes.len()..end]);
            }
            std::fs::write(&path, bytes).unwrap();
        }
        // Whatever the closing of the log has synced never was.
        *self.world.synced.lock().unwrap() = files(&self.shard());
    }

    /// Segments that have ended are compressed, perhaps not to the end.
    fn compress(&mut self) {
        let durable = self.log.as_ref().unwrap().stats().durable_seq;
        let blocks = std::cell::Cell::new(self.dice.below(6));
        let go_on = || blocks.replace(blocks.get().saturating_sub(1)) > 0;
        crate::compact::pass(&self.shard(), durable, &mut HashSet::new(), go_on).unwrap();
        let mut synced = self.world.synced.lock().unwrap();
        synced.retain(|path, _| path.exists());
    }

    fn faults(&mut self) {
        let which = self.dice.below(4);
        self.world.write_fails.store(which == 1, Ordering::SeqCst);
        self.world.sync_fails.store(which == 2, Ordering::SeqCst);
    }

    async fn mend(&mut self) {
        self.world.write_fails.store(false, Ordering::SeqCst);
        self.world.sync_fails.store(false, Ordering::SeqCst);
        let log = self.log.clone().unwrap();
        let waits = |log: &Log| log.stats().leaves_kept > 0 || log.stats().leaves_spooled > 0;
        while log.status() != Status::Healthy || waits(&log) {
            tokio::task::yield_now().await;
        }
    }

    /// What has to hold after every restart.
    fn check(&self, seed: u64) {
        let found = read(&self.shard(), Cursor::default(), usize::MAX).unwrap().entries;
        let mut ends: HashMap<String, u32> = HashMap::new();
        let mut last = None;
        for entry in &found {
            let view = View::parse(&entry.leaf).unwrap();
            let (at, kind) = (entry.at, &view.kind);
            assert!(
                last.is_none_or(|last| view.seq > last),
                "seed {seed}: leaf {} ({kind}) at {at:?} after {last:?}",
                view.seq
            );
            last = Some(view.seq);
            if view.kind.starts_with("call.") && view.kind != "call.admitted" {
                *ends.entry(view.id.to_string()).or_default() += 1;
            }
        }
        for (id, count) in &ends {
            assert_eq!(*count, 1, "seed {seed}: {id} ended twice");
            assert!(
                self.written.contains(id) || self.safe.contains(id),
                "seed {seed}: {id} was never written"
            );
        }
        for id in &self.safe {
            assert!(ends.contains_key(id), "seed {seed}: {id} was said to be safe, and is lost");
        }
    }
}

fn mute(number: u128) -> Settled {
    let mut settled = settled(number);
    settled.payload.iter_mut().for_each(|payload| payload.text = None);
    settled
}

fn files(dir: &Path) -> HashMap<PathBuf, Vec<u8>> {
    let kinds = ["seg", "pack"];
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let of_log =
        paths.filter(|path| path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known)));
    of_log.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[tokio::test]
async fn what_was_said_to_be_safe_is_there_after_every_crash() {
    let seeds = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        let mut life = Life::begin(seed);
        let mut signed = 0;
        for _ in 0..STEPS {
            match life.dice.below(17) {
                0 => life.faults(),
                1 | 2 => life.mend().await,
                3 if life.dice.below(3) == 0 => {
                    if life.dice.below(2) == 0 {
                        life.mend().await;
                    }
                    life.crash();
                    life.start();
                    life.check(seed);
                }
                4 if life.dice.below(3) == 0 => {
                    life.mend().await;
                    life.log = None;
                    life.start();
                    life.check(seed);
                }
                5 => {
                    // What is durable is signed, and never has to be taken back.
                    life.mend().await;
                    let durable = life.log.as_ref().unwrap().stats().durable_seq;
                    let mut sealer = Sealer::open(&life.shard(), "r0", Some("log.example"))
                        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                    sealer.advance(durable).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                    assert!(sealer.size() >= signed, "seed {seed}: fewer leaves than were signed");
                    signed = sealer.size();
                }
                6 => life.compress(),
                _ => life.call().await,
            }
        }
        life.mend().await;
        life.log = None;
        life.start();
        life.check(seed);
    }
}
