//! Every recorded exchange of the completions dialect, when the recordings are at hand.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may say what it expects, also in its helpers"
)]

use bytes::Bytes;
use gatehouse_core::content::splice;
use gatehouse_core::deployment::Capabilities;
use gatehouse_wire::chat::{Block, ChatEvent, ChatResponse, events, fold};
use gatehouse_wire::codec::{Codec, ProviderCodec as _, Quirks, ReplyContext, Target};
use gatehouse_wire::completions::Completions;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::sse::Frames;
use serde_json::Value;
use std::path::PathBuf;

fn recorded() -> Option<PathBuf> {
    let given = std::env::var_os("GATEHOUSE_RECORDED").map(PathBuf::from);
    let folder = given
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded"));
    folder.join("INDEX.jsonl").is_file().then_some(folder)
}

fn doc(text: String, strictness: Strictness) -> Doc {
    Doc::parse(Bytes::from(text), strictness).unwrap()
}

/// What an answer says, read without any of our code.
#[derive(Debug, Default, PartialEq)]
struct Oracle {
    text: String,
    finish: Option<String>,
    total_tokens: Option<u64>,
}

impl Oracle {
    fn of_body(body: &Value) -> Self {
        let choice = &body["choices"][0];
        Self {
            text: choice["text"].as_str().unwrap_or_default().to_owned(),
            finish: choice["finish_reason"].as_str().map(str::to_owned),
            total_tokens: body["usage"]["total_tokens"].as_u64(),
        }
    }

    fn of_stream(text: &str) -> Self {
        let mut whole = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let Ok(chunk) = serde_json::from_str::<Value>(line) else { continue };
            let one = Self::of_body(&chunk);
            whole.text.push_str(&one.text);
            whole.finish = whole.finish.or(one.finish);
            whole.total_tokens = one.total_tokens.or(whole.total_tokens);
        }
        whole
    }

    fn of_answer(answer: &ChatResponse) -> Self {
        let text = |block: &Block| match block {
            Block::Text { text, .. } => text.clone(),
            other => panic!("{other:?} in a text"),
        };
        Self {
            text: answer.blocks.iter().map(text).collect(),
            finish: answer.native_finish.clone(),
            total_tokens: answer.usage.map(|usage| usage.total_tokens()),
        }
    }
}

fn decode(bytes: &[u8], cut: usize) -> Option<Vec<ChatEvent>> {
    let (mut frames, mut decoder, mut out) = (Frames::default(), Completions.decoder(), Vec::new());
    for piece in bytes.chunks(cut) {
        frames.push(piece).unwrap();
        while let Some(frame) = frames.next_frame() {
            decoder.frame(&frame, &mut out).unwrap();
        }
    }
    if let Some(frame) = frames.rest() {
        decoder.frame(&frame, &mut out).unwrap();
    }
    decoder.finish(&mut out).ok()?;
    Some(out)
}

fn check_request(body: &Value) {
    let doc = doc(body.to_string(), Strictness::Caller);
    let view = Completions.view(&doc).unwrap();
    let target =
        Target { model: "other", capabilities: Capabilities::default(), quirks: &Quirks::COMPATIBLE };

    let request = Completions.decode_request(&doc).unwrap();
    let encoded = Completions.encode_request(&request, &target).unwrap();
    let again = Doc::parse(Bytes::from(encoded.body), Strictness::Caller).unwrap();
    let mut back = Completions.decode_request(&again).unwrap();
    (back.model, back.include_usage) = (request.model.clone(), request.include_usage);
    assert_eq!(back, request);

    let rewrite = Completions.rewrite(&doc, &view, &target).unwrap();
    let mut sent: Value = serde_json::from_slice(&splice(doc.bytes(), &rewrite.edits)).unwrap();
    let mut expected = body.clone();
    expected["model"] = "other".into();
    if view.stream {
        assert_eq!(sent["stream_options"]["include_usage"], true);
        sent.as_object_mut().unwrap().remove("stream_options");
        expected.as_object_mut().unwrap().remove("stream_options");
    }
    assert_eq!(sent, expected);
}

fn check_answer(body: &Value) {
    let read = doc(body.to_string(), Strictness::Provider);
    let answer = Completions.decode_answer(&read).unwrap();
    assert_eq!(Oracle::of_answer(&answer), Oracle::of_body(body));
    assert_eq!(Completions.summary(&read).usage, answer.usage);
    let written = Completions.encode_answer(&answer, &ReplyContext::default());
    let again = Doc::parse(Bytes::from(written), Strictness::Provider).unwrap();
    let back = Completions.decode_answer(&again).unwrap();
    assert_eq!((back.blocks, back.finish, back.usage), (answer.blocks, answer.finish, answer.usage));
}

fn check_stream(text: &str) -> bool {
    let Some(whole) = decode(text.as_bytes(), text.len()) else { return false };
    let answer = fold(&whole).unwrap();
    assert_eq!(Oracle::of_answer(&answer), Oracle::of_stream(text));
    for cut in [1, 7, 64] {
        assert_eq!(fold(&decode(text.as_bytes(), cut).unwrap()).unwrap(), answer, "cut at {cut}");
    }
    for source in [whole, events(&answer)] {
        let (mut encoder, mut out) = (Completions.encoder(ReplyContext::default()), Vec::new());
        source.iter().for_each(|event| encoder.event(event, &mut out));
        let back = fold(&decode(&out, 64).unwrap()).unwrap();
        assert_eq!((&back.blocks, back.finish), (&answer.blocks, answer.finish));
    }
    true
}

#[test]
fn every_recorded_completion() {
    let Some(folder) = recorded() else {
        println!("no recordings at hand");
        return;
    };
    let (mut requests, mut answers, mut streams, mut foreign) = (0, 0, 0, 0);
    for line in std::fs::read_to_string(folder.join("INDEX.jsonl")).unwrap().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        if entry["api"] != "completions" {
            continue;
        }
        let path = folder.join(entry["file"].as_str().unwrap());
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        check_request(&file["request"]["body"]);
        requests += 1;
        match file["response"]["body_text"].as_str() {
            Some(text) if check_stream(text) => streams += 1,
            // Writer's stream has a form of its own (`{"value": …}`): refused as not whole.
            Some(_) => foreign += 1,
            None => {
                check_answer(&file["response"]["body"]);
                answers += 1;
            }
        }
    }
    println!("{requests} requests, {answers} answers, {streams} streams, {foreign} of another form");
    assert!(foreign <= 1);
}
