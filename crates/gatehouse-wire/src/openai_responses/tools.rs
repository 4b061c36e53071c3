//! Reading tools: functions, free-form tools and namespaces, which all become functions.
//!
//! Other dialects know functions only. A tool `get` in the namespace `crm` becomes the function `crm__get`;
//! a free-form (`custom`) tool becomes a function with one text, `input` ([`crate::free_form`]). The request
//! remembers the namespace in an `Extension`.
//! `names` reads that memory.

use super::extension;
use crate::chat::{ChatRequest, Extension, RawJson, Tool, ToolChoice, Weight};
use crate::free_form;
use crate::json::Node;
use gatehouse_core::error::Error;
use std::collections::HashSet;

/// The longest name of a function that every provider takes.
const NAME_CHARS_MAX: usize = 64;
/// How many hexadecimal digits tell apart names that had to be cut.
const NAME_MARK_CHARS: usize = 8;
/// Between a namespace and a tool.
const BETWEEN: &str = "__";

/// Reads `tools`.
pub(super) fn decode(tools: Node<'_>, request: &mut ChatRequest) -> Result<(), Error> {
    for (at, tool) in tools.want_array()?.items().enumerate() {
        let kind = tool.want_object()?.need("type")?.want_str()?;
        let path = format!("tools[{at}]");
        match kind.as_ref() {
            "function" | "custom" => one(tool, None, &path, request)?,
            "namespace" => {
                let namespace = tool.need("name")?.want_str()?;
                for inner in tool.need("tools")?.want_array()?.items() {
                    one(inner, Some(&namespace), &path, request)?;
                }
                let definition = extension(format!("{path}.namespace"), tool, Weight::Hint);
                request.extensions.push(definition);
            }
            other => request.tools.push(Tool::Hosted {
                name: other.to_owned(),
                definition: extension(path, tool, Weight::Meaning),
            }),
        }
    }
    set_searches_aside(request);
    let names = request.tools.iter().filter_map(function_name);
    let mut seen = HashSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(tools.wrong(&format!("two tools are named {twice:?}"))),
        None => Ok(()),
    }
}

/// A search that is offered beside the caller's own tools may be left out: an agent works without it, and
/// tools that a search would find are there anyway. Alone, it is what the caller asked for.
fn set_searches_aside(request: &mut ChatRequest) {
    if !request.tools.iter().any(|tool| function_name(tool).is_some()) {
        return;
    }
    for tool in std::mem::take(&mut request.tools) {
        match tool {
            Tool::Hosted { name, definition } if name.starts_with("web_search") || name == "tool_search" => {
                request.extensions.push(Extension { weight: Weight::Hint, ..definition });
            }
            other => request.tools.push(other),
        }
    }
}

/// The name of a function.
pub(super) fn function_name(tool: &Tool) -> Option<&str> {
    match tool {
        Tool::Function { name, .. } => Some(name),
        Tool::Hosted { .. } => None,
    }
}

/// A function or a free-form tool. What else the definition says is kept under `path`, except in a
/// namespace, whose whole definition is kept.
fn one(tool: Node<'_>, namespace: Option<&str>, path: &str, request: &mut ChatRequest) -> Result<(), Error> {
    let text = |name: &str| tool.opt(name).map(|node| node.want_str()).transpose();
    let name = tool.want_object()?.need("name")?.want_str()?;
    let free_form = tool.opt("type").and_then(|kind| kind.str()).is_some_and(|kind| kind == "custom");
    let (parameters, strict) = if free_form {
        (Some(free_form::schema(tool.opt("format"))), Some(false))
    } else {
        let schema = tool.opt("parameters").map(Node::want_object).transpose()?;
        let strict = match tool.opt("strict") {
            Some(strict) => strict.want_bool()?,
            // The default of this API is true where the schema allows it; it never makes a request fail.
            None => schema.is_some_and(|schema| is_strict(&schema)),
        };
        (schema.map(|schema| RawJson(schema.raw().to_owned())), Some(strict))
    };
    if namespace.is_none() {
        let known = ["type", "name", "description", "parameters", "strict"];
        let others =
            tool.members().filter(|(name, value)| !known.contains(&name.as_ref()) && !value.is_null());
        let others = others.map(|(name, value)| extension(format!("{path}.{name}"), value, Weight::Hint));
        request.extensions.extend(others);
    }
    request.tools.push(Tool::Function {
        name: namespace.map_or_else(|| name.to_string(), |namespace| joined(namespace, &name)),
        description: text("description")?.map(std::borrow::Cow::into_owned),
        parameters,
        strict,
        cache: None,
    });
    Ok(())
}

/// Whether a schema keeps the rules of strict mode: every object closed, every property required.
fn is_strict(schema: &Node<'_>) -> bool {
    let properties = schema.get("properties");
    let says_object = schema.opt("type").and_then(|kind| kind.str()).is_some_and(|kind| kind == "object");
    if says_object || properties.is_some() {
        let open = schema.get("additionalProperties").and_then(|node| node.bool()) != Some(false);
        let required: HashSet<_> = schema
            .get("required")
            .into_iter()
            .flat_map(|list| list.items())
            .filter_map(|name| name.str())
            .collect();
        let mut names = properties.into_iter().flat_map(|all| all.members());
        if open || !names.all(|(name, _)| required.contains(&name)) {
            return false;
        }
    }
    let maps = ["properties", "$defs", "definitions"].into_iter().filter_map(|name| schema.get(name));
    let named = maps.flat_map(|map| map.members()).map(|(_, inner)| inner);
    let choices = schema.get("anyOf").into_iter().flat_map(|list| list.items());
    named.chain(choices).chain(schema.get("items")).all(|inner| is_strict(&inner))
}

/// The function for a tool of a namespace: cut where it would be too long for a provider, and marked then
/// so that it stays apart from its neighbours.
pub(super) fn joined(namespace: &str, tool: &str) -> String {
    let whole = format!("{namespace}{BETWEEN}{tool}");
    if whole.chars().count() <= NAME_CHARS_MAX {
        return whole;
    }
    // FNV-1a: the same name gives the same mark on every turn, and that is all that is asked of it.
    let mark =
        whole.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let kept: String = whole.chars().take(NAME_CHARS_MAX - NAME_MARK_CHARS - 1).collect();
    format!("{kept}_{mark:08x}")
}

/// Reads `tool_choice`; what only this dialect can choose becomes an extension.
pub(super) fn decode_choice(choice: Node<'_>, request: &mut ChatRequest) -> Result<(), Error> {
    if let Some(word) = choice.str() {
        request.tool_choice = Some(match word.as_ref() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => return Err(choice.wrong("must be \"auto\", \"none\", \"required\" or an object")),
        });
        return Ok(());
    }
    let kind = choice.want_object()?.need("type")?.want_str()?;
    let named = match kind.as_ref() {
        "function" | "custom" => chosen(choice).map(ToolChoice::Named),
        "allowed_tools" => {
            let names: Option<Vec<_>> = choice.need("tools")?.want_array()?.items().map(chosen).collect();
            let required =
                choice.opt("mode").and_then(|mode| mode.str()).is_some_and(|mode| mode == "required");
            names.map(|names| ToolChoice::Allowed { names, required })
        }
        _ => None,
    };
    if named.is_none() {
        request.extensions.push(extension("tool_choice", choice, Weight::Meaning));
    }
    request.tool_choice = named;
    Ok(())
}

/// The function that is chosen, unless it is something else.
fn chosen(choice: Node<'_>) -> Option<String> {
    let kind = choice.opt("type")?.str()?;
    let name = choice.opt("name")?.str()?;
    if kind != "function" && kind != "custom" {
        return None;
    }
    let namespace = choice.opt("namespace").and_then(|node| node.str());
    Some(namespace.map_or_else(|| name.to_string(), |namespace| joined(&namespace, &name)))
}

#[cfg(test)]
mod tests {
    use super::{NAME_CHARS_MAX, is_strict, joined};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        assert_eq!(joined("crm", "get"), "crm__get");
        let [a, b] = ["x", "y"].map(|end| joined("n", &format!("{}{end}", "t".repeat(80))));
        assert_eq!((a.len(), b.len()), (NAME_CHARS_MAX, NAME_CHARS_MAX));
        assert_ne!(a, b);
    }

    #[test]
    fn only_closed_schemas_are_strict_by_default() {
        for (schema, strict) in [
            (
                r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#,
                true,
            ),
            (r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#, false),
            (r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#, false),
            (r#"{"type":"object","properties":{},"additionalProperties":false}"#, true),
            (r#"{"type":"object"}"#, false),
            (
                r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{}}}},"required":["a"],"additionalProperties":false}"#,
                false,
            ),
        ] {
            let doc = Doc::parse(Bytes::from_static(schema.as_bytes()), Strictness::Caller).unwrap();
            assert_eq!(is_strict(&doc.root()), strict, "{schema}");
        }
    }
}
