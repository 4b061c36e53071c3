//! What of a chunk is there only because usage was asked for.
//!
//! Who asks gets a last chunk that carries nothing but the usage, and from most servers `"usage":null` in
//! all the others. Where the gateway asked and the caller did not, neither must reach the caller: clients
//! take `choices[0]` of every chunk, and strict ones do not know the member. It is found in the walk over a
//! chunk's members that its reader makes anyway, so that it costs no search of its own.

use crate::chat::ChatEvent;
use crate::cut::comma;
use crate::json::{Doc, Node};
use std::ops::Range;

/// What was seen in the members of a chunk so far.
#[derive(Default)]
pub(crate) struct ForUsage {
    /// Where the member before ends; 0 before the first.
    before: usize,
    /// The member that says nothing, from the end of the one before.
    nothing: Option<Range<usize>>,
    is_counted: bool,
    has_no_choices: bool,
}

// === impl ForUsage ===

impl ForUsage {
    /// Looks at the next member of the chunk.
    pub(crate) fn look(&mut self, name: &str, value: Node<'_>) {
        let end = value.range().end;
        match name {
            "usage" if value.is_null() => self.nothing = Some(self.before..end),
            "usage" => self.is_counted = value.is_object(),
            "choices" => self.has_no_choices = value.is_array() && value.is_empty(),
            _ => {}
        }
        self.before = end;
    }

    /// All members were looked at: tells what there is.
    pub(crate) fn tell(self, doc: &Doc, out: &mut Vec<ChatEvent>) {
        let all = 0..doc.bytes().len();
        let at = match self.nothing {
            _ if self.is_counted && self.has_no_choices => all,
            Some(first) if first.start == 0 => {
                let root = doc.root().range();
                let behind = doc.slice(first.end..root.end);
                root.start + 1..first.end + comma(behind)
            }
            Some(other) => other,
            None => return,
        };
        out.push(ChatEvent::ForUsage { at });
    }
}

#[cfg(test)]
mod tests {
    use crate::chat::ChatEvent;
    use crate::codec::Codec;
    use crate::completions::Completions;
    use crate::openai_chat::OpenAiChat;
    use crate::sse::Frame;
    use bytes::Bytes;

    const CODECS: [&dyn Codec; 2] = [&OpenAiChat, &Completions];

    /// What a caller who did not ask is left with.
    fn left(codec: &dyn Codec, data: &'static str) -> String {
        let mut events = Vec::new();
        codec.decoder().frame(&Frame::of_data(Bytes::from_static(data.as_bytes())), &mut events).unwrap();
        let told: Vec<_> = events
            .into_iter()
            .filter_map(|event| if let ChatEvent::ForUsage { at } = event { Some(at) } else { None })
            .collect();
        assert!(told.len() <= 1, "{data}: {told:?}");
        let mut left = data.to_owned();
        told.into_iter().for_each(|at| left.replace_range(at, ""));
        left
    }

    #[test]
    fn the_last_chunk_goes_and_nothing_is_said_of_usage_in_the_others() {
        for (data, expected) in [
            (r#"{"choices":[],"usage":{"prompt_tokens":1}}"#, ""),
            (r#" {"usage":{"prompt_tokens":1},"choices" : [ ]} "#, ""),
            (
                r#"{"choices":[],"prompt_filter_results":[],"usage":null}"#,
                r#"{"choices":[],"prompt_filter_results":[]}"#,
            ),
            (
                r#"{"choices":[{"index":0}] , "usage" : null , "id":"a"}"#,
                r#"{"choices":[{"index":0}] , "id":"a"}"#,
            ),
            (r#"{ "usage":null , "choices":[{}]}"#, r#"{ "choices":[{}]}"#),
            (r#"{"usage":null}"#, "{}"),
        ] {
            for codec in CODECS {
                assert_eq!(left(codec, data), expected, "{data}");
            }
        }
    }

    #[test]
    fn whatever_else_there_is_stays() {
        for data in [
            r#"{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"\"usage\":null,\"choices\":[]"}}]}"#,
            r#"{"choices":[{"usage":null,"delta":{"usage":null}}],"x_groq":{"usage":null}}"#,
            r#"{"choices":[],"id":"a"}"#,
            "[DONE]",
            "",
        ] {
            for codec in CODECS {
                assert_eq!(left(codec, data), data);
            }
        }
    }
}
