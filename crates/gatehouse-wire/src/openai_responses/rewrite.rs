//! A request for a target of the same dialect: the model's name, and what the target's quirks demand.

use super::request::ENCRYPTED_REASONING;
use crate::codec::{Rewrite, Target, View};
use crate::json::{Doc, Node, escaped};
use bytes::Bytes;
use gatehouse_core::content::Edit;
use gatehouse_core::error::Error;

/// See [`crate::codec::Codec::rewrite`].
pub(super) fn rewrite(doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
    let root = doc.root();
    for (name, value) in root.members() {
        if !value.is_null() && target.quirks.refuse.contains(&name.as_ref()) {
            return Err(Error::unsupported(name.as_ref(), format!("{name}: the provider does not take it")));
        }
    }
    let mut done = Rewrite { edits: without(doc, target.quirks.drop), dropped: Vec::new() };
    let names = root.members().map(|(name, _)| name.into_owned());
    done.dropped = names.filter(|name| target.quirks.drop.contains(&name.as_str())).collect();
    if let Some((model, range)) = &view.model
        && model != target.model
    {
        let quoted = [b"\"".as_slice(), &escaped(target.model), b"\""].concat();
        done.edits.push(Edit { range: range.clone(), with: Bytes::from(quoted) });
    }
    if !target.quirks.drop.contains(&"store") {
        done.edits.extend(unkept(root, target.capabilities.reasoning == Some(true)));
    }
    done.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    Ok(done)
}

/// No provider keeps the answer. Where the caller did not say that nobody is to keep it, it will come back in a later
/// request, and the model's reasoning has to be in it.
fn unkept(root: Node<'_>, reasons: bool) -> Vec<Edit> {
    let member = |name: &str| root.members().find(|(own, _)| own == name).map(|(_, value)| value);
    let says = member("store").and_then(|store| store.bool());
    let mut edits = Vec::new();
    let mut added = Vec::new();
    match member("store") {
        Some(store) if says != Some(false) => {
            edits.push(Edit { range: store.range(), with: Bytes::from_static(b"false") });
        }
        Some(_) => {}
        None => added.extend_from_slice(b"\"store\":false,"),
    }
    if reasons && says != Some(false) {
        let quoted = format!("\"{ENCRYPTED_REASONING}\"");
        match member("include").filter(|include| !include.is_null()) {
            None => {
                if let Some(null) = member("include") {
                    edits.push(Edit { range: null.range(), with: Bytes::from(format!("[{quoted}]")) });
                } else {
                    added.extend_from_slice(format!("\"include\":[{quoted}],").as_bytes());
                }
            }
            Some(list) if list.is_array() => {
                let asked = list.items().any(|one| one.str().is_some_and(|one| one == ENCRYPTED_REASONING));
                let comma = if list.is_empty() { "" } else { "," };
                if !asked {
                    let at = list.range().start + 1;
                    edits.push(Edit { range: at..at, with: Bytes::from(format!("{quoted}{comma}")) });
                }
            }
            Some(_) => {}
        }
    }
    if !added.is_empty() {
        let at = root.range().start + 1;
        edits.push(Edit { range: at..at, with: Bytes::from(added) });
    }
    edits
}

/// The edits that take members out of the outermost object, each with one comma.
fn without(doc: &Doc, names: &[&str]) -> Vec<Edit> {
    let root = doc.root();
    let mut edits = Vec::new();
    let mut end_of_last = root.range().start + 1;
    let mut kept_one = false;
    // Members in front of the first one that stays go as one piece, with the comma behind them.
    let mut leading = 0..0;
    for (name, value) in root.members() {
        let end = value.range().end;
        if names.contains(&name.as_ref()) {
            if kept_one {
                edits.push(Edit { range: end_of_last..end, with: Bytes::new() });
            } else {
                leading = root.range().start + 1..end;
            }
        } else if !kept_one {
            kept_one = true;
            if !leading.is_empty() {
                let comma =
                    doc.slice(end_of_last..end).find(',').map_or(end_of_last, |at| end_of_last + at + 1);
                edits.push(Edit { range: leading.start..comma, with: Bytes::new() });
            }
        }
        end_of_last = end;
    }
    if !kept_one && !leading.is_empty() {
        edits.push(Edit { range: leading, with: Bytes::new() });
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::without;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::splice;
    use proptest::prelude::*;

    proptest! {
        /// Whatever members are dropped, what stays is the same JSON without them.
        #[test]
        fn dropping_members_leaves_the_others(
            names in proptest::collection::btree_set("[a-f]", 0..6),
            dropped in proptest::collection::vec("[a-f]", 0..6),
        ) {
            let members: Vec<_> = names.iter().map(|name| format!(" \"{name}\" : [\",\", 1] ")).collect();
            let text = Bytes::from(format!("{{{}}}", members.join(",")));
            let doc = Doc::parse(text.clone(), Strictness::Caller).unwrap();
            let dropped: Vec<&str> = dropped.iter().map(String::as_str).collect();
            let rest = splice(&text, &without(&doc, &dropped));
            let mut expected: serde_json::Value = serde_json::from_slice(&text).unwrap();
            expected.as_object_mut().unwrap().retain(|name, _| !dropped.contains(&name.as_str()));
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&rest).unwrap(), expected);
        }
    }
}
