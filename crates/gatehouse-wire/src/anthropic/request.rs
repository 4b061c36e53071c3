//! A request, read into the canonical conversation. The view has checked its shape before.

use super::DIALECT;
use super::content::{Blocks, parts, text_of};
use super::thinking;
use super::words::{cache_mark, tier_in};
use crate::chat::{
    ChatRequest, Extension, Format, Part, RawJson, Tool, ToolChoice, ToolResult, Turn, Weight,
};
use crate::json::{Doc, Node};

/// Members that only Anthropic knows and that change the answer, not only its speed or price.
const MEANINGFUL: &[&str] = &["mcp_servers", "container", "inference_geo"];

/// Members of a tool that the canonical form has a place for.
const TOOL: &[&str] = &["type", "name", "description", "input_schema", "strict", "cache_control"];

/// Reads a whole request.
pub(super) fn read(doc: &Doc) -> ChatRequest {
    let root = doc.root();
    // Anthropic's streams always end with the usage.
    let mut request = ChatRequest { include_usage: true, ..ChatRequest::default() };
    if let Some(system) = root.opt("system") {
        request.turns.push(Turn::System(parts(system)));
    }
    request.reasoning = thinking::read(root);
    for (name, value) in root.members() {
        if !value.is_null() {
            member(&name, value, &mut request);
        }
    }
    request
}

fn member(name: &str, value: Node<'_>, request: &mut ChatRequest) {
    let raw = || Some(RawJson(value.raw().to_owned()));
    match name {
        "model" => request.model = value.str().unwrap_or_default().into_owned(),
        "messages" => value.items().for_each(|message| turns(message, &mut request.turns)),
        "system" => {}
        "max_tokens" => request.max_output_tokens = value.u64(),
        "stream" => request.stream = value.bool().unwrap_or_default(),
        "temperature" => request.temperature = raw(),
        "top_p" => request.top_p = raw(),
        "top_k" => request.top_k = value.u64(),
        "stop_sequences" => {
            request.stop =
                value.items().filter_map(|item| item.str()).map(|text| text.into_owned()).collect();
        }
        "tools" => {
            for (at, tool) in value.items().enumerate() {
                read_tool(at, tool, request);
            }
        }
        "tool_choice" => read_choice(value, request),
        "thinking" if thinking::is_known(value) => {}
        "output_config" => output_config(value, request),
        "output_format" => read_format("output_format", value, request),
        "metadata" => {
            for (name, label) in value.members() {
                let text = label.str().map_or_else(|| label.raw().to_owned(), std::borrow::Cow::into_owned);
                match name.as_ref() {
                    _ if label.is_null() => {}
                    "user_id" => request.user = Some(text),
                    _ => request.metadata.push((name.into_owned(), text)),
                }
            }
        }
        "service_tier" => request.service_tier = value.str().map(|tier| tier_in(&tier)),
        _ => request.extensions.push(extension(name.to_owned(), value, weight_of(name))),
    }
}

fn weight_of(name: &str) -> Weight {
    if MEANINGFUL.contains(&name) { Weight::Meaning } else { Weight::Hint }
}

fn extension(path: String, value: Node<'_>, weight: Weight) -> Extension {
    Extension { path, value: RawJson(value.raw().to_owned()), origin: DIALECT, weight }
}

/// One message as one turn, or two: results of tools, and what the user said beside them.
fn turns(message: Node<'_>, turns: &mut Vec<Turn>) {
    let Some(content) = message.opt("content") else { return };
    match text_of(message, "role").as_str() {
        "assistant" => turns.push(Turn::Assistant(Blocks::read(content))),
        "system" => turns.push(Turn::System(parts(content))),
        _ => {
            let results: Vec<ToolResult> = content.items().filter_map(result).collect();
            let said: Vec<Part> = parts(content);
            let nothing_said = said.is_empty() && !results.is_empty();
            if !results.is_empty() {
                turns.push(Turn::ToolResults(results));
            }
            if !nothing_said {
                turns.push(Turn::User(said));
            }
        }
    }
}

fn result(block: Node<'_>) -> Option<ToolResult> {
    (text_of(block, "type") == "tool_result").then(|| ToolResult {
        call_id: text_of(block, "tool_use_id"),
        name: None,
        is_error: block.opt("is_error").and_then(|flag| flag.bool()).unwrap_or_default(),
        parts: block.opt("content").map(parts).unwrap_or_default(),
        cache: cache_mark(block),
    })
}

fn read_tool(at: usize, tool: Node<'_>, request: &mut ChatRequest) {
    let kind = text_of(tool, "type");
    if !kind.is_empty() && kind != "custom" {
        let definition = extension(format!("tools[{at}]"), tool, Weight::Meaning);
        request.tools.push(Tool::Hosted { name: kind, definition });
        return;
    }
    request.tools.push(Tool::Function {
        name: text_of(tool, "name"),
        description: tool.opt("description").and_then(|text| text.str()).map(|text| text.into_owned()),
        parameters: tool.opt("input_schema").map(|schema| RawJson(schema.raw().to_owned())),
        strict: tool.opt("strict").and_then(|flag| flag.bool()),
        cache: cache_mark(tool),
    });
    for (name, value) in tool.members() {
        if !TOOL.contains(&name.as_ref()) && !value.is_null() {
            let path = format!("tools[{at}].{name}");
            request.extensions.push(extension(path, value, Weight::Hint));
        }
    }
}

fn read_choice(choice: Node<'_>, request: &mut ChatRequest) {
    request.tool_choice = Some(match text_of(choice, "type").as_str() {
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Named(text_of(choice, "name")),
        "none" => ToolChoice::None,
        _ => ToolChoice::Auto,
    });
    let serial = choice.opt("disable_parallel_tool_use").and_then(|flag| flag.bool());
    request.parallel_tool_calls = serial.map(|serial| !serial);
}

fn output_config(config: Node<'_>, request: &mut ChatRequest) {
    for (name, value) in config.members() {
        match name.as_ref() {
            _ if value.is_null() => {}
            "effort" => {}
            "format" => read_format("output_config.format", value, request),
            _ => {
                let path = format!("output_config.{name}");
                request.extensions.push(extension(path, value, Weight::Hint));
            }
        }
    }
}

fn read_format(path: &str, format: Node<'_>, request: &mut ChatRequest) {
    match (text_of(format, "type").as_str(), format.opt("schema")) {
        ("json_schema", Some(schema)) => {
            request.format = Some(Format::JsonSchema {
                name: None,
                description: None,
                schema: RawJson(schema.raw().to_owned()),
                strict: None,
            });
        }
        ("text", _) => request.format = Some(Format::Text),
        _ => request.extensions.push(extension(path.to_owned(), format, Weight::Meaning)),
    }
}
