//! Realtime sessions: both directions, what is recorded of them, and whoever misbehaves on either side.

use crate::house::House;
use crate::provider::{PATIENCE, Provider};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// A client's side of a session.
struct Client {
    socket: WebSocketStream<TcpStream>,
    record: String,
}

/// What came until the end.
#[derive(Debug, Default)]
struct Rest {
    events: Vec<Value>,
    code: Option<CloseCode>,
}

fn ask(house: &House, path: &str) -> Request<()> {
    let mut request = format!("ws://{}{path}", house.calls).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", house.key).parse().unwrap());
    request
}

async fn open(house: &House, request: Request<()>) -> Result<Client, Box<Error>> {
    let stream = TcpStream::connect(&house.calls).await.unwrap();
    let (socket, response) = client_async(request, stream).await.map_err(Box::new)?;
    let record = response.headers()["x-gatehouse-record"].to_str().unwrap().to_owned();
    Ok(Client { socket, record })
}

/// What a request is refused with.
async fn refused(house: &House, request: Request<()>) -> (u16, Value) {
    let Err(error) = open(house, request).await else { panic!("a session") };
    let Error::Http(response) = *error else { panic!("{error}") };
    let body = response.body().clone().unwrap_or_default();
    (response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default())
}

impl Client {
    async fn start(house: &House, model: &str) -> Self {
        let mut client = open(house, ask(house, &format!("/v1/realtime?model={model}"))).await.unwrap();
        assert_eq!(client.next().await.unwrap()["type"], "session.created");
        client
    }

    async fn say(&mut self, event: &Value) {
        self.socket.send(Message::text(event.to_string())).await.unwrap();
    }

    /// A text of the user, to be answered in this form.
    async fn asks(&mut self, text: &str, modality: &str) {
        let content = json!([{"type": "input_text", "text": text}]);
        let item = json!({"type": "message", "role": "user", "content": content});
        self.say(&json!({"type": "conversation.item.create", "item": item})).await;
        self.say(&json!({"type": "response.create", "response": {"output_modalities": [modality]}})).await;
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.unwrap()?.ok()? {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// All events until this one.
    async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("no {kind} after {events:?}"));
            let found = event["type"] == kind;
            events.push(event);
            if found {
                return events;
            }
        }
    }

    /// All that comes until the gateway ends the session.
    async fn rest(mut self) -> Rest {
        let mut rest = Rest::default();
        while let Some(Ok(message)) = tokio::time::timeout(PATIENCE, self.socket.next()).await.unwrap() {
            match message {
                Message::Text(text) => rest.events.push(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => rest.code = frame.map(|frame| frame.code),
                _ => {}
            }
        }
        rest
    }

    async fn leave(mut self) -> String {
        self.socket.close(None).await.unwrap();
        let record = self.record.clone();
        self.rest().await;
        record
    }
}

impl Rest {
    /// The code of the error that is the last word.
    fn error(&self) -> &str {
        let last = self.events.last().unwrap_or(&Value::Null);
        assert_eq!(last["type"], "error", "{self:?}");
        last["error"]["code"].as_str().unwrap()
    }
}

/// The record of a session, once it has ended.
pub(crate) async fn record(house: &House, id: &str) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let records = house.records().await;
        if let Some(own) = records.into_iter().find(|record| record["record"] == id) {
            return own;
        }
        assert!(begun.elapsed() < PATIENCE, "no record {id}");
    }
}

fn joined(events: &[Value], kind: &str) -> String {
    let deltas = events.iter().filter(|event| event["type"] == kind);
    deltas.map(|event| event["delta"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn two_turns_are_one_record_with_their_sum() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let mut client = Client::start(&house, "openai/gpt-realtime").await;
    client.asks("hello there", "text").await;
    let events = client.until("response.done").await;
    assert_eq!(joined(&events, "response.output_text.delta"), "You said: hello there");
    let first = events.last().unwrap()["response"]["usage"].clone();
    client.asks("and again", "audio").await;
    let events = client.until("response.done").await;
    assert_eq!(joined(&events, "response.output_audio_transcript.delta"), "You said: and again");
    assert!(joined(&events, "response.output_audio.delta").starts_with("AAAA"));
    let second = events.last().unwrap()["response"]["usage"].clone();
    let id = client.leave().await;
    let record = record(&house, &id).await;
    let sum = |name: &str| first[name].as_u64().unwrap() + second[name].as_u64().unwrap();
    assert_eq!(record["outcome"], "settled", "{record}");
    assert_eq!((&record["operation"], &record["status"]), (&json!("realtime"), &json!(101)), "{record}");
    assert_eq!(record["input_tokens"], sum("input_tokens"), "{record}");
    assert_eq!(record["output_tokens"], sum("output_tokens"), "{record}");
    assert!(second["output_token_details"]["audio_tokens"].as_u64() > Some(0), "{second}");
    // A dollar a million of input, two of output.
    let micros = sum("input_tokens") + 2 * sum("output_tokens");
    assert_eq!(record["cost_usd"], format!("0.{micros:06}").trim_end_matches('0'), "{record}");
    let sent = provider.last();
    assert!(sent.path.ends_with("/realtime"), "{}", sent.path);
    provider.wait(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn every_address_and_every_carrier_of_a_key_leads_to_a_session() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for path in [
        "/v1/realtime?model=openai/gpt-realtime",
        "/openai/v1/realtime?model=azure/gpt-realtime",
        "/openai/realtime?api-version=2025-04-01-preview&deployment=azure%2Fgpt-realtime",
    ] {
        let mut client = open(&house, ask(&house, path)).await.unwrap();
        assert_eq!(client.next().await.unwrap()["type"], "session.created", "{path}");
        client.leave().await;
    }
    let mut browser = ask(&house, "/v1/realtime?model=openai/gpt-realtime");
    browser.headers_mut().remove("authorization");
    let protocols = format!("realtime, openai-insecure-api-key.{}", house.key);
    browser.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
    let mut client = open(&house, browser).await.unwrap();
    assert_eq!(client.next().await.unwrap()["type"], "session.created");
    client.leave().await;
    assert!(!format!("{:?}", provider.last().headers).contains(&house.key));
}

#[tokio::test]
async fn what_is_refused_is_refused_over_http() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let at = |model: &str| ask(&house, &format!("/v1/realtime?model={model}"));
    let mut nobody = at("openai/gpt-realtime");
    nobody.headers_mut().remove("authorization");
    let mut stranger = at("openai/gpt-realtime");
    stranger.headers_mut().insert("authorization", "Bearer ghk_wrong".parse().unwrap());
    for (request, status, code) in [
        (nobody, 401, "invalid_api_key"),
        (stranger, 401, "invalid_api_key"),
        (ask(&house, "/v1/realtime"), 400, "invalid_request"),
        (at("anthropic/claude-sonnet-5"), 400, "no_capable_target"),
        (at("openai/error-401"), 502, "upstream_auth_failed"),
        (at("openai/ratelimit-7"), 429, "upstream_rate_limited"),
        (at("openai/missing"), 404, "upstream_model_not_found"),
    ] {
        let what = format!("{} {code}", request.uri());
        let (got, body) = refused(&house, request).await;
        assert_eq!(
            (got, body["error"]["code"].as_str().unwrap_or_default()),
            (status, code),
            "{what} {body}"
        );
    }
    let plain = house.call(crate::client::Ask::get("/v1/realtime?model=openai/gpt-realtime")).await;
    assert_eq!((plain.status, plain.json()["error"]["code"].as_str()), (400, Some("invalid_request")));
}

#[tokio::test]
async fn the_next_target_is_asked_when_the_first_refuses() {
    let provider = Provider::start().await;
    let models = "models:\n  voice: { targets: [openai/error-500, openai/gpt-realtime] }\n";
    let house = House::start(&provider.config(models)).await;
    let mut client = Client::start(&house, "voice").await;
    // The caller's name for the model is the provider's when it goes on.
    client.say(&json!({"type": "session.update", "session": {"model": "voice"}})).await;
    assert_eq!(client.next().await.unwrap()["session"]["model"], "gpt-realtime");
    client.say(&json!({"type": "session.update", "session": {"model": "other"}})).await;
    let id = client.record.clone();
    assert_eq!(client.rest().await.error(), "invalid_request");
    let record = record(&house, &id).await;
    assert_eq!(
        (&record["provider"], &record["served"]),
        (&json!("openai"), &json!("gpt-realtime")),
        "{record}"
    );
}

const GUARDS: &str = r#"
guards:
  - { name: entry, detect: words, words: [Nightingale], at: [input, system, tool_result], do: redact }
  - { name: exit, detect: words, words: ["blue heron"], at: [output], do: redact }
  - { name: stop, detect: words, words: [Condor], at: [output], do: block }
"#;

#[tokio::test]
async fn guardrails_stand_on_both_sides_of_a_session() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(GUARDS)).await;
    let mut client = Client::start(&house, "openai/gpt-realtime").await;
    client.say(&json!({"type": "session.update", "session": {"instructions": "obey Nightingale"}})).await;
    assert_eq!(client.next().await.unwrap()["session"]["instructions"], "obey [REDACTED]");
    client.asks("Nightingale and the blue heron here", "text").await;
    let events = client.until("response.done").await;
    let said = "You said: [REDACTED] and the [REDACTED] here";
    assert_eq!(joined(&events, "response.output_text.delta"), said);
    // The caller's own words come back as they were; the model's do not.
    let of_model = events.iter().filter(|event| event["type"].as_str().unwrap().starts_with("response."));
    assert!(
        of_model.clone().count() > 5
            && !of_model.into_iter().any(|event| event.to_string().contains("heron"))
    );
    client.asks("a Condor in the middle", "text").await;
    let id = client.record.clone();
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("guard_blocked", Some(CloseCode::Policy)));
    let of_model =
        rest.events.iter().filter(|event| event["type"].as_str().unwrap().starts_with("response."));
    assert!(!of_model.into_iter().any(|event| event.to_string().contains("Condor")), "{rest:?}");
    let record = record(&house, &id).await;
    assert_eq!(
        (&record["outcome"], &record["error"]),
        (&json!("failed"), &json!("guard_blocked")),
        "{record}"
    );
    assert_eq!(record["usage_source"], "estimated", "{record}");
    provider.wait(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn audio_passes_no_guardrail_that_acts() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(GUARDS)).await;
    for spoken in [
        json!({"type": "input_audio_buffer.append", "audio": "AAAA"}),
        json!({"type": "response.create", "response": {"output_modalities": ["audio"]}}),
        json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content":
            [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}}),
    ] {
        let mut client = Client::start(&house, "openai/gpt-realtime").await;
        client.say(&spoken).await;
        let rest = client.rest().await;
        assert_eq!(rest.error(), "guard_blocked", "{spoken}");
        assert!(!json!(rest.events).to_string().contains("output_audio"), "{rest:?}");
    }
}

#[tokio::test]
async fn a_budget_ends_a_session_between_two_responses() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    // Room for the first reservation, and not for another after it.
    let (_, key) = house.new_key(&["--name", "small", "--budget", "0.017 USD/day"]).await;
    let mut request = ask(&house, "/v1/realtime?model=openai/gpt-realtime");
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    let mut client = open(&house, request).await.unwrap();
    client.asks(&"many words ".repeat(400), "text").await;
    let id = client.record.clone();
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("budget_exceeded", Some(CloseCode::Policy)));
    let done = rest.events.iter().filter(|event| event["type"] == "response.done");
    assert_eq!(done.count(), 1, "{rest:?}");
    let record = record(&house, &id).await;
    assert_eq!(record["usage_source"], "provider", "{record}");
}

#[tokio::test]
async fn whoever_dies_in_the_middle_leaves_a_record() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("timeouts: { idle: 2s }\n")).await;
    for (model, code) in [("cut-6", "upstream_error"), ("stall-6", "upstream_timeout")] {
        let mut client = Client::start(&house, &format!("openai/{model}")).await;
        client.asks("tell me a long story", "text").await;
        let id = client.record.clone();
        assert_eq!(client.rest().await.error(), code, "{model}");
        let record = record(&house, &id).await;
        assert_eq!((&record["outcome"], &record["error"]), (&json!("failed"), &json!(code)), "{record}");
        assert_eq!(record["usage_source"], "estimated", "{record}");
        assert!(record["output_tokens"].as_u64() > Some(0), "{record}");
    }
    let mut client = Client::start(&house, "openai/drip-50").await;
    client.asks(&"a long story ".repeat(20), "text").await;
    client.until("response.output_text.delta").await;
    let id = client.record.clone();
    drop(client);
    let record = record(&house, &id).await;
    assert_eq!(
        (&record["outcome"], &record["usage_source"]),
        (&json!("aborted"), &json!("estimated")),
        "{record}"
    );
    provider.wait(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn a_crash_settles_a_session_at_what_it_had_come_to() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let mut client = Client::start(&house, "openai/gpt-realtime").await;
    let id = client.record.clone();
    let mut tokens = 0;
    for turn in 1..=6 {
        client.asks(&"many words ".repeat(1_000 * turn), "text").await;
        let done = client.until("response.done").await;
        tokens += done.last().unwrap()["response"]["usage"]["total_tokens"].as_u64().unwrap();
    }
    let house = house.crash_and_restart().await;
    let record = record(&house, &id).await;
    assert_eq!(
        (&record["error"], &record["cost_status"]),
        (&json!("interrupted"), &json!("estimated")),
        "{record}"
    );
    let cost: f64 = record["cost_usd"].as_str().unwrap().parse().unwrap();
    // A dollar a million, and two for what came out: what is recorded may be more than was used, and never less.
    let used = f64::from(u32::try_from(tokens).unwrap()) / 1e6;
    assert!(cost >= used && used > 0.02, "{cost} {used}");
}

#[tokio::test]
async fn frames_beyond_the_rules_end_the_session() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("limits: { message: 64KiB }\n")).await;
    let append = |bytes: usize| {
        Message::text(json!({"type": "input_audio_buffer.append", "audio": "A".repeat(bytes)}).to_string())
    };
    let mut client = Client::start(&house, "openai/gpt-realtime").await;
    client.socket.send(append(60 << 10)).await.unwrap();
    client.socket.send(append(70 << 10)).await.unwrap();
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("request_too_large", Some(CloseCode::Size)));

    let mut client = Client::start(&house, "openai/gpt-realtime").await;
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("invalid_request", Some(CloseCode::Unsupported)));

    for (bytes, code) in [
        // Unmasked.
        (b"\x81\x02{}".to_vec(), CloseCode::Protocol),
        // A reserved opcode.
        (b"\x83\x80\0\0\0\0".to_vec(), CloseCode::Protocol),
        // A message that goes on without having begun.
        (b"\x80\x80\0\0\0\0".to_vec(), CloseCode::Protocol),
        // A ping in fragments.
        (b"\x09\x80\0\0\0\0".to_vec(), CloseCode::Protocol),
        // No UTF-8.
        (b"\x81\x81\0\0\0\0\xff".to_vec(), CloseCode::Invalid),
        // More than a message may have, in one frame that has only begun.
        (b"\x81\xff\0\0\0\0\x7f\0\0\0\0\0\0\0".to_vec(), CloseCode::Size),
    ] {
        let mut client = Client::start(&house, "openai/gpt-realtime").await;
        client.socket.get_mut().write_all(&bytes).await.unwrap();
        let rest = client.rest().await;
        assert_eq!(rest.code, Some(code), "{bytes:?} {rest:?}");
    }

    for nonsense in ["[]", "{", "{\"type\":\"a\",\"type\":\"b\"}", ""] {
        let mut client = Client::start(&house, "openai/gpt-realtime").await;
        client.socket.send(Message::text(nonsense)).await.unwrap();
        assert_eq!(client.rest().await.error(), "invalid_request", "{nonsense}");
    }
    provider.wait(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn a_fragmented_message_is_one_and_fragments_are_limited() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let provider = Provider::start().await;
    let house = House::start(&provider.config("limits: { message: 64KiB }\n")).await;
    let mut client = Client::start(&house, "openai/gpt-realtime").await;
    let text = json!({"type": "session.update", "session": {"instructions": "in pieces"}}).to_string();
    let (first, rest) = text.split_at(20);
    let piece =
        |text: &str, kind, last| Message::Frame(Frame::message(text.to_owned(), OpCode::Data(kind), last));
    client.socket.send(piece(first, Data::Text, false)).await.unwrap();
    client.socket.send(Message::Ping(Default::default())).await.unwrap();
    client.socket.send(piece(rest, Data::Continue, true)).await.unwrap();
    assert_eq!(client.next().await.unwrap()["session"]["instructions"], "in pieces");
    let part = "A".repeat(32 << 10);
    client.socket.send(piece(&part, Data::Text, false)).await.unwrap();
    for _ in 0..2 {
        client.socket.send(piece(&part, Data::Continue, false)).await.unwrap();
    }
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("request_too_large", Some(CloseCode::Size)));
}

#[tokio::test]
async fn a_flood_of_pings_ends_the_session_from_either_side() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let mut client = Client::start(&house, "openai/gpt-realtime").await;
    for _ in 0..200 {
        client.socket.feed(Message::Ping(Default::default())).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("invalid_request", Some(CloseCode::Policy)));
    let mut client = Client::start(&house, "openai/pings").await;
    client.asks("hello", "text").await;
    assert_eq!(client.rest().await.error(), "upstream_bad_response");
}

#[tokio::test]
async fn silence_and_a_long_session_have_their_limits() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("limits: { session_idle: 1s }\n")).await;
    let rest = Client::start(&house, "openai/gpt-realtime").await.rest().await;
    assert_eq!((rest.error(), rest.code), ("request_timeout", Some(CloseCode::Policy)));
    let mut request = ask(&house, "/v1/realtime?model=openai/gpt-realtime");
    request.headers_mut().insert("x-gatehouse-timeout", "300ms".parse().unwrap());
    assert_eq!(open(&house, request).await.unwrap().rest().await.error(), "request_timeout");
}

#[tokio::test]
async fn a_drain_and_a_revoked_key_end_sessions_in_order() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let (id, key) = house.new_key(&["--name", "gone"]).await;
    let mut request = ask(&house, "/v1/realtime?model=openai/gpt-realtime");
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    let client = open(&house, request).await.unwrap();
    house.command(&["key", "revoke", &id]).await;
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("invalid_api_key", Some(CloseCode::Policy)));

    // One that is silent ends at once, one that speaks when it has spoken.
    let quiet = Client::start(&house, "openai/gpt-realtime").await;
    let mut busy = Client::start(&house, "openai/drip-20").await;
    busy.asks("hello there my friend", "text").await;
    busy.until("response.output_text.delta").await;
    house.signal("TERM");
    let rest = quiet.rest().await;
    assert_eq!((rest.error(), rest.code), ("draining", Some(CloseCode::Away)));
    let rest = busy.rest().await;
    assert_eq!(rest.error(), "draining");
    assert!(rest.events.iter().any(|event| event["type"] == "response.done"), "{rest:?}");
    assert!(house.ended().await.success());
}
