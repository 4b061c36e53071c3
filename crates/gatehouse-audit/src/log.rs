//! The log as everybody shares it: append, wait until durable, see whether it works.

use gatehouse_core::record::UnixMicros;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::disk::{Disk, RealDisk};
use crate::error::LogError;
use crate::leaf::Leaf;
use crate::open::{Opened, open};
use crate::options::Options;
use crate::shared::{Parts, Shared};
use crate::span::Spans;
use crate::spool::Spool;
use crate::subjects::Subjects;
use crate::writer::{SPOOLED, Ticket};

/// What a caller waits for before an answer goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Nothing: the leaf is with the kernel, and on the disk [`FLUSH_AFTER`](crate::FLUSH_AFTER) later.
    Async,
    /// The leaf is on the disk.
    #[default]
    Local,
    /// The leaf is on the disk, here and in the second place ([`Mirror`](crate::Mirror)).
    Remote,
}

/// Whether the log can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It can.
    Healthy,
    /// It cannot; records are kept elsewhere on disk, and come into it when it can.
    Spooling {
        /// What the last attempt met.
        reason: Arc<str>,
    },
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
    /// Leaves that wait in the spool for the log to work again.
    pub leaves_spooled: u64,
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

/// Ends the threads when nobody uses the log any more.
struct Handle {
    shared: Arc<Shared>,
    threads: Mutex<[Option<JoinHandle<()>>; 2]>,
    /// Released when it is closed.
    _lock: std::fs::File,
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
        let Opened { lock, writer, durable_seq, subjects } = open(options, disk.clone())?;
        let parts = Parts { writer, durable_seq, subjects };
        let shared = Arc::new(Shared::new(options, disk, parts));
        let for_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("audit-sync".to_owned())
            .spawn(move || crate::sync::run(&for_thread))
            .map_err(LogError::io("start the thread of", &shared.dir))?;
        let compacting =
            options.compresses.then(|| shared.compactor.start(&shared.dir, Arc::clone(&shared.progress)));
        let compacting = compacting.transpose().map_err(LogError::io("start the thread of", &shared.dir))?;
        let threads = Mutex::new([Some(thread), compacting]);
        Ok(Self { handle: Arc::new(Handle { shared, threads, _lock: lock }) })
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
        if ticket.seq == SPOOLED {
            return Ok(());
        }
        if let Some(verdict) = shared.progress.verdict(ticket.seq) {
            return verdict;
        }
        shared.hurry();
        shared.progress.wait(ticket.seq).await
    }

    /// Whether the log can be written.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = self.shared();
        match (shared.failure(), shared.refusal()) {
            (None, _) => Status::Healthy,
            (Some(reason), None) => Status::Spooling { reason },
            (Some(_), Some(reason)) => Status::Failed { reason },
        }
    }

    /// Texts of periods that ended at this moment, or earlier, are complete: nothing is added to their packs any more.
    pub fn end_packs(&self, before: UnixMicros) {
        self.shared().lock().writer.end_pack(before);
    }

    /// How long a time one file holds, from the next file on.
    pub fn set_spans(&self, spans: Spans) {
        self.shared().lock().writer.spans = spans;
    }

    /// The log's figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let durable_seq = shared.progress.next();
        let (next_seq, leaves_kept, leaves_spooled) = {
            let state = shared.lock();
            let spooled = state.writer.spool.as_ref().map_or(0, Spool::leaves);
            (state.writer.next_seq, state.writer.kept.len(), spooled)
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            next_seq,
            durable_seq,
            permits_in_use: shared.permits.load(Ordering::Relaxed),
            permits_lost: read(&shared.counters.permits_lost),
            leaves_spooled,
            leaves_kept,
            syncs: read(&shared.counters.syncs),
            failures: read(&shared.counters.failures),
        }
    }

    /// The keys of subjects.
    #[must_use]
    pub fn subjects(&self) -> &Arc<Subjects> {
        &self.shared().subjects
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
        self.shared.compactor.close();
        for thread in self.threads.get_mut().unwrap_or_else(PoisonError::into_inner) {
            if thread.take().is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("a thread of the audit log panicked");
            }
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "fault_tests.rs"]
mod fault_tests;
