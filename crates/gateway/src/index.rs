//! Keeping the index beside the log: on a thread of its own, a little behind, and up to date when asked.

use crate::control::{Word, say};
use crate::data::Data;
use anyhow::{Context as _, Result, anyhow};
use gatehouse_audit::Log;
use gatehouse_store::{Index, Projector};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// How often the indexing thread looks at the log.
const LOOK: Duration = Duration::from_millis(500);
/// How far the index may be behind the log while calls keep coming and nobody asks: it costs a sixth of a
/// call's work, which is better done when there are none.
const LAG_MAX: Duration = Duration::from_secs(60);
/// Commands that wait for the index.
const WAITING_MAX: usize = 16;

/// What the indexing thread is told.
enum Told {
    /// Catch up now and say so.
    CatchUp(SyncSender<Result<()>>),
    /// Catch up and end.
    Finish(SyncSender<Result<()>>),
}

/// The index, before its thread runs.
pub(crate) struct Indexer {
    projector: Projector,
}

/// The indexing thread.
pub(crate) struct Indexing {
    tell: SyncSender<Told>,
}

/// Asks the indexing thread.
#[derive(Clone)]
pub(crate) struct Handle {
    tell: SyncSender<Told>,
}

// === impl Indexer ===

impl Indexer {
    /// Opens the index.
    pub(crate) fn open(data: &Data) -> Result<Self> {
        let projector = Projector::open(data.dir()).context("the index of the records cannot be opened")?;
        Ok(Self { projector })
    }

    /// Reads what the log has beyond the index.
    pub(crate) fn catch_up(&mut self) -> Result<()> {
        self.projector.catch_up().context("the index cannot follow the log")?;
        Ok(())
    }

    /// Starts the thread.
    pub(crate) fn spawn(self, log: Log) -> Indexing {
        let (tell, told) = sync_channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || self.follow(&log, &told))
            .map_or_else(|error| tracing::error!(%error, "the index will not follow"), |_| ());
        Indexing { tell }
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

    /// Brings the index up to date and ends the thread.
    pub(crate) async fn finish(self) -> Result<()> {
        tokio::task::spawn_blocking(move || ask(&self.tell, Told::Finish)).await?
    }
}

impl Handle {
    /// Brings the index up to date.
    pub(crate) fn catch_up(&self) -> Result<()> {
        ask(&self.tell, Told::CatchUp)
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
        Indexer::open(data)?.catch_up()?;
    }
    Index::open(data.dir()).context("the index of the records cannot be opened")
}
