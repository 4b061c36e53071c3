//! The subset of OpenAPI's schema that Gemini takes where it does not say *JSON schema*.

use serde_json::Value;

use super::request::{invalid_value, unknown_name};
use crate::fault::Checked;
use crate::json::{get, list, unknown};
use crate::options::SCHEMA_DEPTH_MAX;

const KNOWN: [&str; 22] = [
    "anyOf",
    "default",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "propertyOrdering",
    "required",
    "title",
    "type",
];

const TYPES: [&str; 8] =
    ["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];

/// Refuses what the subset does not have: `$ref`, `additionalProperties`, lists of types, and so on.
pub(super) fn check(schema: &Value, at: &str) -> Checked<()> {
    check_at(schema, at, 0)
}

fn check_at(schema: &Value, at: &str, depth: usize) -> Checked<()> {
    if depth > SCHEMA_DEPTH_MAX {
        return Ok(());
    }
    if !schema.is_object() {
        return Err(invalid_value(at, "type.googleapis.com/Schema", schema));
    }
    if let Some(name) = unknown(schema, &KNOWN).first() {
        return Err(unknown_name(name, at));
    }
    if let Some(kind) = get(schema, "type") {
        let known = kind.as_str().is_some_and(|kind| TYPES.contains(&kind.to_ascii_uppercase().as_str()));
        if !known {
            return Err(invalid_value(&format!("{at}.type"), "type.googleapis.com/Type", kind));
        }
    }
    for (name, property) in get(schema, "properties").and_then(Value::as_object).into_iter().flatten() {
        check_at(property, &format!("{at}.properties[{name}]"), depth + 1)?;
    }
    if let Some(items) = get(schema, "items") {
        check_at(items, &format!("{at}.items"), depth + 1)?;
    }
    for (index, one) in list(schema, "anyOf").iter().enumerate() {
        check_at(one, &format!("{at}.any_of[{index}]"), depth + 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_subset_passes() {
        let fine = json!({"type": "object", "properties": {"a": {"type": "STRING", "nullable": true}}});
        assert!(check(&fine, "p").is_ok());
        for wrong in [
            json!({"type": "object", "additionalProperties": false}),
            json!({"type": ["string", "null"]}),
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}),
        ] {
            assert!(check(&wrong, "p").is_err(), "{wrong}");
        }
    }
}
