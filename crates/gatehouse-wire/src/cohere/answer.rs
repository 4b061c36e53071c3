//! An answer in one piece, read.

use super::{blocks, usage};
use crate::anthropic::spans::add;
use crate::chat::{Block, ChatResponse, Finish};
use crate::codec::Summary;
use crate::error::{from_exception, from_stream};
use crate::json::{Doc, Node};
use gatehouse_core::content::{Family, Place, Span};
use gatehouse_core::error::{Code, Error};

/// Reads a whole answer. It does not name the model.
pub(super) fn read(doc: &Doc) -> Result<ChatResponse, Error> {
    let root = doc.root();
    if let Some(error) = error(doc) {
        return Err(error);
    }
    let Some(message) = root.opt("message").filter(Node::is_object) else {
        return Err(Error::new(Code::UpstreamBadResponse, "the provider's answer has no message"));
    };
    let blocks = blocks::read(message);
    let calls = blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
    let native = blocks::text_of(root, "finish_reason");
    Ok(ChatResponse {
        id: blocks::text_of(root, "id"),
        finish: finish_of(&native, calls),
        native_finish: Some(native).filter(|native| !native.is_empty()),
        blocks,
        usage: root.opt("usage").map(usage::read),
        ..ChatResponse::default()
    })
}

/// Reads what accounting needs.
pub(super) fn summary(doc: &Doc) -> Summary {
    let root = doc.root();
    let calls = root.opt("message").is_some_and(|message| blocks::calls(message).next().is_some());
    Summary {
        usage: root.opt("usage").map(usage::read),
        finish: root
            .opt("finish_reason")
            .map(|_| finish_of(&blocks::text_of(root, "finish_reason"), calls).as_str()),
        text_bytes: spans(root).iter().map(|span| span.range.len()).sum(),
        error: error(doc),
        ..Summary::default()
    }
}

/// A failure that came with a status of success: told as one, or as the reason for the end.
fn error(doc: &Doc) -> Option<Error> {
    let root = doc.root();
    if root.opt("message").is_some_and(|message| message.is_object()) {
        return failure(&blocks::text_of(root, "finish_reason"), "");
    }
    from_stream(Family::Cohere, doc)
}

/// Why the model stopped, where that is a failure of Cohere's; `said` is what it says of it, if anything.
pub(super) fn failure(finish_reason: &str, said: &str) -> Option<Error> {
    let failed = matches!(finish_reason, "ERROR" | "TIMEOUT");
    failed.then(|| from_exception(Family::Cohere, finish_reason, said.as_bytes()))
}

/// Why the model stopped, from `finish_reason`.
pub(super) fn finish_of(finish_reason: &str, calls: bool) -> Finish {
    match finish_reason {
        "MAX_TOKENS" | "ERROR_LIMIT" => Finish::Length,
        "ERROR_TOXIC" => Finish::ContentFilter,
        "ERROR" | "TIMEOUT" => Finish::Failed,
        "TOOL_CALL" => Finish::ToolCalls,
        _ if calls => Finish::ToolCalls,
        "STOP_SEQUENCE" => Finish::StopSequence,
        _ => Finish::Stop,
    }
}

/// Where words of the model stand in an answer.
pub(super) fn spans(root: Node<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    let Some(message) = root.opt("message") else { return spans };
    let mut output = |node: Option<Node<'_>>| {
        if let Some(node) = node {
            add(node, Place::Output, &mut spans);
        }
    };
    output(message.opt("tool_plan"));
    output(message.opt("content"));
    for block in message.opt("content").into_iter().flat_map(|content| content.items()) {
        output(block.opt("text"));
        output(block.opt("thinking"));
    }
    for call in blocks::calls(message) {
        if let Some(arguments) = call.path(&["function", "arguments"]) {
            add(arguments, Place::ToolArguments, &mut spans);
        }
    }
    spans.sort_by_key(|span| span.range.start);
    spans
}
