//! Runs over recorded exchanges with Google where they are present, against an oracle that shares no code
//! with the dialect. The recordings do not ship with the project: without them this test says so and passes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail loudly, as the tests themselves do"
)]

use bytes::Bytes;
use gatehouse_core::content::{Edit, splice};
use gatehouse_core::deployment::Capabilities;
use gatehouse_wire::chat::{
    Block, ChatEvent, ChatRequest, ChatResponse, Citations, Extension, Part, Tool, Turn, fold,
};
use gatehouse_wire::codec::{Codec, ProviderCodec as _, Quirks, ReplyContext, StreamDecoder, Target};
use gatehouse_wire::gemini::{Gemini, count};
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::sse::{Frame, Frames};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What an answer says, as the oracle sees it.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    text: String,
    thoughts: String,
    calls: Vec<(String, Value)>,
    signatures: Vec<String>,
    reason: Option<String>,
    input: u64,
    output: u64,
    reasoning: u64,
    cached: u64,
}

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("GATEHOUSE_RECORDED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

fn exchanges(root: &Path, kind: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for provider in ["gemini", "vertex"] {
        let Ok(entries) = std::fs::read_dir(root.join(provider).join(kind)) else { continue };
        for entry in entries.flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            all.push((name, serde_json::from_str(&text).unwrap()));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn doc(value: &[u8], strictness: Strictness) -> Doc {
    Doc::parse(Bytes::copy_from_slice(value), strictness).unwrap()
}

fn model(exchange: &Value) -> String {
    let url = exchange["request"]["url"].as_str().unwrap_or_default();
    let after = url.rsplit("/models/").next().unwrap_or_default();
    after.split(':').next().unwrap_or_default().to_owned()
}

fn target(model: &str) -> Target<'_> {
    Target { model, capabilities: Capabilities::default(), quirks: &Quirks::NONE }
}

// === the oracle ===

fn oracle(chunks: &[Value]) -> Seen {
    let mut seen = Seen::default();
    for chunk in chunks {
        let candidate = &chunk["candidates"][0];
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            if let Some(text) = part["text"].as_str() {
                let into = if part["thought"] == true { &mut seen.thoughts } else { &mut seen.text };
                into.push_str(text);
            }
            if part["functionCall"].is_object() && part["functionCall"]["name"].is_string() {
                let name = part["functionCall"]["name"].as_str().unwrap().to_owned();
                seen.calls.push((name, part["functionCall"]["args"].clone()));
            }
            if let Some(signature) = part["thoughtSignature"].as_str() {
                seen.signatures.push(signature.to_owned());
            }
        }
        if let Some(reason) = candidate["finishReason"].as_str() {
            seen.reason = Some(reason.to_owned());
        }
        let usage = &chunk["usageMetadata"];
        if usage["promptTokenCount"].is_u64() || usage["totalTokenCount"].is_u64() {
            let count = |name: &str| usage[name].as_u64().unwrap_or(0);
            seen.input = count("promptTokenCount") + count("toolUsePromptTokenCount");
            seen.reasoning = count("thoughtsTokenCount");
            seen.output = count("candidatesTokenCount") + seen.reasoning;
            seen.cached = count("cachedContentTokenCount");
            if usage["totalTokenCount"].is_u64() {
                assert_eq!(seen.input + seen.output, count("totalTokenCount"));
            }
        }
    }
    seen
}

fn ours(answer: &ChatResponse) -> Seen {
    let mut seen = Seen { reason: answer.native_finish.clone(), ..Seen::default() };
    for block in &answer.blocks {
        match block {
            Block::Text { text, seal, .. } => {
                seen.text.push_str(text);
                seen.signatures.extend(seal.iter().map(|seal| seal.value.clone()));
            }
            Block::Thought(thought) => {
                seen.thoughts.push_str(&thought.text);
                seen.signatures.extend(thought.seal.iter().map(|seal| seal.value.clone()));
            }
            Block::ToolCall(call) => {
                assert!(!call.id.is_empty());
                let arguments = serde_json::from_str(&call.arguments).unwrap();
                seen.calls.push((call.name.clone(), arguments));
                seen.signatures.extend(call.seal.iter().map(|seal| seal.value.clone()));
            }
            Block::Opaque(part) => {
                let part: Value = serde_json::from_str(&part.value.0).unwrap();
                seen.signatures.extend(part["thoughtSignature"].as_str().map(str::to_owned));
            }
            Block::Refusal(_) | Block::Citations(_) => {}
        }
    }
    if let Some(usage) = answer.usage {
        (seen.input, seen.output) = (usage.input_tokens, usage.output_tokens);
        (seen.reasoning, seen.cached) = (usage.reasoning_tokens, usage.cached_read_tokens);
    }
    seen
}

// === streams ===

fn read_stream(bytes: &[u8], cut: usize) -> Vec<ChatEvent> {
    let (mut frames, mut events) = (Frames::default(), Vec::new());
    let mut decoder = Gemini.decoder();
    let mut take = |decoder: &mut Box<dyn StreamDecoder>, frame: &Frame| {
        let from = events.len();
        decoder.frame(frame, &mut events).unwrap();
        for event in &events[from..] {
            if let ChatEvent::Delta { text, at: Some(at), .. } = event {
                let data = frame.data();
                let quoted = [b"\"", &data[at.clone()], b"\""].concat();
                assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), *text);
            }
        }
    };
    for piece in bytes.chunks(cut.max(1)) {
        frames.push(piece).unwrap();
        while let Some(frame) = frames.next_frame() {
            take(&mut decoder, &frame);
        }
    }
    if let Some(frame) = frames.rest() {
        take(&mut decoder, &frame);
    }
    decoder.finish(&mut events).unwrap();
    events
}

fn write_stream(events: &[ChatEvent], context: ReplyContext) -> Vec<u8> {
    let (mut encoder, mut out) = (Gemini.encoder(context), Vec::new());
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

fn chunks_of(response: &Value) -> Option<(Vec<u8>, Vec<Value>)> {
    if let Some(text) = response["body_text"].as_str() {
        let plain = text.replace("\r\n", "\n");
        let data = plain.split("\n\n").filter_map(|event| event.trim().strip_prefix("data:"));
        return Some((
            text.as_bytes().to_vec(),
            data.map(|data| serde_json::from_str(data).unwrap()).collect(),
        ));
    }
    let chunks = response["body"].as_array()?.clone();
    let text: String = chunks.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect();
    Some((text.into_bytes(), chunks))
}

// === the tests ===

/// The same answer for a model name that the caller chose and without what no chunk has a place for.
fn comparable(answer: &ChatResponse) -> ChatResponse {
    let mut answer = ChatResponse { model: "named".to_owned(), ..answer.clone() };
    // Our streams tell citations last.
    answer.blocks.sort_by_key(|block| matches!(block, Block::Citations(_)));
    if let Some(usage) = &mut answer.usage {
        usage.searches = 0;
    }
    answer
}

/// The same request without the places of parts: merged contents move them.
fn placeless(mut request: ChatRequest) -> ChatRequest {
    for turn in &mut request.turns {
        let opaque: Vec<&mut Extension> = match turn {
            Turn::System(parts) | Turn::User(parts) => parts.iter_mut().filter_map(opaque_part).collect(),
            Turn::ToolResults(results) => {
                results.iter_mut().flat_map(|result| &mut result.parts).filter_map(opaque_part).collect()
            }
            Turn::Assistant(blocks) => blocks
                .iter_mut()
                .filter_map(|block| match block {
                    Block::Citations(Citations { own, .. }) | Block::Opaque(own) => Some(own),
                    _ => None,
                })
                .collect(),
        };
        opaque.into_iter().for_each(|own| own.path.clear());
    }
    for tool in &mut request.tools {
        if let Tool::Hosted { definition, .. } = tool {
            definition.path.clear();
        }
    }
    request
}

fn opaque_part(part: &mut Part) -> Option<&mut Extension> {
    match part {
        Part::Opaque(own) => Some(own),
        _ => None,
    }
}

fn context() -> ReplyContext {
    ReplyContext { model: "named".to_owned(), id: "0123".to_owned(), ..ReplyContext::default() }
}

#[test]
fn recorded_requests_are_read_and_written() {
    let Some(root) = recordings() else {
        println!("no recordings here: skipped");
        return;
    };
    let mut ran = 0;
    let mut all = exchanges(&root, "generate_content");
    all.extend(exchanges(&root, "stream_generate_content"));
    for (name, exchange) in all {
        let status = exchange["response"]["status"].as_u64().unwrap_or(0);
        if !(200..300).contains(&status) {
            continue;
        }
        let body = serde_json::to_vec(&exchange["request"]["body"]).unwrap();
        let doc = doc(&body, Strictness::Caller);
        let view = Gemini.view(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
        for span in &view.spans {
            let quoted = format!("\"{}\"", doc.slice(span.range.clone()));
            serde_json::from_str::<String>(&quoted).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let mut own = model(&exchange);
        if exchange["request"]["body"]["generationConfig"]["thinkingConfig"]["thinkingBudget"].is_number() {
            own = "gemini-2.5-flash".to_owned();
        }
        let rewrite = Gemini.rewrite(&doc, &view, &target(&own)).unwrap();
        assert_eq!(splice(doc.bytes(), &rewrite.edits), *doc.bytes(), "{name}");
        let request: ChatRequest =
            Gemini.decode_request(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
        let empty = !request.turns.iter().any(|turn| matches!(turn, Turn::User(_)));
        if empty || request.candidates > Some(1) {
            // An empty prompt is written as a space; several answers are not translated.
            continue;
        }
        let encoded =
            Gemini.encode_request(&request, &target(&own)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let back = Gemini.decode_request(&self::doc(&encoded.body, Strictness::Caller)).unwrap();
        assert_eq!(placeless(back), placeless(request), "{name}\n{}", String::from_utf8_lossy(&encoded.body));
        ran += 1;
    }
    println!("{ran} recorded requests");
}

#[test]
fn recorded_answers_are_read_and_written() {
    let Some(root) = recordings() else {
        println!("no recordings here: skipped");
        return;
    };
    let mut ran = 0;
    for (name, exchange) in exchanges(&root, "generate_content") {
        let body = &exchange["response"]["body"];
        let bytes = serde_json::to_vec(body).unwrap();
        let doc = doc(&bytes, Strictness::Provider);
        let summary = Gemini.summary(&doc);
        if exchange["response"]["status"] != 200 {
            assert!(summary.error.is_some(), "{name}");
            assert!(Gemini.decode_answer(&doc).is_err());
            continue;
        }
        let answer = Gemini.decode_answer(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(ours(&answer), oracle(std::slice::from_ref(body)), "{name}");
        assert_eq!(summary.usage, answer.usage, "{name}");
        assert_eq!(summary.finish, Some(answer.finish.as_str()), "{name}");
        let written = Gemini.encode_answer(&answer, &context());
        let back = Gemini.decode_answer(&self::doc(&written, Strictness::Provider)).unwrap();
        assert_eq!(comparable(&back), comparable(&answer), "{name}");
        ran += 1;
    }
    println!("{ran} recorded answers");
}

#[test]
fn recorded_streams_are_read_and_written_at_any_cut() {
    let Some(root) = recordings() else {
        println!("no recordings here: skipped");
        return;
    };
    let mut ran = 0;
    for (name, exchange) in exchanges(&root, "stream_generate_content") {
        if exchange["response"]["status"] != 200 {
            continue;
        }
        let Some((bytes, chunks)) = chunks_of(&exchange["response"]) else { panic!("{name}") };
        let events = read_stream(&bytes, bytes.len());
        for cut in [1, 7, 64] {
            assert_eq!(read_stream(&bytes, cut), events, "{name} at {cut}");
        }
        let answer = fold(&events).unwrap();
        assert_eq!(ours(&answer), oracle(&chunks), "{name}");
        let back = fold(&read_stream(&write_stream(&events, context()), 64)).unwrap();
        assert_eq!(comparable(&back), comparable(&answer), "{name}");
        let array = write_stream(&events, ReplyContext { json_array: true, ..context() });
        assert!(serde_json::from_slice::<Vec<Value>>(&array).unwrap().len() > 1, "{name}");
        ran += 1;
    }
    println!("{ran} recorded streams");
}

#[test]
fn recorded_pieces_of_arguments_are_put_together() {
    let Some(root) = recordings() else {
        println!("no recordings here: skipped");
        return;
    };
    let file = "google-stream-tool-call-array-arguments-missing-terminal-function-call.chunks.txt";
    let Ok(text) = std::fs::read_to_string(root.join("vercel-ai-fixtures/google/root").join(file)) else {
        return;
    };
    let stream: String = text.lines().map(|line| format!("data: {line}\n\n")).collect();
    let answer = fold(&read_stream(stream.as_bytes(), 64)).unwrap();
    let calls = ours(&answer).calls;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].0, "writeItems");
    assert_eq!(calls[0].1["operations"][0]["action"], "add");
    assert_eq!(calls[0].1["operations"][0]["description"], "Fresh red apple");
}

#[test]
fn recorded_counts_are_read() {
    let Some(root) = recordings() else {
        println!("no recordings here: skipped");
        return;
    };
    for (name, exchange) in exchanges(&root, "count_tokens") {
        let request = serde_json::to_vec(&exchange["request"]["body"]).unwrap();
        count::decode(&doc(&request, Strictness::Caller)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let answer = serde_json::to_vec(&exchange["response"]["body"]).unwrap();
        let total = count::decode_answer(&doc(&answer, Strictness::Provider)).unwrap();
        assert_eq!(Some(total), exchange["response"]["body"]["totalTokens"].as_u64());
    }
}

#[test]
fn an_edit_in_place_is_what_the_delta_says() {
    let frame = b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\\nb\"}]},\"finishReason\":\"STOP\"}]}\n\n";
    let events = read_stream(frame, 5);
    let at = events.iter().find_map(|event| match event {
        ChatEvent::Delta { at, .. } => at.clone(),
        _ => None,
    });
    let data = Bytes::copy_from_slice(&frame[6..frame.len() - 2]);
    let edited = splice(&data, &[Edit { range: at.unwrap(), with: Bytes::from_static(b"x") }]);
    assert!(edited.starts_with(b"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}"));
}
