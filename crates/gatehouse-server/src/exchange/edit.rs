//! A frame of the caller's own dialect as it goes out: as it came, but for what guardrails have changed and
//! what the caller did not ask for.

use bytes::{Bytes, BytesMut};
use gatehouse_core::content::{Edit, splice};
use gatehouse_wire::chat::ChatEvent;
use gatehouse_wire::json::escaped;
use gatehouse_wire::sse::Frame;
use std::ops::Range;

/// What of a frame is there only because usage was asked for.
pub fn for_usage(events: &[ChatEvent]) -> Option<Range<usize>> {
    events.iter().find_map(|event| match event {
        ChatEvent::ForUsage { at } => Some(at.clone()),
        _ => None,
    })
}

/// Whether every text of a frame is a string of its own in the frame's bytes.
pub fn can_be_spliced(events: &[ChatEvent]) -> bool {
    !events.iter().any(|event| matches!(event, ChatEvent::Delta { at: None, .. }))
}

/// The edits that bring the texts of a guardrail into a frame. Ranges are of the frame's data.
pub fn of_texts(events: &[ChatEvent]) -> Vec<Edit> {
    let edit = |event: &ChatEvent| match event {
        ChatEvent::Delta { text, at: Some(at), .. } | ChatEvent::Repeat { text, at, .. } => {
            Some(Edit { range: at.clone(), with: Bytes::from(escaped(text)) })
        }
        _ => None,
    };
    events.iter().filter_map(edit).collect()
}

/// Appends a frame to what goes out, with its texts as they may pass and without what is `hidden`; nothing
/// when all of it is.
pub fn write(frame: &Frame, mut texts: Vec<Edit>, hidden: Option<Range<usize>>, out: &mut BytesMut) {
    let start = frame.data.start;
    match hidden {
        Some(hidden) if hidden.len() >= frame.data.len() => return,
        Some(hidden) if texts.is_empty() => {
            let (from, to) = (start + hidden.start, start + hidden.end);
            out.extend_from_slice(frame.raw.get(..from).unwrap_or_default());
            out.extend_from_slice(frame.raw.get(to..).unwrap_or_default());
            return;
        }
        Some(hidden) => texts.push(Edit { range: hidden, with: Bytes::new() }),
        None if texts.is_empty() => return out.extend_from_slice(&frame.raw),
        None => {}
    }
    for edit in &mut texts {
        edit.range = start + edit.range.start..start + edit.range.end;
    }
    texts.sort_by_key(|edit| edit.range.start);
    out.extend_from_slice(&splice(&frame.raw, &texts));
}

#[cfg(test)]
mod tests {
    use super::{for_usage, of_texts, write};
    use bytes::{Bytes, BytesMut};
    use gatehouse_wire::chat::ChatEvent;
    use gatehouse_wire::codec::Codec as _;
    use gatehouse_wire::openai_chat::OpenAiChat;
    use gatehouse_wire::sse::{Frame, Frames};

    fn chunk(text: &'static str) -> (Frame, Vec<ChatEvent>) {
        let (mut frames, mut events) = (Frames::default(), Vec::new());
        frames.push(Bytes::from_static(text.as_bytes()).as_ref()).unwrap();
        let frame = frames.next_frame().unwrap();
        OpenAiChat.decoder().frame(&frame, &mut events).unwrap();
        (frame, events)
    }

    fn written(frame: &Frame, events: &[ChatEvent], edits: Vec<gatehouse_core::content::Edit>) -> String {
        let mut out = BytesMut::new();
        write(frame, edits, for_usage(events), &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn hiding_and_editing_meet_in_one_frame() {
        let (frame, mut events) = chunk(
            "id: 7\r\ndata: {\"usage\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ab\"}}],\"x\":1}\r\n\r\n",
        );
        let rest = "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ab\"}}],\"x\":1}\r\n\r\n";
        assert_eq!(written(&frame, &events, Vec::new()), format!("id: 7\r\ndata: {{{rest}"));
        for event in &mut events {
            if let ChatEvent::Delta { text, .. } = event {
                *text = "\"".to_owned();
            }
        }
        let edited = rest.replace("\"ab\"", "\"\\\"\"");
        assert_eq!(written(&frame, &events, of_texts(&events)), format!("id: 7\r\ndata: {{{edited}"));
    }

    #[test]
    fn a_chunk_of_nothing_but_usage_is_not_written() {
        let (frame, events) =
            chunk("data: {\"id\":\"a\",\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n");
        assert_eq!(written(&frame, &events, Vec::new()), "");
    }
}
