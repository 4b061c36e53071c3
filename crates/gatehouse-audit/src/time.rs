//! Moments as records show them: RFC 3339, UTC, always six digits of a second.
//!
//! Written by hand because it stands twice in the way of every call: one fixed form, twenty-seven bytes,
//! no allocation. The calendar is Howard Hinnant's `days_from_civil` and its inverse.

use gatehouse_core::record::UnixMicros;

use crate::digit::decimal_digit;

const MICROS_PER_SECOND: u64 = 1_000_000;
const SECONDS_PER_DAY: u64 = 86_400;
/// Days of a cycle of four hundred years, after which the calendar repeats.
const DAYS_PER_ERA: u64 = 146_097;
/// From the first of March of the year 0 to the first of January 1970.
const EPOCH_DAYS: u64 = 719_468;
/// The last microsecond of the year 9999: later moments are written as this one.
const MICROS_MAX: UnixMicros = 253_402_300_799_999_999;

/// Writes `at` as `2026-11-22T19:30:00.000001Z`.
pub(crate) fn push_rfc3339(out: &mut Vec<u8>, at: UnixMicros) {
    let at = at.min(MICROS_MAX);
    let (seconds, micros) = (at / MICROS_PER_SECOND, at % MICROS_PER_SECOND);
    let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
    let (year, month, day) = civil_from_days(days);
    push_digits(out, year, 1000);
    out.push(b'-');
    push_digits(out, month, 10);
    out.push(b'-');
    push_digits(out, day, 10);
    out.push(b'T');
    push_digits(out, second / 3600, 10);
    out.push(b':');
    push_digits(out, second / 60 % 60, 10);
    out.push(b':');
    push_digits(out, second % 60, 10);
    out.push(b'.');
    push_digits(out, micros, 100_000);
    out.push(b'Z');
}

/// `at` as text, for those who show records.
#[must_use]
pub fn rfc3339(at: UnixMicros) -> String {
    let mut out = Vec::with_capacity(27);
    push_rfc3339(&mut out, at);
    String::from_utf8(out).unwrap_or_default()
}

/// Reads the one form that [`rfc3339`] writes; anything else is `None`.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<UnixMicros> {
    let bytes = text.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if bytes.len() != 27 || marks.iter().any(|(at, mark)| bytes.get(*at) != Some(mark)) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        bytes
            .get(range)?
            .iter()
            .try_fold(0u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if year < 1970 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 || day > 31 {
        return None;
    }
    let days = days_from_civil(year, month, day)?;
    if civil_from_days(days) != (year, month, day) {
        return None;
    }
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    Some(seconds * MICROS_PER_SECOND + number(20..26)?)
}

fn push_digits(out: &mut Vec<u8>, value: u64, mut place: u64) {
    while place > 0 {
        out.push(decimal_digit(value / place));
        place /= 10;
    }
}

fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + EPOCH_DAYS;
    let (era, day_of_era) = (shifted / DAYS_PER_ERA, shifted % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Counted from March, so that the leap day is the last of the year.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * DAYS_PER_ERA + day_of_era).checked_sub(EPOCH_DAYS)
}

#[cfg(test)]
mod tests {
    use super::{MICROS_MAX, parse_rfc3339, rfc3339};
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_795_375_800_123_456, "2026-11-22T19:30:00.123456Z"),
            (MICROS_MAX, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(rfc3339(at), text);
            assert_eq!(parse_rfc3339(text), Some(at));
        }
        assert_eq!(rfc3339(u64::MAX), rfc3339(MICROS_MAX));
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            "",
            "2026-02-29T00:00:00.000000Z",
            "2026-13-01T00:00:00.000000Z",
            "2026-01-00T00:00:00.000000Z",
            "2026-01-01T24:00:00.000000Z",
            "2026-01-01T00:00:00.00000Z",
            "2026-01-01T00:00:00.000000+",
            "1969-12-31T23:59:59.999999Z",
            "+026-01-01T00:00:00.000000Z",
        ] {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }

    proptest! {
        /// There and back, and the text sorts as the moments do.
        #[test]
        fn there_and_back(left in 0..=MICROS_MAX, right in 0..=MICROS_MAX) {
            prop_assert_eq!(parse_rfc3339(&rfc3339(left)), Some(left));
            prop_assert_eq!(rfc3339(left).cmp(&rfc3339(right)), left.cmp(&right));
        }
    }
}
