//! Anthropic's Messages API over HTTP.

use crate::harness::{joined, start, weather};
use serde_json::{Value, json};

fn ask(more: &Value) -> Value {
    let mut body = json!({"model": "sim-large", "max_tokens": 4096, "messages": [{"role": "user", "content": "hello there"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn messages_answer_whole_and_streamed_alike() {
    let sim = start().await;
    let whole = sim.post("/v1/messages", &ask(&json!({}))).await;
    assert_eq!(whole.json()["content"], json!([{"type": "text", "text": "You said: hello there"}]));
    assert_eq!(
        (&whole.json()["stop_reason"], &whole.json()["usage"]["input_tokens"]),
        (&json!("end_turn"), &json!(5))
    );
    assert!(
        whole.headers.contains_key("request-id")
            && whole.headers.contains_key("anthropic-ratelimit-tokens-reset")
    );
    let streamed = sim.post("/v1/messages", &ask(&json!({"stream": true}))).await;
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(streamed.names(), expected);
    assert_eq!(joined(&streamed.events(), "/delta/text"), "You said: hello there");
    let counted = sim
        .post("/v1/messages/count_tokens", &json!({"model": "m", "messages": ask(&json!({}))["messages"]}))
        .await;
    assert_eq!(counted.json(), json!({"input_tokens": 5}));
}

#[tokio::test]
async fn tools_go_round_with_signed_thinking() {
    let sim = start().await;
    let tools = json!([{"name": "get_weather", "input_schema": weather()}]);
    let mut body = ask(&json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "tools": tools,
        "messages": [{"role": "user", "content": "get_weather city=Rome"}]}));
    let answer = sim.post("/v1/messages", &body).await.json();
    let blocks = answer["content"].as_array().unwrap().clone();
    assert_eq!((&blocks[0]["type"], &blocks[1]["type"]), (&json!("thinking"), &json!("tool_use")));
    assert_eq!(blocks[1]["input"], json!({"city": "Rome", "days": 1}));
    assert_eq!(answer["stop_reason"], "tool_use");

    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let events = sim.post("/v1/messages", &streamed).await.events();
    let partial = joined(&events, "/delta/partial_json");
    assert_eq!(serde_json::from_str::<Value>(&partial).unwrap(), blocks[1]["input"]);
    assert_eq!(joined(&events, "/delta/signature"), blocks[0]["signature"].as_str().unwrap());

    let result = json!({"type": "tool_result", "tool_use_id": blocks[1]["id"], "content": "sunny"});
    let turns = |blocks: &[Value], results: Value| {
        json!([{"role": "user", "content": "get_weather"}, {"role": "assistant", "content": blocks},
            {"role": "user", "content": results}])
    };
    body["messages"] = turns(&blocks, json!([result]));
    let answer = sim.post("/v1/messages", &body).await.json();
    assert_eq!(answer["content"][1]["text"], "Tool said: sunny");

    let mut altered = blocks.clone();
    altered[0]["thinking"] = json!("Thinking about something else");
    let text = json!({"type": "text", "text": "by the way"});
    let cases = [
        (turns(&altered, json!([result])), "Invalid `signature` in `thinking` block"),
        (turns(&blocks[1..], json!([result])), "must start with a thinking block"),
        (turns(&blocks, json!([text])), "without `tool_result` blocks immediately after"),
        (turns(&blocks, json!([text, result])), "without `tool_result` blocks immediately after"),
        (json!([{"role": "user", "content": [result]}]), "unexpected `tool_use_id`"),
    ];
    for (messages, said) in cases {
        body["messages"] = messages;
        let answer = sim.post("/v1/messages", &body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(said), "{said}: {}", answer.text());
    }
}

#[tokio::test]
async fn it_refuses_what_anthropic_refuses() {
    let sim = start().await;
    let message = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let image = |data: &str| {
        message(
            json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}]),
        )
    };
    let cases = [
        (json!({"max_tokens": null}), "max_tokens: Field required"),
        (json!({"max_tokens": "9"}), "max_tokens: Input should be a valid integer"),
        (json!({"messages": []}), "at least one message"),
        (json!({"n": 2}), "n: Extra inputs are not permitted"),
        (json!({"temperature": 1.5}), "temperature: range: 0..1"),
        (json!({"stop_sequences": [" "]}), "non-whitespace"),
        (
            json!({"tools": [{"name": "f", "input_schema": {}}]}),
            "tools.0.custom.input_schema.type: Field required",
        ),
        (json!({"tool_choice": {"type": "any"}}), "while providing tools"),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 9}}), "greater than or equal to 1024"),
        (json!({"thinking": {"type": "adaptive"}, "temperature": 0.5}), "may only be set to 1"),
        (json!({"messages": [{"role": "assistant", "content": "x"}]}), "first message must use"),
        (message(json!([{"type": "text", "text": ""}])), "non-whitespace text"),
        (image("%%%"), "Invalid base64 data"),
    ];
    for (more, said) in cases {
        let answer = sim.post("/v1/messages", &ask(&more)).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["type"]),
            (400, &json!("invalid_request_error")),
            "{more}"
        );
        assert!(answer.text().contains(said), "{more}: {}", answer.text());
        assert_eq!(answer.json()["request_id"], answer.headers["request-id"].to_str().unwrap());
    }
    for (model, status, kind) in [("missing", 404, "not_found_error"), ("error-529", 529, "overloaded_error")]
    {
        let answer = sim.post("/v1/messages", &ask(&json!({"model": model}))).await;
        assert_eq!((answer.status, &answer.json()["error"]["type"]), (status, &json!(kind)));
    }
    let mut anonymous = sim.request("POST", "/v1/messages", "{}");
    anonymous.headers_mut().remove("authorization");
    let answer = sim.send(anonymous).await;
    assert_eq!((answer.status, &answer.json()["error"]["type"]), (401, &json!("authentication_error")));
}

#[tokio::test]
async fn marked_prefixes_are_written_once_and_read_later() {
    let sim = start().await;
    let system = json!([{"type": "text", "text": "one two three four", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    let body = ask(&json!({"system": system}));
    let first = sim.post("/v1/messages", &body).await.json()["usage"].clone();
    assert_eq!(
        (&first["cache_creation_input_tokens"], &first["cache_read_input_tokens"]),
        (&json!(4), &json!(0))
    );
    assert_eq!(first["cache_creation"]["ephemeral_1h_input_tokens"], 4);
    let second = sim.post("/v1/messages", &body).await.json()["usage"].clone();
    assert_eq!(
        (&second["cache_creation_input_tokens"], &second["cache_read_input_tokens"]),
        (&json!(0), &json!(4))
    );
    assert_eq!((&first["input_tokens"], &second["input_tokens"]), (&json!(8), &json!(8)));
}

#[tokio::test]
async fn stops_filters_and_forms() {
    let sim = start().await;
    let stopped = sim.post("/v1/messages", &ask(&json!({"stop_sequences": ["hello"]}))).await.json();
    assert_eq!(
        (&stopped["stop_reason"], &stopped["stop_sequence"]),
        (&json!("stop_sequence"), &json!("hello"))
    );
    let short = sim.post("/v1/messages", &ask(&json!({"max_tokens": 2}))).await.json();
    assert_eq!(short["stop_reason"], "max_tokens");
    let filtered = sim.post("/v1/messages", &ask(&json!({"model": "filter"}))).await.json();
    assert_eq!(
        (&filtered["stop_reason"], &filtered["stop_details"]["type"]),
        (&json!("refusal"), &json!("refusal"))
    );
    let format = json!({"output_config": {"format": {"type": "json_schema", "schema": weather()}}});
    let answer = sim.post("/v1/messages", &ask(&format)).await.json();
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json!({"city": "city", "days": 1}));
    let failed = sim.post("/v1/messages", &ask(&json!({"model": "fail-4", "stream": true}))).await;
    let (name, event) = failed.events().pop().unwrap();
    assert_eq!((name.as_str(), &event["error"]["type"]), ("error", &json!("overloaded_error")));
}
