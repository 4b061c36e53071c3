//! Members cut out of an object in place, each with its comma; every other byte stays.

use crate::json::{Doc, Node};
use bytes::Bytes;
use gatehouse_core::content::Edit;

/// Appends the edits, in order and disjoint, that cut out the members of `object` whose names `is_gone` knows.
pub(crate) fn cut(doc: &Doc, object: Node<'_>, is_gone: impl Fn(&str) -> bool, edits: &mut Vec<Edit>) {
    let mut some_kept = false;
    let mut from = object.range().start + 1;
    for (name, value) in object.members() {
        let mut end = value.range().end;
        if is_gone(&name) {
            if !some_kept {
                // Nothing before it stays, so the comma behind it goes.
                end += comma(doc.slice(end..object.range().end));
            }
            edits.push(Edit { range: from..end, with: Bytes::new() });
        } else {
            some_kept = true;
        }
        from = end;
    }
}

/// How long the space and the comma are that `rest` begins with; 0 without a comma. What is cut from the
/// front of an object takes the comma behind it along.
pub(crate) fn comma(rest: &str) -> usize {
    let space = rest.len() - rest.trim_start().len();
    rest.get(space..).filter(|rest| rest.starts_with(',')).map_or(0, |_| space + 1)
}

#[cfg(test)]
mod tests {
    use super::cut;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::splice;

    #[test]
    fn every_way_to_cut_leaves_json() {
        let text = r#"{ "a" : 1 , "b":{"x":[]} ,"c":"," , "d":2}"#;
        let doc = Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Caller).unwrap();
        for pick in 0..16 {
            let names: Vec<_> = ["a", "b", "c", "d"]
                .into_iter()
                .enumerate()
                .filter(|(at, _)| pick & (1 << at) != 0)
                .map(|(_, name)| name)
                .collect();
            let mut edits = Vec::new();
            cut(&doc, doc.root(), |name| names.contains(&name), &mut edits);
            let mut expected: serde_json::Value = serde_json::from_str(text).unwrap();
            names.iter().for_each(|name| {
                expected.as_object_mut().unwrap().shift_remove(*name);
            });
            let edited = splice(doc.bytes(), &edits);
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&edited).unwrap(), expected, "{names:?}");
        }
    }
}
