//! Secrets on their way over: always a reference. One that stood in clear gets a variable, and the report says which.

use super::draft::Text;
use super::report::{At, Report};
use std::collections::BTreeSet;

/// The variables that stand for secrets which were written in clear.
#[derive(Default)]
pub(super) struct Secrets {
    /// Names that the source uses itself: they hold something else.
    used: BTreeSet<String>,
    /// Secrets that were met, with their variables.
    met: Vec<(String, String)>,
}

// === impl Secrets ===

impl Secrets {
    /// With the names of variables that are spoken for.
    pub(super) fn new<'a>(used: impl IntoIterator<Item = &'a str>) -> Self {
        Self { used: used.into_iter().map(ToOwned::to_owned).collect(), met: Vec::new() }
    }

    /// The reference in the place of a secret; the same secret has the same one.
    pub(super) fn kept_out(&mut self, secret: &str, wanted: &str, at: &At, report: &mut Report) -> Text {
        if let Some((_, variable)) = self.met.iter().find(|(known, _)| known == secret) {
            return Text::variable(variable);
        }
        let numbered = (2_u32..).map(|number| format!("{wanted}_{number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
        // Only as many names are taken as there are secrets.
        let variable = names.find(|name| !self.used.contains(name)).unwrap_or_else(|| wanted.to_owned());
        report.ask(
            at,
            format!(
                "stands there in clear and was not copied: set the variable {variable} to it, and change it"
            ),
        );
        self.used.insert(variable.clone());
        self.met.push((secret.to_owned(), variable.clone()));
        Text::variable(&variable)
    }
}

#[cfg(test)]
mod tests {
    use super::{At, Report, Secrets};

    #[test]
    fn each_secret_has_a_variable_of_its_own_that_nobody_uses() {
        let (mut secrets, mut report) = (Secrets::new(["KEY"]), Report::default());
        let mut out =
            |secret: &str| secrets.kept_out(secret, "KEY", &At::default(), &mut report).written().to_owned();
        assert_eq!([out("a"), out("b"), out("a")], ["${KEY_2}", "${KEY_3}", "${KEY_2}"]);
        assert_eq!(report.0.len(), 2);
        assert!(!format!("{report:?}").contains("\"a\""));
    }
}
