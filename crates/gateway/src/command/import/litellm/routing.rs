//! Which names callers use, and who serves them: groups, fallbacks, aliases.

use super::Import;
use crate::command::import::report::At;
use gatehouse_config::foreign::{Content, Foreign};

/// Stands for every name.
const ALL: &str = "*";

/// Who serves when those of a name fail.
pub(super) struct Fallback {
    name: String,
    others: Vec<(String, At)>,
    at: At,
}

impl Import<'_> {
    /// Takes down a list of fallbacks: `[{ name: [other, …] }, …]`.
    pub(super) fn fallbacks(&mut self, list: &Foreign, at: &At) {
        for (index, item) in list.items().iter().enumerate() {
            let at = at.index(index, item.line);
            for (name, others) in item.members() {
                let at = at.key(name, others.line);
                self.fallback(name, others, at);
            }
            if item.members().is_empty() {
                self.report.lost(&at, "expected a name with a list of names");
            }
        }
    }

    /// Takes down the fallbacks of one name, or of all.
    pub(super) fn fallback(&mut self, name: &str, others: &Foreign, at: At) {
        let items = match &others.content {
            Content::Text(_) => std::slice::from_ref(others),
            _ => others.items(),
        };
        let mut names = Vec::new();
        for (index, other) in items.iter().enumerate() {
            let at = at.index(index, other.line);
            match other.text().or_else(|| other.get("model")?.text()) {
                Some(name) => names.push((name.to_owned(), at.clone())),
                None => self.report.lost(&at, "expected the name of a model"),
            }
            if !other.members().is_empty() {
                self.report.lost(&at, "a fallback takes the call as it is; its further members are left out");
            }
        }
        self.fallbacks.push(Fallback { name: name.to_owned(), others: names, at });
    }

    /// The fallbacks of all names.
    pub(super) fn default_fallbacks(&mut self, others: &Foreign, at: At) {
        self.fallback(ALL, others, at);
    }

    /// Takes down aliases: `{ alias: name }` or `{ alias: { model: name, hidden: true } }`.
    pub(super) fn aliases(&mut self, section: &Foreign, at: &At) {
        for (alias, value) in section.members() {
            let at = at.key(alias, value.line);
            let Some(model) = value.text().or_else(|| value.get("model")?.text()) else {
                self.report.lost(&at, "expected the name of a model");
                continue;
            };
            if value.get("hidden").is_some_and(Foreign::is_true) {
                self.report.differs(&at, "names are not hidden here: it stands in lists of models");
            }
            self.aliases.push((alias.clone(), model.to_owned(), at));
        }
    }

    /// Makes models of what was taken down.
    pub(super) fn route(&mut self) {
        let mut groups = std::mem::take(&mut self.groups);
        for group in &mut groups {
            group.targets.sort_by_key(|(order, _)| *order);
        }
        let targets = |targets: &[(u64, String)]| targets.iter().map(|(_, target)| target.clone()).collect();
        self.draft.models =
            groups.iter().map(|group| (group.name.clone(), targets(&group.targets))).collect();
        let own = self.draft.models.clone();
        for Fallback { name, others, at } in std::mem::take(&mut self.fallbacks) {
            if name != ALL && self.draft.targets(&name).is_none() {
                self.report.lost(&at, format!("there is no model {name:?}"));
                continue;
            }
            for (other, at) in others {
                match own.iter().find(|(known, _)| *known == other) {
                    Some((_, targets)) => self.append(&name, targets),
                    None => self.report.lost(&at, format!("there is no model {other:?}")),
                }
            }
        }
        for (alias, model, at) in std::mem::take(&mut self.aliases) {
            match self.draft.targets(&model).map(<[String]>::to_vec) {
                Some(_) if self.draft.targets(&alias).is_some() => {
                    self.report.lost(&at, format!("there is a model {alias:?} already"));
                }
                Some(targets) => self.draft.models.push((alias, targets)),
                None => self.report.lost(&at, format!("there is no model {model:?}")),
            }
        }
    }

    fn append(&mut self, name: &str, targets: &[String]) {
        for (_, own) in self.draft.models.iter_mut().filter(|(own, _)| name == ALL || own == name) {
            let new: Vec<String> = targets.iter().filter(|target| !own.contains(target)).cloned().collect();
            own.extend(new);
        }
    }
}
