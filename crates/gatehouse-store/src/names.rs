//! Names that many calls share are written once: a call has two numbers instead.

use gatehouse_audit::{Subjects, View};
use rusqlite::{OptionalExtension, ToSql, Transaction};
use serde_json::value::RawValue;
use std::collections::HashMap;

use crate::error::StoreError;

/// How many numbers are remembered; beyond, all are asked for again.
const REMEMBERED_MAX: usize = 100_000;
/// How many rows of tags are remembered.
const LABELS_REMEMBERED_MAX: usize = 1_000;

const FIND_KIND: &str = "SELECT kind FROM kinds WHERE org = ? AND team = ? AND app = ? AND use_case = ? AND key = ? \
    AND model = ? AND provider = ? AND served = ? AND operation = ? AND surface = ? AND ending = ? AND error = ? \
    AND guards = ? AND stream = ? AND status = ?";
const ADD_KIND: &str = "INSERT INTO kinds (org, team, app, use_case, key, model, provider, served, operation, surface, \
    ending, error, guards, stream, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const FIND_CALLER: &str = "SELECT caller FROM callers WHERE user = ? AND kind = ? AND subject = ? LIMIT 1";
const ADD_CALLER: &str = "INSERT INTO callers (user, kind, subject) VALUES (?, ?, ?)";

/// The numbers that stand for the names of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// Account, model, provider, operation, outcome.
    pub(crate) kind: i64,
    /// The end user in these.
    pub(crate) caller: i64,
}

/// The numbers that were given, remembered. They are good as long as the transaction in which they were
/// asked for is not rolled back.
#[derive(Default)]
pub(crate) struct Book {
    known: HashMap<String, Names>,
    /// Rows of tags.
    labels: HashMap<String, i64>,
    /// Made again and again, so that a call that is known needs no memory.
    name: String,
}

// === impl Book ===

impl Book {
    /// The numbers for the names of a call, given anew when there are none.
    pub(crate) fn names(
        &mut self,
        transaction: &Transaction<'_>,
        view: &View<'_>,
        subjects: &Subjects,
    ) -> Result<Names, StoreError> {
        let org = &view.org;
        let guards = guards(view);
        let parts: [&str; 13] = [
            &org.org,
            &org.team,
            &org.app,
            &org.use_case,
            &view.actor.credential,
            &view.model.requested,
            &view.model.provider,
            &view.model.served,
            &view.op,
            &view.surface,
            ending(&view.kind),
            &view.result.error,
            &guards,
        ];
        self.name.clear();
        for part in parts.iter().chain([&org.user_sealed.as_ref(), &view.subject.as_ref()]) {
            // With its length before it no name runs into the next.
            self.name.extend(char::from_u32(u32::try_from(part.len()).unwrap_or_default()));
            self.name.push_str(part);
        }
        self.name.push(if view.stream { '1' } else { '0' });
        self.name.extend(char::from_u32(u32::from(view.result.status)));
        if let Some(known) = self.known.get(&self.name) {
            return Ok(*known);
        }
        let mut values: Vec<&dyn ToSql> = Vec::with_capacity(parts.len() + 2);
        for part in &parts {
            values.push(part);
        }
        values.push(&view.stream);
        values.push(&view.result.status);
        let kind = number(transaction, FIND_KIND, ADD_KIND, &values)?;
        let user = view.user_label(subjects);
        let subject: &str = if user.is_empty() { "" } else { &view.subject };
        let caller = number(transaction, FIND_CALLER, ADD_CALLER, &[&user, &kind, &subject])?;
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        let names = Names { kind, caller };
        self.known.insert(self.name.clone(), names);
        Ok(names)
    }

    /// The row of a call's tags, where it has any: one that was made a moment ago for the same, or a new one.
    pub(crate) fn labels(
        &mut self,
        transaction: &Transaction<'_>,
        view: &View<'_>,
    ) -> Result<Option<i64>, StoreError> {
        let Some(tags) = view.tags.map(RawValue::get) else { return Ok(None) };
        if let Some(known) = self.labels.get(tags) {
            return Ok(Some(*known));
        }
        let number = transaction.prepare_cached("INSERT INTO labels (tags) VALUES (?)")?.insert([tags])?;
        if self.labels.len() >= LABELS_REMEMBERED_MAX {
            self.labels.clear();
        }
        self.labels.insert(tags.to_owned(), number);
        Ok(Some(number))
    }

    /// Forgets everything: numbers may have been taken back.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.labels.clear();
    }
}

/// `settled`, `denied`, `failed` or `aborted`.
fn ending(kind: &str) -> &str {
    kind.rsplit('.').next().unwrap_or(kind)
}

/// The guardrails and what they did, each between two commas.
fn guards(view: &View<'_>) -> String {
    let mut text = String::new();
    for guard in &view.policy {
        let before = if text.is_empty() { "," } else { "" };
        text.extend([before, &guard.id, "=", &guard.outcome, ","]);
    }
    text
}

fn number(
    transaction: &Transaction<'_>,
    find: &str,
    add: &str,
    values: &[&dyn ToSql],
) -> Result<i64, StoreError> {
    let found = transaction.prepare_cached(find)?.query_row(values, |row| row.get(0)).optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    Ok(transaction.prepare_cached(add)?.insert(values)?)
}
