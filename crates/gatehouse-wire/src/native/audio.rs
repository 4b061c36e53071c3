//! `POST /v1/audio/speech`, `/transcriptions` and `/translations`.

use super::{NativeCodec, common, input};
use crate::codec::{Summary, View};
use crate::error::from_stream;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Family, Place, Span};
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;

/// A text read aloud.
#[derive(Clone, Copy, Debug, Default)]
pub struct Speech;

/// A recording written down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transcription;

impl Speech {
    /// How many characters are read aloud: what most of these models bill.
    #[must_use]
    pub fn characters(doc: &Doc) -> u64 {
        let text = doc.root().opt("input").and_then(|text| text.str());
        text.map_or(0, |text| u64::try_from(text.chars().count()).unwrap_or(u64::MAX))
    }
}

impl NativeCodec for Speech {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        let mut view = common(doc, &["model", "input", "voice", "instructions", "user"])?;
        input(doc.root().need("input")?, &mut view)?;
        if let Some(instructions) = doc.root().opt("instructions") {
            instructions.want_str()?;
            view.spans.push(Span { range: instructions.inner_range(), place: Place::System });
        }
        view.stream =
            doc.root().opt("stream_format").and_then(|format| format.str()).as_deref() == Some("sse");
        Ok(view)
    }

    fn summary(&self, doc: &Doc) -> Summary {
        let usage = doc.root().opt("usage").and_then(usage).map(|usage| Usage {
            // What is written is heard.
            audio_output_tokens: usage.output_tokens,
            ..usage
        });
        Summary { usage, error: from_stream(Family::OpenAi, doc), ..Summary::default() }
    }
}

impl NativeCodec for Transcription {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        let mut view = common(doc, &["model", "prompt", "language", "response_format", "stream"])?;
        if let Some(prompt) = doc.root().opt("prompt") {
            input(prompt, &mut view)?;
        }
        Ok(view)
    }

    fn summary(&self, doc: &Doc) -> Summary {
        let root = doc.root();
        let seconds = |node: Node<'_>| node.f64().and_then(millis);
        let length = || Usage {
            audio_millis: root.opt("duration").and_then(seconds).unwrap_or_default(),
            ..Usage::default()
        };
        let usage = match root.opt("usage") {
            Some(usage) => usage_of_recording(usage),
            // A verbose answer of a model that bills by the second.
            None => Some(length()).filter(|usage| !usage.is_empty()),
        };
        Summary { usage, error: from_stream(Family::OpenAi, doc), ..Summary::default() }
    }

    fn answer_spans(&self, doc: &Doc) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut take = |node: Option<Node<'_>>| {
            if let Some(text) = node.filter(Node::is_str) {
                spans.push(Span { range: text.inner_range(), place: Place::Output });
            }
        };
        let root = doc.root();
        take(root.opt("text"));
        for (list, text) in [("segments", "text"), ("words", "word")] {
            root.opt(list).iter().flat_map(Node::items).for_each(|item| take(item.opt(text)));
        }
        spans.sort_by_key(|span| span.range.start);
        spans
    }
}

/// `{type: tokens, …}` or `{type: duration, seconds}`.
fn usage_of_recording(node: Node<'_>) -> Option<Usage> {
    match node.opt("seconds").and_then(|seconds| seconds.f64()).and_then(millis) {
        Some(audio_millis) => Some(Usage { audio_millis, ..Usage::default() }),
        None => usage(node),
    }
}

fn usage(node: Node<'_>) -> Option<Usage> {
    let number = |path: &[&str]| node.path(path).and_then(|count| count.u64());
    Some(Usage {
        input_tokens: number(&["input_tokens"])?,
        audio_input_tokens: number(&["input_token_details", "audio_tokens"]).unwrap_or_default(),
        output_tokens: number(&["output_tokens"]).unwrap_or_default(),
        ..Usage::default()
    })
}

/// Whole milliseconds of a number of seconds, rounded up.
fn millis(seconds: f64) -> Option<u64> {
    let duration = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).ok()
}

/// Where the last subtitle ends, in milliseconds: how long the recording is at least. `None` for what is neither SRT
/// nor WebVTT.
#[must_use]
pub fn subtitle_millis(text: &str) -> Option<u64> {
    let (_, end) = text.lines().rev().find_map(|line| line.split_once(" --> "))?;
    let stamp = end.split_whitespace().next()?.replace(',', ".");
    let (clock, fraction) = stamp.split_once('.')?;
    let seconds = clock
        .split(':')
        .try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(part.parse::<u64>().ok()?))?;
    let fraction: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    seconds.checked_mul(1_000)?.checked_add(fraction)
}
