//! The table of what tenants have at providers. A provider's own lists show everybody's, so ours are made of this; and
//! an open batch stands here with the money that is reserved for it until it is settled.
//!
//! Who keeps the table is the composition root's affair: it gives a [`Shelf`]. All of it blocks on the disk, so
//! nobody but [`Desk::ask`] calls it, on a thread that may block.

use gatehouse_core::error::{Code, Error};
use gatehouse_ledger::Hold;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::Notify;

/// A file or a batch of a tenant's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thing {
    /// The id that callers have of it.
    pub id: String,
    /// `file` or `batch`.
    pub kind: String,
    /// Whose it is.
    pub tenant: String,
    /// Where it is, as the configuration names it.
    pub provider: String,
    /// The id there.
    pub upstream: String,
    /// What a file is for; empty for a batch.
    pub purpose: String,
    /// When it was made, in Unix seconds.
    pub created_at: u64,
    /// When its id ends, in Unix seconds.
    pub expires_at: u64,
    /// What callers were last shown of it.
    pub body: String,
    /// What we have to remember of it.
    pub memo: String,
    /// Whether it is a batch that is not settled.
    pub open: bool,
    /// How often in a row its provider did not know it.
    pub misses: u32,
    /// The record of its end, once that is being written.
    pub settlement: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `file` or `batch`.
    pub kind: String,
    /// Whose.
    pub tenant: String,
    /// What files are for; empty for all.
    pub purpose: String,
    /// Only what comes behind the thing of this id.
    pub after: Option<String>,
    /// The oldest first.
    pub ascending: bool,
    /// So many at most.
    pub limit: u32,
    /// What has not ended by then, in Unix seconds.
    pub now: u64,
}

/// Keeps things. Every method blocks on the disk.
pub trait Shelf: Send + Sync {
    /// Keeps a thing, in the place of what was kept under its id. Without a body it leaves the one that was kept; what
    /// is settled stays so.
    ///
    /// # Errors
    /// When it cannot, in words for the operator. So of all of them.
    fn put(&self, thing: &Thing) -> Result<(), String>;
    /// The thing of a tenant's that has this id at a provider.
    ///
    /// # Errors
    /// As of [`Shelf::put`].
    fn find(&self, tenant: &str, provider: &str, upstream: &str) -> Result<Option<Thing>, String>;
    /// Forgets a thing.
    ///
    /// # Errors
    /// As of [`Shelf::put`].
    fn remove(&self, id: &str) -> Result<(), String>;
    /// A part of a tenant's list; `None` when there is nothing of the id that it is to begin behind.
    ///
    /// # Errors
    /// As of [`Shelf::put`].
    fn list(&self, wanted: &Wanted) -> Result<Option<Vec<Thing>>, String>;
    /// The batches that are not settled, the oldest first.
    ///
    /// # Errors
    /// As of [`Shelf::put`].
    fn open(&self) -> Result<Vec<Thing>, String>;
    /// Forgets what has ended before, but for batches that are not settled.
    ///
    /// # Errors
    /// As of [`Shelf::put`].
    fn sweep(&self, now: u64) -> Result<(), String>;
}

/// The shelf, and what of open batches is in memory.
#[derive(Default)]
pub struct Desk {
    shelf: OnceLock<Arc<dyn Shelf>>,
    holds: Mutex<HashMap<String, Hold>>,
    /// The batches that were seen to be over.
    over: Mutex<HashSet<String>>,
    /// Wakes who looks after open batches: there is one.
    seen: Notify,
}

// === impl Desk ===

impl Desk {
    /// Gives it the shelf. The first one counts.
    pub fn furnish(&self, shelf: Arc<dyn Shelf>) {
        let _ = self.shelf.set(shelf);
    }

    /// Asks the shelf, on a thread that may block.
    ///
    /// # Errors
    /// `internal_error` when it cannot be asked.
    pub async fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&dyn Shelf) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Error> {
        let broken = |why: String| Error::new(Code::Internal, "what is kept cannot be looked up").detail(why);
        let shelf = self.shelf.get().map(Arc::clone).ok_or_else(|| broken("nobody keeps it".to_owned()))?;
        let asked = tokio::task::spawn_blocking(move || what(&*shelf)).await;
        asked.map_err(|error| broken(error.to_string()))?.map_err(broken)
    }

    /// An open batch was seen to be over.
    pub fn is_over(&self, id: &str) {
        self.over.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        self.seen.notify_one();
    }

    /// Waits for open batches that were seen to be over.
    pub async fn over(&self) -> HashSet<String> {
        self.seen.notified().await;
        std::mem::take(&mut *self.over.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps the money of an open batch.
    pub fn hold(&self, id: &str, hold: Hold) {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), hold);
    }

    /// Takes the money of a batch that is settled now.
    pub fn release(&self, id: &str) -> Option<Hold> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}
