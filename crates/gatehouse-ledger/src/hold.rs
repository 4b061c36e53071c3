//! A reservation under way: it ends by being settled, whatever becomes of the call.

use crate::UnixSeconds;
use crate::budget::{Claim, Counters, Exceeded, Window};
use gatehouse_core::money::Nanodollars;
use std::sync::Arc;

/// Money that a call has reserved in its windows.
///
/// It is settled with what the call cost, in the spans in which it was reserved, and in full: also when
/// that is more than the reservation. Dropped without being settled it counts as spent as reserved, because
/// money that may be gone must not be given out again, and is counted in [`Counters::unsettled`].
#[derive(Debug)]
#[must_use = "a hold that is dropped settles at the full reservation"]
pub struct Hold {
    counters: Arc<Counters>,
    claims: Vec<Claim>,
    amount: Nanodollars,
    settled: bool,
}

// === impl Counters ===

impl Counters {
    /// Takes `amount` from every window, or from none when one has no room.
    pub fn reserve(
        self: &Arc<Self>,
        windows: &[Window],
        amount: Nanodollars,
        now: UnixSeconds,
    ) -> Result<Hold, Exceeded> {
        let claims = self.claim(windows, amount, now)?;
        Ok(Hold { counters: self.clone(), claims, amount, settled: false })
    }
}

// === impl Hold ===

impl Hold {
    /// What is reserved.
    #[must_use]
    pub fn amount(&self) -> Nanodollars {
        self.amount
    }

    /// Reserves up to `amount` in all, for a call that turns to a dearer target. What is reserved already
    /// stays when a window has no room for the rest.
    pub fn raise_to(&mut self, amount: Nanodollars, now: UnixSeconds) -> Result<(), Exceeded> {
        let more = amount.saturating_sub(self.amount);
        self.counters.raise(&self.claims, more, now)?;
        self.amount = self.amount.saturating_add(more);
        Ok(())
    }

    /// Ends the reservation with what the call cost.
    pub fn settle(mut self, actual: Nanodollars) {
        self.settled = true;
        self.counters.settle(&self.claims, self.amount, actual);
    }

    /// Ends the reservation of a call that cost nothing.
    pub fn release(self) {
        self.settle(Nanodollars::ZERO);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.settled {
            self.counters.settle(&self.claims, self.amount, self.amount);
            self.counters.count_unsettled();
        }
    }
}
