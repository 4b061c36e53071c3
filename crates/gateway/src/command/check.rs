//! `gatehouse check`: everything that `serve` would refuse, without starting anything.

use crate::anchors::Anchors;
use crate::cli::Place;
use crate::output;
use crate::settings::{Settings, Source};
use anyhow::Result;
use gatehouse_config::file::Config;
use gatehouse_config::{Fault, Faults, Severity};
use gatehouse_server::snapshot::Snapshot;
use gatehouse_server::telemetry::otlp;
use serde_json::json;
use std::process::ExitCode;

/// Stands for the simulated provider, which is not started here.
const PLACEHOLDER: &str = "http://127.0.0.1:9";

/// Checks the configuration of this place: 0 when it is valid, 1 when it is not.
pub(crate) fn run(place: &Place, json: bool) -> Result<ExitCode> {
    let source = Source::of(place);
    let (settings, faults) = match checked(&source) {
        Ok(settings) => {
            let warnings = settings.warnings.clone();
            (Some(settings), warnings)
        }
        Err(Faults(faults)) => (None, faults),
    };
    if json {
        print_json(&source, settings.as_ref(), &faults);
    } else {
        print(&source, settings.as_ref(), &faults);
    }
    Ok(if settings.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the configuration and prepares everything as `serve` does.
fn checked(source: &Source) -> Result<Settings, Faults> {
    let settings = source.read()?;
    let compiled = Snapshot::compile(&settings.config, &settings.version, Some(PLACEHOLDER), None).map(drop);
    let collector = settings.config.telemetry.otlp.as_deref();
    let exported = otlp::Settings::find(collector, &|name| std::env::var(name).ok()).map(drop);
    let anchored = Anchors::of(&settings.config.record).map(drop).map_err(|error| error.to_string());
    let refused: Vec<Fault> = [compiled, exported, anchored]
        .into_iter()
        .filter_map(Result::err)
        .map(|message| Fault::of_file(&settings.source, message))
        .collect();
    if refused.is_empty() {
        return Ok(settings);
    }
    Err(Faults(settings.warnings.into_iter().chain(refused).collect()))
}

fn print(source: &Source, settings: Option<&Settings>, faults: &[Fault]) {
    for fault in faults {
        output::line(&fault.to_string());
    }
    match settings {
        Some(settings) => output::line(&format!("{}: valid, {}", source.name(), summary(&settings.config))),
        None => {
            let errors = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
            output::line(&format!("{}: not valid, {}", source.name(), counted(errors, "fault")));
        }
    }
}

fn print_json(source: &Source, settings: Option<&Settings>, faults: &[Fault]) {
    output::json(&json!({
        "valid": settings.is_some(),
        "source": source.name(),
        "version": settings.map(|settings| &settings.version),
        "faults": faults,
    }));
}

/// What is configured, in one line.
fn summary(config: &Config) -> String {
    let providers: Vec<&str> = config.providers.iter().map(|(name, _)| name).collect();
    format!(
        "{} ({}), {}, {}, {}",
        counted(providers.len(), "provider"),
        providers.join(", "),
        counted(config.models.iter().count(), "model"),
        counted(config.guards.len(), "guardrail"),
        counted(config.teams.len(), "team"),
    )
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{checked, summary};
    use crate::settings::Source;

    fn source(text: &str) -> (tempfile::TempDir, Source) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gatehouse.yaml");
        std::fs::write(&path, text).unwrap();
        (dir, Source::File(path))
    }

    #[test]
    fn a_valid_file_is_summed_up() {
        let (_dir, source) =
            source("providers: { sim: { api: sim } }\nmodels: { m: { targets: [sim/small] } }\n");
        let settings = checked(&source).unwrap();
        assert_eq!(summary(&settings.config), "1 provider (sim), 1 model, 0 guardrails, 0 teams");
    }

    #[test]
    fn what_only_compiling_finds_is_found() {
        let word = "x".repeat(500);
        let text = format!(
            "providers: {{ sim: {{ api: sim }} }}\nguards: [{{ name: w, detect: words, words: [{word}], do: flag }}]\n"
        );
        let (_dir, source) = source(&text);
        assert!(checked(&source).err().unwrap().to_string().contains("guards.w.words"));
    }
}
