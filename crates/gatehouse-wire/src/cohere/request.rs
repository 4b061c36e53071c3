//! A caller's request, read into the canonical conversation.

use super::blocks::{SIGNATURE, text_of};
use super::view::{MESSAGE, ROOT, view};
use super::{DIALECT, REDACTED};
use crate::chat::{
    Block, ChatRequest, Effort, Extension, Format, Media, MediaKind, Part, RawJson, Reasoning, Seal, Source,
    Thought, Tool, ToolCall, ToolChoice, ToolResult, Turn, Weight,
};
use crate::json::{Doc, Node};
use crate::openai_chat::media;
use crate::seal;
use gatehouse_core::error::Error;

/// Members that change what the answer may be.
const MEANINGS: &[&str] = &["logprobs", "raw_prompting"];
/// The safety mode that forbids more than models do by themselves.
const STRICT: &str = "STRICT";

/// Reads a request.
pub(super) fn read(doc: &Doc) -> Result<ChatRequest, Error> {
    let view = view(doc)?;
    let root = doc.root();
    let number = |name: &str| root.opt(name).map(|number| RawJson(number.raw().to_owned()));
    let whole = |name: &str| root.opt(name).and_then(|number| number.u64());
    let stop = root.opt("stop_sequences").into_iter().flat_map(|list| list.items());
    let mut request = ChatRequest {
        model: view.model.map(|(model, _)| model).unwrap_or_default(),
        turns: turns(root.need("messages")?)?,
        max_output_tokens: view.max_output_tokens,
        temperature: number("temperature"),
        top_p: number("p"),
        // Zero is none.
        top_k: whole("k").filter(|k| *k > 0),
        presence_penalty: number("presence_penalty"),
        frequency_penalty: number("frequency_penalty"),
        seed: number("seed"),
        stop: stop.filter_map(|one| one.str().map(Into::into)).collect(),
        tool_choice: root.opt("tool_choice").map(|choice| match choice.str().as_deref() {
            Some("NONE") => ToolChoice::None,
            _ => ToolChoice::Required,
        }),
        reasoning: root.opt("thinking").map(thinking),
        format: root.opt("response_format").and_then(format),
        stream: view.stream,
        include_usage: true,
        ..ChatRequest::default()
    };
    let strict = root.opt("strict_tools").and_then(|strict| strict.bool());
    let tools = root.opt("tools").into_iter().flat_map(|tools| tools.items());
    request.tools = tools.map(|one| tool(one, strict)).collect();
    documents(root, &mut request.turns);
    let unread = root.opt("response_format").filter(|_| request.format.is_none());
    request.extensions.extend(unread.map(|format| opaque(format, Weight::Meaning)));
    let own = root.members().filter(|(name, value)| !ROOT.contains(&name.as_ref()) && !value.is_null());
    request.extensions.extend(own.filter_map(|(name, value)| Some(opaque(value, weigh(&name, value)?))));
    Ok(request)
}

/// What leaving a member out would do; `None` when it says nothing.
fn weigh(name: &str, value: Node<'_>) -> Option<Weight> {
    match name {
        _ if MEANINGS.contains(&name) => (value.bool() != Some(false)).then_some(Weight::Meaning),
        "safety_mode" if value.str().is_some_and(|mode| mode == STRICT) => Some(Weight::Meaning),
        _ => Some(Weight::Hint),
    }
}

fn opaque(node: Node<'_>, weight: Weight) -> Extension {
    Extension { path: node.name(), value: RawJson(node.raw().to_owned()), origin: DIALECT, weight }
}

fn thinking(thinking: Node<'_>) -> Reasoning {
    if text_of(thinking, "type") == "disabled" {
        return Reasoning { effort: Some(Effort::None), ..Reasoning::default() };
    }
    let budget_tokens = thinking.opt("token_budget").and_then(|budget| budget.u64());
    let effort = if budget_tokens.is_none() { Some(Effort::Medium) } else { None };
    Reasoning { effort, budget_tokens, visible: true, sealed: false }
}

/// `None` for kinds that are not known.
fn format(format: Node<'_>) -> Option<Format> {
    let schema = format.opt("json_schema").map(|schema| RawJson(schema.raw().to_owned()));
    match (text_of(format, "type").as_str(), schema) {
        ("text", _) => Some(Format::Text),
        ("json_object", None) => Some(Format::JsonObject),
        ("json_object", Some(schema)) => {
            Some(Format::JsonSchema { name: None, description: None, schema, strict: None })
        }
        _ => None,
    }
}

fn tool(tool: Node<'_>, strict: Option<bool>) -> Tool {
    let function = tool.opt("function");
    let member = |name: &str| function.and_then(|function| function.opt(name));
    Tool::Function {
        name: member("name").and_then(|name| name.str()).unwrap_or_default().into_owned(),
        description: member("description").and_then(|text| text.str()).map(Into::into),
        parameters: member("parameters").map(|schema| RawJson(schema.raw().to_owned())),
        strict: strict.filter(|strict| *strict),
        cache: None,
    }
}

/// Documents are beside the conversation: others read them in front of the last words of the user.
fn documents(root: Node<'_>, turns: &mut Vec<Turn>) {
    let all = root.opt("documents").into_iter().flat_map(|list| list.items());
    let mut parts: Vec<Part> = all.map(|one| Part::Media(document(one))).collect();
    if parts.is_empty() {
        return;
    }
    match turns.iter_mut().rev().find_map(|turn| if let Turn::User(said) = turn { Some(said) } else { None })
    {
        Some(said) => {
            parts.append(said);
            *said = parts;
        }
        None => turns.push(Turn::User(parts)),
    }
}

/// A text under its title, or else its id.
fn document(document: Node<'_>) -> Media {
    let title = document.path(&["data", "title"]).or_else(|| document.opt("id"));
    let source = Source::Text(document_text(document));
    let name = title.and_then(|title| title.str()).map(Into::into);
    Media { kind: MediaKind::Document, source, name, detail: None, cache: None }
}

/// A text, or the members of an object, one a line.
fn document_text(document: Node<'_>) -> String {
    let data = document.opt("data").unwrap_or(document);
    if let Some(text) = data.str() {
        return text.into_owned();
    }
    let word = |value: Node<'_>| value.str().map_or_else(|| value.raw().to_owned(), Into::into);
    let lines: Vec<String> = data.members().map(|(name, value)| format!("{name}: {}", word(value))).collect();
    if lines.is_empty() { data.raw().to_owned() } else { lines.join("\n") }
}

fn turns(list: Node<'_>) -> Result<Vec<Turn>, Error> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut calls: Vec<(String, String)> = Vec::new();
    for message in list.items() {
        match text_of(message, "role").as_str() {
            "system" => turns.push(Turn::System(parts(message)?)),
            "assistant" => {
                let blocks = assistant(message);
                calls.extend(blocks.iter().filter_map(|block| match block {
                    Block::ToolCall(call) => Some((call.id.clone(), call.name.clone())),
                    _ => None,
                }));
                turns.push(Turn::Assistant(blocks));
            }
            "tool" => {
                let call_id = text_of(message, "tool_call_id");
                let called = calls.iter().rev().find(|(id, _)| *id == call_id);
                let name = called.map(|(_, name)| name.clone());
                let result =
                    ToolResult { call_id, name, is_error: false, parts: parts(message)?, cache: None };
                match turns.last_mut() {
                    Some(Turn::ToolResults(results)) => results.push(result),
                    _ => turns.push(Turn::ToolResults(vec![result])),
                }
            }
            _ => turns.push(Turn::User(parts(message)?)),
        }
    }
    Ok(turns)
}

/// What somebody other than the model said.
fn parts(message: Node<'_>) -> Result<Vec<Part>, Error> {
    let content = message.need("content")?;
    let mut parts = match content.str() {
        Some(text) => vec![Part::text(text)],
        None => content.items().map(part).collect(),
    };
    parts.extend(extras(message).map(Part::Opaque));
    Ok(parts)
}

fn part(part: Node<'_>) -> Part {
    match text_of(part, "type").as_str() {
        "text" => Part::text(text_of(part, "text")),
        "image_url" => {
            let image = part.opt("image_url").unwrap_or(part);
            let detail = image.opt("detail").and_then(|detail| detail.str()).map(Into::into);
            let source = media::source(&text_of(image, "url"));
            Part::Media(Media { kind: MediaKind::Image, source, name: None, detail, cache: None })
        }
        "document" => Part::text(document_text(part.opt("document").unwrap_or(part))),
        _ => Part::Opaque(opaque(part, Weight::Meaning)),
    }
}

/// Members of a message that have no place of their own.
fn extras(message: Node<'_>) -> impl Iterator<Item = Extension> {
    let own = message.members().filter(|(name, value)| {
        let says_nothing = value.is_null() || value.is_array() && value.is_empty();
        !MESSAGE.contains(&name.as_ref()) && !says_nothing
    });
    own.map(|(_, value)| opaque(value, Weight::Hint))
}

fn assistant(message: Node<'_>) -> Vec<Block> {
    let plan = Thought { text: text_of(message, "tool_plan"), ..Thought::default() };
    let mut blocks: Vec<Block> = Vec::new();
    blocks.extend(Some(plan).filter(|plan| !plan.text.is_empty()).map(Block::Thought));
    if let Some(content) = message.opt("content") {
        blocks.extend(content.str().filter(|text| !text.is_empty()).map(Block::text));
        blocks.extend(content.items().map(said));
    }
    for call in message.opt("tool_calls").into_iter().flat_map(|calls| calls.items()) {
        let own = super::blocks::call(call);
        blocks.push(Block::ToolCall(ToolCall { seal: seal_in(call).map(|(seal, _)| seal), ..own }));
    }
    blocks.extend(extras(message).map(Block::Opaque));
    blocks
}

/// A part of what the model said.
fn said(part: Node<'_>) -> Block {
    let (seal, belongs_to) = seal_in(part).unzip();
    match text_of(part, "type").as_str() {
        "text" => Block::Text { text: text_of(part, "text"), seal, cache: None },
        "thinking" => {
            let redacted = belongs_to.flatten().is_some_and(|mark| mark == REDACTED);
            Block::Thought(Thought { text: text_of(part, "thinking"), id: None, seal, redacted })
        }
        _ => Block::Opaque(opaque(part, Weight::Meaning)),
    }
}

/// A seal in an envelope of ours: Cohere itself seals nothing.
fn seal_in(node: Node<'_>) -> Option<(Seal, Option<String>)> {
    let found = seal::open(&node.opt(SIGNATURE)?.str()?)?;
    Some((found.seal, found.belongs_to))
}
