//! `createTime`: RFC 3339 in UTC and Unix seconds, both ways.

const SECONDS_A_DAY: u64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar.
const DAYS_TO_EPOCH: u64 = 719_468;
/// Days in four hundred years, after which the calendar repeats.
const DAYS_AN_ERA: u64 = 146_097;

/// Reads `2026-05-19T14:59:42.780296Z`; fractions are cut off.
pub(super) fn read(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let marks = [text.get(4..5)?, text.get(7..8)?, text.get(10..11)?, text.get(13..14)?, text.get(16..17)?];
    let sound = marks == ["-", "-", "T", ":", ":"] && text.ends_with('Z') && (1..=12).contains(&month);
    if !sound || year < 1970 || day == 0 || day > 31 {
        return None;
    }
    // Years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = (month * 153 + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + days - DAYS_TO_EPOCH;
    Some(days * SECONDS_A_DAY + hour * 3600 + minute * 60 + second)
}

/// Writes Unix seconds.
pub(super) fn write(seconds: u64) -> String {
    let (days, rest) = (seconds / SECONDS_A_DAY + DAYS_TO_EPOCH, seconds % SECONDS_A_DAY);
    let (era, day) = (days / DAYS_AN_ERA, days % DAYS_AN_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / (DAYS_AN_ERA - 1)) / 365;
    let day = day - (year * 365 + year / 4 - year / 100);
    let month = (day * 5 + 2) / 153;
    let day = day - (month * 153 + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let year = era * 400 + year;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use proptest::prelude::*;

    #[test]
    fn known_moments() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-05-19T14:59:42Z", 1_779_202_782),
        ] {
            assert_eq!(read(text), Some(seconds));
            assert_eq!(write(seconds), text);
        }
        assert_eq!(read("2026-05-19T14:59:42.780296Z"), Some(1_779_202_782));
        assert_eq!(read("yesterday"), None);
    }

    proptest! {
        #[test]
        fn there_and_back(seconds in 0u64..200_000_000_000) {
            prop_assert_eq!(read(&write(seconds)), Some(seconds));
        }

        #[test]
        fn any_text_is_survived(text: String) {
            let _ = read(&text);
        }
    }
}
