//! `gatehouse audit hold`: calls of which nothing may be given up or erased, whatever its age.

use crate::cli::{AuditHold, HoldPlace, Place, Selected, Whose};
use crate::control::{Word, held, say};
use crate::data::Data;
use crate::output;
use crate::records;
use crate::when;
use anyhow::{Result, bail};
use gatehouse_audit::{EventKind, Leaf, rfc3339};
use gatehouse_server::clock::unix_micros;
use gatehouse_store::{Hold, Selection, Store};
use serde_json::{Value, json};
use std::process::ExitCode;

const HEADING: [&str; 5] = ["hold", "placed", "released", "calls", "reason"];

/// Places, lists or releases holds.
pub(crate) fn run(asked: &AuditHold) -> Result<ExitCode> {
    match asked {
        AuditHold::Place(asked) => place(asked),
        AuditHold::List { place, json } => list(place, *json),
        AuditHold::Release { place, number } => release(place, *number),
    }
}

fn place(asked: &HoldPlace) -> Result<ExitCode> {
    let data = Data::existing(&asked.place.data)?;
    let selection = selection(&asked.of)?;
    if selection == Selection::default() && !asked.all {
        bail!("say which calls are meant, for instance with --team or --run, or write --all");
    }
    let store = Store::open(data.dir())?;
    let number = store.place_hold(&asked.reason, &selection, unix_micros())?;
    record(&data, &store, EventKind::HoldPlaced, number)?;
    if asked.json {
        output::json(
            &json!({ "hold": number, "of": records::of(selection.named()), "reason": asked.reason }),
        );
    } else {
        output::line(&format!("hold {number} is in force: nothing of these calls is given up or erased"));
    }
    Ok(ExitCode::SUCCESS)
}

fn list(place: &Place, json: bool) -> Result<ExitCode> {
    let data = Data::existing(&place.data)?;
    let holds = Store::open(data.dir())?.holds()?;
    if json {
        output::json(&Value::Array(holds.iter().map(as_json).collect()));
    } else if holds.is_empty() {
        output::note("no holds");
    } else {
        output::table(&HEADING, &holds.iter().map(as_row).collect::<Vec<_>>());
    }
    Ok(ExitCode::SUCCESS)
}

fn release(place: &Place, number: u64) -> Result<ExitCode> {
    let data = Data::existing(&place.data)?;
    let store = Store::open(data.dir())?;
    if !store.release_hold(number, unix_micros())? {
        output::note(&format!("there is no hold {number} in force"));
        return Ok(ExitCode::FAILURE);
    }
    record(&data, &store, EventKind::HoldReleased, number)?;
    output::line(&format!("hold {number} is released"));
    Ok(ExitCode::SUCCESS)
}

/// Tells a gateway that runs; when none runs, we write it down.
fn record(data: &Data, store: &Store, kind: EventKind, number: u64) -> Result<()> {
    if !say(data, &Word::Hold(kind == EventKind::HoldPlaced, number))? {
        let log = data.log()?;
        log.append(Leaf::Event(&held(store, log.subjects(), kind, number)?))?;
    }
    Ok(())
}

/// Which calls are meant.
pub(super) fn selection(asked: &Selected) -> Result<Selection> {
    Ok(Selection { record: asked.record.clone(), ..account(&asked.of)? })
}

/// The same, but for one call by its id.
pub(super) fn account(asked: &Whose) -> Result<Selection> {
    let asked = asked.clone();
    Ok(Selection {
        org: asked.org,
        team: asked.team,
        app: asked.app,
        use_case: asked.use_case,
        user: asked.user,
        key: asked.key,
        run: asked.run,
        model: asked.model,
        record: None,
        since: asked.since.as_deref().map(when::past).transpose()?,
        until: asked.until.as_deref().map(when::past).transpose()?,
    })
}

fn as_json(hold: &Hold) -> Value {
    json!({
        "hold": hold.number, "reason": hold.reason, "of": records::of(hold.selection.named()), "placed_at": rfc3339(hold.placed_at),
        "released_at": hold.released_at.map(rfc3339),
    })
}

fn as_row(hold: &Hold) -> Vec<String> {
    let calls: Vec<String> =
        hold.selection.named().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let short = |at| rfc3339(at).chars().take(19).collect::<String>();
    vec![
        hold.number.to_string(),
        short(hold.placed_at),
        hold.released_at.map(short).unwrap_or_default(),
        if calls.is_empty() { "all".to_owned() } else { calls.join(" ") },
        hold.reason.clone(),
    ]
}
