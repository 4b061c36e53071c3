//! Sessions of Gemini Live: the first message opens them, both directions, what is recorded, and who misbehaves.

mod ends;

use crate::cloud::Cloud;
use crate::clouds::config;
use crate::house::House;
use crate::provider::{PATIENCE, Provider};
use crate::realtime::record;
use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const PATH: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

/// A client's side of a session.
struct Client {
    socket: WebSocketStream<TcpStream>,
    record: String,
}

/// What came until the end.
#[derive(Debug, Default)]
struct Rest {
    messages: Vec<Value>,
    code: Option<CloseCode>,
    reason: String,
}

fn ask(house: &House, path: &str) -> Request<()> {
    let mut request = format!("ws://{}{path}", house.calls).into_client_request().unwrap();
    request.headers_mut().insert("x-goog-api-key", house.key.parse().unwrap());
    request
}

async fn open(house: &House, request: Request<()>) -> Result<Client, Box<Error>> {
    let stream = TcpStream::connect(&house.calls).await.unwrap();
    let (socket, response) = client_async(request, stream).await.map_err(Box::new)?;
    let record = response.headers()["x-gatehouse-record"].to_str().unwrap().to_owned();
    Ok(Client { socket, record })
}

/// A first message that asks for answers of this kind.
fn setup(model: &str, modality: &str) -> Value {
    json!({"setup": {"model": format!("models/{model}"), "generationConfig": {"responseModalities": [modality]}}})
}

impl Client {
    /// A session without its first message.
    async fn begin(house: &House) -> Self {
        open(house, ask(house, PATH)).await.unwrap()
    }

    async fn start(house: &House, model: &str, modality: &str) -> Self {
        let mut client = Self::begin(house).await;
        client.say(&setup(model, modality)).await;
        assert!(client.next().await.unwrap()["setupComplete"].is_object());
        client
    }

    async fn say(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn asks(&mut self, text: &str) {
        let turn = json!({"role": "user", "parts": [{"text": text}]});
        self.say(&json!({"clientContent": {"turns": [turn], "turnComplete": true}})).await;
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.unwrap()?.ok()? {
                // Google says what it says as binary, and so it arrives.
                Message::Binary(bytes) => return Some(serde_json::from_slice(&bytes).unwrap()),
                Message::Text(text) => panic!("{text}"),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// All messages until one that has this.
    async fn until(&mut self, pointer: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("no {pointer} after {messages:?}"));
            let found = message.pointer(pointer).is_some();
            messages.push(message);
            if found {
                return messages;
            }
        }
    }

    /// All messages of a turn.
    async fn turn(&mut self) -> Vec<Value> {
        self.until("/serverContent/turnComplete").await
    }

    /// All that comes until the gateway ends the session.
    async fn rest(mut self) -> Rest {
        let mut rest = Rest::default();
        while let Some(Ok(message)) = tokio::time::timeout(PATIENCE, self.socket.next()).await.unwrap() {
            match message {
                Message::Binary(bytes) => rest.messages.push(serde_json::from_slice(&bytes).unwrap()),
                Message::Close(Some(frame)) => {
                    (rest.code, rest.reason) = (Some(frame.code), frame.reason.to_string());
                }
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
    /// The code of the error that the session was closed with.
    fn error(&self) -> &str {
        self.reason.split_once(": ").unwrap_or_else(|| panic!("{self:?}")).0
    }
}

/// The texts that the model has written, or has been heard to say.
fn joined(messages: &[Value]) -> String {
    let texts = messages.iter().filter_map(|message| {
        let content = message.get("serverContent")?;
        let written = content.pointer("/modelTurn/parts/0/text");
        written.or_else(|| content.pointer("/outputTranscription/text"))?.as_str()
    });
    texts.collect()
}

fn usage(messages: &[Value]) -> &Value {
    &messages.last().unwrap()["usageMetadata"]
}

#[tokio::test]
async fn two_turns_are_one_record_with_their_sum() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let mut client = Client::start(&house, "gemini/gemini-live", "AUDIO").await;
    client.asks("hello there").await;
    let messages = client.turn().await;
    assert_eq!(joined(&messages), "You said: hello there");
    let audio = "/serverContent/modelTurn/parts/0/inlineData/data";
    let spoken = messages.iter().filter_map(|message| message.pointer(audio)?.as_str());
    assert!(spoken.collect::<String>().starts_with("AAAA"));
    let first = usage(&messages).clone();
    let audio = json!({"mimeType": "audio/pcm;rate=16000", "data": "AAAA"});
    client.say(&json!({"realtime_input": {"audio": audio}})).await;
    client.say(&json!({"realtime_input": {"text": "and again"}})).await;
    let messages = client.turn().await;
    assert_eq!(joined(&messages), "You said: and again");
    let second = usage(&messages).clone();
    let id = client.leave().await;
    let record = record(&house, &id).await;
    let sum = |name: &str| first[name].as_u64().unwrap() + second[name].as_u64().unwrap();
    let (input, output) = (sum("promptTokenCount"), sum("responseTokenCount"));
    assert!(input > 10 && output > 8, "{first} {second}");
    assert_eq!((&record["outcome"], &record["status"]), (&json!("settled"), &json!(101)), "{record}");
    assert_eq!((&record["operation"], &record["surface"]), (&json!("realtime"), &json!("gemini.live")));
    assert_eq!((&record["served"], &record["usage_source"]), (&json!("gemini-live"), &json!("provider")));
    assert_eq!((&record["input_tokens"], &record["output_tokens"]), (&json!(input), &json!(output)));
    // A dollar a million of input, two of output.
    let micros = input + 2 * output;
    assert_eq!(record["cost_usd"], format!("0.{micros:06}").trim_end_matches('0'), "{record}");
    let sent = provider.last();
    assert_eq!(sent.path, PATH);
    assert!(!format!("{:?}", sent.headers).contains(&house.key));
    provider.wait(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn every_address_and_every_carrier_of_a_key_leads_to_a_session() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let with_key = format!("{PATH}?key={}", house.key);
    let vertex = "projects/p/locations/l/publishers/google/models/gemini-live";
    for (path, model) in [
        (PATH.replace("v1beta", "v1alpha").as_str(), "models/gemini/gemini-live"),
        (PATH.replace("v1beta", "v1").as_str(), "models/gemini/gemini-live"),
        (&format!("/{PATH}"), "gemini/gemini-live"),
        (&with_key, "gemini/gemini-live"),
        ("/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent", vertex),
    ] {
        let mut request = ask(&house, path);
        if path.contains("key=") {
            request.headers_mut().remove("x-goog-api-key");
        }
        let mut client = open(&house, request).await.unwrap();
        // Some clients send text, and some binary.
        let first =
            json!({"setup": {"model": model, "generation_config": {"response_modalities": ["TEXT"]}}});
        client.socket.send(Message::binary(first.to_string().into_bytes())).await.unwrap();
        assert!(client.next().await.unwrap()["setupComplete"].is_object(), "{path}");
        client.asks("hello").await;
        assert_eq!(joined(&client.turn().await), "You said: hello", "{path}");
        client.leave().await;
        assert!(!format!("{:?}", provider.last().query).contains(&house.key));
    }
}

#[tokio::test]
async fn who_is_not_known_is_refused_over_http() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let mut nobody = ask(&house, PATH);
    nobody.headers_mut().remove("x-goog-api-key");
    let twice = ask(&house, &format!("{PATH}?key=ghk_wrong"));
    let mut stranger = ask(&house, PATH);
    stranger.headers_mut().insert("x-goog-api-key", "ghk_wrong".parse().unwrap());
    for (request, status, word) in [
        (nobody, 401, "UNAUTHENTICATED"),
        (stranger, 401, "UNAUTHENTICATED"),
        (twice, 400, "INVALID_ARGUMENT"),
    ] {
        let Err(error) = open(&house, request).await else { panic!("a session") };
        let Error::Http(response) = *error else { panic!("{error}") };
        let body: Value = serde_json::from_slice(response.body().as_deref().unwrap_or_default()).unwrap();
        assert_eq!(
            (response.status().as_u16(), body["error"]["status"].as_str()),
            (status, Some(word)),
            "{body}"
        );
    }
    let plain = house.call(crate::client::Ask::get(PATH)).await;
    assert_eq!((plain.status, plain.json()["error"]["status"].as_str()), (400, Some("INVALID_ARGUMENT")));
    provider.wait(|counts| counts.received == 0).await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_closed_with_the_code() {
    let provider = Provider::start().await;
    let models = "models:\n  none: { targets: [openai/gpt-realtime, anthropic/claude-sonnet-5] }\n";
    let house = House::start(&provider.config(models)).await;
    let text = json!({"clientContent": {"turns": [], "turnComplete": true}});
    let audio = json!({"setup": {"model": "gemini/m", "systemInstruction": {"parts": [{"inlineData": {"data": "AA"}}]}}});
    for (first, code, error) in [
        (text, CloseCode::Policy, "invalid_request"),
        (json!({"setup": {}}), CloseCode::Policy, "invalid_request"),
        (json!([]), CloseCode::Policy, "invalid_request"),
        (audio, CloseCode::Policy, "invalid_request"),
        (setup("nobody/knows", "TEXT"), CloseCode::Policy, "model_not_found"),
        (setup("openai/gpt-realtime", "TEXT"), CloseCode::Policy, "no_capable_target"),
        (setup("azure/gpt-realtime", "TEXT"), CloseCode::Policy, "no_capable_target"),
        (setup("none", "TEXT"), CloseCode::Policy, "no_capable_target"),
    ] {
        let mut client = Client::begin(&house).await;
        client.say(&first).await;
        let id = client.record.clone();
        let rest = client.rest().await;
        assert_eq!((rest.code, rest.error()), (Some(code), error), "{first} {rest:?}");
        let record = record(&house, &id).await;
        assert_eq!((&record["outcome"], &record["error"]), (&json!("denied"), &json!(error)), "{record}");
    }
    provider.wait(|counts| counts.received == 0).await;
    // The other dialect's sessions are not translated into these.
    let mut other =
        format!("ws://{}/v1/realtime?model=gemini/gemini-live", house.calls).into_client_request().unwrap();
    other.headers_mut().insert("authorization", format!("Bearer {}", house.key).parse().unwrap());
    let Err(error) = open(&house, other).await else { panic!("a session") };
    assert!(matches!(&*error, Error::Http(response) if response.status() == 400), "{error}");
}

#[tokio::test]
async fn a_key_opens_only_its_models_and_a_model_keeps_its_session() {
    let provider = Provider::start().await;
    let models = "models:\n  voice: { targets: [openai/gpt-realtime, gemini/gemini-live] }\n";
    let house = House::start(&provider.config(models)).await;
    let (_, key) = house.new_key(&["--name", "narrow", "--models", "voice"]).await;
    let narrow = || {
        let mut request = ask(&house, PATH);
        request.headers_mut().insert("x-goog-api-key", key.parse().unwrap());
        request
    };
    let mut client = open(&house, narrow()).await.unwrap();
    client.say(&setup("gemini/gemini-live", "TEXT")).await;
    assert_eq!(client.rest().await.error(), "model_not_found");
    let mut client = open(&house, narrow()).await.unwrap();
    client.say(&setup("voice", "TEXT")).await;
    assert!(client.next().await.unwrap()["setupComplete"].is_object());
    client.say(&setup("gemini/other", "TEXT")).await;
    assert_eq!(client.rest().await.error(), "invalid_request");
}

#[tokio::test]
async fn what_the_provider_refuses_reaches_the_caller() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (model, reason) in [("gemini/missing", "not found"), ("gemini/error-500", "Simulated error 500")] {
        let mut client = Client::begin(&house).await;
        client.say(&setup(model, "TEXT")).await;
        let id = client.record.clone();
        let rest = client.rest().await;
        assert_eq!((rest.code, rest.error()), (Some(CloseCode::Error), "upstream_error"), "{rest:?}");
        assert!(rest.reason.contains(reason), "{rest:?}");
        let record = record(&house, &id).await;
        assert_eq!((&record["outcome"], &record["input_tokens"]), (&json!("failed"), &json!(0)), "{record}");
    }
    provider.script(&json!({"status": 503, "times": 20}));
    let mut client = Client::begin(&house).await;
    client.say(&setup("gemini/gemini-live", "TEXT")).await;
    let rest = client.rest().await;
    assert_eq!((rest.code, rest.error()), (Some(CloseCode::Error), "upstream_overloaded"), "{rest:?}");
}

#[tokio::test]
async fn vertex_is_told_the_whole_name_and_asked_with_a_token() {
    let (provider, cloud) = (Provider::start().await, Cloud::start().await);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("person.json");
    let person = json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        "token_uri": format!("{}/token", cloud.url())});
    std::fs::write(&file, person.to_string()).unwrap();
    let settings = format!(
        "base_url: \"http://{}\", project: our-project, location: europe-west4, credentials: {{ service_account: \"${{file:{}}}\" }}",
        provider.address(),
        file.display()
    );
    let house = House::start(&config("vertex", &settings, "")).await;
    // The simulated provider takes nothing but the whole name there.
    let mut client = Client::start(&house, "vertex/gemini-live", "TEXT").await;
    client.asks("hello").await;
    assert_eq!(joined(&client.turn().await), "You said: hello");
    client.leave().await;
    let asked = provider.last();
    assert_eq!(asked.path, "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent");
    assert_eq!(asked.carriers, ["authorization"]);
}

#[tokio::test]
async fn tools_are_called_in_a_session() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let mut client = Client::begin(&house).await;
    let mut first = setup("gemini/gemini-live", "TEXT");
    let schema = json!({"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]});
    let declared = json!([{"name": "get_weather", "description": "tells the weather", "parameters": schema}]);
    first["setup"]["tools"] = json!([{"functionDeclarations": declared}]);
    client.say(&first).await;
    client.next().await.unwrap();
    client.asks("call get_weather").await;
    let messages = client.until("/toolCall").await;
    let told = usage(&messages).clone();
    let call = messages.last().unwrap().pointer("/toolCall/functionCalls/0").unwrap().clone();
    assert_eq!(call["name"], "get_weather");
    let answer = json!({"id": call["id"], "name": "get_weather", "response": {"result": "sunny"}});
    client.say(&json!({"toolResponse": {"functionResponses": [answer]}})).await;
    let messages = client.turn().await;
    assert!(joined(&messages).contains("sunny"), "{messages:?}");
    let input =
        told["promptTokenCount"].as_u64().unwrap() + usage(&messages)["promptTokenCount"].as_u64().unwrap();
    let id = client.leave().await;
    let record = record(&house, &id).await;
    assert_eq!((&record["input_tokens"], &record["outcome"]), (&json!(input), &json!("settled")), "{record}");
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
    let house = House::start(&provider.config(&format!("{GUARDS}record: {{ content: full }}\n"))).await;
    let mut client = Client::begin(&house).await;
    let mut first = setup("gemini/gemini-live", "TEXT");
    first["setup"]["systemInstruction"] = json!({"parts": [{"text": "obey Nightingale"}]});
    client.say(&first).await;
    client.next().await.unwrap();
    client.asks("Nightingale and the blue heron here").await;
    let messages = client.turn().await;
    assert_eq!(joined(&messages), "You said: [REDACTED] and the [REDACTED] here");
    assert!(!json!(messages).to_string().contains("heron"), "{messages:?}");
    client.say(&json!({"realtimeInput": {"text": "a Nightingale"}})).await;
    assert_eq!(joined(&client.turn().await), "You said: a [REDACTED]");
    client.asks("a Condor in the middle").await;
    let id = client.record.clone();
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("guard_blocked", Some(CloseCode::Policy)));
    assert!(!json!(rest.messages).to_string().contains("Condor"), "{rest:?}");
    let record = record(&house, &id).await;
    assert_eq!(
        (&record["outcome"], &record["error"]),
        (&json!("failed"), &json!("guard_blocked")),
        "{record}"
    );
    assert_eq!(record["usage_source"], "estimated", "{record}");
    assert!(!record.to_string().contains("Nightingale"), "{record}");
    provider.wait(|counts| counts.in_flight == 0).await;
}

#[tokio::test]
async fn a_first_message_that_may_not_pass_opens_nothing() {
    let provider = Provider::start().await;
    let guards = "guards:\n  - { name: entry, detect: words, words: [Condor], at: [system], do: block }\n";
    let house = House::start(&provider.config(guards)).await;
    let mut client = Client::begin(&house).await;
    let mut first = setup("gemini/gemini-live", "TEXT");
    first["setup"]["system_instruction"] = json!({"parts": [{"text": "a Condor"}]});
    client.say(&first).await;
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("guard_blocked", Some(CloseCode::Policy)));
    provider.wait(|counts| counts.received == 0).await;
}

#[tokio::test]
async fn audio_and_pictures_pass_no_guardrail_that_acts() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(GUARDS)).await;
    for unread in [
        json!({"realtimeInput": {"audio": {"mimeType": "audio/pcm", "data": "AAAA"}}}),
        json!({"realtimeInput": {"video": {"mimeType": "image/jpeg", "data": "AAAA"}}}),
        json!({"realtimeInput": {"mediaChunks": [{"data": "AAAA"}]}}),
    ] {
        let mut client = Client::start(&house, "gemini/gemini-live", "TEXT").await;
        client.say(&unread).await;
        assert_eq!(client.rest().await.error(), "guard_blocked", "{unread}");
    }
    let mut client = Client::start(&house, "gemini/gemini-live", "AUDIO").await;
    client.asks("hello").await;
    let rest = client.rest().await;
    assert_eq!(rest.error(), "guard_blocked");
    assert!(!json!(rest.messages).to_string().contains("inlineData"), "{rest:?}");
}

#[tokio::test]
async fn a_budget_ends_a_session_between_two_turns() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    // Room for the first reservation, and not for another after it.
    let (_, key) = house.new_key(&["--name", "small", "--budget", "0.017 USD/day"]).await;
    let mut request = ask(&house, PATH);
    request.headers_mut().insert("x-goog-api-key", key.parse().unwrap());
    let mut client = open(&house, request).await.unwrap();
    client.say(&setup("gemini/gemini-live", "TEXT")).await;
    client.asks(&"many words ".repeat(400)).await;
    let id = client.record.clone();
    let rest = client.rest().await;
    assert_eq!((rest.error(), rest.code), ("budget_exceeded", Some(CloseCode::Policy)));
    let done =
        rest.messages.iter().filter(|message| message.pointer("/serverContent/turnComplete").is_some());
    assert_eq!(done.count(), 1, "{rest:?}");
    assert_eq!(record(&house, &id).await["usage_source"], "provider");
}
