//! Edits of members in place: a key renamed, a value replaced, a member added. [`crate::cut`] takes them out.

use crate::json::{Doc, Node};
use bytes::Bytes;
use gatehouse_core::content::Edit;
use std::ops::Range;

/// Replaces a value by JSON text.
pub(super) fn replace(value: Node<'_>, json: impl Into<String>) -> Edit {
    Edit { range: value.range(), with: Bytes::from(json.into()) }
}

/// Renames the member that holds `value`.
pub(super) fn rename(doc: &Doc, value: Node<'_>, name: &str) -> Edit {
    Edit { range: key_range(doc, value), with: Bytes::from(format!("\"{name}\"")) }
}

/// Adds a member behind the last one of an object. `is_empty`: whether nothing is left in the object.
pub(super) fn append(object: Node<'_>, is_empty: bool, member: &str) -> Edit {
    let end = object.range().end.saturating_sub(1);
    let comma = if is_empty { "" } else { "," };
    Edit { range: end..end, with: Bytes::from(format!("{comma}{member}")) }
}

/// Where the key of the member that holds `value` stands, quotes included.
fn key_range(doc: &Doc, value: Node<'_>) -> Range<usize> {
    let before = doc.slice(0..value.range().start).trim_end();
    let before = before.strip_suffix(':').unwrap_or(before).trim_end();
    let end = before.len();
    let mut open = end.saturating_sub(1);
    loop {
        open = before.get(..open).and_then(|text| text.rfind('"')).unwrap_or(0);
        let backslashes =
            before.get(..open).unwrap_or_default().bytes().rev().take_while(|byte| *byte == b'\\');
        if open == 0 || backslashes.count() % 2 == 0 {
            return open..end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{append, rename};
    use crate::cut::cut;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::splice;
    use proptest::prelude::*;

    fn doc(text: &str) -> Doc {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn renames_whatever_the_key_looks_like() {
        let doc = doc(r#"{"a\"b" : 1, "c\\" :2}"#);
        let edits: Vec<_> = doc.root().members().map(|(_, value)| rename(&doc, value, "x")).collect();
        assert_eq!(&splice(doc.bytes(), &edits)[..], br#"{"x" : 1, "x" :2}"#);
    }

    proptest! {
        /// Whatever is taken out, what is left is the rest, in order, and an appended member fits.
        #[test]
        fn removing_leaves_the_rest(wanted in proptest::collection::vec(any::<bool>(), 0..9)) {
            let member = |(at, _): (usize, &bool)| format!(" \"m{at}\" : {{\"x\":[{at}]}} ");
            let text = format!("{{{}}}", wanted.iter().enumerate().map(member).collect::<Vec<_>>().join(","));
            let doc = doc(&text);
            let number = |name: &str| name.trim_start_matches('m').parse::<usize>();
            let is_unwanted = |name: &str| number(name).is_ok_and(|at| !wanted[at]);
            let mut edits = Vec::new();
            cut(&doc, doc.root(), is_unwanted, &mut edits);
            edits.push(append(doc.root(), wanted.iter().all(|wanted| !wanted), "\"new\":1"));
            let left: serde_json::Value = serde_json::from_slice(&splice(doc.bytes(), &edits)).unwrap();
            let kept = wanted.iter().enumerate().filter(|(_, wanted)| **wanted);
            let expected = kept.map(|(at, _)| format!("m{at}"));
            let names: Vec<String> = left.as_object().unwrap().keys().cloned().collect();
            prop_assert_eq!(names, expected.chain(["new".to_owned()]).collect::<Vec<_>>());
        }
    }
}
