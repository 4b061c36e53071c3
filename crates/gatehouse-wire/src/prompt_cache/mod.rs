//! Cache breakpoints for callers who set none.
//!
//! Anthropic's models, wherever they are served, and Amazon's Nova keep of a prompt only what is marked. Where
//! the operator wants it, marks are put where these makers advise: behind the tools, behind the instructions,
//! behind the last turn of the user, and behind the one before it, which is where the last call's mark stood.
//! What is marked is a prefix that the next call of the conversation begins with, and a prefix below the
//! model's least length is not kept, so it gets no mark. A caller with a mark of its own knows better: then
//! there are none of ours.

mod points;
mod spliced;
mod translated;

pub use points::points;
pub use spliced::edits;
pub use translated::marked;

/// What has to be known of a prompt.
#[derive(Clone, Copy)]
pub struct Prompt<'a> {
    /// The model's name at the provider.
    pub model: &'a str,
    /// About how many tokens its texts have.
    pub tokens: u64,
    /// About how many tokens a text has.
    pub count: &'a dyn Fn(&str) -> u64,
}

/// Which of an ordered list of messages end a turn of the user that is to be marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turns {
    /// The last one.
    last: usize,
    /// The last one before the model's answer before that.
    before: Option<usize>,
}

/// Models of Anthropic's whose least length is 1,024 tokens, by what their names hold.
/// <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>
const SHORT: &[&str] =
    &["3-7-sonnet", "sonnet-4-2", "sonnet-4@", "sonnet-4-5", "opus-4-2", "opus-4@", "opus-4-1", "3-5-sonnet"];
/// Those whose least length is 2,048 tokens. Sonnets that come after them are taken to be like the last.
const MIDDLE: &[&str] = &["3-haiku", "3-5-haiku", "sonnet"];
/// Nova's least length.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>
const NOVA_TOKENS: u64 = 1_000;

/// The shortest prefix that a model keeps, in tokens: a longer one where it is not known.
fn least_tokens(model: &str) -> u64 {
    let is_one_of = |names: &[&str]| names.iter().any(|name| model.contains(name));
    if model.contains("nova") {
        NOVA_TOKENS
    } else if is_one_of(SHORT) || model.ends_with("sonnet-4") || model.ends_with("opus-4") {
        1_024
    } else if is_one_of(MIDDLE) {
        2_048
    } else {
        4_096
    }
}

// === impl Turns ===

impl Turns {
    /// Of messages that are the user's (`true`), the model's (`false`), or neither's.
    fn of(messages: &[Option<bool>]) -> Option<Self> {
        let last = messages.iter().rposition(|one| *one == Some(true))?;
        let answer = messages.iter().take(last).rposition(|one| *one == Some(false));
        let before = answer.and_then(|at| messages.iter().take(at).rposition(|one| *one == Some(true)));
        Some(Self { last, before })
    }
}

#[cfg(test)]
mod tests;
