//! The reference for people, made from the schema, which is made from the doc comments: `docs/configuration.md`.

use crate::check::Known;
use crate::load::FILE_BYTES_MAX;
use crate::schema;
use crate::tree::{DEPTH_MAX, VALUES_MAX};
use crate::unbuilt::UNBUILT;
use crate::unit::Bytes;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

const INTRODUCTION: &str = include_str!("reference.md");
const EXAMPLE: &str = include_str!("example.yaml");
/// What the schema calls the whole file.
const ROOT: &str = "Config";

/// A section that is still to be described: how it is written, and its type's name in the schema.
struct Section<'a> {
    path: String,
    schema: &'a Value,
}

/// The page on the configuration, in Markdown.
#[must_use]
pub fn reference(known: &Known<'_>) -> String {
    let root = schema::value();
    let mut page = INTRODUCTION
        .replace("{example}", EXAMPLE)
        .replace("{environment}", &environment(known))
        .replace("{file_max}", &Bytes(u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX)).to_string())
        .replace("{values_max}", &VALUES_MAX.to_string())
        .replace("{depth_max}", &DEPTH_MAX.to_string());
    let mut told = BTreeSet::from([ROOT.to_owned()]);
    let mut waiting = vec![Section { path: String::new(), schema: &root }];
    while let Some(section) = waiting.pop() {
        let mut below = Vec::new();
        describe(&mut page, &section, &root, &mut told, &mut below);
        waiting.extend(below.into_iter().rev());
    }
    page.push_str(&unbuilt());
    page
}

fn environment(known: &Known<'_>) -> String {
    let mut table = "| provider | variables |\n|---|---|\n".to_owned();
    for kind in known.kinds {
        let variables = [kind.key_variable, kind.base_url_variable];
        let variables: Vec<String> =
            variables.into_iter().flatten().map(|name| format!("`{name}`")).collect();
        if !variables.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(table, "| `{}` | {} |", kind.name, variables.join(", "));
        }
    }
    table.trim_end().to_owned()
}

/// A heading, a sentence, and a table with a row for each setting.
fn describe<'a>(
    page: &mut String,
    section: &Section<'a>,
    root: &'a Value,
    told: &mut BTreeSet<String>,
    below: &mut Vec<Section<'a>>,
) {
    let Some(settings) = section.schema.get("properties").and_then(Value::as_object) else { return };
    let heading = if section.path.is_empty() { "The file".to_owned() } else { format!("`{}`", section.path) };
    let _ = writeln!(page, "\n### {heading}\n\n{}\n", text(section.schema));
    page.push_str("| setting | value | default | meaning |\n|---|---|---|---|\n");
    let required = section.schema.get("required").and_then(Value::as_array);
    for (name, setting) in settings {
        let is_required = required.is_some_and(|all| all.iter().any(|one| one == name));
        let default = match setting.get("default") {
            _ if is_required => "required".to_owned(),
            Some(default) => shown(default),
            None => String::new(),
        };
        let (kind, inner) = kind(setting, root);
        let meaning = format!("{}{}", text(setting), words(setting, root));
        let _ = writeln!(page, "| `{name}` | {kind} | {default} | {} |", meaning.replace('|', "\\|"));
        let Some((inner, target)) = inner else { continue };
        if told.insert(target.to_owned()) {
            let path =
                if section.path.is_empty() { name.clone() } else { format!("{}.{name}", section.path) };
            let path = format!("{path}{}", inner.suffix);
            below.push(Section { path, schema: inner.schema });
        }
    }
}

/// A section inside a setting, and how to get there from it.
struct Inner<'a> {
    suffix: &'static str,
    schema: &'a Value,
}

/// What a setting's value is, in words, and the section it is or holds.
fn kind<'a>(setting: &'a Value, root: &'a Value) -> (String, Option<(Inner<'a>, &'a str)>) {
    let (setting, name) = resolved(setting, root);
    if let Some(name) = name {
        let words = match name {
            "Duration" => "duration",
            "Bytes" => "size",
            "Decimal" => "number",
            "Secret" => "reference to a secret",
            _ if setting.get("properties").is_some() => {
                return ("section".to_owned(), Some((Inner { suffix: "", schema: setting }, name)));
            }
            _ => "word",
        };
        if setting.get("additionalProperties").is_none() {
            return (words.to_owned(), None);
        }
    }
    if let Some(items) = setting.get("items") {
        let (inner, below) = kind(items, root);
        let below = below.map(|(inner, name)| (Inner { suffix: "[]", ..inner }, name));
        return (format!("list of {}", plural(&inner)), below);
    }
    if let Some(values) = setting.get("additionalProperties").filter(|values| values.is_object()) {
        let (inner, below) = kind(values, root);
        let below = below.map(|(inner, name)| (Inner { suffix: ".NAME", ..inner }, name));
        return (format!("{} by name", plural(&inner)), below);
    }
    let words = match type_of(setting) {
        Some("string") => "text",
        Some("integer") => "whole number",
        Some("boolean") => "`true` or `false`",
        _ => "value",
    };
    (words.to_owned(), None)
}

fn plural(word: &str) -> String {
    match word.strip_suffix(" to a secret") {
        Some(start) => format!("{start}s to secrets"),
        None => format!("{word}s"),
    }
}

/// The type of a setting; of an optional one the type that is not null.
fn type_of(setting: &Value) -> Option<&str> {
    match setting.get("type")? {
        Value::Array(all) => all.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        one => one.as_str(),
    }
}

/// Follows `$ref`, through `anyOf` with null as well. Gives the name of what was referred to.
fn resolved<'a>(setting: &'a Value, root: &'a Value) -> (&'a Value, Option<&'a str>) {
    let choices = setting.get("anyOf").and_then(Value::as_array);
    let chosen = choices.and_then(|all| all.iter().find(|one| one.get("$ref").is_some()));
    let reference = chosen.unwrap_or(setting).get("$ref").and_then(Value::as_str);
    let name = reference.and_then(|reference| reference.strip_prefix("#/$defs/"));
    let target = name.and_then(|name| root.get("$defs").and_then(Value::as_object)?.get(name));
    (target.unwrap_or(setting), name)
}

/// The words of an enumeration, each with its meaning.
fn words(setting: &Value, root: &Value) -> String {
    let (mut target, _) = resolved(setting, root);
    if let Some(items) = target.get("items") {
        target = resolved(items, root).0;
    }
    let Some(all) = target.get("oneOf").and_then(Value::as_array) else { return String::new() };
    let word = |one: &Value| Some(format!("<br>`{}`: {}", one.get("const")?.as_str()?, text(one)));
    all.iter().filter_map(word).collect()
}

fn text(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shown(default: &Value) -> String {
    match default {
        Value::Null => String::new(),
        Value::Object(_) => String::new(),
        Value::Array(items) if items.is_empty() => String::new(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("`[{}]`", items.join(", "))
        }
        Value::String(text) if text.is_empty() => String::new(),
        other => format!("`{}`", plain(other)),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn unbuilt() -> String {
    let mut text = "\n## Not there yet\n\nThe format will have these. This version refuses them.\n\n| where | what |\n|---|---|\n".to_owned();
    for (place, words) in UNBUILT {
        let place = if place.is_empty() {
            "the file".to_owned()
        } else {
            format!("`{}`", place.replace("guards.*", "guards[]").replace('*', "NAME"))
        };
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let _ = writeln!(text, "| {place} | {} |", words.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::reference;
    use crate::check::tests::KNOWN;
    use crate::schema;

    #[test]
    fn every_section_and_every_setting_is_told_with_its_meaning() {
        let page = reference(&KNOWN);
        let root = schema::value();
        let sections = root["$defs"].as_object().unwrap().values().chain([&root]);
        for settings in sections.filter_map(|section| section["properties"].as_object()) {
            for (name, setting) in settings {
                assert!(page.contains(&format!("| `{name}` |")), "{name}");
                assert!(setting["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
            }
        }
        assert!(!page.contains("{example}") && !page.contains("` | value |"), "{page}");
        assert!(page.contains("| `openai` | `OPENAI_API_KEY`, `OPENAI_BASE_URL` |"));
    }

    #[test]
    fn defaults_are_told() {
        let page = reference(&KNOWN);
        for row in [
            "| `listen` | text | `127.0.0.1:8080` |",
            "| `body` | size | `32MiB` |",
            "| `name` | text | required |",
        ] {
            assert!(page.contains(row), "{row}\n{page}");
        }
    }
}
