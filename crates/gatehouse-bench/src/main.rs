//! Speed and memory: every target under the same load, in turns, in one run.
//!
//! CPU time is what the target's whole process tree used, so it barely moves with other load on the
//! machine; latencies do. `bench/run.sh` calls this.

mod load;
mod measure;
mod process;
mod report;
mod rig;
mod stats;
mod target;

use anyhow::{Context as _, Result};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures the gateway against a plain reverse proxy, and against peers that already run.
#[derive(Debug, Parser)]
#[command(max_term_width = 100, args_override_self = true)]
struct Arguments {
    /// The gatehouse binary.
    #[arg(long)]
    gatehouse: PathBuf,
    /// The nginx binary.
    #[arg(long, default_value = "nginx")]
    nginx: PathBuf,
    /// Where the run keeps its data and logs: on the disk that the records are to be durable on.
    #[arg(long, default_value = "bench/.cache/run")]
    work: PathBuf,
    /// Where the table goes as Markdown.
    #[arg(long, default_value = "bench/results/latest.md")]
    out: PathBuf,
    /// Rounds; the medians of them are shown.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of one closed loop.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Streams of the idle measurement; 0 leaves it out.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// The loads to run, separated by commas. Default: all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Peers that run already: a JSON file, see `bench/peers.sh`.
    #[arg(long)]
    peers: Option<PathBuf>,
    /// Where the simulated provider listens; peers have to know it before.
    #[arg(long)]
    sim: Option<std::net::SocketAddr>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    // One thread for the load: it shares the cores with what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let results = runtime.block_on(run(&arguments))?;
    let table = report::render(&results);
    if let Some(folder) = arguments.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&arguments.out, &table)
        .with_context(|| format!("cannot write {}", arguments.out.display()))?;
    report::show(&table);
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: &Arguments) -> Result<measure::Results> {
    let rig = rig::Rig::start(arguments).await?;
    measure::all(&rig, arguments).await
}
