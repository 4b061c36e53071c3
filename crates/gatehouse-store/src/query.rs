//! Looking at calls: a page of them, newest first, or everything about one.

use gatehouse_audit::{Cursor, Entry, read_at, shard_dir};
use gatehouse_core::call::CallId;
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::UnixMicros;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use crate::database::unsigned;
use crate::error::StoreError;
use crate::filter::{Conditions, Filter};
use crate::index::{Index, cursor};

/// The longest page.
pub const PAGE_ROWS_MAX: usize = 1000;

/// One call, as a list shows it. Texts that are unknown are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRow {
    /// When it was accepted.
    pub at: UnixMicros,
    /// The call, in the form that headers show.
    pub call: String,
    /// `settled`, `denied`, `failed` or `aborted`.
    pub ending: String,
    /// The HTTP status; zero when the caller got none.
    pub status: u16,
    /// The stable error code.
    pub error: String,
    /// The caller key's public part.
    pub key: String,
    /// The organisation.
    pub org: String,
    /// The team.
    pub team: String,
    /// The application.
    pub app: String,
    /// The use case.
    pub use_case: String,
    /// The end user.
    pub user: String,
    /// The run.
    pub run: String,
    /// The model that the caller named.
    pub model: String,
    /// The provider that served.
    pub provider: String,
    /// The model that served.
    pub served: String,
    /// The operation.
    pub operation: String,
    /// The caller's dialect.
    pub surface: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Of these, read from the provider's cache.
    pub cached_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Of these, reasoning.
    pub reasoning_tokens: u64,
    /// Who counted: `provider`, `estimated` or `none`.
    pub usage_source: String,
    /// What it cost; `None` when no price is known.
    pub cost: Option<Nanodollars>,
    /// `exact`, `estimated`, `unpriced` or `free`.
    pub cost_status: String,
    /// Microseconds from accept to the end.
    pub total_us: u64,
    /// Microseconds from accept to the first byte of the answer; zero when none came.
    pub ttft_us: u64,
    /// The guardrails and what they did: `pii=redact,injection=allow`.
    pub guards: String,
}

/// Where a page ended: the next one starts behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// [`CallRow::call`] of the last row.
    pub call: String,
}

/// Some calls, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The calls.
    pub rows: Vec<CallRow>,
    /// Where to go on; `None` at the end.
    pub next: Option<After>,
}

/// Everything that the log holds about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The last leaf, exactly as hashed; `None` while the call is in flight or unfinished.
    pub leaf: Option<String>,
    /// The first leaf; `None` when the call never came so far.
    pub admitted: Option<String>,
    /// The last leaf with the sealed texts that stand beside it.
    pub entry: Option<Entry>,
    /// Whose log, and where in it the last leaf stands, or the first when there is no last.
    pub shard: String,
    /// See `shard`.
    pub at: Cursor,
}

/// What [`read_call`] reads.
const COLUMNS: &str = "SELECT at, call, ending, status, error, key, org, team, app, use_case, user, run, model, \
    provider, served, operation, surface, stream, input_tokens, cached_tokens, output_tokens, reasoning_tokens, \
    usage_source, cost_nanos, cost_status, total_us, ttft_us, guards";
/// Every call with its names: in this order, so that calls are gone through in theirs.
pub(crate) const NAMED: &str = " FROM calls CROSS JOIN kinds USING (kind) CROSS JOIN callers USING (caller)";
const NEWEST_FIRST: &str = " ORDER BY call DESC LIMIT ?";
/// Lists of so many kinds or callers are put together; more of them are so common that looking through all
/// calls finds them soon.
const LISTS_MAX: usize = 4000;

// === impl Index ===

impl Index {
    /// A page of at most `rows_max` calls, newest first, from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub fn calls(&self, filter: &Filter, after: Option<&After>, rows_max: usize) -> Result<Page, StoreError> {
        let rows_max = rows_max.clamp(1, PAGE_ROWS_MAX);
        let before = after.map(|after| CallId::parse(&after.call).map_or(Value::Blob(Vec::new()), blob));
        // One more than asked for, to know whether there is more.
        let wanted = rows_max + 1;
        let connection = self.connection();
        let mut rows = match lists(&connection, filter)? {
            Some(lists) => {
                let ids = merge(&connection, &lists, &filter.of_calls(), before.as_ref(), wanted)?;
                let sql = [COLUMNS, NAMED, " WHERE call = ?"].concat();
                let mut select = connection.prepare_cached(&sql)?;
                ids.into_iter().map(|id| select.query_row([id], read_call)).collect::<Result<Vec<_>, _>>()?
            }
            None => {
                let mut conditions = filter.conditions();
                conditions.before(before);
                let sql = [COLUMNS, NAMED, &conditions.sql(), NEWEST_FIRST].concat();
                conditions.values.push(count(wanted));
                let mut select = connection.prepare_cached(&sql)?;
                let found = select.query_map(params_from_iter(conditions.values), read_call)?;
                found.collect::<Result<Vec<_>, _>>()?
            }
        };
        let more = rows.len() > rows_max;
        rows.truncate(rows_max);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| After { call: row.call.clone() });
        Ok(Page { rows, next })
    }

    /// Those of these calls that `filter` means, in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub fn among(&self, calls: &[CallId], filter: &Filter) -> Result<Vec<CallRow>, StoreError> {
        let connection = self.connection();
        let mut rows = Vec::new();
        for call in calls {
            let mut conditions = filter.conditions();
            conditions.push("call = ?", [blob(*call)]);
            let sql = [COLUMNS, NAMED, &conditions.sql()].concat();
            let mut select = connection.prepare_cached(&sql)?;
            rows.extend(select.query_row(params_from_iter(conditions.values), read_call).optional()?);
        }
        Ok(rows)
    }

    /// How far the log of each shard has been read.
    ///
    /// # Errors
    /// When the database fails.
    pub fn cursors(&self) -> Result<Vec<(String, Cursor)>, StoreError> {
        let connection = self.connection();
        let mut select =
            connection.prepare_cached("SELECT shard, segment, position FROM cursors ORDER BY 1")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, cursor(row.get(1)?, row.get(2)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Everything that the log holds about one call; `None` when there is no such call.
    ///
    /// # Errors
    /// When the database or the log cannot be read.
    pub fn show(&self, call: CallId) -> Result<Option<Shown>, StoreError> {
        let Some((shard, ending, admitted)) = self.places(call)? else { return Ok(None) };
        let dir = shard_dir(&self.data, &shard);
        let entry_at = |at: Option<Cursor>| at.map(|at| read_at(&dir, at)).transpose().map(Option::flatten);
        let last = entry_at(ending)?;
        let first = entry_at(admitted)?;
        let text = |entry: &Entry| String::from_utf8_lossy(&entry.leaf).into_owned();
        Ok(Some(Shown {
            leaf: last.as_ref().map(text),
            admitted: first.as_ref().map(text),
            entry: last,
            shard,
            at: ending.or(admitted).unwrap_or_default(),
        }))
    }

    /// The organisations and teams on whose account calls of an end user of this name were.
    ///
    /// # Errors
    /// When the database fails.
    pub fn accounts_of(&self, user: &str) -> Result<Vec<(String, String)>, StoreError> {
        let connection = self.connection();
        let mut select = connection.prepare_cached(
            "SELECT DISTINCT org, team FROM callers JOIN kinds USING (kind) WHERE user = ?1",
        )?;
        let rows = select.query_map([user], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The shard of a call, and where its last and its first leaf stand.
    #[expect(clippy::type_complexity, reason = "read once, right above")]
    fn places(&self, call: CallId) -> Result<Option<(String, Option<Cursor>, Option<Cursor>)>, StoreError> {
        let connection = self.connection();
        let mut select = connection.prepare_cached(
            "SELECT shard, segment, position, admitted_segment, admitted_position FROM calls WHERE call = ?1 \
             UNION ALL SELECT shard, NULL, NULL, segment, position FROM open_calls WHERE call = ?1 LIMIT 1",
        )?;
        let place = |row: &Row<'_>, first: usize| -> rusqlite::Result<Option<Cursor>> {
            let (segment, position): (Option<i64>, Option<i64>) = (row.get(first)?, row.get(first + 1)?);
            Ok(segment.zip(position).map(|(segment, position)| cursor(segment, position)))
        };
        let read = |row: &Row<'_>| Ok((row.get(0)?, place(row, 1)?, place(row, 3)?));
        Ok(select.query_row([blob(call)], read).optional()?)
    }
}

/// The lists that hold all calls which `filter` means, each in the order of time.
struct Lists {
    column: &'static str,
    numbers: Vec<i64>,
}

/// `None` when it is better to look through all calls.
fn lists(connection: &Connection, filter: &Filter) -> Result<Option<Lists>, StoreError> {
    let mut conditions = filter.of_kinds();
    let (column, sql) = match &filter.user {
        // Its calls are few, and in an index of their own.
        _ if filter.run.is_some() => return Ok(None),
        None if conditions.is_empty() => return Ok(None),
        None => ("kind", "SELECT kind FROM kinds"),
        Some(user) => {
            conditions.push("user = ?", [Value::Text(user.clone())]);
            ("caller", "SELECT caller FROM callers CROSS JOIN kinds USING (kind)")
        }
    };
    let sql = [sql, &conditions.sql(), " LIMIT ?"].concat();
    conditions.values.push(count(LISTS_MAX + 1));
    let mut select = connection.prepare_cached(&sql)?;
    let found = select.query_map(params_from_iter(conditions.values), |row| row.get(0))?;
    let numbers = found.collect::<Result<Vec<i64>, _>>()?;
    Ok((numbers.len() <= LISTS_MAX).then_some(Lists { column, numbers }))
}

/// The newest `wanted` calls of all lists, newest first.
fn merge(
    connection: &Connection,
    lists: &Lists,
    conditions: &Conditions,
    before: Option<&Value>,
    wanted: usize,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut newest: Vec<Vec<u8>> = Vec::new();
    for number in &lists.numbers {
        let mut conditions = conditions.clone();
        let of_list = if lists.column == "kind" { "kind = ?" } else { "caller = ?" };
        conditions.push(of_list, [Value::Integer(*number)]);
        conditions.before(before.cloned());
        // What is older than all that were found so far does not matter.
        let oldest = newest.last().filter(|_| newest.len() >= wanted).cloned().unwrap_or_default();
        conditions.push("call > ?", [Value::Blob(oldest)]);
        let sql = ["SELECT call FROM calls", &conditions.sql(), NEWEST_FIRST].concat();
        conditions.values.push(count(wanted));
        let mut select = connection.prepare_cached(&sql)?;
        let found = select.query_map(params_from_iter(conditions.values), |row| row.get::<_, Vec<u8>>(0))?;
        newest.extend(found.collect::<Result<Vec<_>, _>>()?);
        newest.sort_unstable_by(|left, right| right.cmp(left));
        newest.truncate(wanted);
    }
    Ok(newest)
}

fn count(rows: usize) -> Value {
    Value::Integer(i64::try_from(rows).unwrap_or(i64::MAX))
}

fn blob(call: CallId) -> Value {
    Value::Blob(call.as_bytes().to_vec())
}

fn read_call(row: &Row<'_>) -> rusqlite::Result<CallRow> {
    let number = |column: usize| row.get::<_, i64>(column).map(unsigned);
    Ok(CallRow {
        at: number(0)?,
        call: hyphenated(row.get(1)?),
        ending: row.get(2)?,
        status: row.get(3)?,
        error: row.get(4)?,
        key: row.get(5)?,
        org: row.get(6)?,
        team: row.get(7)?,
        app: row.get(8)?,
        use_case: row.get(9)?,
        user: row.get(10)?,
        run: row.get(11)?,
        model: row.get(12)?,
        provider: row.get(13)?,
        served: row.get(14)?,
        operation: row.get(15)?,
        surface: row.get(16)?,
        stream: row.get(17)?,
        input_tokens: number(18)?,
        cached_tokens: number(19)?,
        output_tokens: number(20)?,
        reasoning_tokens: number(21)?,
        usage_source: row.get(22)?,
        cost: row.get::<_, Option<i64>>(23)?.map(|nanos| Nanodollars(unsigned(nanos))),
        cost_status: row.get(24)?,
        total_us: number(25)?,
        ttft_us: number(26)?,
        guards: row.get::<_, String>(27)?.trim_matches(',').to_owned(),
    })
}

/// The form of a call's id that headers show, from its bytes.
fn hyphenated(id: [u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(id));
    // The text parses as an id, which prints itself with hyphens.
    CallId::parse(&digits).map_or(digits, |call| call.to_string())
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
