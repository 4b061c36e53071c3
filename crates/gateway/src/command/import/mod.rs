//! `gatehouse import`: another gateway's configuration, or an environment, as a configuration of ours.
//!
//! A source is read (`foreign`, `env`), mapped without any IO (`litellm`, `env`) to a draft, and the draft is written.
//! Whatever does not go over as it was has its line in the report; nothing is passed over in silence, and no secret
//! is copied.

mod draft;
mod env;
mod litellm;
mod report;
mod secrets;
mod yaml;

use crate::cli::import::{Import, ImportCommand};
use crate::output;
use crate::settings::known_kinds;
use anyhow::{Context as _, Result, bail};
use draft::Draft;
use gatehouse_config::{Fault, Faults, Known, Severity, foreign};
use report::Report;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// What an import comes to.
struct Imported {
    draft: Draft,
    report: Report,
    /// The lines of comment above it.
    heading: String,
}

/// Stands for a variable that is not set here.
const PLACEHOLDER: &str = "http://127.0.0.1:9";

/// Reads, maps, writes and reports.
pub(crate) fn run(command: &ImportCommand) -> Result<ExitCode> {
    let (ImportCommand::Litellm(wanted) | ImportCommand::Env(wanted)) = command;
    let file = wanted.file.display().to_string();
    let text = gatehouse_config::contents(&wanted.file)
        .map_err(|message| Faults(vec![Fault::of_file(&file, message)]))?;
    let mut imported = match command {
        ImportCommand::Litellm(_) => litellm::import(&foreign::read(&text, &file)?, &file)?,
        ImportCommand::Env(_) => env::import(&text, &file)?,
    };
    imported.report.sorted();
    let written = imported.draft.written(&imported.heading);
    let target = wanted.output.as_deref().unwrap_or(Path::new("gatehouse.yaml"));
    let faults = checked(&written, &target.to_string_lossy());
    if let Some(output) = &wanted.output {
        write_new(output, &written, wanted.force)?;
    }
    if wanted.json {
        let output = wanted.output.as_ref().map(|path| path.display().to_string());
        let report = imported.report.json();
        output::json(&json!({ "source": file, "output": output, "configuration": written, "report": report,
                              "faults": faults }));
    } else {
        print(wanted, &file, &written, &imported.report, &faults);
    }
    let valid = faults.iter().all(|fault| fault.severity == Severity::Warning);
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(wanted: &Import, file: &str, written: &str, report: &Report, faults: &[Fault]) {
    if wanted.output.is_none() {
        output::line(written.trim_end());
    }
    report.print(file);
    for fault in faults {
        output::note(&fault.to_string());
    }
    if let Some(output) = &wanted.output {
        let shown = output.display();
        output::note(&format!(
            "written to {shown}; \"gatehouse check --config {shown}\" says what is still missing"
        ));
    }
}

/// What `gatehouse check` will say of the result once all variables are set.
fn checked(text: &str, file: &str) -> Vec<Fault> {
    let kinds = known_kinds();
    // What the machine has set counts; listeners of a gateway that runs here do not.
    let env = |name: &str| match std::env::var(name) {
        Ok(value) if !value.is_empty() => Some(value),
        _ if name.starts_with("GATEHOUSE_") => None,
        _ => Some(PLACEHOLDER.to_owned()),
    };
    match gatehouse_config::parse(&without_files(text), file, &env, &Known { kinds: &kinds }) {
        Ok(loaded) => loaded.warnings,
        Err(Faults(faults)) => faults,
    }
}

/// Files that are referred to are those of the machine where the gateway runs: here a variable stands for each.
fn without_files(text: &str) -> String {
    let mut parts = text.split("${file:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        let behind = part.split_once('}').map_or(part, |(_, behind)| behind);
        whole + "${A_FILE}" + behind
    })
}

/// Writes the file, whole or not at all.
fn write_new(path: &Path, text: &str, force: bool) -> Result<()> {
    if path.exists() && !force {
        bail!("{} is there already; name another with -o, or say --force", path.display());
    }
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&aside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write()
        .inspect_err(|_| drop(fs::remove_file(&aside)))
        .with_context(|| format!("{} cannot be written", path.display()))
}
