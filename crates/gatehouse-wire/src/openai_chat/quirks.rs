//! What the servers of the family want otherwise, applied alike to edits and to new requests.

use crate::codec::{Quirks, ToolIds};
use crate::json::{Kind, Node};
use std::borrow::Cow;

/// How many characters Mistral's ids of calls have.
const NINE: usize = 9;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The id of a call in the form that the server takes. The same id always becomes the same.
pub(super) fn tool_id<'a>(id: &'a str, quirks: &Quirks) -> Cow<'a, str> {
    let fits = id.len() == NINE && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match quirks.tool_ids {
        ToolIds::NineAlphanumeric if !fits => Cow::Owned(nine(id)),
        ToolIds::Any | ToolIds::NineAlphanumeric => Cow::Borrowed(id),
    }
}

/// Nine letters or digits from the FNV-1a hash of `id`: 53 bits, so that two ids of one conversation do
/// not meet.
fn nine(id: &str) -> String {
    let mut hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let digit = |hash: &mut u64| {
        let at = usize::try_from(*hash % 62).unwrap_or_default();
        *hash /= 62;
        ALPHABET.get(at).map_or('0', |byte| char::from(*byte))
    };
    (0..NINE).map(|_| digit(&mut hash)).collect()
}

/// Whether a member says nothing, so that leaving it out is no loss and no refusal is due.
pub(super) fn says_nothing(name: &str, value: Node<'_>) -> bool {
    match value.kind() {
        Kind::Null | Kind::False => true,
        Kind::Array | Kind::Object => value.is_empty(),
        Kind::Number => match name {
            "n" => value.u64() == Some(1),
            "top_logprobs" => value.u64() == Some(0),
            _ => false,
        },
        _ => name == "tool_choice" && value.str().is_some_and(|choice| choice == "auto"),
    }
}

/// The message of a refusal.
pub(super) fn refusal(name: &str) -> String {
    format!("the provider of this model does not support {name}")
}

#[cfg(test)]
mod tests {
    use super::tool_id;
    use crate::codec::{Quirks, ToolIds};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_fit_and_stay_apart(one in "[a-z_:0-9]{0,40}", other in "[a-z_:0-9]{0,40}") {
            let quirks = Quirks { tool_ids: ToolIds::NineAlphanumeric, ..Quirks::COMPATIBLE };
            let (short, shorter) = (tool_id(&one, &quirks), tool_id(&other, &quirks));
            prop_assert_eq!(short.len(), 9);
            prop_assert!(short.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(one == other, short == shorter);
            prop_assert_eq!(tool_id(&short, &quirks), short.as_ref());
        }
    }
}
