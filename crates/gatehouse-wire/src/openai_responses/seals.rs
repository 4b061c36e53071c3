//! Reasoning that must come back unchanged, in the one field the dialect has for it.
//!
//! `encrypted_content` of a reasoning item carries OpenAI's own seal bare. A seal of another maker goes
//! there in our envelope, which also says what it belongs to when that is not the reasoning of the item
//! itself: Gemini seals tool calls and texts, Anthropic may seal all of a thought.

use crate::chat::{Block, Origin, Seal, Thought};
use crate::seal::{Unwrapped, unwrap, wrap};

/// The envelope holds a thought that cannot be shown.
const REDACTED: &str = "#redacted";
/// The envelope holds the seal of the text in front of the item.
const TEXT: &str = "#text";
/// The envelope holds the seal of a text without words.
const EMPTY_TEXT: &str = "#empty-text";

/// What a reasoning item of a request turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// Reasoning.
    Thought(Thought),
    /// The seal of the tool call of this id.
    Call(String, Seal),
    /// The seal of the text before it.
    Text(Seal),
    /// The seal of a text without words, which no other item carries.
    EmptyText(Seal),
}

/// `encrypted_content` of a thought.
pub(super) fn of_thought(seal: &Seal, redacted: bool) -> String {
    match seal.origin {
        Origin::OpenAi => seal.value.clone(),
        _ => wrap(seal, if redacted { REDACTED } else { "" }),
    }
}

/// `encrypted_content` of the item that carries the seal of a tool call.
pub(super) fn of_call(seal: &Seal, call_id: &str) -> String {
    wrap(seal, call_id)
}

/// `encrypted_content` of the item that carries the seal of a text: behind it, or in its place.
pub(super) fn of_text(seal: &Seal, is_empty: bool) -> String {
    wrap(seal, if is_empty { EMPTY_TEXT } else { TEXT })
}

/// What a caller returned as a reasoning item.
pub(super) fn open(id: Option<String>, text: String, encrypted: Option<&str>) -> Sealed {
    let id = id.filter(|id| !is_ours(id));
    let Some(encrypted) = encrypted else {
        return Sealed::Thought(Thought { text, id, ..Thought::default() });
    };
    let Unwrapped { seal, belongs_to } = unwrap(encrypted, Origin::OpenAi);
    match belongs_to.as_deref() {
        Some(TEXT) => Sealed::Text(seal),
        Some(EMPTY_TEXT) => Sealed::EmptyText(seal),
        Some(REDACTED) => Sealed::Thought(Thought { text, id, seal: Some(seal), redacted: true }),
        Some(call) => Sealed::Call(call.to_owned(), seal),
        None => Sealed::Thought(Thought { text, id, seal: Some(seal), redacted: false }),
    }
}

/// Gives the seals of tool calls to their calls. One whose call is gone has nothing left to seal.
pub(super) fn give_to_calls(seals: &[(String, Seal)], blocks: &mut [Block]) {
    for block in blocks {
        if let Block::ToolCall(call) = block
            && let Some((_, seal)) = seals.iter().find(|(id, _)| *id == call.id)
        {
            call.seal = Some(seal.clone());
        }
    }
}

/// The id of an item of an answer that was translated.
pub(super) fn item_id(prefix: &str, reply: &str, index: usize) -> String {
    format!("{prefix}_{reply}_{index}")
}

/// Whether an id was made by [`item_id`]: no provider may be asked for it.
fn is_ours(id: &str) -> bool {
    let mut parts = id.split('_').skip(1);
    let is_reply = |part: &str| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.next().is_some_and(is_reply) && parts.next().is_some_and(is_index) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::{Sealed, is_ours, item_id, of_call, of_text, of_thought, open};
    use crate::chat::{Origin, Seal};

    #[test]
    fn foreign_seals_come_back_to_what_they_seal() {
        let seal = Seal { origin: Origin::Gemini, value: "s".to_owned() };
        let back = |encrypted: String| open(None, String::new(), Some(&encrypted));
        assert_eq!(back(of_call(&seal, "call_1")), Sealed::Call("call_1".to_owned(), seal.clone()));
        assert_eq!(back(of_text(&seal, false)), Sealed::Text(seal.clone()));
        assert_eq!(back(of_text(&seal, true)), Sealed::EmptyText(seal.clone()));
        for redacted in [false, true] {
            let Sealed::Thought(thought) = back(of_thought(&seal, redacted)) else { panic!() };
            assert_eq!((thought.seal, thought.redacted), (Some(seal.clone()), redacted));
        }
    }

    #[test]
    fn own_ids_are_told_from_the_providers() {
        let reply = "0123456789abcdef0123456789abcdef";
        assert!(is_ours(&item_id("rs", reply, 12)));
        assert!(!is_ours("rs_0fabc13af1ee0049006a691dfe60b081a1baa444d3cf19afba"));
        assert!(!is_ours("rs"));
    }
}
