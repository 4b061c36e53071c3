//! `gatehouse usage`: tokens and cost, by whatever dimensions.

use crate::cli::{Format, Usage};
use crate::data::Data;
use crate::index;
use crate::output;
use crate::records;
use crate::when;
use anyhow::{Context as _, Result};
use gatehouse_store::{Dimension, Filter, UsageRow};
use serde_json::Value;

/// The columns behind the dimensions.
const COLUMNS: [&str; 9] = [
    "calls",
    "errors",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
    "estimated_calls",
    "unpriced_calls",
];

/// Prints the report.
pub(crate) fn run(wanted: &Usage) -> Result<()> {
    let data = Data::existing(&wanted.place.data)?;
    let by: Vec<Dimension> =
        wanted.by.iter().map(|word| records::dimension(word)).collect::<Result<_>>().context("--by")?;
    let filter = Filter {
        since: wanted.since.as_deref().map(when::past).transpose()?,
        until: wanted.until.as_deref().map(when::past).transpose()?,
        ..Filter::default()
    };
    let rows = index::up_to_date(&data)?.usage(&by, &filter)?;
    let names: Vec<String> = by.iter().map(Dimension::name).collect();
    let heading: Vec<&str> = names.iter().map(String::as_str).chain(COLUMNS).collect();
    let format = if wanted.json { Format::Json } else { wanted.format };
    match format {
        Format::Json => {
            output::json(&Value::Array(rows.iter().map(|row| records::usage_row(&names, row)).collect()));
        }
        Format::Csv => output::csv(&heading, &rows.iter().map(cells).collect::<Vec<_>>()),
        Format::Table => print_table(&heading, &rows),
    }
    Ok(())
}

fn print_table(heading: &[&str], rows: &[UsageRow]) {
    if rows.is_empty() {
        output::note("no calls in this time");
        return;
    }
    output::table(heading, &rows.iter().map(cells).collect::<Vec<_>>());
    let unpriced: u64 = rows.iter().map(|row| row.unpriced_calls).sum();
    if unpriced > 0 {
        output::note(&format!("{unpriced} calls used models without a known price: their cost is in no sum"));
    }
}

fn cells(row: &UsageRow) -> Vec<String> {
    let numbers =
        [row.calls, row.errors, row.input_tokens, row.cached_tokens, row.output_tokens, row.reasoning_tokens];
    let mut cells = row.by.clone();
    cells.extend(numbers.iter().map(u64::to_string));
    cells.push(row.cost.to_string());
    cells.extend([row.estimated_calls, row.unpriced_calls].iter().map(u64::to_string));
    cells
}
