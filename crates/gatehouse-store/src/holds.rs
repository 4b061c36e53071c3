//! Holds: calls of which nothing may be given up or erased, whatever its age.

use gatehouse_audit::{Subjects, View};
use gatehouse_core::record::UnixMicros;
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use crate::database::{signed, unsigned};
use crate::error::StoreError;
use crate::filter::Filter;
use crate::store::Store;

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its number.
    pub number: u64,
    /// Why: a case, a request of an authority.
    pub reason: String,
    /// Which calls.
    pub selection: Selection,
    /// Since when.
    pub placed_at: UnixMicros,
    /// When it ended.
    pub released_at: Option<UnixMicros>,
}

/// Which calls a hold is on; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// The organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The use case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_case: Option<String>,
    /// The end user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The caller key's public part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The model that the caller named, or the one that served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// One call, by the id of its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Accepted at or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<UnixMicros>,
    /// Accepted before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixMicros>,
}

// === impl Selection ===

impl Selection {
    /// Whether it is about a call, going by one of its leaves. A name that cannot be read is nobody's.
    #[must_use]
    pub fn covers(&self, leaf: &View<'_>, subjects: &Subjects) -> bool {
        let same =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let model = self
            .model
            .as_deref()
            .is_none_or(|model| [&*leaf.model.requested, &*leaf.model.served].contains(&model));
        let at = leaf.accepted_at();
        same(&self.org, &leaf.org.org)
            && same(&self.team, &leaf.org.team)
            && same(&self.app, &leaf.org.app)
            && same(&self.use_case, &leaf.org.use_case)
            && self.user.as_ref().is_none_or(|user| leaf.user(subjects).as_ref() == Some(user))
            && same(&self.key, &leaf.actor.credential)
            && same(&self.run, &leaf.corr.run_id)
            && same(&self.record, &leaf.id)
            && model
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
    }

    /// The same as a filter of the index, but for `record`, which no filter has.
    #[must_use]
    pub fn filter(&self) -> Filter {
        let one = self.clone();
        Filter {
            since: one.since,
            until: one.until,
            org: one.org,
            team: one.team,
            app: one.app,
            use_case: one.use_case,
            user: one.user,
            key: one.key,
            run: one.run,
            model: one.model,
            ..Filter::default()
        }
    }

    /// What it asks for, by name, as the record has it: in place of an end user's name stands his subject in the team
    /// that is asked for. Without a team that is nobody's subject in any leaf; it only says, to whoever knows the name and has the
    /// keys, that it was this one.
    #[must_use]
    pub fn recorded(&self, subjects: &Subjects) -> Vec<(&'static str, String)> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let named = self.named().into_iter().map(|(name, value)| match name {
            "user" => {
                let subject = subjects.named(&text(&self.org), &text(&self.team), "", &value);
                ("subject", subject.to_string())
            }
            _ => (name, value),
        });
        named.collect()
    }

    /// What it asks for, by name: for people.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, String)> {
        let texts = [
            ("org", &self.org),
            ("team", &self.team),
            ("app", &self.app),
            ("use_case", &self.use_case),
            ("user", &self.user),
            ("key", &self.key),
            ("run", &self.run),
            ("model", &self.model),
            ("record", &self.record),
        ];
        let times = [("since", self.since), ("until", self.until)];
        let texts = texts.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        texts
            .chain(times.into_iter().filter_map(|(name, at)| Some((name, gatehouse_audit::rfc3339(at?)))))
            .collect()
    }
}

// === impl Store ===

impl Store {
    /// Places a hold: gives its number.
    ///
    /// # Errors
    /// When the database fails.
    pub fn place_hold(&self, reason: &str, selection: &Selection, at: UnixMicros) -> Result<u64, StoreError> {
        let json = |source| StoreError::Json { what: "a hold", source };
        let selection = serde_json::to_string(selection).map_err(json)?;
        let connection = self.connection();
        connection.execute(
            "INSERT INTO holds (reason, selection, placed_at) VALUES (?, ?, ?)",
            params![reason, selection, signed(at)],
        )?;
        Ok(unsigned(connection.last_insert_rowid()))
    }

    /// Ends a hold. `false` when there is none of this number in force.
    ///
    /// # Errors
    /// When the database fails.
    pub fn release_hold(&self, number: u64, at: UnixMicros) -> Result<bool, StoreError> {
        let sql = "UPDATE holds SET released_at = ? WHERE hold = ? AND released_at IS NULL";
        Ok(self.connection().execute(sql, params![signed(at), signed(number)])? == 1)
    }

    /// Takes the name of an end user who was forgotten out of the holds that were released: `label` stands there instead.
    ///
    /// # Errors
    /// When the database fails.
    pub fn forget_in_holds(&self, org: &str, team: &str, user: &str, label: &str) -> Result<(), StoreError> {
        let sql = "UPDATE holds SET selection = json_set(selection, '$.user', ?4) WHERE released_at IS NOT NULL \
                   AND selection ->> '$.user' = ?3 AND coalesce(selection ->> '$.org', ?1) = ?1 \
                   AND coalesce(selection ->> '$.team', ?2) = ?2";
        self.connection().execute(sql, [org, team, user, label])?;
        Ok(())
    }

    /// Every hold, oldest first, the released ones too.
    ///
    /// # Errors
    /// When the database fails.
    pub fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        let connection = self.connection();
        let mut select = connection.prepare_cached(
            "SELECT hold, reason, selection, placed_at, released_at FROM holds ORDER BY hold",
        )?;
        let found = select.query_map([], read)?.collect::<Result<Vec<_>, _>>()?;
        let json = |source| StoreError::Json { what: "a hold", source };
        let hold = |(hold, selection): (Hold, String)| {
            Ok(Hold { selection: serde_json::from_str(&selection).map_err(json)?, ..hold })
        };
        found.into_iter().map(hold).collect()
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Hold, String)> {
    let hold = Hold {
        number: unsigned(row.get(0)?),
        reason: row.get(1)?,
        selection: Selection::default(),
        placed_at: unsigned(row.get(3)?),
        released_at: row.get::<_, Option<i64>>(4)?.map(unsigned),
    };
    Ok((hold, row.get(2)?))
}

#[cfg(test)]
mod tests {
    use super::Selection;
    use crate::store::Store;
    use gatehouse_audit::{ContentKey, Subjects, View};

    #[test]
    fn holds_are_kept_and_end_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let selection =
            Selection { team: Some("support".to_owned()), since: Some(7), ..Selection::default() };
        let number = store.place_hold("case 17", &selection, 5).unwrap();
        let other = Store::open(dir.path()).unwrap();
        let holds = other.holds().unwrap();
        assert_eq!(
            (holds[0].number, holds[0].reason.as_str(), holds[0].released_at),
            (number, "case 17", None)
        );
        assert_eq!(holds[0].selection, selection);
        assert_eq!(selection.named()[1], ("since", "1970-01-01T00:00:00.000007Z".to_owned()));
        assert!(other.release_hold(number, 9).unwrap() && !other.release_hold(number, 10).unwrap());
        assert_eq!(store.holds().unwrap()[0].released_at, Some(9));
        let anna = || Selection { user: Some("anna".to_owned()), ..selection.clone() };
        let (open, ended) =
            (store.place_hold("a", &anna(), 1).unwrap(), store.place_hold("b", &anna(), 1).unwrap());
        store.release_hold(ended, 2).unwrap();
        store.forget_in_holds("", "sales", "anna", "erased:1").unwrap();
        store.forget_in_holds("", "support", "bert", "erased:1").unwrap();
        let users = || {
            let holds =
                store.holds().unwrap().into_iter().filter(|hold| [open, ended].contains(&hold.number));
            holds.map(|hold| hold.selection.user.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(users(), ["anna", "anna"]);
        store.forget_in_holds("", "support", "anna", "erased:1").unwrap();
        assert_eq!(users(), ["anna", "erased:1"]);
    }

    #[test]
    fn a_selection_covers_what_its_filter_finds() {
        let leaf = r#"{"actor":{"credential":"ghk_1"},"corr":{"run_id":"r"},"id":"x","kind":"call.settled",
            "model":{"requested":"fast","served":"m"},"org":{"team":"support"},"seq":1,"shard":"r0",
            "timing":{"total_us":1000000},"ts":"1970-01-01T00:00:02.000000Z","v":1}"#;
        let view = View::parse(leaf.as_bytes()).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let dir = tempfile::tempdir().unwrap();
        let subjects = Subjects::open(dir.path(), &ContentKey::new([1; 32])).unwrap();
        let none = Selection::default();
        for (selection, covered) in [
            (none.clone(), true),
            (Selection { team: text("support"), ..none.clone() }, true),
            (Selection { team: text("sales"), ..none.clone() }, false),
            (Selection { model: text("m"), key: text("ghk_1"), ..none.clone() }, true),
            (Selection { user: text("u"), ..none.clone() }, false),
            (Selection { run: text("s"), ..none.clone() }, false),
            (
                Selection {
                    record: text("x"),
                    since: Some(1_000_000),
                    until: Some(1_000_001),
                    ..none.clone()
                },
                true,
            ),
            (Selection { until: Some(1_000_000), ..none }, false),
        ] {
            assert_eq!(selection.covers(&view, &subjects), covered, "{selection:?}");
            assert_eq!(selection.filter().team, selection.team);
        }
    }
}
