//! The prices of one target, and which of them a call is charged at.

use crate::UnixSeconds;
use crate::tier::ServiceTier;
use gatehouse_core::money::Price;
use std::sync::Arc;

/// Every known price of one model at one provider, resolved once when a configuration is loaded.
#[derive(Clone, Debug, Default)]
pub struct ModelPrices {
    /// The last one whose conditions hold is charged. Empty: no price is known.
    variants: Vec<Variant>,
}

/// A price and the row it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The rates.
    pub price: Price,
    /// The row's stable id, for records: the same id always means the same rates.
    pub id: Arc<str>,
}

/// One price and the conditions under which it holds.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// The first second at which it holds.
    pub(crate) from: UnixSeconds,
    /// The service tiers it is for.
    pub(crate) tiers: Tiers,
    /// It holds for prompts of more tokens than this, then for the whole request.
    pub(crate) above: u64,
    /// Minutes of the week from Monday 00:00 UTC, each from (inclusive) to (exclusive). Empty: always.
    pub(crate) windows: Vec<(u64, u64)>,
    /// The price.
    pub(crate) priced: Priced,
}

/// The service tiers that a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tiers {
    /// All of them: an operator's own price.
    Every,
    /// All but those that cost more than the list price.
    Standard,
    /// This one.
    Only(ServiceTier),
}

// === impl ModelPrices ===

impl ModelPrices {
    pub(crate) fn new(variants: Vec<Variant>) -> Self {
        Self { variants }
    }

    /// One price for every time, tier and size.
    pub(crate) fn flat(priced: Priced) -> Self {
        Self::new(vec![Variant { from: 0, tiers: Tiers::Every, above: 0, windows: Vec::new(), priced }])
    }

    /// Whether any price is known.
    #[must_use]
    pub fn is_priced(&self) -> bool {
        !self.variants.is_empty()
    }

    /// The price of a call that starts at `now` with `input_tokens` in its prompt, cached ones included.
    ///
    /// A tier that is cheaper than standard and has no price of its own costs the standard price; a dearer
    /// one without a price has none, because the standard price would be too low. The price of the whole
    /// request is that of the highest size step its prompt goes beyond.
    #[must_use]
    pub fn at(&self, now: UnixSeconds, tier: ServiceTier, input_tokens: u64) -> Option<Priced> {
        self.found(now, tier, input_tokens).cloned()
    }

    /// The same where it stands: a price is large, and a call asks for it twice.
    pub(crate) fn found(&self, now: UnixSeconds, tier: ServiceTier, input_tokens: u64) -> Option<&Priced> {
        let tier = self.listed(tier);
        let mut variants = self.variants.iter().rev();
        variants.find(|variant| variant.holds(now, tier, input_tokens)).map(|variant| &variant.priced)
    }

    /// OpenAI calls priority service `fast` too, and lists it once.
    fn listed(&self, tier: ServiceTier) -> ServiceTier {
        let has_own = || self.variants.iter().any(|variant| variant.tiers == Tiers::Only(tier));
        if tier == ServiceTier::Fast && !has_own() { ServiceTier::Priority } else { tier }
    }
}

// === impl Variant ===

impl Variant {
    fn holds(&self, now: UnixSeconds, tier: ServiceTier, input_tokens: u64) -> bool {
        let served = match self.tiers {
            Tiers::Every => true,
            Tiers::Standard => !tier.is_premium(),
            Tiers::Only(only) => only == tier,
        };
        served
            && self.from <= now
            && (self.above == 0 || input_tokens > self.above)
            && (self.windows.is_empty()
                || self.windows.iter().any(|span| is_within(*span, minute_of_week(now))))
    }
}

fn is_within((from, to): (u64, u64), minute: u64) -> bool {
    (from..to).contains(&minute)
}

/// Minutes since Monday 00:00 UTC; the epoch began on a Thursday.
fn minute_of_week(now: UnixSeconds) -> u64 {
    const DAY: u64 = 1_440;
    (now / 60 + 3 * DAY) % (7 * DAY)
}

#[cfg(test)]
mod tests {
    use super::{ModelPrices, minute_of_week};
    use crate::book::PriceBook;
    use crate::tier::ServiceTier::{self, Batch, Fast, Flex, Priority, Standard, Ultrafast};

    /// 2026-11-23, a Monday, 00:00 UTC.
    const MONDAY: u64 = 1_795_392_000;
    const HOUR: u64 = 3_600;

    fn list(kind: &str, model: &str) -> ModelPrices {
        PriceBook::default().resolve(kind, kind, model)
    }

    /// The input rate in dollars per million tokens.
    fn input(prices: &ModelPrices, now: u64, tier: ServiceTier, tokens: u64) -> Option<String> {
        let rate = prices.at(now, tier, tokens)?.price.input;
        Some(gatehouse_core::money::Nanodollars(rate.0).to_string())
    }

    #[test]
    fn the_whole_request_is_at_the_step_beyond_which_it_goes() {
        let prices = list("gemini", "gemini-2.5-pro");
        assert_eq!(input(&prices, MONDAY, Standard, 200_000).unwrap(), "1.25");
        assert_eq!(input(&prices, MONDAY, Standard, 200_001).unwrap(), "2.5");
        assert_eq!(input(&prices, MONDAY, Priority, 200_001).unwrap(), "4.5");
    }

    #[test]
    fn a_cheap_tier_without_a_price_is_standard_and_a_dear_one_unknown() {
        let haiku = list("anthropic", "claude-haiku-4-5");
        assert_eq!(input(&haiku, MONDAY, Batch, 1).unwrap(), "0.5");
        assert_eq!(input(&haiku, MONDAY, Flex, 1).unwrap(), "1");
        assert_eq!(input(&haiku, MONDAY, Priority, 1), None);
        assert_eq!(input(&haiku, MONDAY, Ultrafast, 1), None);
    }

    #[test]
    fn fast_is_anthropics_own_price_and_openais_priority() {
        assert_eq!(input(&list("anthropic", "claude-opus-5-5"), MONDAY, Fast, 1).unwrap(), "8");
        assert_eq!(input(&list("openai", "gpt-4o"), MONDAY, Fast, 1).unwrap(), "4.25");
    }

    #[test]
    fn off_peak_hours_are_of_the_week_in_utc() {
        let prices = list("deepseek", "deepseek-flash");
        let at = |now| input(&prices, now, Standard, 1).unwrap();
        assert_eq!(at(MONDAY), "0.15", "before one o'clock");
        assert_eq!(at(MONDAY + HOUR), "0.3");
        assert_eq!(at(MONDAY + 4 * HOUR - 1), "0.3");
        assert_eq!(at(MONDAY + 4 * HOUR), "0.15");
        assert_eq!(at(MONDAY - 1), "0.15", "sunday");
        assert_eq!(at(MONDAY - 24 * HOUR + 2 * HOUR), "0.15", "sunday, at what is a peak hour of other days");
        assert_eq!((minute_of_week(MONDAY), minute_of_week(MONDAY - 1)), (0, 10_079));
    }

    #[test]
    fn an_announced_price_begins_on_its_day_for_every_tier() {
        /// 2027-01-01 00:00 UTC.
        const NEW_YEAR: u64 = 1_798_761_600;
        let prices = list("gemini", "gemini-3.8-flash");
        for (tier, before, after) in
            [(Standard, "0.75", "1.5"), (Batch, "0.375", "0.75"), (Priority, "1.35", "2.7")]
        {
            assert_eq!(input(&prices, NEW_YEAR - 1, tier, 1).unwrap(), before);
            assert_eq!(input(&prices, NEW_YEAR, tier, 1).unwrap(), after);
        }
        let id = prices.at(NEW_YEAR, Standard, 1).unwrap().id;
        assert!(id.starts_with("gemini/gemini-3.8-flash@2027-01-01#"), "{id}");
    }

    #[test]
    fn unknown_is_none_and_never_zero() {
        let prices = list("ollama", "llama3.2");
        assert!(!prices.is_priced());
        assert_eq!(prices.at(MONDAY, Standard, 1), None);
    }
}
