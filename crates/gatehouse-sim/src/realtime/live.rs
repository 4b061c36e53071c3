//! A session of Gemini Live: the first message sets it up, and each turn of the user is answered with one of the model.
//! What is said is binary with JSON in it, as Google has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::conversation::{Conversation, Tool};
use crate::directive::Directives;
use crate::gemini::camel;
use crate::json::{get, list, text};
use crate::simulator::Shared;
use crate::stats::Flight;
use crate::think::{Reply, think};
use crate::words;

/// Pings that the directive `pings` sends at once.
const PINGS: usize = 1_000;
/// Tokens of input that each piece of audio or picture is billed as.
const TOKENS_PER_MEDIUM: u64 = 10;
/// Tokens of output that each spoken word is billed as, in the place of its text.
const TOKENS_PER_SPOKEN_WORD: u64 = 2;
/// Bytes of silence for each word that is spoken: 50 ms of PCM at 24 kHz and 16 bits.
const AUDIO_BYTES_PER_WORD: usize = 2_400;

/// What a session remembers.
struct Live<'a> {
    shared: &'a Shared,
    socket: WebSocketStream<TokioIo<Upgraded>>,
    directives: Directives,
    conversation: Conversation,
    speaks: bool,
    /// Pieces of audio, and of what is seen.
    heard: u64,
    seen: u64,
    sent: usize,
}

/// Why a session ends.
enum Over {
    /// The client left, or the connection is lost.
    Left,
    /// It is cut on purpose.
    Cut,
    /// It is refused.
    Refused(CloseCode, String),
}

/// Serves a session to its end.
pub(super) async fn run(
    shared: &Shared,
    by_path: bool,
    socket: WebSocketStream<TokioIo<Upgraded>>,
    mut flight: Flight,
) {
    let mut live = Live {
        shared,
        socket,
        directives: Directives::default(),
        conversation: Conversation::new(""),
        speaks: true,
        heard: 0,
        seen: 0,
        sent: 0,
    };
    match live.serve(by_path, &flight).await {
        Err(Over::Cut) => flight.cut(),
        Err(Over::Refused(code, reason)) => {
            let _ = live.socket.close(Some(CloseFrame { code, reason: reason.into() })).await;
            while let Some(Ok(_)) = live.socket.next().await {}
            flight.complete();
        }
        Err(Over::Left) | Ok(()) => flight.complete(),
    }
}

fn invalid() -> Over {
    Over::Refused(CloseCode::Invalid, "Request contains an invalid argument.".to_owned())
}

// === impl Live ===

impl Live<'_> {
    async fn serve(&mut self, by_path: bool, flight: &Flight) -> Result<(), Over> {
        let mut is_set_up = false;
        while let Some(Ok(message)) = self.socket.next().await {
            let written = match &message {
                Message::Text(text) => text.as_bytes(),
                Message::Binary(bytes) => bytes,
                Message::Close(_) => break,
                _ => continue,
            };
            let message = camel(&serde_json::from_slice(written).map_err(|_| invalid())?);
            match (is_set_up, get(&message, "setup")) {
                (false, Some(setup)) => {
                    self.set_up(setup, by_path)?;
                    is_set_up = true;
                    let id = self.shared.ids.next("live_");
                    self.say(json!({"setupComplete": {"sessionId": id}})).await?;
                }
                (true, None) => self.hear(&message, flight).await?,
                _ => return Err(invalid()),
            }
        }
        Ok(())
    }

    fn set_up(&mut self, setup: &Value, by_path: bool) -> Result<(), Over> {
        let named = text(setup, "model").unwrap_or_default();
        let model = match by_path {
            true => named.strip_prefix("projects/").and_then(|long| Some(long.split_once("/models/")?.1)),
            false => named.strip_prefix("models/"),
        };
        let model = model.ok_or_else(invalid)?;
        self.directives = Directives::of(model);
        if self.directives.missing {
            let reason = format!("{named} is not found for API version v1beta, or is not supported");
            return Err(Over::Refused(CloseCode::Policy, reason));
        }
        if let Some(status) = self.directives.error {
            return Err(Over::Refused(CloseCode::Error, format!("Simulated error {status}.")));
        }
        self.conversation = Conversation::new(model);
        let modalities = get(setup, "generationConfig").map(|config| list(config, "responseModalities"));
        // Whoever says nothing of it is spoken to.
        self.speaks = modalities.is_none_or(|all| all.is_empty() || all.iter().any(|one| one == "AUDIO"));
        if let Some(system) = get(setup, "systemInstruction") {
            self.conversation.message();
            list(system, "parts").iter().filter_map(|part| text(part, "text")).for_each(|said| {
                self.conversation.hear(said);
            });
        }
        for tool in list(setup, "tools") {
            for one in list(tool, "functionDeclarations") {
                let name = text(one, "name").unwrap_or_default().to_owned();
                let schema = get(one, "parameters").or_else(|| get(one, "parametersJsonSchema"));
                self.conversation.tools.push(Tool { name, schema: schema.cloned().unwrap_or_default() });
            }
        }
        Ok(())
    }

    async fn hear(&mut self, message: &Value, flight: &Flight) -> Result<(), Over> {
        if let Some(content) = get(message, "clientContent") {
            for turn in list(content, "turns") {
                self.turn(turn);
            }
            if get(content, "turnComplete").is_some_and(|complete| *complete == true) {
                return self.respond(flight).await;
            }
        } else if let Some(input) = get(message, "realtimeInput") {
            return self.input(input, flight).await;
        } else if let Some(answered) = get(message, "toolResponse") {
            for one in list(answered, "functionResponses") {
                let said = get(one, "response").map(Value::to_string).unwrap_or_default();
                self.conversation.tool_says(&said);
            }
            return self.respond(flight).await;
        } else {
            return Err(invalid());
        }
        Ok(())
    }

    fn turn(&mut self, turn: &Value) {
        self.conversation.message();
        let of_user = text(turn, "role").is_none_or(|role| role == "user");
        if of_user {
            self.conversation.user_begins();
        }
        for part in list(turn, "parts") {
            match text(part, "text") {
                Some(said) if of_user => self.conversation.user_says(said),
                Some(said) => self.conversation.hear(said),
                None => self.see(get(part, "inlineData")),
            }
        }
    }

    fn see(&mut self, blob: Option<&Value>) {
        match blob.and_then(|blob| text(blob, "mimeType")) {
            Some(kind) if kind.starts_with("audio/") => self.heard += 1,
            Some(_) => self.seen += 1,
            None => {}
        }
    }

    async fn input(&mut self, input: &Value, flight: &Flight) -> Result<(), Over> {
        for blob in list(input, "mediaChunks") {
            self.see(Some(blob));
        }
        self.see(get(input, "audio"));
        self.see(get(input, "video"));
        let spoken = get(input, "audioStreamEnd").or_else(|| get(input, "activityEnd")).is_some();
        let said = text(input, "text").or(spoken.then_some("what was spoken"));
        let Some(said) = said else { return Ok(()) };
        self.conversation.user_begins();
        self.conversation.user_says(said);
        self.respond(flight).await
    }

    async fn respond(&mut self, flight: &Flight) -> Result<(), Over> {
        if self.directives.pings {
            for _ in 0..PINGS {
                self.socket.feed(Message::Ping(Default::default())).await.map_err(|_| Over::Left)?;
            }
        }
        let reply = think(&self.conversation, b"{}");
        for message in self.messages(&reply) {
            if self.directives.cut == Some(self.sent) {
                return Err(Over::Cut);
            }
            if self.directives.stall == Some(self.sent) {
                flight.stalled();
                // Until the client leaves.
                while let Some(Ok(_)) = self.socket.next().await {}
                return Err(Over::Left);
            }
            tokio::time::sleep(self.directives.drip.unwrap_or(Duration::ZERO)).await;
            self.say(message).await?;
        }
        Ok(())
    }

    /// A turn of the model as its messages.
    fn messages(&self, reply: &Reply) -> Vec<Value> {
        let mut messages = Vec::new();
        for piece in words::chunks(&reply.text) {
            if !self.speaks {
                let parts = json!([{"text": piece}]);
                messages.push(json!({"serverContent": {"modelTurn": {"parts": parts}}}));
                continue;
            }
            let data = STANDARD.encode([0; AUDIO_BYTES_PER_WORD]);
            let audio = json!({"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}});
            messages.push(json!({"serverContent": {"modelTurn": {"parts": [audio]}}}));
            messages.push(json!({"serverContent": {"outputTranscription": {"text": piece}}}));
        }
        let usage = self.usage(reply);
        if reply.calls.is_empty() {
            messages.push(json!({"serverContent": {"generationComplete": true}}));
            messages.push(json!({"serverContent": {"turnComplete": true}, "usageMetadata": usage}));
            return messages;
        }
        let call = |call: &crate::think::Call| json!({"id": self.shared.ids.next("call_"), "name": call.name, "args": call.arguments});
        let calls: Vec<Value> = reply.calls.iter().map(call).collect();
        messages.push(json!({"toolCall": {"functionCalls": calls}, "usageMetadata": usage}));
        messages
    }

    fn usage(&self, reply: &Reply) -> Value {
        let (audio, video) = (self.heard * TOKENS_PER_MEDIUM, self.seen * TOKENS_PER_MEDIUM);
        let (input, output) = (reply.usage.input, reply.usage.output);
        let spoken = if self.speaks { words::count(&reply.text) * TOKENS_PER_SPOKEN_WORD } else { 0 };
        let total = input + audio + video + output + spoken;
        let detail = |modality: &str, count: u64| json!({"modality": modality, "tokenCount": count});
        json!({
            "promptTokenCount": input + audio + video,
            "responseTokenCount": output + spoken,
            "totalTokenCount": total,
            "promptTokensDetails": [detail("TEXT", input), detail("AUDIO", audio), detail("VIDEO", video)],
            "responseTokensDetails": [detail("TEXT", output), detail("AUDIO", spoken)],
        })
    }

    async fn say(&mut self, message: Value) -> Result<(), Over> {
        self.sent += 1;
        let written = message.to_string().into_bytes();
        self.socket.send(Message::binary(written)).await.map_err(|_| Over::Left)
    }
}
