//! An answer in one piece, read: for accounting, for guards, and whole.

use super::calls::{custom, minted_id};
use super::finish::Ending;
use super::messages::thinking_text;
use super::view_messages::reasoning_texts;
use super::{citations, parts, reasoning, usage};
use crate::chat::{Block, ChatResponse, Extension, Thought, ToolCall, Weight};
use crate::codec::Summary;
use crate::error::in_success_body;
use crate::free_form;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::{Code, Error};

/// Members of a message that only this dialect has, and that go back to callers of it.
const OWN_MEMBERS: [(&str, Weight); 2] = [("executed_tools", Weight::Hint), ("audio", Weight::Meaning)];

/// What accounting needs.
pub(super) fn summary(doc: &Doc) -> Summary {
    let root = doc.root();
    let has_choices = root.opt("choices").is_some_and(|choices| !choices.is_empty());
    let text_bytes = spans(doc).iter().map(|span| span.range.len()).sum();
    let finish = first_choice(root).and_then(|choice| {
        let has_calls = message_of(choice).is_some_and(has_calls);
        Some(Ending::read(choice)?.with_calls(has_calls).finish.as_str())
    });
    Summary {
        usage: usage::find(root),
        service_tier: tier(root),
        finish,
        text_bytes,
        error: if has_choices { None } else { in_success_body(doc) },
    }
}

/// Every text of an answer, of all its choices.
pub(super) fn spans(doc: &Doc) -> Vec<Span> {
    let mut spans = Vec::new();
    let choices = doc.root().opt("choices").into_iter().flat_map(|choices| choices.items());
    for message in choices.filter_map(message_of) {
        message_spans(message, &mut spans);
    }
    spans
}

fn message_spans(message: Node<'_>, spans: &mut Vec<Span>) {
    let mut add = |node: Option<Node<'_>>, place: Place| {
        let text = node.filter(|node| node.is_str() && !node.is_empty());
        spans.extend(text.map(|node| Span { range: node.inner_range(), place }));
    };
    for name in ["reasoning_content", "reasoning", "content", "refusal"] {
        add(message.opt(name), Place::Output);
    }
    for part in message.opt("content").iter().flat_map(Node::items) {
        add(part.opt("text"), Place::Output);
        let thinking = part.opt("thinking");
        add(thinking, Place::Output);
        thinking.iter().flat_map(Node::items).for_each(|piece| add(piece.opt("text"), Place::Output));
    }
    add(message.path(&["audio", "transcript"]), Place::Output);
    for call in message.opt("tool_calls").iter().flat_map(Node::items) {
        add(call.path(&["function", "arguments"]), Place::ToolArguments);
        add(call.path(&["custom", "input"]), Place::ToolArguments);
    }
    add(message.path(&["function_call", "arguments"]), Place::ToolArguments);
    for name in ["reasoning_details", "thinking_blocks"] {
        if let Some(list) = message.opt(name) {
            reasoning_texts(list, spans);
        }
    }
}

/// Reads an answer. Of several choices the first counts: translation asks for one.
pub(super) fn decode(doc: &Doc) -> Result<ChatResponse, Error> {
    let root = doc.root();
    let Some(choice) = first_choice(root) else {
        return Err(in_success_body(doc).unwrap_or_else(|| bad("the answer has no choices")));
    };
    let message = message_of(choice).ok_or_else(|| bad("the answer has no message"))?;
    let text = |name: &str| root.opt(name).and_then(|node| node.str()).unwrap_or_default().into_owned();
    let id = text("id");
    let mut blocks = blocks(message, &id);
    cite(&mut blocks, message, root);
    let has_calls = blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
    let ending = Ending::read(choice).unwrap_or_default().with_calls(has_calls);
    Ok(ChatResponse {
        id,
        model: text("model"),
        created: root.opt("created").and_then(|created| created.u64()),
        blocks,
        finish: ending.finish,
        native_finish: ending.native,
        stop_sequence: ending.stop_sequence,
        usage: usage::find(root),
        service_tier: tier(root),
    })
}

/// The tier that served.
fn tier(root: Node<'_>) -> Option<String> {
    let tier = root.opt("service_tier")?.str().filter(|tier| !tier.is_empty())?;
    Some(tier.into_owned())
}

/// An answer that is none.
pub(super) fn bad(what: &str) -> Error {
    Error::new(Code::UpstreamBadResponse, format!("the provider's answer cannot be read: {what}"))
}

/// The choice of index 0, or the first.
fn first_choice(root: Node<'_>) -> Option<Node<'_>> {
    let choices = root.opt("choices")?;
    let is_first = |choice: &Node<'_>| choice.opt("index").is_none_or(|index| index.u64() == Some(0));
    choices.items().find(is_first).or_else(|| choices.items().next())
}

/// The message of a choice, or the delta where a server sends that instead.
fn message_of(choice: Node<'_>) -> Option<Node<'_>> {
    choice.opt("message").or_else(|| choice.opt("delta"))
}

fn has_calls(message: Node<'_>) -> bool {
    message.opt("tool_calls").is_some_and(|calls| calls.is_array() && !calls.is_empty())
}

fn blocks(message: Node<'_>, answer_id: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    match message.opt("content") {
        Some(content) if content.is_str() => say(&mut blocks, &content.str().unwrap_or_default()),
        Some(content) => content.items().for_each(|part| say_part(&mut blocks, part)),
        None => {}
    }
    if let Some(signature) = reasoning::read_signature(message) {
        match blocks
            .iter_mut()
            .rev()
            .find_map(|block| if let Block::Text { seal, .. } = block { Some(seal) } else { None })
        {
            Some(seal) => *seal = Some(signature),
            None => blocks.push(Block::Text { text: String::new(), seal: Some(signature), cache: None }),
        }
    }
    let refusal = message.opt("refusal").and_then(|refusal| refusal.str()).filter(|text| !text.is_empty());
    blocks.extend(refusal.map(|text| Block::Refusal(text.into_owned())));
    for (nth, call) in (0u32..).zip(message.opt("tool_calls").iter().flat_map(Node::items)) {
        blocks.extend(tool_call(call, answer_id, nth));
    }
    if let Some(call) = message.opt("function_call") {
        blocks.extend(called(call, minted_id(answer_id, 0)).map(Block::ToolCall));
    }
    reasoning::place(&mut blocks, reasoning::read(message));
    for (name, weight) in OWN_MEMBERS {
        blocks.extend(own_member(message, name, weight).map(Block::Opaque));
    }
    blocks
}

/// Puts the citations behind the last text.
fn cite(blocks: &mut Vec<Block>, message: Node<'_>, root: Node<'_>) {
    let mut annotations = citations::of_message(message);
    if annotations.is_empty() {
        annotations = citations::of_root(root);
    }
    if let Some(cited) = citations::block(&annotations) {
        let last = blocks.iter().rposition(|block| matches!(block, Block::Text { .. }));
        blocks.insert(last.map_or(blocks.len(), |last| last + 1), cited);
    }
}

/// Adds text to the last block when that is text too.
fn say(blocks: &mut Vec<Block>, more: &str) {
    match blocks.last_mut() {
        _ if more.is_empty() => {}
        Some(Block::Text { text, .. }) => text.push_str(more),
        _ => blocks.push(Block::text(more)),
    }
}

/// A part of a content list: text, or Mistral's thinking.
fn say_part(blocks: &mut Vec<Block>, part: Node<'_>) {
    if part.opt("thinking").is_none() {
        return say(blocks, &part.opt("text").and_then(|text| text.str()).unwrap_or_default());
    }
    let more = thinking_text(part);
    match blocks.last_mut() {
        _ if more.is_empty() => {}
        Some(Block::Thought(thought)) => thought.text.push_str(&more),
        _ => blocks.push(Block::Thought(Thought { text: more, ..Thought::default() })),
    }
}

fn tool_call(call: Node<'_>, answer_id: &str, nth: u32) -> Option<Block> {
    let given = call.opt("id").and_then(|id| id.str()).filter(|id| !id.is_empty());
    let id = given.map_or_else(|| minted_id(answer_id, nth), |id| id.into_owned());
    if let Some(custom) = custom(call) {
        let called = called(custom, id)?;
        let input = custom.opt("input").and_then(|input| input.str()).unwrap_or_default();
        return Some(Block::ToolCall(ToolCall { arguments: free_form::arguments(&input), ..called }));
    }
    let called = called(call.opt("function")?, id)?;
    Some(Block::ToolCall(ToolCall { seal: reasoning::read_signature(call), ..called }))
}

/// A call by name; `None` when there is no name, as some servers fill unused members with empty texts.
fn called(function: Node<'_>, id: String) -> Option<ToolCall> {
    let name = function.opt("name")?.str().filter(|name| !name.is_empty())?.into_owned();
    let arguments = function.opt("arguments").map(|arguments| match arguments.str() {
        Some(text) => text.into_owned(),
        // An object where its text should be.
        None => arguments.raw().to_owned(),
    });
    Some(ToolCall { id, name, arguments: arguments.unwrap_or_default(), ..ToolCall::default() })
}

/// A member that only this dialect has, when it says something.
pub(super) fn own_member(message: Node<'_>, name: &str, weight: Weight) -> Option<Extension> {
    let value = message.opt(name).filter(|value| !value.is_empty())?;
    if name == "audio" && value.opt("id").is_none_or(|id| id.is_empty()) {
        return None;
    }
    Some(Extension { path: name.to_owned(), ..parts::opaque(value, weight) })
}
