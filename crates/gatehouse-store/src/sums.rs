//! Sums that are kept ready: of every minute, hour and day, by kind of call, and by end user.
//!
//! They are written in the transaction that writes the calls, so they are exact against these. A report
//! over any time takes whole days, then the hours, minutes and single calls at its edges ([`cover`]).

use gatehouse_audit::View;
use gatehouse_core::record::UnixMicros;
use rusqlite::{Transaction, params};
use std::collections::HashMap;

use crate::database::signed;
use crate::error::StoreError;
use crate::names::Names;

const MINUTE_MICROS: u64 = 60_000_000;
const HOUR_MICROS: u64 = 60 * MINUTE_MICROS;
const DAY_MICROS: u64 = 24 * HOUR_MICROS;

/// A length of time and what is summed apart in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Grain {
    /// A minute, by kind of call.
    Minute,
    /// An hour, by kind of call.
    Hour,
    /// A day, by kind of call.
    Day,
    /// An hour, by end user as well.
    UserHour,
    /// A day, by end user as well.
    UserDay,
}

/// Every grain, with what it counts by.
const GRAINS: [Grain; 5] = [Grain::Minute, Grain::Hour, Grain::Day, Grain::UserHour, Grain::UserDay];

/// Which sums a report may be made of, the longest first.
pub(crate) fn grains(by_user: bool, by_hour: bool) -> &'static [Grain] {
    match (by_user, by_hour) {
        (false, false) => &[Grain::Day, Grain::Hour, Grain::Minute],
        (false, true) => &[Grain::Hour, Grain::Minute],
        (true, false) => &[Grain::UserDay, Grain::UserHour],
        (true, true) => &[Grain::UserHour],
    }
}

/// A part of a time: ready sums of one grain, or the calls themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// `None` for single calls.
    pub(crate) grain: Option<Grain>,
    pub(crate) from: UnixMicros,
    pub(crate) to: UnixMicros,
}

/// The time from `from` up to `to`, in pieces that neither overlap nor leave anything out.
pub(crate) fn cover(from: UnixMicros, to: UnixMicros, grains: &[Grain]) -> Vec<Piece> {
    if from >= to {
        return Vec::new();
    }
    let Some((longest, shorter)) = grains.split_first() else {
        return vec![Piece { grain: None, from, to }];
    };
    let micros = longest.micros();
    let (first, last) = (from.div_ceil(micros).saturating_mul(micros), to / micros * micros);
    if first >= last {
        return cover(from, to, shorter);
    }
    let mut pieces = cover(from, first, shorter);
    pieces.push(Piece { grain: Some(*longest), from: first, to: last });
    pieces.extend(cover(last, to, shorter));
    pieces
}

/// What is summed.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    calls: u64,
    input: u64,
    cached: u64,
    output: u64,
    reasoning: u64,
    nanos: u64,
    unpriced: u64,
    estimated: u64,
}

/// What one batch adds.
#[derive(Debug, Default)]
pub(crate) struct Sums(HashMap<(Grain, UnixMicros, i64), Sum>);

// === impl Grain ===

impl Grain {
    fn micros(self) -> u64 {
        match self {
            Self::Minute => MINUTE_MICROS,
            Self::Hour | Self::UserHour => HOUR_MICROS,
            Self::Day | Self::UserDay => DAY_MICROS,
        }
    }

    /// Whether `who` is a caller, and not a kind of call.
    pub(crate) fn by_user(self) -> bool {
        matches!(self, Self::UserHour | Self::UserDay)
    }

    /// Its number in the database.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Minute => 1,
            Self::Hour => 2,
            Self::Day => 3,
            Self::UserHour => 4,
            Self::UserDay => 5,
        }
    }
}

// === impl Sums ===

impl Sums {
    /// Adds a call.
    pub(crate) fn add(&mut self, view: &View<'_>, names: Names) {
        let at = view.accepted_at();
        for grain in GRAINS {
            let who = if grain.by_user() { names.caller } else { names.kind };
            let start = at / grain.micros() * grain.micros();
            self.0.entry((grain, start, who)).or_default().add(view);
        }
    }

    /// Writes what was added.
    pub(crate) fn store(self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let mut add = transaction.prepare_cached(
            "INSERT INTO sums VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
             calls = calls + excluded.calls, \
             input_tokens = input_tokens + excluded.input_tokens, \
             cached_tokens = cached_tokens + excluded.cached_tokens, \
             output_tokens = output_tokens + excluded.output_tokens, \
             reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, \
             cost_nanos = cost_nanos + excluded.cost_nanos, unpriced = unpriced + excluded.unpriced, \
             estimated = estimated + excluded.estimated",
        )?;
        for ((grain, start, who), sum) in self.0 {
            add.execute(params![
                grain.number(),
                signed(start),
                who,
                signed(sum.calls),
                signed(sum.input),
                signed(sum.cached),
                signed(sum.output),
                signed(sum.reasoning),
                signed(sum.nanos),
                signed(sum.unpriced),
                signed(sum.estimated),
            ])?;
        }
        Ok(())
    }
}

// === impl Sum ===

impl Sum {
    fn add(&mut self, view: &View<'_>) {
        let add = |to: &mut u64, more: u64| *to = to.saturating_add(more);
        let (usage, cost) = (&view.usage, &view.cost);
        add(&mut self.calls, 1);
        add(&mut self.input, usage.input);
        add(&mut self.cached, usage.in_cached);
        add(&mut self.output, usage.out);
        add(&mut self.reasoning, usage.reasoning);
        add(&mut self.nanos, cost.nano.unwrap_or_default());
        add(&mut self.unpriced, u64::from(cost.status == "unpriced"));
        add(&mut self.estimated, u64::from(cost.status == "estimated"));
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY_MICROS, Grain, HOUR_MICROS, MINUTE_MICROS, Piece, cover, grains};
    use proptest::prelude::*;

    #[test]
    fn whole_days_come_from_days_and_edges_from_what_is_shorter() {
        let (from, to) = (DAY_MICROS - HOUR_MICROS - 1, 3 * DAY_MICROS + MINUTE_MICROS);
        let piece = |grain, from, to| Piece { grain, from, to };
        let expected = [
            piece(None, from, from + 1),
            piece(Some(Grain::Hour), from + 1, DAY_MICROS),
            piece(Some(Grain::Day), DAY_MICROS, 3 * DAY_MICROS),
            piece(Some(Grain::Minute), 3 * DAY_MICROS, to),
        ];
        assert_eq!(cover(from, to, grains(false, false)), expected);
        let all = cover(0, u64::MAX, grains(true, false));
        assert!(all.iter().all(|piece| piece.from < piece.to) && all[0].grain == Some(Grain::UserDay));
    }

    proptest! {
        #[test]
        fn pieces_follow_each_other_and_fit_their_grain(
            from in 0..4 * DAY_MICROS, length in 0..4 * DAY_MICROS, by_user: bool, by_hour: bool
        ) {
            let pieces = cover(from, from + length, grains(by_user, by_hour));
            let mut at = from;
            for piece in &pieces {
                prop_assert_eq!(piece.from, at);
                prop_assert!(piece.to > piece.from);
                if let Some(grain) = piece.grain {
                    prop_assert_eq!((piece.from % grain.micros(), piece.to % grain.micros()), (0, 0));
                    prop_assert_eq!(grain.by_user(), by_user);
                }
                at = piece.to;
            }
            prop_assert_eq!(at, from + length);
            // Two edges of each grain, and of single calls.
            prop_assert!(pieces.len() <= 7);
        }
    }
}
