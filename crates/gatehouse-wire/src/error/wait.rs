//! When to come back: every way in which providers say it.

use super::report::Report;
use std::time::Duration;

/// The longest wait that is believed and passed on; more is a clock gone wrong, or a quota of another day.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// What stands before the wait in messages of providers that send no header.
const PHRASES: &[&str] = &["try again in ", "retry in ", "retry after ", "try again after "];

/// Looks for it in the headers, then in the body's members, last in the words of the message.
pub(super) fn retry_after(headers: &dyn Fn(&str) -> Option<String>, report: &Report) -> Option<Duration> {
    headers("retry-after-ms")
        .and_then(|text| seconds(&text, 1e-3))
        .or_else(|| headers("retry-after").and_then(|text| header(&text, headers("date").as_deref())))
        .or(report.retry_after)
        .or_else(|| spent_limit(headers))
        .or_else(|| phrase(&report.message))
        .map(|wait| wait.min(RETRY_AFTER_MAX))
}

/// Seconds, whole or not, or an HTTP date. A date is measured against the answer's own `date`: it is the
/// same clock, and this crate has none.
fn header(text: &str, date: Option<&str>) -> Option<Duration> {
    seconds(text, 1.0).or_else(|| {
        let then = http_date(text)?;
        let now = http_date(date?)?;
        Some(Duration::from_secs(then.saturating_sub(now)))
    })
}

/// OpenAI's `x-ratelimit-reset-*` of a limit of which nothing is left.
fn spent_limit(headers: &dyn Fn(&str) -> Option<String>) -> Option<Duration> {
    ["requests", "tokens"]
        .iter()
        .filter(|of| headers(&format!("x-ratelimit-remaining-{of}")).is_some_and(|left| left.trim() == "0"))
        .filter_map(|of| headers(&format!("x-ratelimit-reset-{of}")))
        .filter_map(|reset| go_duration(&reset))
        .max()
}

/// "Please try again in 6m0s", "retry after 20 seconds".
fn phrase(message: &str) -> Option<Duration> {
    let behind = PHRASES.iter().find_map(|phrase| Some(message.split_once(phrase)?.1))?;
    let mut words = behind.split_whitespace();
    let first = words.next()?.trim_end_matches(['.', ',']);
    match words.next() {
        Some(unit) if unit.starts_with("second") => seconds(first, 1.0),
        _ => go_duration(first),
    }
}

/// A duration as Go prints it: `24ms`, `6m0s`, `1h2m3.5s`.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, behind) = rest.split_at(number_end);
        let unit_end = behind.find(|character: char| character.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(unit_end);
        let scale = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total = total.checked_add(seconds(number, scale)?)?;
        rest = next;
    }
    Some(total)
}

/// A `google.protobuf.Duration` in JSON: `48s`, `34.4s`.
pub(super) fn proto_duration(text: &str) -> Option<Duration> {
    seconds(text.trim().strip_suffix('s')?, 1.0)
}

fn seconds(text: &str, scale: f64) -> Option<Duration> {
    let number: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(number * scale).ok()
}

/// Unix seconds of an HTTP date in the form that is in use (`Sun, 06 Nov 1994 08:49:37 GMT`).
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.trim().split_once(", ")?.1.split(' ');
    let day: u64 = parts.next()?.parse().ok()?;
    let month_name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == month_name)?;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let valid = (1970..=9999).contains(&year) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !valid || second > 60 || parts.next() != Some("GMT") {
        return None;
    }
    Some(days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1 January 1970 to a date; `month` counts from 0.
fn days_before(year: u64, month: usize, day: u64) -> u64 {
    const DAYS_BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap_days_through = |year: u64| year / 4 - year / 100 + year / 400;
    let is_leap = leap_days_through(year) > leap_days_through(year - 1);
    let in_year = DAYS_BEFORE_MONTH.get(month).copied().unwrap_or_default() + u64::from(is_leap && month > 1);
    (year - 1970) * 365 + leap_days_through(year - 1) - leap_days_through(1969) + in_year + day - 1
}

#[cfg(test)]
mod tests {
    use super::{RETRY_AFTER_MAX, go_duration, http_date, retry_after};
    use crate::error::report::Report;
    use std::time::Duration;

    fn wait(headers: &[(&str, &str)], message: &str) -> Option<Duration> {
        let report = Report { message: message.to_owned(), ..Report::default() };
        let find =
            |name: &str| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        retry_after(&find, &report)
    }

    #[test]
    fn every_way_of_saying_it_is_understood() {
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(wait(&[("retry-after", "2"), ("retry-after-ms", "1500")], ""), ms(1_500));
        assert_eq!(wait(&[("retry-after", "0.5")], ""), ms(500));
        let dates =
            [("date", "Sun, 22 Nov 2026 10:00:00 GMT"), ("retry-after", "Sun, 22 Nov 2026 10:00:30 GMT")];
        assert_eq!(wait(&dates, ""), ms(30_000));
        let spent = [
            ("x-ratelimit-remaining-requests", "9"),
            ("x-ratelimit-reset-requests", "1h0m0s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ];
        assert_eq!(wait(&spent, ""), ms(360_000));
        assert_eq!(wait(&[], "Limit reached. Please try again in 1.2s. See …"), ms(1_200));
        assert_eq!(wait(&[], "Please retry after 20 seconds."), ms(20_000));
        assert_eq!(wait(&[("retry-after", "soon")], "Please try again"), None);
        assert_eq!(wait(&[("retry-after", "1e18")], ""), Some(RETRY_AFTER_MAX));
        assert_eq!(wait(&[("retry-after", "-1")], ""), None);
        assert_eq!(wait(&[("retry-after", "NaN")], ""), None);
    }

    #[test]
    fn go_durations_and_dates_are_read_and_nonsense_is_not() {
        assert_eq!(go_duration("1h2m3.5s"), Some(Duration::from_millis(3_723_500)));
        assert_eq!(go_duration("24ms"), Some(Duration::from_millis(24)));
        for bad in ["", "s", "5", "1x", "1..2s", "-1s", "1 s"] {
            assert_eq!(go_duration(bad), None, "{bad}");
        }
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
        assert_eq!(http_date("Fri, 01 Mar 2024 00:00:00 GMT"), Some(1_709_251_200));
        for bad in
            ["", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT"]
        {
            assert_eq!(http_date(bad), None, "{bad}");
        }
    }
}
