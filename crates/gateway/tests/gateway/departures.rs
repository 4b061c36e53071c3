//! Callers that leave, keys that are revoked and gateways that die in the middle of a call.

use crate::client::Ask;
use crate::front::{FRONTS, Front};
use crate::house::House;
use crate::provider::Provider;
use crate::records::paid;
use serde_json::{Value, json};

const PROMPT: &str =
    "tell me a story that is long enough to be left in the middle of it, word by word by word";

async fn aborted(house: &House) -> Value {
    let record = house.records_once(1).await.remove(0);
    assert_eq!((&record["outcome"], &record["status"]), (&json!("aborted"), &json!(499)), "{record}");
    assert_eq!(record["usage_source"], "estimated", "{record}");
    paid(&record, "aborted");
    record
}

#[tokio::test]
async fn who_leaves_before_the_answer_cancels_the_provider() {
    for stream in [false, true] {
        let provider = Provider::start().await;
        let house = House::start(&provider.config("")).await;
        let ask = Front::Chat.ask_with("openai/slow-60000", PROMPT, stream, &json!({})).key(&house.key);
        let calls = house.calls.clone();
        let waiting = tokio::spawn(async move { ask.open(&calls).await.status });
        provider.wait(|counts| counts.received == 1).await;
        waiting.abort();
        provider.wait(|counts| counts.cancelled == 1 && counts.in_flight == 0).await;
        let record = aborted(&house).await;
        assert_eq!((&record["output_tokens"], &record["stream"]), (&json!(0), &json!(stream)), "{record}");
    }
}

#[tokio::test]
async fn who_leaves_before_the_body_is_there_costs_nothing() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{",
        house.key
    );
    let mut socket = tokio::net::TcpStream::connect(&house.calls).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await.unwrap();
    drop(socket);
    let record = house.records_once(1).await.remove(0);
    assert_eq!((&record["usage_source"], &record["input_tokens"]), (&json!("none"), &json!(0)), "{record}");
    assert_eq!(provider.sim.stats().total.received, 0);
}

#[tokio::test]
async fn who_leaves_in_the_middle_of_a_stream_cancels_the_provider() {
    for (front, own) in FRONTS {
        for kind in [own, if own == "anthropic" { "openai" } else { "anthropic" }] {
            let provider = Provider::start().await;
            let house = House::start(&provider.config("")).await;
            let mut live = house.open(front.stream(&format!("{kind}/stall-6"), PROMPT)).await;
            assert_eq!(live.status, 200);
            live.read_until("You").await;
            drop(live);
            provider.wait(|counts| counts.cancelled == 1 && counts.in_flight == 0).await;
            let record = aborted(&house).await;
            assert!(record["output_tokens"].as_u64() > Some(0), "{front:?} {kind}: {record}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_revoked_ends_its_streams() {
    // A stream that flows, and one in which nothing happens.
    for model in ["openai/drip-50", "openai/stall-3"] {
        let provider = Provider::start().await;
        let house = House::start(&provider.config("")).await;
        let (id, key) = house.new_key(&[]).await;
        let mut live = house.open(Front::Chat.stream(model, &PROMPT.repeat(9)).key(&key)).await;
        live.read_until("You").await;
        assert!(house.command(&["key", "revoke", &id]).await.status.success());
        let answer = live.rest().await;
        assert_eq!(Front::Chat.code_in(&answer), "invalid_api_key", "{}", answer.text());
        provider.wait(|counts| counts.cancelled == 1 && counts.in_flight == 0).await;
        let record = house.records_once(1).await.remove(0);
        assert_eq!(
            (&record["outcome"], &record["error"]),
            (&json!("failed"), &json!("invalid_api_key")),
            "{record}"
        );
        paid(&record, "revoked");
        let again = house.call(Front::Chat.ask("openai/m", "hi").key(&key)).await;
        assert_eq!((again.status, Front::Chat.code(&again.json()).as_str()), (401, "invalid_api_key"));
    }
}

#[tokio::test]
async fn a_crash_settles_what_was_open_and_frees_no_budget() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let (id, key) = house.new_key(&["--budget", "0.003 USD"]).await;
    // A call may cost a bit more than 0.002 USD: one fits, two do not.
    let limit = json!({"max_tokens": 1_000});
    let ask = |model: &str, stream| -> Ask { Front::Chat.ask_with(model, "hi", stream, &limit).key(&key) };
    let mut live = house.open(ask("openai/stall-3", true)).await;
    live.read_until("You").await;
    let house = house.crash_and_restart().await;
    drop(live);
    let record = house.records_once(1).await.remove(0);
    assert_eq!((&record["error"], &record["key"]), (&json!("interrupted"), &json!(id)), "{record}");
    assert_eq!(record["cost_status"], "estimated", "{record}");
    let cost: f64 = record["cost_usd"].as_str().unwrap().parse().unwrap();
    assert!(cost > 0.002 && cost < 0.003, "{record}");
    let answer = house.call(ask("openai/m", false)).await;
    assert_eq!((answer.status, Front::Chat.code(&answer.json()).as_str()), (402, "budget_exceeded"));
    let house = house.crash_and_restart().await;
    assert_eq!(house.records_once(2).await.len(), 2);
    assert_eq!(house.leaves(), (1, 2), "a call is settled once");
}

#[tokio::test]
async fn what_guardrails_saw_before_the_caller_left_is_in_the_record() {
    let provider = Provider::start().await;
    let guard = "guards:\n  - { name: seen, detect: words, words: [you], at: [output], do: flag }\n";
    let house = House::start(&provider.config(guard)).await;
    let mut live = house.open(Front::Chat.stream("openai/stall-9", PROMPT)).await;
    live.read_until("You").await;
    drop(live);
    let record = house.records_once(1).await.remove(0);
    let shown = house.json(&["audit", "show", record["record"].as_str().unwrap()]).await;
    assert!(shown.to_string().contains(r#""id":"seen","outcome":"flag""#), "{shown}");
}

#[tokio::test]
async fn who_does_not_read_keeps_nothing_beyond_the_total() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let body =
        json!({"model": "openai/big-16000", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let (body, key) = (body.to_string(), &house.key);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-gatehouse-timeout: 12s\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = tokio::net::TcpStream::connect(&house.calls).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await.unwrap();
    // Not a byte is read, and still the call comes to its end and its provider is left.
    provider.wait(|counts| counts.cancelled == 1 && counts.in_flight == 0).await;
    let record = house.records_once(1).await.remove(0);
    assert_eq!(record["outcome"], "aborted", "{record}");
    drop(socket);
}

#[tokio::test]
async fn every_answer_that_is_asked_for_is_reserved_for() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    // Room for one answer of a thousand tokens, and not for eight.
    let (_, key) = house.new_key(&["--budget", "0.012 USD"]).await;
    for (path, body) in [
        (
            "/v1/chat/completions",
            json!({"n": 8, "max_tokens": 1_000, "messages": [{"role": "user", "content": "x"}]}),
        ),
        ("/v1/completions", json!({"best_of": 8, "max_tokens": 1_000, "prompt": "x"})),
        ("/v1/completions", json!({"n": 2, "max_tokens": 1_000, "prompt": ["a", "b", "c", "d"]})),
    ] {
        let mut body = body;
        body["model"] = json!("openai/m");
        let answer = house.call(Ask::post(path, &body).key(&key)).await;
        assert_eq!(answer.status, 402, "{path}: {}", answer.text());
    }
    let body = json!({"generationConfig": {"candidateCount": 8, "maxOutputTokens": 1_000},
        "contents": [{"role": "user", "parts": [{"text": "x"}]}]});
    let answer = house.call(Ask::post("/v1beta/models/gemini/m:generateContent", &body).key(&key)).await;
    assert_eq!(answer.status, 402, "{}", answer.text());
    let one =
        json!({"model": "openai/m", "max_tokens": 1_000, "messages": [{"role": "user", "content": "x"}]});
    assert_eq!(house.call(Ask::post("/v1/chat/completions", &one).key(&key)).await.status, 200);
}
