//! References in values: `${VAR}`, `${VAR:-default}`, `${env:VAR}`, `${file:/path}`, and `$${` for a plain
//! `${`.
//!
//! A value is filled in after the document was read, so whatever a variable holds stays inside its value:
//! it cannot become structure.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The largest file that a value may be read from, in bytes.
pub const VALUE_FILE_BYTES_MAX: usize = 64 << 10;
/// The longest value after its references were filled in, in bytes.
pub const VALUE_BYTES_MAX: usize = 256 << 10;

/// Where values come from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// The variables of the environment.
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    /// Where relative paths start: the folder of the configuration file.
    pub(crate) folder: &'a Path,
}

/// A value whose references were filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    /// The value.
    pub(crate) text: String,
    /// Whether there was a reference in it.
    pub(crate) has_references: bool,
    /// Whether some of the value stood in the file itself, a default that was used included.
    pub(crate) has_literals: bool,
}

/// Fills in the references of a value.
///
/// # Errors
/// Says which reference cannot be filled in, and why.
pub(crate) fn fill(written: &str, sources: Sources<'_>) -> Result<Filled, String> {
    let mut filled = Filled::default();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            filled.literal(before);
            filled.literal("${");
            rest = after;
            continue;
        }
        filled.literal(before);
        let (reference, behind) = after
            .split_once('}')
            .ok_or_else(|| format!("the reference \"${{{after}\" does not end; write \"}}\""))?;
        filled.reference(reference, sources)?;
        if filled.text.len() > VALUE_BYTES_MAX {
            return Err(format!("the value is longer than {VALUE_BYTES_MAX} bytes"));
        }
        rest = behind;
    }
    filled.literal(rest);
    Ok(filled)
}

// === impl Filled ===

impl Filled {
    fn literal(&mut self, text: &str) {
        self.has_literals |= !text.is_empty();
        self.text.push_str(text);
    }

    fn reference(&mut self, reference: &str, sources: Sources<'_>) -> Result<(), String> {
        self.has_references = true;
        if let Some(path) = reference.strip_prefix("file:") {
            self.text.push_str(&from_file(&sources.folder.join(path))?);
            return Ok(());
        }
        let variable = reference.strip_prefix("env:").unwrap_or(reference);
        let (name, default) = match variable.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable, None),
        };
        if !is_name(name) {
            return Err(format!(
                "\"${{{reference}}}\" is no reference; write ${{NAME}}, ${{NAME:-default}} or ${{file:/path}}, and $${{ for \
                 the two characters themselves"
            ));
        }
        match ((sources.env)(name), default) {
            // As in a shell: a default also counts for a variable that is set to nothing.
            (Some(value), Some(default)) if value.is_empty() => self.literal(default),
            (Some(value), _) => self.text.push_str(&value),
            (None, Some(default)) => self.literal(default),
            (None, None) => {
                return Err(format!(
                    "the variable {name} is not set; set it, or write a default: ${{{name}:-…}}"
                ));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let first = name.starts_with(|character: char| character.is_ascii_alphabetic() || character == '_');
    first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A file without the line end that editors and secret stores put behind the value.
fn from_file(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let limit = u64::try_from(VALUE_FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_string(&mut text))
        .map_err(|error| format!("the file {shown} cannot be read: {error}"))?;
    if text.len() > VALUE_FILE_BYTES_MAX {
        return Err(format!("the file {shown} is larger than {VALUE_FILE_BYTES_MAX} bytes"));
    }
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{Filled, Sources, fill};
    use proptest::prelude::*;
    use std::path::Path;

    fn env(name: &str) -> Option<String> {
        match name {
            "KEY" => Some("s3cret".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn filled(written: &str) -> Result<Filled, String> {
        fill(written, Sources { env: &env, folder: Path::new("/nowhere") })
    }

    #[track_caller]
    fn check(written: &str, text: &str, has_references: bool, has_literals: bool) {
        assert_eq!(filled(written), Ok(Filled { text: text.to_owned(), has_references, has_literals }));
    }

    #[test]
    fn references_are_filled_in() {
        check("${KEY}", "s3cret", true, false);
        check("${env:KEY}", "s3cret", true, false);
        check("a ${KEY} b", "a s3cret b", true, true);
        check("${NONE:-fall}", "fall", true, true);
        check("${EMPTY:-fall}", "fall", true, true);
        check("${EMPTY}", "", true, false);
        check("${NONE:-}", "", true, false);
        check("$${KEY}", "${KEY}", false, true);
        check("$5 and $$", "$5 and $$", false, true);
    }

    #[test]
    fn what_cannot_be_filled_in_is_said() {
        assert!(filled("${NONE}").unwrap_err().contains("NONE is not set"));
        assert!(filled("${KEY").unwrap_err().contains("does not end"));
        assert!(filled("${a b}").unwrap_err().contains("is no reference"));
        assert!(filled("${file:missing}").unwrap_err().contains("/nowhere/missing cannot be read"));
    }

    #[test]
    fn a_file_loses_its_line_end_only() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "a: [b]\n c\r\n\n").unwrap();
        let found = fill("${file:key}", Sources { env: &env, folder: dir.path() }).unwrap();
        assert_eq!(found.text, "a: [b]\n c");
        std::fs::write(dir.path().join("big"), "x".repeat(super::VALUE_FILE_BYTES_MAX + 1)).unwrap();
        assert!(
            fill("${file:big}", Sources { env: &env, folder: dir.path() }).unwrap_err().contains("larger")
        );
    }

    proptest! {
        #[test]
        fn a_text_without_references_stays_as_it_is(text in "[^$]*") {
            prop_assert_eq!(filled(&text).unwrap().text, text);
        }

        #[test]
        fn what_a_variable_holds_is_not_looked_into(value in ".*") {
            let env = |_: &str| Some(value.clone());
            let found = fill("${X}", Sources { env: &env, folder: Path::new("") }).unwrap();
            prop_assert_eq!(found.text, value);
        }
    }
}
