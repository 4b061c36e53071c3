//! An answer without its numbers: three thousand to a vector would fill the index of a document for
//! nothing. Each list of numbers is set aside, and its place is taken by its number among the lists.

use crate::json::{Doc, Strictness};
use bytes::Bytes;
use gatehouse_core::error::{Code, Error};
use std::ops::Range;

/// A body whose lists of numbers are set aside.
pub(super) struct Thin {
    /// The rest, with an index into `lists` where a list was.
    pub(super) doc: Doc,
    lists: Vec<Range<usize>>,
    body: Bytes,
}

// === impl Thin ===

impl Thin {
    /// Reads a provider's body.
    pub(super) fn parse(body: &Bytes) -> Result<Self, Error> {
        let unread = |why: String| {
            Error::new(Code::UpstreamBadResponse, "the provider's answer cannot be read").detail(why)
        };
        let (mut rest, mut lists) = (Vec::new(), Vec::new());
        let (mut at, mut copied) = (0, 0);
        while let Some(byte) = body.get(at) {
            match byte {
                b'"' => at = string_end(body, at),
                b'[' => {
                    let end = list_end(body, at);
                    if let Some(end) = end {
                        rest.extend_from_slice(body.get(copied..at).unwrap_or_default());
                        rest.extend_from_slice(lists.len().to_string().as_bytes());
                        lists.push(at..end);
                        copied = end;
                    }
                    at = end.unwrap_or(at + 1);
                }
                _ => at += 1,
            }
        }
        rest.extend_from_slice(body.get(copied..).unwrap_or_default());
        let doc =
            Doc::parse(Bytes::from(rest), Strictness::Provider).map_err(|error| unread(error.message))?;
        Ok(Self { doc, lists, body: body.clone() })
    }

    /// The text of a list that was set aside.
    pub(super) fn list(&self, index: u64) -> Option<&str> {
        let range = self.lists.get(usize::try_from(index).ok()?)?;
        std::str::from_utf8(self.body.get(range.clone())?).ok()
    }
}

/// The index behind the string that begins at `at`.
fn string_end(body: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(found) = body.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if body.get(at - 1) == Some(&b'"') {
            return at;
        }
        at += 1;
    }
    body.len()
}

/// The index behind the list that begins at `at`, if it holds numbers and nothing else.
fn list_end(body: &[u8], at: usize) -> Option<usize> {
    let inside = body.get(at + 1..)?;
    let of_numbers = |byte: &u8| {
        byte.is_ascii_digit()
            || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b',' | b' ' | b'\n' | b'\r' | b'\t')
    };
    let length = inside.iter().position(|byte| !of_numbers(byte))?;
    let some = inside.get(..length)?.iter().any(u8::is_ascii_digit);
    (some && inside.get(length) == Some(&b']')).then_some(at + length + 2)
}

#[cfg(test)]
mod tests {
    use super::Thin;
    use bytes::Bytes;
    use proptest::prelude::*;

    #[test]
    fn lists_of_numbers_alone_are_set_aside() {
        let body = Bytes::from_static(br#"{"a":[1, -2e5],"b":"[1]\"[2]","c":[],"d":[[3],["x",4]]}"#);
        let thin = Thin::parse(&body).unwrap();
        assert_eq!(thin.doc.text(), r#"{"a":0,"b":"[1]\"[2]","c":[],"d":[1,["x",4]]}"#);
        assert_eq!((thin.list(0), thin.list(1), thin.list(2)), (Some("[1, -2e5]"), Some("[3]"), None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[\\[\\]{}\",:1\\\\ ]{0,40}") {
            let _ = Thin::parse(&Bytes::from(bytes));
            let _ = Thin::parse(&Bytes::from(text));
        }
    }
}
