//! Members by name, in the two spellings that protobuf's JSON reader takes: `inlineData` and `inline_data`.

use crate::json::Node;
use gatehouse_core::error::Error;

/// The member of this name in either spelling; `null` is taken for absent, and the last one counts where
/// a provider repeats itself.
pub(crate) fn get<'a>(node: Node<'a>, camel: &str) -> Option<Node<'a>> {
    let found = node.members().filter(|(name, _)| spells(name, camel)).last();
    found.map(|(_, value)| value).filter(|value| !value.is_null())
}

/// The text of a string member.
pub(crate) fn text(node: Node<'_>, camel: &str) -> Option<String> {
    get(node, camel).and_then(|value| value.str()).map(std::borrow::Cow::into_owned)
}

/// The items of a repeated member: protobuf's JSON reader takes a lone object for a list of one.
pub(crate) fn each<'a>(node: Option<Node<'a>>) -> impl Iterator<Item = Node<'a>> + use<'a> {
    let lone = node.filter(|value| !value.is_array() && !value.is_null());
    node.into_iter().flat_map(|value| value.items()).chain(lone)
}

/// A whole number that is not negative, also one written as a string, as protobuf writes 64-bit numbers.
pub(crate) fn whole(node: Node<'_>) -> Option<u64> {
    node.u64().or_else(|| node.str()?.parse().ok())
}

/// Makes sure that `node` is an object of which everybody reads the same: no member in both spellings,
/// none that differs from a known one in case or underscores alone.
///
/// # Errors
/// `invalid_request` naming the member.
pub(crate) fn check(node: Node<'_>, known: &[&str]) -> Result<(), Error> {
    let mut seen = 0u64;
    for (name, value) in node.want_object()?.members() {
        if let Some(at) = known.iter().position(|camel| spells(&name, camel)) {
            let bit = 1u64.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0);
            if seen & bit != 0 {
                return Err(value.wrong("stands here in both spellings; write it once"));
            }
            seen |= bit;
        } else if let Some(right) = known.iter().find(|camel| folded(&name).eq(folded(camel))) {
            return Err(value.wrong(&format!("write the member as \"{right}\"")));
        }
    }
    Ok(())
}

/// Whether `name` is `camel` or its snake_case.
pub(crate) fn spells(name: &str, camel: &str) -> bool {
    name == camel || (name.contains('_') && name.bytes().eq(snake(camel)))
}

fn snake(camel: &str) -> impl Iterator<Item = u8> {
    camel.bytes().flat_map(|byte| {
        let underscore = byte.is_ascii_uppercase().then_some(b'_');
        underscore.into_iter().chain([byte.to_ascii_lowercase()])
    })
}

/// A name as the most generous readers see it: without case and underscores, U+017F an `s`, U+212A a `k`.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|letter| *letter != '_').flat_map(char::to_lowercase).map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::{check, each, get, spells, whole};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;

    fn doc(text: &'static str) -> Doc {
        Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn both_spellings_are_one_member() {
        assert!(spells("inlineData", "inlineData") && spells("inline_data", "inlineData"));
        assert!(!spells("inline_Data", "inlineData") && !spells("text_", "text"));
        let doc = doc(r#"{"a_b":{"c":"7"},"n":null}"#);
        assert_eq!(whole(get(get(doc.root(), "aB").unwrap(), "c").unwrap()), Some(7));
        assert!(get(doc.root(), "n").is_none());
        assert_eq!(each(get(doc.root(), "aB")).count(), 1);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let known = ["toolConfig", "tools"];
        assert!(check(doc(r#"{"toolConfig":1,"other":2}"#).root(), &known).is_ok());
        for text in
            [r#"{"toolConfig":1,"tool_config":2}"#, r#"{"toolconfig":1}"#, r#"{"Tool_Config":1}"#, "[]"]
        {
            assert!(
                check(
                    Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap().root(),
                    &known
                )
                .is_err()
            );
        }
    }
}
