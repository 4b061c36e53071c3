//! Runs over recorded embeddings of all providers where they are present. The recordings do not ship with
//! the project: without them this test says so and passes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    reason = "helpers of tests fail loudly, and the oracle reads numbers in its own way"
)]

use bytes::Bytes;
use gatehouse_core::content::splice;
use gatehouse_core::deployment::Capabilities;
use gatehouse_wire::codec::{Quirks, Target};
use gatehouse_wire::embeddings::{
    EmbedCodec, EmbedInput, EmbedProviderCodec, EmbedRequest, Encoding, GeminiEmbeddings, OpenAiEmbeddings,
};
use gatehouse_wire::json::{Doc, Strictness};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("GATEHOUSE_RECORDED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

/// Exchanges that went well, of every provider that has this operation.
fn exchanges(root: &Path, operation: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for provider in std::fs::read_dir(root).unwrap().flatten() {
        let Ok(entries) = std::fs::read_dir(provider.path().join(operation)) else { continue };
        for entry in entries.flatten() {
            let exchange: Value =
                serde_json::from_str(&std::fs::read_to_string(entry.path()).unwrap()).unwrap();
            if exchange["response"]["status"] == 200 {
                all.push((entry.path().display().to_string(), exchange));
            }
        }
    }
    all
}

fn bytes(value: &Value) -> Bytes {
    Bytes::from(serde_json::to_vec(value).unwrap())
}

fn floats(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// A request for as many texts as there were.
fn asked(count: usize, encoding: Encoding) -> EmbedRequest {
    let inputs = vec![EmbedInput::Text(String::new()); count];
    EmbedRequest { inputs, batch: true, encoding, ..EmbedRequest::default() }
}

fn check_request(codec: &dyn EmbedCodec, name: &str, exchange: &Value) -> EmbedRequest {
    let body = bytes(&exchange["request"]["body"]);
    let doc = Doc::parse(body.clone(), Strictness::Caller).unwrap();
    let view = codec.view(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
    let model = match &view.model {
        Some((model, _)) => model.clone(),
        None => {
            let named = exchange["request"]["body"]["requests"][0]["model"].as_str().unwrap();
            named.trim_start_matches("models/").to_owned()
        }
    };
    let target = Target { model: &model, capabilities: Capabilities::default(), quirks: &Quirks::NONE };
    let rewrite = codec.rewrite(&doc, &view, &target).unwrap();
    assert_eq!(splice(&body, &rewrite.edits), body, "{name}");
    let request = codec.decode_request(&doc).unwrap_or_else(|error| panic!("{name}: {error}"));
    let encoded = codec.encode_request(&request, &target).unwrap();
    let again = Doc::parse(Bytes::from(encoded.body), Strictness::Caller).unwrap();
    assert_eq!(codec.decode_request(&again).unwrap().inputs, request.inputs, "{name}");
    request
}

#[test]
fn recorded_embeddings_of_openai_and_those_who_imitate_it() {
    let Some(root) = recordings() else {
        println!("no recordings here: skipped");
        return;
    };
    let mut ran = 0;
    for (name, exchange) in exchanges(&root, "embeddings") {
        let request = check_request(&OpenAiEmbeddings, &name, &exchange);
        let body = &exchange["response"]["body"];
        let answer = OpenAiEmbeddings.decode_answer(&bytes(body)).unwrap();
        let total = body["usage"]["prompt_tokens"].as_u64().or(body["usage"]["total_tokens"].as_u64());
        assert_eq!(answer.usage.map(|usage| usage.input_tokens), total, "{name}");
        assert_eq!(OpenAiEmbeddings.summary(&bytes(body)).usage, answer.usage, "{name}");
        assert_eq!(answer.vectors.len(), request.inputs.len(), "{name}");
        ran += 1;
        let Value::Array(_) = &body["data"][0]["embedding"] else { continue };
        // There and back through base64 changes no number.
        let packed = asked(answer.vectors.len(), Encoding::Base64);
        let packed = Bytes::from(OpenAiEmbeddings.encode_answer(&answer, &packed, "m").unwrap());
        let packed = OpenAiEmbeddings.decode_answer(&packed).unwrap();
        let plain = asked(answer.vectors.len(), Encoding::Float);
        let plain: Value =
            serde_json::from_slice(&OpenAiEmbeddings.encode_answer(&packed, &plain, "m").unwrap()).unwrap();
        for (ours, theirs) in plain["data"].as_array().unwrap().iter().zip(body["data"].as_array().unwrap()) {
            assert_eq!(floats(&ours["embedding"]), floats(&theirs["embedding"]), "{name}");
        }
    }
    println!("{ran} recorded embeddings in OpenAI's dialect");
}

#[test]
fn recorded_embeddings_of_gemini() {
    let Some(root) = recordings() else {
        println!("no recordings here: skipped");
        return;
    };
    let mut ran = 0;
    for (name, exchange) in exchanges(&root, "embed") {
        if !name.contains("/gemini/") {
            continue;
        }
        let request = check_request(&GeminiEmbeddings, &name, &exchange);
        let body = &exchange["response"]["body"];
        let answer = GeminiEmbeddings.decode_answer(&bytes(body)).unwrap();
        let total = body["usageMetadata"]["promptTokenCount"].as_u64();
        assert_eq!(answer.usage.map(|usage| usage.input_tokens), total, "{name}");
        let written = GeminiEmbeddings.encode_answer(&answer, &request, "m").unwrap();
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(written["embeddings"], body["embeddings"], "{name}");
        ran += 1;
    }
    println!("{ran} recorded embeddings in Gemini's dialect");
}
