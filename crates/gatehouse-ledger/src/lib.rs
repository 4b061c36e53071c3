//! What a call costs, before and after: price book, estimates, budgets, holds, settlement.
//!
//! The cast, in the order in which a call meets it: a [`PriceBook`] resolves each target to its
//! [`ModelPrices`] when the configuration is loaded; a [`TokenEstimator`] counts a prompt without a
//! tokenizer; [`ceiling`] bounds what the call can cost; [`Counters::reserve`] takes that from every
//! [`Window`] of the caller or says [`Exceeded`]; the [`Hold`] it gives is settled with what [`settle`]
//! makes of the usage.
//!
//! ```
//! use gatehouse_core::usage::{Usage, UsageSource};
//! use gatehouse_ledger::{Counters, PriceBook, ServiceTier, Window, ceiling, parse_limit, settle};
//! use std::sync::Arc;
//!
//! let (now, tier) = (1_795_000_000, ServiceTier::Standard);
//! let prices = PriceBook::default().resolve("sim", "sim", "small");
//! let counters = Arc::new(Counters::default());
//! let day = Window::new("key/k1", parse_limit("10 USD/day").unwrap());
//!
//! let bound = Usage { input_tokens: 1_200, output_tokens: 4_096, ..Usage::default() };
//! let hold = counters.reserve(&[day], ceiling(&prices, &bound, tier, now).unwrap(), now).unwrap();
//! let used = Usage { input_tokens: 1_000, output_tokens: 500, ..Usage::default() };
//! let cost = settle(&used, UsageSource::Provider, &prices, tier, now);
//! hold.settle(cost.amount);
//! assert_eq!(cost.amount.to_string(), "0.0003");
//! ```
//!
//! This crate does no IO, knows no runtime and reads no clock: the time is an argument. It knows neither
//! keys nor teams: a window is a name, a limit and a period.

mod book;
mod budget;
mod catalogue;
mod estimate;
mod hold;
mod limit;
mod list;
mod overrides;
mod period;
mod price;
mod reserve;
mod settle;
mod tier;

pub use book::PriceBook;
pub use budget::{Counters, Exceeded, Used, Window};
pub use estimate::{TokenEstimator, estimate_tokens};
pub use hold::Hold;
pub use limit::{BadLimit, Limit, parse_limit};
pub use list::{BadCatalogue, Catalogue, Change, Facts, dollars};
pub use overrides::{BadPrice, PriceOverride};
pub use period::Period;
pub use price::{ModelPrices, Priced};
pub use reserve::RequestSize;
pub use settle::{ceiling, settle};
pub use tier::ServiceTier;

/// Seconds since the Unix epoch, UTC.
pub type UnixSeconds = u64;

/// The ids of all models that the built-in list has for a kind of provider, in alphabetical order.
pub fn models_of(kind: &str) -> impl Iterator<Item = &'static str> + use<> {
    catalogue::models_of(catalogue::built_in(kind), kind)
}
