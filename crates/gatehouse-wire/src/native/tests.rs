//! Requests, renamings, usage and texts of all of them.

use super::{Images, Moderation, NativeCodec, Speech, Transcription, rewrite, subtitle_millis};
use crate::codec::{Quirks, Target};
use crate::json::{Doc, Strictness};
use gatehouse_core::content::splice;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::usage::Usage;

fn doc(text: &str) -> Doc {
    Doc::parse(text.to_owned().into(), Strictness::Caller).unwrap()
}

fn texts(codec: &dyn NativeCodec, text: &str) -> Vec<String> {
    let doc = doc(text);
    codec.view(&doc).unwrap().spans.into_iter().map(|span| doc.slice(span.range).to_owned()).collect()
}

#[test]
fn every_text_of_a_request_is_seen() {
    assert_eq!(texts(&Moderation, r#"{"input":"one"}"#), ["one"]);
    let parts =
        r#"{"input":["one",{"type":"text","text":"two"},{"type":"image_url","image_url":{"url":"x"}}]}"#;
    assert_eq!(texts(&Moderation, parts), ["one", "two"]);
    assert!(Moderation.view(&doc(parts)).unwrap().needs.images);
    assert_eq!(texts(&Images, r#"{"prompt":"a cat","n":2}"#), ["a cat"]);
    assert_eq!(texts(&Speech, r#"{"input":"hi","voice":"v","instructions":"slowly"}"#), ["hi", "slowly"]);
    assert_eq!(texts(&Transcription, r#"{"model":"w","prompt":"names"}"#), ["names"]);
}

#[test]
fn what_is_malformed_is_named() {
    let refused = |codec: &dyn NativeCodec, text: &str| codec.view(&doc(text)).unwrap_err().message;
    let moderation: &dyn NativeCodec = &Moderation;
    for (codec, text, named) in [
        (moderation, r#"{"input":[7]}"#, "input[0]"),
        (&Moderation, "{}", "input"),
        (&Images, r#"{"prompt":"x","n":11}"#, "n:"),
        (&Images, r#"{"prompt":"x","n":"many"}"#, "n:"),
        (&Speech, r#"{"input":["x"]}"#, "input"),
        (&Transcription, r#"{"prompt":1}"#, "prompt"),
    ] {
        assert!(refused(codec, text).starts_with(named), "{text}: {}", refused(codec, text));
    }
}

#[test]
fn the_model_is_renamed_in_place() {
    let target = Target { model: "b", capabilities: Capabilities::default(), quirks: &Quirks::NONE };
    let doc = doc(r#"{"model":"a", "input":"x"}"#);
    let view = Moderation.view(&doc).unwrap();
    assert_eq!(&splice(doc.bytes(), &rewrite(&view, &target))[..], br#"{"model":"b", "input":"x"}"#);
}

#[test]
fn usage_is_read_in_every_unit() {
    let usage = |codec: &dyn NativeCodec, text: &str| codec.summary(&doc(text)).usage.unwrap();
    let tokens = r#"{"text":"x","usage":{"type":"tokens","input_tokens":14,
        "input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":45,"total_tokens":59}}"#;
    let expected = Usage { input_tokens: 14, audio_input_tokens: 14, output_tokens: 45, ..Usage::default() };
    assert_eq!(usage(&Transcription, tokens), expected);
    let seconds = r#"{"text":"x","usage":{"type":"duration","seconds":9}}"#;
    assert_eq!(usage(&Transcription, seconds).audio_millis, 9_000);
    assert_eq!(usage(&Transcription, r#"{"text":"x","duration":8.4700003}"#).audio_millis, 8_471);
    let image = r#"{"data":[{"b64_json":"AA"}],"usage":{"input_tokens":50,"output_tokens":4160,
        "input_tokens_details":{"text_tokens":10,"image_tokens":40}}}"#;
    let used = usage(&Images, image);
    assert_eq!((used.input_tokens, used.image_input_tokens, used.image_output_tokens), (50, 40, 4160));
    assert_eq!((Images::made(&doc(image)), Images::wanted(&doc(r#"{"n":"3"}"#))), (1, 3));
    assert!(Moderation.summary(&doc(r#"{"results":[]}"#)).usage.is_none());
}

#[test]
fn subtitles_tell_how_long_a_recording_is() {
    let srt = "1\n00:00:00,000 --> 00:00:04,500\nhello\n\n2\n00:00:04,500 --> 01:00:07,25\nworld\n";
    assert_eq!(subtitle_millis(srt), Some(3_607_250));
    assert_eq!(subtitle_millis("WEBVTT\n\n00:00.000 --> 00:03.000 align:left\nhello\n"), Some(3_000));
    assert_eq!(subtitle_millis("hello"), None);
}

#[test]
fn words_of_a_transcript_are_seen() {
    let answer = doc(r#"{"text":"a b","segments":[{"text":"a"}],"words":[{"word":"b"}]}"#);
    let seen: Vec<&str> =
        Transcription.answer_spans(&answer).into_iter().map(|span| answer.slice(span.range)).collect();
    assert_eq!(seen, ["a b", "a", "b"]);
}
