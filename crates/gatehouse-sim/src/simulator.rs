//! The simulator itself: what all its connections share, and the handle that tests in the same process
//! hold.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bench::Bench;
use crate::cabinet::Cabinet;
use crate::cache::Prefixes;
use crate::ids::Ids;
use crate::journal::{Journal, Received};
use crate::options::{DELAY_MAX, Options};
use crate::script::{Script, Scripts, TooManyScripts};
use crate::stats::{Counts, Filter, Snapshot, Stats};

/// A simulated provider. Cloning it gives another handle on the same one.
#[derive(Clone, Debug)]
pub struct Simulator {
    pub(crate) shared: Arc<Shared>,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) ids: Ids,
    pub(crate) stats: Stats,
    pub(crate) prefixes: Prefixes,
    pub(crate) bench: Bench,
    scripts: Mutex<Scripts>,
    journal: Mutex<Journal>,
    cabinet: Mutex<Cabinet>,
}

// === impl Simulator ===

impl Simulator {
    /// A simulator that serves nobody yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let shared = Shared {
            options,
            ids: Ids::default(),
            stats: Stats::default(),
            prefixes: Prefixes::default(),
            bench: Bench::default(),
            scripts: Mutex::default(),
            journal: Mutex::default(),
            cabinet: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Queues a script.
    ///
    /// # Errors
    /// When [`SCRIPTS_MAX`](crate::SCRIPTS_MAX) scripts are waiting.
    pub fn script(&self, script: Script) -> Result<(), TooManyScripts> {
        self.shared.scripts().add(script)
    }

    /// How many scripts are waiting.
    #[must_use]
    pub fn scripts_waiting(&self) -> usize {
        self.shared.scripts().len()
    }

    /// All counts.
    #[must_use]
    pub fn stats(&self) -> Snapshot {
        self.shared.stats.snapshot()
    }

    /// The last requests, the oldest of them first. Kept only with `Options::control`, and never those
    /// on the model `bench`.
    #[must_use]
    pub fn requests(&self, last: usize) -> Vec<Received> {
        self.shared.journal().last(last)
    }

    /// Waits until `reached` says yes of the sum of the matching rows, for at most `timeout`. Gives the
    /// sum, and whether it was reached.
    pub async fn wait(
        &self,
        filter: &Filter,
        timeout: Duration,
        reached: impl Fn(&Counts) -> bool,
    ) -> (Counts, bool) {
        self.shared.stats.wait(filter, timeout.min(DELAY_MAX), reached).await
    }

    /// Forgets scripts, counts, requests, files, batches and cached prefixes.
    pub fn reset(&self) {
        self.shared.scripts().clear();
        self.shared.journal().clear();
        self.shared.cabinet().clear();
        self.shared.prefixes.clear();
        self.shared.stats.reset();
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn scripts(&self) -> MutexGuard<'_, Scripts> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cabinet(&self) -> MutexGuard<'_, Cabinet> {
        self.cabinet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
