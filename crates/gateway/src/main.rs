//! `gatehouse`: the command line, and the place where everything is put together.
//!
//! Exit codes: 0 done, 1 the answer is no or something failed, 2 wrong use.

mod anchors;
mod answers;
mod api;
mod catalogue;
mod cli;
mod command;
mod control;
mod data;
mod erasing;
mod export;
mod index;
mod output;
mod receipts;
mod records;
mod retention;
mod ring;
mod search;
mod settings;
mod shelf;
mod sinks;
mod tail;
mod when;

use clap::Parser as _;
use cli::{AuditCommand, Cli, Command, KeyCommand};
use std::process::ExitCode;
use std::time::Duration;

/// Requests make and free many small buffers on all threads at once, which this allocator is made for.
/// Without huge pages: idle streams touch a little of many pages, and would hold half as much again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long what blocks a thread may hold up the end of the process, once the work is done.
const STOP_TIME_MAX: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            output::problem(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let done = |result: anyhow::Result<()>| result.map(|()| ExitCode::SUCCESS);
    match command {
        Command::Serve(place) => done(on_runtime(command::serve::run(&place))),
        Command::Demo(place) => done(on_runtime(command::demo::run(&place))),
        Command::Sim(sim) => done(on_runtime(command::sim::run(&sim))),
        Command::Check { place, json } => command::check::run(&place, json),
        Command::Schema => done(command::schema::run()),
        Command::Explain(explain) => command::explain::run(&explain),
        Command::Models(models) => command::models::run(&models),
        Command::Key(KeyCommand::Create(create)) => done(command::key::create(&create)),
        Command::Key(KeyCommand::List { place, json }) => done(command::key::list(&place, json)),
        Command::Key(KeyCommand::Rotate { place, id, grace, json }) => {
            command::key::rotate(&place, &id, &grace, json)
        }
        Command::Key(KeyCommand::Revoke { place, id }) => command::key::revoke(&place, &id),
        Command::Usage(usage) => done(command::usage::run(&usage)),
        Command::Replay(replay) => done(command::replay::run(&replay)),
        Command::Import(import) => command::import::run(&import),
        Command::Audit(AuditCommand::Query(query)) => done(command::audit::query(&query)),
        Command::Audit(AuditCommand::Show { place, record, json }) => {
            command::audit::show(&place, &record, json)
        }
        Command::Audit(AuditCommand::Verify(verify)) => command::audit::verify::run(&verify),
        Command::Audit(AuditCommand::Prove { place, record, out }) => {
            command::audit::prove::run(&place, &record, out.as_deref())
        }
        Command::Audit(AuditCommand::Erase(erase)) => command::audit::erase::run(&erase),
        Command::Audit(AuditCommand::Hold(hold)) => command::audit::hold::run(&hold),
        Command::Audit(AuditCommand::Prune(prune)) => done(command::audit::prune::run(&prune)),
        Command::Audit(AuditCommand::Export(export)) => done(command::audit::export::run(&export)),
    }
}

/// Runs the long-lived commands: logs on standard error, a runtime with a thread for each core.
fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    output::start_logging();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // The look-up of a name, or a file on a disk that does not answer, is not waited for.
    runtime.shutdown_timeout(STOP_TIME_MAX);
    done
}
