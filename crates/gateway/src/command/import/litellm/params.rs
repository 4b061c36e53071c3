//! The members of `litellm_params`, with those of the credential that they name; what nobody takes is reported.

use super::Import;
use super::unmapped::Row;
use crate::command::import::report::At;
use gatehouse_config::foreign::{Content, Foreign};
use std::collections::BTreeSet;

/// Members that are taken out one by one.
pub(super) struct Params<'a> {
    /// Where they stand.
    pub(super) at: At,
    own: &'a Foreign,
    credential: Option<&'a Foreign>,
    taken: BTreeSet<&'a str>,
}

/// A member.
#[derive(Clone)]
pub(super) struct Param<'a> {
    pub(super) text: &'a str,
    pub(super) at: At,
}

// === impl Params ===

impl<'a> Params<'a> {
    pub(super) fn new(own: &'a Foreign, at: &At, credential: Option<&'a Foreign>) -> Self {
        Self { at: at.clone(), own, credential, taken: BTreeSet::new() }
    }

    /// The text of a member.
    pub(super) fn peek(&self, wanted: &str) -> Option<&'a str> {
        self.find(wanted)?.1.text()
    }

    /// The text of a member, which then counts as seen to.
    pub(super) fn take(&mut self, wanted: &str) -> Option<Param<'a>> {
        let (name, value) = self.find(wanted)?;
        self.taken.insert(name);
        Some(Param { text: value.text()?, at: self.at.key(name, value.line) })
    }

    fn find(&self, wanted: &str) -> Option<&'a (String, Foreign)> {
        let credential = self.credential.map_or(&[][..], Foreign::members);
        let mut all = self.own.members().iter().chain(credential);
        all.find(|(name, value)| name == wanted && value.text().is_some())
    }

    /// Counts members as seen to whose names begin so.
    pub(super) fn take_all(&mut self, prefix: &str) {
        self.taken.extend(
            self.own.members().iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with(prefix)),
        );
    }

    /// Reports what was not taken.
    pub(super) fn report_rest(&self, import: &mut Import<'_>, table: &[Row]) {
        for (name, value) in self.own.members() {
            if !self.taken.contains(name.as_str()) && value.content != Content::Nothing {
                import.unmapped(table, name, &self.at.key(name, value.line));
            }
        }
    }
}
