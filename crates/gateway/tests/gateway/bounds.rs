//! A provider whose stream does not end: what has to be kept of it is bounded, and the call with it.

use crate::front::Front;
use crate::house::House;
use crate::provider::Provider;
use serde_json::json;

/// So many times the piece that never ends.
const PIECES: usize = 2_000;
const CONFIG: &str = "limits: { answer: 8KiB }\n";

/// A stream of a provider's kind: how it begins, and the piece that its decoder can only keep.
const KEPT: [(&str, &str, &str); 6] = [
    (
        "openai",
        r#"{"id":"a","choices":[{"index":0,"delta":{"content":"hi"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"https://a"}}]}}]}"#,
    ),
    (
        "openai",
        r#"{"id":"a","choices":[{"index":0,"delta":{"content":"hi"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"arguments":"nameless"}}]}}]}"#,
    ),
    (
        "openai",
        r#"{"id":"a","choices":[{"index":0,"delta":{"content":"hi"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"on and on it goes without an end"}}]}"#,
    ),
    (
        "anthropic",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"hi"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"url":"https://a"}}}"#,
    ),
    (
        "anthropic",
        concat!(
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"hi"}}"#,
            "\n\ndata: ",
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"x","name":"y"}}"#,
        ),
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"on and on"}}"#,
    ),
    (
        "gemini",
        r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"willContinue":true,"partialArgs":[{"jsonPath":"$.a","stringValue":"b"}]}}]}}]}"#,
    ),
];

fn stream(begin: &str, piece: &str) -> String {
    std::iter::once(begin)
        .chain(std::iter::repeat_n(piece, PIECES))
        .map(|data| format!("data: {data}\n\n"))
        .collect()
}

#[tokio::test]
async fn what_a_decoder_keeps_has_a_limit() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    for (records, (kind, begin, piece)) in (1..).zip(KEPT) {
        let body = stream(begin, piece);
        provider.script(&json!({"replay": {"content_type": "text/event-stream", "body": body}}));
        let answer = house.call(Front::Chat.stream(&format!("{kind}/m"), "hi")).await;
        let text = answer.text();
        let last = text.lines().rev().find(|line| !line.is_empty()).unwrap_or_default();
        assert!(last.contains("upstream_bad_response") && last.contains("limits.answer"), "{piece}: {last}");
        let newest = &house.records_once(records).await[0];
        assert_eq!(newest["error"], "upstream_bad_response", "{piece}: {newest:#}");
    }
}

#[tokio::test]
async fn what_an_encoder_keeps_has_a_limit() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    // Responses say the whole answer once more at their end.
    let ask =
        Front::Responses.ask_with("anthropic/big-64", "hi", true, &json!({"max_output_tokens": 100_000}));
    let text = house.call(ask).await.text();
    assert!(text.contains("upstream_bad_response") && text.contains("limits.answer"), "{text}");
    // What is passed on as it comes is as long as it likes.
    let ask = Front::Chat.ask_with("openai/big-64", "hi", true, &json!({"max_tokens": 100_000}));
    assert!(house.call(ask).await.text().ends_with("data: [DONE]\n\n"));
}
