//! `functionCall.args` and `functionResponse.response`: Google wants objects where others have text.

use crate::chat::{Part, ToolResult};
use crate::json::{Doc, Node, Out, Raw, Strictness};
use bytes::Bytes;

/// The member that carries arguments which are no JSON object, such as ones that a limit cut off.
const RAW: &str = "__raw";

/// The arguments of a call as JSON text.
pub(super) fn read_args(args: Option<Node<'_>>) -> String {
    let Some(args) = args else { return "{}".to_owned() };
    match lone(args) {
        Some((name, text)) if name == RAW && text.is_str() => text.str().unwrap_or_default().into_owned(),
        _ => args.raw().to_owned(),
    }
}

/// Writes arguments as the member `args`.
pub(super) fn write_args(out: &mut Out, arguments: &str) {
    if arguments.trim().is_empty() {
        out.object_field("args", |_| ());
    } else if object(arguments).is_some_and(|doc| lone(doc.root()).is_none_or(|(name, _)| name != RAW)) {
        out.field("args", Raw(arguments));
    } else {
        out.object_field("args", |out| {
            out.field(RAW, arguments);
        });
    }
}

/// What a tool said, and whether it says that it failed.
pub(super) fn read(response: Option<Node<'_>>) -> (bool, Vec<Part>) {
    let Some(response) = response else { return (false, Vec::new()) };
    let Some((name, value)) = lone(response) else { return (false, vec![Part::text(response.raw())]) };
    let failed = name == "error";
    if !failed && !matches!(name.as_str(), "result" | "output") {
        return (false, vec![Part::text(response.raw())]);
    }
    let texts: Vec<_> = value.items().filter_map(|item| item.str()).collect();
    let parts = if let Some(text) = value.str() {
        if text.is_empty() { Vec::new() } else { vec![Part::text(text)] }
    } else if texts.len() > 1 && texts.len() == value.items().count() {
        texts.into_iter().map(Part::text).collect()
    } else if failed {
        vec![Part::text(value.raw())]
    } else {
        vec![Part::text(response.raw())]
    };
    (failed, parts)
}

/// Writes what a tool said as the member `response`: a JSON object as it is, anything else inside one.
pub(super) fn write(out: &mut Out, result: &ToolResult) {
    let texts: Vec<&str> = result
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            Part::Media(_) | Part::Opaque(_) => None,
        })
        .collect();
    if let ([text], false) = (texts.as_slice(), result.is_error)
        && let Some(doc) = object(text)
        && read(Some(doc.root())) == (false, vec![Part::text(*text)])
    {
        out.field("response", Raw(text));
        return;
    }
    let name = if result.is_error { "error" } else { "result" };
    out.object_field("response", |out| match texts.as_slice() {
        [] => {
            out.field(name, "");
        }
        [text] => {
            out.field(name, *text);
        }
        texts => {
            out.array_field(name, |out| {
                texts.iter().for_each(|text| {
                    out.item(*text);
                });
            });
        }
    });
}

/// The text as a JSON object, when it is one.
fn object(text: &str) -> Option<Doc> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Provider).ok()
}

/// The only member of an object that has one.
fn lone(object: Node<'_>) -> Option<(String, Node<'_>)> {
    let mut members = object.members();
    let (name, value) = members.next()?;
    members.next().is_none().then(|| (name.into_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::{object, read, read_args, write, write_args};
    use crate::chat::{Part, ToolResult};
    use crate::gemini::member::get;
    use crate::json::Out;
    use proptest::prelude::*;

    fn result(is_error: bool, texts: &[String]) -> ToolResult {
        let parts = texts.iter().map(Part::text).collect();
        ToolResult { call_id: String::new(), name: None, is_error, parts, cache: None }
    }

    fn there_and_back(result: &ToolResult) -> (bool, Vec<Part>) {
        let mut out = Out::new();
        out.object(|out| write(out, result));
        let doc = object(out.as_str()).unwrap();
        read(get(doc.root(), "response"))
    }

    #[test]
    fn objects_go_as_objects() {
        let mut out = Out::new();
        out.object(|out| write(out, &result(false, &[r#"{"t": 1.50}"#.to_owned()])));
        assert_eq!(out.as_str(), r#"{"response":{"t": 1.50}}"#);
    }

    proptest! {
        #[test]
        fn what_a_tool_said_comes_back(
            is_error: bool,
            texts in proptest::collection::vec(
                prop_oneof!["[a-z\"{}]{1,6}", Just(r#"{"result":"x"}"#.to_owned()), Just(r#"{"error":"x"}"#.to_owned()), Just(r#"{"a":1}"#.to_owned())], 0..3),
        ) {
            let result = result(is_error, &texts);
            prop_assert_eq!(there_and_back(&result), (is_error, result.parts));
        }

        #[test]
        fn arguments_come_back(text in prop_oneof![r#"\{"a":"#, "[a-z{}\"]{1,8}", Just(r#"{"a":[1]}"#.to_owned()), Just(r#"{"__raw":"x"}"#.to_owned())]) {
            let mut out = Out::new();
            out.object(|out| write_args(out, &text));
            let doc = object(out.as_str()).unwrap();
            prop_assert_eq!(read_args(get(doc.root(), "args")), text);
        }
    }
}
