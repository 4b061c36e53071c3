//! An operation that is not translated: sent to a provider that speaks the caller's dialect, answered with what comes.

use super::attempt::{Head, Sent};
use super::prepare::{Prepared, no_such_operation};
use super::whole::read_bytes;
use super::{Answered, Whole, edit, passing};
use crate::call::Call;
use crate::dialects;
use crate::form::Files;
use crate::headers;
use crate::target::Target;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::call::Operation;
use gatehouse_core::content::{Dialect, Place, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;
use gatehouse_ledger::ServiceTier;
use gatehouse_providers::Action;
use gatehouse_wire::codec::Summary;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::native::{self, Images, NativeCodec, Speech, subtitle_millis};
use http::{HeaderMap, HeaderValue, header};
use std::sync::Arc;

/// What is meant by a guess at what a call will use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// The most that is likely: for a reservation.
    Most,
    /// What is usual: where nobody counts.
    Usual,
}

/// Tokens of an image of the largest size at the highest quality, and of a usual one (OpenAI's table for gpt-image-1).
const IMAGE_TOKENS: (u64, u64) = (6_240, 1_056);
/// Bytes of a second of audio: at 32 kbit/s, as speech is recorded at least, and at 128 kbit/s.
const AUDIO_BYTES_PER_SECOND: (u64, u64) = (4_000, 16_000);
/// Tokens of a second of audio heard (OpenAI's transcription models).
const HEARD_TOKENS_PER_SECOND: u64 = 10;
/// Tokens of audio spoken for ten characters: OpenAI's price of a minute over that of a token gives 1,250 tokens a
/// minute, in which some 900 characters are read.
const SPOKEN_TOKENS_PER_TEN_CHARACTERS: u64 = 14;

/// Whether calls of this dialect are answered here.
#[must_use]
pub fn has_codec(dialect: Dialect) -> bool {
    native::codec(dialect).is_some()
}

/// Answers a call.
///
/// # Errors
/// What came of the attempt, `guard_blocked` when a guardrail stops the answer, `unsupported_parameter` for a
/// transcript that is to be streamed and judged.
pub async fn exchange(call: &Call, target: &Arc<Target>, trail: &mut Trail) -> Result<Answered, Error> {
    let dialect = target.dialect(call.front.dialect).ok_or_else(|| no_such_operation(target))?;
    let codec = dialects::native(dialect)?;
    let is_judged = call.guards.any_at(&[Place::Output]);
    if call.stream && is_judged && call.front.operation == Operation::Transcription {
        let message = "stream: a guardrail judges the transcript as a whole; ask without stream";
        return Err(Error::unsupported("stream", message));
    }
    let body = match &call.files {
        Some(_) => Bytes::new(),
        None => splice(call.body(), &native::rewrite(&call.view, &target.wire())),
    };
    let prepared = Prepared {
        dialect,
        action: if call.stream { Action::Stream } else { Action::Generate },
        body,
        dropped: Vec::new(),
        translation: None,
        hide_usage: false,
    };
    trail.meter.expect(used(call, target, Guess::Usual, trail.accepted_at()));
    let (sent, head) = Sent::send_with(call, target, &prepared, call.files.as_ref(), trail).await?;
    let Head { headers, body, .. } = head;
    let kind =
        headers.get(header::CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static("application/json"));
    let is = |name: &str| kind.to_str().is_ok_and(|kind| kind.starts_with(name));
    let is_text = is("text/") && !is("text/event-stream");
    let is_read = is("application/json") || is_text && call.front.operation == Operation::Transcription;
    if !is_read {
        sent.succeeded(&headers, &[], trail);
        let mut headers = headers::passed_on(&headers);
        headers.insert(header::CONTENT_TYPE, kind.clone());
        let watched = is("text/event-stream").then_some(codec);
        let exact = exact(call, target, trail);
        let opened = passing::Opened::new(call, target, body, headers, watched, exact);
        return Ok(Answered::Bytes(Box::new(opened)));
    }
    let read = read_bytes(body, call, trail).await.and_then(|raw| read(codec, raw, is_text));
    let (answer, summary) = match read {
        Ok(read) => read,
        Err(error) => return Err(sent.failed(Some(200), &headers, error, trail)),
    };
    sent.succeeded(&headers, &[], trail);
    if let Some(usage) = summary.usage.or_else(|| counted(call, target, &answer, trail)) {
        trail.meter.reported(usage);
    }
    let body = judged(call, codec, answer, trail)?;
    let mut headers: HeaderMap = headers::passed_on(&headers);
    headers.insert(header::CONTENT_TYPE, kind);
    Ok(Answered::Whole(Whole::ok(headers, body)))
}

/// What came in one piece.
enum Answer {
    Json(Doc),
    Text(String),
}

fn read(codec: &dyn NativeCodec, raw: Bytes, is_text: bool) -> Result<(Answer, Summary), Error> {
    let unreadable = |why: String| {
        Error::new(Code::UpstreamBadResponse, "the provider's answer cannot be read").detail(why)
    };
    if is_text {
        let text = String::from_utf8(raw.to_vec()).map_err(|error| unreadable(error.to_string()))?;
        return Ok((Answer::Text(text), Summary::default()));
    }
    let doc = Doc::parse(raw, Strictness::Provider).map_err(|error| unreadable(error.message))?;
    let summary = codec.summary(&doc);
    match summary.error {
        Some(error) => Err(error),
        None => Ok((Answer::Json(doc), summary)),
    }
}

/// The answer as its guardrails let it pass.
fn judged(call: &Call, codec: &dyn NativeCodec, answer: Answer, trail: &mut Trail) -> Result<Bytes, Error> {
    match answer {
        Answer::Json(doc) if call.guards.any_at(&[Place::Output]) => {
            let judged = call.guards.judge(doc.text(), &codec.answer_spans(&doc));
            trail.judged(judged.tally);
            match judged.stopped {
                Some(error) => Err(error),
                // A number cannot become a word.
                None => Doc::parse(splice(doc.bytes(), &judged.edits), Strictness::Provider)
                    .map(|doc| doc.bytes().clone())
                    .map_err(|_| edit::cannot()),
            }
        }
        Answer::Json(doc) => Ok(doc.bytes().clone()),
        Answer::Text(text) => {
            let mut tally = call.guards.judge("", &[]).tally;
            let changed = call.guards.judge_text(&text, Place::Output, &mut tally);
            trail.judged(tally);
            Ok(Bytes::from(changed?.unwrap_or(text)))
        }
    }
}

/// What the answer itself tells where its provider did not count: images, and the length of a recording.
fn counted(call: &Call, target: &Target, answer: &Answer, trail: &Trail) -> Option<Usage> {
    match (call.front.operation, answer) {
        (Operation::ImageGeneration, Answer::Json(doc)) => {
            Some(Usage { images: Images::made(doc), ..Usage::default() })
        }
        (Operation::Transcription, Answer::Text(text)) => {
            Some(Usage { audio_millis: subtitle_millis(text)?, ..Usage::default() })
        }
        _ => exact(call, target, trail),
    }
}

/// What is known to be billed whatever the answer is: the characters that are read aloud.
fn exact(call: &Call, target: &Target, trail: &Trail) -> Option<Usage> {
    let usage = used(call, target, Guess::Usual, trail.accepted_at());
    (call.front.operation == Operation::Speech && usage.characters > 0).then_some(usage)
}

/// What the call will probably use, in the unit that its target bills.
#[must_use]
pub fn used(call: &Call, target: &Target, guess: Guess, now: u64) -> Usage {
    let price = target.prices.at(now, ServiceTier::default(), 0).map(|priced| priced.price);
    let of = |(most, usual): (u64, u64)| if guess == Guess::Most { most } else { usual };
    // Without a price, the unit says what has none.
    let by = |unit: fn(&gatehouse_core::money::Price) -> bool| price.as_ref().is_none_or(unit);
    match call.front.operation {
        Operation::ImageGeneration => {
            let images = Images::wanted(&call.doc);
            let tokens = images.saturating_mul(of(IMAGE_TOKENS));
            if by(|price| price.image.is_some()) {
                Usage { images, ..Usage::default() }
            } else {
                Usage { output_tokens: tokens, image_output_tokens: tokens, ..Usage::default() }
            }
        }
        Operation::Speech => {
            let characters = Speech::characters(&call.doc);
            let tokens = characters.saturating_mul(SPOKEN_TOKENS_PER_TEN_CHARACTERS).div_ceil(10);
            if by(|price| price.character.is_some()) {
                Usage { characters, ..Usage::default() }
            } else {
                Usage { output_tokens: tokens, audio_output_tokens: tokens, ..Usage::default() }
            }
        }
        Operation::Transcription => {
            let bytes = call
                .files
                .as_ref()
                .and_then(Files::size)
                .or_else(|| length(&call.headers))
                .unwrap_or_default();
            let millis = bytes.saturating_mul(1_000) / of(AUDIO_BYTES_PER_SECOND);
            if by(|price| price.audio_hour.is_some()) {
                Usage { audio_millis: millis, ..Usage::default() }
            } else {
                let tokens = millis.saturating_mul(HEARD_TOKENS_PER_SECOND) / 1_000;
                Usage { input_tokens: tokens, audio_input_tokens: tokens, ..Usage::default() }
            }
        }
        _ => Usage::default(),
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
