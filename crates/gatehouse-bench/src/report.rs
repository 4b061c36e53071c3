//! The table, and what it says about the promises.

use crate::measure::{FROM_BEDROCK, FROM_GEMINI, Figure, Results};
use crate::rig::{ASYNC, BARE, LOCAL, NGINX};
use std::fmt::Write as _;
use std::io::Write as _;

/// The columns: what stands above, what is shown, with how many decimals, and whether the ratio to nginx is
/// shown beside it.
const COLUMNS: [(&str, Figure, usize, bool); 16] = [
    ("CPU µs per call, 32 conn.", Figure::CallMicros(32), 1, true),
    ("1 conn.", Figure::CallMicros(1), 1, false),
    ("256 conn.", Figure::CallMicros(256), 1, false),
    ("calls/s, 32 conn.", Figure::Throughput(32), 0, false),
    ("256 conn.", Figure::Throughput(256), 0, false),
    ("CPU µs per chunk, paced", Figure::ChunkMicros, 1, true),
    ("of Bedrock's", Figure::TranslatedMicros(FROM_BEDROCK), 1, false),
    ("of Gemini's", Figure::TranslatedMicros(FROM_GEMINI), 1, false),
    ("1 MB body, CPU ms", Figure::LargeMillis, 2, true),
    ("first event ms", Figure::FirstMillis, 2, false),
    ("p50 ms at 1,000/s", Figure::P50Millis, 3, false),
    ("p99 ms at 1,000/s", Figure::P99Millis, 3, false),
    ("start to ready ms", Figure::StartMillis, 0, false),
    ("idle MB", Figure::IdleMegabytes, 1, false),
    ("MB with idle streams", Figure::StreamsMegabytes, 0, false),
    ("1 conn. calls/s", Figure::Throughput(1), 0, false),
];

/// Idle streams that the promise of memory is about.
const PROMISED_STREAMS: u32 = 10_000;

/// Everything as Markdown.
pub(crate) fn render(results: &Results) -> String {
    let mut out = String::from("# Bench\n\n");
    table(results, &mut out);
    promises(results, &mut out);
    if !results.failures.is_empty() {
        out.push_str("\nFailures:\n\n");
        for (place, count, first) in &results.failures {
            let _ = writeln!(out, "- {place}: {count}, the first: {first}");
        }
    }
    out
}

/// Prints the table.
pub(crate) fn show(table: &str) {
    let _ = std::io::stdout().write_all(table.as_bytes());
}

fn table(results: &Results, out: &mut String) {
    out.push_str("| target |");
    for (title, _, _, ratio) in COLUMNS {
        let _ = write!(out, " {title} |{}", if ratio { " × nginx |" } else { "" });
    }
    out.push_str("\n|---|");
    for (_, _, _, ratio) in COLUMNS {
        out.push_str(if ratio { "--:|--:|" } else { "--:|" });
    }
    out.push('\n');
    for name in &results.names {
        let _ = write!(out, "| {name} |");
        for (_, figure, decimals, ratio) in COLUMNS {
            let _ = write!(out, " {} |", shown(results.of(name, figure), decimals));
            if ratio {
                let _ = write!(out, " {} |", shown(results.ratio(name, NGINX, figure), 2));
            }
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "\nMedians of rounds in turns; CPU of the target's whole process tree; {} idle streams; the binary has \
         {:.1} MB.",
        results.idle,
        megabytes(results.binary_bytes),
    );
}

/// What is promised, and what was measured.
fn promises(results: &Results, out: &mut String) {
    let ratio = |figure| results.ratio(LOCAL, NGINX, figure);
    // The floor passes a stream of chat on, whatever is translated beside it.
    let translated =
        |model| results.ratio_of((LOCAL, Figure::TranslatedMicros(model)), (NGINX, Figure::ChunkMicros));
    // Against the least that is recorded: without a record there is no gateway.
    let share = |connections| {
        let kept = results.ratio(LOCAL, BARE, Figure::Throughput(connections))?;
        Some((1.0 - kept) * 100.0)
    };
    let of = |figure| results.of(LOCAL, figure);
    let added = |figure| Some(of(figure)? - results.of("no gateway", figure)?);
    let idle = format!("memory with {PROMISED_STREAMS} idle streams, MB (from {})", results.idle);
    let rows = [
        ("CPU per small call, × nginx", ratio(Figure::CallMicros(32)), 2.5),
        ("the same, records not waited for", results.ratio(ASYNC, NGINX, Figure::CallMicros(32)), 2.5),
        ("calls/s that the record costs, 256 connections, %", share(256), 15.0),
        ("the same, 32 connections", share(32), 15.0),
        ("CPU per chunk, × nginx", ratio(Figure::ChunkMicros), 1.6),
        ("CPU per chunk translated from Bedrock's event stream, × nginx", translated(FROM_BEDROCK), 3.0),
        ("CPU per chunk translated from Gemini, × nginx", translated(FROM_GEMINI), 3.0),
        ("CPU per 1 MB body, × nginx", ratio(Figure::LargeMillis), 2.0),
        ("added p50 at 1,000 calls/s, ms", added(Figure::P50Millis), 0.2),
        ("added p99 at 1,000 calls/s, ms", added(Figure::P99Millis), 1.0),
        ("idle memory, MB", of(Figure::IdleMegabytes), 30.0),
        (idle.as_str(), streams_megabytes(results), 400.0),
        ("start to ready, ms", of(Figure::StartMillis), 100.0),
        ("binary, MB", Some(megabytes(results.binary_bytes)), 40.0),
    ];
    out.push_str("\n| promise | at most | measured | kept |\n|---|--:|--:|---|\n");
    for (what, measured, most) in rows {
        let kept = measured.map_or("–", |measured| if measured <= most { "yes" } else { "**no**" });
        let _ = writeln!(out, "| {what} | {most} | {} | {kept} |", shown(measured, 2));
    }
}

/// The memory with as many streams as the promise speaks of: of fewer, each counts for what they took beyond
/// the idle gateway.
fn streams_megabytes(results: &Results) -> Option<f64> {
    let idle = results.of(LOCAL, Figure::IdleMegabytes)?;
    let beyond = results.of(LOCAL, Figure::StreamsMegabytes)? - idle;
    let streams = u32::try_from(results.idle).ok().filter(|streams| *streams > 0)?;
    Some(idle + beyond * f64::from(PROMISED_STREAMS) / f64::from(streams))
}

fn shown(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) * 1024.0 / 1e6
}
