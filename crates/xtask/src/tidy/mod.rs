//! What is checked, one file a check.

mod cycles;
mod docs;
mod edges;
mod length;
mod limits;
mod modules;
mod providers;
mod stages;
mod words;

use crate::tree::Tree;
use anyhow::Result;
use std::fmt;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, from the root of the repository.
    pub path: String,
    /// The line, counted from 1; 0 when it is about the whole file.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its name in the output.
    pub name: &'static str,
    run: fn(&Tree) -> Result<Vec<Finding>>,
}

/// All checks.
pub const CHECKS: &[Check] = &[
    Check { name: "length", run: |tree| Ok(length::check(tree)) },
    Check { name: "modules", run: |tree| Ok(modules::check(tree)) },
    Check { name: "words", run: |tree| Ok(words::check(tree)) },
    Check { name: "edges", run: edges::check },
    Check { name: "cycles", run: |tree| Ok(cycles::check(tree)) },
    Check { name: "providers", run: providers::check },
    Check { name: "stages", run: stages::check },
    Check { name: "limits", run: limits::check },
    Check { name: "docs", run: docs::check },
];

/// Runs a check; its findings come in the order of files and lines.
///
/// # Errors
/// When the check could not be made: a file that it needs is not there.
pub fn run(check: &Check, tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = (check.run)(tree)?;
    findings.sort();
    Ok(findings)
}

// === impl Finding ===

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}
