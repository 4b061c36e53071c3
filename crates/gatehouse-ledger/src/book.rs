//! The price book: the operator's prices first, then the catalogue.

use crate::UnixSeconds;
use crate::list::Catalogue;
use crate::overrides::PriceOverride;
use crate::price::{ModelPrices, Priced};
use crate::tier::ServiceTier;

/// Finds the prices of a target. Made anew with each configuration; look-ups change nothing in it.
#[derive(Clone, Debug, Default)]
pub struct PriceBook {
    overrides: Vec<PriceOverride>,
    catalogue: Catalogue,
}

// === impl PriceBook ===

impl PriceBook {
    /// A book in which `overrides` go before the catalogue. Of several that fit a model, an exact name
    /// goes before a pattern, a longer pattern before a shorter one, and the later before the earlier.
    #[must_use]
    pub fn new(overrides: Vec<PriceOverride>) -> Self {
        Self { overrides, catalogue: Catalogue::default() }
    }

    /// The same with another catalogue than the built-in one.
    #[must_use]
    pub fn with(self, catalogue: Catalogue) -> Self {
        Self { catalogue, ..self }
    }

    /// The lists of models.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// All prices of a model, to be kept with the target: a call then looks nothing up.
    ///
    /// `kind` is the kind of provider (`openai`, `gemini`), `provider` its name in the configuration,
    /// `model` the model's name there. What is not known gives prices that are empty, never zero.
    #[must_use]
    pub fn resolve(&self, kind: &str, provider: &str, model: &str) -> ModelPrices {
        let fitting = self.overrides.iter().filter_map(|each| Some((each.fits(provider, model)?, each)));
        if let Some((_, set)) = fitting.max_by_key(|(fit, _)| *fit) {
            return set.prices();
        }
        self.catalogue.facts(kind, model).map(|facts| facts.prices).unwrap_or_default()
    }

    /// One price, found from scratch: for reports and `explain`. Calls use [`Self::resolve`].
    #[must_use]
    pub fn lookup(
        &self,
        kind: &str,
        provider: &str,
        model: &str,
        at: UnixSeconds,
        tier: ServiceTier,
        input_tokens: u64,
    ) -> Option<Priced> {
        self.resolve(kind, provider, model).at(at, tier, input_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::PriceBook;
    use crate::overrides::PriceOverride;
    use crate::tier::ServiceTier::{Priority, Standard};
    use gatehouse_core::money::{Nanodollars, Rate, cost};
    use gatehouse_core::usage::Usage;

    fn set(model: &str, dollars: &str) -> PriceOverride {
        PriceOverride::new("mine", model, [("input", dollars), ("output", dollars)]).unwrap()
    }

    fn input(book: &PriceBook, provider: &str, model: &str) -> Option<Rate> {
        book.lookup("openai", provider, model, 0, Standard, 1).map(|priced| priced.price.input)
    }

    #[test]
    fn the_operators_price_goes_first_and_the_closest_of_them() {
        let book = PriceBook::new(vec![set("gpt-4o", "3"), set("*", "1"), set("gpt-*", "2")]);
        assert_eq!(input(&book, "mine", "gpt-4o"), Some(Rate(3_000_000_000)));
        assert_eq!(input(&book, "mine", "gpt-4o-mini"), Some(Rate(2_000_000_000)));
        assert_eq!(input(&book, "mine", "other"), Some(Rate(1_000_000_000)));
        assert_eq!(input(&book, "theirs", "gpt-4o"), Some(Rate(2_500_000_000)));
        assert_eq!(input(&book, "theirs", "other"), None);
    }

    #[test]
    fn the_later_of_two_equal_overrides_holds() {
        let book = PriceBook::new(vec![set("m", "1"), set("m", "2")]);
        assert_eq!(input(&book, "mine", "m"), Some(Rate(2_000_000_000)));
    }

    #[test]
    fn own_machines_cost_nothing_whatever_the_tier() {
        let book = PriceBook::new(vec![PriceOverride::self_hosted("llama")]);
        let prices = book.resolve("vllm", "llama", "llama-3.3-70b");
        let price = prices.at(0, Priority, 1).unwrap().price;
        let used = Usage {
            input_tokens: 9,
            output_tokens: 9,
            images: 9,
            audio_millis: 9,
            characters: 9,
            ..Usage::default()
        };
        assert!(price.covers(&used) && cost(&used, &price) == Nanodollars::ZERO);
        assert!(!book.resolve("vllm", "other", "llama-3.3-70b").is_priced());
    }
}
