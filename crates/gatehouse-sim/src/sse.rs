//! Writing server-sent events, as each provider writes them.

use bytes::Bytes;
use serde_json::Value;

/// `data:` alone with LF: OpenAI's chat.
pub(crate) fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

/// `event:` and `data:` with LF: Anthropic, and OpenAI's Responses.
pub(crate) fn event(name: &str, value: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {value}\n\n"))
}

/// `data:` alone with CRLF: Gemini.
pub(crate) fn data_crlf(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\r\n\r\n"))
}

/// How OpenAI's chat and completion streams end.
pub(crate) const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// The events of a recorded stream, each with its blank line, so that it can be paced and cut. Bytes
/// after the last blank line are an event too; nothing is lost or changed.
pub(crate) fn split(stream: &Bytes) -> Vec<Bytes> {
    let mut events = Vec::new();
    let mut rest = stream.clone();
    while let Some(end) = blank_line_end(&rest) {
        events.push(rest.split_to(end));
    }
    if !rest.is_empty() {
        events.push(rest);
    }
    events
}

/// Just after the first blank line, in any of the three line endings.
fn blank_line_end(bytes: &[u8]) -> Option<usize> {
    let ends: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
    ends.iter().filter_map(|end| memchr::memmem::find(bytes, end).map(|at| at + end.len())).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting_loses_nothing() {
        let stream = Bytes::from_static(b"data: 1\n\ndata: 2\r\n\r\n: note\n\ndata: cut");
        let events = split(&stream);
        assert_eq!(events.len(), 4);
        assert_eq!(events.concat(), stream);
    }
}
