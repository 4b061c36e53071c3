//! Cohere's chat and embeddings over HTTP.

use crate::harness::start;
use serde_json::{Value, json};

fn ask(text: &str, more: &Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]})
}

#[tokio::test]
async fn answers_come_whole_and_in_events() {
    let sim = start().await;
    let whole = sim.post("/v2/chat", &ask("hello there", &json!({}))).await.json();
    assert_eq!(whole["message"]["content"], json!([{"type": "text", "text": "You said: hello there"}]));
    assert_eq!(whole["usage"]["billed_units"], json!({"input_tokens": 5, "output_tokens": 4}));
    assert_eq!(whole["usage"]["tokens"], json!({"input_tokens": 75, "output_tokens": 6}));
    let stream = sim.post("/v2/chat", &ask("hello there", &json!({"stream": true}))).await;
    let text = String::from_utf8(stream.pieces.concat()).unwrap();
    assert!(text.starts_with("event: message-start\n") && text.ends_with("\n\ndata: [DONE]\n\n"), "{text}");
    let said: String = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| event.pointer("/delta/message/content/text")?.as_str().map(str::to_owned))
        .collect();
    assert_eq!(said, "You said: hello there");
}

#[tokio::test]
async fn tools_are_called_with_a_plan_and_mistakes_refused() {
    let sim = start().await;
    let mut body = ask("f city=Rome", &tools());
    let answer = sim.post("/v2/chat", &body).await.json();
    assert_eq!(
        (&answer["finish_reason"], &answer["message"]["tool_plan"]),
        (&json!("TOOL_CALL"), &json!("I will call f."))
    );
    let call = &answer["message"]["tool_calls"][0];
    assert_eq!(call["function"]["arguments"], "{\"city\":\"Rome\"}");
    let result = json!({"role": "tool", "tool_call_id": call["id"], "content": "sun"});
    body["messages"].as_array_mut().unwrap().extend([answer["message"].clone(), result]);
    let answer = sim.post("/v2/chat", &body).await.json();
    assert_eq!(answer["message"]["content"][0]["text"], "Tool said: sun");
    let json_too = json!({"response_format": {"type": "json_object"}});
    for (more, names) in [
        (json!({"top_p": 0.5}), "top_p"),
        (json!({"p": 1}), "p must be"),
        (json!({"tool_choice": "REQUIRED"}), "tool_choice"),
        (
            json!({"tools": tools()["tools"], "response_format": json_too["response_format"]}),
            "response_format",
        ),
        (json!({"messages": [{"role": "tool", "tool_call_id": "x", "content": "a"}]}), "tool_call_id"),
    ] {
        let refused = sim.post("/v2/chat", &ask("hi", &more)).await;
        assert_eq!(refused.status, 400, "{more}");
        assert!(refused.json()["message"].as_str().unwrap().contains(names), "{more}: {}", refused.json());
    }
}

#[tokio::test]
async fn vectors_come_by_their_type() {
    let sim = start().await;
    let mut body = json!({"model": "m", "texts": ["a b", "c"], "input_type": "search_query", "embedding_types": ["float", "base64"]});
    let answer = sim.post("/v2/embed", &body).await.json();
    assert_eq!(answer["embeddings"]["float"].as_array().map(Vec::len), Some(2));
    assert!(answer["embeddings"]["base64"][1].is_string());
    assert_eq!(answer["meta"]["billed_units"]["input_tokens"], 3);
    body.as_object_mut().unwrap().remove("input_type");
    assert_eq!(sim.post("/v2/embed", &body).await.status, 400);
}
