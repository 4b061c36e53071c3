//! From usage to cost: the bound before a call, the amount after it.

use crate::UnixSeconds;
use crate::price::ModelPrices;
use crate::tier::ServiceTier;
use gatehouse_core::money::{Nanodollars, Price, cost};
use gatehouse_core::record::{Cost, CostStatus};
use gatehouse_core::usage::{Usage, UsageSource};
use std::sync::Arc;

/// The most that a call of at most `bound` can cost, or `None` when no price is known.
///
/// Every input token is taken at the dearest of input and cache write (some providers write their cache
/// unasked), every output token at the dearest of output and reasoning. Tokens that `bound` itself puts
/// into a class (long cache writes, audio) are taken at that class.
#[must_use]
pub fn ceiling(
    prices: &ModelPrices,
    bound: &Usage,
    tier: ServiceTier,
    now: UnixSeconds,
) -> Option<Nanodollars> {
    let listed = &prices.found(now, tier, bound.input_tokens)?.price;
    if !listed.covers(bound) {
        return None;
    }
    let input = listed.input.max(listed.cache_write.unwrap_or_default());
    let output = listed.output.max(listed.reasoning.unwrap_or_default());
    Some(cost(bound, &Price { input, output, ..*listed }))
}

/// What a call cost, and how that is known. `now` is when the call began, `tier` what it was served at.
///
/// Without a known price the amount is zero *and* the status says [`CostStatus::Unpriced`]: whoever adds
/// costs up has to look at the status.
#[must_use]
pub fn settle(
    usage: &Usage,
    source: UsageSource,
    prices: &ModelPrices,
    tier: ServiceTier,
    now: UnixSeconds,
) -> Cost {
    let status = match source {
        UsageSource::None => return Cost::default(),
        UsageSource::Provider | UsageSource::Estimated if usage.is_empty() => return Cost::default(),
        UsageSource::Provider => CostStatus::Exact,
        UsageSource::Estimated => CostStatus::Estimated,
    };
    match prices.found(now, tier, usage.input_tokens).filter(|priced| priced.price.covers(usage)) {
        Some(priced) => {
            Cost { amount: cost(usage, &priced.price), status, price: Some(Arc::clone(&priced.id)) }
        }
        None => Cost { amount: Nanodollars::ZERO, status: CostStatus::Unpriced, price: None },
    }
}

#[cfg(test)]
mod tests {
    use super::{ceiling, settle};
    use crate::book::PriceBook;
    use crate::tier::ServiceTier::Standard;
    use gatehouse_core::money::Nanodollars;
    use gatehouse_core::record::CostStatus;
    use gatehouse_core::usage::{Usage, UsageSource};
    use proptest::prelude::*;

    fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, output_tokens, ..Usage::default() }
    }

    #[test]
    fn a_cost_says_how_it_is_known() {
        let (listed, unknown) = (
            PriceBook::default().resolve("sim", "sim", "small"),
            PriceBook::default().resolve("vllm", "v", "m"),
        );
        let status = |prices, usage: Usage, source| settle(&usage, source, prices, Standard, 0).status;
        assert_eq!(status(&listed, usage(9, 9), UsageSource::Provider), CostStatus::Exact);
        assert_eq!(status(&listed, usage(9, 9), UsageSource::Estimated), CostStatus::Estimated);
        assert_eq!(status(&listed, usage(9, 9), UsageSource::None), CostStatus::Free);
        assert_eq!(status(&listed, usage(0, 0), UsageSource::Provider), CostStatus::Free);
        assert_eq!(status(&unknown, usage(9, 9), UsageSource::Provider), CostStatus::Unpriced);
        assert_eq!(status(&unknown, usage(0, 0), UsageSource::Provider), CostStatus::Free);
        assert_eq!(ceiling(&unknown, &usage(9, 9), Standard, 0), None);
    }

    #[test]
    fn a_model_that_writes_its_cache_unasked_is_bounded_by_that() {
        let prices = PriceBook::default().resolve("sim", "sim", "large");
        // 1,000 × 2.50 + 100 × 8 dollars per million
        assert_eq!(ceiling(&prices, &usage(1_000, 100), Standard, 0), Some(Nanodollars(2_500_000 + 800_000)));
    }

    /// Models whose prices have classes, steps, hours and fees.
    const MODELS: [(&str, &str); 6] = [
        ("sim", "large"),
        ("anthropic", "claude-opus-5-5"),
        ("openai", "gpt-6-astra"),
        ("gemini", "gemini-2.5-pro"),
        ("deepseek", "deepseek-flash"),
        ("perplexity", "sonar"),
    ];

    proptest! {
        /// However a call within the bound divides its tokens into cached, written and reasoning ones, it
        /// does not cost more than the ceiling.
        #[test]
        fn no_division_into_classes_costs_more(
            input in 0_u64..2_000_000, output in 0_u64..200_000,
            cached in 0_u64..2_000_000, written in 0_u64..2_000_000, reasoning in 0_u64..200_000,
            model in prop::sample::select(MODELS.to_vec()),
        ) {
            let prices = PriceBook::default().resolve(model.0, model.0, model.1);
            let used = Usage {
                cached_read_tokens: cached,
                cache_write_tokens: written,
                reasoning_tokens: reasoning,
                ..usage(input, output)
            };
            let most = ceiling(&prices, &usage(input, output), Standard, 0).unwrap();
            prop_assert!(settle(&used, UsageSource::Provider, &prices, Standard, 0).amount <= most);
        }
    }
}
