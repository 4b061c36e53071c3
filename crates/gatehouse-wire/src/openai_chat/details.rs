//! OpenRouter's `reasoning_details`: entries that must come back in order, unmodified.
//!
//! An entry becomes a thought: its text (`text` or `summary`) is the thought's, everything else is the seal.

use crate::chat::{Origin, Seal, Thought};
use crate::json::{Doc, Node, Out, Raw, Strictness};
use bytes::Bytes;

/// The members of an entry beside its text, in the order in which the seal holds them.
const MEMBERS: [&str; 6] = ["type", "format", "id", "index", "signature", "data"];

/// An entry, or what has come of it so far in a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Detail {
    text: String,
    /// The JSON text of each of [`MEMBERS`].
    members: [Option<String>; MEMBERS.len()],
}

// === impl Detail ===

impl Detail {
    /// An entry in one piece.
    pub(super) fn of(entry: Node<'_>) -> Self {
        let mut detail = Self::default();
        detail.merge(entry);
        detail
    }

    /// Adds a later piece of the same entry.
    pub(super) fn merge(&mut self, entry: Node<'_>) {
        if let Some(text) = text(entry).and_then(|text| text.str()) {
            self.text.push_str(&text);
        }
        for (name, slot) in MEMBERS.iter().zip(&mut self.members) {
            if let Some(value) = entry.opt(name).filter(|value| !(value.is_str() && value.is_empty())) {
                *slot = Some(value.raw().to_owned());
            }
        }
    }

    /// How many bytes it is, about.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.members.iter().flatten().map(String::len).sum::<usize>()
    }

    /// Whether a piece belongs to this entry: same type, same index.
    pub(super) fn is_continued_by(&self, piece: Node<'_>) -> bool {
        let same = |name: &str| piece.opt(name).map(|value| value.raw()) == self.member(name);
        same("type") && same("index")
    }

    /// The entry as a thought; `None` when there is nothing in it.
    pub(super) fn thought(self) -> Option<Thought> {
        let (redacted, seal) = (self.is_encrypted(), self.seal());
        (seal.is_some() || !self.text.is_empty()).then_some(Thought {
            text: self.text,
            id: None,
            seal,
            redacted,
        })
    }

    /// Whether the entry is nothing but a seal.
    pub(super) fn is_encrypted(&self) -> bool {
        self.member("type") == Some("\"reasoning.encrypted\"")
    }

    /// The seal. Plain reasoning has none; a summary's type has to be known when it goes back.
    pub(super) fn seal(&self) -> Option<Seal> {
        let is_summary = self.member("type") == Some("\"reasoning.summary\"");
        if !is_summary && self.member("signature").is_none() && self.member("data").is_none() {
            return None;
        }
        let mut out = Out::new();
        out.object(|out| {
            for (name, value) in MEMBERS.iter().zip(&self.members) {
                out.field_opt(name, value.as_deref().map(Raw));
            }
        });
        Some(Seal { origin: Origin::OpenRouter, value: out.as_str().to_owned() })
    }

    fn member(&self, name: &str) -> Option<&str> {
        MEMBERS.iter().zip(&self.members).find(|(own, _)| **own == name)?.1.as_deref()
    }
}

/// The text of an entry, by either name.
pub(super) fn text(entry: Node<'_>) -> Option<Node<'_>> {
    ["text", "summary"].iter().find_map(|name| entry.opt(name).filter(Node::is_str))
}

/// Writes a thought that OpenRouter sealed as the entry that it was; anything else is not written.
pub(super) fn write(out: &mut Out, thought: &Thought) {
    let Some(seal) = thought.seal.as_ref().filter(|seal| seal.origin == Origin::OpenRouter) else { return };
    // The seal went through a caller's hands: what is no object any more cannot be written.
    let raw = Bytes::copy_from_slice(seal.value.as_bytes());
    let Some(doc) = Doc::parse(raw, Strictness::Caller).ok().filter(|doc| doc.root().is_object()) else {
        return;
    };
    let root = doc.root();
    let is_summary = root.get("type").is_some_and(|kind| kind.raw() == "\"reasoning.summary\"");
    out.object(|out| {
        for (name, value) in root.members() {
            out.field(&name, Raw(value.raw()));
        }
        if !thought.text.is_empty() {
            out.field(if is_summary { "summary" } else { "text" }, &thought.text);
        }
    });
}
