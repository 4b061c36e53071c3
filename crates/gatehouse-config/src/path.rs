//! The way from the top of the file to a value.

use std::fmt;

/// The way to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(pub(crate) Vec<Step>);

/// One step of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Into a section.
    Key(String),
    /// Into a list, counted from 0.
    Index(usize),
}

// === impl Path ===

impl Path {
    /// From the top into a section.
    pub(crate) fn of(key: &str) -> Self {
        Self::default().key(key)
    }

    /// One section further.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// Into a list.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Whether it is of this form; `*` stands for any step. `""` is the top.
    pub(crate) fn matches(&self, pattern: &str) -> bool {
        let parts: Vec<&str> = pattern.split('.').filter(|part| !part.is_empty()).collect();
        let same = |step: &Step, part: &str| part == "*" || matches!(step, Step::Key(key) if key == part);
        parts.len() == self.0.len() && self.0.iter().zip(parts).all(|(step, part)| same(step, part))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            let point = if place == 0 { "" } else { "." };
            match step {
                Step::Key(key) if is_plain(key) => write!(f, "{point}{key}")?,
                Step::Key(key) => write!(f, "{point}{key:?}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '*'))
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_path_reads_as_one_would_write_it_and_matches_its_form() {
        let path = Path::of("models").key("gpt-5.2").key("targets").index(1);
        assert_eq!(path.to_string(), "models.\"gpt-5.2\".targets[1]");
        assert!(path.matches("models.*.targets.*"));
        assert!(!path.matches("models.*.targets"));
        assert!(Path::default().matches(""));
    }
}
