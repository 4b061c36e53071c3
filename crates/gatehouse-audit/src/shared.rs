//! What the log's users and its thread share: the writer under the one lock, and what is read without it.

use gatehouse_core::record::Settled;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::commit::{Commitments, commit, commit_name};
use crate::compact::Compactor;
use crate::disk::Disk;
use crate::error::LogError;
use crate::group::Group;
use crate::leaf::Leaf;
use crate::options::Options;
use crate::progress::Verdicts;
use crate::spool::Spool;
use crate::subjects::Subjects;
use crate::writer::{Ticket, Write, Writer};

/// What the log and its thread share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) wake: Condvar,
    pub(crate) progress: Arc<Verdicts>,
    pub(crate) subjects: Arc<Subjects>,
    pub(crate) compactor: Compactor,
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
    /// All calls that are open wait for it.
    pub(crate) complete: bool,
    pub(crate) closing: bool,
    pub(crate) rest: Rest,
}

/// What the log's thread does when it does not work: waking it costs more than writing a leaf, so it is only
/// woken for what it does not wake up for by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It works, and looks again when it is done.
    None,
    /// It wakes up soon enough for everybody, unless nobody is left who could come in between.
    Pace,
    /// It wakes up in time for those who do not wait.
    Doze,
    /// It does not wake up by itself.
    Sleep,
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

/// What a log is made of.
pub(crate) struct Parts {
    pub(crate) writer: Writer,
    pub(crate) durable_seq: u64,
    pub(crate) subjects: Arc<Subjects>,
}

// === impl Shared ===

impl Shared {
    /// Around the writer of a log that was just opened; everything below `durable_seq` is on the disk.
    pub(crate) fn new(options: &Options, disk: Arc<dyn Disk>, opened: Parts) -> Self {
        let Parts { writer, durable_seq, subjects } = opened;
        Self {
            subjects,
            compactor: Compactor::default(),
            progress: Arc::new(Verdicts::new(durable_seq)),
            failed: AtomicBool::new(false),
            permits: AtomicUsize::new(0),
            permits_max: options.permits_max,
            counters: Counters::default(),
            flush_after: options.flush_after,
            disk,
            dir: writer.dir.clone(),
            shard: writer.shard.clone(),
            wake: Condvar::new(),
            state: Mutex::new(State {
                writer,
                urgent: false,
                complete: false,
                closing: false,
                rest: Rest::None,
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(&self, leaf: Leaf<'_>) -> Result<Ticket, LogError> {
        let commits = match leaf {
            Leaf::Settled(settled) => self.with_keys(|subjects| commit(settled, subjects))?,
            Leaf::Admitted(admitted) => self.with_keys(|subjects| commit_name(&admitted.scope, subjects))?,
            Leaf::Event(_) => Commitments::default(),
        };
        self.append_else(Group::new(leaf, &self.shard, &commits), Write::Now, |_, error| error)
    }

    fn with_keys(
        &self,
        commit: impl FnOnce(&Subjects) -> io::Result<Commitments>,
    ) -> Result<Commitments, LogError> {
        commit(&self.subjects).map_err(|error| LogError::Unavailable {
            reason: format!("the keys of subjects cannot be written: {error}").into(),
        })
    }

    /// Like `append`, but an end of a call that cannot be written now is kept until it can, without its
    /// texts: memory stays bounded by the number of permits.
    pub(crate) fn append_or_keep(&self, settled: &Settled, when: Write) -> Result<Ticket, LogError> {
        let commits = match self.with_keys(|subjects| commit(settled, subjects)) {
            Ok(commits) => commits,
            Err(LogError::Unavailable { reason }) => return self.keep(settled, reason),
            Err(other) => return Err(other),
        };
        let group = Group::new(Leaf::Settled(settled), &self.shard, &commits);
        self.append_else(group, when, |writer, error| match error {
            LogError::Unavailable { reason } if writer.kept.len() < self.permits_max => {
                let mut kept = settled.clone();
                for (payload, body) in kept.payload.iter_mut().zip(&commits.bodies) {
                    payload.text = None;
                    payload.sha256 = body.digest;
                }
                writer.kept.push(kept);
                LogError::Kept { reason }
            }
            other => other,
        })
    }

    /// No key can be written, so nothing else can: the log has failed, and the leaf waits until it works again.
    fn keep(&self, settled: &Settled, reason: Arc<str>) -> Result<Ticket, LogError> {
        let mut state = self.lock();
        if state.writer.failure.is_none() {
            state.writer.fail(reason.clone(), 0..0);
            self.note_failure(&state.writer);
        }
        if state.writer.kept.len() >= self.permits_max {
            return Err(LogError::Unavailable { reason });
        }
        let mut kept = settled.clone();
        kept.payload.iter_mut().for_each(|payload| payload.text = None);
        state.writer.kept.push(kept);
        Err(LogError::Kept { reason })
    }

    /// `refused` runs under the same lock, so that nothing is kept behind the back of a recovery.
    fn append_else(
        &self,
        mut group: Group,
        when: Write,
        refused: impl FnOnce(&mut Writer, LogError) -> LogError,
    ) -> Result<Ticket, LogError> {
        let mut state = self.lock();
        let was_failed = state.writer.failure.is_some();
        let appended = match state.writer.append(&mut group, when) {
            Ok(ticket) => Ok(ticket),
            Err(error) => {
                if !was_failed {
                    self.note_failure(&state.writer);
                }
                state.writer.spool(&group).map_err(|_| refused(&mut state.writer, error))
            }
        };
        let wake = state.writer.dirty && state.rest == Rest::Sleep;
        if wake {
            state.rest = Rest::None;
        }
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        appended
    }

    /// The log has just failed. Leaves that are still to be written stand at the begin of the next segment,
    /// whenever that is: nobody waits for so long.
    pub(crate) fn note_failure(&self, writer: &Writer) {
        self.progress.change(|progress| progress.doubt(writer.written_seq()..writer.next_seq));
        self.failed.store(true, Ordering::Release);
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Why calls cannot be recorded, neither in the log nor in the spool.
    pub(crate) fn refusal(&self) -> Option<Arc<str>> {
        if !self.failed.load(Ordering::Acquire) {
            return None;
        }
        let state = self.lock();
        let spools = state.writer.spool.as_ref().is_some_and(Spool::takes);
        state.writer.failure.as_ref().filter(|_| !spools).map(|failure| failure.reason.clone())
    }

    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        if !self.failed.load(Ordering::Acquire) {
            return None;
        }
        self.lock().writer.failure.as_ref().map(|failure| failure.reason.clone())
    }

    /// Asks for a sync at once: somebody waits for it.
    pub(crate) fn hurry(&self) {
        let mut state = self.lock();
        state.urgent = true;
        state.complete |= self.permits.load(Ordering::Acquire) == 0;
        let wake = match state.rest {
            Rest::None => false,
            Rest::Pace => state.complete,
            Rest::Doze | Rest::Sleep => true,
        };
        if wake {
            state.rest = Rest::None;
        }
        drop(state);
        if wake {
            self.wake.notify_one();
        }
    }
}
