//! Another program's YAML document: what stands in it, and where. For importers.
//!
//! Nothing is filled in and nothing is known of its words. Merging with `<<` is resolved, as programs that are not
//! strict about YAML 1.2 allow it. The limits are those of our own files.

use crate::fault::Faults;
use crate::tree::{self, Entry, Node, Value};

/// A value and the line where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Counted from 1.
    pub line: usize,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing, or `null`.
    Nothing,
    /// A text, a number or a truth value, as it is written.
    Text(String),
    /// A list.
    List(Vec<Foreign>),
    /// Names and values, in the order of the file.
    Section(Vec<(String, Foreign)>),
}

/// The name under which other sections are merged into one.
const MERGE: &str = "<<";

/// Reads a document.
///
/// # Errors
/// What keeps it from being read, each with its line.
pub fn read(text: &str, file: &str) -> Result<Foreign, Faults> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (root, faults) = tree::read(text, file, None).map_err(Faults)?;
    if faults.is_empty() { Ok(Foreign::of(&root, root.place.line)) } else { Err(Faults(faults)) }
}

// === impl Foreign ===

impl Foreign {
    fn of(node: &Node, line: usize) -> Self {
        let content = match &node.value {
            Value::Nothing => Content::Nothing,
            Value::Scalar(scalar) => Content::Text(scalar.filled.text.clone()),
            Value::List(items) => {
                Content::List(items.iter().map(|item| Self::of(item, item.place.line)).collect())
            }
            Value::Section(entries) => Content::Section(members(entries)),
        };
        Self { line, content }
    }

    /// The text that stands here.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// The members, if it is a section.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        match &self.content {
            Content::Section(members) => members,
            _ => &[],
        }
    }

    /// The member of this name, unless it is nothing.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let (_, value) = self.members().iter().find(|(own, _)| own == name)?;
        (value.content != Content::Nothing).then_some(value)
    }

    /// Whether it is a truth value that is true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        matches!(self.text(), Some("true" | "True" | "TRUE"))
    }

    /// Every text in it, however deep.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        match &self.content {
            Content::Nothing => Vec::new(),
            Content::Text(text) => vec![text],
            Content::List(items) => items.iter().flat_map(Self::texts).collect(),
            Content::Section(members) => members.iter().flat_map(|(_, value)| value.texts()).collect(),
        }
    }
}

/// The members of a section, then what it merges and does not say itself.
fn members(entries: &[Entry]) -> Vec<(String, Foreign)> {
    let own = |entry: &&Entry| entry.key != MERGE;
    let mut all: Vec<(String, Foreign)> = entries
        .iter()
        .filter(own)
        .map(|entry| (entry.key.clone(), Foreign::of(&entry.node, entry.shown_place().line)))
        .collect();
    for merged in entries.iter().filter(|entry| !own(entry)) {
        let merged = Foreign::of(&merged.node, merged.place.line);
        let sections = if merged.items().is_empty() { std::slice::from_ref(&merged) } else { merged.items() };
        for (name, value) in sections.iter().flat_map(Foreign::members) {
            if all.iter().all(|(known, _)| known != name) {
                all.push((name.clone(), value.clone()));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn values_are_as_written_and_know_their_line() {
        let read = read("a: ${X}\nb:\n  - c: 'no'\n  - ~\n", "x.yaml").unwrap();
        assert_eq!(read.get("a").unwrap().text(), Some("${X}"));
        let list = read.get("b").unwrap();
        assert_eq!((list.line, list.items().len()), (2, 2));
        assert_eq!(list.items()[0].get("c").unwrap().line, 3);
        assert_eq!(read.texts(), ["${X}", "no"]);
    }

    #[test]
    fn merged_sections_give_what_is_not_said_itself() {
        let text = "base: &base { key: one, url: two }\nmore: &more { x: y }\nm:\n  <<: [*base, *more]\n  url: own\n";
        let read = read(text, "x.yaml").unwrap();
        let merged = read.get("m").unwrap();
        let text = |name| merged.get(name).and_then(super::Foreign::text);
        assert_eq!((text("key"), text("url"), text("x")), (Some("one"), Some("own"), Some("y")));
    }

    #[test]
    fn what_cannot_be_read_has_its_line() {
        let faults = read("a: 1\na: 2\n", "x.yaml").unwrap_err().to_string();
        assert!(faults.starts_with("x.yaml:2:1: "), "{faults}");
    }
}
