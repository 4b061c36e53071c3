//! JSON Schema, cut down to what Anthropic enforces.
//!
//! Objects must be closed, and limits on numbers, lengths and counts are refused with a 400. A limit that
//! cannot be enforced is still told: it moves into the description, as Anthropic's own SDKs do.

use crate::json::{Doc, Node, Out, Raw, Strictness};
use bytes::Bytes;

/// Keywords that Anthropic refuses.
const NOT_ENFORCED: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];
/// Formats that Anthropic enforces.
const FORMATS: &[&str] =
    &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// A schema that Anthropic takes. What is no schema comes back as it was: the provider will say so.
pub(crate) fn fit(schema: &str) -> String {
    let Ok(doc) = Doc::parse(Bytes::copy_from_slice(schema.as_bytes()), Strictness::Provider) else {
        return schema.to_owned();
    };
    if is_fit(doc.root()) {
        return schema.to_owned();
    }
    let mut out = Out::new();
    write(doc.root(), &mut out);
    out.as_str().to_owned()
}

/// Whether nothing has to change, so that the text can stay byte for byte.
fn is_fit(schema: Node<'_>) -> bool {
    let closed = !is_open_object(schema);
    closed
        && schema.members().all(|(name, value)| match name.as_ref() {
            "properties" | "$defs" | "definitions" => value.members().all(|(_, inner)| is_fit(inner)),
            "anyOf" | "allOf" => value.items().all(is_fit),
            "items" => is_fit(value),
            "oneOf" => false,
            other => !is_told(other, value),
        })
}

fn is_open_object(schema: Node<'_>) -> bool {
    let names_members = schema.opt("properties").is_some();
    let is_object = schema.opt("type").and_then(|kind| kind.str()).is_some_and(|kind| kind == "object");
    // A schema for the other members is the caller's meaning: it stays, and the provider answers for it.
    let open = schema.opt("additionalProperties").is_none_or(|more| more.bool() == Some(true));
    (names_members || is_object) && open
}

/// Whether a keyword can only be told in words.
fn is_told(name: &str, value: Node<'_>) -> bool {
    match name {
        "minItems" => value.u64().is_none_or(|least| least > 1),
        "format" => value.str().is_some_and(|format| !FORMATS.contains(&format.as_ref())),
        _ => NOT_ENFORCED.contains(&name),
    }
}

fn write(schema: Node<'_>, out: &mut Out) {
    if !schema.is_object() {
        out.item(Raw(schema.raw()));
        return;
    }
    let close = is_open_object(schema);
    let told: Vec<String> = schema
        .members()
        .filter(|(name, value)| is_told(name, *value))
        .map(|(name, value)| format!("{name}: {}", value.raw()))
        .collect();
    out.object(|out| {
        for (name, value) in schema.members() {
            match name.as_ref() {
                "description" if !told.is_empty() => {}
                "additionalProperties" if close => {}
                "properties" | "$defs" | "definitions" => {
                    out.object_field(&name, |out| {
                        for (key, inner) in value.members() {
                            let mut one = Out::new();
                            write(inner, &mut one);
                            out.field(&key, Raw(one.as_str()));
                        }
                    });
                }
                "anyOf" | "allOf" | "oneOf" => {
                    let free = schema.opt("anyOf").is_none();
                    let name = if name == "oneOf" && free { "anyOf" } else { name.as_ref() };
                    out.array_field(name, |out| value.items().for_each(|inner| write(inner, out)));
                }
                "items" => {
                    let mut one = Out::new();
                    write(value, &mut one);
                    out.field(&name, Raw(one.as_str()));
                }
                other if is_told(other, value) => {}
                other => {
                    out.field(other, Raw(value.raw()));
                }
            }
        }
        if !told.is_empty() {
            let own = schema.opt("description").and_then(|text| text.str()).unwrap_or_default();
            out.field("description", format!("{own} ({})", told.join(", ")).trim_start());
        }
        if close {
            out.field("additionalProperties", false);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn objects_are_closed_and_limits_are_told() {
        let fitted = fit(
            r#"{"type":"object","properties":{"minimum":{"type":"integer","minimum":1,"description":"N"},
               "e":{"oneOf":[{"type":"string","format":"phone"},{"type":"array","items":{"type":"object"},"minItems":1}]}}}"#,
        );
        assert_eq!(
            fitted,
            r#"{"type":"object","properties":{"minimum":{"type":"integer","description":"N (minimum: 1)"},"e":{"anyOf":[{"type":"string","description":"(format: \"phone\")"},{"type":"array","items":{"type":"object","additionalProperties":false},"minItems":1}]}},"additionalProperties":false}"#
        );
        assert_eq!(fit(&fitted), fitted);
    }

    #[test]
    fn what_fits_or_is_no_schema_stays_byte_for_byte() {
        for same in [
            r#"{ "type":"object", "properties":{}, "additionalProperties": false }"#,
            r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
            "true",
            "no",
        ] {
            assert_eq!(fit(same), same);
        }
    }
}
