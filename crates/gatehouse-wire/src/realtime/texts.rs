//! Every text of an event, by the names of its members. What this does not know is taken for a text: a new
//! member must not be a way around a guardrail.

use crate::json::Node;
use gatehouse_core::content::{Place, Span};

/// Members whose strings are no words of anybody's.
const INERT: [&str; 28] = [
    "type",
    "id",
    "event_id",
    "item_id",
    "previous_item_id",
    "response_id",
    "conversation_id",
    "conversation",
    "call_id",
    "object",
    "status",
    "role",
    "name",
    "model",
    "voice",
    "format",
    "input_audio_format",
    "output_audio_format",
    "modalities",
    "output_modalities",
    "language",
    "tool_choice",
    "truncation",
    "eagerness",
    "detail",
    "include",
    "metadata",
    "image_url",
];

/// Finds the texts of a value. `place` is what a text without a better-known place is.
pub(super) fn find(node: Node<'_>, place: Place, found: &mut Vec<Span>) {
    let place = match node.get("role").and_then(|role| role.str()).as_deref() {
        Some("system" | "developer") => Place::System,
        Some("user") => Place::Input,
        Some("assistant") => Place::Output,
        _ => place,
    };
    for (name, value) in node.members() {
        match &*name {
            inert if INERT.contains(&inert) => {}
            // A medium, and no words: who passes it says so.
            "audio" if value.is_str() => {}
            "instructions" | "prompt" => all(value, Place::System, found),
            "tools" => all(value, Place::ToolDefinition, found),
            "arguments" => all(value, Place::ToolArguments, found),
            // Of a tool where it is a text, of the model where it is a list.
            "output" if value.is_str() => all(value, Place::ToolResult, found),
            "output" => within(value, Place::Output, found),
            _ => within(value, place, found),
        }
    }
}

fn within(value: Node<'_>, place: Place, found: &mut Vec<Span>) {
    if value.is_str() {
        all(value, place, found);
    } else if value.is_object() {
        find(value, place, found);
    } else {
        value.items().for_each(|item| within(item, place, found));
    }
}

/// Every string of a value, but for what names its kinds.
fn all(value: Node<'_>, place: Place, found: &mut Vec<Span>) {
    if value.is_str() {
        if !value.is_empty() {
            found.push(Span { range: value.inner_range(), place });
        }
        return;
    }
    value.items().for_each(|item| all(item, place, found));
    for (name, value) in value.members() {
        // Names of tools are words of the application, but what calls are matched by. A parameter may be called so, too.
        if !(matches!(&*name, "type" | "id" | "name") && value.is_str()) {
            all(value, place, found);
        }
    }
}
