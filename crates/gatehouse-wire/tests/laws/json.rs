//! JSON: what we read is what an independent reader reads.

use bytes::Bytes;
use gatehouse_wire::json::{DEPTH_MAX, Doc, Kind, NUMBER_CHARS_MAX, Node, Strictness};
use serde_json::Value;

/// Compares with serde_json, in both directions.
pub fn json(bytes: &[u8]) {
    let other: Result<Value, _> = serde_json::from_slice(bytes);
    let lenient = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Provider);
    let strict = Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Caller);
    if let Ok(strict) = &strict {
        let value = other.as_ref().expect("what callers may send is JSON");
        same(strict.root(), value);
        assert!(lenient.is_ok(), "strict, but not lenient");
    }
    if let Ok(value) = other {
        match lenient {
            Ok(doc) => same(doc.root(), &value),
            Err(error) => assert!(is_beyond_a_limit(bytes, &value), "{error}"),
        }
    }
}

fn same(node: Node<'_>, value: &Value) {
    assert_eq!(node.raw().len(), node.range().len());
    match (node.kind(), value) {
        (Kind::Null, Value::Null) | (Kind::True, Value::Bool(true)) | (Kind::False, Value::Bool(false)) => {}
        (Kind::String | Kind::Escaped, Value::String(text)) => {
            assert_eq!(node.str().as_deref(), Some(text.as_str()));
        }
        (Kind::Number, Value::Number(number)) => {
            // serde_json may be off in the last place; we are exact.
            let (own, other) = (node.f64().unwrap_or(f64::NAN), number.as_f64().unwrap_or(f64::NAN));
            assert!((own - other).abs() <= other.abs() * 1e-12, "{own} is not {other}");
            // `3.0` is a whole number to us and not to serde_json.
            assert!(number.as_u64().is_none() || node.u64() == number.as_u64());
        }
        (Kind::Array, Value::Array(items)) => {
            assert_eq!(node.items().count(), items.len());
            node.items().zip(items).for_each(|(node, item)| same(node, item));
        }
        (Kind::Object, Value::Object(members)) => {
            assert_eq!(node.is_empty(), members.is_empty());
            for (name, member) in members {
                same(node.get(name).expect("a member of the same name"), member);
            }
        }
        (kind, value) => panic!("{kind:?} is not {value}"),
    }
}

/// The limits that JSON itself does not have.
fn is_beyond_a_limit(bytes: &[u8], value: &Value) -> bool {
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let long_number = bytes.split(|byte| !is_number(byte)).any(|run| run.len() > NUMBER_CHARS_MAX);
    long_number || depth(value) > DEPTH_MAX
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}
