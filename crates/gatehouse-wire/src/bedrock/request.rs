//! A caller's request, read into the canonical conversation.

use super::blocks::text_of;
use super::media;
use super::seals::{self, Sealed};
use super::view::{ROOT, view};
use super::{DIALECT, additional, blocks};
use crate::chat::{
    Block, CacheMark, ChatRequest, Effort, Extension, Format, Part, RawJson, Reasoning, Seal, Thought, Tool,
    ToolChoice, ToolResult, Turn, Weight,
};
use crate::json::{Doc, Node};
use gatehouse_core::error::Error;

/// Members that change what the answer may be.
const MEANINGS: &[&str] = &["guardrailConfig", "promptVariables"];

/// Reads a request.
pub(super) fn read(doc: &Doc) -> Result<ChatRequest, Error> {
    let view = view(doc)?;
    let root = doc.root();
    let config = |name: &str| root.path(&["inferenceConfig", name]);
    let number = |name: &str| config(name).map(|number| RawJson(number.raw().to_owned()));
    let stop = config("stopSequences").into_iter().flat_map(|list| list.items());
    let mut request = ChatRequest {
        turns: turns(root),
        max_output_tokens: view.max_output_tokens,
        temperature: number("temperature"),
        top_p: number("topP"),
        stop: stop.filter_map(|one| one.str().map(Into::into)).collect(),
        tools: tools(root),
        tool_choice: root.path(&["toolConfig", "toolChoice"]).map(choice),
        format: root.path(&["outputConfig", "textFormat"]).and_then(format),
        include_usage: true,
        metadata: view.metadata,
        service_tier: view.service_tier,
        ..ChatRequest::default()
    };
    if let Some(fields) = root.opt("additionalModelRequestFields") {
        additional::read(fields, &mut request);
    }
    let effort = root.path(&["outputConfig", "effort"]).and_then(|word| word.str());
    if let Some(effort) = effort.and_then(|word| Effort::parse(&word)) {
        let asked = request.reasoning.get_or_insert(Reasoning { sealed: true, ..Reasoning::default() });
        asked.effort = asked.effort.or(Some(effort));
    }
    let own = root.members().filter(|(name, value)| !ROOT.contains(&name.as_ref()) && !value.is_null());
    request.extensions.extend(own.map(|(name, value)| {
        let is_meant = MEANINGS.contains(&name.as_ref());
        opaque(value, if is_meant { Weight::Meaning } else { Weight::Hint })
    }));
    Ok(request)
}

fn opaque(node: Node<'_>, weight: Weight) -> Extension {
    Extension { path: node.name(), value: RawJson(node.raw().to_owned()), origin: DIALECT, weight }
}

fn format(format: Node<'_>) -> Option<Format> {
    let schema = format.path(&["structure", "jsonSchema"])?;
    let said = |name: &str| schema.opt(name).and_then(|text| text.str()).map(Into::into);
    let text = RawJson(text_of(schema, "schema"));
    Some(Format::JsonSchema {
        name: said("name"),
        description: said("description"),
        schema: text,
        strict: None,
    })
}

// === tools ===

fn tools(root: Node<'_>) -> Vec<Tool> {
    let mut tools: Vec<Tool> = Vec::new();
    for tool in root.path(&["toolConfig", "tools"]).into_iter().flat_map(|list| list.items()) {
        if let Some(spec) = tool.opt("toolSpec") {
            tools.push(Tool::Function {
                name: text_of(spec, "name"),
                description: spec.opt("description").and_then(|text| text.str()).map(Into::into),
                parameters: spec.path(&["inputSchema", "json"]).map(|json| RawJson(json.raw().to_owned())),
                strict: spec.opt("strict").and_then(|strict| strict.bool()),
                cache: None,
            });
        } else if let Some(mark) = tool.opt("cachePoint") {
            if let Some(Tool::Function { cache, .. }) = tools.last_mut() {
                *cache = Some(cache_mark(mark));
            }
        } else {
            let name = tool.opt("systemTool").map(|system| text_of(system, "name")).unwrap_or_default();
            tools.push(Tool::Hosted { name, definition: opaque(tool, Weight::Meaning) });
        }
    }
    tools
}

fn choice(choice: Node<'_>) -> ToolChoice {
    match choice.opt("tool") {
        Some(named) => ToolChoice::Named(text_of(named, "name")),
        None if choice.opt("any").is_some() => ToolChoice::Required,
        None => ToolChoice::Auto,
    }
}

fn cache_mark(mark: Node<'_>) -> CacheMark {
    if text_of(mark, "ttl") == "1h" { CacheMark::Long } else { CacheMark::Short }
}

// === the conversation ===

fn turns(root: Node<'_>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    if let Some(system) = root.opt("system").filter(|system| !system.is_empty()) {
        turns.push(Turn::System(parts(system.items())));
    }
    // Results do not name their tools.
    let mut calls: Vec<(String, String)> = Vec::new();
    for message in root.opt("messages").into_iter().flat_map(|list| list.items()) {
        let Some(content) = message.opt("content") else { continue };
        match text_of(message, "role").as_str() {
            "system" => turns.push(Turn::System(parts(content.items()))),
            "assistant" => {
                let said = assistant(content);
                calls.extend(said.iter().filter_map(|block| match block {
                    Block::ToolCall(call) => Some((call.id.clone(), call.name.clone())),
                    _ => None,
                }));
                turns.push(Turn::Assistant(said));
            }
            _ => user(content, &calls, &mut turns),
        }
    }
    turns
}

/// A message of the user's: results of tools, words, or both.
fn user(content: Node<'_>, calls: &[(String, String)], turns: &mut Vec<Turn>) {
    let (mut results, mut said): (Vec<ToolResult>, Vec<Part>) = (Vec::new(), Vec::new());
    for block in content.items() {
        if let Some(result) = block.opt("toolResult") {
            results.push(tool_result(result, calls));
        } else if let (Some(mark), true) = (block.opt("cachePoint"), said.is_empty()) {
            if let Some(last) = results.last_mut() {
                last.cache = Some(cache_mark(mark));
            }
        } else {
            part(block, &mut said);
        }
    }
    if !results.is_empty() {
        turns.push(Turn::ToolResults(results));
    }
    if !said.is_empty() {
        turns.push(Turn::User(said));
    }
}

fn tool_result(result: Node<'_>, calls: &[(String, String)]) -> ToolResult {
    let call_id = text_of(result, "toolUseId");
    let called = calls.iter().rev().find(|(id, _)| *id == call_id);
    let name = called.map(|(_, name)| name.clone());
    let content = result.opt("content").into_iter().flat_map(|content| content.items());
    let is_error = text_of(result, "status") == "error";
    ToolResult { call_id, name, is_error, parts: parts(content), cache: None }
}

/// What somebody other than the model said.
fn parts<'a>(blocks: impl Iterator<Item = Node<'a>>) -> Vec<Part> {
    let mut parts = Vec::new();
    blocks.for_each(|block| part(block, &mut parts));
    parts
}

fn part(block: Node<'_>, parts: &mut Vec<Part>) {
    let Some((name, value)) = block.members().find(|(_, value)| !value.is_null()) else { return };
    match name.as_ref() {
        "text" => parts.push(Part::text(value.str().unwrap_or_default())),
        "json" => parts.push(Part::text(value.raw())),
        "cachePoint" => mark(value, parts),
        // What it marks is for a guardrail of Bedrock's, without which it is a text as any other.
        "guardContent" => match (value.path(&["text", "text"]), value.opt("image")) {
            (Some(text), _) => parts.push(Part::text(text.str().unwrap_or_default())),
            (None, Some(image)) => parts.push(media::part("image", image)),
            (None, None) => parts.push(Part::Opaque(opaque(block, Weight::Meaning))),
        },
        kind @ ("image" | "document" | "audio" | "video") => {
            parts.push(media::part(kind, value));
            // What is said about a document besides it.
            let beside = ["context", "citations"].into_iter().filter_map(|name| value.opt(name));
            let says = |one: &Node<'_>| one.opt("enabled").and_then(|on| on.bool()) != Some(false);
            parts.extend(beside.filter(says).map(|one| Part::Opaque(opaque(one, Weight::Hint))));
        }
        _ => parts.push(Part::Opaque(opaque(block, Weight::Meaning))),
    }
}

/// A mark covers what stands before it.
fn mark(mark: Node<'_>, parts: &mut [Part]) {
    let marked = parts.iter_mut().rev().find_map(|part| match part {
        Part::Text { cache, .. } => Some(cache),
        Part::Media(media) => Some(&mut media.cache),
        Part::Opaque(_) => None,
    });
    if let Some(cache) = marked {
        *cache = Some(cache_mark(mark));
    }
}

/// What the model said. Seals that ride in thoughts without words go back to what they belong to.
fn assistant(content: Node<'_>) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let mut of_calls: Vec<(String, Seal)> = Vec::new();
    for block in content.items() {
        let Some((name, value)) = block.members().find(|(_, value)| !value.is_null()) else { continue };
        match name.as_ref() {
            "text" => all.push(Block::text(value.str().unwrap_or_default())),
            "toolUse" if !blocks::is_servers(value) => all.push(Block::ToolCall(blocks::call(value))),
            "reasoningContent" => thought(value, &mut all, &mut of_calls),
            "citationsContent" => {
                let pieces = value.opt("content").into_iter().flat_map(|content| content.items());
                all.push(Block::text(pieces.map(|piece| text_of(piece, "text")).collect::<String>()));
                let cited = value.opt("citations").filter(|cited| !cited.is_empty());
                all.extend(cited.map(|cited| Block::Opaque(opaque(cited, Weight::Hint))));
            }
            "cachePoint" => {
                let marked = all.iter_mut().rev().find_map(|block| match block {
                    Block::Text { cache, .. } => Some(cache),
                    Block::ToolCall(call) => Some(&mut call.cache),
                    _ => None,
                });
                if let Some(cache) = marked {
                    *cache = Some(cache_mark(value));
                }
            }
            // What the provider's own tools were asked and said.
            "toolUse" | "toolResult" => all.push(Block::Opaque(opaque(block, Weight::Hint))),
            _ => all.push(Block::Opaque(opaque(block, Weight::Meaning))),
        }
    }
    for (id, seal) in of_calls {
        let call = all.iter_mut().find_map(|block| match block {
            Block::ToolCall(call) if call.id == id => Some(call),
            _ => None,
        });
        if let Some(call) = call {
            call.seal = Some(seal);
        }
    }
    all
}

fn thought(reasoning: Node<'_>, all: &mut Vec<Block>, of_calls: &mut Vec<(String, Seal)>) {
    let shown = reasoning.opt("reasoningText");
    let redacted = shown.is_none();
    let text = shown.map(|shown| text_of(shown, "text")).unwrap_or_default();
    let signature = match shown {
        Some(shown) => text_of(shown, "signature"),
        None => text_of(reasoning, "redactedContent"),
    };
    match seals::read(&signature) {
        Sealed::Thought(id, seal) => all.push(Block::Thought(Thought { text, id, seal, redacted })),
        Sealed::Call(id, seal) => of_calls.push((id, seal)),
        Sealed::NoText(seal) => {
            all.push(Block::Text { text: String::new(), seal: Some(seal), cache: None });
        }
        Sealed::Text(new) => {
            let text = all.iter_mut().rev().find_map(|block| match block {
                Block::Text { seal, .. } => Some(seal),
                _ => None,
            });
            if let Some(seal) = text {
                *seal = Some(new);
            }
        }
    }
}
