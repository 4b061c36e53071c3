//! How sessions of Gemini Live end: by who dies, by limits, and in order.

use super::{Client, PATH, ask, open, setup};
use crate::house::House;
use crate::provider::Provider;
use crate::realtime::record;
use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

#[tokio::test]
async fn whoever_dies_in_the_middle_leaves_a_record() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("timeouts: { idle: 2s }\n")).await;
    for (model, code) in [("cut-4", "upstream_error"), ("stall-4", "upstream_timeout")] {
        let mut client = Client::start(&house, &format!("gemini/{model}"), "TEXT").await;
        client.asks("tell me a long story").await;
        let id = client.record.clone();
        assert_eq!(client.rest().await.error(), code, "{model}");
        let record = record(&house, &id).await;
        assert_eq!((&record["outcome"], &record["error"]), (&json!("failed"), &json!(code)), "{record}");
        assert_eq!(record["usage_source"], "estimated", "{record}");
        assert!(record["output_tokens"].as_u64() > Some(0), "{record}");
    }
    let mut client = Client::start(&house, "gemini/drip-50", "TEXT").await;
    client.asks(&"a long story ".repeat(20)).await;
    client.until("/serverContent/modelTurn").await;
    let id = client.record.clone();
    drop(client);
    let cut = record(&house, &id).await;
    assert_eq!((&cut["outcome"], &cut["usage_source"]), (&json!("aborted"), &json!("estimated")), "{cut}");
    // Who leaves before the first message has asked for nothing.
    let client = Client::begin(&house).await;
    let id = client.record.clone();
    drop(client);
    let left = record(&house, &id).await;
    assert_eq!((&left["outcome"], &left["input_tokens"]), (&json!("aborted"), &json!(0)), "{left}");
    provider.wait(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn messages_beyond_the_rules_end_the_session() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("limits: { message: 64KiB, body_time: 1s }\n")).await;
    let long = |bytes: usize| json!({"realtimeInput": {"audio": {"data": "A".repeat(bytes)}}}).to_string();
    let mut client = Client::start(&house, "gemini/gemini-live", "TEXT").await;
    client.socket.send(Message::text(long(60 << 10))).await.unwrap();
    client.socket.send(Message::text(long(70 << 10))).await.unwrap();
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("request_too_large", Some(CloseCode::Size)));
    // The same before the session has begun.
    let mut client = Client::begin(&house).await;
    client.socket.send(Message::text(long(70 << 10))).await.unwrap();
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("request_too_large", Some(CloseCode::Size)));
    let mut client = Client::begin(&house).await;
    client.socket.send(Message::binary(vec![0xff, 0xfe])).await.unwrap();
    assert_eq!(client.rest().await.code, Some(CloseCode::Invalid));
    let rest = Client::begin(&house).await.rest().await;
    assert_eq!((rest.error(), rest.code), ("request_timeout", Some(CloseCode::Policy)));
    for nonsense in
        ["[]", "{", "{\"setup\":{},\"setup\":{}}", "", "{\"clientContent\":{},\"client_content\":{}}"]
    {
        for begun in [true, false] {
            let mut client = if begun {
                Client::start(&house, "gemini/gemini-live", "TEXT").await
            } else {
                Client::begin(&house).await
            };
            client.socket.send(Message::text(nonsense)).await.unwrap();
            assert_eq!(client.rest().await.error(), "invalid_request", "{nonsense} {begun}");
        }
    }
    for begun in [true, false] {
        let mut client = if begun {
            Client::start(&house, "gemini/gemini-live", "TEXT").await
        } else {
            Client::begin(&house).await
        };
        for _ in 0..200 {
            client.socket.feed(Message::Ping(Default::default())).await.unwrap();
        }
        client.socket.flush().await.unwrap();
        let rest = client.rest().await;
        assert_eq!((rest.error(), rest.code), ("invalid_request", Some(CloseCode::Policy)));
    }
    let mut client = Client::start(&house, "gemini/pings", "TEXT").await;
    client.asks("hello").await;
    assert_eq!(client.rest().await.error(), "upstream_bad_response");
    provider.wait(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn silence_a_revoked_key_and_a_drain_end_sessions_in_order() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("limits: { session_idle: 2s }\n")).await;
    let rest = Client::start(&house, "gemini/gemini-live", "TEXT").await.rest().await;
    assert_eq!((rest.error(), rest.code), ("request_timeout", Some(CloseCode::Policy)));
    let house = House::start(&provider.config("")).await;
    let (id, key) = house.new_key(&["--name", "gone"]).await;
    let mut request = ask(&house, PATH);
    request.headers_mut().insert("x-goog-api-key", key.parse().unwrap());
    let mut client = open(&house, request).await.unwrap();
    client.say(&setup("gemini/gemini-live", "TEXT")).await;
    client.next().await.unwrap();
    house.command(&["key", "revoke", &id]).await;
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("invalid_api_key", Some(CloseCode::Policy)));

    // Who has not begun and who is silent end at once, who speaks when it has spoken.
    let unsaid = Client::begin(&house).await;
    let quiet = Client::start(&house, "gemini/gemini-live", "TEXT").await;
    let mut busy = Client::start(&house, "gemini/drip-20", "TEXT").await;
    busy.asks("hello there my friend").await;
    busy.until("/serverContent/modelTurn").await;
    house.signal("TERM");
    for client in [unsaid, quiet] {
        let rest = client.rest().await;
        assert_eq!((rest.error(), rest.code), ("draining", Some(CloseCode::Away)));
    }
    let rest = busy.rest().await;
    assert_eq!(rest.error(), "draining");
    let complete = |message: &Value| message.pointer("/serverContent/generationComplete").is_some();
    assert!(rest.messages.iter().any(complete), "{rest:?}");
    assert!(house.ended().await.success());
}
