//! The one pass over a body: grammar, limits, and the index of values.

use super::node::{Kind, Node};
use super::plain::plain_bytes;
use super::text::{hex4, unescape};
use super::{DEPTH_MAX, NUMBER_CHARS_MAX, VALUES_MAX};
use bytes::Bytes;
use bytestring::ByteString;
use gatehouse_core::error::Error;
use std::collections::HashSet;
use std::ops::Range;

/// A body and the index of its values.
///
/// The index is in document order: an object is followed by key, value, key, value …; an array by its
/// items; `next` of a slot is the index behind everything inside it.
#[derive(Clone, Debug)]
pub struct Doc {
    pub(super) text: ByteString,
    pub(super) slots: Vec<Slot>,
}

/// One value: its kind, where it stands, and where the next one is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) next: u32,
    pub(super) kind: Kind,
}

/// How a document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// From a caller: whatever two readers could understand differently is refused.
    Caller,
    /// From a provider: what real providers send is read, and the last of equal members counts.
    Provider,
}

/// Members whose values are the caller's own data: names inside them may differ only in case, as a JSON
/// Schema may well have the properties `Id` and `id`.
const FREE_FORM: &[&str] = &[
    "properties",
    "parameters",
    "parametersJsonSchema",
    "input_schema",
    "schema",
    "responseSchema",
    "responseJsonSchema",
    "json_schema",
    "$defs",
    "definitions",
    "input",
    "args",
    "arguments",
    "response",
    "metadata",
    "labels",
    "logit_bias",
    "value",
    "enum",
    "default",
    "examples",
];

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    slots: Vec<Slot>,
    strict: bool,
}

// === impl Doc ===

impl Doc {
    /// Parses a whole body.
    ///
    /// # Errors
    /// `invalid_request` that says what is wrong and at which byte.
    pub fn parse(raw: Bytes, strictness: Strictness) -> Result<Self, Error> {
        if u32::try_from(raw.len()).is_err() {
            return Err(Error::new(gatehouse_core::error::Code::RequestTooLarge, "the body exceeds 4 GiB"));
        }
        let text = ByteString::try_from(raw)
            .map_err(|error| fault(&format!("the body is not valid UTF-8: {error}")))?;
        let mut scanner = Scanner {
            text: &text,
            bytes: text.as_bytes(),
            at: 0,
            slots: Vec::with_capacity(64.min(text.len() / 4)),
            strict: strictness == Strictness::Caller,
        };
        scanner.skip_space();
        scanner.value(0, false)?;
        scanner.skip_space();
        if scanner.at < scanner.bytes.len() {
            return Err(scanner.wrong("unexpected text after the JSON value"));
        }
        let slots = scanner.slots;
        Ok(Self { text, slots })
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node::at(self, 0)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The body as shared bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.text.as_bytes()
    }

    /// The text of a byte range; empty when the range is not one of this document.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }
}

fn fault(message: &str) -> Error {
    Error::new(gatehouse_core::error::Code::InvalidRequest, message)
}

/// The index cannot outgrow `u32`: bodies are at most 4 GiB (checked) and every value takes a byte.
fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

// === impl Scanner ===

impl Scanner<'_> {
    fn wrong(&self, what: &str) -> Error {
        fault(&format!("invalid JSON at byte {}: {what}", self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn open(&mut self, kind: Kind) -> Result<usize, Error> {
        if self.slots.len() >= VALUES_MAX {
            return Err(self.wrong(&format!("more than {VALUES_MAX} values")));
        }
        self.slots.push(Slot { start: narrow(self.at), end: 0, next: 0, kind });
        Ok(self.slots.len() - 1)
    }

    fn close(&mut self, slot: usize) {
        let next = narrow(self.slots.len());
        let end = narrow(self.at);
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.end = end;
            slot.next = next;
        }
    }

    fn value(&mut self, depth: usize, free: bool) -> Result<(), Error> {
        if depth >= DEPTH_MAX {
            return Err(self.wrong(&format!("nested deeper than {DEPTH_MAX} levels")));
        }
        match self.peek() {
            Some(b'{') => self.object(depth, free),
            Some(b'[') => self.array(depth, free),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Kind::True),
            Some(b'f') => self.word("false", Kind::False),
            Some(b'n') => self.word("null", Kind::Null),
            Some(_) => Err(self.wrong("expected a value")),
            None => Err(self.wrong("the body ends where a value is expected")),
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), Error> {
        let slot = self.open(kind)?;
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.wrong("expected a value"));
        }
        self.at += word.len();
        self.close(slot);
        Ok(())
    }

    fn array(&mut self, depth: usize, free: bool) -> Result<(), Error> {
        let slot = self.open(Kind::Array)?;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            self.close(slot);
            return Ok(());
        }
        loop {
            self.skip_space();
            self.value(depth + 1, free)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.wrong("expected ',' or ']'")),
            }
        }
        self.at += 1;
        self.close(slot);
        Ok(())
    }

    fn object(&mut self, depth: usize, free: bool) -> Result<(), Error> {
        let slot = self.open(Kind::Object)?;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.close(slot);
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("expected a member name in double quotes"));
            }
            let key = self.at;
            self.string()?;
            let below_free = free || self.strict && self.is_free_form(key);
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.wrong("expected ':'"));
            }
            self.at += 1;
            self.skip_space();
            self.value(depth + 1, below_free)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.wrong("expected ',' or '}'")),
            }
        }
        self.at += 1;
        self.close(slot);
        if self.strict { self.check_members(slot, free) } else { Ok(()) }
    }

    fn is_free_form(&self, key_start: usize) -> bool {
        let key = self.bytes.get(key_start + 1..self.at - 1).unwrap_or_default();
        FREE_FORM.iter().any(|name| name.as_bytes() == key)
    }

    fn string(&mut self) -> Result<(), Error> {
        let slot = self.open(Kind::String)?;
        self.at += 1;
        loop {
            self.at += plain_bytes(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {}
                Some(_) => {
                    return Err(self.wrong("a control character inside a string; write it as \\u00XX"));
                }
                None => return Err(self.wrong("a string that does not end")),
            }
            self.escape()?;
            if let Some(slot) = self.slots.get_mut(slot) {
                slot.kind = Kind::Escaped;
            }
        }
        self.at += 1;
        self.close(slot);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Error> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let code = hex4(self.text, self.at + 2)
                    .ok_or_else(|| self.wrong("\\u needs four hexadecimal digits"))?;
                let pair = (0xD800..0xDC00).contains(&code)
                    && self.text.get(self.at + 6..self.at + 8) == Some("\\u")
                    && hex4(self.text, self.at + 8).is_some_and(|low| (0xDC00..0xE000).contains(&low));
                if self.strict && !pair && (0xD800..0xE000).contains(&code) {
                    return Err(self.wrong("half of a surrogate pair"));
                }
                self.at += if pair { 12 } else { 6 };
                Ok(())
            }
            _ => Err(self.wrong("an unknown escape")),
        }
    }

    fn number(&mut self) -> Result<(), Error> {
        let slot = self.open(Kind::Number)?;
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let scientific = matches!(self.peek(), Some(b'e' | b'E'));
        if scientific {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        if self.at - start > NUMBER_CHARS_MAX {
            return Err(self.wrong(&format!("a number of more than {NUMBER_CHARS_MAX} characters")));
        }
        let number = self.text.get(start..self.at).unwrap_or_default();
        if scientific && !number.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(self.wrong("a number that is too large"));
        }
        self.close(slot);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong("expected a digit")) } else { Ok(()) }
    }

    /// Refuses members of equal name, and, outside free-form data, names that differ only in case: one
    /// reader would take the first, another the last, a third either.
    fn check_members(&self, object: usize, free: bool) -> Result<(), Error> {
        if self.plainly_distinct(object, !free) {
            return Ok(());
        }
        let keys = self.keys(object);
        let Some(first_twin) = first_twin(&keys, !free) else { return Ok(()) };
        Err(self.wrong(&format!(
            "the member {first_twin:?} is given more than once (letter case does not count)"
        )))
    }

    /// The usual case, without an allocation: few members, all of plain ASCII names, no two alike.
    fn plainly_distinct(&self, object: usize, fold: bool) -> bool {
        let mut seen = [""; PAIRWISE_MAX];
        let mut count = 0;
        let mut at = object + 1;
        while let (Some(key), Some(value)) = (self.slots.get(at), self.slots.get(at + 1)) {
            let name = self.text.get(wide(key.start) + 1..wide(key.end) - 1).unwrap_or_default();
            let same = |other: &&str| if fold { other.eq_ignore_ascii_case(name) } else { *other == name };
            let earlier = seen.get(..count).unwrap_or_default();
            if key.kind == Kind::Escaped || !name.is_ascii() || earlier.iter().any(same) {
                return false;
            }
            let Some(place) = seen.get_mut(count) else { return false };
            *place = name;
            count += 1;
            at = wide(value.next);
        }
        true
    }

    fn keys(&self, object: usize) -> Vec<std::borrow::Cow<'_, str>> {
        let mut keys = Vec::with_capacity(8);
        let mut at = object + 1;
        while let Some(slot) = self.slots.get(at) {
            let inner = self.text.get(wide(slot.start) + 1..wide(slot.end) - 1).unwrap_or_default();
            keys.push(unescape(inner));
            at = match self.slots.get(at + 1) {
                Some(value) => wide(value.next),
                None => break,
            };
        }
        keys
    }
}

/// Below this many members, comparing each with each is faster than hashing.
const PAIRWISE_MAX: usize = 12;

fn first_twin<'a>(keys: &'a [std::borrow::Cow<'_, str>], fold: bool) -> Option<&'a str> {
    let ascii = keys.iter().all(|key| key.is_ascii());
    if ascii && keys.len() <= PAIRWISE_MAX {
        let same = |a: &str, b: &str| if fold { a.eq_ignore_ascii_case(b) } else { a == b };
        let mut earlier = keys.iter().enumerate();
        return earlier
            .find(|(at, key)| keys.iter().take(*at).any(|other| same(other, key)))
            .map(|(_, key)| key.as_ref());
    }
    let mut seen = HashSet::with_capacity(keys.len());
    keys.iter().find(|key| !seen.insert(if fold { folded(key) } else { key.to_string() })).map(AsRef::as_ref)
}

/// Lower case as the most generous readers fold it: U+017F is an `s` and U+212A a `k` to them.
pub(super) fn folded(key: &str) -> String {
    key.to_lowercase().replace('\u{17f}', "s").replace('\u{212a}', "k")
}

pub(super) fn wide(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Doc, Strictness};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Doc, String> {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).map_err(|error| error.message)
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"model":"x","Model":"y"}"#,
            r#"{"a":1,"\u0061":2}"#,
            "{\"stop\":1,\"\u{17f}top\":2}",
            r#"{"a":1e400}"#,
            r#""\ud800""#,
            "[1,]",
            "{,}",
            "01",
            "1.",
            "+1",
            "tru",
            "\"\u{1}\"",
            "{} x",
            "",
            r#"{"a"}"#,
            r#""\x""#,
            "nul",
            "[1 2]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("[{}]", "9".repeat(1000))).is_err());
        assert!(parse(&"[".repeat(100_000)).unwrap_err().contains("nested deeper"));
    }

    #[test]
    fn schemas_may_have_properties_that_differ_in_case() {
        assert!(parse(r#"{"properties":{"Id":{},"id":{}}}"#).is_ok());
        assert!(parse(r#"{"properties":{"id":{},"id":{}}}"#).is_err());
    }

    #[test]
    fn providers_may_repeat_themselves() {
        let doc = Doc::parse(Bytes::from_static(br#"{"a":1,"a":2}"#), Strictness::Provider).unwrap();
        assert_eq!(doc.root().get("a").and_then(|node| node.u64()), Some(2));
    }

    proptest! {
        /// Whatever serde_json reads as one value, we accept or refuse for a stated reason, and what we
        /// accept, serde_json accepts.
        #[test]
        fn accepts_only_json(text in r#"[\[\]{}",:0-9a-z\\ .eE+-]{0,40}"#) {
            if parse(&text).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
            }
        }

        /// Never a panic, whatever the bytes.
        #[test]
        fn any_bytes(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Doc::parse(Bytes::from(raw.clone()), Strictness::Caller);
            let _ = Doc::parse(Bytes::from(raw), Strictness::Provider);
        }
    }
}
