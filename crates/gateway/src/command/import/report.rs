//! What became of each setting that did not go over as it was: where it stands, what is the matter, what to do
//! instead. No value that could be a secret is ever in it.

use crate::output;
use serde_json::{Value, json};

/// The place of a value in the file that is imported.
#[derive(Clone, Debug, Default)]
pub(super) struct At {
    /// Such as `model_list[2].litellm_params.rpm`.
    pub(super) path: String,
    /// Counted from 1.
    pub(super) line: usize,
}

/// What is the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matter {
    /// It is not in the new configuration.
    Lost,
    /// It is, and works in another way.
    Differs,
    /// Somebody has to do something before it works.
    ToDo,
}

/// One line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) matter: Matter,
    pub(super) at: At,
    pub(super) message: String,
}

/// All lines.
#[derive(Debug, Default)]
pub(super) struct Report(pub(super) Vec<Line>);

// === impl At ===

impl At {
    /// One section further.
    pub(super) fn key(&self, name: &str, line: usize) -> Self {
        let point = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{point}{name}", self.path), line }
    }

    /// Into a list.
    pub(super) fn index(&self, index: usize, line: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), line }
    }
}

// === impl Matter ===

impl Matter {
    fn word(self) -> &'static str {
        match self {
            Self::Lost => "not mapped",
            Self::Differs => "differs",
            Self::ToDo => "to do",
        }
    }
}

// === impl Report ===

impl Report {
    pub(super) fn lost(&mut self, at: &At, message: impl Into<String>) {
        self.add(Matter::Lost, at, message.into());
    }

    pub(super) fn differs(&mut self, at: &At, message: impl Into<String>) {
        self.add(Matter::Differs, at, message.into());
    }

    pub(super) fn ask(&mut self, at: &At, message: impl Into<String>) {
        self.add(Matter::ToDo, at, message.into());
    }

    fn add(&mut self, matter: Matter, at: &At, message: String) {
        self.0.push(Line { matter, at: at.clone(), message });
    }

    /// The lines in the order of the file, each told once.
    pub(super) fn sorted(&mut self) {
        self.0.sort_by(|one, other| (one.at.line, &one.at.path).cmp(&(other.at.line, &other.at.path)));
        self.0
            .dedup_by(|later, earlier| later.at.path == earlier.at.path && later.message == earlier.message);
    }

    /// For people, on standard error.
    pub(super) fn print(&self, file: &str) {
        for Line { matter, at, message } in &self.0 {
            output::note(&format!("{file}:{}: {}: {}: {message}", at.line, matter.word(), at.path));
        }
        let count = |wanted| self.0.iter().filter(|line| line.matter == wanted).count();
        output::note(&format!(
            "{file}: {} not mapped, {} differ, {} to do",
            count(Matter::Lost),
            count(Matter::Differs),
            count(Matter::ToDo)
        ));
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let line = |line: &Line| {
            let matter = line.matter.word().replace(' ', "_");
            json!({ "matter": matter, "path": line.at.path, "line": line.at.line, "message": line.message })
        };
        self.0.iter().map(line).collect()
    }
}
