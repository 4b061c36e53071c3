//! Bedrock's Converse as callers speak it: what only this front has. What it shares with the others is tried with them.

use crate::client::{Answer, Ask};
use crate::front::Front;
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

fn guards(action: &str) -> String {
    format!(
        "guards: [{{ name: exit, detect: words, words: [Osprey], at: [output, tool_arguments], do: {action} }}]\n"
    )
}

/// CRC-32 bit by bit, knowing nothing of our code.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Both sums of every message, as Amazon's clients check them.
fn is_sound(answer: &Answer) -> bool {
    let mut rest = answer.body.as_ref();
    let number = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    while !rest.is_empty() {
        let (message, behind) = rest.split_at(usize::try_from(number(rest, 0)).unwrap());
        let end = message.len() - 4;
        if number(message, 8) != crc32(&message[..8]) || number(message, end) != crc32(&message[..end]) {
            return false;
        }
        rest = behind;
    }
    true
}

/// At Bedrock itself messages are edited where a guardrail wants it, and are what they were everywhere else.
#[tokio::test]
async fn edited_messages_keep_their_headers_and_have_new_sums() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("redact"))).await;
    let plain = House::start(&provider.config("")).await;
    for text in ["hello Osprey there", "hello there"] {
        let ask = || Front::Converse.stream("bedrock/m", text);
        let edited = house.call(ask()).await;
        let passed = plain.call(ask()).await;
        assert!(is_sound(&edited) && is_sound(&passed), "{text}");
        let expected = Front::Converse.text_in(&passed).replace("Osprey", "[REDACTED]");
        assert_eq!(Front::Converse.text_in(&edited), expected);
        // The provider's own padding is there.
        assert_eq!(edited.messages()[0].1["p"], "abcd");
        if text == "hello there" {
            assert_eq!(edited.body, passed.body);
        }
    }
}

#[tokio::test]
async fn arguments_are_judged_as_the_json_they_are() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("redact"))).await;
    let tools = crate::translation::tools(Front::Converse, &["find"]);
    for kind in ["bedrock", "openai", "anthropic", "gemini"] {
        let ask = Front::Converse.ask_with(&format!("{kind}/m"), "find city=Osprey", true, &tools);
        let answer = house.call(ask).await;
        assert!(is_sound(&answer), "{kind}");
        let said = Front::Converse.said_in(&answer);
        assert_eq!(said.calls[0].1["city"], "[REDACTED]", "{kind}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_block_is_an_exception_wherever_it_falls() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(&guards("block"))).await;
    for kind in ["bedrock", "openai"] {
        let model = format!("{kind}/m");
        let whole = house.call(Front::Converse.ask(&model, "Osprey")).await;
        assert_eq!((whole.status, whole.header("x-amzn-errortype")), (400, "ValidationException"), "{kind}");
        assert_eq!(whole.json()["code"], "guard_blocked");
        let stream = house.call(Front::Converse.stream(&model, "before it Osprey and after")).await;
        let (name, last) = stream.messages().pop().unwrap();
        assert_eq!(
            (name.as_str(), &last["code"]),
            ("validationException", &json!("guard_blocked")),
            "{kind}"
        );
        assert!(is_sound(&stream) && !stream.text().contains("Os"), "{kind}: {}", stream.text());
    }
}

#[tokio::test]
async fn requests_are_judged_wherever_words_stand() {
    let provider = Provider::start().await;
    let more = "guards: [{ name: in, detect: words, words: [Osprey], at: [system, input, tool_result], do: block }]\n";
    let house = House::start(&provider.config(more)).await;
    let notes = json!({"document": {"name": "Notes", "source": {"text": "of an Osprey"}}});
    let result = json!({"toolResult": {"toolUseId": "t", "content": [{"json": {"bird": "Osprey"}}]}});
    let guarded = json!({"guardContent": {"text": {"text": "Osprey"}}});
    let new = json!({"newBlock": {"text": "Osprey"}});
    for block in [notes, result, guarded, new, json!({"text": "Osprey"})] {
        let body = json!({"messages": [{"role": "user", "content": [block]}]});
        for kind in ["bedrock", "openai"] {
            let answer = house.call(Front::Converse.ask_body(&format!("{kind}/m"), false, &body)).await;
            assert_eq!(answer.json()["code"], "guard_blocked", "{kind} {block}: {}", answer.text());
        }
    }
    let system = json!({"system": [{"text": "Osprey"}]});
    let answer = house.call(Front::Converse.ask_with("openai/m", "hi", false, &system)).await;
    assert_eq!(answer.json()["code"], "guard_blocked");
}

#[tokio::test]
async fn what_is_for_bedrock_alone_passes_there_and_is_refused_elsewhere() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let more = json!({"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}});
    let passed = house.call(Front::Converse.ask_with("bedrock/m", "hi", false, &more)).await;
    assert_eq!(passed.status, 200, "{}", passed.text());
    assert_eq!(provider.last().body["guardrailConfig"], more["guardrailConfig"]);
    let refused = house.call(Front::Converse.ask_with("openai/m", "hi", false, &more)).await;
    assert_eq!((refused.status, refused.header("x-amzn-errortype")), (400, "ValidationException"));
    let body = refused.json();
    assert_eq!((&body["code"], &body["param"]), (&json!("unsupported_parameter"), &json!("guardrailConfig")));
    let hint = json!({"performanceConfig": {"latency": "optimized"}, "requestMetadata": {"team": "red"}});
    let dropped = house.call(Front::Converse.ask_with("gemini/m", "hi", false, &hint)).await;
    assert_eq!(dropped.status, 200, "{}", dropped.text());
    assert_eq!(dropped.header("x-gatehouse-dropped"), "performanceConfig,requestMetadata");
}

#[tokio::test]
async fn errors_are_amazons() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let body = |more: Value| Front::Converse.ask_with("openai/m", "hi", false, &more);
    let signed = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-central-1/bedrock/aws4_request, SignedHeaders=host, Signature=0";
    for (ask, status, kind, code) in [
        (
            house.keyed(Front::Converse.ask("nothing", "hi")),
            404,
            "ResourceNotFoundException",
            "model_not_found",
        ),
        (
            house.keyed(Front::Converse.stream("nothing", "hi")),
            404,
            "ResourceNotFoundException",
            "model_not_found",
        ),
        (house.keyed(body(json!({"messages": []}))), 400, "ValidationException", "invalid_request"),
        (house.keyed(body(json!({}))).bytes("{"), 400, "ValidationException", "invalid_request"),
        (body(json!({})).key("ghk_no"), 401, "UnrecognizedClientException", "invalid_api_key"),
        (
            body(json!({})).header("authorization", signed),
            401,
            "UnrecognizedClientException",
            "invalid_api_key",
        ),
        (house.keyed(Ask::get("/model/m/converse")), 405, "ValidationException", "method_not_allowed"),
    ] {
        let answer = ask.open(&house.calls).await.rest().await;
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (status, kind), "{}", answer.text());
        assert_eq!(answer.json()["code"], code, "{}", answer.text());
        assert!(!answer.header("x-amzn-requestid").is_empty());
    }
}
