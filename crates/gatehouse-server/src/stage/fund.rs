//! Is there money for it? The likely maximum is reserved before anybody is called.

use super::{Funded, Routed};
use crate::call::Call;
use crate::dialects;
use crate::exchange::native::{self, Guess};
use crate::house::House;
use crate::passage::Passage;
use crate::target::Target;
use crate::trail::Trail;
use gatehouse_config::file::Unknown;
use gatehouse_core::call::Operation;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::money::Nanodollars;
use gatehouse_core::usage::Usage;
use gatehouse_ledger::{Exceeded, Hold, ServiceTier, ceiling};
use gatehouse_wire::rerank::Billing;

/// The answer that is reserved for when neither the caller nor the catalogue sets a limit.
const OUTPUT_TOKENS_DEFAULT: u64 = 8_192;

/// Reserves the cost and writes the call's first leaf.
///
/// # Errors
/// `budget_exceeded`, `price_unknown`, `audit_unavailable`.
pub fn fund(house: &House, routed: Routed, trail: &mut Trail) -> Result<Funded, Error> {
    let (hold, reserved) = match routed.call().front.operation {
        // Counting tokens costs nothing at any provider, and neither does reading what is there.
        Operation::CountTokens | Operation::ListModels => (None, Nanodollars::ZERO),
        Operation::Passthrough if routed.call().passage.as_ref().is_some_and(Passage::reads) => {
            (None, Nanodollars::ZERO)
        }
        _ => reserve(house, &routed, trail)?,
    };
    let plan = routed.targets().map(|target| std::sync::Arc::clone(&target.name)).collect();
    trail.admitted(hold, reserved, plan)?;
    Ok(Funded(routed))
}

/// The reservation, where a budget asks for one, and the likely maximum in any case: a crash is settled
/// from it.
fn reserve(house: &House, routed: &Routed, trail: &Trail) -> Result<(Option<Hold>, Nanodollars), Error> {
    let call = routed.call();
    let window = house.keys.load().limits.get(&call.key.caller.key_id).cloned();
    let refuses = trail.snapshot.unknown_price == Unknown::Refuse;
    let needs_price = window.is_some() || refuses;
    let tier = call.view.service_tier.as_deref().map(ServiceTier::parse).unwrap_or_default();
    // The dearest target of the plan: whichever serves, the reservation covers it.
    let mut most = Nanodollars::ZERO;
    let writes_long = writes_long(call);
    for target in routed.targets() {
        let mut bound = bound(routed, target, trail);
        if writes_long {
            bound.cache_write_long_tokens = bound.input_tokens;
        }
        match ceiling(&target.prices, &bound, tier, trail.accepted_at()) {
            Some(amount) => most = most.max(amount),
            None if needs_price => {
                let message = format!("no price is known for {}, and this call needs one", target.name);
                return Err(Error::new(Code::PriceUnknown, message));
            }
            None => {}
        }
    }
    let Some(window) = window else { return Ok((None, most)) };
    let hold = house.counters.reserve(&[window], most, trail.accepted_at());
    hold.map(|hold| (Some(hold), most)).map_err(|exceeded| over(&exceeded, most, trail.accepted_at()))
}

/// The most that the call can use at a target.
fn bound(routed: &Routed, target: &Target, trail: &Trail) -> Usage {
    let call = routed.call();
    if native::has_codec(call.front.dialect) {
        let most = native::used(call, target, Guess::Most, trail.accepted_at());
        let input_tokens = trail.meter.input_bound();
        return most.saturating_add(Usage { input_tokens, ..Usage::default() });
    }
    let limit =
        call.view.max_output_tokens.or(target.capabilities.output_tokens).unwrap_or(OUTPUT_TOKENS_DEFAULT);
    let output_tokens = match call.front.operation {
        Operation::Embeddings | Operation::Rerank => 0,
        _ => limit.saturating_mul(call.view.choices.max(1)),
    };
    let search_units =
        if is_billed_by_units(target, call.front.dialect) { trail.meter.units_bound() } else { 0 };
    Usage { input_tokens: trail.meter.input_bound(), output_tokens, search_units, ..Usage::default() }
}

/// Whether the prompt may be written to a provider's cache for the long lifetime, which costs more than the short:
/// a mark that says so has the lifetime as a text of its own. One whose characters are escaped could be that text.
fn writes_long(call: &Call) -> bool {
    call.front.operation == Operation::Chat && names_long(call.body())
}

fn names_long(body: &[u8]) -> bool {
    const LIFETIMES: [&[u8]; 2] = [b"\"1h\"", b"\"12h\""];
    const ESCAPED: [&[u8]; 3] = [b"\\u0031", b"\\u0032", b"\\u0068"];
    LIFETIMES.iter().chain(&ESCAPED).any(|text| memchr::memmem::find(body, text).is_some())
}

fn is_billed_by_units(target: &Target, front: Dialect) -> bool {
    let dialect = target.dialect(front).filter(|_| front == Dialect::CohereRerank);
    dialect
        .and_then(|dialect| dialects::ranking(dialect).ok())
        .is_some_and(|codec| codec.billing() == Billing::Units)
}

pub(crate) fn over(exceeded: &Exceeded, wanted: Nanodollars, now: u64) -> Error {
    let used = exceeded.used.total();
    let renews = exceeded.retry_after(now);
    let when = renews.map_or_else(
        || "it does not renew".to_owned(),
        |after| format!("it renews in {} s", after.as_secs()),
    );
    let message = format!(
        "budget {} is used up: {} of {} USD are spent or reserved, this call may cost {}; {when}",
        exceeded.window.key, used, exceeded.window.limit.amount, wanted
    );
    let error = Error::new(Code::BudgetExceeded, message);
    match renews {
        Some(after) => error.retry_after(after),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::names_long;

    #[test]
    fn a_long_lifetime_is_seen_however_it_is_written() {
        for long in [
            r#"{"ttl":"1h"}"#,
            r#"{"ttl": "12h"}"#,
            r#"{"ttl":"\u0031h"}"#,
            r#"{"ttl":"1\u0068"}"#,
            r#"{"ttl":"1\u00322h"}"#,
        ] {
            assert!(names_long(long.as_bytes()), "{long}");
        }
        for short in [r#"{"ttl":"5m"}"#, r#"{"content":"in 1h"}"#, r#"{"content":"1 hour"}"#] {
            assert!(!names_long(short.as_bytes()), "{short}");
        }
    }
}
