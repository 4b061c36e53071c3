//! Reading an answer in one piece: what it says, what it used, whether it failed.

use super::input::thought_text;
use super::texts::of_output;
use super::tools::joined;
use super::{citations, extension};
use crate::chat::{Block, ChatResponse, Finish, Origin, Seal, Thought, ToolCall, Weight, chars};
use crate::codec::Summary;
use crate::error::in_success_body;
use crate::free_form;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;

/// See [`crate::codec::Codec::decode_answer`].
pub(super) fn decode(doc: &Doc) -> Result<ChatResponse, Error> {
    let root = doc.root();
    if let Some(error) = failure(doc) {
        return Err(error);
    }
    let Some(output) = root.opt("output").filter(Node::is_array) else {
        return Err(Error::new(Code::UpstreamBadResponse, "the provider's answer has no output"));
    };
    let mut said = 0;
    let blocks: Vec<Block> = output.items().flat_map(|item| blocks(item, &mut said)).collect();
    let calls = blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
    let Some((finish, native)) = finish(root, calls) else {
        return Err(Error::new(Code::UpstreamBadResponse, "the provider's answer is not finished"));
    };
    let (id, model, created) = head(root);
    Ok(ChatResponse {
        id,
        model,
        created,
        blocks,
        finish,
        native_finish: Some(native),
        stop_sequence: None,
        usage: usage(root),
        service_tier: tier(root),
    })
}

/// See [`crate::codec::Codec::summary`].
pub(super) fn summary(doc: &Doc) -> Summary {
    let root = doc.root();
    let output = || root.opt("output").into_iter().flat_map(|output| output.items());
    let calls = output().any(|item| is_call(&item));
    let mut text_bytes = 0;
    for item in output() {
        of_output(item, &mut |text, _| text_bytes += text.inner_range().len());
    }
    let error = failure(doc);
    Summary {
        usage: usage(root),
        service_tier: tier(root),
        finish: finish(root, calls).filter(|_| error.is_none()).map(|(finish, _)| finish.as_str()),
        text_bytes,
        error,
    }
}

/// See [`crate::codec::Codec::answer_spans`].
pub(super) fn spans(doc: &Doc) -> Vec<Span> {
    let root = doc.root();
    let mut spans = Vec::new();
    let mut add = |text: Node<'_>, place| spans.push(Span { range: text.inner_range(), place });
    for item in root.opt("output").into_iter().flat_map(|output| output.items()) {
        of_output(item, &mut add);
    }
    // Some servers repeat all text here, as the SDKs do on their side.
    if let Some(repeated) = root.opt("output_text").filter(Node::is_str) {
        add(repeated, Place::Output);
    }
    spans.sort_unstable_by_key(|span| span.range.start);
    spans
}

/// Id, model and time.
pub(super) fn head(response: Node<'_>) -> (String, String, Option<u64>) {
    let created = response.opt("created_at").and_then(whole);
    (text(response, "id").unwrap_or_default(), text(response, "model").unwrap_or_default(), created)
}

/// What an item of the output says. Empty parts say nothing. `said` counts the characters of all text.
pub(super) fn blocks(item: Node<'_>, said: &mut u64) -> Vec<Block> {
    match text(item, "type").unwrap_or_default().as_str() {
        "message" => {
            let parts = item.opt("content").into_iter().flat_map(|content| content.items());
            parts.flat_map(|one| part(one, said)).collect()
        }
        "reasoning" => vec![Block::Thought(Thought {
            text: thought_text(item),
            id: text(item, "id"),
            seal: seal(item),
            redacted: false,
        })],
        "function_call" | "custom_tool_call" => {
            vec![Block::ToolCall(ToolCall { arguments: arguments(item), ..opening_call(item) })]
        }
        _ => vec![Block::Opaque(extension("output", item, Weight::Hint))],
    }
}

fn part(part: Node<'_>, said: &mut u64) -> Vec<Block> {
    if let Some(words) = text(part, "text") {
        let cited = citations::block(&citations::of_part(part), *said);
        *said = said.saturating_add(chars(&words));
        let words = Some(words).filter(|words| !words.is_empty()).map(Block::text);
        return words.into_iter().chain(cited).collect();
    }
    text(part, "refusal").filter(|text| !text.is_empty()).map(Block::Refusal).into_iter().collect()
}

/// Whether an item calls one of the caller's tools.
pub(super) fn is_call(item: &Node<'_>) -> bool {
    matches!(text(*item, "type").unwrap_or_default().as_str(), "function_call" | "custom_tool_call")
}

/// A call as it begins, without its arguments.
pub(super) fn opening_call(item: Node<'_>) -> ToolCall {
    let name = text(item, "name").unwrap_or_default();
    ToolCall {
        id: text(item, "call_id").or_else(|| text(item, "id")).unwrap_or_default(),
        name: text(item, "namespace").map_or(name.clone(), |namespace| joined(&namespace, &name)),
        ..ToolCall::default()
    }
}

/// The arguments of a call.
pub(super) fn arguments(item: Node<'_>) -> String {
    match text(item, "input").filter(|_| item.opt("arguments").is_none()) {
        Some(input) => free_form::arguments(&input),
        None => text(item, "arguments").unwrap_or_default(),
    }
}

/// The seal of a reasoning item.
pub(super) fn seal(item: Node<'_>) -> Option<Seal> {
    let value = text(item, "encrypted_content").filter(|value| !value.is_empty())?;
    Some(Seal { origin: Origin::OpenAi, value })
}

/// Why it stopped; `None` while it has not.
pub(super) fn finish(response: Node<'_>, calls: bool) -> Option<(Finish, String)> {
    let status = text(response, "status").unwrap_or_else(|| "completed".to_owned());
    let reason = response.path(&["incomplete_details", "reason"]).and_then(|reason| reason.str());
    match (status.as_str(), reason.as_deref()) {
        ("completed", _) => Some((if calls { Finish::ToolCalls } else { Finish::Stop }, status)),
        ("incomplete", Some("content_filter")) => Some((Finish::ContentFilter, "content_filter".to_owned())),
        ("incomplete", reason) => Some((Finish::Length, reason.unwrap_or("incomplete").to_owned())),
        _ => None,
    }
}

/// The tier that served.
pub(super) fn tier(response: Node<'_>) -> Option<String> {
    text(response, "service_tier").filter(|tier| !tier.is_empty())
}

/// The usage of a response. The number of searches stands beside it.
pub(super) fn usage(response: Node<'_>) -> Option<Usage> {
    response.opt("usage").map(|usage| read_usage(usage, response))
}

fn read_usage(usage: Node<'_>, response: Node<'_>) -> Usage {
    let count = |path: &[&str]| usage.path(path).and_then(whole).unwrap_or_default();
    let written = count(&["input_tokens_details", "cache_write_tokens"]);
    let written_long = count(&["input_tokens_details", "cache_write_tokens_details", "ttl_12h"]);
    // OpenAI counts them beside the usage, xAI inside.
    let searches = response.path(&["tool_usage", "web_search", "num_requests"]).and_then(whole);
    Usage {
        input_tokens: count(&["input_tokens"]),
        cached_read_tokens: count(&["input_tokens_details", "cached_tokens"]),
        cache_write_tokens: written.saturating_sub(written_long),
        cache_write_long_tokens: written_long,
        audio_input_tokens: count(&["input_tokens_details", "audio_tokens"]),
        output_tokens: count(&["output_tokens"]),
        reasoning_tokens: count(&["output_tokens_details", "reasoning_tokens"]),
        audio_output_tokens: count(&["output_tokens_details", "audio_tokens"]),
        searches: searches.unwrap_or_else(|| count(&["server_side_tool_usage_details", "web_search_calls"])),
        ..Usage::default()
    }
    .clamped()
}

/// The failure that a response reports with a status of success; `None` when it has not failed.
fn failure(doc: &Doc) -> Option<Error> {
    let root = doc.root();
    let status = text(root, "status").unwrap_or_default();
    let failed = status == "failed" || status == "cancelled" || root.opt("error").is_some();
    failed.then(|| in_success_body(doc).unwrap_or_else(failed_in_silence))
}

/// For a provider that says that it failed and no more.
pub(super) fn failed_in_silence() -> Error {
    Error::new(Code::UpstreamError, "the provider says that the answer failed")
}

/// The text of a member.
fn text(node: Node<'_>, name: &str) -> Option<String> {
    node.opt(name)?.str().map(std::borrow::Cow::into_owned)
}

/// A whole number, also one written as a text or with a fraction.
fn whole(node: Node<'_>) -> Option<u64> {
    let written = node.str().unwrap_or(std::borrow::Cow::Borrowed(node.raw()));
    written.parse().ok().or_else(|| written.split_once('.')?.0.parse().ok())
}
