//! What events mean, by example.

use super::{Kind, asked, error_event, is_audio, said};
use crate::json::{Doc, Strictness};
use gatehouse_core::content::Place;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;

fn doc(text: &str) -> Doc {
    Doc::parse(text.to_owned().into(), Strictness::Provider).unwrap()
}

fn texts(text: &str) -> Vec<(String, Place)> {
    let doc = doc(text);
    let spans = asked(&doc).unwrap().spans;
    spans.into_iter().map(|span| (doc.slice(span.range).to_owned(), span.place)).collect()
}

#[test]
fn a_callers_texts_have_their_places() {
    use Place::{Input, Output, System, ToolArguments, ToolDefinition, ToolResult};
    for (event, expected) in [
        (
            r#"{"type":"conversation.item.create","event_id":"e","item":{"type":"message","role":"user",
                "content":[{"type":"input_text","text":"hi"},{"type":"input_audio","audio":"AAAA"}]}}"#,
            vec![("hi", Input)],
        ),
        (
            r#"{"type":"conversation.item.create","item":{"type":"message","role":"assistant",
                "content":[{"type":"output_text","text":"was said"}]}}"#,
            vec![("was said", Output)],
        ),
        (
            r#"{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"c","output":"22"}}"#,
            vec![("22", ToolResult)],
        ),
        (
            r#"{"type":"conversation.item.create","item":{"type":"function_call","name":"f","arguments":"{}"}}"#,
            vec![("{}", ToolArguments)],
        ),
        (
            r#"{"type":"session.update","session":{"type":"realtime","instructions":"be brief","audio":
                {"input":{"format":{"type":"audio/pcm"},"transcription":{"model":"m","prompt":"names"}},
                 "output":{"voice":"alloy"}},"tools":[{"type":"function","name":"f","description":"looks","parameters":
                    {"type":"object","properties":{"name":{"type":"string","description":"whose"}}}}]}}"#,
            vec![
                ("be brief", System),
                ("names", System),
                ("looks", ToolDefinition),
                ("whose", ToolDefinition),
            ],
        ),
        (
            r#"{"type":"response.create","response":{"instructions":"now","metadata":{"a":"b"}}}"#,
            vec![("now", System)],
        ),
        (r#"{"type":"something.new","words":["unknown"]}"#, vec![("unknown", Input)]),
        (r#"{"type":"input_audio_buffer.append","audio":"AAAA"}"#, vec![]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(text, place)| (text.to_owned(), place)).collect();
        assert_eq!(texts(event), expected, "{event}");
    }
}

#[test]
fn audio_models_and_nonsense_are_seen() {
    let read = |text: &str| asked(&doc(text));
    assert_eq!(read(r#"{"type":"input_audio_buffer.append","audio":"AAAA"}"#).unwrap().audio_chars, 4);
    let item =
        r#"{"type":"conversation.item.create","item":{"content":[{"type":"input_audio","audio":"AA"}]}}"#;
    assert_eq!(read(item).unwrap().audio_chars, 2);
    let session = read(r#"{"type":"session.update","session":{"model":"other"}}"#).unwrap();
    assert_eq!(session.model.unwrap().0, "other");
    for bad in ["[]", "{}", r#"{"type":7}"#] {
        assert_eq!(read(bad).unwrap_err().code, Code::InvalidRequest, "{bad}");
    }
}

#[test]
fn a_providers_events_are_read() {
    let begun =
        said(&doc(r#"{"type":"response.created","response":{"id":"r","output_modalities":["audio"]}}"#));
    assert_eq!(begun.kind, Kind::Begins { audio: true });
    let delta = r#"{"type":"response.output_text.delta","response_id":"r","item_id":"i","content_index":0,"delta":"a\"b"}"#;
    let piece = said(&doc(delta)).pieces.remove(0);
    assert_eq!((piece.text.as_str(), delta.get(piece.at.clone())), ("a\"b", Some("a\\\"b")));
    let done = r#"{"type":"response.output_text.done","response_id":"r","item_id":"i","content_index":0,"text":"a"}"#;
    let done = said(&doc(done));
    assert_eq!((done.ends.as_deref(), done.spans.len()), (Some(piece.name.as_str()), 1));
    let over = said(&doc(
        r#"{"type":"response.done","response":{"id":"r","usage":{"total_tokens":253,"input_tokens":132,
            "output_tokens":121,"input_token_details":{"text_tokens":119,"audio_tokens":13,"cached_tokens":64,
            "cached_tokens_details":{"text_tokens":60,"audio_tokens":4}},
            "output_token_details":{"text_tokens":30,"audio_tokens":91}}}}"#,
    ));
    let usage = Usage {
        input_tokens: 132,
        cached_read_tokens: 64,
        audio_input_tokens: 9,
        output_tokens: 121,
        audio_output_tokens: 91,
        ..Usage::default()
    };
    assert_eq!((over.kind, over.ends.as_deref()), (Kind::Over(Some(usage)), Some("r/")));
    assert!(piece.name.starts_with("r/"));
}

#[test]
fn audio_is_told_by_its_beginning() {
    assert!(is_audio(r#"{"type":"response.output_audio.delta","delta":"AA"}"#));
    assert!(is_audio("{ \"type\" : \"response.audio.delta\"}"));
    assert!(!is_audio(r#"{"type":"response.output_audio_transcript.delta","delta":"hi"}"#));
    assert!(!is_audio(r#"{"delta":"\"type\":\"response.audio.delta\""}"#));
}

#[test]
fn our_errors_have_openais_form() {
    let error = Error::new(Code::GuardBlocked, "no");
    let event: serde_json::Value = serde_json::from_str(&error_event(&error, "event_1", Some("e"))).unwrap();
    assert_eq!((&event["type"], &event["event_id"]), (&"error".into(), &"event_1".into()));
    assert_eq!(
        (&event["error"]["code"], &event["error"]["event_id"]),
        (&"guard_blocked".into(), &"e".into())
    );
}
