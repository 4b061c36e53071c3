//! Tokens and money, summed over whatever somebody wants to see them by.

use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::UnixMicros;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use crate::database::{signed, unsigned};
use crate::error::StoreError;
use crate::filter::Filter;
use crate::index::Index;
use crate::sums::{cover, grains};

/// How many dimensions one report may have.
pub const DIMENSIONS_MAX: usize = 6;
/// The longest report.
pub const USAGE_ROWS_MAX: usize = 100_000;

/// What to sum by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The organisation.
    Org,
    /// The team.
    Team,
    /// The application.
    App,
    /// The use case.
    UseCase,
    /// The end user.
    User,
    /// The caller key.
    Key,
    /// The model that the caller named.
    Model,
    /// The provider that served.
    Provider,
    /// `provider/model` that served.
    Target,
    /// The operation.
    Operation,
    /// How the call ended: `settled`, `denied`, `failed` or `aborted`.
    Outcome,
    /// The stable error code.
    Error,
    /// The day, in UTC: `2026-11-22`.
    Day,
    /// The hour, in UTC: `2026-11-22T19`.
    Hour,
    /// The value of a tag.
    Tag(String),
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// The values of the dimensions, in their order; empty where unknown.
    pub by: Vec<String>,
    /// Calls, whatever their end.
    pub calls: u64,
    /// Of these: denied or failed.
    pub errors: u64,
    /// Tokens of the prompts.
    pub input_tokens: u64,
    /// Of these, read from a provider's cache.
    pub cached_tokens: u64,
    /// Tokens of the answers.
    pub output_tokens: u64,
    /// Of these, reasoning.
    pub reasoning_tokens: u64,
    /// The known costs.
    pub cost: Nanodollars,
    /// Calls that used something without a known price: not in `cost`.
    pub unpriced_calls: u64,
    /// Calls whose cost is an estimate: in `cost`.
    pub estimated_calls: u64,
}

const SUMS: &str = "sum(calls), sum(iif(ending IN ('denied', 'failed'), calls, 0)), sum(input_tokens), sum(cached_tokens), sum(output_tokens), \
    sum(reasoning_tokens), sum(cost_nanos), sum(unpriced), sum(estimated)";
/// Single calls, with the columns of a sum.
const OF_CALLS: &str = "SELECT at, kind, caller, labels, 1 AS calls, \
    input_tokens, cached_tokens, output_tokens, reasoning_tokens, coalesce(cost_nanos, 0) AS cost_nanos, \
    cost_status = 'unpriced' AS unpriced, cost_status = 'estimated' AS estimated FROM calls";
/// Ready sums, with the same columns.
const OF_KINDS: &str = "SELECT start AS at, who AS kind, NULL AS caller, NULL AS labels, calls, input_tokens, cached_tokens, output_tokens, \
    reasoning_tokens, cost_nanos, unpriced, estimated FROM sums WHERE grain = ? AND start >= ? AND start < ?";
const OF_CALLERS: &str = "SELECT start AS at, kind, who AS caller, NULL AS labels, calls, input_tokens, cached_tokens, output_tokens, \
    reasoning_tokens, cost_nanos, unpriced, estimated FROM sums CROSS JOIN callers ON caller = who \
    WHERE grain = ? AND start >= ? AND start < ?";
/// The end of time: the year 9999, at the begin of a day.
const FOREVER: UnixMicros = 253_402_214_400_000_000;
/// The ordinals of the dimensions, for `GROUP BY`.
const ORDINALS: [&str; DIMENSIONS_MAX] = ["1", "2", "3", "4", "5", "6"];

// === impl Dimension ===

impl Dimension {
    /// Reads the word that stands behind `--by`: `team`, `use_case`, `tag:env` …
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "org" => Self::Org,
            "team" => Self::Team,
            "app" => Self::App,
            "use_case" => Self::UseCase,
            "user" => Self::User,
            "key" => Self::Key,
            "model" => Self::Model,
            "provider" => Self::Provider,
            "target" => Self::Target,
            "operation" => Self::Operation,
            "outcome" => Self::Outcome,
            "error" => Self::Error,
            "day" => Self::Day,
            "hour" => Self::Hour,
            _ => Self::Tag(word.strip_prefix("tag:").filter(|name| !name.is_empty())?.to_owned()),
        })
    }

    /// The word that [`Dimension::parse`] reads, for headings.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Org => "org".to_owned(),
            Self::Team => "team".to_owned(),
            Self::App => "app".to_owned(),
            Self::UseCase => "use_case".to_owned(),
            Self::User => "user".to_owned(),
            Self::Key => "key".to_owned(),
            Self::Model => "model".to_owned(),
            Self::Provider => "provider".to_owned(),
            Self::Target => "target".to_owned(),
            Self::Operation => "operation".to_owned(),
            Self::Outcome => "outcome".to_owned(),
            Self::Error => "error".to_owned(),
            Self::Day => "day".to_owned(),
            Self::Hour => "hour".to_owned(),
            Self::Tag(name) => format!("tag:{name}"),
        }
    }

    fn sql(&self) -> &'static str {
        match self {
            Self::Org => "org",
            Self::Team => "team",
            Self::App => "app",
            Self::UseCase => "use_case",
            Self::User => "user",
            Self::Key => "key",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Target => "iif(served = '', '', provider || '/' || served)",
            Self::Operation => "operation",
            Self::Outcome => "ending",
            Self::Error => "error",
            Self::Day => "strftime('%Y-%m-%d', at / 1000000, 'unixepoch')",
            Self::Hour => "strftime('%Y-%m-%dT%H', at / 1000000, 'unixepoch')",
            // Not a JSON path: a name may hold what a path cannot quote.
            Self::Tag(_) => {
                "coalesce((SELECT tag.value FROM labels, json_each(labels.tags) AS tag WHERE labels.labels = part.labels \
                 AND tag.key = ?), '')"
            }
        }
    }
}

// === impl Index ===

impl Index {
    /// Sums the calls that `filter` means, by at most [`DIMENSIONS_MAX`] dimensions, the dearest first.
    /// Without a dimension there is one line, or none when there is no call.
    ///
    /// # Errors
    /// When the database fails.
    pub fn usage(&self, by: &[Dimension], filter: &Filter) -> Result<Vec<UsageRow>, StoreError> {
        let by = by.get(..DIMENSIONS_MAX).unwrap_or(by);
        let by_user = by.contains(&Dimension::User) || filter.user.is_some();
        let mut sql = "SELECT ".to_owned();
        for dimension in by {
            sql.push_str(dimension.sql());
            sql.push_str(", ");
        }
        let (parts, part_values) = parts(by, by_user, filter);
        let mut conditions = filter.of_kinds();
        let users = if by_user { " JOIN callers USING (caller)" } else { "" };
        if let Some(user) = &filter.user {
            conditions.push("user = ?", [Value::Text(user.clone())]);
        }
        let from = [" FROM (", &parts, ") AS part JOIN kinds ON kinds.kind = part.kind", users].concat();
        sql.extend([SUMS, &from, &conditions.sql()]);
        if by.is_empty() {
            sql.push_str(" HAVING sum(calls) > 0");
        } else {
            let ordinals = ORDINALS.get(..by.len()).unwrap_or_default().join(", ");
            // Ties in the order of names.
            sql.extend([" GROUP BY ", &ordinals, " ORDER BY sum(cost_nanos) DESC, ", &ordinals]);
        }
        sql.push_str(" LIMIT ?");
        let tags = by.iter().filter_map(|dimension| match dimension {
            Dimension::Tag(name) => Some(Value::Text(name.clone())),
            _ => None,
        });
        let limit = Value::Integer(i64::try_from(USAGE_ROWS_MAX).unwrap_or(i64::MAX));
        let values: Vec<Value> = tags.chain(part_values).chain(conditions.values).chain([limit]).collect();
        let connection = self.connection();
        let mut select = connection.prepare_cached(&sql)?;
        let rows = select.query_map(params_from_iter(values), |row| read_usage(row, by.len()))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// What is to be added up: ready sums as far as they tell enough, and single calls.
fn parts(by: &[Dimension], by_user: bool, filter: &Filter) -> (String, Vec<Value>) {
    let by_tag = by.iter().any(|dimension| matches!(dimension, Dimension::Tag(_)));
    if by_tag || !filter.is_summed() {
        let of_calls = filter.of_calls();
        return ([OF_CALLS, &of_calls.sql()].concat(), of_calls.values);
    }
    let (since, until) = (filter.since.unwrap_or_default(), filter.until.unwrap_or(FOREVER));
    let mut texts = Vec::new();
    let mut values = Vec::new();
    for piece in cover(since, until, grains(by_user, by.contains(&Dimension::Hour))) {
        match piece.grain {
            None => {
                let of_calls =
                    Filter { since: Some(piece.from), until: Some(piece.to), ..Filter::default() }.of_calls();
                texts.push([OF_CALLS, &of_calls.sql()].concat());
                values.extend(of_calls.values);
            }
            Some(grain) => {
                texts.push(if grain.by_user() { OF_CALLERS } else { OF_KINDS }.to_owned());
                let times = [piece.from, piece.to].map(|at| Value::Integer(signed(at)));
                values.push(Value::Integer(grain.number()));
                values.extend(times);
            }
        }
    }
    if texts.is_empty() {
        texts.push([OF_CALLS, " WHERE false"].concat());
    }
    (texts.join(" UNION ALL "), values)
}

fn read_usage(row: &Row<'_>, dimensions: usize) -> rusqlite::Result<UsageRow> {
    let number = |place: usize| row.get::<_, i64>(dimensions + place).map(unsigned);
    Ok(UsageRow {
        by: (0..dimensions).map(|place| row.get(place)).collect::<Result<_, _>>()?,
        calls: number(0)?,
        errors: number(1)?,
        input_tokens: number(2)?,
        cached_tokens: number(3)?,
        output_tokens: number(4)?,
        reasoning_tokens: number(5)?,
        cost: Nanodollars(number(6)?),
        unpriced_calls: number(7)?,
        estimated_calls: number(8)?,
    })
}
