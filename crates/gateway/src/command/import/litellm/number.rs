//! Numbers of the other program in the forms of ours. Exactly: no float is involved.

/// Decimal places to move from a price for one token to that for a million.
const MILLION: i32 = 6;
/// The largest exponent that a price may have, either way.
const EXPONENT_MAX: i32 = 30;

/// A price in dollars for one token (`0.0000025`, `2.5e-06`) as one for a million tokens.
pub(super) fn per_million(text: &str) -> Option<String> {
    shifted(text, MILLION)
}

/// Seconds (`30`, `0.5`, `1e2`) as milliseconds, rounded down.
pub(super) fn millis(text: &str) -> Option<u64> {
    let shifted = shifted(text, 3)?;
    shifted.split('.').next()?.parse().ok()
}

/// Milliseconds as a duration of our configuration.
pub(super) fn duration(millis: u64) -> String {
    if millis.is_multiple_of(1_000) { format!("{}s", millis / 1_000) } else { format!("{millis}ms") }
}

/// A decimal number with its point moved to the right.
fn shifted(text: &str, places: i32) -> Option<String> {
    let text = text.trim().trim_start_matches('+');
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
        None => (text, 0_i32),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number || !(-EXPONENT_MAX..=EXPONENT_MAX).contains(&exponent) {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?.checked_add(places)?;
    let missing = usize::try_from(point.checked_neg()?).unwrap_or(0);
    let digits = format!("{}{digits}", "0".repeat(missing));
    let point = usize::try_from(point).unwrap_or(0);
    let padded = format!("{digits:0<point$}");
    let (whole, fraction) = padded.split_at_checked(point)?;
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::{duration, millis, per_million};

    #[test]
    fn prices_are_exact() {
        for (token, million) in [
            ("0.0000025", "2.5"),
            ("2.5e-06", "2.5"),
            ("2.5E-6", "2.5"),
            ("0", "0"),
            ("0.0", "0"),
            ("1e-9", "0.001"),
            ("0.000015", "15"),
            ("3e-05", "30"),
            ("1", "1000000"),
            (".00001", "10"),
            ("1.25e-7", "0.125"),
        ] {
            assert_eq!(per_million(token).as_deref(), Some(million), "{token}");
        }
        for bad in ["", "x", "-1", "1e99", "1e-99", "1.2.3", "e5", "nan"] {
            assert_eq!(per_million(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_in_our_units() {
        assert_eq!(millis("0.5").map(duration).as_deref(), Some("500ms"));
        assert_eq!(millis("600").map(duration).as_deref(), Some("600s"));
        assert_eq!(millis("6e2").map(duration).as_deref(), Some("600s"));
        assert_eq!(millis("ten"), None);
    }
}
