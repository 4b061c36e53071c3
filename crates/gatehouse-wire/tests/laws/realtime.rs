//! Realtime events of either side: texts where they are said to be, errors that are events.

use super::{parse, spans_can_be_masked};
use bytes::Bytes;
use gatehouse_wire::json::{Doc, Strictness, unescape};
use gatehouse_wire::live::{GeminiLive, view};
use gatehouse_wire::realtime::{Kind, SessionCodec as _, asked, error_event, is_audio, said};

/// Any message of a session, read as the caller's and as the provider's, in each dialect of sessions.
pub fn realtime(bytes: &[u8]) {
    live(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let audio = is_audio(text);
    if let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Caller) {
        match asked(&doc) {
            Ok(asked) => {
                spans_can_be_masked(&doc, &asked.spans);
                if let Some((model, range)) = asked.model {
                    let quoted = doc.slice(range);
                    assert_eq!(
                        quoted
                            .strip_prefix('"')
                            .and_then(|rest| rest.strip_suffix('"'))
                            .map(unescape)
                            .as_deref(),
                        Some(model.as_str())
                    );
                }
            }
            Err(error) => {
                let event = error_event(&error, "event_1", Some("theirs \"quoted\""));
                let event = parse(event.as_bytes(), Strictness::Caller);
                assert_eq!(event.root().get("type").and_then(|kind| kind.str()).as_deref(), Some("error"));
            }
        }
    }
    let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Provider) else { return };
    let said = said(&doc);
    spans_can_be_masked(&doc, &said.spans);
    for piece in &said.pieces {
        assert_eq!(
            unescape(doc.slice(piece.at.clone())),
            piece.text,
            "a piece is not where it is said to be"
        );
        assert!(said.spans.is_empty());
    }
    if let Kind::Over(Some(usage)) = said.kind {
        assert_eq!(usage, usage.clamped());
    }
    // What passes unread brings no words.
    assert!(!audio || (said.pieces.is_empty() && said.kind == Kind::Other), "words in audio: {text}");
}

/// The same in the dialect whose first message opens the session.
fn live(bytes: &[u8]) {
    if let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Caller) {
        if let Ok(asked) = GeminiLive.asked(&doc) {
            spans_can_be_masked(&doc, &asked.spans);
        }
        if let Ok(view) = view(&doc) {
            spans_can_be_masked(&doc, &view.spans);
            // What opens a session can be read in it, too, and names the same model.
            assert_eq!(GeminiLive.asked(&doc).map(|asked| asked.model), Ok(view.model));
        }
    }
    let Ok(doc) = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Provider) else { return };
    let said = GeminiLive.said(&doc);
    spans_can_be_masked(&doc, &said.spans);
    for piece in &said.pieces {
        assert_eq!(
            unescape(doc.slice(piece.at.clone())),
            piece.text,
            "a piece is not where it is said to be"
        );
        assert!(said.spans.iter().all(|span| span.range != piece.at), "a text is judged twice");
    }
    if let Kind::Turn(turn) = said.kind
        && let Some(usage) = turn.usage
    {
        assert_eq!(usage, usage.clamped());
    }
}
