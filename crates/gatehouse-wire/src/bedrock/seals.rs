//! Seals in a caller's conversation. Converse has a place for those of thoughts alone, its signature: what seals a
//! text or a call rides in a thought without words, and says in its envelope what it belongs to.

use crate::chat::{Origin, Seal, Thought, ToolCall};
use crate::seal;

/// What an envelope belongs to, where that is not the thought which carries it nor a call.
const OF_THOUGHT: &str = ":thought:";
const OF_TEXT: &str = ":text";
const OF_NO_TEXT: &str = ":no-text";

/// What a signature belongs to.
pub(super) enum Sealed {
    /// The text before it.
    Text(Seal),
    /// A text without words.
    NoText(Seal),
    /// The call of this id.
    Call(String, Seal),
    /// The thought that carries it, which may have an id.
    Thought(Option<String>, Option<Seal>),
}

/// Reads a signature: Bedrock's own, or an envelope that we handed out.
pub(super) fn read(signature: &str) -> Sealed {
    if signature.is_empty() {
        return Sealed::Thought(None, None);
    }
    let seal::Unwrapped { seal, belongs_to } = seal::unwrap(signature, Origin::Bedrock);
    match belongs_to {
        None => Sealed::Thought(None, Some(seal)),
        Some(to) if to == OF_TEXT => Sealed::Text(seal),
        Some(to) if to == OF_NO_TEXT => Sealed::NoText(seal),
        Some(to) => match to.strip_prefix(OF_THOUGHT) {
            Some(id) => Sealed::Thought(Some(id.to_owned()), Some(seal)),
            None => Sealed::Call(to, seal),
        },
    }
}

/// The signature of a thought; empty where it has none.
pub(super) fn of_thought(thought: &Thought) -> String {
    thought.seal.as_ref().map(|seal| of_thought_with(seal, thought.id.as_deref())).unwrap_or_default()
}

/// The signature of a thought with this id.
pub(super) fn of_thought_with(seal: &Seal, id: Option<&str>) -> String {
    match id {
        Some(id) if seal.origin != Origin::Bedrock => seal::wrap(seal, &format!("{OF_THOUGHT}{id}")),
        _ => seal::write(seal, Origin::Bedrock),
    }
}

/// The envelope of a text's seal.
pub(super) fn of_text(seal: &Seal, has_words: bool) -> String {
    seal::wrap(seal, if has_words { OF_TEXT } else { OF_NO_TEXT })
}

/// The envelope of a call's seal.
pub(super) fn of_call(seal: &Seal, call: &ToolCall) -> String {
    seal::wrap(seal, &call.id)
}
