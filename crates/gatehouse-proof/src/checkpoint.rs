//! Checkpoints: what a log says of itself, to be signed. C2SP tlog-checkpoint 1.0. <https://c2sp.org/tlog-checkpoint>

use crate::hash::Hash;
use crate::note::{Note, NoteError};
use std::fmt;

/// The size and root of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log it is.
    pub origin: String,
    /// How many leaves there are.
    pub size: u64,
    /// The hash of the tree over them.
    pub root: Hash,
}

// === impl Checkpoint ===

impl Checkpoint {
    /// Reads the text of a note. Lines behind the third are extensions, which say nothing here.
    ///
    /// # Errors
    /// [`NoteError::Note`] when the text is none.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let wrong = |why| NoteError::Note(why);
        let mut lines =
            text.strip_suffix('\n').ok_or(wrong("its text does not end in a newline"))?.split('\n');
        let (origin, size, root) = (lines.next(), lines.next(), lines.next());
        let origin = origin.filter(|origin| !origin.is_empty()).ok_or(wrong("it names no log"))?;
        let known = size.and_then(|size| size.parse().ok().filter(|known: &u64| known.to_string() == size));
        let size = known.ok_or(wrong("its second line is no size"))?;
        let root = root.and_then(Hash::from_base64).ok_or(wrong("its third line is no hash"))?;
        if lines.any(str::is_empty) {
            return Err(wrong("it has an empty line"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// Reads a note and its text.
    ///
    /// # Errors
    /// [`NoteError::Note`] when it is no note, or no checkpoint.
    pub fn read(bytes: &[u8]) -> Result<(Note, Self), NoteError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Self::parse(&note.text)?;
        Ok((note, checkpoint))
    }
}

impl fmt::Display for Checkpoint {
    /// The text that is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())
    }
}

#[cfg(test)]
mod tests {
    use super::Checkpoint;
    use crate::hash::Hash;
    use proptest::prelude::*;

    #[test]
    fn a_checkpoint_reads_back_and_nothing_else_does() {
        let written =
            Checkpoint { origin: "log.example/a".to_owned(), size: 70_000, root: Hash::of_nothing() };
        let text = written.to_string();
        assert_eq!(text, "log.example/a\n70000\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
        assert_eq!(Checkpoint::parse(&text).unwrap(), written);
        assert_eq!(Checkpoint::parse(&format!("{text}an extension\n")).unwrap(), written);
        let no = [
            text.replace("70000", "070000"),
            text.replace("70000", "-1"),
            text.replace("FU=", "FU"),
            format!("{text}\n"),
            text.replace("log.example/a", ""),
            text.trim_end().to_owned(),
            String::new(),
        ];
        no.iter().for_each(|text| assert!(Checkpoint::parse(text).is_err(), "{text:?}"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = Checkpoint::parse(&text);
        }
    }
}
