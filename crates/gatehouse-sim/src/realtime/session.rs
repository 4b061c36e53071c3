//! A session: what the client's events change, and what they are answered with.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::said::{self, at, set};
use crate::conversation::{Conversation, Tool};
use crate::directive::Directives;
use crate::simulator::Shared;
use crate::stats::Flight;
use crate::think::think;

/// Pings that the directive `pings` sends at once.
const PINGS: usize = 1_000;
/// Tokens of input that each piece of audio is billed as.
const TOKENS_PER_AUDIO: u64 = 10;

/// What a session remembers.
struct Session<'a> {
    shared: &'a Shared,
    directives: Directives,
    socket: WebSocketStream<TokioIo<Upgraded>>,
    conversation: Conversation,
    settings: Value,
    /// Pieces of audio since the last commit, and all that were committed.
    audio: (u64, u64),
    sent: usize,
}

/// Why a session ends.
enum Over {
    /// The client left, or the connection is lost.
    Left,
    /// It is cut on purpose.
    Cut,
}

/// Serves a session to its end.
pub(super) async fn run(
    shared: &Shared,
    model: &str,
    directives: Directives,
    socket: WebSocketStream<TokioIo<Upgraded>>,
    mut flight: Flight,
) {
    let settings = json!({
        "object": "realtime.session", "type": "realtime", "id": shared.ids.next("sess_"), "model": model,
        "output_modalities": ["audio"], "instructions": "", "tools": [], "tool_choice": "auto",
    });
    let conversation = Conversation::new(model);
    let mut session = Session { shared, directives, socket, conversation, settings, audio: (0, 0), sent: 0 };
    match session.serve(&flight).await {
        Err(Over::Cut) => flight.cut(),
        Err(Over::Left) | Ok(()) => flight.complete(),
    }
}

// === impl Session ===

impl Session<'_> {
    async fn serve(&mut self, flight: &Flight) -> Result<(), Over> {
        let settings = self.settings.clone();
        self.say(json!({"type": "session.created", "session": settings})).await?;
        while let Some(Ok(message)) = self.socket.next().await {
            match message {
                Message::Text(text) => {
                    let event: Value = serde_json::from_str(&text).unwrap_or_default();
                    self.hear(&event, flight).await?;
                }
                Message::Close(_) => break,
                _ => {}
            }
        }
        Ok(())
    }

    async fn hear(&mut self, event: &Value, flight: &Flight) -> Result<(), Over> {
        let kind = at(event, &["type"]).as_str().unwrap_or_default();
        match kind {
            "session.update" => {
                if let (Some(own), Some(new)) =
                    (self.settings.as_object_mut(), at(event, &["session"]).as_object())
                {
                    own.extend(new.clone());
                }
                self.conversation.tools = tools(&self.settings);
                let session = self.settings.clone();
                self.say(json!({"type": "session.updated", "session": session})).await
            }
            "conversation.item.create" => self.item(at(event, &["item"])).await,
            "input_audio_buffer.append" => {
                self.audio.0 += 1;
                Ok(())
            }
            "input_audio_buffer.commit" => {
                self.audio = (0, self.audio.1 + self.audio.0);
                self.conversation.user_begins();
                self.conversation.user_says("what was spoken");
                let item_id = self.shared.ids.next("item_");
                self.say(json!({"type": "input_audio_buffer.committed", "item_id": item_id})).await
            }
            "input_audio_buffer.clear" => {
                self.audio.0 = 0;
                self.say(json!({"type": "input_audio_buffer.cleared"})).await
            }
            "response.create" => self.respond(event, flight).await,
            "response.cancel" => Ok(()),
            other => {
                let message = format!("Invalid value: '{other}'.");
                let error = json!({"type": "invalid_request_error", "code": "invalid_value",
                    "message": message, "param": "type", "event_id": at(event, &["event_id"])});
                self.say(json!({"type": "error", "error": error})).await
            }
        }
    }

    async fn item(&mut self, item: &Value) -> Result<(), Over> {
        self.conversation.message();
        match at(item, &["type"]).as_str().unwrap_or_default() {
            "function_call_output" => {
                self.conversation.tool_says(at(item, &["output"]).as_str().unwrap_or_default());
            }
            "message" if at(item, &["role"]) == "user" => {
                self.conversation.user_begins();
                for part in at(item, &["content"]).as_array().into_iter().flatten() {
                    if let Some(text) = at(part, &["text"]).as_str() {
                        self.conversation.user_says(text);
                    } else if at(part, &["audio"]).is_string() {
                        self.audio.1 += 1;
                    }
                }
            }
            _ => {}
        }
        let mut item = item.clone();
        let own = at(&item, &["id"]).as_str().map(str::to_owned);
        set(&mut item, "id", own.unwrap_or_else(|| self.shared.ids.next("item_")));
        self.say(json!({"type": "conversation.item.added", "item": item})).await?;
        self.say(json!({"type": "conversation.item.done", "item": item})).await
    }

    async fn respond(&mut self, event: &Value, flight: &Flight) -> Result<(), Over> {
        if self.directives.pings {
            for _ in 0..PINGS {
                self.socket.feed(Message::Ping(Default::default())).await.map_err(|_| Over::Left)?;
            }
        }
        let modalities = match at(event, &["response", "output_modalities"]) {
            Value::Null => at(&self.settings, &["output_modalities"]),
            asked => asked,
        };
        let speaks = modalities.as_array().is_some_and(|all| all.iter().any(|one| one == "audio"));
        let reply = think(&self.conversation, b"{}");
        let input_audio = self.audio.1 * TOKENS_PER_AUDIO;
        for (at, event) in said::events(&reply, speaks, input_audio, &self.shared.ids).into_iter().enumerate()
        {
            if self.directives.cut == Some(at) {
                return Err(Over::Cut);
            }
            if self.directives.stall == Some(at) {
                flight.stalled();
                // Until the client leaves.
                while let Some(Ok(_)) = self.socket.next().await {}
                return Err(Over::Left);
            }
            tokio::time::sleep(self.directives.drip.unwrap_or(Duration::ZERO)).await;
            self.say(event).await?;
        }
        Ok(())
    }

    async fn say(&mut self, mut event: Value) -> Result<(), Over> {
        self.sent += 1;
        set(&mut event, "event_id", self.shared.ids.next("event_"));
        self.socket.send(Message::text(event.to_string())).await.map_err(|_| Over::Left)
    }
}

fn tools(settings: &Value) -> Vec<Tool> {
    let declared = at(settings, &["tools"]).as_array().into_iter().flatten();
    let tool = |tool: &Value| {
        let name = at(tool, &["name"]).as_str()?.to_owned();
        Some(Tool { name, schema: at(tool, &["parameters"]).clone() })
    };
    declared.filter_map(tool).collect()
}
