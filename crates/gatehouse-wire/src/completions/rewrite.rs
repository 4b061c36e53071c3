//! A request of this dialect made fit for a target that speaks it too, byte for byte but for a few edits.

use super::request_out::cannot;
use crate::codec::{Rewrite, Target, View};
use crate::cut::cut;
use crate::json::{Doc, Node, escaped};
use bytes::Bytes;
use gatehouse_core::content::Edit;
use gatehouse_core::error::Error;

pub(super) fn rewrite(doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
    let (root, quirks) = (doc.root(), target.quirks);
    let is_meant = |name: &str| root.opt(name).is_some_and(says_something);
    if let Some(name) = quirks.refuse.iter().find(|name| is_meant(name)) {
        return Err(cannot(name));
    }
    let mut all = Rewrite::default();
    if let Some((_, range)) = view.model.as_ref().filter(|(model, _)| model != target.model) {
        let quoted = [b"\"", escaped(target.model).as_slice(), b"\""].concat();
        all.edits.push(Edit { range: range.clone(), with: Bytes::from(quoted) });
    }
    let is_gone =
        |name: &str| quirks.drop.contains(&name) || (name == "stream_options" && !quirks.stream_options);
    if view.stream && !view.wants_usage && !is_gone("stream_options") {
        all.edits.push(ask_for_usage(root));
    }
    cut(doc, root, is_gone, &mut all.edits);
    let gone = root.members().map(|(name, _)| name).filter(|name| is_gone(name) && is_meant(name));
    all.dropped = gone.map(Into::into).collect();
    all.edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    Ok(all)
}

/// Whether leaving a member out would be a loss at all.
fn says_something(node: Node<'_>) -> bool {
    node.bool() != Some(false) && !((node.is_array() || node.is_object()) && node.is_empty())
}

/// The edit that turns usage on in a stream.
fn ask_for_usage(root: Node<'_>) -> Edit {
    let replace = |node: Node<'_>, with: &'static str| Edit {
        range: node.range(),
        with: Bytes::from_static(with.as_bytes()),
    };
    let Some(options) = root.get("stream_options") else {
        return insert_first(root, r#""stream_options":{"include_usage":true}"#);
    };
    match options.get("include_usage") {
        Some(choice) => replace(choice, "true"),
        None if options.is_object() => insert_first(options, r#""include_usage":true"#),
        None => replace(options, r#"{"include_usage":true}"#),
    }
}

/// A member as the first one of an object.
fn insert_first(object: Node<'_>, member: &'static str) -> Edit {
    let start = object.range().start + 1;
    let comma = if object.is_empty() { "" } else { "," };
    Edit { range: start..start, with: Bytes::from([member, comma].concat()) }
}

#[cfg(test)]
mod tests {
    use super::super::Completions;
    use crate::codec::{Codec, Quirks, Target};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::splice;
    use gatehouse_core::deployment::Capabilities;
    use proptest::prelude::*;

    fn rewritten(body: &str, model: &str, quirks: Quirks) -> (String, Vec<String>) {
        let doc = Doc::parse(Bytes::copy_from_slice(body.as_bytes()), Strictness::Caller).unwrap();
        let target = Target { model, capabilities: Capabilities::default(), quirks: &quirks };
        let view = Completions.view(&doc).unwrap();
        let rewrite = Completions.rewrite(&doc, &view, &target).unwrap();
        (String::from_utf8(splice(doc.bytes(), &rewrite.edits).to_vec()).unwrap(), rewrite.dropped)
    }

    #[test]
    fn only_the_model_changes_and_nothing_when_it_is_the_same() {
        let body = r#" { "prompt" : "a\u0041" , "model":"x" , "n" : 1.0 } "#;
        assert_eq!(rewritten(body, "x", Quirks::NONE).0, body);
        assert_eq!(rewritten(body, "y\"z", Quirks::NONE).0, body.replace(r#""x""#, r#""y\"z""#));
    }

    #[test]
    fn usage_is_asked_for_in_every_form_of_the_options() {
        for (options, wanted) in [
            ("", r#"{"stream_options":{"include_usage":true},"model":"m","prompt":"a","stream":true}"#),
            (
                r#","stream_options":null"#,
                r#"{"model":"m","prompt":"a","stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#","stream_options":{}"#,
                r#"{"model":"m","prompt":"a","stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#","stream_options":{"x":1}"#,
                r#"{"model":"m","prompt":"a","stream":true,"stream_options":{"include_usage":true,"x":1}}"#,
            ),
            (
                r#","stream_options":{"include_usage":false}"#,
                r#"{"model":"m","prompt":"a","stream":true,"stream_options":{"include_usage":true}}"#,
            ),
        ] {
            let body = format!(r#"{{"model":"m","prompt":"a","stream":true{options}}}"#);
            assert_eq!(rewritten(&body, "m", Quirks::NONE).0, wanted);
            let unable = Quirks { stream_options: false, ..Quirks::NONE };
            assert_eq!(rewritten(&body, "m", unable).0, r#"{"model":"m","prompt":"a","stream":true}"#);
        }
    }

    #[test]
    fn what_a_target_refuses_is_dropped_or_refused_by_name() {
        let drop = Quirks { drop: &["user", "seed"], ..Quirks::NONE };
        let (body, dropped) = rewritten(r#"{"user":"u","prompt":"a","seed":1,"model":"m"}"#, "m", drop);
        assert_eq!(body, r#"{"prompt":"a","model":"m"}"#);
        assert_eq!(dropped, ["user", "seed"]);
        let refuse = Quirks { refuse: &["suffix"], ..Quirks::NONE };
        let body = Bytes::from_static(br#"{"model":"m","prompt":"a","suffix":"b"}"#);
        let doc = Doc::parse(body, Strictness::Caller).unwrap();
        let target = Target { model: "m", capabilities: Capabilities::default(), quirks: &refuse };
        let error = Completions.rewrite(&doc, &Completions.view(&doc).unwrap(), &target).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("suffix"));
    }

    proptest! {
        /// Whatever the order and spacing of the members, what is left is JSON with the others untouched,
        /// also while the model changes and usage is asked for at the same place.
        #[test]
        fn dropping_leaves_the_others(
            order in Just(vec![
                (r#""user""#, r#""a,b""#), (r#""seed""#, "1"), (r#""top_k""#, "2"),
                (r#""model""#, r#""m""#), (r#""prompt""#, r#""p""#), (r#""stream""#, "true"),
            ]).prop_shuffle(),
            space in " {0,2}",
        ) {
            let members: Vec<_> = order.iter().map(|(name, value)| format!("{space}{name}{space}:{value}{space}")).collect();
            let quirks = Quirks { drop: &["user", "seed", "top_k"], ..Quirks::NONE };
            let (body, dropped) = rewritten(&format!("{{{}}}", members.join(",")), "other", quirks);
            let read: serde_json::Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(dropped.len(), 3);
            prop_assert_eq!(read, serde_json::json!({
                "model": "other", "prompt": "p", "stream": true, "stream_options": {"include_usage": true},
            }));
        }
    }
}
