//! Breakpoints in a request that stays Anthropic's: a few edits, every other byte stays.

use super::{Prompt, Turns, least_tokens};
use crate::json::{Doc, Node};
use bytes::Bytes;
use gatehouse_core::content::Edit;

const NAME: &str = "cache_control";
/// How the name stands in a body. Inside of a text its quotes would be escaped.
const QUOTED: &[u8] = b"\"cache_control\"";
const MARK: &[u8] = br#"{"type":"ephemeral"}"#;
const MEMBER: &[u8] = br#","cache_control":{"type":"ephemeral"}"#;
/// Blocks that take a mark.
const MARKABLE: &[&str] = &["text", "image", "document", "tool_use", "tool_result"];

/// The edits that put breakpoints into a request of Anthropic's dialect; none where the caller set some.
#[must_use]
pub fn edits(doc: &Doc, prompt: &Prompt<'_>) -> Vec<Edit> {
    let root = doc.root();
    if is_marked(doc) {
        return Vec::new();
    }
    let least = least_tokens(prompt.model);
    let mut edits = Vec::new();
    // In the order in which the model reads: tools, instructions, conversation.
    let mut before = 0;
    if let Some(tools) = root.opt("tools") {
        before += (prompt.count)(tools.raw());
        if before >= least {
            edits.extend(tools.items().filter(|tool| !is_deferred(*tool)).last().and_then(mark));
        }
    }
    if let Some(system) = root.opt("system") {
        before += (prompt.count)(system.raw());
        if before >= least {
            edits.extend(behind(system));
        }
    }
    if let Some(messages) = root.opt("messages") {
        let all = before.max(prompt.tokens);
        edits.extend(conversation(doc, messages, all, least, prompt));
    }
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    edits
}

/// Behind the last turn of the user, and behind the one before it if as much as that is kept.
fn conversation(doc: &Doc, messages: Node<'_>, all: u64, least: u64, prompt: &Prompt<'_>) -> Vec<Edit> {
    if all < least {
        return Vec::new();
    }
    let each: Vec<Node<'_>> = messages.items().collect();
    let roles: Vec<Option<bool>> = each.iter().map(|message| is_users(*message)).collect();
    let Some(turns) = Turns::of(&roles) else { return Vec::new() };
    let earlier = turns.before.and_then(|at| each.get(at)).filter(|message| {
        let rest = doc.slice(message.range().end..messages.range().end);
        all.saturating_sub((prompt.count)(rest)) >= least
    });
    let marked = earlier.into_iter().chain(each.get(turns.last));
    marked.filter_map(|message| message.opt("content")).flat_map(behind).collect()
}

fn is_users(message: Node<'_>) -> Option<bool> {
    match message.opt("role")?.str()?.as_ref() {
        "user" => Some(true),
        "assistant" => Some(false),
        _ => None,
    }
}

/// Tools that are looked up when they are needed are not in the prompt.
fn is_deferred(tool: Node<'_>) -> bool {
    tool.opt("defer_loading").and_then(|flag| flag.bool()) == Some(true)
}

/// Marks the end of a content: that of its last block that takes a mark, or of a text that becomes one.
fn behind(content: Node<'_>) -> Vec<Edit> {
    if content.is_array() {
        return content
            .items()
            .filter(|block| takes_mark(*block))
            .last()
            .and_then(mark)
            .into_iter()
            .collect();
    }
    if content.str().is_none_or(|text| text.trim().is_empty()) {
        return Vec::new();
    }
    let at = |place: usize, with: Vec<u8>| Edit { range: place..place, with: Bytes::from(with) };
    let opening = br#"[{"type":"text","text":"#.to_vec();
    vec![at(content.range().start, opening), at(content.range().end, [MEMBER, b"}]"].concat())]
}

fn takes_mark(block: Node<'_>) -> bool {
    let kind = block.opt("type").and_then(|kind| kind.str()).unwrap_or_default();
    let is_blank = || block.opt("text").and_then(|text| text.str()).is_none_or(|text| text.trim().is_empty());
    MARKABLE.contains(&kind.as_ref()) && !(kind == "text" && is_blank())
}

/// Marks an object, whose own member can be `null`.
fn mark(object: Node<'_>) -> Option<Edit> {
    if let Some(own) = object.get(NAME) {
        return Some(Edit { range: own.range(), with: Bytes::from_static(MARK) });
    }
    let end = object.range().end.checked_sub(1).filter(|_| !object.is_empty())?;
    Some(Edit { range: end..end, with: Bytes::from_static(MEMBER) })
}

/// Whether the caller set a mark anywhere.
fn is_marked(doc: &Doc) -> bool {
    // Bodies without the name need no walk.
    if memchr::memmem::find(doc.bytes(), QUOTED).is_none() {
        return false;
    }
    let root = doc.root();
    let has = |node: Node<'_>| node.opt(NAME).is_some();
    let in_content = |content: Node<'_>| {
        content.items().any(|block| {
            has(block)
                || block.opt("content").is_some_and(|inner| inner.items().any(|one| one.opt(NAME).is_some()))
        })
    };
    has(root)
        || root.opt("tools").is_some_and(|tools| tools.items().any(has))
        || root.opt("system").is_some_and(in_content)
        || root
            .opt("messages")
            .is_some_and(|all| all.items().filter_map(|message| message.opt("content")).any(in_content))
}
