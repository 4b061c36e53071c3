//! Names in the form that Converse demands: ids of tool calls, and names of documents.

use crate::anthropic::ids;
use std::borrow::Cow;

/// The longest id of a call, and the longest name of a tool.
pub(super) const ID_CHARS_MAX: usize = 64;
/// The longest name of a document.
const DOCUMENT_CHARS_MAX: usize = 200;
/// A document that has no name.
const UNNAMED: &str = "Document";

/// An id as Converse and the models behind it take it: `[a-zA-Z0-9_-]`, at most [`ID_CHARS_MAX`]. The same
/// id always gives the same result, and different ones stay different: a changed one ends in a hash.
pub(super) fn id(id: &str) -> Cow<'_, str> {
    let clean = ids::clean(id);
    if clean.len() <= ID_CHARS_MAX {
        return clean;
    }
    let hash = format!("_{:016x}", ids::fnv(id.as_bytes()));
    let kept = clean.get(..ID_CHARS_MAX - hash.len()).unwrap_or_default();
    Cow::Owned(format!("{kept}{hash}"))
}

/// The names of a request's documents, which have to differ.
#[derive(Debug, Default)]
pub(super) struct Documents {
    given: Vec<String>,
}

// === impl Documents ===

impl Documents {
    /// The name for a document: letters, digits, single spaces, hyphens and brackets.
    pub(super) fn name(&mut self, title: Option<&str>) -> String {
        let title = title.unwrap_or_default();
        // The ending is said by the format.
        let stem = title.rsplit_once('.').map_or(title, |(stem, _)| stem);
        let allowed = |one: char| one.is_ascii_alphanumeric() || "-()[]".contains(one);
        let spaced: String = stem.chars().map(|one| if allowed(one) { one } else { ' ' }).collect();
        let words = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
        let base = if words.is_empty() { UNNAMED } else { words.as_str() };
        let numbered = |number: usize| {
            let ending = if number == 1 { String::new() } else { format!(" {number}") };
            let room = DOCUMENT_CHARS_MAX - ending.len();
            format!("{}{ending}", base.get(..room).unwrap_or(base).trim_end())
        };
        let is_free = |name: &String| !self.given.contains(name);
        let name = (1..).map(numbered).find(is_free).unwrap_or_default();
        self.given.push(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::{Documents, ID_CHARS_MAX, id};
    use proptest::prelude::*;

    #[test]
    fn documents_are_told_apart() {
        let mut documents = Documents::default();
        let titles = [Some("Q3  report (final).v2.pdf"), None, Some("ü.pdf"), None, Some("a_b"), Some("a b")];
        let names = titles.map(|title| documents.name(title));
        assert_eq!(names, ["Q3 report (final) v2", "Document", "Document 2", "Document 3", "a b", "a b 2"]);
        let long = "x".repeat(400);
        assert_eq!((documents.name(Some(&long)).len(), documents.name(Some(&long)).len()), (200, 200));
    }

    proptest! {
        /// In the form, the same each time, and never two for one.
        #[test]
        fn ids_are_clean_and_faithful(one in ".{0,100}", other in ".{0,100}") {
            let is_fine = |id: &str| id.len() <= ID_CHARS_MAX && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            prop_assert!(is_fine(&id(&one)));
            prop_assert_eq!(one == other, id(&one) == id(&other));
        }
    }
}
