//! Rankings: one front, every form that providers have.

use crate::client::{Answer, Ask};
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

/// Names in the configuration, and the model that is asked for there.
const RANKERS: [(&str, &str); 7] = [
    ("coheres", "rerank-v4"),
    ("jinas", "jina-reranker-v3"),
    ("voyages", "rerank-2.5"),
    ("teis", "bge-reranker"),
    ("vllms", "bge-reranker"),
    ("bedrock", "cohere.rerank-v3-5:0"),
    ("bedrock", "amazon.rerank-v1:0"),
];

fn config(provider: &Provider, more: &str) -> String {
    let at = provider.address();
    let tokens = "prices: { \"*\": { input: \"1\", output: \"2\" } }";
    let units = "prices: { \"*\": { input: \"0\", output: \"0\", search_unit: \"0.002\" } }";
    let key = "api_key: \"${PROVIDER_KEY}\"";
    format!(
        "version: 1\nlisten: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.1:0 }}\nproviders:\n\
         \x20 coheres: {{ api: cohere, base_url: \"http://{at}\", {key}, {units} }}\n\
         \x20 dear: {{ api: sim, base_url: \"http://{at}\", {key}, {tokens} }}\n\
         \x20 jinas: {{ api: jina, base_url: \"http://{at}/v1\", {key}, {tokens} }}\n\
         \x20 voyages: {{ api: voyage, base_url: \"http://{at}/voyage/v1\", {key}, {tokens} }}\n\
         \x20 teis: {{ api: tei, base_url: \"http://{at}/v1\", {key}, {tokens} }}\n\
         \x20 vllms: {{ api: vllm, base_url: \"http://{at}/v1\", {key}, {tokens} }}\n\
         \x20 bedrock: {{ api: bedrock, base_url: \"http://{at}\", aws_region: eu-central-1, {key}, {units} }}\n\
         \x20 anthropic: {{ api: anthropic, base_url: \"http://{at}\", {key} }}\n\
         retry: {{ backoff: 1ms }}\n{more}"
    )
}

fn question(model: &str) -> Value {
    json!({"model": model, "query": "red panda", "top_n": 2,
        "documents": ["nothing here", {"text": "the red panda"}, "a red fox"]})
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_provider_ranks_for_callers_of_cohere_and_of_jina() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    for (name, model) in RANKERS {
        for path in ["/v2/rerank", "/v1/rerank"] {
            let body = with(question(&format!("{name}/{model}")), "return_documents", json!(true));
            let answer = house.call(Ask::post(path, &body)).await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let said = answer.json();
            let results = json!([
                {"index": 1, "relevance_score": 1.0, "document": {"text": "the red panda"}},
                {"index": 2, "relevance_score": 0.5, "document": {"text": "a red fox"}},
            ]);
            assert_eq!(said["results"], results, "{name}");
            assert!(said["id"].as_str().is_some_and(|id| !id.is_empty()), "{said}");
            let shown = house.json(&["audit", "show", &answer.record()]).await;
            let (usage, cost) = (&shown["record"]["usage"], &shown["record"]["cost"]);
            let by_units = matches!(name, "coheres" | "bedrock");
            let nano = cost["nano"].as_u64().unwrap_or_default();
            if by_units {
                assert_eq!((usage["search_units"].as_u64(), nano), (Some(1), 2_000_000), "{name}: {shown:#}");
                assert_eq!(said["meta"]["billed_units"]["search_units"], 1, "{name}: {said}");
            } else {
                let tokens = usage["in"].as_u64().unwrap();
                assert!(tokens >= 12, "the question is read with each document: {shown:#}");
                assert_eq!(
                    (nano, &usage["search_units"]),
                    (tokens * 1_000, &Value::Null),
                    "{name}: {shown:#}"
                );
                assert_eq!(said["usage"]["total_tokens"], tokens, "{name}: {said}");
            }
            let counted = if matches!(name, "bedrock" | "teis") { "estimated" } else { "provider" };
            assert_eq!(usage["source"], counted, "{name}");
            assert_eq!(shown["record"]["op"], "rerank");
        }
    }
}

#[tokio::test]
async fn what_is_asked_is_what_each_provider_knows() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let texts = json!(["nothing here", "the red panda", "a red fox"]);
    for (name, model) in RANKERS {
        let body = with(question(&format!("{name}/{model}")), "max_tokens_per_doc", json!(512));
        let answer = house.call(Ask::post("/v2/rerank", &body)).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let sent = provider.last();
        let (path, expected) = match (name, model) {
            ("coheres", _) => (
                "/v2/rerank".to_owned(),
                json!({"model": model, "query": "red panda", "documents": texts, "top_n": 2, "max_tokens_per_doc": 512}),
            ),
            ("jinas" | "vllms", _) => (
                "/v1/rerank".to_owned(),
                json!({"model": model, "query": "red panda", "documents": texts, "top_n": 2, "return_documents": false}),
            ),
            ("voyages", _) => (
                "/voyage/v1/rerank".to_owned(),
                json!({"model": model, "query": "red panda", "documents": texts, "top_k": 2}),
            ),
            ("teis", _) => ("/rerank".to_owned(), json!({"query": "red panda", "texts": texts})),
            (_, "amazon.rerank-v1:0") => (
                "/model/amazon.rerank-v1%3A0/invoke".to_owned(),
                json!({"query": "red panda", "documents": texts, "top_n": 2}),
            ),
            _ => (
                "/model/cohere.rerank-v3-5%3A0/invoke".to_owned(),
                json!({"query": "red panda", "documents": texts, "top_n": 2, "api_version": 2, "max_tokens_per_doc": 512}),
            ),
        };
        assert_eq!((sent.path, sent.body), (path, expected), "{name}/{model}");
        let knows = name == "coheres" || model.starts_with("cohere.");
        let dropped = if knows { "" } else { "max_tokens_per_doc" };
        assert_eq!(answer.header("x-gatehouse-dropped"), dropped, "{name}/{model}");
    }
}

#[tokio::test]
async fn guardrails_read_the_question_and_every_document() {
    let provider = Provider::start().await;
    let guards = "guards:\n\
         \x20 - { name: stop, detect: words, words: [Condor], at: [input], do: block }\n\
         \x20 - { name: hide, detect: words, words: [Nightingale], at: [input], do: redact }\n";
    let house = House::start(&config(&provider, guards)).await;
    for (name, model) in RANKERS {
        let model = format!("{name}/{model}");
        for body in [
            json!({"model": model, "query": "a Condor", "documents": ["x"]}),
            json!({"model": model, "query": "x", "documents": ["x", "the condor"]}),
            json!({"model": model, "query": "x", "documents": ["x", {"text": "the \\u0063ondor"}]}),
        ] {
            let asked = body.to_string().replace("\\\\u0063", "\\u0063");
            let before = provider.sim.stats().total.received;
            let answer = house.call(Ask::post("/v2/rerank", &body).bytes(asked)).await;
            assert_eq!(code(&answer), (400, "guard_blocked".to_owned()), "{body}: {}", answer.text());
            assert!(answer.json()["message"].is_string() && answer.json()["id"].is_string());
            assert_eq!(provider.sim.stats().total.received, before, "nobody was asked");
        }
        let body = json!({"model": model, "query": "the Nightingale sings", "return_documents": true,
            "documents": [{"text": "no nightingale"}, "NIGHTINGALE, sings"]});
        let answer = house.call(Ask::post("/v2/rerank", &body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = provider.last().body_text.to_lowercase();
        assert!(!sent.contains("nightingale") && sent.contains("[redacted]"), "{sent}");
        assert!(!answer.text().to_lowercase().contains("nightingale"), "{}", answer.text());
        assert!(answer.header("x-gatehouse-guards").contains("hide=redact"));
    }
}

#[tokio::test]
async fn what_is_malformed_is_refused_by_name() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let good = question("jinas/m");
    for (name, value, param) in [
        ("query", Value::Null, "query"),
        ("query", json!(["a"]), "query"),
        ("documents", Value::Null, "documents"),
        ("documents", json!([]), "documents"),
        ("documents", json!(["a", 3]), "documents[1]"),
        ("documents", json!([{"title": "a"}]), "documents[0].text"),
        ("documents", json!([{"text": "a", "title": "b"}]), "documents[0].title"),
        ("top_n", json!("2"), "top_n"),
        ("return_documents", json!("yes"), "return_documents"),
        ("Return_Documents", json!(true), "Return_Documents"),
    ] {
        let answer = house.call(Ask::post("/v2/rerank", &with(good.clone(), name, value.clone()))).await;
        let said = answer.json();
        assert_eq!(code(&answer), (400, "invalid_request".to_owned()), "{name} {value}: {said}");
        assert_eq!(said["param"], param, "{name} {value}: {said}");
    }
    let fields = with(good.clone(), "rank_fields", json!(["title"]));
    let answer = house.call(Ask::post("/v1/rerank", &fields)).await;
    assert_eq!(code(&answer), (400, "unsupported_parameter".to_owned()), "{}", answer.text());
    let none = house.call(Ask::post("/v2/rerank", &question("anthropic/m"))).await;
    assert_eq!(code(&none), (400, "no_capable_target".to_owned()), "{}", none.text());
    let get = house.call(Ask::get("/v2/rerank")).await;
    assert_eq!(code(&get), (405, "method_not_allowed".to_owned()), "{}", get.text());
    assert_eq!(provider.sim.stats().total.received, 0);
}

#[tokio::test]
async fn what_fails_at_the_provider_is_said_in_the_callers_words() {
    let provider = Provider::start().await;
    let more = "models:\n  both: { targets: [coheres/error-503, jinas/m] }\n";
    let house = House::start(&config(&provider, more)).await;
    for name in ["coheres", "jinas", "voyages", "vllms", "bedrock"] {
        let suffix = if name == "bedrock" { "+.rerank-" } else { "" };
        for (model, status, expected) in
            [("error-500", 502, "upstream_error"), ("ratelimit-7", 429, "upstream_rate_limited")]
        {
            let answer =
                house.call(Ask::post("/v2/rerank", &question(&format!("{name}/{model}{suffix}")))).await;
            assert_eq!(code(&answer), (status, expected.to_owned()), "{name}: {}", answer.text());
        }
    }
    // Whoever names a document that there is not has not ranked these.
    let stray = json!({"results": [{"index": 3, "relevance_score": 1}]});
    provider.script(&json!({"match": {"model": "stray"}, "times": 0, "status": 200, "body": stray}));
    let stray = house.call(Ask::post("/v2/rerank", &question("jinas/stray"))).await;
    assert_eq!(code(&stray).1, "upstream_bad_response", "{}", stray.text());
    let answer = house.call(Ask::post("/v2/rerank", &question("both"))).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-target")), (200, "jinas/m"), "{}", answer.text());
}

#[tokio::test]
async fn units_without_a_price_are_unpriced_and_never_free() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let answer = house.call(Ask::post("/v2/rerank", &question("dear/m"))).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-cost")), (200, "unpriced"), "{}", answer.text());
    let many: Vec<String> = (0..250).map(|at| format!("document {at}")).collect();
    let body = json!({"model": "coheres/m", "query": "document 7", "documents": many});
    let answer = house.call(Ask::post("/v2/rerank", &body)).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-cost")), (200, "0.006"), "{}", answer.text());
    // A provider that does not count is counted for.
    provider.script(&json!({"status": 200, "body": {"results": [{"index": 1, "relevance_score": 1}]}}));
    let answer = house.call(Ask::post("/v2/rerank", &body)).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-cost")), (200, "0.006"), "{}", answer.text());
}
