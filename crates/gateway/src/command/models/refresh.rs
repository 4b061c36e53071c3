//! `gatehouse models refresh`: a newer catalogue, from a file or an address, if its hash is the one that was told.
//!
//! Nothing else ever goes out for a catalogue: not a start, not a reload.

use crate::catalogue;
use crate::cli::Place;
use crate::cli::models::Refresh;
use crate::data::Data;
use crate::output;
use crate::settings::Settings;
use anyhow::{Context as _, Result, bail};
use gatehouse_config::file;
use gatehouse_ledger::{Catalogue, Change};
use gatehouse_server::{clock, fetch};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Where it comes from.
enum Origin {
    File(PathBuf),
    Url(String),
}

/// Reads, checks, shows what changes, stores.
pub(super) fn run(place: &Place, wanted: &Refresh) -> Result<ExitCode> {
    // Who says everything here needs no configuration that can be used.
    let is_told = wanted.sha256.is_some() && (wanted.from.is_some() || wanted.url.is_some());
    let configured =
        if is_told { file::Catalogue::default() } else { Settings::load(place)?.config.catalogue };
    let origin = origin(wanted, &configured)?;
    let sha256 = wanted.sha256.as_ref().or(configured.sha256.as_ref()).context(
        "its SHA-256 has to be told, here (--sha256) or in the configuration (catalogue.sha256), from somewhere that is \
         trusted",
    )?;
    let bytes = origin.read()?;
    let next = Catalogue::verified(bytes.clone(), sha256)
        .with_context(|| format!("{} was not taken, nothing has changed", origin.name()))?;
    let before = catalogue::for_command(&place.data);
    if next.date() < before.date() {
        bail!(
            "{} is of {}, older than the one in force ({}): it was not taken, nothing has changed",
            origin.name(),
            next.date(),
            before.date()
        );
    }
    let changes = before.changes(&next, clock::unix_seconds());
    if !wanted.dry_run {
        catalogue::store(Data::open(&place.data)?.dir(), &bytes)?;
    }
    if wanted.json {
        output::json(&as_json(wanted, &before, &next, &changes));
    } else {
        print(wanted, &before, &next, &changes);
    }
    Ok(ExitCode::SUCCESS)
}

/// What the command names goes before what the configuration does.
fn origin(wanted: &Refresh, configured: &file::Catalogue) -> Result<Origin> {
    let told = wanted.from.clone().map(Origin::File).or(wanted.url.clone().map(Origin::Url));
    let written = || configured.file.as_ref().map(|file| Origin::File(file.into()));
    let online = || configured.url.clone().map(Origin::Url);
    told.or_else(written)
        .or_else(online)
        .context("name it: --from FILE, --url URL, or catalogue in the configuration")
}

fn print(wanted: &Refresh, before: &Catalogue, next: &Catalogue, changes: &[Change]) {
    let shown = |figure: &Option<String>| figure.clone().unwrap_or_else(|| "none".to_owned());
    for Change { key, figures } in changes {
        let figures: Vec<String> = figures
            .iter()
            .map(|(what, before, after)| format!("{what} {} -> {}", shown(before), shown(after)))
            .collect();
        output::line(&format!("{key}: {}", figures.join(", ")));
    }
    output::note(&format!("{} models change, from {} to {}", changes.len(), before.date(), next.date()));
    output::note(if wanted.dry_run {
        "nothing was stored"
    } else {
        "stored; a gateway that runs takes it with SIGHUP or its next start"
    });
}

fn as_json(wanted: &Refresh, before: &Catalogue, next: &Catalogue, changes: &[Change]) -> Value {
    let figure = |(what, before, after): &(&str, Option<String>, Option<String>)| json!({ "what": what, "before": before, "after": after });
    let changes: Vec<Value> = changes
        .iter()
        .map(|change| json!({ "model": change.key, "figures": change.figures.iter().map(figure).collect::<Vec<_>>() }))
        .collect();
    json!({
        "stored": !wanted.dry_run, "date_before": before.date(), "date": next.date(), "sha256": next.sha256(),
        "changes": changes,
    })
}

// === impl Origin ===

impl Origin {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url) => url.clone(),
        }
    }

    fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::File(path) => {
                catalogue::bytes(path).with_context(|| format!("{} cannot be read", path.display()))
            }
            Self::Url(url) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let document = runtime.block_on(fetch::document(url, Catalogue::BYTES_MAX));
                Ok(document.map_err(anyhow::Error::msg)?.to_vec())
            }
        }
    }
}
