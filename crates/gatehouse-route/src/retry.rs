//! Whether and when to try again.
//!
//! Retries are paid from a budget: a target that fails for everybody must not get more calls than there
//! are callers. Each first attempt earns a share of a retry; each retry costs a whole one.

use gatehouse_core::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a retry costs, in the budget's small coin.
const COST: u64 = 100;
/// How many retries may be saved up: a quiet target may still retry a few calls at once.
const SAVED_MAX: u64 = 10;

/// How to retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Additional attempts at one target.
    pub attempts_max: u32,
    /// The share of calls that may be retried, in percent.
    pub budget_percent: u32,
    /// The first pause.
    pub backoff: Duration,
    /// A provider's `retry-after` beyond this is not waited for.
    pub wait_max: Duration,
}

/// The retries that a target has earned.
#[derive(Debug)]
pub struct Budget {
    coins: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { coins: AtomicU64::new(SAVED_MAX * COST) }
    }
}

impl Budget {
    /// Notes a first attempt.
    pub fn earn(&self, policy: &Policy) {
        let more = u64::from(policy.budget_percent);
        let add = |coins: u64| Some((coins + more).min(SAVED_MAX * COST));
        let _ = self.coins.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Pays for a retry, if there is enough.
    pub fn spend(&self) -> bool {
        self.coins.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |coins| coins.checked_sub(COST)).is_ok()
    }
}

/// How long to wait before attempt `retry` (the first retry is 1); `None` when there is no point.
///
/// `chance` is anything in `0..=u32::MAX`: half of the pause is fixed, half is chance, so that callers that
/// failed together do not come back together.
#[must_use]
pub fn pause(policy: &Policy, retry: u32, error: &Error, chance: u32) -> Option<Duration> {
    if retry > policy.attempts_max || !error.code.is_retryable() {
        return None;
    }
    if let Some(asked) = error.retry_after {
        return (asked <= policy.wait_max).then_some(asked);
    }
    let full = policy.backoff.saturating_mul(1 << (retry - 1).min(10)).min(policy.wait_max);
    let half = full / 2;
    Some(half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::{Budget, Policy, pause};
    use gatehouse_core::error::{Code, Error};
    use proptest::prelude::*;
    use std::time::Duration;

    const POLICY: Policy = Policy {
        attempts_max: 2,
        budget_percent: 10,
        backoff: Duration::from_millis(100),
        wait_max: Duration::from_secs(5),
    };

    #[test]
    fn only_what_may_help_is_tried_again_and_the_provider_is_listened_to() {
        let overloaded = Error::new(Code::UpstreamOverloaded, "");
        assert!(pause(&POLICY, 1, &overloaded, 0).is_some());
        assert!(pause(&POLICY, 3, &overloaded, 0).is_none());
        assert!(pause(&POLICY, 1, &Error::new(Code::UpstreamInvalidRequest, ""), 0).is_none());
        let asked = |seconds| overloaded.clone().retry_after(Duration::from_secs(seconds));
        assert_eq!(pause(&POLICY, 1, &asked(2), 7), Some(Duration::from_secs(2)));
        assert_eq!(pause(&POLICY, 1, &asked(60), 7), None);
    }

    proptest! {
        /// When everything fails, retries stay within the share plus what was saved.
        #[test]
        fn retries_stay_within_their_share(calls in 1u32..2_000) {
            let budget = Budget::default();
            let retries = (0..calls).filter(|_| { budget.earn(&POLICY); budget.spend() }).count();
            prop_assert!(retries <= 10 + usize::try_from(calls / 10).unwrap() + 1, "{retries} of {calls}");
        }

        /// Pauses grow, and stay between half and whole.
        #[test]
        fn pauses_are_bounded(retry in 1u32..3, chance in any::<u32>()) {
            let full = Duration::from_millis(100) * 2u32.pow(retry - 1);
            let pause = pause(&POLICY, retry, &Error::new(Code::UpstreamError, ""), chance).unwrap();
            prop_assert!(pause >= full / 2 && pause <= full);
        }
    }
}
