//! A body without what guardrails find in it, for the record: whatever they do about it on its way.
//!
//! Texts are found where they stand in JSON, so that no escape hides anything. A stream says its words piece by piece:
//! the pieces of each text are put together before anybody looks, and the record has the texts and not the pieces.
//! What does not read has no redacted form.

use gatehouse_guard::engine::Active;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Members by which dialects send a text in pieces.
const PIECES: &[&str] = &[
    "content",
    "text",
    "delta",
    "arguments",
    "partial_json",
    "thinking",
    "reasoning",
    "reasoning_content",
    "refusal",
    "transcript",
    "input",
];
/// No body is nested deeper.
const DEPTH_MAX: usize = 128;

/// The body without findings; `None` where it cannot be had.
#[must_use]
pub(crate) fn redacted(body: &str, guards: &Active) -> Option<String> {
    if let Ok(mut whole) = serde_json::from_str::<Value>(body) {
        redact(&mut whole, guards, 0)?;
        return Some(whole.to_string());
    }
    let mut texts = Texts::default();
    let mut plain = Vec::new();
    for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(':').map_or((line, ""), |(name, rest)| (name, rest.trim()));
        match name {
            "data" if rest == "[DONE]" => {}
            "data" => texts.add(&serde_json::from_str(rest).ok()?, "", 0)?,
            "event" | "id" | "retry" | "" => {}
            _ if line.starts_with(['{', '[', '"', ']', '}']) => {
                texts.add(&serde_json::from_str(line).ok()?, "", 0)?;
            }
            _ => plain.push(guards.veiled(line)?),
        }
    }
    let mut out = Map::new();
    for (path, text) in texts.0 {
        out.insert(path, Value::String(guards.veiled(&text)?));
    }
    if !plain.is_empty() {
        out.insert("".to_owned(), Value::String(plain.join("\n")));
    }
    Some(Value::Object(out).to_string())
}

fn redact(value: &mut Value, guards: &Active, depth: usize) -> Option<()> {
    if depth > DEPTH_MAX {
        return None;
    }
    match value {
        Value::String(text) => *text = guards.veiled(text)?,
        Value::Array(items) => items.iter_mut().try_for_each(|item| redact(item, guards, depth + 1))?,
        Value::Object(members) => {
            for (name, mut member) in std::mem::take(members) {
                redact(&mut member, guards, depth + 1)?;
                members.insert(guards.veiled(&name)?, member);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Some(())
}

/// The texts of a stream, by where they stand in its events.
#[derive(Default)]
struct Texts(BTreeMap<String, String>);

// === impl Texts ===

impl Texts {
    fn add(&mut self, event: &Value, path: &str, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let under = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match event {
            Value::String(text) => self.piece(path, text),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.add(item, &under(&index.to_string()), depth + 1)?;
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    self.add(member, &under(name), depth + 1)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Some(())
    }

    fn piece(&mut self, path: &str, text: &str) {
        let joined = path.rsplit('.').next().is_some_and(|name| PIECES.contains(&name));
        match self.0.get_mut(path) {
            Some(before) if joined => before.push_str(text),
            Some(before) => text.clone_into(before),
            None => drop(self.0.insert(path.to_owned(), text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::redacted;
    use gatehouse_core::call::Scope;
    use gatehouse_core::content::Place;
    use gatehouse_core::verdict::Action;
    use gatehouse_guard::engine::{Guard, Guards, Only};
    use gatehouse_guard::words::Words;

    fn without(body: &str) -> Option<String> {
        let guards = Guards::new(vec![Guard {
            name: "names".into(),
            detector: Box::new(Words::new(&["Nightingale".to_owned()]).unwrap()),
            at: vec![Place::Output],
            action: Action::Observe,
            only: Only::default(),
            fail_open: true,
        }]);
        redacted(body, &guards.for_scope(&Scope::default()))
    }

    #[test]
    fn findings_are_taken_out_of_whole_bodies_and_of_streams() {
        let whole =
            without(r#"{"messages":[{"content":"about \u004eightingale"}],"Nightingale":1}"#).unwrap();
        assert!(!whole.contains("ightingale") && whole.contains("about "), "{whole}");
        let stream = "event: x\ndata: {\"choices\":[{\"delta\":{\"content\":\"about Night\"}}],\"id\":\"c1\"}\n\n\
                      data: {\"choices\":[{\"delta\":{\"content\":\"ingale.\"}}],\"id\":\"c1\"}\n\ndata: [DONE]\n\n";
        let stream = without(stream).unwrap();
        assert!(
            !stream.contains("ingale") && stream.contains("about ") && stream.contains(r#""id":"c1""#),
            "{stream}"
        );
        let lines = without("/v1/realtime\n{\"type\":\"a\",\"text\":\"Nightingale\"}\n").unwrap();
        assert!(!lines.contains("Nightingale") && lines.contains("/v1/realtime"), "{lines}");
    }

    #[test]
    fn what_does_not_read_is_not_kept() {
        assert_eq!(without(r#"{"messages":[{"content":"about Night"#), None);
        assert_eq!(without("data: {\"choices\": \n"), None);
        assert_eq!(without("{\n\"a\": \"Nightin"), None);
    }
}
