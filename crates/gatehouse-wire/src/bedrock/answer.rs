//! An answer in one piece, read.

use super::{blocks, usage};
use crate::anthropic::spans::{add, add_all, add_words};
use crate::chat::{Block, ChatResponse, Finish};
use crate::codec::Summary;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::{Code, Error};

/// Reads a whole answer. It names neither itself nor the model.
pub(super) fn read(doc: &Doc) -> Result<ChatResponse, Error> {
    let root = doc.root();
    let Some(content) = content(root) else {
        return Err(Error::new(Code::UpstreamBadResponse, "the provider's answer has no message"));
    };
    let blocks = blocks::read(content);
    let calls = blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
    Ok(ChatResponse {
        finish: finish(root, calls),
        native_finish: root.opt("stopReason").and_then(|word| word.str()).map(Into::into),
        blocks,
        usage: root.opt("usage").map(usage::read),
        service_tier: tier(root),
        ..ChatResponse::default()
    })
}

/// Reads what accounting needs.
pub(super) fn summary(doc: &Doc) -> Summary {
    let root = doc.root();
    let blocks = content(root).into_iter().flat_map(|content| content.items());
    let is_call =
        |block: Node<'_>| block.opt("toolUse").is_some_and(|tool_use| !blocks::is_servers(tool_use));
    let calls = blocks.into_iter().any(is_call);
    let words = spans(root);
    Summary {
        usage: root.opt("usage").map(usage::read),
        service_tier: tier(root),
        finish: root.opt("stopReason").map(|_| finish(root, calls).as_str()),
        text_bytes: words.iter().map(|span| span.range.len()).sum(),
        error: None,
    }
}

fn content(root: Node<'_>) -> Option<Node<'_>> {
    root.path(&["output", "message", "content"]).filter(Node::is_array)
}

/// Why the model stopped. Some say `end_turn` although they call tools.
fn finish(root: Node<'_>, calls: bool) -> Finish {
    finish_of(&blocks::text_of(root, "stopReason"), calls)
}

/// Why the model stopped, from `stopReason`.
pub(super) fn finish_of(stop_reason: &str, calls: bool) -> Finish {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => Finish::Failed,
        "tool_use" => Finish::ToolCalls,
        _ if calls => Finish::ToolCalls,
        "stop_sequence" => Finish::StopSequence,
        _ => Finish::Stop,
    }
}

/// The tier that served.
pub(super) fn tier(holder: Node<'_>) -> Option<String> {
    holder.path(&["serviceTier", "type"])?.str().map(Into::into)
}

/// Where words stand in an answer.
pub(super) fn spans(root: Node<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    for (name, value) in
        content(root).into_iter().flat_map(|content| content.items()).flat_map(|one| one.members())
    {
        match name.as_ref() {
            "text" => add(value, Place::Output, &mut spans),
            "toolUse" => {
                if let Some(input) = value.opt("input") {
                    add_all(input, Place::ToolArguments, &mut spans);
                }
            }
            "reasoningContent" => {
                if let Some(text) = value.path(&["reasoningText", "text"]) {
                    add(text, Place::Output, &mut spans);
                }
            }
            "toolResult" => add_words(value, Place::ToolResult, &mut spans),
            _ => add_words(value, Place::Output, &mut spans),
        }
    }
    spans.sort_by_key(|span| span.range.start);
    spans
}
