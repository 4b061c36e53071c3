//! What is printed: text for people, JSON for programs, logs on standard error.

use serde_json::Value;
use std::io::Write as _;
use tracing_subscriber::EnvFilter;

/// Logs go to standard error: in JSON when `GATEHOUSE_LOG_FORMAT=json`, filtered by `GATEHOUSE_LOG`.
/// Prompts and secrets are in none of them.
pub(crate) fn start_logging() {
    let filter = EnvFilter::try_from_env("GATEHOUSE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if std::env::var("GATEHOUSE_LOG_FORMAT").is_ok_and(|format| format == "json") {
        logs.json().init();
    } else {
        logs.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
    }
}

/// A problem, with its causes, on standard error.
#[expect(clippy::print_stderr, reason = "this is what a command says when it fails")]
pub(crate) fn problem(error: &anyhow::Error) {
    eprintln!("gatehouse: {error:#}");
}

/// A note on standard error, so that standard output stays what was asked for.
#[expect(clippy::print_stderr, reason = "this is what a command says beside its result")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// A line of the result.
pub(crate) fn line(text: &str) {
    // Whoever has read enough, as `head` has, is no error.
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        std::process::exit(i32::from(error.kind() != std::io::ErrorKind::BrokenPipe));
    }
}

/// A result as JSON.
pub(crate) fn json(value: &Value) {
    line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Rows as a table: columns as wide as their widest cell, numbers to the right.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = heading.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let numeric = |column: usize| {
        !rows.is_empty() && rows.iter().filter_map(|row| row.get(column)).all(|cell| is_number(cell))
    };
    let print = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if numeric(column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        line(padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    print(&heading.iter().map(|cell| cell.to_uppercase()).collect::<Vec<_>>());
    rows.iter().for_each(|row| print(row));
}

fn is_number(cell: &str) -> bool {
    cell.chars().all(|character| character.is_ascii_digit() || matches!(character, '.' | '-'))
}

/// Rows as CSV after RFC 4180. A cell that a spreadsheet would take for a formula is quoted with an
/// apostrophe before it: names come from callers.
pub(crate) fn csv(heading: &[&str], rows: &[Vec<String>]) {
    line(&heading.join(","));
    for row in rows {
        line(&row.iter().map(|cell| csv_cell(cell)).collect::<Vec<_>>().join(","));
    }
}

fn csv_cell(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t']) && !is_number(cell);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::csv_cell;

    #[test]
    fn a_cell_is_text_and_never_a_formula() {
        assert_eq!(csv_cell("a,b"), "\"a,b\"");
        assert_eq!(csv_cell("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(csv_cell("=HYPERLINK()"), "'=HYPERLINK()");
        assert_eq!(csv_cell("-1.5"), "-1.5");
    }
}
