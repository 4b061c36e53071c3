//! Messages as the clouds frame them: what clients of Amazon Bedrock (`/model/{m}/invoke`) and of Vertex AI
//! (`…:rawPredict`) send and read around the same requests and answers.
//!
//! Their bodies have no `model`, which the path names, and `anthropic_version` instead; Bedrock's have no `stream`
//! either, and the betas that elsewhere are a header. [`plain`] makes an ordinary request of one, so that nothing
//! behind it has to know. Bedrock's streams are Amazon's: [`chunks`] puts every event into a message of its own.

use crate::error::{bedrock_exception, render};
use crate::eventstream_out;
use crate::json::{Doc, Out, Strictness, escaped};
use crate::sse::{Frame, Frames};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatehouse_core::content::Family;
use gatehouse_core::error::Error;

/// The version of the cloud's API, which no other provider takes.
const VERSION: &str = "anthropic_version";
/// The betas that a body asks for.
const BETAS: &str = "anthropic_beta";
/// So much is looked at in one go: what is given at once may be more than any one event.
const PIECE_BYTES: usize = 64 * 1024;

/// A cloud's request as an ordinary one.
#[derive(Debug)]
pub struct Plain {
    /// The request.
    pub doc: Doc,
    /// The betas that its body asked for: the value of a header `anthropic-beta`.
    pub betas: Option<String>,
}

/// Makes an ordinary request of a cloud's. `model` and `stream` are what the path says, where it does; they take the
/// place of what the body says.
///
/// # Errors
/// `invalid_request` naming the member that is malformed.
pub fn plain(doc: &Doc, model: Option<&str>, stream: Option<bool>) -> Result<Plain, Error> {
    let root = doc.root().want_object()?;
    let mut betas: Option<String> = None;
    let mut out = b"{".to_vec();
    let mut put = |name: &str, raw: &[u8]| {
        let comma: &[u8] = if out.len() > 1 { b"," } else { b"" };
        for part in [comma, b"\"", &escaped(name), b"\":", raw] {
            out.extend_from_slice(part);
        }
    };
    if let Some(model) = model {
        put("model", &[b"\"", escaped(model).as_slice(), b"\""].concat());
    }
    if stream == Some(true) {
        put("stream", b"true");
    }
    for (name, value) in root.members() {
        match name.as_ref() {
            VERSION => drop(value.want_str()?),
            BETAS if value.is_null() => {}
            BETAS => {
                let named: Result<Vec<_>, _> =
                    value.want_array()?.items().map(|beta| beta.want_str()).collect();
                betas = Some(named?.join(",")).filter(|betas| !betas.is_empty());
            }
            "model" if model.is_some() => {}
            "stream" if stream.is_some() => {}
            name => put(name, value.raw().as_bytes()),
        }
    }
    out.push(b'}');
    Ok(Plain { doc: Doc::parse(Bytes::from(out), Strictness::Caller)?, betas })
}

/// Whole server-sent events as messages of Amazon's: `chunk`s, or the exception that an error becomes. Pings are
/// left out, as these streams have none.
#[must_use]
pub fn chunks(events: &Bytes) -> Vec<u8> {
    let mut out = Vec::new();
    let mut frames = Frames::default();
    for piece in events.chunks(PIECE_BYTES) {
        if let Err(error) = frames.push(piece) {
            // No reader of these streams would take it, and nothing may be lost in silence.
            out.extend_from_slice(&exception(&Bytes::from(render(Family::Anthropic, &error, ""))));
            return out;
        }
        while let Some(frame) = frames.next_frame() {
            chunk(&frame, &mut out);
        }
    }
    if let Some(frame) = frames.rest() {
        chunk(&frame, &mut out);
    }
    out
}

fn chunk(frame: &Frame, out: &mut Vec<u8>) {
    let data = frame.data();
    match frame.name() {
        "ping" => {}
        "error" => out.extend_from_slice(&exception(&data)),
        _ if data.is_empty() => {}
        _ => {
            let mut payload = Out::new();
            payload.object(|out| {
                out.field("bytes", STANDARD.encode(&data).as_str());
            });
            out.extend_from_slice(&eventstream_out::event("chunk", &payload.into_bytes()));
        }
    }
}

/// Anthropic's error as the exception that Amazon has for it.
fn exception(data: &Bytes) -> Vec<u8> {
    let doc = Doc::parse(data.clone(), Strictness::Provider).ok();
    let said = |name: &str| Some(doc.as_ref()?.root().path(&["error", name])?.str()?.into_owned());
    let mut payload = Out::new();
    payload.object(|out| {
        out.field("message", said("message").unwrap_or_default().as_str())
            .field_opt("code", said("code").as_deref());
    });
    let name = bedrock_exception(&said("type").unwrap_or_default());
    eventstream_out::exception(name, &payload.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::{chunks, plain};
    use crate::eventstream::Messages;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;

    fn doc(text: &'static str) -> Doc {
        Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn a_clouds_request_becomes_an_ordinary_one() {
        let body = r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1","b-2"],"max_tokens":7,
                       "messages":[{"role":"user","content":"h\u0069"}]}"#;
        let got = plain(&doc(body), Some("team/\"x\""), Some(true)).unwrap();
        assert_eq!(
            got.doc.text(),
            r#"{"model":"team/\"x\"","stream":true,"max_tokens":7,"messages":[{"role":"user","content":"h\u0069"}]}"#
        );
        assert_eq!(got.betas.as_deref(), Some("a-1,b-2"));
        let kept = plain(&doc(r#"{"model":"m","stream":true}"#), None, None).unwrap();
        assert_eq!((kept.doc.text(), kept.betas), (r#"{"model":"m","stream":true}"#, None));
        assert_eq!(plain(&doc(r#"{"stream":true}"#), None, Some(false)).unwrap().doc.text(), "{}");
        for (body, member) in [("[]", None), (r#"{"anthropic_beta":"a"}"#, Some("anthropic_beta"))] {
            let error = plain(&doc(body), Some("m"), None).unwrap_err();
            assert_eq!(error.code.as_str(), "invalid_request", "{body}");
            assert!(member.is_none() || error.param.as_deref() == member, "{body}");
        }
    }

    #[test]
    fn every_event_is_a_message_and_an_error_an_exception() {
        let events = Bytes::from_static(
            b"event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n\
              event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"full\"}}\n\n",
        );
        let mut messages = Messages::default();
        messages.push(&chunks(&events)).unwrap();
        let first = messages.next_message().unwrap().unwrap();
        assert_eq!(first.name(), "chunk");
        assert_eq!(first.data().as_ref(), br#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCJ9"}"#);
        let last = messages.next_message().unwrap().unwrap();
        assert_eq!(
            (last.name(), last.data().as_ref()),
            ("serviceUnavailableException", br#"{"message":"full"}"#.as_slice())
        );
        assert!(messages.next_message().unwrap().is_none());
    }

    #[test]
    fn no_event_is_lost_however_much_comes_at_once_and_however_its_lines_end() {
        let event = |size: usize| format!("data: {{\"t\":\"{}\"}}\r\n\r\n", "x".repeat(size));
        let many: String = (0..5).map(|_| event(5 << 20)).collect();
        let mut rest = chunks(&Bytes::from(many)).len();
        assert!(rest > 5 * (5 << 20), "{rest}");
        rest = chunks(&Bytes::from_static(b"data: {}\r\r")).len();
        assert!(rest > 0, "an event whose lines end with CR alone");
        let mut messages = Messages::default();
        messages.push(&chunks(&Bytes::from(event(17 << 20)))).unwrap();
        assert_eq!(messages.next_message().unwrap().unwrap().name(), "internalServerException");
    }
}
