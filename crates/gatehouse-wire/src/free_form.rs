//! Free-form (`custom`) tools of OpenAI's, whose input is any text. Other dialects know functions only: such
//! a tool becomes a function with one text, `input`, and its calls are turned back for the caller.
//!
//! The request remembers what the tool was in the head of the schema.

use crate::chat::{ChatRequest, RawJson, Tool};
use crate::json::{Doc, Node, Strictness, escaped};
use bytes::Bytes;

/// The schema of a free-form tool begins with this, and no caller's begins so by accident.
const HEAD: &str = r#"{"type":"object","properties":{"input":{"type":"string","description":"The whole input of this free-form tool, as plain text."#;
const TAIL: &str = r#""}},"required":["input"],"additionalProperties":false}"#;

/// What stands in front of and behind the text in [`arguments`].
pub const FRAME: (&str, &str) = ("{\"input\":\"", "\"}");

/// The schema of the function: one text, described by the grammar that it must follow, if there is one.
pub(crate) fn schema(grammar: Option<Node<'_>>) -> RawJson {
    let text = |name: &str| grammar.and_then(|grammar| grammar.opt(name)).and_then(|node| node.str());
    let rule = match (text("syntax"), text("definition")) {
        (Some(syntax), Some(definition)) => format!(" It follows this {syntax} grammar:\n{definition}"),
        _ => String::new(),
    };
    RawJson(format!("{HEAD}{}{TAIL}", escaped_text(&rule)))
}

/// Whether a function is a free-form tool, by its schema.
pub(crate) fn is_schema(schema: &RawJson) -> bool {
    schema.0.starts_with(HEAD)
}

/// Whether the function `called` is a free-form tool of the request's.
pub(crate) fn is_tool(request: &ChatRequest, called: &str) -> bool {
    request.tools.iter().any(|tool| {
        matches!(tool, Tool::Function { name, parameters: Some(schema), .. } if name == called && is_schema(schema))
    })
}

/// The input of a free-form tool as the arguments of a function.
pub(crate) fn arguments(input: &str) -> String {
    let (before, behind) = FRAME;
    format!("{before}{}{behind}", escaped_text(input))
}

/// The input of a free-form tool, out of the arguments of a function; `None` when they are not of that
/// form, as a model may make them.
pub(crate) fn input(arguments: &str) -> Option<String> {
    let doc = Doc::parse(Bytes::copy_from_slice(arguments.as_bytes()), Strictness::Provider).ok()?;
    doc.root().opt("input")?.str().map(std::borrow::Cow::into_owned)
}

/// `text` as it stands inside a JSON string.
pub(crate) fn escaped_text(text: &str) -> String {
    String::from_utf8(escaped(text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{arguments, input, is_schema, schema};
    use proptest::prelude::*;

    #[test]
    fn a_schema_is_known_again() {
        assert!(is_schema(&schema(None)));
        assert!(serde_json::from_str::<serde_json::Value>(&schema(None).0).is_ok());
    }

    proptest! {
        #[test]
        fn an_input_comes_back(text in "\\PC{0,20}") {
            let back = input(&arguments(&text));
            prop_assert_eq!(back.as_deref(), Some(text.as_str()));
        }
    }
}
