//! Google's OpenAPI subset of JSON Schema to JSON Schema proper, which is what every other dialect reads.
//!
//! Types come in capitals, `nullable` stands beside them, limits come as strings (64-bit numbers in
//! protobuf's JSON). What is JSON Schema already comes out the same.

use super::member::{get, spells, whole};
use crate::chat::RawJson;
use crate::json::{Node, Out, Raw};

/// Members whose value is a number that protobuf writes as a string.
const COUNTS: &[&str] = &["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];
/// Members whose value is a list of schemas.
const LISTS: &[&str] = &["anyOf", "oneOf", "allOf", "prefixItems"];
/// Members whose value is an object of schemas.
const MAPS: &[&str] = &["properties", "$defs", "defs", "definitions"];
/// Members whose value is a schema, or a truth value.
const SCHEMAS: &[&str] = &["items", "additionalProperties", "not"];
/// Members that only say how Google is to write the answer.
const LEFT_OUT: &[&str] = &["nullable", "propertyOrdering"];

/// The schema as JSON Schema.
pub(super) fn normalised(schema: Node<'_>) -> RawJson {
    let mut out = Out::new();
    write(&mut out, schema);
    RawJson(out.as_str().to_owned())
}

fn write(out: &mut Out, schema: Node<'_>) {
    if !schema.is_object() {
        out.item(Raw(schema.raw()));
        return;
    }
    let nullable = get(schema, "nullable").and_then(|value| value.bool()) == Some(true);
    out.object(|out| {
        for (name, value) in schema.members().filter(|(_, value)| !value.is_null()) {
            member(out, &name, value, nullable);
        }
    });
}

fn member(out: &mut Out, name: &str, value: Node<'_>, nullable: bool) {
    let camel = |list: &[&'static str]| list.iter().find(|camel| spells(name, camel)).copied();
    if name == "type" {
        kind(out, value, nullable);
    } else if name == "enum" && nullable && value.is_array() {
        out.array_field(name, |out| {
            value.items().for_each(|item| {
                out.item(Raw(item.raw()));
            });
            if !value.items().any(|item| item.is_null()) {
                out.item(Raw("null"));
            }
        });
    } else if name == "format" && value.str().as_deref() == Some("enum") {
        // Says only that `enum` is there.
    } else if camel(LEFT_OUT).is_some() {
    } else if let Some(camel) = camel(COUNTS) {
        match whole(value) {
            Some(count) => out.field(camel, count),
            None => out.field(camel, Raw(value.raw())),
        };
    } else if let Some(camel) = camel(LISTS) {
        out.array_field(camel, |out| {
            value.items().for_each(|item| write(out, item));
            if nullable && camel == "anyOf" {
                out.object(|out| {
                    out.field("type", "null");
                });
            }
        });
    } else if let Some(camel) = camel(MAPS) {
        let name = if camel == "defs" { "$defs" } else { camel };
        out.object_field(name, |out| {
            for (name, value) in value.members() {
                field(out, &name, value);
            }
        });
    } else if let Some(camel) = camel(SCHEMAS) {
        field(out, camel, value);
    } else if name == "ref" {
        out.field("$ref", Raw(value.raw()));
    } else if name == "example" {
        out.array_field("examples", |out| {
            out.item(Raw(value.raw()));
        });
    } else {
        out.field(name, Raw(value.raw()));
    }
}

fn field(out: &mut Out, name: &str, schema: Node<'_>) {
    let mut inner = Out::new();
    write(&mut inner, schema);
    out.field(name, Raw(inner.as_str()));
}

/// The member `type`: one word, or a list of them.
fn kind(out: &mut Out, value: Node<'_>, nullable: bool) {
    let words = if value.is_array() { value.items().collect() } else { vec![value] };
    let mut words: Vec<String> =
        words.iter().filter_map(|word| word.str()).map(|word| word.to_ascii_lowercase()).collect();
    words.retain(|word| word != "type_unspecified");
    if nullable && !words.is_empty() && !words.iter().any(|word| word == "null") {
        words.push("null".to_owned());
    }
    match words.as_slice() {
        [] => {}
        [word] if !value.is_array() => {
            out.field("type", word);
        }
        words => {
            out.array_field("type", |out| {
                words.iter().for_each(|word| {
                    out.item(word);
                });
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::normalised;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;

    fn check(from: &'static str, to: &str) {
        let doc = Doc::parse(Bytes::from_static(from.as_bytes()), Strictness::Caller).unwrap();
        assert_eq!(normalised(doc.root()).0, to);
    }

    #[test]
    fn capitals_nullable_and_string_numbers_become_json_schema() {
        check(
            r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"enum":["a"],"format":"enum"},
                "l":{"type":"ARRAY","minItems":"1","max_items":2,"items":{"type":"INTEGER","format":"int32"}},
                "u":{"anyOf":[{"type":"NUMBER"},{"type":"BOOLEAN"}],"nullable":true}},
                "required":["l"],"propertyOrdering":["l"],"title":null,"example":{"l":[1]}}"#,
            concat!(
                r#"{"type":"object","properties":{"type":{"type":["string","null"],"enum":["a",null]},"#,
                r#""l":{"type":"array","minItems":1,"maxItems":2,"items":{"type":"integer","format":"int32"}},"#,
                r#""u":{"anyOf":[{"type":"number"},{"type":"boolean"},{"type":"null"}]}},"#,
                r#""required":["l"],"examples":[{"l":[1]}]}"#
            ),
        );
    }

    #[test]
    fn json_schema_stays_what_it_is() {
        let text = r##"{"type":["string","null"],"$ref":"#/$defs/A","$defs":{"A":{"type":"object","additionalProperties":false}},"const":1}"##;
        check(text, text);
    }
}
