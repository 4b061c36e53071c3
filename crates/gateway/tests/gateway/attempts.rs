//! Second attempts: at the same target, with another credential, at another target, and when there are none.

use crate::client::Ask;
use crate::front::{FRONTS, Front};
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

fn chat(model: &str) -> Ask {
    Front::Chat.ask(model, "hello there")
}

/// The attempts in a record: target, status, error.
async fn attempts(house: &House, record: &str) -> Vec<Value> {
    let shown = house.json(&["audit", "show", record]).await;
    shown["record"]["route"]["attempts"].as_array().unwrap_or_else(|| panic!("{shown:#}")).clone()
}

#[tokio::test]
async fn what_may_help_is_tried_again() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (number, status) in [(1, 500), (2, 503), (3, 429)] {
        provider.script(&json!({"status": status, "headers": {"retry-after": "0"}}));
        let stream = number == 2;
        let answer = house.call(Front::Chat.ask_with("openai/m", "hello there", stream, &json!({}))).await;
        assert_eq!((answer.status, answer.header("x-gatehouse-attempts")), (200, "2"), "{}", answer.text());
        assert_eq!(provider.sim.stats().total.received, 2 * number);
        assert_eq!(attempts(&house, &answer.record()).await.len(), 2);
    }
    // A hang-up before any answer, too.
    provider.script(&json!({"hang_up": true}));
    let answer = house.call(chat("openai/m")).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-attempts")), (200, "2"), "{}", answer.text());
}

#[tokio::test]
async fn what_cannot_help_is_not() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (model, status) in [
        ("openai/error-400", 400),
        ("openai/missing", 404),
        ("openai/ratelimit-60", 429),
        ("openai/error-401", 502),
    ] {
        provider.sim.reset();
        let answer = house.call(chat(model)).await;
        assert_eq!(
            (answer.status, answer.header("x-gatehouse-attempts")),
            (status, "1"),
            "{model}: {}",
            answer.text()
        );
        assert_eq!(answer.header("x-should-retry"), "false", "{model}");
        assert_eq!(provider.sim.stats().total.received, 1, "{model}");
        if status == 429 {
            assert_eq!(answer.header("retry-after"), "60");
        }
    }
}

#[tokio::test]
async fn the_next_target_serves_when_the_first_fails() {
    let provider = Provider::start().await;
    let more = "models:\n  smart: { targets: [openai/error-503, anthropic/small] }\n  lost: { targets: [openai/missing, gemini/error-500] }\n";
    let house = House::start(&provider.config(more)).await;
    for (front, _) in FRONTS {
        for stream in [false, true] {
            let answer = house.call(front.ask_with("smart", "hello there", stream, &json!({}))).await;
            assert_eq!(
                (answer.status, answer.header("x-gatehouse-target")),
                (200, "anthropic/small"),
                "{}",
                answer.text()
            );
            let text = if stream { front.text_in(&answer) } else { front.said(&answer.json()).text };
            assert!(text.starts_with("You said: hello there"), "{front:?}: {}", answer.text());
            let attempts = attempts(&house, &answer.record()).await;
            let last = attempts.last().unwrap();
            assert_eq!(
                (&last["target"], &attempts[0]["target"]),
                (&json!("anthropic/small"), &json!("openai/error-503"))
            );
            assert_eq!(answer.header("x-gatehouse-attempts"), attempts.len().to_string());
        }
        let answer = house.call(front.ask("lost", "hello there")).await;
        assert_eq!((answer.status, front.code(&answer.json()).as_str()), (502, "upstream_error"));
    }
}

#[tokio::test]
async fn nothing_is_tried_again_once_a_byte_is_out() {
    let provider = Provider::start().await;
    let more = "models: { smart: { targets: [openai/cut-7, anthropic/small] } }\n";
    let house = House::start(&provider.config(more)).await;
    for (front, _) in FRONTS {
        provider.sim.reset();
        let answer = house.call(front.stream("smart", "one two three four five")).await;
        assert_eq!(
            (answer.status, front.code_in(&answer).as_str()),
            (200, "upstream_bad_response"),
            "{}",
            answer.text()
        );
        assert!(!answer.cut && answer.header("x-gatehouse-attempts") == "1");
        assert_eq!(provider.sim.stats().total.received, 1, "{front:?}");
    }
}

#[tokio::test]
async fn retries_stay_within_their_share() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for _ in 0..20 {
        assert_eq!(house.call(chat("openai/error-500")).await.status, 502);
    }
    // Ten are saved up, and every fifth call earns one.
    let received = provider.sim.stats().total.received;
    assert!((21..=20 + 10 + 4).contains(&received), "{received}");
}

#[tokio::test]
async fn another_credential_is_tried_when_one_is_refused() {
    let provider = Provider::start().await;
    let two = format!(
        "  two: {{ api: openai, base_url: \"http://{}/v1\", api_keys: [\"${{PROVIDER_KEY}}\", \"${{SECOND_KEY}}\"] }}\n",
        provider.address()
    );
    let house =
        House::start(&provider.config("").replace("providers:\n", &format!("providers:\n{two}"))).await;
    provider.script(&json!({"status": 401}));
    let answer = house.call(chat("two/m")).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-attempts")), (200, "2"), "{}", answer.text());
    // With a single one there is no other to try.
    provider.script(&json!({"status": 401}));
    let answer = house.call(chat("openai/m")).await;
    assert_eq!((answer.status, Front::Chat.code(&answer.json()).as_str()), (502, "upstream_auth_failed"));
}

#[tokio::test]
async fn the_callers_time_limit_holds_for_all_attempts_together() {
    let provider = Provider::start().await;
    let more = "models: { slow: { targets: [openai/slow-60000, anthropic/slow-60000] } }\n";
    let house = House::start(&provider.config(more)).await;
    for (front, _) in FRONTS {
        for stream in [false, true] {
            let ask = front.ask_with("slow", "hi", stream, &json!({})).header("x-gatehouse-timeout", "300ms");
            let answer = house.call(ask).await;
            assert_eq!((answer.status, front.code(&answer.json()).as_str()), (504, "upstream_timeout"));
        }
    }
    let wrong = house.call(chat("slow").header("x-gatehouse-timeout", "soon")).await;
    assert_eq!((wrong.status, Front::Chat.code(&wrong.json()).as_str()), (400, "invalid_request"));
    provider.wait(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn an_attempt_that_may_be_billed_is_paid_whatever_comes_after() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let one = house.record(&house.call(chat("openai/m")).await.record()).await;
    // An answer that breaks off, then refusals: the first attempt's prompt was read.
    provider.script(&json!({"cut_after_bytes": 40}));
    let headers = json!({"retry-after": "0", "x-request-id": "up-1", "x-ratelimit-remaining-requests": "7"});
    provider.script(&json!({"status": 503, "times": 2, "headers": headers}));
    let failed = house.call(chat("openai/m")).await;
    assert_eq!((failed.status, failed.header("x-gatehouse-attempts")), (503, "3"), "{}", failed.text());
    assert_eq!(
        (failed.header("x-request-id"), failed.header("x-ratelimit-remaining-requests")),
        ("up-1", "7"),
        "what the provider said goes on"
    );
    let record = house.record(&failed.record()).await;
    assert_eq!((&record["usage_source"], &record["cost_status"]), (&json!("estimated"), &json!("estimated")));
    assert!(record["input_tokens"].as_u64() > Some(0), "{record}");
    // One that breaks off, then a good one: both.
    provider.script(&json!({"cut_after_bytes": 40}));
    let answer = house.call(chat("openai/m")).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-attempts")), (200, "2"), "{}", answer.text());
    let record = house.record(&answer.record()).await;
    assert!(record["input_tokens"].as_u64() > one["input_tokens"].as_u64(), "{record} {one}");
}

#[tokio::test]
async fn a_count_that_fails_costs_nothing() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    provider.script(&json!({"cut_after_bytes": 5, "times": 3}));
    let body = json!({"model": "anthropic/m", "messages": [{"role": "user", "content": "hello there"}]});
    let ask = Ask::post("/v1/messages/count_tokens", &body).header("anthropic-version", "2023-06-01");
    let failed = house.call(ask).await;
    assert_eq!(failed.status, 502, "{}", failed.text());
    let record = house.record(&failed.record()).await;
    assert_eq!(
        (&record["usage_source"], &record["cost_status"]),
        (&json!("none"), &json!("free")),
        "{record}"
    );
}
