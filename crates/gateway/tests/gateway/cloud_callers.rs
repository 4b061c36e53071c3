//! Callers that use Anthropic's clients for Amazon Bedrock and for Vertex AI: other paths and bodies, and Amazon's
//! framing of the streams, in which guardrails, metering and departures are what they are in server-sent events.

use crate::client::{Answer, Ask};
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

const VERTEX: &str = "/v1/projects/p/locations/europe-west4/publishers/anthropic/models";

fn body(version: &str) -> Value {
    json!({"anthropic_version": version, "max_tokens": 99, "messages": [{"role": "user", "content": "hello Osprey there"}]})
}

fn bedrock(model: &str, call: &str) -> Ask {
    Ask::post(format!("/model/{model}/{call}"), &body("bedrock-2023-05-31"))
}

fn vertex(model: &str, call: &str) -> Ask {
    Ask::post(format!("{VERTEX}/{model}:{call}"), &body("vertex-2023-10-16"))
}

/// The events inside of the chunks.
fn events(answer: &Answer) -> Vec<Value> {
    let inside = |(name, payload): (String, Value)| {
        assert_eq!(name, "chunk", "{payload}");
        serde_json::from_slice(&decoded(payload["bytes"].as_str().unwrap())).unwrap()
    };
    answer.messages().into_iter().map(inside).collect()
}

fn decoded(base64: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = base64.bytes().filter_map(|byte| LETTERS.iter().position(|letter| *letter == byte));
    let (mut out, mut held, mut bits) = (Vec::new(), 0usize, 0);
    for digit in digits {
        held = (held << 6 | digit) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(held >> bits & 0xff).unwrap());
        }
    }
    out
}

fn text_of(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect()
}

#[tokio::test]
async fn the_same_is_said_in_every_framing_and_counted_alike() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for kind in ["anthropic", "openai", "gemini", "bedrock"] {
        let plain = json!({"model": format!("{kind}/m"), "max_tokens": 99, "stream": true,
            "messages": [{"role": "user", "content": "hello Osprey there"}]});
        let expected = house.call(Ask::post("/v1/messages", &plain)).await;
        let said = text_of(&expected.events());
        assert_eq!(said, "You said: hello Osprey there", "{kind}");
        let encoded = format!("{kind}%2Fm");
        let chunks = house.call(bedrock(&encoded, "invoke-with-response-stream")).await;
        assert_eq!(chunks.header("content-type"), "application/vnd.amazon.eventstream");
        let kinds = |events: &[Value]| -> Vec<Value> {
            events.iter().map(|event| event["type"].clone()).filter(|kind| kind != "ping").collect()
        };
        assert_eq!(kinds(&events(&chunks)), kinds(&expected.events()), "{kind}");
        assert_eq!(text_of(&events(&chunks)), said, "{kind}");
        // Vertex AI's streams are those of Anthropic.
        let streamed = house.call(vertex(&encoded, "streamRawPredict")).await;
        assert_eq!(text_of(&streamed.events()), said, "{kind}");
        for ask in [bedrock(&encoded, "invoke"), vertex(&format!("{kind}/m"), "rawPredict")] {
            let answer = house.call(ask).await;
            assert_eq!(answer.json()["content"][0]["text"], said, "{kind}: {}", answer.text());
        }
        let mut counted = Vec::new();
        for answer in [&expected, &chunks, &streamed] {
            let record = house.json(&["audit", "show", &answer.record()]).await["record"].clone();
            assert_eq!(record["kind"], "call.settled", "{kind}: {record}");
            counted.push((record["usage"].clone(), record["cost"].clone()));
        }
        assert!(counted.iter().all(|one| *one == counted[0]), "{kind}: {counted:?}");
    }
}

#[tokio::test]
async fn what_belongs_to_the_cloud_does_not_reach_a_provider_of_the_dialect() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for ask in
        [bedrock("anthropic%2Fm", "invoke-with-response-stream"), vertex("anthropic/m", "streamRawPredict")]
    {
        let answer = house.call(ask).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = provider.last().body;
        assert!(sent.get("anthropic_version").is_none(), "{sent}");
        assert_eq!((&sent["model"], &sent["stream"]), (&json!("m"), &json!(true)), "{sent}");
    }
    let mut counting = body("vertex-2023-10-16");
    counting["model"] = json!("anthropic/m");
    let answer = house.call(Ask::post(format!("{VERTEX}/count-tokens:rawPredict"), &counting)).await;
    assert!(answer.json()["input_tokens"].as_u64() > Some(0), "{}", answer.text());
    assert_eq!(provider.last().path, "/v1/messages/count_tokens");
}

#[tokio::test]
async fn guardrails_see_every_text_of_the_chunks() {
    let provider = Provider::start().await;
    let guards = |action: &str| {
        format!("guards: [{{ name: exit, detect: words, words: [Osprey], at: [output], do: {action} }}]\n")
    };
    let house = House::start(&provider.config(&guards("redact"))).await;
    for kind in ["anthropic", "openai"] {
        let answer = house.call(bedrock(&format!("{kind}%2Fm"), "invoke-with-response-stream")).await;
        assert_eq!(text_of(&events(&answer)), "You said: hello [REDACTED] there", "{kind}");
    }
    let house = House::start(&provider.config(&guards("block"))).await;
    for kind in ["anthropic", "openai"] {
        let answer = house.call(bedrock(&format!("{kind}%2Fm"), "invoke-with-response-stream")).await;
        let all = answer.messages();
        let (name, last) = all.last().unwrap();
        assert_eq!(
            (name.as_str(), &last["code"]),
            ("validationException", &json!("guard_blocked")),
            "{kind}"
        );
        let shown: String = all
            .iter()
            .filter_map(|(_, one)| one["bytes"].as_str())
            .map(|bytes| String::from_utf8(decoded(bytes)).unwrap())
            .collect();
        assert!(!shown.contains("Os"), "{kind}: {shown}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_exception() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (behaviour, code) in [("cut-7", "upstream_bad_response"), ("fail-7", "upstream_")] {
        for kind in ["anthropic", "openai"] {
            let answer =
                house.call(bedrock(&format!("{kind}%2F{behaviour}"), "invoke-with-response-stream")).await;
            let all = answer.messages();
            let (name, last) = all.last().unwrap();
            assert!(name.ends_with("Exception"), "{kind} {behaviour}: {name}");
            assert!(last["code"].as_str().unwrap().starts_with(code), "{kind} {behaviour}: {last}");
            assert!(all.len() > 1, "{kind} {behaviour}");
        }
    }
}

#[tokio::test]
async fn who_leaves_the_chunks_cancels_the_provider() {
    for kind in ["anthropic", "openai"] {
        let provider = Provider::start().await;
        let house = House::start(&provider.config("")).await;
        let mut live = house.open(bedrock(&format!("{kind}%2Fstall-6"), "invoke-with-response-stream")).await;
        live.read_until("chunk").await;
        drop(live);
        provider.wait(|counts| counts.cancelled == 1 && counts.in_flight == 0).await;
        let record = house.records_once(1).await.remove(0);
        assert_eq!(record["outcome"], "aborted", "{kind}: {record}");
    }
}

#[tokio::test]
async fn errors_are_amazons_where_the_path_is() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let signed = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-central-1/bedrock/aws4_request, SignedHeaders=host, Signature=0";
    for (ask, status, kind, code) in [
        (house.keyed(bedrock("nothing", "invoke")), 404, "ResourceNotFoundException", "model_not_found"),
        (house.keyed(bedrock("m", "converse-later")), 404, "ResourceNotFoundException", "not_found"),
        (house.keyed(bedrock("m", "invoke")).bytes("{"), 400, "ValidationException", "invalid_request"),
        (house.keyed(bedrock("m", "invoke")).bytes("{}"), 400, "ValidationException", "invalid_request"),
        (bedrock("m", "invoke").key("ghk_no"), 401, "UnrecognizedClientException", "invalid_api_key"),
        (
            bedrock("m", "invoke").header("authorization", signed),
            401,
            "UnrecognizedClientException",
            "invalid_api_key",
        ),
    ] {
        let answer = ask.open(&house.calls).await.rest().await;
        assert_eq!((answer.status, answer.header("x-amzn-errortype")), (status, kind), "{}", answer.text());
        assert_eq!(answer.json()["code"], code, "{}", answer.text());
        assert!(!answer.json()["message"].as_str().unwrap().is_empty());
        assert!(!answer.header("x-amzn-requestid").is_empty());
    }
    let answer = house.call(vertex("nothing", "rawPredict")).await;
    assert_eq!((answer.status, answer.json()["error"]["type"].as_str()), (404, Some("not_found_error")));
}
