//! What messages mean, by example.

use super::{GeminiLive, view};
use crate::json::{Doc, Strictness};
use crate::realtime::{Kind, SessionCodec as _, Turn};
use gatehouse_core::content::Place;
use gatehouse_core::error::Code;
use gatehouse_core::usage::Usage;

fn doc(text: &str) -> Doc {
    Doc::parse(text.to_owned().into(), Strictness::Provider).unwrap()
}

fn texts(text: &str) -> Vec<(String, Place)> {
    let doc = doc(text);
    let spans = GeminiLive.asked(&doc).unwrap().spans;
    spans.into_iter().map(|span| (doc.slice(span.range).to_owned(), span.place)).collect()
}

#[test]
fn a_callers_texts_have_their_places() {
    use Place::{Input, Output, System, ToolArguments, ToolDefinition, ToolResult};
    for (message, expected) in [
        (
            r#"{"setup":{"model":"models/m","generationConfig":{"responseModalities":["TEXT"],"speechConfig":
                {"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"Puck"}}}},"systemInstruction":{"parts":
                [{"text":"be brief"}]},"tools":[{"functionDeclarations":[{"name":"f","description":"looks","parameters":
                {"type":"OBJECT","properties":{"name":{"type":"STRING","description":"whose"}}}}]}]}}"#,
            vec![("be brief", System), ("looks", ToolDefinition), ("whose", ToolDefinition)],
        ),
        (
            r#"{"clientContent":{"turns":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":
                [{"text":"was said"},{"functionCall":{"name":"f","args":{"name":"Rome"}}}]}],"turnComplete":true}}"#,
            vec![("hi", Input), ("was said", Output), ("Rome", ToolArguments)],
        ),
        (r#"{"client_content":{"turns":{"parts":{"text":"hi"}},"turn_complete":true}}"#, vec![("hi", Input)]),
        (r#"{"realtime_input":{"text":"hi"}}"#, vec![("hi", Input)]),
        (
            r#"{"toolResponse":{"functionResponses":[{"id":"1","name":"f","response":{"result":"22","id":"x"}}]}}"#,
            vec![("22", ToolResult), ("x", ToolResult)],
        ),
        (r#"{"realtimeInput":{"somethingNew":{"words":["unknown"]}}}"#, vec![("unknown", Input)]),
        (r#"{"realtimeInput":{"activityEnd":{}}}"#, vec![]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(text, place)| (text.to_owned(), place)).collect();
        assert_eq!(texts(message), expected, "{message}");
    }
}

#[test]
fn media_and_nonsense_are_seen() {
    let read = |text: &str| GeminiLive.asked(&doc(text));
    let audio = read(r#"{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"AAAA"}}}"#);
    let audio = audio.unwrap();
    assert_eq!((audio.audio_chars, audio.images, audio.spans.len()), (4, 0, 0));
    let chunks =
        r#"{"realtime_input":{"media_chunks":[{"mime_type":"audio/pcm","data":"AA"},{"data":"AA"}]}}"#;
    assert_eq!(read(chunks).unwrap().audio_chars, 4);
    for picture in [
        r#"{"realtimeInput":{"video":{"mimeType":"image/jpeg","data":"AAAA"}}}"#,
        r#"{"clientContent":{"turns":[{"parts":[{"inlineData":{"data":"aGk=","mimeType":"text/plain"}}]}]}}"#,
    ] {
        assert_eq!(read(picture).unwrap().images, 1, "{picture}");
    }
    for bad in [
        "[]",
        "{}",
        r#"{"somethingNew":{}}"#,
        r#"{"clientContent":{},"realtimeInput":{}}"#,
        r#"{"clientContent":{},"client_content":{}}"#,
        r#"{"setup":{"generationConfig":{},"generation_config":{}}}"#,
    ] {
        assert_eq!(read(bad).unwrap_err().code, Code::InvalidRequest, "{bad}");
    }
}

#[test]
fn the_first_message_names_the_model() {
    for (written, bare) in [
        ("models/gemini-live", "gemini-live"),
        ("gemini/gemini-live", "gemini/gemini-live"),
        ("models/gemini/gemini-live", "gemini/gemini-live"),
        ("projects/p/locations/l/publishers/google/models/gemini-live", "gemini-live"),
        ("publishers/google/models/gemini-live", "gemini-live"),
    ] {
        let doc = doc(&format!(
            r#"{{"setup":{{"generation_config":{{"maxOutputTokens":9}},"model":"{written}"}}}}"#
        ));
        let view = view(&doc).unwrap();
        let (model, range) = view.model.unwrap();
        assert_eq!((model.as_str(), view.max_output_tokens), (bare, Some(9)), "{written}");
        assert_eq!(doc.slice(range), format!("\"{written}\""));
    }
    for (bad, member) in [
        (r#"{"clientContent":{}}"#, "setup"),
        (r#"{"setup":{}}"#, "setup.model"),
        (r#"{"setup":{"model":7}}"#, "setup.model"),
        (r#"{"setup":{"model":"a","system_instruction":{"parts":[{"inlineData":{"data":"AA"}}]}}}"#, "setup"),
    ] {
        let error = view(&doc(bad)).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(member)), "{bad}");
    }
}

#[test]
fn a_providers_messages_are_read() {
    let said = |text: &str| GeminiLive.said(&doc(text));
    let quiet = said(r#"{"setupComplete":{"sessionId":"s"}}"#);
    assert_eq!((quiet.kind, quiet.spans.len()), (Kind::Other, 0));

    let text = r#"{"serverContent":{"modelTurn":{"parts":[{"text":"hm","thought":true},{"text":"a\"b"},
        {"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AAAA"}}]},"outputTranscription":{"text":"c"}}}"#;
    let spoken = said(text);
    let pieces: Vec<_> = spoken.pieces.iter().map(|piece| (&*piece.name, &*piece.text)).collect();
    assert_eq!(pieces, [("model/thought", "hm"), ("model/text", "a\"b"), ("spoken", "c")]);
    assert_eq!(text.get(spoken.pieces[1].at.clone()), Some("a\\\"b"));
    assert_eq!((spoken.spans.len(), spoken.media_chars, spoken.ends), (0, 4, None));
    assert_eq!(spoken.kind, Kind::Turn(Turn { speaks: true, ..Turn::default() }));

    let heard = said(r#"{"serverContent":{"inputTranscription":{"text":"mine"}}}"#);
    assert_eq!((heard.pieces[0].place, heard.kind), (Place::Input, Kind::Other));

    let call = said(r#"{"toolCall":{"functionCalls":[{"id":"1","name":"f","args":{"city":"Rome"}}]}}"#);
    assert_eq!((call.spans.len(), call.spans[0].place), (1, Place::ToolArguments));
    assert_eq!(call.kind, Kind::Turn(Turn { speaks: true, waits: true, ..Turn::default() }));

    let rests = said(r#"{"serverContent":{"generationComplete":true}}"#);
    assert_eq!(
        (rests.kind, rests.ends.as_deref()),
        (Kind::Turn(Turn { rests: true, ..Turn::default() }), Some("model/"))
    );
}

#[test]
fn what_a_turn_used_is_read_in_all_its_kinds() {
    let over = GeminiLive.said(&doc(
        r#"{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":130,"responseTokenCount":90,
            "toolUsePromptTokenCount":5,"thoughtsTokenCount":10,"cachedContentTokenCount":20,"totalTokenCount":235,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":60},{"modality":"AUDIO","tokenCount":40},
            {"modality":"VIDEO","tokenCount":30}],"responseTokensDetails":[{"modality":"AUDIO","tokenCount":80}]}}"#,
    ));
    let usage = Usage {
        input_tokens: 135,
        cached_read_tokens: 20,
        audio_input_tokens: 40,
        image_input_tokens: 30,
        output_tokens: 100,
        reasoning_tokens: 10,
        audio_output_tokens: 80,
        ..Usage::default()
    };
    assert_eq!(over.kind, Kind::Turn(Turn { over: true, usage: Some(usage), ..Turn::default() }));
    assert_eq!((over.ends.as_deref(), over.spans.len()), (Some(""), 0));
    let nothing = GeminiLive.said(&doc(r#"{"usageMetadata":{"trafficType":"ON_DEMAND"}}"#));
    assert_eq!((nothing.kind, nothing.spans.len()), (Kind::Other, 0));
}
