//! Recorded traffic of OpenAI and its family against the dialect, with an oracle that shares no code.
//!
//! The recordings do not ship: without them (`GATEHOUSE_RECORDED`, or beside the repository) nothing runs.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test: what is not as expected shall fail loudly, and the counts are to be seen"
)]

use bytes::Bytes;
use gatehouse_core::content::splice;
use gatehouse_core::deployment::Capabilities;
use gatehouse_wire::chat::{
    Block, ChatEvent, ChatRequest, ChatResponse, Finish, MediaKind, Origin, Part, Turn, fold,
};
use gatehouse_wire::codec::{
    CacheMarks, Codec, ProviderCodec as _, Quirks, ReasoningAs, ReplyContext, Target,
};
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::openai_chat::OpenAiChat;
use gatehouse_wire::sse::Frames;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A server that takes everything, so that nothing is lost on the way.
const GENEROUS: Quirks = Quirks {
    reasoning_back: true,
    reasoning_as: ReasoningAs::Object,
    seals: Some(Origin::OpenRouter),
    cache_marks: CacheMarks::CacheControl,
    allowed_tools: true,
    ..Quirks::COMPATIBLE
};

struct Exchange {
    file: String,
    status: u64,
    request: Value,
    answer: Option<Value>,
    stream: Option<String>,
}

fn folder() -> Option<PathBuf> {
    let set = std::env::var_os("GATEHOUSE_RECORDED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded");
    Some(set.unwrap_or(beside)).filter(|folder| folder.join("INDEX.jsonl").exists())
}

fn exchanges() -> Vec<Exchange> {
    let Some(folder) = folder() else {
        println!("no recordings: skipped");
        return Vec::new();
    };
    let index = fs::read_to_string(folder.join("INDEX.jsonl")).unwrap();
    index
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|entry| entry["api"] == "chat_completions")
        .map(|entry| {
            let file = entry["file"].as_str().unwrap().to_owned();
            let mut all: Value =
                serde_json::from_str(&fs::read_to_string(folder.join(&file)).unwrap()).unwrap();
            Exchange {
                status: entry["status"].as_u64().unwrap(),
                request: all["request"]["body"].take(),
                answer: Some(all["response"]["body"].take()).filter(Value::is_object),
                stream: all["response"]["body_text"].as_str().map(str::to_owned),
                file,
            }
        })
        .collect()
}

/// Bare answers and streams of the family: one chunk a line, or whole.
fn fixtures() -> Vec<(String, Option<Value>, Option<String>)> {
    let Some(folder) = folder() else { return Vec::new() };
    let mut found = Vec::new();
    let mut folders = vec![folder.join("vercel-ai-fixtures")];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.display().to_string();
            let text = fs::read_to_string(&path).unwrap();
            if name.ends_with(".sse") && text.contains("chat.completion.chunk") {
                found.push((name, None, Some(text)));
            } else if name.ends_with(".txt") && text.contains("chat.completion.chunk") {
                let events: String = text.lines().map(|line| format!("data: {line}\n\n")).collect();
                found.push((name, None, Some(format!("{events}data: [DONE]\n\n"))));
            } else if let Some(answer) =
                serde_json::from_str::<Value>(&text).ok().filter(|answer| answer["choices"].is_array())
            {
                found.push((name, Some(answer), None));
            }
        }
    }
    found
}

fn parse(value: &Value, strictness: Strictness) -> Doc {
    Doc::parse(Bytes::from(serde_json::to_vec(value).unwrap()), strictness).unwrap()
}

fn target<'a>(model: &'a str, quirks: &'a Quirks) -> Target<'a> {
    Target { model, capabilities: Capabilities::default(), quirks }
}

/// What an answer means, told in the simplest words.
#[derive(Debug, Default, PartialEq)]
struct Meaning {
    text: String,
    refusal: String,
    reasoning: String,
    calls: Vec<(String, String)>,
    finish: String,
    usage: (u64, u64),
}

// === the oracle ===

fn add_message(meaning: &mut Meaning, message: &Value, whole: bool) {
    let own = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match &message["content"] {
        Value::String(text) => meaning.text += text,
        Value::Array(parts) => {
            for part in parts {
                meaning.text += &own(&part["text"]);
                for piece in part["thinking"].as_array().into_iter().flatten() {
                    meaning.reasoning += &own(&piece["text"]);
                }
            }
        }
        _ => {}
    }
    meaning.refusal += &own(&message["refusal"]);
    let details = message["reasoning_details"].as_array().filter(|list| !list.is_empty());
    if let Some(details) = details {
        for entry in details {
            meaning.reasoning += &own(&entry["text"]);
            meaning.reasoning += &own(&entry["summary"]);
        }
    } else if message["reasoning_content"].is_string() {
        meaning.reasoning += &own(&message["reasoning_content"]);
    } else {
        meaning.reasoning += &own(&message["reasoning"]);
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        if let Some(custom) = call.get("custom").filter(|custom| custom["name"] != "") {
            let input = json!({"input": custom["input"]}).to_string();
            meaning.calls.push((own(&custom["name"]), input));
            continue;
        }
        let (name, arguments) = (own(&call["function"]["name"]), own(&call["function"]["arguments"]));
        if whole || !name.is_empty() {
            meaning.calls.push((name, arguments));
        } else {
            meaning.calls.last_mut().unwrap().1 += &arguments;
        }
    }
}

fn add_usage(meaning: &mut Meaning, holder: &Value) {
    for usage in [&holder["usage"], &holder["x_groq"]["usage"]] {
        if let (Some(input), Some(output)) =
            (usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64())
        {
            let reasoning = usage["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0);
            let beside = reasoning > 0 && usage["total_tokens"] == json!(input + output + reasoning);
            meaning.usage = (input, if beside { output + reasoning } else { output });
            return;
        }
    }
}

fn add_finish(meaning: &mut Meaning, choice: &Value) {
    if let Some(word) = choice["finish_reason"].as_str().filter(|word| !word.is_empty())
        && meaning.finish.is_empty()
    {
        meaning.finish = match word {
            "eos" | "eos_token" => "stop".to_owned(),
            "model_length" => "length".to_owned(),
            other => other.to_owned(),
        };
    }
}

fn settle(mut meaning: Meaning) -> Meaning {
    if matches!(meaning.finish.as_str(), "" | "stop") {
        meaning.finish = if meaning.calls.is_empty() { "stop" } else { "tool_calls" }.to_owned();
    }
    meaning
}

fn oracle_of_answer(answer: &Value) -> Meaning {
    let mut meaning = Meaning::default();
    let choice = &answer["choices"][0];
    let message = if choice["message"].is_object() { &choice["message"] } else { &choice["delta"] };
    add_message(&mut meaning, message, true);
    add_finish(&mut meaning, choice);
    add_usage(&mut meaning, answer);
    settle(meaning)
}

/// `None` when the stream reports an error.
fn oracle_of_stream(stream: &str) -> Option<Meaning> {
    let mut meaning = Meaning::default();
    for line in stream.lines().filter_map(|line| line.strip_prefix("data:")) {
        let Ok(chunk) = serde_json::from_str::<Value>(line) else { continue };
        if chunk.get("error").is_some() {
            return None;
        }
        for choice in chunk["choices"].as_array().into_iter().flatten().filter(|one| one["index"] == 0) {
            add_message(&mut meaning, &choice["delta"], false);
            add_finish(&mut meaning, choice);
        }
        add_usage(&mut meaning, &chunk);
    }
    Some(settle(meaning))
}

fn meaning_of(answer: &ChatResponse) -> Meaning {
    let mut meaning = Meaning { finish: answer.finish.as_str().to_owned(), ..Meaning::default() };
    for block in &answer.blocks {
        match block {
            Block::Text { text, .. } => meaning.text += text,
            Block::Refusal(text) => meaning.refusal += text,
            Block::Thought(thought) => meaning.reasoning += &thought.text,
            Block::ToolCall(call) => meaning.calls.push((call.name.clone(), call.arguments.clone())),
            Block::Citations(_) | Block::Opaque(_) => {}
        }
    }
    if let Some(usage) = answer.usage {
        meaning.usage = (usage.input_tokens, usage.output_tokens);
    }
    meaning
}

// === streams ===

fn decode_stream(stream: &[u8], cut: usize) -> Result<Vec<ChatEvent>, String> {
    let (mut frames, mut decoder, mut events) = (Frames::default(), OpenAiChat.decoder(), Vec::new());
    for piece in stream.chunks(cut) {
        frames.push(piece).map_err(|error| error.to_string())?;
        while let Some(frame) = frames.next_frame() {
            check_places(&frame, &mut events, decoder.as_mut())?;
        }
    }
    if let Some(frame) = frames.rest() {
        check_places(&frame, &mut events, decoder.as_mut())?;
    }
    decoder.finish(&mut events).map_err(|error| error.to_string())?;
    Ok(events)
}

/// Decodes a frame and checks that every delta that says where it stands does stand there.
fn check_places(
    frame: &gatehouse_wire::sse::Frame,
    events: &mut Vec<ChatEvent>,
    decoder: &mut dyn gatehouse_wire::codec::StreamDecoder,
) -> Result<(), String> {
    let before = events.len();
    decoder.frame(frame, events).map_err(|error| error.to_string())?;
    let data = frame.data();
    for event in &events[before..] {
        if let ChatEvent::Delta { text, at: Some(at), .. } = event {
            let quoted = [b"\"", &data[at.clone()], b"\""].concat();
            assert_eq!(serde_json::from_slice::<String>(&quoted).ok().as_ref(), Some(text));
        }
    }
    Ok(())
}

fn encode_stream(events: &[ChatEvent]) -> Vec<u8> {
    let mut encoder = OpenAiChat.encoder(ReplyContext { include_usage: true, ..ReplyContext::default() });
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

/// What the dialect itself cannot say: adjacent pieces, ids of thoughts, the provider's own stop word.
fn normal(mut answer: ChatResponse) -> ChatResponse {
    (answer.native_finish, answer.stop_sequence, answer.service_tier) = (None, None, None);
    if answer.finish == Finish::StopSequence {
        answer.finish = Finish::Stop;
    }
    answer.created = answer.created.filter(|created| *created > 0);
    // Details come in order of their own, and calls without arguments get an empty object.
    let mut blocks: Vec<Block> = Vec::new();
    for block in answer.blocks {
        match (blocks.last_mut(), block) {
            (Some(Block::Text { text, .. }), Block::Text { text: more, .. }) => text.push_str(&more),
            (_, Block::ToolCall(mut call)) => {
                if call.arguments.is_empty() {
                    call.arguments.push_str("{}");
                }
                blocks.push(Block::ToolCall(call));
            }
            (_, block) => blocks.push(block),
        }
    }
    blocks.sort_by_key(|block| match block {
        Block::Thought(_) => 0,
        Block::Text { .. } => 1,
        Block::Refusal(_) => 2,
        Block::ToolCall(_) => 3,
        Block::Citations(_) => 4,
        Block::Opaque(_) => 5,
    });
    answer.blocks = blocks;
    answer
}

fn check_stream(name: &str, stream: &str) {
    let whole = decode_stream(stream.as_bytes(), stream.len().max(1))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    for cut in [1, 7, 64] {
        assert_eq!(decode_stream(stream.as_bytes(), cut).unwrap(), whole, "{name} cut at {cut}");
    }
    let Some(expected) = oracle_of_stream(stream) else {
        assert!(fold(&whole).is_err(), "{name}: the provider's error is lost");
        return;
    };
    let answer = fold(&whole).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(meaning_of(&answer), expected, "{name}");
    let again = decode_stream(&encode_stream(&whole), 64).unwrap();
    assert_eq!(normal(fold(&again).unwrap()), normal(answer), "{name}: not the same after re-encoding");
}

fn check_answer(name: &str, answer: &Value) {
    let doc = parse(answer, Strictness::Provider);
    let decoded = match OpenAiChat.decode_answer(&doc) {
        Ok(decoded) => decoded,
        Err(error) => {
            assert!(answer.get("error").is_some(), "{name}: {error}");
            assert!(OpenAiChat.summary(&doc).error.is_some(), "{name}");
            return;
        }
    };
    let expected = oracle_of_answer(answer);
    let summary = OpenAiChat.summary(&doc);
    assert_eq!(summary.usage, decoded.usage, "{name}");
    assert_eq!(summary.finish.unwrap_or(&expected.finish), expected.finish, "{name}");
    for span in OpenAiChat.answer_spans(&doc) {
        let quoted = format!("\"{}\"", doc.slice(span.range));
        serde_json::from_str::<String>(&quoted).unwrap();
    }
    assert_eq!(meaning_of(&decoded), expected, "{name}");
    let bytes = OpenAiChat.encode_answer(&decoded, &ReplyContext::default());
    let again = Doc::parse(Bytes::from(bytes), Strictness::Caller).unwrap();
    let again = OpenAiChat.decode_answer(&again).unwrap();
    assert_eq!(normal(again), normal(decoded), "{name}: not the same after re-encoding");
}

#[test]
fn answers_and_streams_mean_what_they_meant() {
    let (mut answers, mut streams) = (0, 0);
    let recorded = exchanges().into_iter().filter(|one| one.status == 200);
    let recorded = recorded.map(|one| (one.file, one.answer, one.stream));
    for (name, answer, stream) in recorded.chain(fixtures()) {
        if let Some(answer) = answer {
            check_answer(&name, &answer);
            answers += 1;
        }
        if let Some(stream) = stream {
            check_stream(&name, &stream);
            streams += 1;
        }
    }
    println!("{answers} answers, {streams} streams");
}

fn sorted(mut request: ChatRequest) -> ChatRequest {
    request.extensions.sort_by(|one, other| one.path.cmp(&other.path));
    request.include_usage = request.stream;
    if let Some(reasoning) = &mut request.reasoning {
        reasoning.visible = true;
    }
    for part in request.turns.iter_mut().flat_map(|turn| match turn {
        Turn::User(parts) => parts.as_mut_slice(),
        _ => &mut [],
    }) {
        match part {
            // OpenAI wants a name for every document.
            Part::Media(media) if media.name.is_none() && media.kind == MediaKind::Document => {
                media.name = Some("document.pdf".to_owned());
            }
            _ => {}
        }
    }
    request
}

#[test]
fn requests_go_there_and_back() {
    let mut count = 0;
    for exchange in exchanges().into_iter().filter(|one| one.status == 200) {
        let name = &exchange.file;
        let doc = parse(&exchange.request, Strictness::Caller);
        let view = OpenAiChat.view(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(Some(view.model.as_ref().unwrap().0.as_str()), exchange.request["model"].as_str());
        let mut request = OpenAiChat.decode_request(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
        let encoded = OpenAiChat.encode_request(&request, &target(&request.model, &GENEROUS));
        if request.candidates.is_some() {
            assert!(encoded.is_err(), "{name}");
            continue;
        }
        let encoded = encoded.unwrap_or_else(|error| panic!("{name}: {error}"));
        if encoded.dropped == ["service_tier"] {
            // Groq's `on_demand` is a word of its own.
            request.service_tier = None;
        } else {
            assert_eq!(encoded.dropped, Vec::<String>::new(), "{name}");
        }
        let again = Doc::parse(Bytes::from(encoded.body), Strictness::Caller).unwrap();
        OpenAiChat.view(&again).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = OpenAiChat.decode_request(&again).unwrap();
        assert_eq!(sorted(again), sorted(request), "{name}");
        count += 1;
    }
    println!("{count} requests");
}

#[test]
fn the_same_dialect_changes_the_model_and_asks_for_usage() {
    let mut count = 0;
    for exchange in exchanges().into_iter().filter(|one| one.status == 200) {
        let doc = parse(&exchange.request, Strictness::Caller);
        let view = OpenAiChat.view(&doc).unwrap();
        let quirks = Quirks { seals: Some(Origin::OpenRouter), ..Quirks::NONE };
        let rewrite = OpenAiChat.rewrite(&doc, &view, &target("other", &quirks)).unwrap();
        let sent: Value = serde_json::from_slice(&splice(doc.bytes(), &rewrite.edits)).unwrap();
        let mut expected = exchange.request.clone();
        let members = expected.as_object_mut().unwrap();
        members.insert("model".to_owned(), json!("other"));
        if let Some(limit) = members.remove("max_tokens") {
            members.entry("max_completion_tokens").or_insert(limit);
        }
        if members.get("tool_choice") == Some(&json!("any")) {
            members.insert("tool_choice".to_owned(), json!("required"));
        }
        if view.stream {
            members.entry("stream_options").or_insert(json!({}))["include_usage"] = json!(true);
        }
        assert_eq!(sent, expected, "{}", exchange.file);
        assert!(rewrite.dropped.is_empty());
        count += 1;
    }
    println!("{count} requests");
}
