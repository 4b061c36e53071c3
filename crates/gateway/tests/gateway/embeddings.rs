//! Embeddings at providers with forms of their own, through both fronts.

use crate::client::Ask;
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

/// Names in the configuration, the model there, where it is asked, and how often for three texts.
const EMBEDDERS: [(&str, &str, &str, u64); 7] = [
    ("jinas", "jina-embeddings-v4", "/v1/embeddings", 1),
    ("voyages", "voyage-4", "/voyage/v1/embeddings", 1),
    ("bedrock", "amazon.titan-embed-text-v2:0", "/model/amazon.titan-embed-text-v2%3A0/invoke", 3),
    ("bedrock", "cohere.embed-v4:0", "/model/cohere.embed-v4%3A0/invoke", 1),
    ("coheres", "embed-v4.0", "/v2/embed", 1),
    ("vertex", "text-embedding-005", "google/models/text-embedding-005:predict", 1),
    ("vertex", "gemini-embedding-001", "google/models/gemini-embedding-001:predict", 3),
];

fn config(provider: &Provider) -> String {
    let at = provider.address();
    let prices = "prices: { \"*\": { input: \"1\", output: \"2\" } }";
    let key = "api_key: \"${PROVIDER_KEY}\"";
    format!(
        "version: 1\nlisten: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.1:0 }}\nproviders:\n\
         \x20 jinas: {{ api: jina, base_url: \"http://{at}/v1\", {key}, {prices} }}\n\
         \x20 voyages: {{ api: voyage, base_url: \"http://{at}/voyage/v1\", {key}, {prices} }}\n\
         \x20 coheres: {{ api: cohere, base_url: \"http://{at}\", {key}, {prices} }}\n\
         \x20 bedrock: {{ api: bedrock, base_url: \"http://{at}\", aws_region: eu-central-1, {key}, {prices} }}\n\
         \x20 vertex: {{ api: vertex, base_url: \"http://{at}\", project: our-project, {key}, {prices} }}\n\
         retry: {{ backoff: 1ms, attempts: 0 }}\n"
    )
}

#[tokio::test]
async fn vectors_are_the_same_everywhere_and_what_they_cost_is_the_sum() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider)).await;
    let mut seen: Option<Value> = None;
    for (name, model, path, asks) in EMBEDDERS {
        let model = format!("{name}/{model}");
        let before = provider.sim.stats().total.received;
        let body = json!({"model": model, "input": ["a b", "c", "d e f"], "dimensions": 4});
        let openai = house.call(Ask::post("/v1/embeddings", &body)).await;
        assert_eq!(openai.status, 200, "{model}: {}", openai.text());
        assert!(provider.last().path.ends_with(path), "{model}: {}", provider.last().path);
        assert_eq!(provider.sim.stats().total.received - before, asks, "{model}");
        let vectors: Vec<Value> =
            openai.json()["data"].as_array().unwrap().iter().map(|one| one["embedding"].clone()).collect();
        assert_eq!(vectors[2].as_array().map(Vec::len), Some(4), "{model}");
        assert_eq!(*seen.get_or_insert(json!(vectors)), json!(vectors), "{model}");
        assert_eq!(openai.json()["usage"]["total_tokens"], 6, "{model}");
        assert_eq!(openai.header("x-gatehouse-cost"), "0.000006", "{model}");
        let part = |text: &str| {
            json!({"model": "models/m", "content": {"parts": [{"text": text}]}, "outputDimensionality": 4,
                "taskType": "RETRIEVAL_QUERY"})
        };
        let body = json!({"requests": [part("a b"), part("c"), part("d e f")]});
        let gemini = house.call(Ask::post(format!("/v1beta/models/{model}:batchEmbedContents"), &body)).await;
        assert_eq!(gemini.status, 200, "{model}: {}", gemini.text());
        let found: Vec<Value> =
            gemini.json()["embeddings"].as_array().unwrap().iter().map(|one| one["values"].clone()).collect();
        assert_eq!(found, vectors, "{model}");
        let sent = provider.last().body_text;
        let words =
            [r#""input_type":"query""#, r#""input_type":"search_query""#, r#""task_type":"RETRIEVAL_QUERY""#];
        let knows = words.iter().any(|word| sent.contains(word));
        assert_eq!(knows, !gemini.header("x-gatehouse-dropped").contains("taskType"), "{model}: {sent}");
        let body = json!({"model": model, "texts": ["a b", "c", "d e f"], "input_type": "search_query",
            "output_dimension": 4, "embedding_types": ["float"]});
        let cohere = house.call(Ask::post("/v2/embed", &body)).await;
        assert_eq!(cohere.status, 200, "{model}: {}", cohere.text());
        let said = cohere.json();
        assert_eq!(said["embeddings"]["float"], json!(vectors), "{model}");
        assert_eq!(said["meta"]["billed_units"]["input_tokens"], 6, "{model}: {said}");
        assert!(said["id"].as_str().is_some_and(|id| !id.is_empty()), "{model}: {said}");
        let dropped = cohere.header("x-gatehouse-dropped");
        assert_eq!(knows, !dropped.contains("input_type"), "{model}: {dropped}");
    }
}

#[tokio::test]
async fn pieces_that_came_before_a_failure_are_paid_for() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider)).await;
    let model = "bedrock/amazon.titan-embed-text-v2:0";
    provider.script(&json!({"status": 200, "body": {"embedding": [1.0], "inputTextTokenCount": 5}}));
    provider.script(&json!({"status": 500}));
    let answer = house.call(Ask::post("/v1/embeddings", &json!({"model": model, "input": ["a", "b"]}))).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(answer.header("x-gatehouse-cost"), "0.000005");
    let sized = json!({"model": "bedrock/cohere.embed-english-v3", "input": "a", "dimensions": 8});
    let sized = house.call(Ask::post("/v1/embeddings", &sized)).await;
    assert_eq!((sized.status, sized.json()["error"]["param"].as_str()), (400, Some("dimensions")));
    let tokens = house.call(Ask::post("/v1/embeddings", &json!({"model": model, "input": [[1, 2]]}))).await;
    assert_eq!((tokens.status, tokens.json()["error"]["param"].as_str()), (400, Some("input")));
    let none = json!({"model": "bedrock/amazon.nova-lite-v1:0", "input": "a"});
    let none = house.call(Ask::post("/v1/embeddings", &none)).await;
    assert_eq!((none.status, none.json()["error"]["code"].as_str()), (400, Some("no_capable_target")));
}
