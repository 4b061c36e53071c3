//! A document as YAML: sections one below the other, lists of words on one line, quotes wherever there is doubt.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Writes the members of a document, an empty line between those at the top.
pub(super) fn written(members: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        member(&mut out, name, value, 0);
    }
    out
}

fn member(out: &mut String, name: &str, value: &Value, depth: usize) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{:depth$}{}:", "", scalar(name), depth = depth * 2);
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            members.iter().for_each(|(name, value)| member(out, name, value, depth + 1));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            out.push('\n');
            items.iter().for_each(|each| item(out, each, depth + 1));
        }
        other => {
            let _ = writeln!(out, " {}", flow(other));
        }
    }
}

/// An item of a list of sections, its first member behind the dash.
fn item(out: &mut String, value: &Value, depth: usize) {
    let mut section = String::new();
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| member(&mut section, name, value, depth + 1));
        }
        other => {
            let _ = writeln!(section, "{:depth$}{}", "", flow(other), depth = (depth + 1) * 2);
        }
    }
    let _ = write!(out, "{:depth$}- {}", "", section.trim_start(), depth = depth * 2);
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A text as it is where every reader of YAML takes it for that text; else in quotes, with JSON's escapes, which are
/// YAML's, too.
fn scalar(text: &str) -> String {
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '/' | '_'));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '+');
    let address = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let is_plain = match address {
        // A colon before a digit is the one of a port.
        Some(address) => address.split(':').all(|part| !part.is_empty() && part.chars().all(plain)),
        None => begins && text.chars().all(plain),
    };
    let is_word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
    );
    if (is_plain && !is_word) || is_number(text) || is_duration(text) {
        text.to_owned()
    } else {
        // JSON lets it stand, YAML does not.
        Value::from(text).to_string().replace('\u{7f}', "\\u007f")
    }
}

/// Whether everybody writes the number so: no zeros that mean nothing, digits on both sides of a point.
fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

fn is_duration(text: &str) -> bool {
    let unit = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    unit.len() < text.len() && matches!(unit, "ms" | "s" | "m" | "h" | "d" | "MiB")
}

#[cfg(test)]
mod tests {
    use super::{scalar, written};
    use gatehouse_config::foreign::{self, Foreign};
    use serde_json::{Value, json};

    #[test]
    fn sections_lists_and_quotes() {
        let value =
            json!({"a": {"b": "x", "c": ["no", "blue harbour", "d"]}, "l": [{"k": "1", "m": {"k": "v"}}]});
        let text = written(value.as_object().unwrap());
        assert_eq!(
            text,
            "a:\n  b: x\n  c: [\"no\", \"blue harbour\", d]\n\nl:\n  - k: 1\n    m:\n      k: v\n"
        );
    }

    #[test]
    fn whatever_is_written_is_read_again() {
        for text in [
            "",
            "~",
            "https://a:",
            "http://[::1]:8/v1",
            "0.25",
            "1.",
            "é\u{85}",
            "a: b",
            "# c",
            "${X}",
            "a\nb\t\"c\"\\",
            "- x",
            "é",
            "{a}",
            "0x1f",
            "007",
            "1.5",
            "30s",
            "https://a:80/v1",
            "a b ",
            "*x",
            "&y",
            "@z",
            "\u{7f}\u{1}",
            "<<",
            "8MiB",
        ] {
            let value = json!({ "v": text, "l": [text] });
            let written = written(value.as_object().unwrap());
            let read = foreign::read(&written, "x").unwrap();
            assert_eq!(read.get("v").and_then(Foreign::text), Some(text), "{written}");
            assert_eq!(read.get("l").unwrap().items()[0].text(), Some(text), "{written}");
        }
        assert_eq!(scalar("openai/gpt-5.2"), "openai/gpt-5.2");
        let named: Value = json!({ "a: b": "x" });
        assert_eq!(written(named.as_object().unwrap()), "\"a: b\": x\n");
    }
}
