//! What a model said, read: the blocks of an answer in one piece, and what streams have in common with it.

use super::DIALECT;
use crate::chat::{
    Block, Citation, Citations, Extension, Origin, RawJson, Seal, Thought, ToolCall, Weight, chars,
};
use crate::json::Node;
use std::ops::Range;

/// The blocks of a message, and how many characters of text they have.
pub(super) fn read(content: Node<'_>) -> Vec<Block> {
    let (mut all, mut told) = (Vec::new(), 0);
    for (at, block) in content.items().enumerate() {
        for (name, value) in block.members() {
            // A union: one member says what it is; others may be added beside it.
            told += one(&name, value, at, told, &mut all);
        }
    }
    all
}

/// Reads one block, behind so many characters of text; gives how many it has.
fn one(name: &str, value: Node<'_>, at: usize, before: u64, all: &mut Vec<Block>) -> u64 {
    let path = format!("output.message.content[{at}].{name}");
    match name {
        "text" => {
            let text = value.str().unwrap_or_default();
            let told = chars(&text);
            all.push(Block::text(text));
            return told;
        }
        "toolUse" if !is_servers(value) => all.push(Block::ToolCall(call(value))),
        "reasoningContent" => all.extend(thought(value).map(Block::Thought)),
        "citationsContent" => {
            let pieces = value.opt("content").into_iter().flat_map(|content| content.items());
            let text: String = pieces.map(|piece| text_of(piece, "text")).collect();
            let told = chars(&text);
            all.push(Block::text(text));
            if let Some(list) = value.opt("citations").filter(|list| !list.is_empty()) {
                let span = before..before + told;
                let cited = list.items().map(|one| citation(one, span.clone())).collect();
                all.push(citations(path, cited, list.raw()));
            }
            return told;
        }
        _ => all.push(opaque(path, value.raw())),
    }
    0
}

/// A call of a tool; the arguments stay the text that came.
pub(super) fn call(tool_use: Node<'_>) -> ToolCall {
    let arguments = tool_use.opt("input").map(|input| input.raw().to_owned()).unwrap_or_default();
    let (id, name) = (text_of(tool_use, "toolUseId"), text_of(tool_use, "name"));
    ToolCall { id, name, arguments, ..ToolCall::default() }
}

/// Whether the provider runs the tool itself, so that nobody is to answer the call.
pub(super) fn is_servers(tool_use: Node<'_>) -> bool {
    text_of(tool_use, "type") == "server_tool_use"
}

/// A thought in the form of an answer in one piece.
fn thought(reasoning: Node<'_>) -> Option<Thought> {
    if let Some(sealed) = reasoning.opt("redactedContent").and_then(|sealed| sealed.str()) {
        return Some(Thought { seal: seal(&sealed), redacted: true, ..Thought::default() });
    }
    let shown = reasoning.opt("reasoningText")?;
    Some(Thought {
        text: text_of(shown, "text"),
        seal: seal(&text_of(shown, "signature")),
        ..Thought::default()
    })
}

/// What Bedrock wants back as it is.
pub(super) fn seal(value: &str) -> Option<Seal> {
    (!value.is_empty()).then(|| Seal { origin: Origin::Bedrock, value: value.to_owned() })
}

/// One source of the text at `span`.
pub(super) fn citation(one: Node<'_>, span: Range<u64>) -> Citation {
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    let quotes = one.opt("sourceContent").into_iter().flat_map(|content| content.items());
    Citation {
        url: one.path(&["location", "web", "url"]).and_then(|url| url.str()).map(Into::into),
        title: said(text_of(one, "title")),
        quote: said(quotes.map(|quote| text_of(quote, "text")).collect()),
        span: Some(span).filter(|span| !span.is_empty()),
    }
}

/// The block of the sources.
pub(super) fn citations(path: String, all: Vec<Citation>, raw: &str) -> Block {
    Block::Citations(Citations { all, own: extension(path, raw) })
}

/// A block that only Converse knows.
pub(super) fn opaque(path: String, raw: &str) -> Block {
    Block::Opaque(extension(path, raw))
}

fn extension(path: String, raw: &str) -> Extension {
    Extension { path, value: RawJson(raw.to_owned()), origin: DIALECT, weight: Weight::Hint }
}

/// The text of a member; empty when there is none.
pub(super) fn text_of(node: Node<'_>, name: &str) -> String {
    node.opt(name).and_then(|text| text.str()).unwrap_or_default().into_owned()
}
