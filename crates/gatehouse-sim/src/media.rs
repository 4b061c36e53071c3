//! OpenAI's endpoints for moderation, images and audio. What comes out depends on nothing but what goes in: a
//! recording of so many bytes lasts so long, a text of so many characters is read in so many frames.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::fault::{Checked, Fault};
use crate::form::{self, Part};
use crate::openai_chat::complaint::{NOT_JSON, missing_parameter, no_such_model};
use crate::sse;
use crate::words;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// `POST …/moderations`
    Moderate,
    /// `POST …/images/generations`
    Draw,
    /// `POST …/images/edits` and `…/variations`
    Redraw,
    /// `POST …/audio/speech`
    Speak,
    /// `POST …/audio/transcriptions` and `…/translations`
    Listen,
}

/// A word that is found harmful.
const HARMFUL: &str = "violence";
/// A second of audio, as it is recorded here.
const BYTES_PER_SECOND: usize = 16_000;
/// What is said for each character: a frame of silence would be no longer.
const FRAME: &[u8] = &[0xff, 0xfb, 0x10, 0xc4, 0, 0, 0, 0];
/// Tokens of an image.
const IMAGE_TOKENS: u64 = 100;
/// One pixel, as PNG.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

// === impl Task ===

impl Task {
    /// What a path asks for.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let endings = [
            ("/moderations", Self::Moderate),
            ("/images/generations", Self::Draw),
            ("/images/edits", Self::Redraw),
            ("/images/variations", Self::Redraw),
            ("/audio/speech", Self::Speak),
            ("/audio/transcriptions", Self::Listen),
            ("/audio/translations", Self::Listen),
        ];
        endings.into_iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, task)| task)
    }

    /// Whether the request is a form.
    pub(crate) fn is_form(self) -> bool {
        matches!(self, Self::Redraw | Self::Listen)
    }
}

/// Does it.
pub(crate) fn answer(ask: &Ask<'_>, task: Task) -> Checked<Answer> {
    if ask.directives.missing {
        return Err(no_such_model(ask.model));
    }
    if task.is_form() {
        let parts = form::parts(ask.headers, ask.body)?;
        return match task {
            Task::Redraw => redraw(ask, &parts),
            _ => listen(ask, &parts),
        };
    }
    let body = ask.object(NOT_JSON)?;
    match task {
        Task::Moderate => moderate(ask, &body),
        Task::Draw => {
            let prompt = text(&body, "prompt")?;
            let images = body.get("n").and_then(Value::as_u64).unwrap_or(1);
            Ok(drawn(ask, prompt, images, 0, body.get("stream") == Some(&Value::Bool(true))))
        }
        _ => speak(ask, &body),
    }
}

fn text<'a>(body: &'a Value, name: &'static str) -> Checked<&'a str> {
    body.get(name).and_then(Value::as_str).ok_or_else(|| missing_parameter(name))
}

fn moderate(ask: &Ask<'_>, body: &Value) -> Checked<Answer> {
    let inputs: Vec<&str> = match body.get("input") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => {
            list.iter().map(|one| one.as_str().or_else(|| one["text"].as_str()).unwrap_or_default()).collect()
        }
        _ => return Err(missing_parameter("input")),
    };
    let results: Vec<Value> = inputs
        .iter()
        .map(|input| {
            let flagged = input.to_lowercase().contains(HARMFUL);
            let score = if flagged { 0.99 } else { 0.01 };
            json!({"flagged": flagged, "categories": {HARMFUL: flagged}, "category_scores": {HARMFUL: score},
                "category_applied_input_types": {HARMFUL: ["text"]}})
        })
        .collect();
    Ok(Answer::ok(&json!({"id": ask.ids.next("modr-"), "model": ask.model, "results": results})))
}

fn redraw(ask: &Ask<'_>, parts: &[Part]) -> Checked<Answer> {
    let pictures = parts.iter().filter(|part| part.file.is_some()).count();
    if pictures == 0 {
        return Err(missing_parameter("image"));
    }
    let images = form::text(parts, "n").and_then(|n| n.parse().ok()).unwrap_or(1);
    let prompt = form::text(parts, "prompt").unwrap_or_default();
    let stream = form::text(parts, "stream") == Some("true");
    let seen = IMAGE_TOKENS.saturating_mul(u64::try_from(pictures).unwrap_or(u64::MAX));
    Ok(drawn(ask, prompt, images, seen, stream))
}

fn drawn(ask: &Ask<'_>, prompt: &str, images: u64, seen: u64, stream: bool) -> Answer {
    let tokens = words::count(prompt);
    let made = IMAGE_TOKENS * images;
    let usage = json!({"input_tokens": tokens + seen, "output_tokens": made, "total_tokens": tokens + seen + made,
        "input_tokens_details": {"text_tokens": tokens, "image_tokens": seen}});
    if stream {
        let partial =
            json!({"type": "image_generation.partial_image", "b64_json": PIXEL, "partial_image_index": 0});
        let last = json!({"type": "image_generation.completed", "b64_json": PIXEL, "usage": usage});
        return Answer::events(vec![
            sse::event("image_generation.partial_image", &partial),
            sse::event("image_generation.completed", &last),
        ]);
    }
    let data: Vec<Value> = (0..images).map(|_| json!({"b64_json": PIXEL})).collect();
    // The older models bill by the image, and say nothing of it.
    let body = match ask.model.starts_with("dall-e") {
        true => json!({"created": 1_760_000_000, "data": data}),
        false => json!({"created": 1_760_000_000, "data": data, "usage": usage}),
    };
    Answer::ok(&body)
}

fn speak(ask: &Ask<'_>, body: &Value) -> Checked<Answer> {
    let input = text(body, "input")?;
    text(body, "voice")?;
    let pieces: Vec<Bytes> = words::chunks(input)
        .into_iter()
        .map(|word| Bytes::from(FRAME.repeat(word.chars().count())))
        .collect();
    if body.get("stream_format").and_then(Value::as_str) == Some("sse") {
        let mut events: Vec<Bytes> = pieces
            .iter()
            .map(|piece| sse::data(&json!({"type": "speech.audio.delta", "audio": STANDARD.encode(piece)})))
            .collect();
        let (read, spoken) = (words::count(input), 2 * words::count(input));
        let usage = json!({"input_tokens": read, "output_tokens": spoken, "total_tokens": read + spoken});
        events.push(sse::data(&json!({"type": "speech.audio.done", "usage": usage})));
        return Ok(ask.stream(events, |fault| sse::data(&json!({"error": {"message": fault.message}}))));
    }
    Ok(Answer::literal(StatusCode::OK, Some(HeaderValue::from_static("audio/mpeg")), pieces, true))
}

fn listen(ask: &Ask<'_>, parts: &[Part]) -> Checked<Answer> {
    let recording = parts.iter().find(|part| part.name == "file" && part.file.is_some());
    let recording = recording.ok_or_else(|| missing_parameter("file"))?;
    let name = recording.file.as_deref().unwrap_or_default();
    let seconds = recording.data.len().div_ceil(BYTES_PER_SECOND);
    let mut said = format!("{name} has {} bytes.", recording.data.len());
    if let Some(prompt) = form::text(parts, "prompt") {
        said.push_str(&format!(" It was said: {prompt}"));
    }
    // Models that bill tokens are those whose names say so.
    let usage = if ask.model.contains("whisper") {
        json!({"type": "duration", "seconds": seconds})
    } else {
        let (heard, written) = (10 * seconds, words::count(&said));
        json!({"type": "tokens", "input_tokens": heard, "output_tokens": written,
            "input_token_details": {"text_tokens": 0, "audio_tokens": heard}})
    };
    if form::text(parts, "stream") == Some("true") {
        let mut events: Vec<Bytes> = words::chunks(&said)
            .into_iter()
            .map(|word| sse::data(&json!({"type": "transcript.text.delta", "delta": word})))
            .collect();
        events.push(sse::data(&json!({"type": "transcript.text.done", "text": said, "usage": usage})));
        return Ok(ask.stream(events, |fault| sse::data(&json!({"error": {"message": fault.message}}))));
    }
    let plain = |text: String| {
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        Answer::literal(StatusCode::OK, Some(kind), vec![Bytes::from(text)], false)
    };
    match form::text(parts, "response_format") {
        None | Some("json") => Ok(Answer::ok(&json!({"text": said, "usage": usage}))),
        Some("verbose_json") => {
            let segment = json!({"id": 0, "start": 0.0, "end": seconds, "text": said});
            Ok(Answer::ok(&json!({"task": "transcribe", "language": "english", "duration": seconds,
                "text": said, "segments": [segment]})))
        }
        Some("text") => Ok(plain(format!("{said}\n"))),
        Some("srt") => {
            Ok(plain(format!("1\n00:00:00,000 --> 00:{:02}:{:02},000\n{said}\n", seconds / 60, seconds % 60)))
        }
        Some(other) => Err(Fault::bad(format!("Unknown response_format: {other}")).param("response_format")),
    }
}
