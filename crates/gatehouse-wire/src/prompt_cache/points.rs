//! Breakpoints in a request that stays Bedrock's, where each is a block of its own: a few edits, every other byte
//! stays.

use super::{Prompt, Turns, least_tokens};
use crate::bedrock::model::Maker;
use crate::json::{Doc, Node};
use bytes::Bytes;
use gatehouse_core::content::Edit;

/// How the name of a mark stands in a body. Inside of a text its quotes would be escaped.
const QUOTED: &[u8] = b"\"cachePoint\"";
const POINT: &[u8] = br#",{"cachePoint":{"type":"default"}}"#;
/// Blocks that a mark may stand behind; behind files it is refused.
const MARKABLE: &[&str] = &["text", "image", "toolResult", "guardContent"];

/// The edits that put breakpoints into a request of Converse's; none where the caller set some, and for models that
/// take none.
#[must_use]
pub fn points(doc: &Doc, prompt: &Prompt<'_>) -> Vec<Edit> {
    let maker = Maker::of(prompt.model);
    if !maker.caches() || memchr::memmem::find(doc.bytes(), QUOTED).is_some() {
        return Vec::new();
    }
    let (root, least) = (doc.root(), least_tokens(prompt.model));
    let mut edits = Vec::new();
    // In the order in which the model reads: tools, instructions, conversation.
    let mut before = 0;
    if let Some(tools) = root.path(&["toolConfig", "tools"]) {
        before += (prompt.count)(tools.raw());
        if before >= least && maker == Maker::Anthropic {
            edits.extend(tools.items().last().map(behind));
        }
    }
    if let Some(system) = root.opt("system") {
        before += (prompt.count)(system.raw());
        if before >= least {
            edits.extend(last_of(system).map(behind));
        }
    }
    if let Some(messages) = root.opt("messages") {
        edits.extend(conversation(doc, messages, before.max(prompt.tokens), least, prompt));
    }
    edits.sort_by_key(|edit| edit.range.start);
    edits
}

/// Behind the last turn of the user, and behind the one before it if as much as that is kept.
fn conversation(doc: &Doc, messages: Node<'_>, all: u64, least: u64, prompt: &Prompt<'_>) -> Vec<Edit> {
    if all < least {
        return Vec::new();
    }
    let each: Vec<Node<'_>> = messages.items().collect();
    let is_users = |message: &Node<'_>| match message.opt("role")?.str()?.as_ref() {
        "user" => Some(true),
        "assistant" => Some(false),
        _ => None,
    };
    let roles: Vec<Option<bool>> = each.iter().map(is_users).collect();
    let Some(turns) = Turns::of(&roles) else { return Vec::new() };
    let earlier = turns.before.and_then(|at| each.get(at)).filter(|message| {
        let rest = doc.slice(message.range().end..messages.range().end);
        all.saturating_sub((prompt.count)(rest)) >= least
    });
    let marked = earlier.into_iter().chain(each.get(turns.last));
    marked.filter_map(|message| last_of(message.opt("content")?)).map(behind).collect()
}

/// The last block that a mark may stand behind.
fn last_of(content: Node<'_>) -> Option<Node<'_>> {
    let is_blank = |text: Node<'_>| text.str().is_some_and(|text| text.trim().is_empty());
    let takes = |block: &Node<'_>| {
        let mut members = block.members();
        members.any(|(name, value)| MARKABLE.contains(&name.as_ref()) && !is_blank(value))
    };
    content.items().filter(takes).last()
}

fn behind(block: Node<'_>) -> Edit {
    let end = block.range().end;
    Edit { range: end..end, with: Bytes::from_static(POINT) }
}
