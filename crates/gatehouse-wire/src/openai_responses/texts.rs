//! Where natural language stands in items whose inside is not known: hosted tools, what comes next year.
//!
//! Guardrails must see every text that a model reads or wrote, so unknown items are searched whole, and
//! only what is certainly not language is left out.

use crate::json::Node;
use gatehouse_core::content::Place;

/// Members that hold ids, words of the protocol, secrets or bytes in base64.
const NOT_LANGUAGE: &[&str] = &[
    "type",
    "id",
    "status",
    "role",
    "call_id",
    "item_id",
    "file_id",
    "container_id",
    "approval_request_id",
    "server_label",
    "encrypted_content",
    "fingerprint",
    "execution",
    "file_data",
    "image_url",
    "headers",
    "authorization",
    "prompt_cache_breakpoint",
];

/// Items of the provider's own doing that have left their trace in the words that followed.
const TRACED: &[&str] =
    &["web_search_call", "file_search_call", "mcp_list_tools", "tool_search_call", "tool_search_output"];

/// Calls `found` with every text inside `value`.
pub(super) fn search<'a>(value: Node<'a>, found: &mut dyn FnMut(Node<'a>)) {
    if value.is_str() {
        found(value);
    } else if value.is_object() {
        // The `result` of these is the picture itself.
        let kind = value.get("type").and_then(|kind| kind.str());
        let picture = kind.is_some_and(|kind| kind == "image_generation_call").then_some("result");
        for (name, inner) in value.members() {
            if !NOT_LANGUAGE.contains(&name.as_ref()) && picture != Some(name.as_ref()) {
                search(inner, found);
            }
        }
    } else {
        value.items().for_each(|item| search(item, found));
    }
}

/// What the texts of an item are that is not known better.
pub(super) fn place_of(kind: &str) -> Place {
    if kind.ends_with("_output") || kind.ends_with("_call_result") {
        Place::ToolResult
    } else if kind.ends_with("_call") || kind == "program" {
        Place::ToolArguments
    } else if kind.ends_with("_tools") {
        Place::ToolDefinition
    } else {
        Place::Input
    }
}

/// Calls `found` with every text of an item that a model made, and what it is.
pub(super) fn of_output<'a>(item: Node<'a>, found: &mut dyn FnMut(Node<'a>, Place)) {
    let kind = item.opt("type").and_then(|kind| kind.str()).unwrap_or_default();
    let text_of = |part: Node<'a>| part.opt("text").or_else(|| part.opt("refusal")).filter(Node::is_str);
    match kind.as_ref() {
        "message" | "reasoning" => {
            let lists = ["summary", "content"].into_iter().filter_map(|name| item.opt(name));
            let texts = lists.flat_map(|list| list.items()).filter_map(text_of);
            texts.for_each(|text| found(text, Place::Output));
        }
        "function_call" | "custom_tool_call" => {
            let text = item.opt("arguments").or_else(|| item.opt("input")).filter(Node::is_str);
            text.into_iter().for_each(|text| found(text, Place::ToolArguments));
        }
        other => {
            let place = place_of(other);
            search(item, &mut |text| found(text, place));
        }
    }
}

/// Whether an item of this type, replayed to another provider, carries what the conversation cannot do
/// without: what the caller's own tools did, or everything said before (`compaction`).
pub(super) fn must_stay(kind: &str) -> bool {
    !TRACED.contains(&kind)
}
