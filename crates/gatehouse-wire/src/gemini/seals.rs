//! Thought signatures: Google's own, the value that stands for none, and other makers' seals in envelopes.
//!
//! An envelope (see [`seal`](crate::seal)) says here, in the place for what it belongs to, what a Gemini
//! part has no member for: that it closes the parts before it (a streamed thought is sealed after its
//! text is gone out), that the seal is the whole thought, and the id that the maker gave the thought.

use crate::chat::{Origin, Seal};
use crate::seal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What Google takes in the place of a signature for calls that Gemini did not make
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
pub(super) const BYPASS: &str = "skip_thought_signature_validator";

/// How every envelope of ours begins, seen as base64: tells whether one is in a body without parsing it.
pub(super) const ENVELOPE_START: &str = "Z2F0ZWhvdXNl";

/// What an envelope says beside the seal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// It seals the parts before it, not the empty one that carries it.
    pub(super) closes: bool,
    /// The seal is the thought.
    pub(super) redacted: bool,
    /// The maker's id of the thought.
    pub(super) id: Option<String>,
}

/// Reads a `thoughtSignature`. `None` when it only stands in for one.
pub(super) fn read(value: &str) -> Option<(Seal, Note)> {
    // SDKs that know the member as bytes send the stand-in encoded.
    if value.is_empty() || value == BYPASS || value == STANDARD.encode(BYPASS) {
        return None;
    }
    let found = seal::unwrap(value, Origin::Gemini);
    let note = found.belongs_to.as_deref().map(Note::parse).unwrap_or_default();
    Some((found.seal, note))
}

/// Writes a `thoughtSignature`: Google's own bare, unless there is more to say.
pub(super) fn write(seal: &Seal, note: &Note) -> String {
    let note = note.text();
    if note.is_empty() { seal::write(seal, Origin::Gemini) } else { seal::wrap(seal, &note) }
}

// === impl Note ===

impl Note {
    fn text(&self) -> String {
        let closes = if self.closes { "c" } else { "" };
        let redacted = if self.redacted { "r" } else { "" };
        let id = self.id.as_deref().unwrap_or_default();
        if closes.is_empty() && redacted.is_empty() && id.is_empty() {
            return String::new();
        }
        format!("{closes}{redacted}:{id}")
    }

    fn parse(text: &str) -> Self {
        let Some((flags, id)) = text.split_once(':') else { return Self::default() };
        if !flags.chars().all(|flag| matches!(flag, 'c' | 'r')) {
            return Self::default();
        }
        Self {
            closes: flags.contains('c'),
            redacted: flags.contains('r'),
            id: Some(id.to_owned()).filter(|id| !id.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BYPASS, ENVELOPE_START, Note, read, write};
    use crate::chat::{Origin, Seal};

    #[test]
    fn a_seal_and_its_note_come_back() {
        for origin in [Origin::Anthropic, Origin::Gemini, Origin::OpenAi] {
            for (closes, redacted) in [(false, false), (true, false), (false, true), (true, true)] {
                for id in [None, Some("rs:1".to_owned())] {
                    let seal = Seal { origin, value: "Eq0=".to_owned() };
                    let note = Note { closes, redacted, id };
                    let text = write(&seal, &note);
                    assert_eq!(text.starts_with(ENVELOPE_START), text != "Eq0=");
                    assert_eq!(read(&text), Some((seal, note)));
                }
            }
        }
    }

    #[test]
    fn the_stand_in_is_no_seal() {
        assert_eq!(read(BYPASS), None);
        assert_eq!(read("c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="), None);
    }
}
