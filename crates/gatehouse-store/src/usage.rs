//! Tokens and money, summed over whatever somebody wants to see them by.

use gatehouse_core::money::Nanodollars;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use crate::database::unsigned;
use crate::error::StoreError;
use crate::filter::Filter;
use crate::index::Index;

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

const SUMS: &str = "count(*), sum(ending IN ('denied', 'failed')), sum(input_tokens), sum(cached_tokens), \
    sum(output_tokens), sum(reasoning_tokens), coalesce(sum(cost_nanos), 0), \
    sum(cost_status = 'unpriced'), sum(cost_status = 'estimated') FROM calls";
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
            Self::Day => "strftime('%Y-%m-%d', at / 1000000, 'unixepoch')",
            Self::Hour => "strftime('%Y-%m-%dT%H', at / 1000000, 'unixepoch')",
            // Not a JSON path: a name may hold what a path cannot quote.
            Self::Tag(_) => {
                "coalesce((SELECT tag.value FROM json_each(calls.tags) AS tag WHERE tag.key = ?), '')"
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
        let conditions = filter.conditions();
        let mut sql = "SELECT ".to_owned();
        for dimension in by {
            sql.push_str(dimension.sql());
            sql.push_str(", ");
        }
        sql.push_str(SUMS);
        sql.push_str(&conditions.sql());
        if by.is_empty() {
            sql.push_str(" HAVING count(*) > 0");
        } else {
            let ordinals = ORDINALS.get(..by.len()).unwrap_or_default().join(", ");
            // The sum of the costs stands seventh behind the dimensions; ties in the order of names.
            sql.push_str(
                &[" GROUP BY ", &ordinals, " ORDER BY coalesce(sum(cost_nanos), 0) DESC, ", &ordinals]
                    .concat(),
            );
        }
        sql.push_str(" LIMIT ?");
        let tags = by.iter().filter_map(|dimension| match dimension {
            Dimension::Tag(name) => Some(Value::Text(name.clone())),
            _ => None,
        });
        let limit = Value::Integer(i64::try_from(USAGE_ROWS_MAX).unwrap_or(i64::MAX));
        let values: Vec<Value> = tags.chain(conditions.values).chain([limit]).collect();
        let connection = self.connection();
        let mut select = connection.prepare_cached(&sql)?;
        let rows = select.query_map(params_from_iter(values), |row| read_usage(row, by.len()))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
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
