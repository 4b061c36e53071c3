//! `gatehouse replay`: what another configuration would have made of the calls on record. Nothing is sent.

mod again;
mod report;

use crate::catalogue;
use crate::cli::Replay;
use crate::command::explain::PLACEHOLDER;
use crate::control::{Word, looked, say};
use crate::data::Data;
use crate::settings::Settings;
use crate::when;
use again::Again;
use anyhow::{Context as _, Result, anyhow, bail};
use gatehouse_audit::{
    Contents, Cursor, Kept, Leaf, Part, Reader, Standing, Subjects, View, read_at, shard_dir, shards,
};
use gatehouse_server::clock::unix_micros;
use gatehouse_server::snapshot::Snapshot;
use gatehouse_store::Store;
use report::Report;
use std::path::Path;

/// Which calls, by when they were accepted.
struct Span {
    since: u64,
    until: u64,
}

/// Goes through the record and prints what would change.
pub(crate) fn run(asked: &Replay) -> Result<()> {
    let data = Data::existing(&asked.place.data)?;
    if asked.place.config.is_none() {
        bail!("name the other configuration with --config");
    }
    let settings = Settings::load(&asked.place)?;
    let catalogue = catalogue::for_command(data.dir());
    let snapshot =
        Snapshot::compile_with(&settings.config, &settings.version, Some(PLACEHOLDER), None, catalogue)
            .map_err(|error| anyhow!(error))?;
    let span = Span {
        since: when::past(&asked.since)?,
        until: asked.until.as_deref().map(when::past).transpose()?.unwrap_or_else(unix_micros),
    };
    let again = Again::new(&snapshot, Store::open(data.dir())?.keys()?);
    let mut report = Report::default();
    for shard in shards(data.dir())? {
        let subjects = data.subjects(&shard)?;
        go_through(&shard_dir(data.dir(), &shard), &subjects, &span, &again, &mut report)?;
    }
    let judged = report.judged();
    if judged > 0 && !say(&data, &Word::Looked("replay".to_owned(), judged))? {
        data.log()?.append(Leaf::Event(&looked("replay", judged)))?;
    }
    report.print(asked.json);
    Ok(())
}

fn go_through(
    log: &Path,
    subjects: &Subjects,
    span: &Span,
    again: &Again<'_>,
    report: &mut Report,
) -> Result<()> {
    let mut reader = Reader::open(log, Cursor::default(), Contents::Skip);
    while let Some(entry) = reader.next()? {
        let view = View::parse(&entry.leaf).context("a record does not read")?;
        let wanted = view.part() == Part::Ending && (span.since..span.until).contains(&view.accepted_at());
        if !wanted || !again.concerns(&view) {
            continue;
        }
        let request = || request(log, entry.at, subjects);
        let now = again.again(&view, request)?;
        report.add(&view, &now);
    }
    Ok(())
}

/// What was asked, where all of it is kept and can be read.
fn request(log: &Path, at: Cursor, subjects: &Subjects) -> Result<Option<String>> {
    let Some(entry) = read_at(log, at)? else { return Ok(None) };
    let bodies = entry.payloads(subjects).context("a record does not read")?;
    let whole = |body: &Kept| {
        let text = body.text.as_ref()?;
        let whole =
            body.standing == Standing::Intact && u64::try_from(text.len()).is_ok_and(|len| len == body.bytes);
        whole.then(|| text.clone())
    };
    Ok(bodies.iter().find(|body| body.role == "request").and_then(whole))
}
