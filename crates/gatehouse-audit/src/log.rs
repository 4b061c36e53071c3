//! The log as everybody shares it: append, wait until durable, see whether it works.

use gatehouse_core::record::Settled;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

use crate::disk::{Disk, RealDisk};
use crate::error::LogError;
use crate::leaf::{Leaf, digests};
use crate::open::{Opened, open};
use crate::progress::Progress;
use crate::writer::{Ticket, Writer};

/// A segment that has grown to this is followed by another.
pub const SEGMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How many calls may be in flight.
pub const PERMITS_MAX: usize = 16_384;
/// How long a leaf that nobody waits for may stay off the disk.
pub const FLUSH_AFTER: Duration = Duration::from_millis(25);
/// The shard of a gateway that stands alone.
pub const DEFAULT_SHARD: &str = "r0";

/// How to open a log.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder; the log is in `log/<shard>` under it.
    pub data_dir: PathBuf,
    /// The name of this replica's log.
    pub shard: String,
    /// See [`SEGMENT_BYTES_MAX`].
    pub segment_bytes_max: u64,
    /// See [`PERMITS_MAX`].
    pub permits_max: usize,
    /// See [`FLUSH_AFTER`].
    pub flush_after: Duration,
}

/// What a caller waits for before an answer goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Nothing: the leaf is with the kernel, and on the disk [`FLUSH_AFTER`] later.
    Async,
    /// The leaf is on the disk.
    #[default]
    Local,
}

/// Whether the log can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It can.
    Healthy,
    /// It cannot; it tries again by itself.
    Failed {
        /// What the last attempt met.
        reason: Arc<str>,
    },
}

/// The log's figures, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The number that the next leaf gets: how many there are.
    pub next_seq: u64,
    /// Everything below is on the disk or declared lost.
    pub durable_seq: u64,
    /// Calls in flight.
    pub permits_in_use: usize,
    /// Permits that were dropped without a settled leaf: each is a bug.
    pub permits_lost: u64,
    /// Settled leaves that wait in memory for the log to work again.
    pub leaves_kept: usize,
    /// Group commits.
    pub syncs: u64,
    /// How often the log failed.
    pub failures: u64,
}

/// The audit log of this process. Cheap to clone; the last one that is dropped syncs and closes it.
#[derive(Clone)]
pub struct Log {
    handle: Arc<Handle>,
}

/// Ends the thread when nobody uses the log any more.
struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Released when it is closed.
    _lock: std::fs::File,
}

/// What the log and its thread share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) wake: Condvar,
    pub(crate) progress: watch::Sender<Progress>,
    /// Mirrors `writer.failure`, for those who only ask whether it works.
    pub(crate) failed: AtomicBool,
    pub(crate) permits: AtomicUsize,
    pub(crate) permits_max: usize,
    pub(crate) counters: Counters,
    pub(crate) flush_after: Duration,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) shard: Arc<str>,
}

/// Under the one lock, which is never held over a sync or an await.
pub(crate) struct State {
    pub(crate) writer: Writer,
    /// Somebody waits for the next sync.
    pub(crate) urgent: bool,
    pub(crate) closing: bool,
}

/// What happened so far.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) permits_lost: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) failures: AtomicU64,
    /// Calls refused since the log failed; the gap's leaf says how many.
    pub(crate) refused: AtomicU64,
}

// === impl Options ===

impl Options {
    /// The defaults, for this data folder.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            shard: DEFAULT_SHARD.to_owned(),
            segment_bytes_max: SEGMENT_BYTES_MAX,
            permits_max: PERMITS_MAX,
            flush_after: FLUSH_AFTER,
        }
    }
}

// === impl Log ===

impl Log {
    /// Opens the log for writing: repairs its end, says so in a first leaf, starts its thread.
    ///
    /// # Errors
    /// When another process has it open, or the folder cannot be written, or holds something else.
    pub fn open(options: &Options) -> Result<Self, LogError> {
        Self::open_on(options, Arc::new(RealDisk))
    }

    pub(crate) fn open_on(options: &Options, disk: Arc<dyn Disk>) -> Result<Self, LogError> {
        let Opened { lock, writer, durable_seq } = open(options, disk.clone())?;
        let (progress, _) = watch::channel(Progress::new(durable_seq));
        let shared = Arc::new(Shared {
            progress,
            failed: AtomicBool::new(false),
            permits: AtomicUsize::new(0),
            permits_max: options.permits_max,
            counters: Counters::default(),
            flush_after: options.flush_after,
            disk,
            dir: writer.dir.clone(),
            shard: writer.shard.clone(),
            wake: Condvar::new(),
            state: Mutex::new(State { writer, urgent: false, closing: false }),
        });
        let for_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("audit-sync".to_owned())
            .spawn(move || crate::sync::run(&for_thread))
            .map_err(LogError::io("start the thread of", &shared.dir))?;
        Ok(Self { handle: Arc::new(Handle { shared, thread: Mutex::new(Some(thread)), _lock: lock }) })
    }

    /// Writes a leaf. When this returns, the death of the process does not lose it; a power cut may,
    /// until [`Log::durable`].
    ///
    /// # Errors
    /// [`LogError::Unavailable`] while the log cannot be written.
    pub fn append(&self, leaf: Leaf<'_>) -> Result<Ticket, LogError> {
        self.shared().append(leaf)
    }

    /// Waits until a leaf, and all before it, is on the disk.
    ///
    /// # Errors
    /// [`LogError::Lost`] when the disk reported an error before, [`LogError::Closed`] when nobody will
    /// ever know.
    pub async fn durable(&self, ticket: Ticket) -> Result<(), LogError> {
        let shared = self.shared();
        if let Some(verdict) = shared.progress.borrow().verdict(ticket.seq) {
            return verdict;
        }
        let mut progress = shared.progress.subscribe();
        shared.hurry();
        let known = progress.wait_for(|progress| progress.verdict(ticket.seq).is_some()).await;
        known.map_or(None, |progress| progress.verdict(ticket.seq)).unwrap_or(Err(LogError::Closed))
    }

    /// Whether the log can be written.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.shared().failure() {
            None => Status::Healthy,
            Some(reason) => Status::Failed { reason },
        }
    }

    /// The log's figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let durable_seq = shared.progress.borrow().next();
        let (next_seq, leaves_kept) = {
            let state = shared.lock();
            (state.writer.next_seq, state.writer.kept.len())
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            next_seq,
            durable_seq,
            permits_in_use: shared.permits.load(Ordering::Relaxed),
            permits_lost: read(&shared.counters.permits_lost),
            leaves_kept,
            syncs: read(&shared.counters.syncs),
            failures: read(&shared.counters.failures),
        }
    }

    /// The folder of this shard, for readers.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.shared().dir
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

// === impl Handle ===

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the audit log's thread panicked");
        }
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(&self, leaf: Leaf<'_>) -> Result<Ticket, LogError> {
        self.append_else(leaf, &digests(leaf), |_, error| error)
    }

    /// Like `append`, but an end of a call that cannot be written now is kept until it can, without its
    /// texts: memory stays bounded by the number of permits.
    pub(crate) fn append_or_keep(&self, settled: &Settled) -> Result<Ticket, LogError> {
        let digests = digests(Leaf::Settled(settled));
        self.append_else(Leaf::Settled(settled), &digests, |writer, error| match error {
            LogError::Unavailable { reason } if writer.kept.len() < self.permits_max => {
                let mut kept = settled.clone();
                for (payload, digest) in kept.payload.iter_mut().zip(&digests) {
                    payload.text = None;
                    payload.sha256 = *digest;
                }
                writer.kept.push(kept);
                LogError::Kept { reason }
            }
            other => other,
        })
    }

    /// `refused` runs under the same lock, so that nothing is kept behind the back of a recovery.
    fn append_else(
        &self,
        leaf: Leaf<'_>,
        digests: &[Option<[u8; 32]>],
        refused: impl FnOnce(&mut Writer, LogError) -> LogError,
    ) -> Result<Ticket, LogError> {
        let mut state = self.lock();
        let (was_dirty, was_failed) = (state.writer.dirty, state.writer.failure.is_some());
        let appended = match state.writer.append(leaf, digests) {
            Ok(ticket) => Ok(ticket),
            Err(error) => {
                if !was_failed {
                    self.note_failure();
                }
                Err(refused(&mut state.writer, error))
            }
        };
        let wake = state.writer.dirty && !was_dirty;
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        appended
    }

    pub(crate) fn note_failure(&self) {
        self.failed.store(true, Ordering::Release);
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        self.wake.notify_one();
    }

    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        if !self.failed.load(Ordering::Acquire) {
            return None;
        }
        self.lock().writer.failure.as_ref().map(|failure| failure.reason.clone())
    }

    fn hurry(&self) {
        let mut state = self.lock();
        if !state.urgent {
            state.urgent = true;
            drop(state);
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "fault_tests.rs"]
mod fault_tests;
