//! Bedrock's Converse over HTTP.

use crate::harness::{Answer, start};
use serde_json::{Value, json};

fn ask(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": text}]}]})
}

/// The payloads of a stream's messages, and whether all their sums are right.
fn messages(answer: &Answer) -> (Vec<Value>, bool) {
    let bytes = answer.pieces.concat();
    let (mut rest, mut all, mut right) = (bytes.as_slice(), Vec::new(), true);
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap());
    while !rest.is_empty() {
        let total = usize::try_from(number(rest)).unwrap();
        let headers = usize::try_from(number(&rest[4..])).unwrap();
        right &= crc32fast::hash(&rest[..8]) == number(&rest[8..]);
        right &= crc32fast::hash(&rest[..total - 4]) == number(&rest[total - 4..]);
        all.push(serde_json::from_slice(&rest[12 + headers..total - 4]).unwrap());
        rest = &rest[total..];
    }
    (all, right)
}

#[tokio::test]
async fn answers_come_whole_and_in_messages() {
    let sim = start().await;
    let whole = sim.post("/model/us.amazon.nova-lite-v1%3A0/converse", &ask("hello there")).await.json();
    assert_eq!(whole["output"]["message"]["content"], json!([{"text": "You said: hello there"}]));
    assert_eq!(whole["usage"]["totalTokens"], 9);
    let (all, right) = messages(&sim.post("/model/m/converse-stream", &ask("hello there")).await);
    let text: String = all.iter().filter_map(|one| one.pointer("/delta/text")?.as_str()).collect();
    assert_eq!((text.as_str(), right), ("You said: hello there", true));
    assert_eq!(all[all.len() - 2]["stopReason"], "end_turn");
    let (_, right) = messages(&sim.post("/model/badcrc/converse-stream", &ask("hello")).await);
    assert!(!right);
    let (all, _) = messages(&sim.post("/model/fail-2/converse-stream", &ask("hello")).await);
    assert!(all.len() == 3 && all[2]["message"].is_string());
}

#[tokio::test]
async fn tools_are_called_and_mistakes_refused() {
    let sim = start().await;
    let mut body = ask("f city=Rome");
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    body["toolConfig"] = json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": schema}}}]});
    let answer = sim.post("/model/m/converse", &body).await.json();
    assert_eq!(answer["stopReason"], "tool_use");
    let call = answer["output"]["message"]["content"][0].clone();
    assert_eq!(call["toolUse"]["input"], json!({"city": "Rome"}));
    let result =
        json!({"toolResult": {"toolUseId": call["toolUse"]["toolUseId"], "content": [{"text": "sun"}]}});
    let turns = body["messages"].as_array_mut().unwrap();
    turns.push(json!({"role": "assistant", "content": [call]}));
    turns.push(json!({"role": "user", "content": [result]}));
    let answer = sim.post("/model/m/converse", &body).await.json();
    assert_eq!(answer["output"]["message"]["content"][0]["text"], "Tool said: sun");
    body.as_object_mut().unwrap().remove("toolConfig");
    let refused = sim.post("/model/m/converse", &body).await;
    assert_eq!(refused.status, 400);
    assert!(refused.headers["x-amzn-errortype"].to_str().unwrap().starts_with("ValidationException:"));
    assert!(refused.json()["message"].as_str().unwrap().contains("toolConfig"));
    assert_eq!(
        sim.post("/model/error-429/converse", &ask("a")).await.headers["x-amzn-errortype"],
        "ThrottlingException"
    );
}
