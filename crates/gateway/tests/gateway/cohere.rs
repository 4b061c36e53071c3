//! Cohere at both ends: what a provider of this kind is asked, counts and refuses, and what its callers get.

use crate::client::{Answer, Ask};
use crate::front::{FRONTS, Front, with};
use crate::house::House;
use crate::provider::Provider;
use crate::translation::tools;
use serde_json::{Value, json};

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_is_counted_is_told_and_what_is_billed_is_paid() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (front, _) in FRONTS {
        for stream in [false, true] {
            let answer = house.call(front.ask_with("cohere/m", "hello there", stream, &json!({}))).await;
            assert_eq!(answer.status, 200, "{front:?}: {}", answer.text());
            let sent = provider.last();
            assert_eq!(
                (sent.path.as_str(), sent.carriers.as_slice()),
                ("/v2/chat", ["authorization".to_owned()].as_slice())
            );
            let shown = house.json(&["audit", "show", &answer.record()]).await;
            let (usage, cost) = (&shown["record"]["usage"], &shown["record"]["cost"]);
            // Two words and a message, four words; around them 70 and 2 tokens that are Cohere's own.
            assert_eq!(
                (&usage["in"], &usage["in_unbilled"]),
                (&json!(75), &json!(70)),
                "{front:?}: {shown:#}"
            );
            assert_eq!((&usage["out"], &usage["out_unbilled"]), (&json!(6), &json!(2)), "{front:?}");
            assert_eq!(cost["nano"], 5 * 1_000 + 4 * 2_000, "{front:?}: {shown:#}");
        }
    }
}

#[tokio::test]
async fn what_callers_of_others_say_is_said_in_coheres_words() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let more = json!({"max_tokens": 50, "temperature": 0.5, "top_p": 1, "top_k": 5, "seed": 7, "stop": ["END"],
        "user": "u", "reasoning_effort": "low", "tool_choice": {"type": "function", "function": {"name": "get_time"}}});
    let more = with(more, &tools(Front::Chat, &["get_weather", "get_time"]));
    let answer = house.call(Front::Chat.ask_with("cohere/m", "city=Rome", false, &more)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = provider.last().body;
    assert_eq!((&sent["p"], &sent["k"], &sent["stop_sequences"]), (&json!(0.99), &json!(5), &json!(["END"])));
    assert_eq!((&sent["tool_choice"], sent["tools"].as_array().map(Vec::len)), (&json!("REQUIRED"), Some(1)));
    assert_eq!(sent["thinking"]["type"], "enabled");
    assert_eq!(answer.header("x-gatehouse-dropped"), "user,top_p");
    let message = &answer.json()["choices"][0]["message"];
    assert_eq!(message["tool_calls"][0]["function"]["name"], "get_time", "{}", answer.text());
    assert!(message["reasoning_content"].as_str().is_some_and(|said| said.starts_with("Thinking")));
    // Without thoughts a model that calls has a plan.
    let answer = house
        .call(Front::Chat.ask_with("cohere/m", "get_time", false, &tools(Front::Chat, &["get_time"])))
        .await;
    assert_eq!(answer.json()["choices"][0]["message"]["reasoning_content"], "I will call get_time.");
}

#[tokio::test]
async fn what_cohere_refuses_is_told_apart() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let trial = "You are using a Trial key, which is limited to 1000 API calls / month.";
    let blocked = "blocked output: your request is in breach of the usage guidelines";
    let cases = [
        (
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 4081",
            (400, "context_length_exceeded"),
        ),
        (401, "invalid api token", (502, "upstream_auth_failed")),
        (
            404,
            "model 'm' not found, make sure the correct model ID was used",
            (404, "upstream_model_not_found"),
        ),
        (429, "rate limit exceeded", (429, "upstream_rate_limited")),
        (429, trial, (429, "upstream_quota_exceeded")),
        (498, blocked, (400, "content_filter")),
        (500, "internal server error", (502, "upstream_error")),
    ];
    for (at, (status, message, expected)) in cases.into_iter().enumerate() {
        let body = json!({"id": "x", "message": message});
        provider.script(
            &json!({"times": 0, "match": {"model": format!("odd-{at}")}, "status": status, "body": body}),
        );
        let answer = house.call(Front::Cohere.ask(&format!("cohere/odd-{at}"), "hi")).await;
        let (said_status, said) = code(&answer);
        assert_eq!((said_status, said.as_str()), expected, "{status} {message}: {}", answer.text());
    }
    for (front, _) in FRONTS {
        let broken = house.call(front.stream("cohere/fail-4", "one two three four five")).await;
        assert_eq!(front.code_in(&broken), "upstream_error", "{front:?}: {}", broken.text());
        let cut = house.call(front.stream("cohere/cut-4", "one two three four five")).await;
        assert_eq!(front.code_in(&cut), "upstream_bad_response", "{front:?}: {}", cut.text());
    }
}

#[tokio::test]
async fn coheres_callers_keep_their_documents_and_hear_what_others_have_not() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let more = json!({"documents": ["Tabbies are striped.", {"id": "d", "data": {"title": "Manx", "text": "No tail."}}],
        "citation_options": {"mode": "FAST"}, "safety_mode": "OFF", "k": 3, "p": 0.5, "priority": 1});
    let ask = |model: &str, more: &Value| Front::Cohere.ask_with(model, "hello there", false, more);
    let own = house.call(ask("cohere/m", &more)).await;
    assert_eq!((own.status, own.header("x-gatehouse-dropped")), (200, ""), "{}", own.text());
    assert_eq!(provider.last().body["documents"], more["documents"]);
    assert_eq!(provider.last().body["model"], "m");
    for kind in ["openai", "anthropic", "gemini"] {
        let answer = house.call(ask(&format!("{kind}/m"), &more)).await;
        assert_eq!(answer.status, 200, "{kind}: {}", answer.text());
        let dropped = answer.header("x-gatehouse-dropped");
        for name in ["citation_options", "safety_mode", "priority"] {
            assert!(dropped.split(',').any(|own| own == name), "{kind}: {dropped}");
        }
        let sent = provider.last().body_text;
        let read = sent.contains("No tail.") && sent.contains("Tabbies");
        assert!(read || kind == "gemini" && sent.matches("text/plain").count() == 2, "{kind}: {sent}");
    }
    let strict = house.call(ask("openai/m", &json!({"safety_mode": "STRICT"}))).await;
    assert_eq!(code(&strict), (400, "unsupported_parameter".to_owned()), "{}", strict.text());
    assert_eq!(strict.json()["param"], "safety_mode");
    let get = house.call(Ask::get("/v2/chat")).await;
    assert_eq!(code(&get), (405, "method_not_allowed".to_owned()), "{}", get.text());
    let none = house.call(Ask::post("/v2/nothing", &json!({}))).await;
    assert_eq!(code(&none), (404, "not_found".to_owned()), "{}", none.text());
}

/// A thought of Claude's comes back to Claude with its signature, through a dialect that has no place for one.
#[tokio::test]
async fn thoughts_of_others_come_back_to_their_makers() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let thinks = with(
        json!({"thinking": {"type": "enabled", "token_budget": 1024}, "max_tokens": 4000}),
        &tools(Front::Cohere, &["get_time"]),
    );
    let first = Front::Cohere.ask_with("anthropic/m", "get_time", false, &thinks);
    let mut body: Value = serde_json::from_slice(&first.body).unwrap();
    let answer = house.call(first).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let message = answer.json()["message"].clone();
    assert_eq!(message["content"][0]["type"], "thinking", "{message}");
    let result = json!({"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "noon"});
    body["messages"].as_array_mut().unwrap().extend([message, result]);
    let last = house.call(Front::Cohere.ask_body("anthropic/m", false, &body)).await;
    assert_eq!(last.status, 200, "{}", last.text());
    let sent = provider.last().body;
    assert_eq!(sent["messages"][1]["content"][0]["type"], "thinking", "{sent}");
    assert!(last.text().contains("Tool said: noon"), "{}", last.text());
    // Cohere's own models are not shown what they cannot read.
    let own = house
        .call(Front::Cohere.ask_body("cohere/m", false, &with(body, &json!({"model": "cohere/m"}))))
        .await;
    assert_eq!(own.status, 200, "{}", own.text());
    assert!(!provider.last().body_text.contains("signature"));
    assert!(own.header("x-gatehouse-dropped").contains("signature"), "{}", own.header("x-gatehouse-dropped"));
}
