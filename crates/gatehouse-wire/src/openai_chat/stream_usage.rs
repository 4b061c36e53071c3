//! The chunk that carries nothing but the usage.
//!
//! It comes only when it was asked for. Where the gateway asked and the caller did not, it must not reach
//! the caller: clients take `choices[0]` of every chunk.

use crate::json::{Doc, Strictness};
use bytes::Bytes;

/// Whether the data of a frame is the chunk at the end of a stream that has no choices, only usage. Cheap
/// for all others: they are told by a search for an empty list of choices.
#[must_use]
pub fn is_usage_only(data: &Bytes) -> bool {
    if !has_empty_choices(data) {
        return false;
    }
    Doc::parse(data.clone(), Strictness::Provider).is_ok_and(|doc| {
        let root = doc.root();
        root.opt("choices").is_some_and(|choices| choices.is_array() && choices.is_empty())
            && root.opt("usage").is_some_and(|usage| usage.is_object())
    })
}

/// Whether `"choices"`, a colon and an empty list stand anywhere in a row.
fn has_empty_choices(data: &[u8]) -> bool {
    const NAME: &[u8] = b"\"choices\"";
    memchr::memmem::find_iter(data, NAME).any(|at| {
        let rest = data.get(at + NAME.len()..).unwrap_or_default();
        let mut rest = rest.iter().filter(|byte| !byte.is_ascii_whitespace());
        [b':', b'[', b']'].iter().all(|expected| rest.next() == Some(expected))
    })
}

#[cfg(test)]
mod tests {
    use super::is_usage_only;
    use bytes::Bytes;

    #[test]
    fn only_the_last_chunk_is_told() {
        for (data, expected) in [
            (r#"{"choices":[],"usage":{"prompt_tokens":1}}"#, true),
            (r#"{"usage":{"prompt_tokens":1},"choices" : [ ]}"#, true),
            (r#"{"choices":[],"prompt_filter_results":[],"usage":null}"#, false),
            (r#"{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}"#, false),
            (r#"{"choices":[{"delta":{"content":"\"choices\":[]"}}],"usage":{}}"#, false),
            ("[DONE]", false),
            ("", false),
        ] {
            assert_eq!(is_usage_only(&Bytes::from_static(data.as_bytes())), expected, "{data}");
        }
    }
}
