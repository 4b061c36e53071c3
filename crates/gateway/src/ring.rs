//! Caller keys and administration keys, from the store to what the gateway authenticates with.

use anyhow::{Context as _, Result, anyhow};
use gatehouse_core::call::{Caller, Scope};
use gatehouse_core::record::UnixMicros;
use gatehouse_identity::admin::{Admin, AdminEntry, Admins, Role, mint_admin};
use gatehouse_identity::key::{ENTROPY_BYTES, Entry, Keys, Minted, Pepper, mint};
use gatehouse_ledger::{Limit, Window, parse_limit};
use gatehouse_server::house::KeyRing;
use gatehouse_store::{KeyRecord, Store};
use std::collections::HashMap;
use std::sync::Arc;

/// The keys that are in force.
pub(crate) fn load(store: &Store, pepper: &Arc<Pepper>) -> Result<KeyRing> {
    let mut limits = HashMap::new();
    let mut entries = Vec::new();
    for key in store.keys()?.into_iter().filter(|key| key.revoked_at.is_none()) {
        if let Some(window) = window(&key)? {
            limits.insert(key.key_id.as_str().into(), window);
        }
        entries.push(entry(&key));
    }
    Ok(KeyRing { keys: Keys::new(Arc::clone(pepper), entries), limits })
}

/// The administration keys that are in force.
pub(crate) fn admins(store: &Store, pepper: &Arc<Pepper>) -> Result<Admins> {
    let seconds = |at: UnixMicros| at / 1_000_000;
    let mut entries = Vec::new();
    for key in store.admins()?.into_iter().filter(|key| key.revoked_at.is_none()) {
        let role =
            Role::parse(&key.role).with_context(|| format!("{} has a role unknown here", key.key_id))?;
        let admin = Admin {
            id: key.key_id.into(),
            name: key.name.into(),
            role,
            org: key.org.into(),
            team: key.team.into(),
            content: key.content,
            mark: key.hash.0.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte)),
        };
        entries.push(AdminEntry {
            hash: key.hash.0,
            old: key.old.map(|(hash, until)| (hash.0, seconds(until))),
            admin: Arc::new(admin),
            expires_at: key.expires_at.map(seconds),
        });
    }
    Ok(Admins::new(Arc::clone(pepper), entries))
}

/// A new administration key.
pub(crate) fn new_admin(pepper: &Pepper) -> Result<Minted> {
    let mut entropy = [0; ENTROPY_BYTES];
    getrandom::fill(&mut entropy).context("no randomness for a key")?;
    Ok(mint_admin(&entropy, pepper))
}

/// What a key may spend, as a window of the budget counters.
pub(crate) fn window(key: &KeyRecord) -> Result<Option<Window>> {
    let Some(budget) = &key.budget else { return Ok(None) };
    let limit = limit(&format!("{} USD/{}", budget.limit, budget.period))
        .with_context(|| format!("the budget of {}", key.key_id))?;
    Ok(Some(Window::new(format!("key/{}", key.key_id), limit)))
}

/// Reads a budget as people write it.
pub(crate) fn limit(text: &str) -> Result<Limit> {
    parse_limit(text).map_err(|error| anyhow!(error.to_string()))
}

/// A new key.
pub(crate) fn new_key(pepper: &Pepper) -> Result<Minted> {
    let mut entropy = [0; ENTROPY_BYTES];
    getrandom::fill(&mut entropy).context("no randomness for a key")?;
    Ok(mint(&entropy, pepper))
}

fn entry(key: &KeyRecord) -> Entry {
    let seconds = |at: UnixMicros| at / 1_000_000;
    let text = |text: &String| -> Arc<str> { text.as_str().into() };
    let caller = Caller {
        key_id: text(&key.key_id),
        key_name: text(&key.name),
        models: key.models.iter().map(text).collect(),
        bound: Scope {
            org: text(&key.org),
            team: text(&key.team),
            app: text(&key.app),
            use_case: text(&key.use_case),
            user: text(&key.user),
            ..Scope::default()
        },
    };
    Entry {
        hash: key.hash.0,
        old: key.old.map(|(hash, until)| (hash.0, seconds(until))),
        caller: Arc::new(caller),
        expires_at: key.expires_at.map(seconds),
    }
}

/// Another secret for a key that exists: its public part stays.
pub(crate) fn new_secret(id: &str, pepper: &Pepper) -> Result<Minted> {
    other_secret(id, &new_key(pepper)?, pepper)
}

/// The same for an administration key.
pub(crate) fn new_secret_of_admin(id: &str, pepper: &Pepper) -> Result<Minted> {
    other_secret(id, &new_admin(pepper)?, pepper)
}

fn other_secret(id: &str, fresh: &Minted, pepper: &Pepper) -> Result<Minted> {
    let secret = secrecy::ExposeSecret::expose_secret(&fresh.key);
    let secret = secret.strip_prefix(&format!("{}_", fresh.id)).context("a key without a secret part")?;
    let key = secrecy::SecretString::from(format!("{id}_{secret}"));
    let hash = pepper.hash(&key);
    Ok(Minted { id: id.to_owned(), key, hash })
}
