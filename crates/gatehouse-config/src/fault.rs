//! What is wrong with a configuration, and where: a place, a path, a reason, what to write instead.

use serde::Serialize;
use std::fmt;

/// The most faults that are listed; whoever made more mends these first.
pub const FAULTS_MAX: usize = 50;

/// Something wrong in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file, as it was named.
    pub file: String,
    /// The line, counted from 1; 0 when the fault has no place in the file.
    pub line: usize,
    /// The column in characters, counted from 1; 0 when the fault has no place in the file.
    pub column: usize,
    /// The way to the value, such as `models.smart.targets[1]`; empty for the whole file.
    pub path: String,
    /// What is wrong. Never shows a value that came from a variable or another file.
    pub message: String,
    /// The word that was probably meant.
    pub suggestion: Option<String>,
    /// Whether it can be lived with.
    pub severity: Severity,
}

/// Whether a fault can be lived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The configuration is not used.
    Error,
    /// It is used, and this part of it does probably not do what was meant.
    Warning,
}

/// All that is wrong with a configuration that cannot be used, warnings among them, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Counted from 1.
    pub(crate) line: usize,
    /// Counted from 1.
    pub(crate) column: usize,
}

// === impl Fault ===

impl Fault {
    /// A fault without a place in the file: of the environment, or of the file itself.
    #[must_use]
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self::at(file, Place::default(), String::new(), message.into())
    }

    pub(crate) fn at(file: &str, place: Place, path: String, message: String) -> Self {
        let Place { line, column } = place;
        let file = file.to_owned();
        Self { file, line, column, path, message, suggestion: None, severity: Severity::Error }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if self.severity == Severity::Warning {
            f.write_str(": warning")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.suggestion {
            Some(meant) => write!(f, "; did you mean {meant:?}?"),
            None => Ok(()),
        }
    }
}

// === impl Faults ===

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::{Fault, Faults, Place};

    #[test]
    fn a_fault_reads_as_a_compilers_message() {
        let place = Place { line: 12, column: 5 };
        let mut fault =
            Fault::at("g.yaml", place, "models.smart.targets[1]".to_owned(), "no provider".to_owned());
        fault.suggestion = Some("claude".to_owned());
        let whole = Fault::of_file("g.yaml", "cannot be read");
        assert_eq!(
            Faults(vec![fault, whole]).to_string(),
            "g.yaml:12:5: models.smart.targets[1]: no provider; did you mean \"claude\"?\ng.yaml: cannot be read"
        );
    }
}
