//! A session in the record: its responses are priced one by one, and the record has their sum.

use super::Trail;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::{Admitted, Cost, CostStatus, Settled};
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_ledger::settle;

/// The responses of a session that are over.
#[derive(Debug, Default)]
pub(super) struct Turns {
    usage: Usage,
    source: UsageSource,
    cost: Cost,
    /// What was reserved for the first one.
    first: Nanodollars,
    last: Nanodollars,
}

// === impl Turns ===

impl Turns {
    /// Adds them to a record that has what was under way.
    pub(super) fn add_to(self, record: &mut Settled) {
        let own = record.usage_source;
        record.usage = self.usage.saturating_add(record.usage);
        record.usage_source = worse(self.source, own);
        record.cost = match own {
            UsageSource::None => self.cost,
            UsageSource::Provider | UsageSource::Estimated => self.cost.and(std::mem::take(&mut record.cost)),
        };
    }
}

/// Who counted, of two counts together.
fn worse(one: UsageSource, other: UsageSource) -> UsageSource {
    match (one, other) {
        (UsageSource::None, source) | (source, UsageSource::None) => source,
        (UsageSource::Provider, UsageSource::Provider) => UsageSource::Provider,
        _ => UsageSource::Estimated,
    }
}

// === impl Trail ===

impl Trail {
    /// A response of the session is over, and used that.
    pub fn turn(&mut self, usage: Usage, source: UsageSource) {
        let Some(target) = &self.billed_by else { return };
        let cost = settle(&usage, source, &target.prices, self.tier, self.accepted_at());
        let reserved = self.hold.as_ref().map(gatehouse_ledger::Hold::amount).unwrap_or_default();
        // What was counted of it meanwhile is in there.
        self.meter.refused();
        let turns = self.turns.get_or_insert_with(|| Turns { first: reserved, ..Turns::default() });
        turns.usage = turns.usage.saturating_add(usage);
        turns.source = worse(turns.source, source);
        turns.last = cost.amount;
        turns.cost = std::mem::take(&mut turns.cost).and(cost);
        self.say_again();
    }

    /// Writes what the session has come to, with room for one response more: should the process die, this is what it
    /// is settled at.
    fn say_again(&mut self) {
        let (Some(turns), Some(admitted), Some(permit)) = (&self.turns, &self.admitted, &mut self.permit)
        else {
            return;
        };
        let next = admitted.reserved.max(turns.last);
        let so_far = Admitted { reserved: turns.cost.amount.saturating_add(next), ..(**admitted).clone() };
        if let Err(error) = permit.admitted(&so_far) {
            // The end of the session meets the same, and is kept.
            tracing::warn!(%error, "what a session has come to could not be recorded");
        }
    }

    /// Reserves what the next response may cost: as much as for the first, or what the last one came to.
    ///
    /// # Errors
    /// `budget_exceeded`.
    pub fn another_turn(&mut self) -> Result<(), Error> {
        let now = crate::clock::unix_seconds();
        let (Some(hold), Some(turns)) = (&mut self.hold, &self.turns) else { return Ok(()) };
        let spent = match turns.cost.status {
            // Without a price the reservation stands as the spending.
            CostStatus::Unpriced => hold.amount(),
            _ => turns.cost.amount,
        };
        let wanted = spent.saturating_add(turns.first.max(turns.last));
        hold.raise_to(wanted, now).map_err(|exceeded| {
            let window = &exceeded.window;
            let message = format!(
                "budget {} is used up: {} of {} USD are spent or reserved, and there is no room for another response",
                window.key,
                exceeded.used.total(),
                window.limit.amount
            );
            Error::new(Code::BudgetExceeded, message)
        })
    }
}
