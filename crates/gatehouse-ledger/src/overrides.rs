//! Prices that the operator sets: negotiated ones, committed capacity, models of their own.

use crate::catalogue::price_id;
use crate::price::{ModelPrices, Priced};
use gatehouse_core::money::{Nanodollars, Price, Rate};
use std::fmt::Write;
use std::sync::Arc;

/// An operator's price for a model at one of their providers. It replaces the list price as a whole: no
/// tier, size or hour of the list applies beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceOverride {
    /// The provider's name in the configuration.
    provider: Arc<str>,
    /// The model's name at the provider; a trailing `*` matches any rest.
    model: Arc<str>,
    price: Price,
    id: Arc<str>,
}

/// A price that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPrice {
    /// Not a class of price.
    #[error("`{0}` is no price; known are {known}", known = NAMES.join(", "))]
    Unknown(String),
    /// Not an amount.
    #[error("`{value}` is no amount for `{name}`; write US dollars such as 2.50 (up to nine decimals)")]
    Amount {
        /// The class of price.
        name: String,
        /// What was written.
        value: String,
    },
    /// A price without one of the two that every price needs.
    #[error("`{0}` is missing; write 0 for what costs nothing")]
    Missing(&'static str),
}

/// The names of prices, in dollars per million tokens (`character`: per million characters); those from `search` on
/// in dollars each.
const NAMES: [&str; 16] = [
    "input",
    "output",
    "cached_read",
    "cache_write",
    "cache_write_long",
    "reasoning",
    "audio_input",
    "audio_output",
    "image_input",
    "image_output",
    "character",
    "search",
    "search_unit",
    "request",
    "image",
    "audio_hour",
];

// === impl PriceOverride ===

impl PriceOverride {
    /// A price of the operator for `model` (exact, or with a trailing `*`) at the provider that the
    /// configuration calls `provider`.
    ///
    /// `dollars` names prices as in [`BadPrice::Unknown`]'s list, each a decimal amount of dollars per
    /// million tokens (`character`: characters; `search` and those behind it: for each one). `input` and `output` are
    /// needed.
    pub fn new<'a>(
        provider: impl Into<Arc<str>>,
        model: impl Into<Arc<str>>,
        dollars: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BadPrice> {
        let (mut price, mut input, mut output) = (Price::default(), None, None);
        for (name, value) in dollars {
            let amount = Nanodollars::parse_dollars(value.trim())
                .ok_or_else(|| BadPrice::Amount { name: name.to_owned(), value: value.to_owned() })?;
            // Nanodollars of an amount "per million" are nanodollars per million tokens: the unit of a rate.
            let rate = Rate(amount.0);
            match name {
                "input" => input = Some(rate),
                "output" => output = Some(rate),
                "cached_read" => price.cached_read = Some(rate),
                "cache_write" => price.cache_write = Some(rate),
                "cache_write_long" => price.cache_write_long = Some(rate),
                "reasoning" => price.reasoning = Some(rate),
                "audio_input" => price.audio_input = Some(rate),
                "audio_output" => price.audio_output = Some(rate),
                "image_input" => price.image_input = Some(rate),
                "image_output" => price.image_output = Some(rate),
                "search" => price.search = amount,
                "search_unit" => price.search_unit = Some(amount),
                "request" => price.request = amount,
                "image" => price.image = Some(amount),
                "audio_hour" => price.audio_hour = Some(amount),
                "character" => price.character = Some(rate),
                _ => return Err(BadPrice::Unknown(name.to_owned())),
            }
        }
        price.input = input.ok_or(BadPrice::Missing("input"))?;
        price.output = output.ok_or(BadPrice::Missing("output"))?;
        Ok(Self::of(provider.into(), model.into(), price))
    }

    /// Every model of a provider at no cost: the operator's own machines.
    #[must_use]
    pub fn self_hosted(provider: impl Into<Arc<str>>) -> Self {
        let free = Some(Nanodollars::ZERO);
        let price = Price {
            search_unit: free,
            image: free,
            audio_hour: free,
            character: Some(Rate(0)),
            ..Price::default()
        };
        Self::of(provider.into(), "*".into(), price)
    }

    fn of(provider: Arc<str>, model: Arc<str>, price: Price) -> Self {
        let id = price_id(&format!("operator:{provider}/{model}"), None, &[&canonical(&price)]).into();
        Self { provider, model, price, id }
    }

    /// How well it fits a model: `None` not at all, else the more the better.
    pub(crate) fn fits(&self, provider: &str, model: &str) -> Option<usize> {
        if &*self.provider != provider {
            return None;
        }
        match self.model.strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix).then_some(prefix.len()),
            None => (&*self.model == model).then_some(usize::MAX),
        }
    }

    /// The prices of the models it fits.
    pub(crate) fn prices(&self) -> ModelPrices {
        ModelPrices::flat(Priced { price: self.price, id: self.id.clone() })
    }
}

/// A price as text for its id: every part by name, so that equal prices have equal ids for ever.
fn canonical(price: &Price) -> String {
    let classes = [
        Some(price.input),
        Some(price.output),
        price.cached_read,
        price.cache_write,
        price.cache_write_long,
        price.reasoning,
        price.audio_input,
        price.audio_output,
        price.image_input,
        price.image_output,
        price.character,
        Some(Rate(price.search.0)),
        price.search_unit.map(|unit| Rate(unit.0)),
        Some(Rate(price.request.0)),
        price.image.map(|each| Rate(each.0)),
        price.audio_hour.map(|each| Rate(each.0)),
    ];
    let mut text = String::new();
    for (name, rate) in NAMES.iter().zip(classes) {
        if let Some(rate) = rate {
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}={};", rate.0);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{BadPrice, PriceOverride};
    use gatehouse_core::money::{Nanodollars, Rate};

    #[test]
    fn dollars_are_read_without_a_float() {
        let price = [("input", "0.1"), ("output", "0.30"), ("cached_read", "0.01875"), ("request", "0.005")];
        let set = PriceOverride::new("llama", "m", price).unwrap();
        assert_eq!((set.price.input, set.price.output), (Rate(100_000_000), Rate(300_000_000)));
        assert_eq!(set.price.cached_read, Some(Rate(18_750_000)));
        assert_eq!(set.price.request, Nanodollars(5_000_000));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let bad = |dollars: &[(&'static str, &'static str)]| {
            PriceOverride::new("p", "m", dollars.iter().copied()).unwrap_err()
        };
        assert_eq!(bad(&[("input", "1")]), BadPrice::Missing("output"));
        assert_eq!(bad(&[("output", "1")]), BadPrice::Missing("input"));
        assert!(bad(&[("inptu", "1")]).to_string().contains("known are input, output"));
        for amount in ["-1", "1e3", "", "1,5", "NaN", "0.0000000001"] {
            assert!(bad(&[("input", amount)]).to_string().contains("no amount"), "{amount}");
        }
    }

    #[test]
    fn an_id_changes_with_the_price_and_only_then() {
        let id =
            |output: &str| PriceOverride::new("p", "m", [("input", "1"), ("output", output)]).unwrap().id;
        assert_eq!(id("2"), id("2.00"));
        assert_ne!(id("2"), id("3"));
        assert!(id("2").starts_with("operator:p/m#"));
    }
}
