//! Keys for administration: who may look at the records, and at which.

use super::{changed, show_once, state};
use crate::cli::KeyCreate;
use crate::control::Change;
use crate::data::Data;
use crate::output;
use crate::ring;
use crate::when;
use anyhow::{Context as _, Result, bail};
use gatehouse_audit::rfc3339;
use gatehouse_core::record::UnixMicros;
use gatehouse_identity::admin::Role;
use gatehouse_server::clock::unix_micros;
use gatehouse_store::{AdminRecord, KeyHash, Store};
use serde_json::{Value, json};
use std::process::ExitCode;

/// The role that is wanted, if any. What makes no sense with it is refused, never left out.
pub(super) fn wanted(wanted: &KeyCreate) -> Result<Option<Role>> {
    let named = if wanted.admin { Some("owner") } else { wanted.role.as_deref() };
    let Some(named) = named else {
        if wanted.content {
            bail!("--content is for keys for administration: name a --role too");
        }
        return Ok(None);
    };
    let role = Role::parse(named).with_context(|| format!("there is no role {named:?}"))?;
    let callers = [
        ("--app", !wanted.app.is_empty()),
        ("--use-case", !wanted.use_case.is_empty()),
        ("--user", !wanted.user.is_empty()),
        ("--models", !wanted.models.is_empty()),
        ("--budget", wanted.budget.is_some()),
    ];
    if let Some((name, _)) = callers.iter().find(|(_, given)| *given) {
        bail!("{name} is for caller keys: a key with a role makes no calls");
    }
    let is_bound = !wanted.team.is_empty() || !wanted.org.is_empty();
    if is_bound && !role.may_be_bound() {
        bail!("the role {named} sees every team: for one team take team-admin or viewer");
    }
    if !is_bound && role == Role::TeamAdmin {
        bail!("a team-admin is bound to a team: name it with --team (or an organisation with --org)");
    }
    if wanted.content && !role.may_be_given_content() {
        bail!("the role {named} never reads what was said: take team-admin or auditor");
    }
    Ok(Some(role))
}

/// Makes a key and shows it once.
pub(super) fn create(data: &Data, store: &Store, wanted: &KeyCreate, role: Role) -> Result<()> {
    super::refuse_slips(wanted)?;
    let expires_at = wanted.expires.as_deref().map(when::future).transpose()?;
    let minted = ring::new_admin(data.pepper()?.as_ref())?;
    let record = AdminRecord {
        key_id: minted.id.clone(),
        hash: KeyHash(minted.hash),
        old: None,
        name: wanted.name.clone(),
        role: role.as_str().to_owned(),
        org: wanted.org.clone(),
        team: wanted.team.clone(),
        content: wanted.content || role == Role::Owner,
        created_at: unix_micros(),
        expires_at,
        revoked_at: None,
    };
    store.create_admin(&record)?;
    changed(data, store, Change::Created, &record.key_id)?;
    show_once(&minted, as_json(&record), wanted.json);
    Ok(())
}

/// Gives a key another secret.
pub(super) fn rotate(
    data: &Data,
    store: &Store,
    id: &str,
    grace: gatehouse_config::unit::Duration,
    json: bool,
) -> Result<ExitCode> {
    let minted = ring::new_secret_of_admin(id, data.pepper()?.as_ref())?;
    let until = (!grace.0.is_zero()).then(|| unix_micros() + when::micros(grace));
    if !store.rotate_admin(id, KeyHash(minted.hash), until)? {
        output::note(&format!("there is no key {id} that could be rotated"));
        return Ok(ExitCode::FAILURE);
    }
    changed(data, store, Change::Rotated, id)?;
    let record = store.admin(id)?.context("the key is gone")?;
    show_once(&minted, as_json(&record), json);
    Ok(ExitCode::SUCCESS)
}

/// Lists them, if there are any.
pub(super) fn print(admins: &[AdminRecord]) {
    if admins.is_empty() {
        return;
    }
    let day = |at: UnixMicros| rfc3339(at).chars().take(10).collect::<String>();
    let heading = ["id", "name", "role", "org", "team", "content", "created", "expires", "state"];
    let rows: Vec<Vec<String>> = admins
        .iter()
        .map(|key| {
            vec![
                key.key_id.clone(),
                key.name.clone(),
                key.role.clone(),
                key.org.clone(),
                key.team.clone(),
                if key.content { "yes" } else { "no" }.to_owned(),
                day(key.created_at),
                key.expires_at.map(day).unwrap_or_default(),
                state(key.revoked_at, key.expires_at).to_owned(),
            ]
        })
        .collect();
    output::line("");
    output::table(&heading, &rows);
}

/// A key without its secret.
pub(super) fn as_json(key: &AdminRecord) -> Value {
    json!({
        "id": key.key_id, "name": key.name, "role": key.role, "org": key.org, "team": key.team,
        "content": key.content, "created_at": rfc3339(key.created_at), "expires_at": key.expires_at.map(rfc3339),
        "revoked_at": key.revoked_at.map(rfc3339), "state": state(key.revoked_at, key.expires_at),
    })
}
