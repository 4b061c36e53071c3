//! What is marked, and what is not, in requests that stay Anthropic's and in those that are translated.

use super::{Prompt, Turns, edits, least_tokens, marked};
use crate::anthropic::Messages;
use crate::bedrock::Converse;
use crate::codec::{Codec as _, ProviderCodec as _, Quirks, Target};
use crate::json::{Doc, Strictness};
use bytes::Bytes;
use gatehouse_core::content::{Dialect, splice};
use gatehouse_core::deployment::Capabilities;
use serde_json::{Value, json};

/// A word is a token here.
fn words(text: &str) -> u64 {
    text.split_whitespace().map(|_| 1).sum()
}

fn long(name: &str) -> String {
    format!("{name} ").repeat(1_100)
}

fn doc(body: &Value) -> Doc {
    Doc::parse(Bytes::from(body.to_string()), Strictness::Caller).unwrap()
}

fn prompt(model: &str, tokens: u64) -> Prompt<'_> {
    Prompt { model, tokens, count: &words }
}

fn spliced(body: &Value, tokens: u64) -> Value {
    let doc = doc(body);
    let sent = splice(doc.bytes(), &edits(&doc, &prompt("claude-sonnet-4-5", tokens)));
    // The gateway takes it for what it sends.
    let again = Doc::parse(sent.clone(), Strictness::Caller).unwrap();
    Messages.view(&again).unwrap();
    serde_json::from_slice(&sent).unwrap()
}

/// The same through the canonical conversation.
fn written(body: &Value, dialect: Dialect, model: &str, tokens: u64) -> (Value, Vec<String>) {
    let request = Messages.decode_request(&doc(body)).unwrap();
    let request = marked(&request, dialect, &prompt(model, tokens)).unwrap_or(request);
    let target = Target { model, capabilities: Capabilities::default(), quirks: &Quirks::NONE };
    let encoded = match dialect {
        Dialect::BedrockConverse => Converse.encode_request(&request, &target),
        _ => Messages.encode_request(&request, &target),
    };
    let encoded = encoded.unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

fn marks(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(marks).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match name.as_str() {
                "cache_control" | "cachePoint" => usize::from(!value.is_null()),
                _ => marks(value),
            })
            .sum(),
        _ => 0,
    }
}

fn conversation() -> Value {
    json!({
        "model": "m", "max_tokens": 9, "system": long("s"),
        "tools": [
            {"name": "f", "description": long("t"), "input_schema": {"type": "object"}},
            {"name": "g", "input_schema": {"type": "object"}},
        ],
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "r"}]},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d", "cache_control": null}]},
        ],
    })
}

#[test]
fn marks_stand_behind_tools_instructions_and_the_last_two_turns_of_the_user() {
    let mark = json!({"type": "ephemeral"});
    let mut expected = conversation();
    expected["tools"][1]["cache_control"] = mark.clone();
    expected["system"] = json!([{"type": "text", "text": long("s"), "cache_control": mark}]);
    expected["messages"][2]["content"][0]["cache_control"] = mark.clone();
    expected["messages"][4]["content"][1]["cache_control"] = mark.clone();
    assert_eq!(spliced(&conversation(), 3_000), expected);

    let (body, dropped) = written(&conversation(), Dialect::AnthropicMessages, "claude-sonnet-4-5", 3_000);
    assert_eq!((marks(&body), dropped.len()), (4, 0));
    assert_eq!(body["tools"][1]["cache_control"], mark);
    assert_eq!(body["system"][0]["cache_control"], mark);
    assert_eq!(body["messages"][2]["content"][0]["cache_control"], mark);
    assert_eq!(body["messages"][4]["content"][1]["cache_control"], mark);
}

#[test]
fn bedrock_gets_points_where_the_model_takes_them() {
    let model = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let point = json!({"cachePoint": {"type": "default"}});
    let (body, dropped) = written(&conversation(), Dialect::BedrockConverse, model, 3_000);
    assert_eq!((marks(&body), dropped.len()), (4, 0));
    assert_eq!((&body["toolConfig"]["tools"][2], &body["system"][1]), (&point, &point));
    assert_eq!((&body["messages"][2]["content"][1], &body["messages"][4]["content"][2]), (&point, &point));
    let (body, dropped) = written(&conversation(), Dialect::BedrockConverse, "amazon.nova-lite-v1:0", 3_000);
    assert_eq!((marks(&body), dropped.len()), (3, 0));
    assert_eq!(body["toolConfig"]["tools"].as_array().unwrap().len(), 2);
    let (body, dropped) =
        written(&conversation(), Dialect::BedrockConverse, "meta.llama3-1-8b-instruct-v1:0", 3_000);
    assert_eq!((marks(&body), dropped.len()), (0, 0));
}

#[test]
fn a_prefix_that_is_not_kept_gets_no_mark() {
    let short =
        json!({"model": "m", "max_tokens": 9, "system": "s", "messages": [{"role": "user", "content": "a"}]});
    assert_eq!(spliced(&short, 1_023), short);
    assert_eq!(
        written(&short, Dialect::AnthropicMessages, "claude-sonnet-4-5", 1_023).0["system"][0]["text"],
        "s"
    );
    // The whole is long enough, its beginnings are not.
    let mut grown = short;
    grown["messages"] = json!([
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
        {"role": "user", "content": long("c")},
    ]);
    for body in
        [spliced(&grown, 1_102), written(&grown, Dialect::AnthropicMessages, "claude-sonnet-4-5", 1_102).0]
    {
        assert_eq!(marks(&body), 1);
        assert_eq!(body["messages"][2]["content"][0]["cache_control"]["type"], "ephemeral");
    }
}

#[test]
fn a_mark_of_the_callers_is_the_only_one() {
    for place in ["/tools/0", "/messages/2/content/0", "/messages/4/content/0", ""] {
        let mut own = conversation();
        own.pointer_mut(place).unwrap()["cache_control"] = json!({"type": "ephemeral", "ttl": "1h"});
        assert_eq!(spliced(&own, 3_000), own, "{place}");
        let request = Messages.decode_request(&doc(&own)).unwrap();
        assert!(
            marked(&request, Dialect::AnthropicMessages, &prompt("claude-sonnet-4-5", 3_000)).is_none(),
            "{place}"
        );
    }
    // Words about marks are none.
    let mut told = conversation();
    told["messages"][0]["content"] = json!("set \"cache_control\" to {}");
    assert_eq!(marks(&spliced(&told, 3_000)), 4);
}

#[test]
fn what_cannot_be_marked_is_passed_over() {
    let upload = json!({"type": "container_upload", "file_id": "f"});
    let body = json!({
        "model": "m", "max_tokens": 9, "system": "  ",
        "tools": [
            {"name": "f", "description": long("t"), "input_schema": {}},
            {"name": "g", "input_schema": {}, "defer_loading": true},
        ],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, upload, {"type": "text", "text": " "}]}],
    });
    let sent = spliced(&body, 3_000);
    assert_eq!(marks(&sent), 2);
    assert_eq!(sent["tools"][0]["cache_control"]["type"], "ephemeral");
    assert_eq!(sent["messages"][0]["content"][0]["cache_control"]["type"], "ephemeral");
}

#[test]
fn turns_are_those_that_the_user_ended() {
    let (user, model) = (Some(true), Some(false));
    let of = |roles: &[Option<bool>]| Turns::of(roles).map(|turns| (turns.before, turns.last));
    assert_eq!(of(&[user, user]), Some((None, 1)));
    assert_eq!(of(&[None, user, model, user, user, model]), Some((Some(1), 4)));
    assert_eq!(of(&[model]), None);
}

#[test]
fn least_lengths_are_the_makers() {
    for (model, least) in [
        ("claude-sonnet-4-20250514", 1_024),
        ("claude-opus-4-1", 1_024),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 1_024),
        ("claude-3-5-haiku-20241022", 2_048),
        ("claude-sonnet-4-6", 2_048),
        ("claude-haiku-4-5", 4_096),
        ("claude-opus-4-6", 4_096),
        ("amazon.nova-pro-v1:0", 1_000),
    ] {
        assert_eq!(least_tokens(model), least, "{model}");
    }
}
