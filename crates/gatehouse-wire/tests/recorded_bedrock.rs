//! Real exchanges with Amazon Bedrock, where the folder of recordings is at hand (it does not ship with the
//! project): what we read is compared with an oracle that knows nothing of our code.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it expects, and how much it ran"
)]

use base64::Engine as _;
use bytes::Bytes;
use gatehouse_core::content::Dialect;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Code;
use gatehouse_wire::bedrock::Converse;
use gatehouse_wire::chat::{Block, ChatEvent, ChatResponse, events, fold};
use gatehouse_wire::codec::{Codec as _, ProviderCodec as _, Quirks, ReplyContext, Target};
use gatehouse_wire::framing::Frames;
use gatehouse_wire::json::{Doc, Strictness};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const CUTS: [usize; 4] = [1, 7, 64, usize::MAX];

fn exchanges(folder: &str) -> Vec<(String, Value)> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded");
    let root = std::env::var_os("GATEHOUSE_RECORDED").map_or_else(default, PathBuf::from);
    let Ok(list) = std::fs::read_dir(root.join("bedrock").join(folder)) else {
        println!("no recordings at hand: skipped");
        return Vec::new();
    };
    let read = |path: PathBuf| {
        (path.display().to_string(), serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap())
    };
    list.map(|entry| read(entry.unwrap().path())).collect()
}

fn doc(value: &Value) -> Doc {
    Doc::parse(Bytes::from(serde_json::to_vec(value).unwrap()), Strictness::Provider).unwrap()
}

/// What an answer says, in the oracle's words.
fn oracle(answer: &Value) -> Value {
    let (mut text, mut thinking, mut seals) = (String::new(), String::new(), String::new());
    let mut calls = Vec::new();
    for block in answer["output"]["message"]["content"].as_array().unwrap() {
        text += block["text"].as_str().unwrap_or_default();
        let cited = block["citationsContent"]["content"].as_array();
        text.extend(cited.into_iter().flatten().filter_map(|one| one["text"].as_str()));
        let reasoning = &block["reasoningContent"];
        thinking += reasoning["reasoningText"]["text"].as_str().unwrap_or_default();
        seals += reasoning["reasoningText"]["signature"].as_str().unwrap_or_default();
        seals += reasoning["redactedContent"].as_str().unwrap_or_default();
        let call = &block["toolUse"];
        if call.is_object() && call["type"] != "server_tool_use" {
            calls.push(json!([call["toolUseId"], call["name"], call["input"]]));
        }
    }
    let finish = match answer["stopReason"].as_str().unwrap() {
        "tool_use" => "tool_calls",
        "max_tokens" => "length",
        "guardrail_intervened" | "content_filtered" => "content_filter",
        "end_turn" | "stop_sequence" if calls.is_empty() => "stop",
        "end_turn" => "tool_calls",
        other => panic!("{other}"),
    };
    let count = |name: &str| answer["usage"][name].as_u64().unwrap_or_default();
    json!({
        "text": text, "thinking": thinking, "seals": seals, "calls": calls, "finish": finish,
        "total": count("totalTokens"), "cached": count("cacheReadInputTokens"),
        "written": count("cacheWriteInputTokens"), "output": count("outputTokens"),
    })
}

/// What we read, in the oracle's words.
fn ours(answer: &ChatResponse) -> Value {
    let (mut text, mut thinking, mut seals) = (String::new(), String::new(), String::new());
    let mut calls = Vec::new();
    for block in &answer.blocks {
        match block {
            Block::Text { text: more, .. } => text += more,
            Block::Thought(thought) => {
                thinking += &thought.text;
                seals.extend(thought.seal.iter().map(|seal| seal.value.as_str()));
            }
            Block::ToolCall(call) => {
                let raw = if call.arguments.is_empty() { "{}" } else { &call.arguments };
                calls.push(json!([call.id, call.name, serde_json::from_str::<Value>(raw).unwrap()]));
            }
            Block::Refusal(_) | Block::Citations(_) | Block::Opaque(_) => {}
        }
    }
    let usage = answer.usage.unwrap();
    json!({
        "text": text, "thinking": thinking, "seals": seals, "calls": calls,
        "finish": answer.finish.as_str(), "total": usage.total_tokens(),
        "cached": usage.cached_read_tokens,
        "written": usage.cache_write_tokens + usage.cache_write_long_tokens, "output": usage.output_tokens,
    })
}

#[test]
fn answers_say_what_the_oracle_says() {
    let mut ran = 0;
    for (name, exchange) in exchanges("converse") {
        let body = &exchange["response"]["body"];
        if exchange["response"]["status"] != 200 {
            continue;
        }
        ran += 1;
        let doc = doc(body);
        let answer = Converse.decode_answer(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(ours(&answer), oracle(body), "{name}");
        let summary = Converse.summary(&doc);
        assert_eq!((summary.usage, summary.error), (answer.usage, None), "{name}");
        assert_eq!(summary.finish, Some(answer.finish.as_str()), "{name}");
        Converse.answer_spans(&doc);
        assert_eq!(fold(&events(&answer)).unwrap(), answer, "{name}");
    }
    println!("answers: {ran}");
}

/// Real answers, written for callers of the dialect: whole and as a stream they say what they said.
#[test]
fn answers_written_for_callers_say_what_they_said() {
    let context = ReplyContext { id: "0".repeat(32), ..ReplyContext::default() };
    for (name, exchange) in exchanges("converse") {
        let body = &exchange["response"]["body"];
        if exchange["response"]["status"] != 200 {
            continue;
        }
        let answer = Converse.decode_answer(&doc(body)).unwrap();
        let whole: Value = serde_json::from_slice(&Converse.encode_answer(&answer, &context)).unwrap();
        let said = oracle(body);
        assert_eq!(oracle(&whole), said, "{name}");
        assert_eq!(ours(&Converse.decode_answer(&doc(&whole)).unwrap()), said, "{name}");
        let (mut encoder, mut stream) = (Converse.encoder(context.clone()), Vec::new());
        events(&answer).iter().for_each(|event| encoder.event(event, &mut stream));
        for cut in CUTS {
            assert_eq!(ours(&fold(&decode(&stream, cut)).unwrap()), said, "{name} {cut}");
        }
    }
}

/// Real requests, read and written again for Bedrock: the same words, calls and settings.
#[test]
fn requests_of_callers_are_read() {
    let mut ran = 0;
    for (name, exchange) in exchanges("converse") {
        let body = &exchange["request"]["body"];
        if !body.is_object() || exchange["response"]["status"] != 200 {
            continue;
        }
        ran += 1;
        let asked = Doc::parse(Bytes::from(serde_json::to_vec(body).unwrap()), Strictness::Caller).unwrap();
        let view = Converse.view(&asked).unwrap_or_else(|error| panic!("{name}: {error}"));
        let request = Converse.decode_request(&asked).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(view.max_output_tokens, request.max_output_tokens, "{name}");
        let target = Target {
            model: "anthropic.claude",
            capabilities: Capabilities::default(),
            quirks: &Quirks::NONE,
        };
        assert!(Converse.rewrite(&asked, &view, &target).unwrap().edits.is_empty(), "{name}");
        let Ok(encoded) = Converse.encode_request(&request, &target) else { continue };
        let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
        let names = |body: &Value| -> Vec<Value> {
            let tools = body["toolConfig"]["tools"].as_array().cloned().unwrap_or_default();
            tools.iter().filter_map(|tool| tool.pointer("/toolSpec/name").cloned()).collect()
        };
        assert_eq!(names(&sent), names(body), "{name}");
        assert_eq!(texts(&sent), texts(body), "{name}");
    }
    println!("requests: {ran}");
}

/// The words of a request, without those that a document needs beside it.
fn texts(body: &Value) -> String {
    let messages = body["messages"].as_array().into_iter().flatten();
    let blocks = messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
    blocks.filter_map(|block| block["text"].as_str()).map(str::trim).collect()
}

#[test]
fn refusals_are_understood() {
    for (name, exchange) in exchanges("converse") {
        let response = &exchange["response"];
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        if status == 200 {
            continue;
        }
        let header = |name: &str| response["headers"][name].as_str().map(str::to_owned);
        let body = serde_json::to_vec(&response["body"]).unwrap();
        let error =
            gatehouse_wire::error::classify(Dialect::BedrockConverse.family(), status, &header, &body);
        let expected = if status == 404 { Code::UpstreamModelNotFound } else { Code::UpstreamInvalidRequest };
        assert_eq!(error.code, expected, "{name}");
        assert_eq!(Some(error.message.as_str()), response["body"]["message"].as_str(), "{name}");
    }
}

fn decode(stream: &[u8], cut: usize) -> Vec<ChatEvent> {
    let (mut frames, mut decoder) = (Frames::of(Dialect::BedrockConverse), Converse.decoder());
    let mut all = Vec::new();
    for piece in stream.chunks(cut.min(stream.len().max(1))) {
        frames.push(piece).unwrap();
        while let Some(frame) = frames.next_frame().unwrap() {
            decoder.frame(&frame, &mut all).unwrap();
        }
    }
    frames.rest().unwrap();
    decoder.finish(&mut all).unwrap();
    assert!(decoder.kept() < 1024, "what is over is let go");
    all
}

/// The answer that a stream is, put together by the oracle.
fn accumulate(mut stream: &[u8]) -> Value {
    let number = |at: &[u8]| usize::try_from(u32::from_be_bytes(at[..4].try_into().unwrap())).unwrap();
    let (mut blocks, mut whole) = (serde_json::Map::new(), json!({}));
    while !stream.is_empty() {
        let (total, headers) = (number(stream), number(&stream[4..]));
        let payload: Value = serde_json::from_slice(&stream[12 + headers..total - 4]).unwrap();
        stream = &stream[total..];
        for name in ["stopReason", "usage"] {
            if payload.get(name).is_some() {
                whole[name] = payload[name].clone();
            }
        }
        let Some(at) = payload["contentBlockIndex"].as_u64() else { continue };
        let block = blocks.entry(format!("{at:06}")).or_insert(json!({}));
        if payload["start"]["toolUse"].is_object() {
            block["toolUse"] = payload["start"]["toolUse"].clone();
            block["toolUse"]["input"] = "".into();
        }
        let grow = |place: &mut Value, more: &Value| {
            if let Some(more) = more.as_str() {
                *place = format!("{}{more}", place.as_str().unwrap_or_default()).into();
            }
        };
        let delta = &payload["delta"];
        grow(&mut block["text"], &delta["text"]);
        grow(&mut block["toolUse"]["input"], &delta["toolUse"]["input"]);
        let reasoning = &delta["reasoningContent"];
        grow(&mut block["reasoningContent"]["reasoningText"]["text"], &reasoning["text"]);
        grow(&mut block["reasoningContent"]["reasoningText"]["signature"], &reasoning["signature"]);
        grow(&mut block["reasoningContent"]["redactedContent"], &reasoning["redactedContent"]);
    }
    let mut content: Vec<Value> = blocks.into_iter().map(|(_, block)| block).collect();
    for block in &mut content {
        let call = &mut block["toolUse"];
        if call["name"].is_null() {
            *call = Value::Null;
        } else {
            let input = call["input"].as_str().unwrap();
            call["input"] = if input.is_empty() { json!({}) } else { serde_json::from_str(input).unwrap() };
        }
    }
    whole["output"]["message"]["content"] = content.into();
    whole
}

#[test]
fn streams_say_what_the_oracle_says_at_every_cut() {
    let all = exchanges("converse_stream");
    for (name, exchange) in &all {
        let body = exchange["response"]["body_b64"].as_str().unwrap();
        let stream = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        let whole = decode(&stream, usize::MAX);
        for cut in CUTS {
            assert_eq!(decode(&stream, cut), whole, "{name} at {cut}");
        }
        assert_eq!(ours(&fold(&whole).unwrap()), oracle(&accumulate(&stream)), "{name}");
    }
    println!("streams: {}", all.len());
}
