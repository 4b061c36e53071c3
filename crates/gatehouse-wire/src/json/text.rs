//! The text inside JSON strings: unescaping and escaping.

use std::borrow::Cow;

/// Reads the inside of a JSON string (without quotes). Borrows when nothing is escaped.
///
/// A lone surrogate, which only lenient documents may hold, becomes U+FFFD.
#[must_use]
pub fn unescape(inner: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', inner.as_bytes()) else { return Cow::Borrowed(inner) };
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    let mut next = Some(first);
    while let Some(at) = next {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (character, used) = read_escape(escape);
        out.push(character);
        rest = escape.get(used..).unwrap_or_default();
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// One escape sequence at the start of `text`: its character and its length in bytes.
fn read_escape(text: &str) -> (char, usize) {
    let simple = match text.as_bytes().get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return read_unicode(text),
        Some(other) => char::from(*other),
        None => return (char::REPLACEMENT_CHARACTER, text.len().max(1)),
    };
    (simple, 2)
}

fn read_unicode(text: &str) -> (char, usize) {
    let Some(high) = hex4(text, 2) else { return (char::REPLACEMENT_CHARACTER, 2) };
    if !(0xD800..0xE000).contains(&high) {
        return (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
    }
    let low = text.get(6..8).filter(|lead| *lead == "\\u").and_then(|_| hex4(text, 8));
    match low {
        Some(low) if high < 0xDC00 && (0xDC00..0xE000).contains(&low) => {
            let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

/// Four hexadecimal digits at `at`.
pub(super) fn hex4(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

/// Appends `text` escaped for the inside of a JSON string.
///
/// U+2028 and U+2029 are escaped too, as some readers of event streams take them for line ends.
pub fn escape_into(text: &str, out: &mut Vec<u8>) {
    let mut from = 0;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            0xE2 if matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xA8 | 0xA9])) => b"",
            _ => continue,
        };
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        from = at + 1;
        if !short.is_empty() {
            out.extend_from_slice(short);
        } else if *byte == 0xE2 {
            let last = if bytes.get(at + 2) == Some(&0xA8) { b"\\u2028" } else { b"\\u2029" };
            out.extend_from_slice(last);
            from = at + 3;
        } else {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        }
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
}

/// `text` escaped for the inside of a JSON string.
#[must_use]
pub fn escaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    escape_into(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::{escaped, unescape};
    use proptest::prelude::*;

    #[test]
    fn surrogate_pairs_join_and_lone_ones_are_replaced() {
        assert_eq!(unescape(r"\ud83d\ude00!"), "\u{1F600}!");
        assert_eq!(unescape(r"a\ud83dz"), "a\u{FFFD}z");
        assert_eq!(unescape(r#"\"\\\/\b\f\n\r\t"#), "\"\\/\u{8}\u{c}\n\r\t");
    }

    proptest! {
        /// Escaping and unescaping is the identity, and the escaped form is JSON.
        #[test]
        fn there_and_back(text in any::<String>()) {
            let inner = String::from_utf8(escaped(&text)).unwrap();
            prop_assert_eq!(unescape(&inner), text.as_str());
            let read: String = serde_json::from_str(&format!("\"{inner}\"")).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}
