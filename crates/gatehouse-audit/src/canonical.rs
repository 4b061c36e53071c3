//! Writes JSON in the one form that RFC 8785 (JCS) allows, straight into a buffer.
//!
//! A leaf is hashed as it is written, so two writers must give the same bytes: members sorted by their
//! UTF-16 code units, no white space, the shortest escapes, integers only. Nothing is built in memory and
//! sorted afterwards: the caller names members in order, and tests parse the result again to see that
//! the order is right. An object or a list without content is left out rather than written empty.

use gatehouse_core::record::UnixMicros;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Display;
use std::io::Write;

use crate::digit::{decimal_digit, hex_digit};
use crate::time;

/// The largest integer that every JSON reader keeps exactly (2^53 − 1). Larger amounts are written as this.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// The longest name of a team, a model, a target, and, before it is sealed, of a user.
pub const TEXT_BYTES_MAX: usize = 256;

/// Digits of the largest `u64`.
const DECIMAL_DIGITS_MAX: usize = 20;
/// Stands at the end of a text that was longer than its limit.
const ELLIPSIS: &str = "…";

/// The members of one object, in the order in which they are written.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

/// The elements of one list.
pub(crate) struct List<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

/// Writes an object that stands by itself.
pub(crate) fn write_object(out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    members(&mut Object { out, empty: true });
    out.push(b'}');
}

/// The order that RFC 8785 wants for names that are not known to be ASCII.
pub(crate) fn by_utf16(left: &str, right: &str) -> Ordering {
    if left.is_ascii() || right.is_ascii() {
        // Unequal orders need a supplementary character and one from U+E000 up, so two non-ASCII names.
        return left.cmp(right);
    }
    left.encode_utf16().cmp(right.encode_utf16())
}

// === impl Object ===

impl Object<'_> {
    /// A text, cut to `bytes_max` written bytes.
    pub(crate) fn text(&mut self, name: &str, value: &str, bytes_max: usize) {
        self.name(name);
        push_text(self.out, value, bytes_max);
    }

    /// A text that is left out when it is empty.
    pub(crate) fn some_text(&mut self, name: &str, value: &str, bytes_max: usize) {
        if !value.is_empty() {
            self.text(name, value, bytes_max);
        }
    }

    /// A text that is left out when there is none.
    pub(crate) fn maybe_text(&mut self, name: &str, value: Option<&str>, bytes_max: usize) {
        if let Some(value) = value {
            self.some_text(name, value, bytes_max);
        }
    }

    /// Something short that prints without anything to escape: an id, a name of ours.
    pub(crate) fn plain(&mut self, name: &str, value: impl Display) {
        self.name(name);
        self.out.push(b'"');
        // Writing to a vector cannot fail.
        let _ = write!(self.out, "{value}");
        self.out.push(b'"');
    }

    /// A count or an amount, at most [`INTEGER_MAX`].
    pub(crate) fn integer(&mut self, name: &str, value: u64) {
        self.name(name);
        push_integer(self.out, value.min(INTEGER_MAX));
    }

    /// The name of an integer that is filled in later: gives the place where its digits belong.
    pub(crate) fn place(&mut self, name: &str) -> usize {
        self.name(name);
        self.out.len()
    }

    /// A count that is left out when it is zero.
    pub(crate) fn some_integer(&mut self, name: &str, value: u64) {
        if value > 0 {
            self.integer(name, value);
        }
    }

    /// A truth value.
    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Thirty-two bytes in lower-case hexadecimal digits.
    pub(crate) fn digest(&mut self, name: &str, value: &[u8; 32]) {
        self.name(name);
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(value) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
        self.out.push(b'"');
        self.out.extend_from_slice(&digits);
        self.out.push(b'"');
    }

    /// A moment in UTC with microseconds.
    pub(crate) fn time(&mut self, name: &str, at: UnixMicros) {
        self.name(name);
        self.out.push(b'"');
        time::push_rfc3339(self.out, at);
        self.out.push(b'"');
    }

    /// An object inside this one; left out when it stays empty.
    pub(crate) fn object(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        let (before, was_empty) = (self.out.len(), self.empty);
        self.name(name);
        self.out.push(b'{');
        let mut inner = Object { out: self.out, empty: true };
        members(&mut inner);
        if inner.empty {
            self.out.truncate(before);
            self.empty = was_empty;
        } else {
            self.out.push(b'}');
        }
    }

    /// A list inside this object; left out when it stays empty.
    pub(crate) fn list(&mut self, name: &str, elements: impl FnOnce(&mut List<'_>)) {
        let (before, was_empty) = (self.out.len(), self.empty);
        self.name(name);
        self.out.push(b'[');
        let mut inner = List { out: self.out, empty: true };
        elements(&mut inner);
        if inner.empty {
            self.out.truncate(before);
            self.empty = was_empty;
        } else {
            self.out.push(b']');
        }
    }

    fn name(&mut self, name: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        debug_assert!(is_plain(name), "names are checked where they are not ours");
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

// === impl List ===

impl List<'_> {
    /// A text, cut to `bytes_max` written bytes.
    pub(crate) fn text(&mut self, value: &str, bytes_max: usize) {
        self.next();
        push_text(self.out, value, bytes_max);
    }

    /// An object.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Object<'_>)) {
        self.next();
        write_object(self.out, members);
    }

    fn next(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }
}

// === scalars ===

/// Whether a text stands in JSON as it is. Looks at every byte, which is faster than stopping early.
pub(crate) fn is_plain(text: &str) -> bool {
    let special = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    !text.bytes().fold(false, |found, byte| found | special(byte))
}

/// A text of at most so many bytes; a longer one ends in `…`.
pub(crate) fn shortened(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return text.into();
    }
    let limit = bytes_max.saturating_sub(ELLIPSIS.len());
    let begin = (0..=limit).rev().find_map(|end| text.get(..end)).unwrap_or_default();
    [begin, ELLIPSIS].concat().into()
}

/// Writes a quoted text of at most `bytes_max` bytes between the quotes; a longer one ends in `…`.
fn push_text(out: &mut Vec<u8>, text: &str, bytes_max: usize) {
    out.push(b'"');
    if text.len() <= bytes_max && is_plain(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_escaped(out, text, bytes_max);
    }
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, text: &str, bytes_max: usize) {
    let limit = out.len().saturating_add(bytes_max);
    // The last place from which the ellipsis still fits.
    let (start, mut cut) = (out.len(), out.len());
    for character in text.chars() {
        push_char(out, character);
        if out.len() > limit {
            out.truncate(cut);
            if bytes_max >= ELLIPSIS.len() {
                out.extend_from_slice(ELLIPSIS.as_bytes());
            } else {
                out.truncate(start);
            }
            return;
        }
        if out.len().saturating_add(ELLIPSIS.len()) <= limit {
            cut = out.len();
        }
    }
}

fn push_char(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\0'..='\u{1f}' => {
            let code = u8::try_from(character).unwrap_or_default();
            out.extend_from_slice(b"\\u00");
            out.push(hex_digit(code >> 4));
            out.push(hex_digit(code & 15));
        }
        _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn push_integer(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; DECIMAL_DIGITS_MAX];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = decimal_digit(value);
        used += 1;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(DECIMAL_DIGITS_MAX - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::{INTEGER_MAX, by_utf16, push_text, write_object};
    use proptest::prelude::*;

    fn text(value: &str, bytes_max: usize) -> String {
        let mut out = Vec::new();
        push_text(&mut out, value, bytes_max);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_escapes_are_those_of_rfc_8785() {
        assert_eq!(
            text("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{8}\u{7f}", 99),
            "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\u{7f}\""
        );
    }

    #[test]
    fn a_long_text_ends_in_an_ellipsis_inside_its_limit() {
        assert_eq!(text("abcdef", 6), "\"abcdef\"");
        assert_eq!(text("abcdefg", 6), "\"abc…\"");
        assert_eq!(text("\n\n\n\n", 6), "\"\\n…\"");
        assert_eq!(text("äöü", 5), "\"ä…\"");
        assert_eq!(text("abc", 2), "\"\"");
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let mut out = Vec::new();
        write_object(&mut out, |o| {
            o.object("a", |_| {});
            o.list("b", |_| {});
            o.some_text("c", "", 9);
            o.integer("d", u64::MAX);
            o.object("e", |e| e.flag("f", true));
            o.list("g", |g| g.object(|_| {}));
        });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(r#"{{"d":{INTEGER_MAX},"e":{{"f":true}},"g":[{{}}]}}"#)
        );
    }

    #[test]
    fn names_are_ordered_by_utf_16_units() {
        // U+10000 is d800 dc00 in UTF-16, before U+E000; in UTF-8 it comes after.
        assert!(by_utf16("\u{10000}", "\u{e000}").is_lt() && "\u{10000}" > "\u{e000}");
    }

    proptest! {
        /// Any text reads back as it was, any limit holds, and what is cut is a prefix.
        #[test]
        fn texts_read_back(value in any::<String>(), bytes_max in 3usize..60) {
            let whole: String = serde_json::from_str(&text(&value, usize::MAX)).unwrap();
            prop_assert_eq!(&whole, &value);
            let written = text(&value, bytes_max);
            prop_assert!(written.len() <= bytes_max + 2);
            let short: String = serde_json::from_str(&written).unwrap();
            prop_assert!(short == value || value.starts_with(short.strip_suffix('…').unwrap()));
        }

        /// The shortcut for ASCII names gives the same order.
        #[test]
        fn the_order_is_that_of_utf_16(left in any::<String>(), right in any::<String>()) {
            prop_assert_eq!(by_utf16(&left, &right), left.encode_utf16().cmp(right.encode_utf16()));
        }
    }
}
