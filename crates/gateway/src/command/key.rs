//! `gatehouse key`: caller keys and keys for administration, made, listed, rotated, revoked. Works whether the gateway runs or not; one
//! that runs hears of the change before the command ends.

mod admins;

use crate::cli::{KeyCreate, Place};
use crate::control::{Change, Word, say};
use crate::data::Data;
use crate::output;
use crate::ring;
use crate::settings::Source;
use crate::when;
use anyhow::{Context as _, Result, bail};
use gatehouse_audit::{Leaf, rfc3339};
use gatehouse_config::file::Only;
use gatehouse_config::slip;
use gatehouse_config::unit::Duration;
use gatehouse_core::record::UnixMicros;
use gatehouse_identity::key::Minted;
use gatehouse_ledger::Period;
use gatehouse_server::clock::unix_micros;
use gatehouse_store::{KeyBudget, KeyHash, KeyRecord, Store};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Makes a key and shows it once.
pub(crate) fn create(wanted: &KeyCreate) -> Result<()> {
    let data = Data::open(&wanted.place.data)?;
    let store = Store::open(data.dir())?;
    if let Some(role) = admins::wanted(wanted)? {
        return admins::create(&data, &store, wanted, role);
    }
    refuse_slips(wanted)?;
    let budget = wanted
        .budget
        .as_deref()
        .map(ring::limit)
        .transpose()?
        .map(|limit| KeyBudget { limit: limit.amount, period: limit.period.as_str().to_owned() });
    let expires_at = wanted.expires.as_deref().map(when::future).transpose()?;
    let minted = ring::new_key(data.pepper()?.as_ref())?;
    let record = KeyRecord {
        key_id: minted.id.clone(),
        hash: KeyHash(minted.hash),
        old: None,
        name: wanted.name.clone(),
        org: wanted.org.clone(),
        team: wanted.team.clone(),
        app: wanted.app.clone(),
        use_case: wanted.use_case.clone(),
        user: wanted.user.clone(),
        models: wanted.models.clone(),
        budget,
        created_at: unix_micros(),
        expires_at,
        revoked_at: None,
    };
    store.create_key(&record)?;
    changed(&data, &store, Change::Created, &record.key_id)?;
    show_once(&minted, as_json(&record), wanted.json);
    Ok(())
}

/// A key for an account that the configuration does not know would never be what was meant. A configuration
/// that cannot be read here, such as one whose variables only the gateway has, does not keep anybody from
/// making keys.
fn refuse_slips(wanted: &KeyCreate) -> Result<()> {
    let named = |name: &String| (!name.is_empty()).then(|| name.clone());
    let account = Only {
        org: None,
        team: named(&wanted.team),
        app: named(&wanted.app),
        use_case: named(&wanted.use_case),
    };
    if account.team.is_none() && account.app.is_none() {
        return Ok(());
    }
    let source = Source::of(&wanted.place);
    let Ok(settings) = source.read() else {
        let name = source.name();
        output::note(&format!("{name} cannot be used here: team, app and use case are taken as they are"));
        return Ok(());
    };
    match slip(&settings.config.teams, &account) {
        Some(slip) => bail!("{}: {slip}", settings.source),
        None => Ok(()),
    }
}

/// Lists the keys.
pub(crate) fn list(place: &Place, json: bool) -> Result<()> {
    let data = Data::existing(&place.data)?;
    let store = Store::open(data.dir())?;
    let (keys, admins) = (store.keys()?, store.admins()?);
    if json {
        let all = keys.iter().map(as_json).chain(admins.iter().map(admins::as_json));
        output::json(&Value::Array(all.collect()));
        return Ok(());
    }
    let heading =
        ["id", "name", "team", "app", "use case", "models", "budget", "created", "expires", "state"];
    let rows: Vec<Vec<String>> = keys.iter().map(as_row).collect();
    output::table(&heading, &rows);
    admins::print(&admins);
    Ok(())
}

/// Gives a key another secret.
pub(crate) fn rotate(place: &Place, id: &str, grace: &str, json: bool) -> Result<ExitCode> {
    let data = Data::existing(&place.data)?;
    let store = Store::open(data.dir())?;
    let grace =
        Duration::parse(grace).with_context(|| format!("--grace {grace:?}: write a duration such as 1h"))?;
    if store.admin(id)?.is_some() {
        return admins::rotate(&data, &store, id, grace, json);
    }
    // The public part stays: records before and after belong to one key.
    let minted = ring::new_secret(id, data.pepper()?.as_ref())?;
    let until = (!grace.0.is_zero()).then(|| unix_micros() + when::micros(grace));
    if !store.rotate_key(id, KeyHash(minted.hash), until)? {
        output::note(&format!("there is no key {id} that could be rotated"));
        return Ok(ExitCode::FAILURE);
    }
    changed(&data, &store, Change::Rotated, id)?;
    let record = store.key(id)?.context("the key is gone")?;
    show_once(&minted, as_json(&record), json);
    Ok(ExitCode::SUCCESS)
}

/// Revokes a key.
pub(crate) fn revoke(place: &Place, id: &str) -> Result<ExitCode> {
    let data = Data::existing(&place.data)?;
    let (store, now) = (Store::open(data.dir())?, unix_micros());
    if !store.revoke_key(id, now)? && !store.revoke_admin(id, now)? {
        output::note(&format!("there is no key {id} that could be revoked"));
        return Ok(ExitCode::FAILURE);
    }
    changed(&data, &store, Change::Revoked, id)?;
    output::line(&format!("{id} is revoked"));
    Ok(ExitCode::SUCCESS)
}

/// Tells a gateway that runs, which writes the change into the book; when none runs, we do.
fn changed(data: &Data, store: &Store, change: Change, id: &str) -> Result<()> {
    if !say(data, &Word::Key(change, id.to_owned()))? {
        let log = data.log().context("the change could not be recorded")?;
        log.append(Leaf::Event(&change.event(store, id)?))?;
    }
    Ok(())
}

fn show_once(minted: &Minted, mut shown: Value, json: bool) {
    let secret = minted.key.expose_secret();
    if json {
        if let Some(members) = shown.as_object_mut() {
            members.insert("key".to_owned(), json!(secret));
        }
        output::json(&shown);
        return;
    }
    output::note("The key, shown this once:");
    output::line(secret);
}

fn state(revoked_at: Option<UnixMicros>, expires_at: Option<UnixMicros>) -> &'static str {
    match (revoked_at, expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= unix_micros() => "expired",
        _ => "valid",
    }
}

fn budget(key: &KeyRecord) -> Option<String> {
    let budget = key.budget.as_ref()?;
    let lifetime = budget.period == Period::Lifetime.as_str();
    let period = if lifetime { String::new() } else { format!("/{}", budget.period) };
    Some(format!("{} USD{period}", budget.limit))
}

fn as_row(key: &KeyRecord) -> Vec<String> {
    let day = |at: UnixMicros| rfc3339(at).chars().take(10).collect::<String>();
    let models = if key.models.is_empty() { "all".to_owned() } else { key.models.join(",") };
    vec![
        key.key_id.clone(),
        key.name.clone(),
        key.team.clone(),
        key.app.clone(),
        key.use_case.clone(),
        models,
        budget(key).unwrap_or_default(),
        day(key.created_at),
        key.expires_at.map(day).unwrap_or_default(),
        state(key.revoked_at, key.expires_at).to_owned(),
    ]
}

fn as_json(key: &KeyRecord) -> Value {
    json!({
        "id": key.key_id, "name": key.name, "org": key.org, "team": key.team, "app": key.app,
        "use_case": key.use_case, "user": key.user, "models": key.models, "budget": budget(key),
        "created_at": rfc3339(key.created_at), "expires_at": key.expires_at.map(rfc3339),
        "revoked_at": key.revoked_at.map(rfc3339), "state": state(key.revoked_at, key.expires_at),
    })
}
