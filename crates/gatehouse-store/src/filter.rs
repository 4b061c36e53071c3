//! Which calls are meant: the same filters for lists and for sums.
//!
//! Every value is a bound parameter. The SQL is put together from the texts in this file alone.

use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::UnixMicros;
use rusqlite::types::Value;

use crate::database::signed;

/// How far the time in a call's id may be from the time at which it was accepted. Both are read from one
/// clock, one right after the other.
const ID_SLACK_MICROS: u64 = 60_000_000;

/// Which calls are meant; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Accepted at or after.
    pub since: Option<UnixMicros>,
    /// Accepted before.
    pub until: Option<UnixMicros>,
    /// The organisation.
    pub org: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// The application.
    pub app: Option<String>,
    /// The use case.
    pub use_case: Option<String>,
    /// The end user.
    pub user: Option<String>,
    /// The caller key's public part.
    pub key: Option<String>,
    /// The run.
    pub run: Option<String>,
    /// The model that the caller named, or the one that served.
    pub model: Option<String>,
    /// The provider that served.
    pub provider: Option<String>,
    /// How it ended: `settled`, `denied`, `failed` or `aborted`.
    pub ending: Option<String>,
    /// The stable error code.
    pub error: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// A guardrail that looked at it (`pii`), or what one did (`pii=redact`).
    pub guard: Option<String>,
    /// A tag and its value.
    pub tag: Option<(String, String)>,
    /// Cost at least this.
    pub cost_min: Option<Nanodollars>,
    /// Took at least so many microseconds.
    pub micros_min: Option<u64>,
}

/// A condition and the values of its parameters.
#[derive(Clone, Default)]
pub(crate) struct Conditions {
    clauses: Vec<&'static str>,
    pub(crate) values: Vec<Value>,
}

// === impl Filter ===

impl Filter {
    /// All of it, over `calls`, `kinds` and `callers`.
    pub(crate) fn conditions(&self) -> Conditions {
        let mut conditions = self.of_calls();
        conditions.add(self.of_kinds());
        conditions.text("user = ?", self.user.as_deref());
        conditions
    }

    /// What is asked of `calls` alone.
    pub(crate) fn of_calls(&self) -> Conditions {
        let mut conditions = Conditions::default();
        if let Some(since) = self.since {
            conditions.push("call >= ? AND at >= ?", [id_before(since), Value::Integer(signed(since))]);
        }
        if let Some(until) = self.until {
            conditions.push("call < ? AND at < ?", [id_after(until), Value::Integer(signed(until))]);
        }
        // Said twice, so that the index that leaves out the empty ones is used.
        conditions.text("run = ? AND run != ''", self.run.as_deref());
        if let Some((name, value)) = &self.tag {
            let clause = "EXISTS (SELECT 1 FROM labels AS tagged, json_each(tagged.tags) AS tag \
                WHERE tagged.labels = calls.labels AND tag.key = ? AND tag.value = ?)";
            conditions.push(clause, [name, value].map(|text| Value::Text(text.clone())));
        }
        conditions.number("cost_nanos >= ?", self.cost_min.map(|cost| cost.0));
        conditions.number("total_us >= ?", self.micros_min);
        conditions
    }

    /// What is asked of `kinds` alone.
    pub(crate) fn of_kinds(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.text("org = ?", self.org.as_deref());
        conditions.text("team = ?", self.team.as_deref());
        conditions.text("app = ?", self.app.as_deref());
        conditions.text("use_case = ?", self.use_case.as_deref());
        conditions.text("key = ?", self.key.as_deref());
        conditions.text("? IN (model, served)", self.model.as_deref());
        conditions.text("provider = ?", self.provider.as_deref());
        conditions.text("ending = ?", self.ending.as_deref());
        conditions.text("error = ?", self.error.as_deref());
        conditions.number("status = ?", self.status.map(u64::from));
        let guard = self.guard.as_deref();
        let within = guard.map(|guard| format!(",{guard}{}", if guard.contains('=') { "," } else { "=" }));
        conditions.text("instr(guards, ?) > 0", within.as_deref());
        conditions
    }

    /// Whether sums by kind and by caller tell enough.
    pub(crate) fn is_summed(&self) -> bool {
        self.run.is_none() && self.tag.is_none() && self.cost_min.is_none() && self.micros_min.is_none()
    }
}

// === impl Conditions ===

impl Conditions {
    /// Adds a condition with its values.
    pub(crate) fn push(&mut self, clause: &'static str, values: impl IntoIterator<Item = Value>) {
        self.clauses.push(clause);
        self.values.extend(values);
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Adds other conditions.
    pub(crate) fn add(&mut self, other: Self) {
        self.clauses.extend(other.clauses);
        self.values.extend(other.values);
    }

    /// The `WHERE` clause, or nothing when all calls are meant.
    pub(crate) fn sql(&self) -> String {
        if self.clauses.is_empty() {
            return String::new();
        }
        [" WHERE ", &self.clauses.join(" AND ")].concat()
    }

    /// Only calls that are older than this one.
    pub(crate) fn before(&mut self, call: Option<Value>) {
        if let Some(call) = call {
            self.push("call < ?", [call]);
        }
    }

    fn text(&mut self, clause: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(clause, [Value::Text(value.to_owned())]);
        }
    }

    fn number(&mut self, clause: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.push(clause, [Value::Integer(signed(value))]);
        }
    }
}

/// An id smaller than that of any call accepted at `at` or later: the index is sorted by ids.
pub(crate) fn id_before(at: UnixMicros) -> Value {
    first_id(at.saturating_sub(ID_SLACK_MICROS))
}

/// An id larger than that of any call accepted before `at`.
pub(crate) fn id_after(at: UnixMicros) -> Value {
    first_id(at.saturating_add(ID_SLACK_MICROS))
}

/// The smallest UUIDv7 of this millisecond: forty-eight bits of time, big end first.
fn first_id(at: UnixMicros) -> Value {
    const MILLIS_MAX: u64 = (1 << 48) - 1;
    let millis = (at / 1000).min(MILLIS_MAX);
    Value::Blob((u128::from(millis) << 80).to_be_bytes().to_vec())
}
