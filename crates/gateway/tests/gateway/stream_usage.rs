//! Usage that the gateway asks a provider for on its own account: the caller's stream is the one that it
//! would have had without.

use crate::client::Ask;
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

/// A stream as servers send it to who asked for usage, and as they send it to who did not.
fn streams(path: &str, content: &str) -> (String, String) {
    let chunk = |middle: &str| format!("data: {{\"id\":\"a\",\"model\":\"m\",{middle}}}\n\n");
    let said = |text: &str| match path {
        "/v1/completions" => format!(r#""text":"{text}""#),
        _ => format!(r#""delta":{{"content":"{text}"}}"#),
    };
    let say = format!(r#""choices":[{{"index":0,{}}}]"#, said(content));
    let end = format!(r#""choices":[{{"index":0,{},"finish_reason":"stop"}}]"#, said(""));
    let count = r#""choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}"#;
    let done = "data: [DONE]\n\n";
    let asked = [
        chunk(&format!("{say},\"usage\":null")),
        chunk(&format!("\"usage\":null,{end}")),
        chunk(count),
        done.to_owned(),
    ];
    (asked.concat(), [chunk(&say), chunk(&end), done.to_owned()].concat())
}

async fn streamed(provider: &Provider, house: &House, path: &str, sent: &str, more: &Value) -> String {
    let replay = json!({"content_type": "text/event-stream", "body": sent});
    provider.script(&json!({"replay": replay, "chunk_bytes": 50}));
    let mut body = json!({"model": "openai/m", "stream": true});
    let said = if path.contains("chat") {
        json!({"messages": [{"role": "user", "content": "hi"}]})
    } else {
        json!({"prompt": "hi"})
    };
    for part in [&said, more] {
        body.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    }
    let answer = house.call(Ask::post(path, &body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(provider.last().body_text.contains("\"include_usage\":true"));
    let record = house.record(&answer.record()).await;
    assert_eq!(
        (&record["usage_source"], &record["output_tokens"]),
        (&json!("provider"), &json!(5)),
        "{record}"
    );
    answer.text()
}

#[tokio::test]
async fn who_did_not_ask_for_usage_hears_nothing_of_it() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let redacting = "guards: [{ name: exit, detect: words, words: [Osprey], at: [output], do: redact }]\n";
    let guarded = House::start(&provider.config(redacting)).await;
    let ask = json!({"stream_options": {"include_usage": true}});
    for path in ["/v1/chat/completions", "/v1/completions"] {
        let (asked, unasked) = streams(path, "an Osprey");
        assert_eq!(streamed(&provider, &house, path, &asked, &json!({})).await, unasked);
        assert_eq!(streamed(&provider, &house, path, &asked, &ask).await, asked);
        // With a guardrail's edit in the same chunk.
        let (asked_redacted, unasked_redacted) = streams(path, "an [REDACTED]");
        assert_eq!(streamed(&provider, &guarded, path, &asked, &json!({})).await, unasked_redacted);
        assert_eq!(streamed(&provider, &guarded, path, &asked, &ask).await, asked_redacted);
    }
}
