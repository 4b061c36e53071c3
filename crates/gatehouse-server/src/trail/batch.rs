//! A batch in the record: its creation costs nothing yet, its end has a record of its own.

use super::Trail;
use crate::house::House;
use crate::target::Target;
use gatehouse_core::call::CallId;
use gatehouse_core::error::Error;
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::{Attempt, Cost, CostStatus};
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_ledger::Hold;
use std::sync::Arc;

// === impl Trail ===

impl Trail {
    /// Begins the record of how a batch has ended, under an id that was decided before: so it is written once, however
    /// often it is tried.
    ///
    /// # Errors
    /// As [`Trail::begin`]'s.
    pub fn begin_as(house: &Arc<House>, call: CallId) -> Result<Self, Error> {
        let mut trail = Self::begin(house)?;
        trail.record.call = call;
        Ok(trail)
    }

    /// A provider is asked for something that is kept there. Nothing of it is billed.
    pub fn asked(
        &mut self,
        provider: &Arc<str>,
        status: Option<u16>,
        error: Option<&'static str>,
        micros: u64,
    ) {
        self.contacted = true;
        self.attempted(Attempt { target: Arc::clone(provider), status, error, upstream_id: None, micros });
    }

    /// What the provider bills should it have taken the batch without our hearing of it.
    pub fn at_stake(&mut self, amount: Option<Nanodollars>) {
        self.contacted = true;
        let status = if amount.is_some() { CostStatus::Estimated } else { CostStatus::Unpriced };
        let cost = Cost { amount: amount.unwrap_or_default(), status, price: None };
        self.lost = Some((Usage::default(), cost));
    }

    /// It is known what became of the batch: it refused it, or it is settled when it ends.
    pub fn nothing_at_stake(&mut self) {
        self.lost = None;
    }

    /// The reservation, for who settles it later.
    pub fn take_hold(&mut self) -> Option<Hold> {
        self.hold.take()
    }

    /// What a batch has used, at whom, and the money that was reserved for it.
    pub fn batch_used(
        &mut self,
        target: &Arc<Target>,
        usage: Usage,
        source: UsageSource,
        hold: Option<Hold>,
    ) {
        self.attempting(target, None);
        self.hold = hold;
        self.turn(usage, source);
        self.served(target, &[]);
    }

    /// Nobody knows what a batch has used: the reservation stands as the spending.
    pub fn batch_lost(&mut self, amount: Option<Nanodollars>, hold: Option<Hold>) {
        self.hold = hold;
        self.at_stake(amount);
    }
}
