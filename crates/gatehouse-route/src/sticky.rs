//! Which of several equals a conversation belongs to.
//!
//! A provider keeps the beginning of a prompt for a while, for one account and at one deployment: a
//! conversation that stays where it began pays a fraction for what was said before. So where the choice is
//! free it is made by the conversation itself, by rendezvous hashing: every candidate draws a number for the
//! conversation, and the highest wins. Nothing is remembered, every replica comes to the same choice, and a
//! candidate that is lost takes only its own conversations with it, which then spread over the others.

use std::hash::{DefaultHasher, Hash, Hasher as _};

/// What tells a conversation from others, the same at each of its turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation(u64);

// === impl Conversation ===

impl Conversation {
    /// Of whatever does not change in its course.
    #[must_use]
    pub fn of(constant: &impl Hash) -> Self {
        Self(digest(constant))
    }

    /// The number that a candidate draws.
    #[must_use]
    pub fn draw(self, candidate: &impl Hash) -> u64 {
        digest(&(self.0, candidate))
    }
}

/// Without a random key, so that every process of one build comes to the same number. Builds with another compiler may
/// differ: then caches are missed for a while, and nothing else.
fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::Conversation;
    use proptest::prelude::*;

    fn winner(conversation: Conversation, candidates: &[usize]) -> usize {
        candidates.iter().copied().max_by_key(|one| conversation.draw(one)).unwrap()
    }

    proptest! {
        /// One candidate's loss moves nobody else's conversations.
        #[test]
        fn a_loss_moves_its_own_only(name in any::<u64>(), lost in 0usize..5) {
            let conversation = Conversation::of(&name);
            let before = winner(conversation, &[0, 1, 2, 3, 4]);
            let left: Vec<usize> = (0..5).filter(|one| *one != lost).collect();
            prop_assert!(before == lost || winner(conversation, &left) == before);
        }
    }

    #[test]
    fn conversations_spread_evenly() {
        let mut shares = [0u32; 4];
        for name in 0..4_000 {
            shares[winner(Conversation::of(&name), &[0, 1, 2, 3])] += 1;
        }
        assert!(shares.iter().all(|share| (850..1_150).contains(share)), "{shares:?}");
    }
}
