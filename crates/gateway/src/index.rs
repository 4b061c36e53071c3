//! Keeping the index beside the log: on a thread of its own, a little behind, and up to date when asked.

use crate::control::{Word, say};
use crate::data::Data;
use anyhow::{Context as _, Result, anyhow, bail};
use gatehouse_audit::{DEFAULT_SHARD, Log};
use gatehouse_store::{Index, Projector};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How often the indexing thread looks at the log.
const LOOK: Duration = Duration::from_millis(500);
/// How far the index may be behind the log while calls keep coming and nobody asks: it costs a sixth of a
/// call's work, which is better done when there are none.
const LAG_MAX: Duration = Duration::from_secs(60);
/// How long the end of the process waits for the index. What it has not taken in by then, the next start does:
/// under load that may be [`LAG_MAX`] of calls.
const END_TIME_MAX: Duration = Duration::from_secs(1);
/// Commands that wait for the index.
const WAITING_MAX: usize = 16;

/// What the indexing thread is told.
enum Told {
    /// Catch up now and say so.
    CatchUp(SyncSender<Result<()>>),
    /// Catch up, while there is time, and end.
    Finish(SyncSender<Result<()>>),
}

/// The index, before its thread runs.
pub(crate) struct Indexer {
    projector: Projector,
    end: End,
}

/// When the index has to be left as it is; not set while the gateway runs.
#[derive(Clone, Default)]
struct End(Arc<OnceLock<Instant>>);

/// The indexing thread.
pub(crate) struct Indexing {
    tell: SyncSender<Told>,
    end: End,
}

/// Asks the indexing thread.
#[derive(Clone)]
pub(crate) struct Handle {
    tell: SyncSender<Told>,
}

// === impl Indexer ===

impl Indexer {
    /// Opens the index of a log that is open, with its keys; of one that nobody has open, with those on the disk.
    pub(crate) fn open(data: &Data, log: Option<&Log>) -> Result<Self> {
        let (of, subjects) = (data.clone(), log.map(|log| Arc::clone(log.subjects())));
        let keys = move |shard: &str| match &subjects {
            Some(subjects) if shard == DEFAULT_SHARD => Ok(Arc::clone(subjects)),
            _ => of.subjects(shard).map(Arc::new).map_err(|error| io::Error::other(format!("{error:#}"))),
        };
        let projector = Projector::open(data.dir(), Box::new(keys))
            .context("the index of the records cannot be opened")?;
        Ok(Self { projector, end: End::default() })
    }

    /// Reads what the log has beyond the index.
    pub(crate) fn catch_up(&mut self) -> Result<()> {
        let end = &self.end;
        self.projector.catch_up_while(&|| !end.is_over()).context("the index cannot follow the log")?;
        Ok(())
    }

    /// Starts the thread.
    pub(crate) fn spawn(self, log: Log) -> Indexing {
        let (tell, told) = sync_channel(WAITING_MAX);
        let end = self.end.clone();
        std::thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || self.follow(&log, &told))
            .map_or_else(|error| tracing::error!(%error, "the index will not follow"), |_| ());
        Indexing { tell, end }
    }

    fn follow(mut self, log: &Log, told: &Receiver<Told>) {
        let (mut seen, mut indexed) = (0, 0);
        let mut last = Instant::now();
        loop {
            match told.recv_timeout(LOOK) {
                Ok(Told::CatchUp(done)) => drop(done.send(self.catch_up())),
                Ok(Told::Finish(done)) => {
                    let _ = done.send(self.catch_up());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {
                    let next = log.stats().next_seq;
                    let busy = next != seen;
                    seen = next;
                    // An idle gateway does not touch the disk.
                    if next == indexed || busy && last.elapsed() < LAG_MAX {
                        continue;
                    }
                    (indexed, last) = (next, Instant::now());
                    if let Err(error) = self.catch_up() {
                        tracing::error!(%error, "the index is behind");
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

// === impl Indexing ===

impl Indexing {
    /// A way to ask from elsewhere.
    pub(crate) fn handle(&self) -> Handle {
        Handle { tell: self.tell.clone() }
    }

    /// Brings the index up to date, as far as there is time, and ends the thread.
    pub(crate) async fn finish(self) -> Result<()> {
        self.finish_within(END_TIME_MAX).await
    }

    async fn finish_within(self, time: Duration) -> Result<()> {
        self.end.set(Instant::now() + time);
        tokio::task::spawn_blocking(move || ask(&self.tell, Told::Finish)).await?
    }
}

// === impl End ===

impl End {
    fn set(&self, at: Instant) {
        // The first one counts; there is no other.
        let _ = self.0.set(at);
    }

    fn is_over(&self) -> bool {
        self.0.get().is_some_and(|at| Instant::now() >= *at)
    }
}

// === impl Handle ===

impl Handle {
    /// Brings the index up to date.
    pub(crate) fn catch_up(&self) -> Result<()> {
        ask(&self.tell, Told::CatchUp)
    }

    /// Brings the index up to date as far as that can be waited for.
    pub(crate) fn catch_up_within(&self, time: Duration) -> Result<()> {
        let (done, wait) = sync_channel(1);
        match self.tell.try_send(Told::CatchUp(done)) {
            // Others wait for the same.
            Err(TrySendError::Full(_)) => return Ok(()),
            Err(TrySendError::Disconnected(_)) => bail!("the index does not run"),
            Ok(()) => {}
        }
        match wait.recv_timeout(time) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => bail!("the index does not run"),
        }
    }
}

fn ask(tell: &SyncSender<Told>, what: impl FnOnce(SyncSender<Result<()>>) -> Told) -> Result<()> {
    let (done, wait) = sync_channel(1);
    tell.send(what(done)).map_err(|_| anyhow!("the index does not run"))?;
    wait.recv().map_err(|_| anyhow!("the index does not run"))?
}

/// The index with everything in it that is in the log now: brought up to date by the gateway that runs, or
/// by us when none does.
pub(crate) fn up_to_date(data: &Data) -> Result<Index> {
    if !say(data, &Word::Index)? {
        Indexer::open(data, None)?.catch_up()?;
    }
    Index::open(data.dir()).context("the index of the records cannot be opened")
}

#[cfg(test)]
mod tests {
    use super::{Indexer, up_to_date};
    use crate::data::Data;
    use gatehouse_audit::{Event, EventKind, Leaf, Log, Options};
    use std::time::Duration;

    #[tokio::test]
    async fn the_end_does_not_wait_for_the_index_longer_than_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::open(dir.path()).unwrap();
        let log = Log::open(&Options::new(data.dir())).unwrap();
        let indexer = Indexer::open(&data, Some(&log)).unwrap();
        log.append(Leaf::Event(&Event::new(EventKind::ConfigChanged, 1))).unwrap();
        indexer.spawn(log.clone()).finish_within(Duration::ZERO).await.unwrap();
        // Nothing was taken in; who looks next does it.
        let mut indexer = Indexer::open(&data, None).unwrap();
        assert!(indexer.projector.catch_up().unwrap() > 0);
        up_to_date(&data).unwrap();
    }
}
