//! OpenAI's surfaces over HTTP.

use crate::harness::{joined, start, weather};
use serde_json::{Value, json};

fn chat(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn chat_tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": weather()}})
}

#[tokio::test]
async fn chat_answers_whole_and_streamed_alike() {
    let sim = start().await;
    let whole = sim.post("/v1/chat/completions", &chat("sim-large", "hello there")).await;
    assert_eq!(whole.json()["choices"][0]["message"]["content"], "You said: hello there");
    assert_eq!(whole.json()["usage"]["total_tokens"], 9);
    assert!(whole.headers["x-request-id"].to_str().unwrap().starts_with("req_"));
    assert!(whole.headers.contains_key("x-ratelimit-remaining-tokens"));

    let streamed = with(chat("sim-large", "hello there"), &json!({"stream": true}));
    let plain = sim.post("/v1/chat/completions", &streamed).await;
    let events = plain.events();
    assert_eq!(joined(&events, "/choices/0/delta/content"), "You said: hello there");
    assert_eq!(events.last().unwrap().1, "[DONE]");
    assert!(events.iter().all(|(_, event)| event.get("usage").is_none()), "usage only when asked for");

    let asked = with(streamed, &json!({"stream_options": {"include_usage": true}}));
    let events = sim.post("/v1/chat/completions", &asked).await.events();
    let (done, chunks) = events.split_last().unwrap();
    let (usage, others) = chunks.split_last().unwrap();
    assert_eq!(done.1, "[DONE]");
    assert_eq!((&usage.1["choices"], &usage.1["usage"]["completion_tokens"]), (&json!([]), &json!(4)));
    assert!(others.iter().all(|(_, event)| event["usage"].is_null() && event.get("usage").is_some()));
}

#[tokio::test]
async fn chat_tools_go_round() {
    let sim = start().await;
    let ask = with(
        chat("sim-large", "please get_time and get_weather city=Rome"),
        &json!({"tools": [chat_tool("get_weather"), chat_tool("get_time")]}),
    );
    let answer = sim.post("/v1/chat/completions", &ask).await.json();
    let message = answer["choices"][0]["message"].clone();
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"][0]["function"]["name"], "get_time");
    let arguments = message["tool_calls"][1]["function"]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments).unwrap(), json!({"city": "Rome", "days": 1}));

    let events =
        sim.post("/v1/chat/completions", &with(ask.clone(), &json!({"stream": true}))).await.events();
    let streamed: String = events
        .iter()
        .filter_map(|(_, event)| event.pointer("/choices/0/delta/tool_calls/0"))
        .filter(|call| call["index"] == 1)
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(streamed, arguments);

    let ids: Vec<&Value> = message["tool_calls"].as_array().unwrap().iter().map(|call| &call["id"]).collect();
    let result = |id: &Value, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
    let mut next = ask.clone();
    next["messages"].as_array_mut().unwrap().extend([message.clone(), result(ids[0], "noon")]);
    let refused = sim.post("/v1/chat/completions", &next).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("did not have response messages"));

    next["messages"].as_array_mut().unwrap().push(result(ids[1], "sunny"));
    let answer = sim.post("/v1/chat/completions", &next).await.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "Tool said: noon sunny");
}

#[tokio::test]
async fn chat_refuses_what_openai_refuses() {
    let sim = start().await;
    let orphan = json!({"model": "m", "messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]});
    let image = |url: &str| json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]});
    let open =
        json!({"type": "json_schema", "json_schema": {"name": "a", "strict": true, "schema": weather()}});
    let cases = [
        (json!({"messages": []}), 400, "you must provide a model parameter"),
        (json!({"model": "m"}), 400, "Missing required parameter: 'messages'."),
        (json!({"model": "m", "messages": "hi"}), 400, "Invalid type for 'messages'"),
        (json!({"model": "m", "messages": []}), 400, "empty array"),
        (with(chat("m", "hi"), &json!({"top_k": 3})), 400, "Unrecognized request argument supplied: top_k"),
        (with(chat("m", "hi"), &json!({"temperature": 99.0})), 400, "Expected a value <= 2, but got 99.0"),
        (with(chat("gpt-5.2", "hi"), &json!({"max_tokens": 3})), 400, "max_completion_tokens"),
        (with(chat("m", "hi"), &json!({"tool_choice": "required"})), 400, "only allowed when 'tools'"),
        (with(chat("m", "hi"), &json!({"stream_options": {}})), 400, "only allowed when 'stream'"),
        (with(chat("m", "hi"), &json!({"response_format": {"type": "json_object"}})), 400, "the word 'json'"),
        (with(chat("m", "hi"), &json!({"response_format": open})), 400, "'additionalProperties' is required"),
        (orphan, 400, "must be a response to a preceeding message"),
        (image("data:image/png;base64,%%%"), 400, "Invalid base64"),
        (image("ftp://x"), 400, "valid URL"),
        (chat("missing-model", "hi"), 404, "does not exist"),
        (chat("error-503", "hi"), 503, "Simulated error 503"),
    ];
    for (body, status, said) in cases {
        let answer = sim.post("/v1/chat/completions", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(
            answer.json()["error"]["message"].as_str().unwrap().contains(said),
            "{body}: {}",
            answer.text()
        );
        assert!(answer.json()["error"].get("param").is_some());
    }
    let broken = sim.send(sim.request("POST", "/v1/chat/completions", "{")).await;
    assert_eq!((broken.status, &broken.json()["error"]["type"]), (400, &json!("invalid_request_error")));
}

#[tokio::test]
async fn chat_does_the_rest() {
    let sim = start().await;
    let content = |answer: &Value| answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    let schema = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": weather()}});
    let body = with(chat("m", "city=Bonn"), &json!({"response_format": schema}));
    let answer = sim.post("/v1/chat/completions", &body).await.json();
    assert_eq!(serde_json::from_str::<Value>(&content(&answer)).unwrap(), json!({"city": "Bonn", "days": 1}));

    let body = with(chat("m", "one two three"), &json!({"max_tokens": 3, "reasoning_effort": "low"}));
    let answer = sim.post("/v1/chat/completions", &body).await.json();
    assert_eq!(
        (content(&answer).as_str(), &answer["choices"][0]["finish_reason"]),
        ("You said: one", &json!("length"))
    );
    assert_eq!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"], 5);

    let body = with(chat("m", "one two three"), &json!({"stop": "two", "n": 2}));
    let answer = sim.post("/v1/chat/completions", &body).await.json();
    assert_eq!(
        (content(&answer).as_str(), answer["choices"].as_array().unwrap().len()),
        ("You said: one ", 2)
    );

    let filtered = sim.post("/v1/chat/completions", &chat("filter", "x")).await.json();
    assert_eq!(filtered["choices"][0]["finish_reason"], "content_filter");
    let echoed = sim.post("/v1/chat/completions", &chat("echo-json", "x")).await.json();
    assert_eq!(serde_json::from_str::<Value>(&content(&echoed)).unwrap(), chat("echo-json", "x"));
    let limited = sim.post("/v1/chat/completions", &chat("ratelimit-7", "x")).await;
    assert_eq!((limited.status, limited.headers["retry-after"].to_str().unwrap()), (429, "7"));
}

#[tokio::test]
async fn responses_tell_every_event_in_order() {
    let sim = start().await;
    let body = json!({"model": "sim-large", "input": "hello", "stream": true, "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low", "summary": "auto"}});
    let answer = sim.post("/v1/responses", &body).await;
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(answer.names(), expected);
    let events = answer.events();
    for (number, (name, event)) in events.iter().enumerate() {
        assert_eq!((&event["sequence_number"], &event["type"]), (&json!(number), &json!(name)));
    }
    let last = &events.last().unwrap().1["response"];
    assert_eq!(last["output"][1]["content"][0]["text"], "You said: hello");
    assert_eq!(last["usage"]["output_tokens_details"]["reasoning_tokens"], 3);
    let long = json!({"model": "m", "max_output_tokens": 16, "input": "x ".repeat(40), "stream": true});
    assert_eq!(sim.post("/v1/responses", &long).await.names().last().unwrap(), "response.incomplete");
}

#[tokio::test]
async fn responses_tools_go_round_with_sealed_reasoning() {
    let sim = start().await;
    let tool = json!({"type": "function", "name": "get_weather", "parameters": weather(), "strict": false});
    let ask = json!({"model": "m", "tools": [tool], "store": false, "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "high"}, "input": [{"role": "user", "content": "get_weather city=Oslo"}]});
    let answer = sim.post("/v1/responses", &ask).await.json();
    let items = answer["output"].as_array().unwrap().clone();
    assert_eq!((&items[0]["type"], &items[1]["type"]), (&json!("reasoning"), &json!("function_call")));

    let mut next = ask.clone();
    next["input"].as_array_mut().unwrap().extend(items.clone());
    let unanswered = sim.post("/v1/responses", &next).await;
    assert!(unanswered.text().contains("No tool output found"), "{}", unanswered.text());
    let output = json!({"type": "function_call_output", "call_id": items[1]["call_id"], "output": "rain"});
    next["input"].as_array_mut().unwrap().push(output.clone());
    let answer = sim.post("/v1/responses", &next).await.json();
    assert_eq!(answer["output"][1]["content"][0]["text"], "Tool said: rain");

    let mut altered = next.clone();
    let sealed = items[0]["encrypted_content"].as_str().unwrap();
    altered["input"][1]["encrypted_content"] = json!(sealed.replacen(|_| true, "-", 1));
    assert_eq!(sim.post("/v1/responses", &altered).await.status, 400);
    let lonely = json!({"model": "m", "input": [{"role": "user", "content": "x"}, items[0]]});
    let said = sim.post("/v1/responses", &lonely).await.text();
    assert!(said.contains("without its required following item"), "{said}");
    let orphan = json!({"model": "m", "input": [output]});
    assert!(sim.post("/v1/responses", &orphan).await.text().contains("No tool call found"));
}

#[tokio::test]
async fn the_smaller_surfaces() {
    let sim = start().await;
    let body = json!({"model": "m", "prompt": "hello", "stream": true});
    let events = sim.post("/v1/completions", &body).await.events();
    assert_eq!(joined(&events, "/choices/0/text"), "You said: hello");
    let floats = sim
        .post("/v1/embeddings", &json!({"model": "e", "input": ["a b", "c"], "dimensions": 4}))
        .await
        .json();
    assert_eq!((floats["data"].as_array().unwrap().len(), &floats["usage"]["prompt_tokens"]), (2, &json!(3)));
    let base64 = json!({"model": "e", "input": "a b", "dimensions": 4, "encoding_format": "base64"});
    let packed = sim.post("/v1/embeddings", &base64).await.json();
    use base64::Engine as _;
    let packed = packed["data"][0]["embedding"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(packed).unwrap();
    let first = f32::from_le_bytes(bytes[..4].try_into().unwrap());
    assert_eq!(first.to_string(), floats["data"][0]["embedding"][0].to_string());
    let mut list = sim.request("GET", "/v1/models", "");
    list.headers_mut().remove("anthropic-version");
    assert_eq!(sim.send(list).await.json()["object"], "list");
    assert_eq!(
        sim.get("/v1/models").await.json()["has_more"],
        false,
        "Anthropic's list with anthropic-version"
    );
}
