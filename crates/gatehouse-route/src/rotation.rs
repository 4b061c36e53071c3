//! Which of a provider's credentials to use.
//!
//! A conversation stays with one, as a provider's cache of prompts belongs to an account; what is no
//! conversation goes in turn. Those that rest are skipped: a credential that the provider refused or whose quota
//! is used up would fail every n-th call. Rotation has its own counter, apart from retries.

use crate::sticky::Conversation;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How long a credential rests that was refused.
pub const REFUSED_REST: Duration = Duration::from_secs(60);
/// How long a credential rests that met a rate limit, unless the provider says otherwise.
pub const LIMITED_REST: Duration = Duration::from_secs(5);

/// The credentials of one provider, by number.
#[derive(Debug)]
pub struct Rotation {
    next: AtomicUsize,
    /// Until when each rests, in milliseconds of the caller's clock.
    rests_until: Vec<AtomicU64>,
}

impl Rotation {
    /// For so many credentials.
    #[must_use]
    pub fn new(credentials: usize) -> Self {
        let rests_until = (0..credentials).map(|_| AtomicU64::new(0)).collect();
        Self { next: AtomicUsize::new(0), rests_until }
    }

    /// The conversation's credential, or the next one, of those that do not rest; when all do, the one that is due
    /// first. `None` when there are no credentials at all.
    #[must_use]
    pub fn pick(&self, now_millis: u64, conversation: Option<Conversation>) -> Option<usize> {
        let count = self.rests_until.len();
        if count < 2 {
            return (count == 1).then_some(0);
        }
        let until = |at: usize| self.rests_until.get(at).map_or(0, |rest| rest.load(Ordering::Relaxed));
        let ready = |at: &usize| until(*at) <= now_millis;
        let Some(conversation) = conversation else {
            let start = self.next.fetch_add(1, Ordering::Relaxed);
            let turns = (0..count).map(|step| (start.wrapping_add(step)) % count);
            return turns.clone().find(ready).or_else(|| turns.min_by_key(|at| until(*at)));
        };
        let own = (0..count).filter(ready).max_by_key(|at| conversation.draw(at));
        own.or_else(|| (0..count).min_by_key(|at| until(*at)))
    }

    /// Lets a credential rest.
    pub fn rest(&self, credential: usize, now_millis: u64, length: Duration) {
        if let Some(rest) = self.rests_until.get(credential) {
            let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
            rest.fetch_max(now_millis.saturating_add(millis), Ordering::Relaxed);
        }
    }

    /// Whether another credential than this one is ready: then trying again at once makes sense.
    #[must_use]
    pub fn has_other(&self, than: usize, now_millis: u64) -> bool {
        let ready = |rest: &AtomicU64| rest.load(Ordering::Relaxed) <= now_millis;
        self.rests_until.iter().enumerate().any(|(at, rest)| at != than && ready(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::Rotation;
    use crate::sticky::Conversation;
    use std::time::Duration;

    #[test]
    fn turns_skip_what_rests() {
        let rotation = Rotation::new(3);
        assert_eq!([0, 0, 0, 0].map(|now| rotation.pick(now, None)), [Some(0), Some(1), Some(2), Some(0)]);
        rotation.rest(1, 0, Duration::from_secs(1));
        assert!((0..6).all(|_| rotation.pick(500, None) != Some(1)));
        assert!((0..3).any(|_| rotation.pick(1_000, None) == Some(1)));
        assert!(rotation.has_other(0, 0));
    }

    #[test]
    fn when_all_rest_the_first_due_is_taken() {
        let rotation = Rotation::new(2);
        rotation.rest(0, 0, Duration::from_secs(9));
        rotation.rest(1, 0, Duration::from_secs(3));
        assert_eq!(rotation.pick(0, None), Some(1));
        assert_eq!(Rotation::new(0).pick(0, None), None);
        assert_eq!(Rotation::new(1).pick(0, None), Some(0));
    }

    #[test]
    fn a_conversation_stays_with_its_credential_while_that_is_well() {
        let rotation = Rotation::new(3);
        let all: Vec<Conversation> = (0..60).map(|name| Conversation::of(&name)).collect();
        let picks = |now| all.iter().map(|one| rotation.pick(now, Some(*one)).unwrap()).collect::<Vec<_>>();
        let before = picks(0);
        assert!((0..3).all(|at| before.contains(&at)) && before == picks(0));
        rotation.rest(1, 0, Duration::from_secs(1));
        let moved = picks(500);
        assert!(before.iter().zip(&moved).all(|(before, now)| *now != 1 && (*before == 1 || before == now)));
        assert_eq!(picks(1_000), before);
        // When all rest, the one that is due first.
        for at in [0, 2] {
            rotation.rest(at, 0, Duration::from_secs(9));
        }
        assert!(picks(500).iter().all(|at| *at == 1));
    }
}
