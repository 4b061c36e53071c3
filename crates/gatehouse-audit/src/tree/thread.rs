//! The thread that keeps the tree beside a log that is written.

use super::sealer::{SealError, Sealer, month_of};
use crate::error::LogError;
use crate::event::{Event, EventKind};
use crate::leaf::{Leaf, now};
use crate::log::Log;
use crate::reader::Cursor;
use crate::writer::Ticket;
use gatehouse_proof::note::VerifierKey;
use gatehouse_proof::proof_file::Proof;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a checkpoint is signed while there is anything new.
pub const SEAL_EVERY: Duration = Duration::from_secs(1);

/// Whether the tree follows the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealingStatus {
    /// It does.
    Healthy,
    /// It could not, and tries again.
    Failed(Arc<str>),
    /// It must not: the log is not the one that was signed.
    Stopped(Arc<str>),
}

/// Why an epoch did not end.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The leaf that says so could not be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The tree could not go on.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The tree of a log that is written. Cheap to clone; the last one that is dropped signs what there is and ends the
/// thread.
#[derive(Clone, Debug)]
pub struct Sealing {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    sealer: Arc<Mutex<Sealer>>,
    status: Arc<Mutex<SealingStatus>>,
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

// === impl Sealing ===

impl Sealing {
    /// Opens the tree over a log, and follows it.
    ///
    /// # Errors
    /// As of [`Sealer::open`].
    pub fn start(log: &Log, shard: &str, origin: Option<&str>, every: Duration) -> Result<Self, SealError> {
        let mut sealer = Sealer::open(log.dir(), shard, origin)?;
        // What an earlier process left unsigned.
        sealer.advance(log.stats().durable_seq)?;
        let sealer = Arc::new(Mutex::new(sealer));
        let status = Arc::new(Mutex::new(SealingStatus::Healthy));
        let (wake, woken) = channel();
        let thread = {
            let (log, sealer, status) = (log.clone(), sealer.clone(), status.clone());
            let run = move || run(&log, &sealer, &status, &woken, every);
            std::thread::Builder::new().name("audit-seal".to_owned()).spawn(run)
        };
        let thread = thread.map_err(|source| SealError::Io { dir: log.dir().to_owned(), source })?;
        Ok(Self { handle: Arc::new(Handle { sealer, status, wake: Some(wake), thread: Some(thread) }) })
    }

    /// Signs now what is on the disk, instead of within the second.
    ///
    /// # Errors
    /// As of [`Sealer::advance`].
    pub fn seal(&self, log: &Log) -> Result<(), SealError> {
        self.sealer().advance(log.stats().durable_seq).map(|_| ())
    }

    /// Ends the epoch: the leaf that says so, its checkpoint, another key.
    ///
    /// # Errors
    /// When the leaf cannot be written, or the key not be kept.
    pub async fn end_epoch(&self, log: &Log) -> Result<(), EndError> {
        let ticket = close_epoch(log, &self.sealer())?;
        log.durable(ticket).await?;
        Ok(self.seal(log)?)
    }

    /// Waits until all leaves are on the disk, and signs them: the end of a process.
    pub async fn finish(self, log: &Log) {
        let last = log.stats().next_seq.saturating_sub(1);
        let durable = log.durable(Ticket { seq: last, at: Cursor::default() }).await;
        if let Err(error) = durable
            .map_err(|error| error.to_string())
            .and_then(|()| self.seal(log).map_err(|error| error.to_string()))
        {
            tracing::error!(%error, "the end of the audit log is not signed");
        }
    }

    /// The name of the log, the key that signs now, and the newest checkpoint; empty before the first.
    #[must_use]
    pub fn signed(&self) -> (String, VerifierKey, String) {
        let sealer = self.sealer();
        (sealer.origin().to_owned(), sealer.verifier(), sealer.checkpoint().to_owned())
    }

    /// How many leaves the newest checkpoint covers.
    #[must_use]
    pub fn signed_size(&self) -> u64 {
        let sealer = self.sealer();
        if sealer.checkpoint().is_empty() { 0 } else { sealer.size() }
    }

    /// The proof for a leaf; `None` while no checkpoint covers it. Reads files.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn prove(&self, index: u64) -> Result<Option<Proof>, SealError> {
        self.sealer().prove(index)
    }

    /// Whether the tree follows the log.
    #[must_use]
    pub fn status(&self) -> SealingStatus {
        self.handle.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sealer(&self) -> MutexGuard<'_, Sealer> {
        self.handle.sealer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the leaf by which an epoch ends: the tree follows when it comes to it.
fn close_epoch(log: &Log, sealer: &Sealer) -> Result<Ticket, EndError> {
    let closed = Event::new(EventKind::EpochClosed, now())
        .field("epoch", sealer.epoch())
        .field("next_key", sealer.next_key()?.to_string());
    Ok(log.append(Leaf::Event(&closed))?)
}

// === impl Handle ===

impl Drop for Handle {
    fn drop(&mut self) {
        // The thread sees that nobody wakes it any more.
        self.wake.take();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the audit log's tree panicked");
        }
    }
}

fn run(
    log: &Log,
    sealer: &Mutex<Sealer>,
    status: &Mutex<SealingStatus>,
    woken: &Receiver<()>,
    every: Duration,
) {
    let mut closed = 0;
    loop {
        let last = woken.recv_timeout(every) == Err(RecvTimeoutError::Disconnected);
        let mut sealer = sealer.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed = sealer.advance(log.stats().durable_seq);
        let epoch = sealer.epoch();
        if sealed.is_ok() && !last && closed != epoch && sealer.month() != month_of(now()) {
            // Once: the epoch is another when the tree has come to the leaf.
            match close_epoch(log, &sealer) {
                Ok(_) => closed = epoch,
                Err(error) => tracing::warn!(%error, "the epoch of the audit log could not be ended yet"),
            }
        }
        drop(sealer);
        let now = match sealed {
            Ok(_) => SealingStatus::Healthy,
            Err(error @ SealError::Inconsistent { .. }) => SealingStatus::Stopped(error.to_string().into()),
            Err(error) => SealingStatus::Failed(error.to_string().into()),
        };
        let mut known = status.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != now
            && let SealingStatus::Failed(reason) | SealingStatus::Stopped(reason) = &now
        {
            tracing::error!(%reason, "the audit log is not signed");
        }
        let stopped = matches!(now, SealingStatus::Stopped(_));
        *known = now;
        drop(known);
        if last || stopped {
            return;
        }
    }
}
