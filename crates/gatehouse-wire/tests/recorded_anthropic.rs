//! Real exchanges with Anthropic, where the folder of recordings is at hand (it does not ship with the
//! project): what we read is compared with an oracle that knows nothing of our code.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it expects, and how much it ran"
)]

use bytes::Bytes;
use gatehouse_core::content::splice;
use gatehouse_core::deployment::Capabilities;
use gatehouse_wire::anthropic::{Messages, count};
use gatehouse_wire::chat::{Block, ChatEvent, ChatRequest, ChatResponse, Citations, events, fold};
use gatehouse_wire::codec::{Codec, ProviderCodec as _, Quirks, ReplyContext, Target};
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::sse::Frames;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const CUTS: [usize; 4] = [1, 7, 64, usize::MAX];

fn folder() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded");
    let path = std::env::var_os("GATEHOUSE_RECORDED").map_or_else(default, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    println!("no recordings at hand: skipped");
    None
}

fn files(folders: &[&str]) -> Vec<(String, String)> {
    let Some(root) = folder() else { return Vec::new() };
    let mut all = Vec::new();
    for name in folders {
        let Ok(list) = std::fs::read_dir(root.join(name)) else { continue };
        for entry in list {
            let path = entry.unwrap().path();
            if path.is_file() {
                all.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

fn exchanges() -> Vec<(String, Value)> {
    files(&["anthropic/messages", "anthropic/messages_sse", "pydantic_gateway/messages"])
        .into_iter()
        .map(|(name, text)| (name, serde_json::from_str(&text).unwrap()))
        .collect()
}

fn doc(text: Vec<u8>, strictness: Strictness) -> Doc {
    Doc::parse(Bytes::from(text), strictness).unwrap()
}

// === Requests ===

fn target<'a>(body: &'a Value) -> Target<'a> {
    let adaptive = body["thinking"]["type"] == "adaptive" || body["output_config"]["effort"].is_string();
    let capabilities = Capabilities {
        system_anywhere: Some(true),
        adaptive_thinking: Some(adaptive && body["thinking"]["type"] != "enabled"),
        ..Capabilities::default()
    };
    Target { model: body["model"].as_str().unwrap(), capabilities, quirks: &Quirks::NONE }
}

fn sorted(mut request: ChatRequest) -> ChatRequest {
    request.extensions.sort_by(|a, b| a.path.cmp(&b.path));
    request
}

#[test]
fn requests_are_read_and_written_back() {
    let mut ran = 0;
    for (name, exchange) in exchanges() {
        let body = &exchange["request"]["body"];
        if exchange["response"]["status"] != 200 || !body.is_object() {
            continue;
        }
        ran += 1;
        let bytes = serde_json::to_vec(body).unwrap();
        let caller = doc(bytes, Strictness::Caller);
        let view = Messages.view(&caller).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(view.stream, body["stream"].as_bool().unwrap_or_default(), "{name}");
        let request = Messages.decode_request(&caller).unwrap();
        let target = target(body);
        let encoded =
            Messages.encode_request(&request, &target).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = Messages.decode_request(&doc(encoded.body, Strictness::Caller)).unwrap();
        let dropped = encoded.dropped.join(",");
        if dropped.is_empty() {
            assert_eq!(sorted(again), sorted(request), "{name}");
        } else {
            assert_eq!(again.turns, request.turns, "{name}: {dropped}");
        }
    }
    println!("requests: {ran}");
}

#[test]
fn a_rewrite_changes_the_model_and_nothing_else() {
    for (name, exchange) in exchanges() {
        let mut body = exchange["request"]["body"].clone();
        if exchange["response"]["status"] != 200 || !body.is_object() {
            continue;
        }
        let caller = doc(serde_json::to_vec(&body).unwrap(), Strictness::Caller);
        let view = Messages.view(&caller).unwrap();
        let target = Target { model: "other", ..target(&body) };
        let rewrite = Messages.rewrite(&caller, &view, &target).unwrap();
        assert!(rewrite.dropped.is_empty() && rewrite.edits.len() == 1, "{name}");
        body["model"] = "other".into();
        assert_eq!(splice(caller.bytes(), &rewrite.edits), serde_json::to_vec(&body).unwrap(), "{name}");
    }
}

#[test]
fn counts_are_read() {
    for (name, text) in files(&["anthropic/count_tokens"]) {
        let exchange: Value = serde_json::from_str(&text).unwrap();
        let caller = doc(serde_json::to_vec(&exchange["request"]["body"]).unwrap(), Strictness::Caller);
        let request = Messages.decode_request(&caller).unwrap();
        let target = target(&exchange["request"]["body"]);
        let encoded = count::encode_request(&request, &target).unwrap();
        let written: Value = serde_json::from_slice(&encoded.body).unwrap();
        assert!(written.get("max_tokens").is_none(), "{name}");
        let answer = doc(serde_json::to_vec(&exchange["response"]["body"]).unwrap(), Strictness::Provider);
        assert_eq!(
            Some(count::decode_answer(&answer).unwrap()),
            exchange["response"]["body"]["input_tokens"].as_u64()
        );
    }
}

// === Answers ===

/// What an answer says, in the oracle's words.
fn oracle(message: &Value) -> Value {
    let blocks = message["content"].as_array().unwrap();
    let all = |kind: &str, member: &str| -> String {
        blocks.iter().filter(|one| one["type"] == kind).filter_map(|one| one[member].as_str()).collect()
    };
    let calls: Vec<Value> = blocks
        .iter()
        .filter(|one| one["type"] == "tool_use")
        .map(|one| json!([one["id"], one["name"], one["input"]]))
        .collect();
    let usage = &message["usage"];
    let n = |value: &Value| value.as_u64().unwrap_or_default();
    let extra = |member: &str| -> u64 {
        let passes = usage["iterations"].as_array().map(Vec::as_slice).unwrap_or_default();
        passes.iter().filter(|one| one["type"] == "compaction").map(|one| n(&one[member])).sum()
    };
    let finish = match message["stop_reason"].as_str().unwrap() {
        "tool_use" => "tool_calls",
        "max_tokens" => "length",
        "refusal" => "content_filter",
        "end_turn" | "stop_sequence" | "pause_turn" => "stop",
        other => panic!("{other}"),
    };
    let input = n(&usage["input_tokens"])
        + n(&usage["cache_read_input_tokens"])
        + n(&usage["cache_creation_input_tokens"])
        + extra("input_tokens");
    json!({
        "text": all("text", "text"),
        "thinking": all("thinking", "thinking"),
        "signatures": all("thinking", "signature") + &all("redacted_thinking", "data"),
        "calls": calls,
        "finish": finish,
        "input": input,
        "cached": n(&usage["cache_read_input_tokens"]),
        "output": n(&usage["output_tokens"]) + extra("output_tokens"),
        "reasoning": n(&usage["output_tokens_details"]["thinking_tokens"]),
        "searches": n(&usage["server_tool_use"]["web_search_requests"]),
    })
}

/// What we read, in the oracle's words.
fn ours(answer: &ChatResponse) -> Value {
    let (mut text, mut thinking, mut signatures, mut calls) =
        (String::new(), String::new(), String::new(), Vec::new());
    for block in &answer.blocks {
        match block {
            Block::Text { text: more, .. } => text.push_str(more),
            Block::Thought(thought) => {
                thinking.push_str(&thought.text);
                signatures.extend(thought.seal.iter().map(|seal| seal.value.as_str()));
            }
            Block::ToolCall(call) => {
                let input: Value = serde_json::from_str(&call.arguments).unwrap_or(Value::Null);
                calls.push(json!([call.id, call.name, input]));
            }
            Block::Refusal(_) | Block::Citations(_) | Block::Opaque(_) => {}
        }
    }
    let usage = answer.usage.unwrap();
    json!({
        "text": text,
        "thinking": thinking,
        "signatures": signatures,
        "calls": calls,
        "finish": answer.finish.as_str(),
        "input": usage.input_tokens,
        "cached": usage.cached_read_tokens,
        "output": usage.output_tokens,
        "reasoning": usage.reasoning_tokens,
        "searches": usage.searches,
    })
}

fn answers() -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = exchanges()
        .into_iter()
        .filter(|(_, one)| one["response"]["status"] == 200 && one["response"]["body"].is_object())
        .map(|(name, one)| (name, one["response"]["body"].clone()))
        .collect();
    for (name, text) in files(&["vercel-ai-fixtures/anthropic/root"]) {
        if name.ends_with(".json") {
            all.push((name, serde_json::from_str(&text).unwrap()));
        }
    }
    all
}

#[test]
fn answers_say_what_the_oracle_says() {
    let all = answers();
    for (name, body) in &all {
        let provider = doc(serde_json::to_vec(body).unwrap(), Strictness::Provider);
        let answer = Messages.decode_answer(&provider).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(ours(&answer), oracle(body), "{name}");
        let summary = Messages.summary(&provider);
        assert_eq!(summary.usage, answer.usage, "{name}");
        assert_eq!((summary.finish, summary.error), (Some(answer.finish.as_str()), None), "{name}");
        Messages.answer_spans(&provider);
        let context = ReplyContext::default();
        let again = doc(Messages.encode_answer(&answer, &context), Strictness::Provider);
        assert_eq!(Messages.decode_answer(&again).unwrap(), answer, "{name}");
        assert_eq!(fold(&events(&answer)).unwrap().blocks, answer.blocks, "{name}");
    }
    println!("answers: {}", all.len());
}

// === Streams ===

fn streams() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = exchanges()
        .into_iter()
        .filter_map(|(name, one)| Some((name, one["response"]["body_text"].as_str()?.to_owned())))
        .filter(|(_, text)| text.contains("data:"))
        .collect();
    for (name, text) in files(&["vercel-ai-fixtures/anthropic/root"]) {
        if name.ends_with(".chunks.txt") {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            all.push((name, lines.map(|line| format!("data: {line}\n\n")).collect()));
        }
    }
    all.extend(files(&["anthropic-sdk-fixtures"]).into_iter().filter(|(_, text)| text.contains("data:")));
    all
}

/// The message that a stream is, put together by the oracle.
fn accumulate(stream: &str) -> Value {
    let mut message = Value::Null;
    let mut pieces: Vec<String> = Vec::new();
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    for data in lines.map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let at = data["index"].as_u64().map(|at| usize::try_from(at).unwrap()).unwrap_or_default();
        match data["type"].as_str().unwrap() {
            "message_start" => message = data["message"].clone(),
            "content_block_start" => {
                message["content"].as_array_mut().unwrap().push(data["content_block"].clone());
                pieces.push(String::new());
            }
            "content_block_delta" => {
                let delta = &data["delta"];
                let block = &mut message["content"][at];
                for member in ["text", "thinking", "signature"] {
                    if let Some(more) = delta[member].as_str() {
                        block[member] =
                            format!("{}{more}", block[member].as_str().unwrap_or_default()).into();
                    }
                }
                pieces[at].push_str(delta["partial_json"].as_str().unwrap_or_default());
                if !pieces[at].is_empty() {
                    block["input"] = serde_json::from_str(&pieces[at]).unwrap_or(Value::Null);
                }
            }
            "message_delta" => {
                message["stop_reason"] = data["delta"]["stop_reason"].clone();
                for (name, value) in data["usage"].as_object().unwrap() {
                    message["usage"][name] = value.clone();
                }
            }
            "message_stop" => break,
            _ => {}
        }
    }
    message
}

fn decode(stream: &[u8], cut: usize) -> Vec<ChatEvent> {
    let (mut frames, mut decoder, mut all) = (Frames::default(), Messages.decoder(), Vec::new());
    for piece in stream.chunks(cut.min(stream.len().max(1))) {
        frames.push(piece).unwrap();
        while let Some(frame) = frames.next_frame() {
            decoder.frame(&frame, &mut all).unwrap();
        }
    }
    if let Some(frame) = frames.rest() {
        decoder.frame(&frame, &mut all).unwrap();
    }
    decoder.finish(&mut all).unwrap();
    all
}

/// What a stream of ours does not carry: blocks without words, and who called a tool (which stands in the
/// call's start, written before we know it).
fn comparable(mut answer: ChatResponse) -> ChatResponse {
    answer.blocks.retain(|block| match block {
        Block::Opaque(one) => !one.path.ends_with(".caller"),
        Block::Text { text, .. } => !text.is_empty(),
        _ => true,
    });
    for block in &mut answer.blocks {
        if let Block::Opaque(one) | Block::Citations(Citations { own: one, .. }) = block {
            one.path.clear();
        }
    }
    answer
}

#[test]
fn streams_say_what_the_oracle_says_at_every_cut() {
    let all = streams();
    for (name, stream) in &all {
        let whole = decode(stream.as_bytes(), usize::MAX);
        for cut in CUTS {
            assert_eq!(decode(stream.as_bytes(), cut), whole, "{name} at {cut}");
        }
        let answer = fold(&whole).unwrap();
        assert_eq!(ours(&answer), oracle(&accumulate(stream)), "{name}");
        let mut encoder = Messages.encoder(ReplyContext::default());
        let mut written = Vec::new();
        whole.iter().for_each(|event| encoder.event(event, &mut written));
        let again = fold(&decode(&written, 64)).unwrap();
        assert_eq!(comparable(again), comparable(answer), "{name}");
    }
    println!("streams: {}", all.len());
}
