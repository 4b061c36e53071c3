//! Scripts: what the next matching calls get instead of, or around, the ordinary answer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::options::{DELAY_MAX, SCRIPTS_MAX};
use crate::pace::{Pace, Place};
use crate::sse;

/// What to do to the next calls that match. Everything is optional; an empty script changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Which calls are meant.
    #[serde(rename = "match")]
    pub matching: Match,
    /// How many of them; `None` means one, 0 means all until the reset.
    pub times: Option<u32>,
    /// The status of the answer. From 400 on, and without `body`, the dialect's own error is answered.
    pub status: Option<u16>,
    /// Headers set on the answer.
    pub headers: BTreeMap<String, String>,
    /// The answer's body: a text as it is, anything else as JSON.
    pub body: Option<Value>,
    /// Milliseconds before the answer begins.
    pub delay_ms: Option<u64>,
    /// Milliseconds between two pieces of the answer.
    pub chunk_delay_ms: Option<u64>,
    /// The answer in pieces of so many bytes, wherever its events end.
    pub chunk_bytes: Option<usize>,
    /// Closes the connection after so many bytes of the body.
    pub cut_after_bytes: Option<usize>,
    /// Closes the connection after so many events.
    pub cut_after_events: Option<usize>,
    /// Sends nothing more after so many events, and waits for the client to leave.
    pub stall_after_events: Option<usize>,
    /// Closes the connection without any answer.
    pub hang_up: bool,
    /// Answers exactly these bytes: a recording.
    pub replay: Option<Replay>,
}

/// Which calls a script is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The model's name; any when `None`.
    pub model: Option<String>,
    /// The path without its query, or its beginning and `*`; any when `None`.
    pub path: Option<String>,
}

/// A recorded answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Its `content-type`. With `text/event-stream` it is sent event by event.
    pub content_type: String,
    /// Its body, byte for byte.
    pub body: String,
}

/// Scripts that wait, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    waiting: VecDeque<Script>,
}

/// There are already [`SCRIPTS_MAX`] scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyScripts;

// === impl Match ===

impl Match {
    fn meets(&self, path: &str, model: &str) -> bool {
        let right_path = self.path.as_deref().is_none_or(|want| match want.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => want == path,
        });
        right_path && self.model.as_deref().is_none_or(|want| want == model)
    }
}

// === impl Scripts ===

impl Scripts {
    /// Puts a script behind the others.
    pub(crate) fn add(&mut self, script: Script) -> Result<(), TooManyScripts> {
        if self.waiting.len() >= SCRIPTS_MAX {
            return Err(TooManyScripts);
        }
        self.waiting.push_back(script);
        Ok(())
    }

    /// The first script for this call; it is used up by it.
    pub(crate) fn take(&mut self, path: &str, model: &str) -> Option<Script> {
        let at = self.waiting.iter().position(|script| script.matching.meets(path, model))?;
        let script = self.waiting.get_mut(at)?;
        match script.times.unwrap_or(1) {
            0 => Some(script.clone()),
            1 => self.waiting.remove(at),
            more => {
                script.times = Some(more - 1);
                Some(script.clone())
            }
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

// === impl Script ===

impl Script {
    /// The time before the answer begins.
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.delay_ms.map(|ms| Duration::from_millis(ms).min(DELAY_MAX))
    }

    /// The answer that the script itself gives, if it does.
    pub(crate) fn answer(&self) -> Option<Answer> {
        let status = StatusCode::from_u16(self.status.unwrap_or(200)).unwrap_or(StatusCode::OK);
        let mut answer = if let Some(replay) = &self.replay {
            let content_type = HeaderValue::from_str(&replay.content_type).ok();
            let body = Bytes::from(replay.body.clone());
            let streamed = replay.content_type.starts_with("text/event-stream");
            let events = if streamed { sse::split(&body) } else { vec![body] };
            Answer::literal(status, content_type, events, streamed)
        } else {
            let body = match self.body.as_ref()? {
                Value::String(text) => Bytes::from(text.clone()),
                other => Bytes::from(other.to_string()),
            };
            let json = HeaderValue::from_static("application/json");
            Answer::literal(status, Some(json), vec![body], false)
        };
        self.dress(&mut answer.headers);
        Some(answer)
    }

    /// Sets the script's headers.
    pub(crate) fn dress(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
    }

    /// Changes the pace of the answer.
    pub(crate) fn set_pace(&self, pace: &mut Pace) {
        if let Some(ms) = self.chunk_delay_ms {
            pace.delay = Duration::from_millis(ms).min(DELAY_MAX);
        }
        pace.chunk_bytes = self.chunk_bytes.or(pace.chunk_bytes);
        let bytes = self.cut_after_bytes.map(Place::Bytes);
        pace.cut = bytes.or(self.cut_after_events.map(Place::Events)).or(pace.cut);
        pace.stall = self.stall_after_events.map(Place::Events).or(pace.stall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(json: &str) -> Script {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn scripts_are_used_in_order_and_up() {
        let mut scripts = Scripts::default();
        scripts.add(script(r#"{"match": {"model": "a"}, "times": 2, "status": 500}"#)).unwrap();
        scripts.add(script(r#"{"match": {"path": "/v1/*"}, "times": 0, "status": 503}"#)).unwrap();
        let status =
            |scripts: &mut Scripts, model| scripts.take("/v1/messages", model).and_then(|one| one.status);
        assert_eq!(status(&mut scripts, "b"), Some(503));
        assert_eq!(status(&mut scripts, "a"), Some(500));
        assert_eq!(status(&mut scripts, "a"), Some(500));
        assert_eq!(status(&mut scripts, "a"), Some(503));
        assert!(scripts.take("/v2/x", "a").is_none());
        assert_eq!(scripts.len(), 1);
    }

    #[test]
    fn a_replay_keeps_its_bytes() {
        let replay = script(
            r#"{"replay": {"content_type": "text/event-stream", "body": "data: 1\n\ndata: 2\n\n"}, "headers": {"x-request-id": "r"}}"#,
        );
        let answer = replay.answer().unwrap();
        assert_eq!(answer.pieces.len(), 2);
        assert_eq!(answer.headers["x-request-id"], "r");
        assert!(serde_json::from_str::<Script>(r#"{"statsu": 1}"#).is_err());
    }
}
