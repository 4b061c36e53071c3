//! Runs over recorded rankings, and over embeddings of Vertex AI and Amazon Bedrock, where they are present. The
//! recordings do not ship with the project: without them this test passes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail loudly, and the oracle reads numbers in its own way"
)]

use bytes::Bytes;
use gatehouse_wire::embeddings::{BedrockCohereEmbed, BedrockTitanEmbed, EmbedProviderCodec, VertexPredict};
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::rerank::{CohereRerank, JinaRerank, RerankCodec, decode_request, view};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Exchanges that went well; none where there are no recordings.
fn exchanges(folder: &str) -> Vec<(PathBuf, Value)> {
    let root = std::env::var_os("GATEHOUSE_RECORDED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded"),
        PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
        return Vec::new();
    };
    let read = |path: PathBuf| {
        let exchange: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        (path, exchange)
    };
    let all = entries.flatten().map(|entry| read(entry.path()));
    all.filter(|(_, exchange)| exchange["response"]["status"] == 200).collect()
}

fn doc(value: &Value) -> Doc {
    Doc::parse(Bytes::from(value.to_string()), Strictness::Provider).unwrap()
}

#[test]
fn rankings_are_read_as_they_are() {
    let codecs: [(&str, &dyn RerankCodec); 2] =
        [("cohere/rerank", &CohereRerank), ("llamacpp/rerank", &JinaRerank)];
    for (folder, codec) in codecs {
        for (path, exchange) in exchanges(folder) {
            let (asked, said) = (&exchange["request"]["body"], &exchange["response"]["body"]);
            let seen = view(&doc(asked)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let request = decode_request(&doc(asked)).unwrap();
            assert_eq!(seen.spans.len(), request.documents.len() + 1);
            let answer = codec.decode_answer(&doc(said)).unwrap();
            let places = said["results"].as_array().unwrap();
            let indexes: Vec<Option<u64>> = places.iter().map(|place| place["index"].as_u64()).collect();
            let found: Vec<Option<u64>> = answer.results.iter().map(|place| Some(place.index)).collect();
            assert_eq!(found, indexes, "{}", path.display());
            let usage = answer.usage.unwrap();
            let tokens = said["usage"]["total_tokens"].as_u64().unwrap_or_default();
            let units = said["meta"]["billed_units"]["search_units"].as_u64().unwrap_or_default();
            assert_eq!((usage.input_tokens, usage.search_units), (tokens, units), "{}", path.display());
        }
    }
}

#[test]
fn vectors_of_the_clouds_are_read_as_they_are() {
    for (path, exchange) in exchanges("vertex/predict") {
        let body = &exchange["response"]["body"];
        let answer = VertexPredict.decode_answer(&Bytes::from(body.to_string())).unwrap();
        let predictions = body["predictions"].as_array().unwrap();
        assert_eq!(answer.vectors.len(), predictions.len(), "{}", path.display());
        let count = |one: &Value| one["embeddings"]["statistics"]["token_count"].as_u64().unwrap();
        assert_eq!(answer.usage.unwrap().input_tokens, predictions.iter().map(count).sum::<u64>());
    }
    for (path, exchange) in exchanges("bedrock/invoke") {
        let url = exchange["request"]["url"].as_str().unwrap_or_default();
        let body = &exchange["response"]["body"];
        let raw = Bytes::from(body.to_string());
        if url.contains("titan-embed-text") {
            let answer = BedrockTitanEmbed.decode_answer(&raw).unwrap();
            assert_eq!(answer.usage.unwrap().input_tokens, body["inputTextTokenCount"].as_u64().unwrap());
        } else if url.contains("cohere.embed") {
            let asked = exchange["request"]["body"]["texts"].as_array().unwrap();
            let answer = BedrockCohereEmbed.decode_answer(&raw);
            assert_eq!(answer.unwrap().vectors.len(), asked.len(), "{}", path.display());
        }
    }
}
