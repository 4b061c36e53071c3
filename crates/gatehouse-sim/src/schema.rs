//! From a JSON Schema to one instance of it: the arguments of simulated tool calls and the simulated
//! structured answers. Always the same instance for the same schema and hints.

use serde_json::{Map, Number, Value, json};

use crate::json::{get, list, text};
use crate::options::SCHEMA_DEPTH_MAX;

/// Builds an instance: first `const`, `default`, `enum`; then by type (strings are the name of their
/// property, integers 1, numbers 1.5, booleans true, arrays one item, objects all properties). A hint
/// `name=value` in `prompt` sets the property of that name.
pub(crate) fn instance(schema: &Value, prompt: &str) -> Value {
    let builder = Builder { root: schema, prompt };
    builder.build(schema, "value", 0).unwrap_or(Value::Null)
}

/// The value that the prompt gives for `name`: `name=value`, up to white space, or in double quotes.
pub(crate) fn hint<'a>(prompt: &'a str, name: &str) -> Option<&'a str> {
    let mark = format!("{name}=");
    let (at, _) = prompt.match_indices(&mark).find(|(at, _)| {
        let before = prompt.get(..*at).and_then(|before| before.chars().next_back());
        before.is_none_or(|letter| !letter.is_alphanumeric() && letter != '_')
    })?;
    let rest = prompt.get(at + mark.len()..)?;
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split_whitespace().next()?.trim_end_matches(['.', ',', ';', '!', '?', ')']),
    };
    (!value.is_empty()).then_some(value)
}

/// Why a schema is not acceptable where OpenAI's `strict` is on: every object must forbid other
/// properties and require all of its own. `None` when it is fine.
pub(crate) fn strict_violation(schema: &Value) -> Option<String> {
    violation(schema, &mut Vec::new(), 0)
}

struct Builder<'a> {
    root: &'a Value,
    prompt: &'a str,
}

// === impl Builder ===

impl Builder<'_> {
    /// An instance, or nothing when the schema only leads back to itself.
    fn build(&self, schema: &Value, name: &str, depth: usize) -> Option<Value> {
        if depth > SCHEMA_DEPTH_MAX {
            return None;
        }
        if let Some(path) = text(schema, "$ref") {
            let target = path.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer))?;
            return self.build(target, name, depth + 1);
        }
        if let Some(fixed) = schema.get("const").or_else(|| schema.get("default")) {
            return Some(fixed.clone());
        }
        if let Some(first) = list(schema, "enum").first() {
            let hinted = hint(self.prompt, name);
            let wanted =
                list(schema, "enum").iter().find(|one| one.as_str().is_some() && one.as_str() == hinted);
            return Some(wanted.unwrap_or(first).clone());
        }
        for union in ["anyOf", "oneOf"] {
            if !list(schema, union).is_empty() {
                let built = list(schema, union).iter().find_map(|one| self.build(one, name, depth + 1));
                return Some(built.unwrap_or(Value::Null));
            }
        }
        if !list(schema, "allOf").is_empty() {
            return self.build(&merged(schema, self.root), name, depth + 1);
        }
        self.by_type(schema, name, depth)
    }

    fn by_type(&self, schema: &Value, name: &str, depth: usize) -> Option<Value> {
        match type_of(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => {
                let one = get(schema, "items")
                    .map_or(Some(json!(name)), |items| self.build(items, name, depth + 1));
                let least = get(schema, "minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 16);
                let most = get(schema, "maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
                let times = usize::try_from(least.min(most)).unwrap_or(1);
                Some(Value::Array(one.map_or_else(Vec::new, |item| vec![item; times])))
            }
            "integer" => Some(self.integer(schema, name)),
            "number" => Some(self.number(schema, name)),
            "boolean" => Some(json!(hint(self.prompt, name) != Some("false"))),
            "null" => Some(Value::Null),
            _ => Some(Value::String(self.string(schema, name))),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Option<Value> {
        let mut object = Map::new();
        let required = list(schema, "required");
        for (name, property) in get(schema, "properties").and_then(Value::as_object).into_iter().flatten() {
            match self.build(property, name, depth + 1) {
                Some(value) => drop(object.insert(name.clone(), value)),
                // It only leads back to itself: fine when it may be left out.
                None if required.iter().any(|one| one == name) => return None,
                None => {}
            }
        }
        Some(Value::Object(object))
    }

    fn integer(&self, schema: &Value, name: &str) -> Value {
        if let Some(given) = hint(self.prompt, name).and_then(|value| value.parse::<i64>().ok()) {
            return json!(given);
        }
        let bound = |key: &str| get(schema, key).and_then(Value::as_i64);
        let least = bound("minimum").max(bound("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
        let most = match (bound("maximum"), bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1))) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        json!(1_i64.max(least.unwrap_or(i64::MIN)).min(most.unwrap_or(i64::MAX)))
    }

    fn number(&self, schema: &Value, name: &str) -> Value {
        let given = hint(self.prompt, name);
        // As models write them: a whole number without a point, which some tools insist on.
        if let Some(given) = given.and_then(|value| value.parse::<i64>().ok()) {
            return json!(given);
        }
        if let Some(given) = given.and_then(|value| value.parse().ok()) {
            return Number::from_f64(given).map_or(json!(1.5), Value::Number);
        }
        let bound = |key: &str| get(schema, key).and_then(Value::as_f64);
        json!(1.5_f64.max(bound("minimum").unwrap_or(f64::MIN)).min(bound("maximum").unwrap_or(f64::MAX)))
    }

    fn string(&self, schema: &Value, name: &str) -> String {
        if let Some(given) = hint(self.prompt, name) {
            return given.to_owned();
        }
        let plain = match text(schema, "format").unwrap_or_default() {
            "date-time" => "2026-01-01T00:00:00Z",
            "date" => "2026-01-01",
            "time" => "00:00:00Z",
            "email" => "user@example.com",
            "uri" | "url" => "https://example.com/",
            "uuid" => "00000000-0000-4000-8000-000000000000",
            "ipv4" => "192.0.2.1",
            _ => name,
        };
        let length =
            |key: &str| get(schema, key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let least = length("minLength").unwrap_or(0).min(1_024);
        let padded = plain.chars().chain(std::iter::repeat('x')).take(least.max(plain.chars().count()));
        padded.take(length("maxLength").unwrap_or(usize::MAX)).collect()
    }
}

/// The type in lower case (Gemini writes it in capitals), guessed where it is not said.
fn type_of(schema: &Value) -> String {
    let named = match schema.get("type") {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    };
    let guessed = if schema.get("properties").is_some() {
        "object"
    } else if schema.get("items").is_some() {
        "array"
    } else {
        "string"
    };
    named.unwrap_or(guessed).to_ascii_lowercase()
}

/// A schema with the members of its `allOf` in one.
fn merged(schema: &Value, root: &Value) -> Value {
    let mut all = Map::new();
    let without = schema.as_object().into_iter().flatten().filter(|(key, _)| *key != "allOf");
    all.extend(without.map(|(key, value)| (key.clone(), value.clone())));
    for part in list(schema, "allOf") {
        let target =
            text(part, "$ref").and_then(|path| root.pointer(path.strip_prefix('#')?)).unwrap_or(part);
        for (key, value) in target.as_object().into_iter().flatten() {
            match (all.get_mut(key), value) {
                (Some(Value::Object(have)), Value::Object(more)) => {
                    have.extend(more.iter().map(|(name, one)| (name.clone(), one.clone())));
                }
                (Some(Value::Array(have)), Value::Array(more)) => have.extend(more.iter().cloned()),
                _ => drop(all.insert(key.clone(), value.clone())),
            }
        }
    }
    Value::Object(all)
}

fn violation(schema: &Value, path: &mut Vec<String>, depth: usize) -> Option<String> {
    if depth > SCHEMA_DEPTH_MAX {
        return None;
    }
    let context = |path: &[String]| {
        let names: Vec<String> = path.iter().map(|name| format!("'{name}'")).collect();
        format!("In context=({})", names.join(", "))
    };
    if let Some(properties) = get(schema, "properties").and_then(Value::as_object) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            let said = "'additionalProperties' is required to be supplied and to be false.";
            return Some(format!("{}, {said}", context(path)));
        }
        let required = list(schema, "required");
        if let Some(name) = properties.keys().find(|name| !required.iter().any(|one| one == *name)) {
            let said =
                "'required' is required to be supplied and to be an array including every key in properties.";
            return Some(format!("{}, {said} Missing '{name}'.", context(path)));
        }
    }
    for key in ["properties", "$defs"] {
        for (name, inner) in get(schema, key).and_then(Value::as_object).into_iter().flatten() {
            path.extend([key.to_owned(), name.clone()]);
            if let Some(found) = violation(inner, path, depth + 1) {
                return Some(found);
            }
            path.truncate(path.len().saturating_sub(2));
        }
    }
    let unions = list(schema, "anyOf").iter();
    unions.chain(get(schema, "items")).find_map(|inner| violation(inner, path, depth + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_value() {
        let schema = json!({"type": "object", "required": ["city"], "properties": {
            "city": {"type": "string"}, "days": {"type": "integer"}, "at_most": {"type": "integer", "maximum": 0},
            "scale": {"type": "number"}, "metric": {"type": "boolean"}, "unit": {"enum": ["c", "f"]},
            "tags": {"type": "array", "items": {"type": "string"}}, "kind": {"const": "x"},
            "size": {"type": "integer", "default": 7}, "maybe": {"type": ["string", "null"]},
            "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "when": {"type": "string", "format": "date"}}});
        let expected = json!({"city": "Paris", "days": 1, "at_most": 0, "scale": 1.5, "metric": true, "unit": "c",
            "tags": ["tags"], "kind": "x", "size": 7, "maybe": "maybe", "either": 1, "when": "2026-01-01"});
        assert_eq!(instance(&schema, "the weather at city=Paris, please"), expected);
        let named = |prompt| instance(&schema, prompt)["scale"].to_string();
        assert_eq!((named("scale=1000"), named("scale=0.5")), ("1000".to_owned(), "0.5".to_owned()));
    }

    #[test]
    fn references_are_followed_and_recursion_ends() {
        let schema = json!({"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "required": ["name"],
            "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/Node"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}}});
        let built = instance(&schema, "");
        assert_eq!(built["name"], "name");
        let hopeless = json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}});
        assert_eq!(instance(&hopeless, ""), Value::Null);
    }

    #[test]
    fn gemini_types_and_all_of() {
        let schema = json!({"allOf": [{"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
            {"properties": {"b": {"type": "INTEGER"}}}]});
        assert_eq!(instance(&schema, ""), json!({"a": "a", "b": 1}));
    }

    #[test]
    fn hints_are_whole_names() {
        assert_eq!(hint("call f with capacity=3 city=\"New York\".", "city"), Some("New York"));
        assert_eq!(hint("capacity=3", "city"), None);
        assert_eq!(hint("city=Rome, now", "city"), Some("Rome"));
    }

    #[test]
    fn strict_schemas_close_every_object() {
        let open = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
        assert!(strict_violation(&open).is_some_and(|said| said.contains("additionalProperties")));
        let mut closed = open;
        closed["additionalProperties"] = json!(false);
        assert_eq!(strict_violation(&closed), None);
        closed["required"] = json!([]);
        assert!(strict_violation(&closed).is_some_and(|said| said.contains("Missing 'a'")));
    }
}
