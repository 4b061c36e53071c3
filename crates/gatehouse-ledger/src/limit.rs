//! What people write for a budget: `10 USD/day`, `5 USD per month`, `2.50 USD`.

use crate::period::Period;
use gatehouse_core::money::Nanodollars;
use std::fmt;

/// An amount for each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The most that may be spent in one period.
    pub amount: Nanodollars,
    /// How often it renews.
    pub period: Period,
}

/// A limit that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLimit {
    /// No amount where one should be.
    #[error(
        "`{0}` is no amount; write dollars such as `10 USD/day` or `2.50 USD`, \
         with no sign and no thousands separator"
    )]
    Amount(String),
    /// Another currency, or none.
    #[error("`{0}` is no currency that is known; amounts are in USD, as in `10 USD/day`")]
    Currency(String),
    /// Not a period.
    #[error("`{0}` is no period; known are minute, hour, day, week, month and lifetime, as in `10 USD/day`")]
    Period(String),
}

/// Reads an amount in US dollars with a period after `/` or `per`. Without one it is for the lifetime.
pub fn parse_limit(text: &str) -> Result<Limit, BadLimit> {
    let text = text.trim();
    let number_end =
        text.find(|c: char| c.is_whitespace() || c.is_alphabetic() || c == '/').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(number_end).unwrap_or((text, ""));
    let amount = Nanodollars::parse_dollars(number).ok_or_else(|| BadLimit::Amount(text.to_owned()))?;
    let rest = rest.trim_start();
    let currency_end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (currency, rest) = rest.split_at_checked(currency_end).unwrap_or((rest, ""));
    if !currency.eq_ignore_ascii_case("usd") {
        let written = if currency.is_empty() { rest } else { currency };
        return Err(BadLimit::Currency(written.trim().to_owned()));
    }
    Ok(Limit { amount, period: parse_period(rest.trim())? })
}

fn parse_period(text: &str) -> Result<Period, BadLimit> {
    if text.is_empty() {
        return Ok(Period::Lifetime);
    }
    let bad = || BadLimit::Period(text.to_owned());
    let name = match text.strip_prefix('/') {
        Some(name) => name.trim(),
        None => text.strip_prefix("per ").ok_or_else(bad)?.trim(),
    };
    Period::ALL.into_iter().find(|period| name.eq_ignore_ascii_case(period.as_str())).ok_or_else(bad)
}

// === impl Limit ===

impl fmt::Display for Limit {
    /// As it is written: `10 USD/day`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.period {
            Period::Lifetime => write!(f, "{} USD", self.amount),
            period => write!(f, "{} USD/{}", self.amount, period.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BadLimit, Limit, parse_limit};
    use crate::period::Period;
    use gatehouse_core::money::Nanodollars;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_is_read() {
        let limit =
            |dollars: &str, period| Limit { amount: Nanodollars::parse_dollars(dollars).unwrap(), period };
        for (text, expected) in [
            ("10 USD/day", limit("10", Period::Day)),
            ("5USD per month", limit("5", Period::Month)),
            (" 2.50 usd ", limit("2.5", Period::Lifetime)),
            ("0.01 USD / Hour", limit("0.01", Period::Hour)),
            ("7 USD per lifetime", limit("7", Period::Lifetime)),
            ("0 USD/minute", limit("0", Period::Minute)),
        ] {
            assert_eq!(parse_limit(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let message = |text: &str| parse_limit(text).unwrap_err().to_string();
        assert!(message("ten USD").starts_with("`ten USD` is no amount"));
        assert!(message("-1 USD").contains("no sign"));
        assert!(message("1,000 USD").contains("no thousands separator"));
        assert!(message("10").contains("amounts are in USD"));
        assert!(message("10 EUR/day").starts_with("`EUR` is no currency"));
        assert!(message("10 USD/fortnight").starts_with("`/fortnight` is no period"));
        assert!(message("10 USD day").contains("as in `10 USD/day`"));
        assert!(message("").contains("no amount"));
        assert_eq!(parse_limit("1.2.3 USD"), Err(BadLimit::Amount("1.2.3 USD".to_owned())));
    }

    proptest! {
        /// What is printed reads back as the same limit, and no text panics.
        #[test]
        fn printing_loses_nothing(nanos in any::<u64>(), which in 0_usize..6, noise in "\\PC*") {
            let limit = Limit { amount: Nanodollars(nanos), period: Period::ALL[which] };
            prop_assert_eq!(parse_limit(&limit.to_string()), Ok(limit));
            let _ = parse_limit(&noise);
        }
    }
}
