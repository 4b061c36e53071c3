//! No permit, no call: the place in the log that a call takes before anything else happens.

use gatehouse_core::record::{Admitted, Settled};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::LogError;
use crate::leaf::Leaf;
use crate::log::Log;
use crate::shared::Shared;
use crate::writer::{Ticket, Write};

/// The place of one call. It ends with [`Permit::settle`]; dropped before, it frees the place and is
/// counted as lost, since a call without an end in the book is a bug of whoever held it.
#[must_use = "a permit that is not settled is a lost record"]
pub struct Permit {
    shared: Arc<Shared>,
    settled: bool,
}

// === impl Log ===

impl Log {
    /// Takes a place for a call.
    ///
    /// # Errors
    /// [`LogError::Full`] when all places are taken, [`LogError::Unavailable`] while the log cannot be
    /// written.
    pub fn permit(&self) -> Result<Permit, LogError> {
        let shared = self.shared();
        if let Some(reason) = shared.refusal() {
            shared.counters.refused.fetch_add(1, Ordering::Relaxed);
            return Err(LogError::Unavailable { reason });
        }
        let permits_max = shared.permits_max;
        let taken = shared.permits.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            (taken < permits_max).then_some(taken + 1)
        });
        match taken {
            Ok(_) => Ok(Permit { shared: shared.clone(), settled: false }),
            Err(_) => Err(LogError::Full { permits_max }),
        }
    }
}

// === impl Permit ===

impl Permit {
    /// Writes the call's first leaf.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when the log cannot be written: then no provider may be contacted.
    pub fn admitted(&mut self, admitted: &Admitted) -> Result<Ticket, LogError> {
        self.shared.append(Leaf::Admitted(admitted))
    }

    /// Writes the call's last leaf and gives the place back.
    ///
    /// # Errors
    /// [`LogError::Kept`] when the log cannot be written now: the leaf, without its texts, is written as
    /// soon as it can be. Nothing is left to do for the caller.
    pub fn settle(self, settled: &Settled) -> Result<Ticket, LogError> {
        self.end(settled, Write::Now)
    }

    /// Like [`Permit::settle`] for one who tells nobody of the call's end before [`Log::durable`]: until then
    /// the death of the process may take the leaf with it.
    ///
    /// # Errors
    /// As of [`Permit::settle`].
    pub fn settle_durably(self, settled: &Settled) -> Result<Ticket, LogError> {
        self.end(settled, Write::Soon)
    }

    fn end(mut self, settled: &Settled, when: Write) -> Result<Ticket, LogError> {
        self.settled = true;
        self.shared.append_or_keep(settled, when)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.permits.fetch_sub(1, Ordering::AcqRel);
        if !self.settled {
            self.shared.counters.permits_lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!("a call ended without its record");
        }
    }
}
