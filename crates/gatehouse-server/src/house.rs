//! What all calls share.

use crate::background::Background;
use crate::clock;
use crate::memory::{Memory, Responses};
use crate::office::Office;
use crate::receipts::Receipts;
use crate::shelf::Desk;
use crate::snapshot::Snapshot;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::otlp::Exporter;
use arc_swap::ArcSwap;
use gatehouse_audit::{Log, Mirror};
use gatehouse_core::call::CallId;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::record::Settled;
use gatehouse_identity::envelope::Seals;
use gatehouse_identity::key::Keys;
use gatehouse_ledger::{Counters, Window};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Notify;

/// The gateway in this process.
pub struct House {
    /// The configuration. Swapped whole; each call pins the one it began with.
    pub snapshot: ArcSwap<Snapshot>,
    /// The caller keys. Swapped whole, by [`House::replace_keys`].
    pub keys: ArcSwap<KeyRing>,
    /// The book.
    pub log: Log,
    /// What seals the ids of what is kept for callers.
    pub seals: Arc<Seals>,
    /// The answers that are kept for callers.
    pub memory: Memory,
    /// The answers that are made in the background.
    pub background: Background,
    /// The files and batches of tenants.
    pub desk: Desk,
    /// Who proves what is in the book, once the composition root has said so.
    pub receipts: OnceLock<Arc<dyn Receipts>>,
    /// What the API for administration works with, once the composition root has said so.
    pub office: OnceLock<Arc<Office>>,
    /// The second place of the record, if there is one.
    pub mirror: OnceLock<Mirror>,
    /// What budgets have used.
    pub counters: Arc<Counters>,
    /// What is counted.
    pub metrics: Metrics,
    /// Where traces go, once the composition root has said so.
    pub export: OnceLock<Exporter>,
    draining: AtomicBool,
    /// Wakes those who wait for the drain.
    pub drain: Notify,
    /// Wakes streams that wait for their provider: their key may be gone.
    pub(crate) keys_changed: Notify,
    observer: Box<dyn Observer>,
}

/// The caller keys and what each may spend.
pub struct KeyRing {
    /// Who is who.
    pub keys: Keys,
    /// The limit of each key that has one, by key id.
    pub limits: HashMap<Arc<str>, Window>,
}

/// Hears of every call that has ended: the composition root shows the first one.
pub trait Observer: Send + Sync {
    /// A call has ended. Must not block.
    fn ended(&self, record: &Settled);
}

/// Hears and says nothing.
pub struct Silent;

impl Observer for Silent {
    fn ended(&self, _: &Settled) {}
}

// === impl House ===

impl House {
    /// Opens the house.
    #[must_use]
    pub fn new(
        snapshot: Snapshot,
        keys: KeyRing,
        log: Log,
        seals: Arc<Seals>,
        responses: Box<dyn Responses>,
        counters: Arc<Counters>,
        observer: Box<dyn Observer>,
    ) -> Arc<Self> {
        Arc::new(Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            keys: ArcSwap::from_pointee(keys),
            log,
            memory: Memory::new(Arc::clone(&seals), responses),
            background: Background::default(),
            seals,
            desk: Desk::default(),
            receipts: OnceLock::new(),
            office: OnceLock::new(),
            mirror: OnceLock::new(),
            counters,
            metrics: Metrics::new(),
            export: OnceLock::new(),
            draining: AtomicBool::new(false),
            drain: Notify::new(),
            keys_changed: Notify::new(),
            observer,
        })
    }

    /// Other keys are in force from now on, for open streams too.
    pub fn replace_keys(&self, keys: KeyRing) {
        self.keys.store(Arc::new(keys));
        self.keys_changed.notify_waiters();
    }

    /// Whether calls may come.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether another call may begin.
    ///
    /// # Errors
    /// `draining`.
    pub fn takes_calls(&self) -> Result<(), Error> {
        if self.is_draining() {
            let message = "the gateway is shutting down; try again, another replica may answer";
            return Err(Error::new(Code::Draining, message).retry_after(Duration::from_secs(1)));
        }
        Ok(())
    }

    /// No new calls from here on.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
        self.drain.notify_waiters();
    }

    /// Waits until no connection is to be accepted any more: a moment after the drain has begun.
    pub async fn drained_to_accept(&self, lame_duck: Duration) {
        let mut notified = std::pin::pin!(self.drain.notified());
        notified.as_mut().enable();
        if !self.is_draining() {
            notified.await;
        }
        tokio::time::sleep(lame_duck).await;
    }

    /// A call has ended.
    pub(crate) fn ended(&self, record: &Settled) {
        self.observer.ended(record);
    }

    /// An id for what is answered before a call could begin.
    #[must_use]
    pub fn stray_id(&self) -> CallId {
        clock::call_id()
    }
}
