//! Money in integers, and the one function that turns usage into a cost.

use crate::usage::Usage;
use std::fmt;

/// A thousand-millionth of a US dollar. `u64` holds eighteen thousand million dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanodollars(pub u64);

/// Nanodollars per **million** tokens: the unit in which every published price is a whole number
/// (`$0.01875` per million tokens is 18,750,000).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub u64);

/// The prices of one model at one provider, valid over one span of time.
///
/// A class without its own price is charged at the price of the class that it is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Input tokens that no other class claims.
    pub input: Rate,
    /// Output tokens that no other class claims.
    pub output: Rate,
    /// Input read from the provider's cache.
    pub cached_read: Option<Rate>,
    /// Input written to the cache, short lifetime.
    pub cache_write: Option<Rate>,
    /// Input written to the cache, long lifetime.
    pub cache_write_long: Option<Rate>,
    /// Reasoning output.
    pub reasoning: Option<Rate>,
    /// Audio input.
    pub audio_input: Option<Rate>,
    /// Audio output.
    pub audio_output: Option<Rate>,
    /// Image input.
    pub image_input: Option<Rate>,
    /// Image output.
    pub image_output: Option<Rate>,
    /// One web search.
    pub search: Nanodollars,
    /// One search unit of a ranking; `None` where rankings are billed by the token, or their price is not known.
    pub search_unit: Option<Nanodollars>,
    /// One request, whatever it carries.
    pub request: Nanodollars,
    /// One image made. `None`: no such price is known.
    pub image: Option<Nanodollars>,
    /// One hour of audio heard. `None`: no such price is known.
    pub audio_hour: Option<Nanodollars>,
    /// Characters read aloud, per million. `None`: no such price is known.
    pub character: Option<Rate>,
}

/// What `usage` costs at `price`: the sum over the classes, rounded once, half up, to a nanodollar.
#[must_use]
pub fn cost(usage: &Usage, price: &Price) -> Nanodollars {
    let usage = usage.clamped();
    let nothing = Some(Rate::default());
    let input_classes = [
        (usage.unbilled_input_tokens, nothing),
        (usage.cached_read_tokens, price.cached_read),
        (usage.cache_write_tokens, price.cache_write),
        (usage.cache_write_long_tokens, price.cache_write_long.or(price.cache_write)),
        (usage.audio_input_tokens, price.audio_input),
        (usage.image_input_tokens, price.image_input),
    ];
    let output_classes = [
        (usage.unbilled_output_tokens, nothing),
        (usage.reasoning_tokens, price.reasoning),
        (usage.audio_output_tokens, price.audio_output),
        (usage.image_output_tokens, price.image_output),
    ];
    let per_million = total(usage.input_tokens, price.input, &input_classes)
        + total(usage.output_tokens, price.output, &output_classes);
    let per_million = per_million
        + u128::from(usage.characters) * u128::from(price.character.unwrap_or_default().0)
        // A million for an hour's 3,600,000 milliseconds.
        + u128::from(usage.audio_millis) * u128::from(price.audio_hour.unwrap_or_default().0) * 10 / 36;
    let whole = (per_million + 500_000) / 1_000_000
        + u128::from(usage.images) * u128::from(price.image.unwrap_or_default().0)
        + u128::from(usage.searches) * u128::from(price.search.0)
        + u128::from(usage.search_units) * u128::from(price.search_unit.unwrap_or_default().0)
        + u128::from(price.request.0);
    Nanodollars(u64::try_from(whole).unwrap_or(u64::MAX))
}

fn total(all: u64, base: Rate, classes: &[(u64, Option<Rate>)]) -> u128 {
    let claimed: u64 = classes.iter().map(|(tokens, _)| tokens).sum();
    let rest = u128::from(all.saturating_sub(claimed)) * u128::from(base.0);
    classes
        .iter()
        .fold(rest, |sum, (tokens, rate)| sum + u128::from(*tokens) * u128::from(rate.unwrap_or(base).0))
}

// === impl Price ===

impl Price {
    /// Whether it says what this usage costs. Units that it has no price for would come out as nothing, and so
    /// would tokens at a price that is for units alone.
    #[must_use]
    pub fn covers(&self, usage: &Usage) -> bool {
        let units = [
            (self.search_unit.map(|price| price.0), usage.search_units),
            (self.image.map(|price| price.0), usage.images),
            (self.audio_hour.map(|price| price.0), usage.audio_millis),
            (self.character.map(|price| price.0), usage.characters),
        ];
        let are_priced = units.iter().all(|(price, used)| *used == 0 || price.is_some());
        let for_tokens = self.input != Rate::default() || self.output != Rate::default();
        let for_units = units.iter().any(|(price, _)| price.is_some_and(|price| price > 0));
        let in_units = units.iter().any(|(_, used)| *used > 0);
        are_priced && (for_tokens || !for_units || in_units || usage.total_tokens() == 0)
    }
}

// === impl Nanodollars ===

impl Nanodollars {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, stopping at the largest amount instead of overflowing.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, stopping at zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Reads a decimal amount of dollars such as `12.50`, without a float on the way.
    ///
    /// Gives `None` for anything but digits with at most one point and nine decimals.
    #[must_use]
    pub fn parse_dollars(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
            return None;
        }
        let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
        let whole: u64 = whole.parse().ok()?;
        whole.checked_mul(1_000_000_000)?.checked_add(nanos).map(Self)
    }
}

impl fmt::Display for Nanodollars {
    /// Decimal dollars without trailing zeros: `0.0000125`, `3`, `12.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if nanos == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::{Nanodollars, Price, Rate, cost};
    use crate::usage::Usage;
    use proptest::prelude::*;

    #[test]
    fn classes_are_priced_apart_and_rounded_once() {
        let price = Price {
            input: Rate(3_000_000_000),
            output: Rate(15_000_000_000),
            cached_read: Some(Rate(300_000_000)),
            cache_write: Some(Rate(3_750_000_000)),
            ..Price::default()
        };
        let usage = Usage {
            input_tokens: 1_000,
            cached_read_tokens: 600,
            cache_write_tokens: 100,
            output_tokens: 10,
            ..Usage::default()
        };
        // 300 × 3 + 600 × 0.3 + 100 × 3.75 + 10 × 15 dollars per million
        assert_eq!(cost(&usage, &price), Nanodollars(900_000 + 180_000 + 375_000 + 150_000));
        // What is not billed costs nothing, be it out of the cache or not.
        let usage = Usage { unbilled_input_tokens: 400, unbilled_output_tokens: 4, ..usage };
        let usage = usage.clamped();
        assert_eq!((usage.cached_read_tokens, usage.cache_write_tokens), (600, 0));
        assert_eq!(cost(&usage, &price), Nanodollars(180_000 + 90_000));
    }

    #[test]
    fn dollars_read_and_print() {
        assert_eq!(Nanodollars::parse_dollars("12.50"), Some(Nanodollars(12_500_000_000)));
        assert_eq!(Nanodollars(12_500).to_string(), "0.0000125");
        for bad in ["", ".5", "1.2.3", "-1", "1e3", "1.0000000001", "99999999999999999999"] {
            assert_eq!(Nanodollars::parse_dollars(bad), None, "{bad}");
        }
    }

    proptest! {
        /// What is printed reads back as the same amount.
        #[test]
        fn printing_loses_nothing(nanos in any::<u64>()) {
            prop_assert_eq!(Nanodollars::parse_dollars(&Nanodollars(nanos).to_string()), Some(Nanodollars(nanos)));
        }
    }
}
