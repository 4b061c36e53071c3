//! A frame of the caller's own dialect as it goes out: as it came, but for what guardrails have changed and
//! what the caller did not ask for.

use bytes::{Bytes, BytesMut};
use gatehouse_core::content::{Edit, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::chat::ChatEvent;
use gatehouse_wire::eventstream_out;
use gatehouse_wire::json::{Doc, Strictness, escaped};
use gatehouse_wire::sse::Frame;
use gatehouse_wire::watch::unspelled;
use std::ops::Range;

/// What of a frame is there only because usage was asked for.
pub fn for_usage(events: &[ChatEvent]) -> Option<Range<usize>> {
    events.iter().find_map(|event| match event {
        ChatEvent::ForUsage { at } => Some(at.clone()),
        _ => None,
    })
}

/// The edits that bring the texts that guardrails have changed into a frame. Ranges are of the frame's data.
///
/// A delta that stands nowhere in the frame needs none: what the caller sees of its text is told aside
/// (`gatehouse_wire::watch`), and judged there.
pub fn of_texts(events: &[ChatEvent], changed: &[usize]) -> Vec<Edit> {
    let is_aside = |at: &Range<usize>| {
        events.iter().any(|event| matches!(event, ChatEvent::Aside { at: own, .. } if own == at))
    };
    let edit = |event: &ChatEvent| {
        let (text, at) = match event {
            ChatEvent::Delta { text, at: Some(at), .. } if !is_aside(at) => (text, at),
            ChatEvent::Repeat { text, at, .. } | ChatEvent::Aside { text, at, .. } => (text, at),
            _ => return None,
        };
        Some(Edit { range: at.clone(), with: Bytes::from(escaped(text)) })
    };
    if changed.is_empty() {
        return Vec::new();
    }
    let mut changed = changed.to_vec();
    changed.sort_unstable();
    changed.dedup();
    let spelled = events.iter().filter_map(|event| match event {
        ChatEvent::Spelled { at, is_list, .. } => Some(unspelled(at.clone(), *is_list)),
        _ => None,
    });
    changed.into_iter().filter_map(|at| edit(events.get(at)?)).chain(spelled).collect()
}

/// Whether what spells the texts of a frame is taken out with them.
pub fn is_unspelled(events: &[ChatEvent], changed: &[usize]) -> bool {
    !changed.is_empty() && events.iter().any(|event| matches!(event, ChatEvent::Spelled { .. }))
}

/// How the loss of log probabilities is named.
pub const SPELLED: &str = "logprobs";

/// A text cannot be replaced.
pub fn cannot() -> Error {
    Error::new(Code::GuardUnavailable, "a guardrail's edit cannot be made in this answer")
}

/// Appends a frame to what goes out, with its texts as they may pass and without what is `hidden`; nothing
/// when all of it is.
///
/// # Errors
/// `guard_unavailable` when a text cannot be replaced: what a guardrail took out of an answer goes out
/// under no circumstances.
pub fn write(
    frame: &Frame,
    texts: Vec<Edit>,
    hidden: Option<Range<usize>>,
    out: &mut BytesMut,
) -> Result<(), Error> {
    let start = frame.data.start;
    let mut edits = texts;
    match hidden {
        Some(hidden) if hidden.len() >= frame.data.len() => return Ok(()),
        Some(hidden) if edits.is_empty() => {
            let (from, to) = (start + hidden.start, start + hidden.end);
            out.extend_from_slice(frame.raw.get(..from).unwrap_or_default());
            out.extend_from_slice(frame.raw.get(to..).unwrap_or_default());
            return Ok(());
        }
        Some(hidden) => edits.push(Edit { range: hidden, with: Bytes::new() }),
        None if edits.is_empty() => {
            out.extend_from_slice(&frame.raw);
            return Ok(());
        }
        None => {}
    }
    edits.sort_by_key(|edit| edit.range.start);
    let data = splice(&frame.data(), &edits);
    // A number cannot become a word.
    if Doc::parse(data.clone(), Strictness::Provider).is_err() {
        return Err(cannot());
    }
    if eventstream_out::is_message(frame) {
        out.extend_from_slice(&eventstream_out::with_payload(frame, &data));
        return Ok(());
    }
    out.extend_from_slice(frame.raw.get(..start).unwrap_or_default());
    out.extend_from_slice(&data);
    out.extend_from_slice(frame.raw.get(frame.data.end..).unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{for_usage, of_texts, write};
    use bytes::{Bytes, BytesMut};
    use gatehouse_wire::chat::ChatEvent;
    use gatehouse_wire::codec::ProviderCodec as _;
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
        write(frame, edits, for_usage(events), &mut out).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn hiding_and_editing_meet_in_one_frame() {
        let (frame, mut events) = chunk(
            "id: 7\r\ndata: {\"usage\":null,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ab\"}}],\"x\":1}\r\n\r\n",
        );
        let rest = "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ab\"}}],\"x\":1}\r\n\r\n";
        assert_eq!(written(&frame, &events, Vec::new()), format!("id: 7\r\ndata: {{{rest}"));
        let mut changed = Vec::new();
        for (at, event) in events.iter_mut().enumerate() {
            if let ChatEvent::Delta { text, .. } = event {
                *text = "\"".to_owned();
                changed.push(at);
            }
        }
        let edited = rest.replace("\"ab\"", "\"\\\"\"");
        assert_eq!(
            written(&frame, &events, of_texts(&events, &changed)),
            format!("id: 7\r\ndata: {{{edited}")
        );
    }

    #[test]
    fn a_chunk_of_nothing_but_usage_is_not_written() {
        let (frame, events) =
            chunk("data: {\"id\":\"a\",\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n");
        assert_eq!(written(&frame, &events, Vec::new()), "");
    }
}
