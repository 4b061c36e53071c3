//! The spans of time over which a limit counts: aligned to the calendar, in UTC.

use crate::UnixSeconds;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// How often a budget renews.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// At each full minute.
    Minute,
    /// At each full hour.
    Hour,
    /// At midnight.
    Day,
    /// At midnight before Monday.
    Week,
    /// At midnight before the first of the month.
    Month,
    /// Never.
    Lifetime,
}

// === impl Period ===

impl Period {
    /// Every period, shortest first.
    pub const ALL: [Self; 6] = [Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Lifetime];

    /// The first second of the span that `now` is in, and of the next one (`None`: there is no next).
    #[must_use]
    pub fn span(self, now: UnixSeconds) -> (UnixSeconds, Option<UnixSeconds>) {
        let aligned = |length: u64| {
            let start = now - now % length;
            (start, Some(start.saturating_add(length)))
        };
        match self {
            Self::Minute => aligned(60),
            Self::Hour => aligned(3_600),
            Self::Day => aligned(86_400),
            Self::Week => calendar(now, monday, |monday| monday.checked_add(1.week()).ok()),
            Self::Month => calendar(now, Date::first_of_month, |first| first.checked_add(1.month()).ok()),
            Self::Lifetime => (0, None),
        }
    }

    /// The name in configuration and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Lifetime => "lifetime",
        }
    }
}

/// A span of whole days. A time beyond the calendar (the year 9999) is in a span that never ends.
fn calendar(
    now: UnixSeconds,
    first: impl Fn(Date) -> Date,
    next: impl Fn(Date) -> Option<Date>,
) -> (UnixSeconds, Option<UnixSeconds>) {
    let Some(today) = date(now) else { return (0, None) };
    let start = first(today);
    (midnight(start).unwrap_or(0), next(start).and_then(midnight))
}

fn date(now: UnixSeconds) -> Option<Date> {
    let second = i64::try_from(now).ok()?;
    Some(Timestamp::from_second(second).ok()?.to_zoned(TimeZone::UTC).date())
}

fn midnight(date: Date) -> Option<UnixSeconds> {
    date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second().try_into().ok()
}

fn monday(date: Date) -> Date {
    let back = date.weekday().since(Weekday::Monday);
    date.checked_sub(i32::from(back).days()).unwrap_or(date)
}

/// A time for a person: `2026-12-01T00:00:00Z`.
pub(crate) fn utc(time: UnixSeconds) -> String {
    let known = i64::try_from(time).ok().and_then(|second| Timestamp::from_second(second).ok());
    known.map_or_else(|| format!("second {time}"), |timestamp| timestamp.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Period, utc};
    use proptest::prelude::*;

    /// 2026-11-22 19:37:05 UTC, a Sunday.
    const NOW: u64 = 1_795_376_225;

    #[test]
    fn spans_are_those_of_the_calendar() {
        let shown = |period: Period| {
            let (start, end) = period.span(NOW);
            (utc(start), end.map(utc).unwrap_or_default())
        };
        let pair = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        assert_eq!(shown(Period::Minute), pair("2026-11-22T19:37:00Z", "2026-11-22T19:38:00Z"));
        assert_eq!(shown(Period::Hour), pair("2026-11-22T19:00:00Z", "2026-11-22T20:00:00Z"));
        assert_eq!(shown(Period::Day), pair("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"));
        assert_eq!(shown(Period::Week), pair("2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"));
        assert_eq!(shown(Period::Month), pair("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"));
        assert_eq!(Period::Lifetime.span(NOW), (0, None));
    }

    #[test]
    fn a_time_beyond_the_calendar_is_no_panic() {
        for period in Period::ALL {
            let (start, end) = period.span(u64::MAX);
            assert!(end.is_none_or(|end| start < end), "{period:?}");
        }
    }

    proptest! {
        /// Spans follow each other without a gap: the second before the next span is in this one.
        #[test]
        fn spans_tile_time(now in 0_u64..200_000_000_000, which in 0_usize..5) {
            let period = Period::ALL[which];
            let (start, end) = period.span(now);
            let end = end.unwrap();
            prop_assert!(start <= now && now < end);
            prop_assert_eq!(period.span(start), (start, Some(end)));
            prop_assert_eq!(period.span(end - 1), (start, Some(end)));
            prop_assert_eq!(period.span(end).0, end);
        }
    }
}
