//! Reading JSON values without ceremony: `null` counts as absent, as it does at the providers.

use serde_json::Value;

/// The member of an object, unless it is absent or null.
pub(crate) fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|member| !member.is_null())
}

/// The member as a string.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// The member as a list; empty when it is absent or something else.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether the member is `true`.
pub(crate) fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The names of the members that are not in `known`.
pub(crate) fn unknown<'a>(value: &'a Value, known: &[&str]) -> Vec<&'a str> {
    let members = value.as_object().into_iter().flat_map(|object| object.keys());
    members.map(String::as_str).filter(|name| !known.contains(name)).collect()
}

/// What kind of value it is, in the words of error messages.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Whether a text is base64 as providers accept it: the standard alphabet, padded, not empty.
pub(crate) fn is_base64(text: &str) -> bool {
    use base64::Engine as _;
    !text.is_empty() && base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

/// Sets a member of an object.
pub(crate) fn set(object: &mut Value, name: &str, member: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
}
