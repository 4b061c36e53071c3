//! Whatever becomes of a call: exactly one record, with what it used and what that cost.

use crate::client::{Answer, Ask};
use crate::front::{FRONTS, Front};
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};

const CONFIG: &str = r#"
guards:
  - { name: entry, detect: words, words: [Nightingale], at: [input], do: block }
  - { name: exit, detect: words, words: [Osprey], at: [output], do: block }
limits: { body: 64KiB }
"#;

/// What is expected of a call and its record.
struct Expected {
    what: &'static str,
    ask: Ask,
    status: u16,
    outcome: &'static str,
    error: &'static str,
    source: &'static str,
}

fn expect(
    what: &'static str,
    ask: Ask,
    status: u16,
    outcome: &'static str,
    error: &'static str,
    source: &'static str,
) -> Expected {
    Expected { what, ask, status, outcome, error, source }
}

fn chat(model: &str) -> Ask {
    Front::Chat.ask(model, "hello there")
}

fn stream(model: &str) -> Ask {
    Front::Chat.stream(model, "hello there, tell me more of it")
}

/// Refused before a provider is asked.
fn refusals() -> Vec<Expected> {
    let body = json!({"model": "openai/m", "messages": []});
    let large = json!({"model": "openai/m", "messages": [{"role": "user", "content": "x".repeat(70_000)}]});
    let get = Ask::get("/v1/chat/completions");
    vec![
        expect(
            "input blocked",
            Front::Chat.ask("openai/m", "of Nightingale"),
            400,
            "denied",
            "guard_blocked",
            "none",
        ),
        expect(
            "input of a stream blocked",
            Front::Chat.stream("openai/m", "of Nightingale"),
            400,
            "denied",
            "guard_blocked",
            "none",
        ),
        expect("unknown model", chat("nobody/m"), 404, "denied", "model_not_found", "none"),
        expect("no JSON", chat("openai/m").bytes("{\"model\": "), 400, "denied", "invalid_request", "none"),
        expect(
            "no messages",
            Ask::post("/v1/chat/completions", &body),
            400,
            "denied",
            "invalid_request",
            "none",
        ),
        expect("wrong key", chat("openai/m").key("ghk_nobody"), 401, "denied", "invalid_api_key", "none"),
        expect(
            "no key",
            chat("openai/m").header("authorization", "Bearer "),
            401,
            "denied",
            "invalid_api_key",
            "none",
        ),
        expect("wrong method", get, 405, "denied", "method_not_allowed", "none"),
        expect("unknown path", Ask::get("/v1/nothing"), 404, "denied", "not_found", "none"),
        expect(
            "too large",
            Ask::post("/v1/chat/completions", &large),
            413,
            "denied",
            "request_too_large",
            "none",
        ),
        expect(
            "gzip",
            chat("openai/m").header("content-encoding", "gzip"),
            415,
            "denied",
            "unsupported_media_type",
            "none",
        ),
        expect(
            "no duration",
            chat("openai/m").header("x-gatehouse-timeout", "soon"),
            400,
            "denied",
            "invalid_request",
            "none",
        ),
    ]
}

/// What a provider made of the call.
fn exchanges() -> Vec<Expected> {
    vec![
        expect("answer", chat("openai/m"), 200, "settled", "", "provider"),
        expect("stream", stream("openai/m"), 200, "settled", "", "provider"),
        expect(
            "stream without usage for the caller",
            Front::Chat.ask_with("openai/m", "hi", true, &json!({})),
            200,
            "settled",
            "",
            "provider",
        ),
        expect("translated stream", stream("anthropic/m"), 200, "settled", "", "provider"),
        expect(
            "output blocked",
            Front::Chat.ask("openai/m", "of Osprey"),
            400,
            "failed",
            "guard_blocked",
            "provider",
        ),
        expect(
            "stream blocked",
            Front::Chat.stream("openai/m", "one two three Osprey four"),
            200,
            "failed",
            "guard_blocked",
            "estimated",
        ),
    ]
}

/// What a failing provider made of the call.
fn failures() -> Vec<Expected> {
    let hurried = |ask: Ask| ask.header("x-gatehouse-timeout", "1s");
    vec![
        expect("provider fails", chat("openai/error-500"), 502, "failed", "upstream_error", "none"),
        expect(
            "provider refuses",
            chat("openai/error-400"),
            400,
            "failed",
            "upstream_invalid_request",
            "none",
        ),
        expect(
            "provider's limit",
            chat("openai/ratelimit-60"),
            429,
            "failed",
            "upstream_rate_limited",
            "none",
        ),
        expect("provider's model", chat("openai/missing"), 404, "failed", "upstream_model_not_found", "none"),
        expect(
            "no answer",
            hurried(chat("openai/slow-60000")),
            504,
            "failed",
            "upstream_timeout",
            "estimated",
        ),
        expect(
            "no first byte",
            hurried(stream("openai/slow-60000")),
            504,
            "failed",
            "upstream_timeout",
            "estimated",
        ),
        expect("hang-up", chat("openai/hangup"), 502, "failed", "upstream_bad_response", "estimated"),
        expect("cut stream", stream("openai/cut-3"), 200, "failed", "upstream_bad_response", "estimated"),
        expect(
            "cut translated stream",
            stream("anthropic/cut-5"),
            200,
            "failed",
            "upstream_bad_response",
            "estimated",
        ),
        expect(
            "stalled stream",
            // Time enough for the head of the answer, however busy the machine is.
            stream("openai/stall-3").header("x-gatehouse-timeout", "5s"),
            200,
            "failed",
            "upstream_timeout",
            "estimated",
        ),
        expect("error event in a stream", stream("openai/fail-3"), 200, "failed", "", "estimated"),
    ]
}

#[tokio::test]
async fn every_call_has_one_record_that_says_what_became_of_it() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let mut done = Vec::new();
    for expected in refusals().into_iter().chain(exchanges()).chain(failures()) {
        let answer = house.call(expected.ask.clone()).await;
        assert_eq!(answer.status, expected.status, "{}: {}", expected.what, answer.text());
        if expected.status >= 400 && expected.error != "not_found" {
            assert_eq!(Front::Chat.code(&answer.json()), expected.error, "{}", expected.what);
        } else if !expected.error.is_empty() && expected.status < 400 {
            assert_eq!(Front::Chat.code_in(&answer), expected.error, "{}", expected.what);
        }
        done.push((expected, answer.record()));
    }
    let records = house.records_once(done.len()).await;
    let ids: BTreeSet<&str> = records.iter().filter_map(|record| record["record"].as_str()).collect();
    assert_eq!(ids.len(), done.len());
    assert_eq!(house.leaves(), (exchanges().len() + failures().len(), done.len()));
    for (expected, id) in &done {
        let record = records.iter().find(|record| record["record"] == id.as_str());
        check(expected, record.unwrap_or_else(|| panic!("{}: no record {id}", expected.what)));
    }
}

fn check(expected: &Expected, record: &Value) {
    let what = expected.what;
    assert_eq!(record["outcome"], expected.outcome, "{what}: {record}");
    assert_eq!(record["status"], expected.status, "{what}: {record}");
    if expected.error.is_empty() {
        assert_eq!(expected.outcome == "settled", record["error"] == "", "{what}: {record}");
    } else {
        assert_eq!(record["error"], expected.error, "{what}: {record}");
    }
    assert_eq!(record["usage_source"], expected.source, "{what}: {record}");
    paid(record, what);
}

/// Tokens that were used cost something, and no more is claimed to be exact than is.
pub(crate) fn paid(record: &Value, what: &str) {
    let number = |name: &str| record[name].as_u64().unwrap();
    let cost: f64 = record["cost_usd"].as_str().map_or(0.0, |cost| cost.parse().unwrap());
    let used = number("input_tokens") + number("output_tokens") > 0;
    assert_eq!(used, cost > 0.0, "{what}: {record}");
    let status = match record["usage_source"].as_str().unwrap() {
        "provider" => "exact",
        "estimated" => "estimated",
        _ => return,
    };
    assert_eq!(record["cost_status"], status, "{what}: {record}");
}

#[tokio::test]
async fn usage_is_the_sum_of_the_records() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let mut cost = 0.0;
    for (front, _) in FRONTS {
        let answer: Answer = house.call(front.ask("openai/m", "hello there")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        cost += answer.header("x-gatehouse-cost").parse::<f64>().unwrap();
    }
    let usage = house.json(&["usage", "--by", "provider"]).await;
    assert_eq!(
        (&usage[0]["calls"], &usage[0]["provider"]),
        (&json!(FRONTS.len()), &json!("openai")),
        "{usage}"
    );
    let sum: f64 = usage[0]["cost_usd"].as_str().unwrap().parse().unwrap();
    assert!((sum - cost).abs() < 1e-9 && cost > 0.0, "{sum} {cost}");
    let whole = house.admin("/metrics").await;
    assert!(whole.status == 200 && whole.text().contains("# EOF"), "{}", whole.text());
}

/// `audit query --follow` tells of each call that is meant as it ends, and of no other.
#[tokio::test]
async fn calls_are_followed_as_they_end() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let ask = |user: &str| {
        let body =
            json!({"model": "openai/m", "user": user, "messages": [{"role": "user", "content": "hi"}]});
        Ask::post("/v1/chat/completions", &body)
    };
    // What was before is not told.
    house.call(ask("ann")).await;
    let mut follower = house.start_command(&["audit", "query", "--follow", "--json", "--user", "ann"]);
    let mut notes = BufReader::new(follower.stderr.take().unwrap());
    let mut lines = BufReader::new(follower.stdout.take().unwrap());
    let note = tokio::task::spawn_blocking(move || {
        let mut note = String::new();
        notes.read_line(&mut note).unwrap();
        note
    });
    assert!(note.await.unwrap().contains("from now on"));
    house.call(ask("bob")).await;
    let first = house.call(ask("ann")).await.record();
    let second = house.call(ask("ann")).await.record();
    let told = tokio::task::spawn_blocking(move || {
        [(); 2].map(|()| {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            serde_json::from_str::<Value>(&line).unwrap()
        })
    });
    let told = told.await.unwrap();
    assert_eq!((&told[0]["record"], &told[1]["record"]), (&json!(first), &json!(second)));
    assert_eq!(told[0]["user"], "ann");
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[tokio::test]
async fn lists_by_guard_cost_and_time_and_reports_by_outcome() {
    let provider = Provider::start().await;
    let guard =
        "guards:\n  - { name: names, detect: words, words: [Nightingale], at: [input], do: redact }\n";
    let house = House::start(&[&provider.config(""), guard].concat()).await;
    let ask = |text: &str| {
        let body = json!({"model": "openai/m", "messages": [{"role": "user", "content": text}]});
        Ask::post("/v1/chat/completions", &body)
    };
    let found = house.call(ask("of Nightingale")).await.record();
    let clean = house.call(ask("of birds")).await.record();
    let list = async |words: &[&str]| -> Vec<String> {
        let listed = house.json(&[&["audit", "query"], words].concat()).await;
        let calls = listed["calls"].as_array().unwrap();
        calls.iter().map(|call| call["record"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(&["--guard", "names=redact"]).await, [found.as_str()]);
    assert_eq!(list(&["--guard", "names=allow"]).await, [clean.as_str()]);
    assert_eq!(list(&["--guard", "names"]).await, [clean.as_str(), found.as_str()]);
    assert!(list(&["--guard", "nam"]).await.is_empty());
    assert!(list(&["--slower-than", "1h"]).await.is_empty());
    assert_eq!(list(&["--slower-than", "0s", "--guard", "names"]).await.len(), 2);
    assert!(list(&["--cost-over", "1000000"]).await.is_empty());
    for words in [["--cost-over", "much"], ["--slower-than", "long"]] {
        assert!(!house.command(&["audit", "query", words[0], words[1]]).await.status.success(), "{words:?}");
    }
    let report = house.json(&["usage", "--by", "outcome,error"]).await;
    assert_eq!((&report[0]["outcome"], &report[0]["calls"]), (&json!("settled"), &json!(2)), "{report}");
}
