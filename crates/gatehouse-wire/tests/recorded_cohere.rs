//! Real exchanges with Cohere, where the folder of recordings is at hand (it does not ship with the project): what we
//! read is compared with an oracle that knows nothing of our code.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it expects, and how much it ran"
)]

use bytes::Bytes;
use gatehouse_core::content::{Dialect, splice};
use gatehouse_core::deployment::Capabilities;
use gatehouse_wire::chat::{Block, ChatEvent, ChatRequest, ChatResponse, Turn, events, fold};
use gatehouse_wire::codec::{Codec as _, ProviderCodec as _, Quirks, ReplyContext, Target};
use gatehouse_wire::cohere::CohereChat;
use gatehouse_wire::embeddings::{CohereEmbed, EmbedCodec as _, EmbedProviderCodec as _};
use gatehouse_wire::framing::Frames;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::openai_chat::OpenAiChat;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const CUTS: [usize; 4] = [1, 7, 64, usize::MAX];

/// Exchanges of version 2; those of version 1 have another form.
fn exchanges(folder: &str) -> Vec<(String, Value)> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded");
    let root = std::env::var_os("GATEHOUSE_RECORDED").map_or_else(default, PathBuf::from);
    let Ok(list) = std::fs::read_dir(root.join("cohere").join(folder)) else {
        println!("no recordings at hand: skipped");
        return Vec::new();
    };
    let read = |path: PathBuf| {
        let exchange: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        (path.display().to_string(), exchange)
    };
    let all = list.map(|entry| read(entry.unwrap().path()));
    all.filter(|(_, exchange)| exchange["request"]["url"].as_str().unwrap().contains("/v2/")).collect()
}

fn doc(value: &Value) -> Doc {
    Doc::parse(Bytes::from(serde_json::to_vec(value).unwrap()), Strictness::Provider).unwrap()
}

/// What an answer says, in the oracle's words.
fn oracle(answer: &Value) -> Value {
    let message = &answer["message"];
    let (mut text, mut thinking) =
        (String::new(), message["tool_plan"].as_str().unwrap_or_default().to_owned());
    for block in message["content"].as_array().into_iter().flatten() {
        text += block["text"].as_str().unwrap_or_default();
        thinking += block["thinking"].as_str().unwrap_or_default();
    }
    let calls: Vec<Value> = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| json!([call["id"], call["function"]["name"], call["function"]["arguments"]]))
        .collect();
    let finish = match answer["finish_reason"].as_str().unwrap() {
        "TOOL_CALL" => "tool_calls",
        "MAX_TOKENS" => "length",
        "COMPLETE" if calls.is_empty() => "stop",
        other => panic!("{other}"),
    };
    // Spans count characters of the text, and the words in them are told beside.
    let cited: Vec<Value> = message["citations"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|one| one["sources"].as_array().unwrap().iter().map(|_| one["text"].clone()))
        .collect();
    let (tokens, billed) = (&answer["usage"]["tokens"], &answer["usage"]["billed_units"]);
    json!({
        "text": text, "thinking": thinking, "calls": calls, "finish": finish, "cited": cited,
        "input": tokens["input_tokens"], "output": tokens["output_tokens"],
        "billed": [billed["input_tokens"], billed["output_tokens"]],
    })
}

/// What we read, in the oracle's words.
fn ours(answer: &ChatResponse) -> Value {
    let (mut text, mut thinking, mut calls, mut spans) =
        (String::new(), String::new(), Vec::new(), Vec::new());
    for block in &answer.blocks {
        match block {
            Block::Text { text: more, .. } => text += more,
            Block::Thought(thought) => thinking += &thought.text,
            Block::ToolCall(call) => calls.push(json!([call.id, call.name, call.arguments])),
            Block::Citations(cited) => {
                spans.extend(cited.all.iter().map(|one| {
                    assert!(one.quote.is_some(), "{one:?}");
                    one.span.clone().unwrap()
                }));
            }
            Block::Refusal(_) | Block::Opaque(_) => panic!("{block:?}"),
        }
    }
    let words = |span: std::ops::Range<u64>| -> String {
        let (from, count) = (usize::try_from(span.start), usize::try_from(span.end - span.start));
        text.chars().skip(from.unwrap()).take(count.unwrap()).collect()
    };
    let cited: Vec<String> = spans.into_iter().map(words).collect();
    let usage = answer.usage.unwrap();
    json!({
        "text": text, "thinking": thinking, "calls": calls, "finish": answer.finish.as_str(), "cited": cited,
        "input": usage.input_tokens, "output": usage.output_tokens,
        "billed": [usage.input_tokens - usage.unbilled_input_tokens,
            usage.output_tokens - usage.unbilled_output_tokens],
    })
}

#[test]
fn answers_say_what_the_oracle_says() {
    let all = exchanges("chat");
    for (name, exchange) in &all {
        let body = &exchange["response"]["body"];
        let doc = doc(body);
        let answer = CohereChat.decode_answer(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(ours(&answer), oracle(body), "{name}");
        assert_eq!(Some(answer.id.as_str()), body["id"].as_str(), "{name}");
        let summary = CohereChat.summary(&doc);
        assert_eq!((summary.usage, summary.error), (answer.usage, None), "{name}");
        assert_eq!(summary.finish, Some(answer.finish.as_str()), "{name}");
        let words: usize = CohereChat.answer_spans(&doc).iter().map(|span| span.range.len()).sum();
        assert_eq!((words, words > 0), (summary.text_bytes, true), "{name}");
        assert_eq!(fold(&events(&answer)).unwrap(), answer, "{name}");
    }
    println!("answers: {}", all.len());
}

/// The form of OpenAI's chat for a recorded request: the members that both have.
fn as_openai(body: &Value) -> Value {
    let mut asked = json!({"model": "m", "messages": body["messages"]});
    for name in ["tools", "temperature", "max_tokens", "stream"] {
        if body.get(name).is_some() {
            asked[name] = body[name].clone();
        }
    }
    for message in asked["messages"].as_array_mut().unwrap() {
        let message = message.as_object_mut().unwrap();
        for own in ["citations", "tool_plan"] {
            message.remove(own);
        }
        if let Some(parts) = message.get_mut("content").and_then(Value::as_array_mut) {
            parts.retain(|part| part["type"] != "thinking");
        }
    }
    asked
}

#[test]
fn requests_that_others_sent_can_be_written_and_say_the_same() {
    let mut ran = 0;
    for (name, exchange) in exchanges("chat").into_iter().chain(exchanges("chat_sse")) {
        let asked = &exchange["request"]["body"];
        let Ok(request) = OpenAiChat.decode_request(&doc(&as_openai(asked))) else { continue };
        let target =
            Target { model: "command", capabilities: Capabilities::default(), quirks: &Quirks::NONE };
        let written =
            CohereChat.encode_request(&request, &target).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(written.dropped.is_empty(), "{name}: {:?}", written.dropped);
        let written: Value = serde_json::from_slice(&written.body).unwrap();
        for same in ["temperature", "max_tokens"] {
            assert_eq!(written.get(same), asked.get(same), "{name}: {same}");
        }
        let back: ChatRequest = OpenAiChat.decode_request(&doc(&as_openai(&written))).unwrap();
        assert_eq!(said(&back), said(&request), "{name}");
        ran += 1;
    }
    println!("requests: {ran}");
}

/// The conversation without its empty texts, which are not written.
fn said(request: &ChatRequest) -> Vec<Turn> {
    let kept = |block: &Block| !matches!(block, Block::Text { text, .. } if text.is_empty());
    request
        .turns
        .iter()
        .map(|turn| match turn {
            Turn::Assistant(blocks) => {
                Turn::Assistant(blocks.iter().filter(|one| kept(one)).cloned().collect())
            }
            other => other.clone(),
        })
        .collect()
}

fn decode(stream: &[u8], cut: usize) -> Vec<ChatEvent> {
    let (mut frames, mut decoder) = (Frames::of(Dialect::CohereChat), CohereChat.decoder());
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
fn accumulate(stream: &str) -> Value {
    let mut whole = json!({"message": {"tool_plan": "", "content": [], "tool_calls": [], "citations": []}});
    for line in stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|line| *line != "[DONE]")
    {
        let event: Value = serde_json::from_str(line).unwrap();
        let (delta, at) = (&event["delta"]["message"], event["index"].as_u64().unwrap_or_default());
        let at = usize::try_from(at).unwrap();
        let message = &mut whole["message"];
        let grow = |place: &mut Value, more: &Value| {
            *place = format!("{}{}", place.as_str().unwrap(), more.as_str().unwrap()).into();
        };
        match event["type"].as_str().unwrap() {
            "content-start" => message["content"].as_array_mut().unwrap().push(delta["content"].clone()),
            "content-delta" => grow(&mut message["content"][at]["text"], &delta["content"]["text"]),
            "tool-plan-delta" => grow(&mut message["tool_plan"], &delta["tool_plan"]),
            "tool-call-start" => {
                message["tool_calls"].as_array_mut().unwrap().push(delta["tool_calls"].clone());
            }
            "tool-call-delta" => {
                let more = &delta["tool_calls"]["function"]["arguments"];
                grow(&mut message["tool_calls"][at]["function"]["arguments"], more);
            }
            "citation-start" => message["citations"].as_array_mut().unwrap().push(delta["citations"].clone()),
            "message-end" => {
                whole["finish_reason"] = event["delta"]["finish_reason"].clone();
                whole["usage"] = event["delta"]["usage"].clone();
            }
            "message-start" | "content-end" | "tool-call-end" | "citation-end" => {}
            other => panic!("{other}"),
        }
    }
    whole
}

#[test]
fn streams_say_what_the_oracle_says_at_every_cut() {
    let all = exchanges("chat_sse");
    for (name, exchange) in &all {
        let stream = exchange["response"]["body_text"].as_str().unwrap();
        let whole = decode(stream.as_bytes(), usize::MAX);
        for cut in CUTS {
            assert_eq!(decode(stream.as_bytes(), cut), whole, "{name} at {cut}");
        }
        assert_eq!(ours(&fold(&whole).unwrap()), oracle(&accumulate(stream)), "{name}");
    }
    println!("streams: {}", all.len());
}

#[test]
fn embeddings_are_asked_for_and_read_as_they_were() {
    let all = exchanges("embed");
    for (name, exchange) in &all {
        let (asked, body) = (&exchange["request"]["body"], &exchange["response"]["body"]);
        let request =
            CohereEmbed.decode_request(&doc(asked)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let model = asked["model"].as_str().unwrap();
        let target = Target { model, capabilities: Capabilities::default(), quirks: &Quirks::NONE };
        let written = CohereEmbed.encode_request(&request, &target).unwrap();
        let mut expected = asked.clone();
        expected["embedding_types"] = json!(["float"]);
        assert_eq!(serde_json::from_slice::<Value>(&written.body).unwrap(), expected, "{name}");
        let answer = CohereEmbed.decode_answer(&Bytes::from(body.to_string())).unwrap();
        assert_eq!(answer.vectors.len(), asked["texts"].as_array().unwrap().len(), "{name}");
        assert_eq!(Some(answer.id.as_str()), body["id"].as_str(), "{name}");
        let billed = body["meta"]["billed_units"]["input_tokens"].as_u64().unwrap();
        assert_eq!(answer.usage.unwrap().input_tokens, billed, "{name}");
        let again: Value =
            serde_json::from_slice(&CohereEmbed.encode_answer(&answer, &request, model).unwrap()).unwrap();
        assert_eq!(again["embeddings"], body["embeddings"], "{name}");
    }
    println!("embeddings: {}", all.len());
}

#[test]
fn callers_requests_are_read_and_pass_with_another_models_name() {
    let all: Vec<_> = exchanges("chat").into_iter().chain(exchanges("chat_sse")).collect();
    for (name, exchange) in &all {
        let asked = doc(&exchange["request"]["body"]);
        let view = CohereChat.view(&asked).unwrap_or_else(|error| panic!("{name}: {error}"));
        let request = CohereChat.decode_request(&asked).unwrap();
        assert_eq!(
            view.stream,
            exchange["request"]["body"]["stream"].as_bool().unwrap_or_default(),
            "{name}"
        );
        let target = Target { model: "x", capabilities: Capabilities::default(), quirks: &Quirks::NONE };
        let rewrite = CohereChat.rewrite(&asked, &view, &target).unwrap();
        let sent: Value = serde_json::from_slice(&splice(asked.bytes(), &rewrite.edits)).unwrap();
        let mut expected = exchange["request"]["body"].clone();
        expected["model"] = json!("x");
        assert_eq!(sent, expected, "{name}");
        let written =
            OpenAiChat.encode_request(&request, &target).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written: Value = serde_json::from_slice(&written.body).unwrap();
        let roles = |body: &Value| -> Vec<Value> {
            body["messages"].as_array().unwrap().iter().map(|one| one["role"].clone()).collect()
        };
        assert_eq!(roles(&written), roles(&expected), "{name}");
        assert_eq!(
            written["tools"].as_array().map(Vec::len).unwrap_or_default(),
            expected["tools"].as_array().map(Vec::len).unwrap_or_default(),
            "{name}"
        );
    }
    println!("callers: {}", all.len());
}

#[test]
fn answers_written_for_callers_say_what_they_said() {
    let context = ReplyContext { id: "i".to_owned(), ..ReplyContext::default() };
    for (name, exchange) in exchanges("chat") {
        let body = &exchange["response"]["body"];
        let answer = CohereChat.decode_answer(&doc(body)).unwrap();
        let written: Value = serde_json::from_slice(&CohereChat.encode_answer(&answer, &context)).unwrap();
        assert_eq!(ours(&CohereChat.decode_answer(&doc(&written)).unwrap()), oracle(body), "{name}");
        assert_eq!(written["message"]["citations"], body["message"]["citations"], "{name}");
        let mut encoder = CohereChat.encoder(context.clone());
        let mut stream = Vec::new();
        events(&answer).iter().for_each(|event| encoder.event(event, &mut stream));
        assert_eq!(ours(&fold(&decode(&stream, 64)).unwrap()), oracle(body), "{name}");
    }
}
