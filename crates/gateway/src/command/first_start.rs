//! What a newcomer sees: the address, a key, a ready `curl`, and after the first call what it cost and why
//! it went where it went.

use crate::ring;
use crate::settings::Settings;
use anyhow::Result;
use gatehouse_audit::{Event, EventKind, Leaf, Log};
use gatehouse_core::record::{CostStatus, Ending, Settled};
use gatehouse_identity::key::{Minted, Pepper};
use gatehouse_server::clock;
use gatehouse_server::house::Observer;
use gatehouse_store::{KeyHash, KeyRecord, Store};
use secrecy::ExposeSecret as _;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

const FIRST_START: &str = "first_start";
const FIRST_CALL: &str = "first_call";

/// Makes the first key, at the first start of a data folder without keys.
pub(crate) fn key(store: &Store, pepper: &Pepper, log: &Log) -> Result<Option<Minted>> {
    if !store.keys()?.is_empty() || !store.claim_setting(FIRST_START, "done")? {
        return Ok(None);
    }
    let minted = ring::new_key(pepper)?;
    store.create_key(&KeyRecord {
        key_id: minted.id.clone(),
        hash: KeyHash(minted.hash),
        old: None,
        name: "first key".to_owned(),
        org: String::new(),
        team: String::new(),
        app: String::new(),
        use_case: String::new(),
        user: String::new(),
        models: Vec::new(),
        budget: None,
        created_at: clock::unix_micros(),
        expires_at: None,
        revoked_at: None,
    })?;
    let event = Event::new(EventKind::KeyCreated, clock::unix_micros())
        .by("first start")
        .field("key", minted.id.clone());
    log.append(Leaf::Event(&event))?;
    Ok(Some(minted))
}

/// Says where the gateway is and how to use it.
pub(crate) fn greet(settings: &Settings, calls: SocketAddr, admin: SocketAddr, key: Option<&Minted>) {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\nGatehouse {} is ready", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "  calls      http://{calls}");
    let _ = writeln!(text, "  metrics    http://{admin}/metrics");
    let _ = writeln!(text, "  config     {}", settings.source);
    let names: Vec<&str> = settings.config.providers.iter().map(|(name, _)| name).collect();
    let _ = writeln!(text, "  providers  {}", names.join(", "));
    if settings.only_simulated() {
        let _ = writeln!(
            text,
            "\n  No provider key was found, so answers are SIMULATED: nothing leaves this machine and nothing is\n  \
             billed. Set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY and start again for real ones."
        );
    }
    let shown = match key {
        Some(minted) => {
            let key = minted.key.expose_secret().to_owned();
            let _ = writeln!(text, "\n  Your first caller key, shown this once:\n\n      {key}");
            key
        }
        None => "$GATEHOUSE_KEY".to_owned(),
    };
    let model = settings.example_model();
    let _ = writeln!(
        text,
        "\n  Try it:\n\n      curl http://{calls}/v1/chat/completions \\\n        -H \"Authorization: Bearer {shown}\" \\\n        \
         -H \"Content-Type: application/json\" \\\n        -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\
         \"content\":\"Hello\"}}]}}'\n"
    );
    let _ = writeln!(
        text,
        "  Or point an SDK at it: OPENAI_BASE_URL=http://{calls}/v1, ANTHROPIC_BASE_URL=http://{calls}\n"
    );
    print(&text);
}

/// Shows the first call that is answered on a data folder.
pub(crate) struct FirstCall {
    waiting: AtomicBool,
    store: Store,
}

// === impl FirstCall ===

impl FirstCall {
    pub(crate) fn new(data: &std::path::Path) -> Result<Self> {
        let store = Store::open(data)?;
        let waiting = store.setting(FIRST_CALL)?.is_none();
        Ok(Self { waiting: AtomicBool::new(waiting), store })
    }
}

impl Observer for FirstCall {
    fn ended(&self, record: &Settled) {
        if record.outcome != Ending::Settled
            || record.target.is_none()
            || !self.waiting.swap(false, Ordering::AcqRel)
        {
            return;
        }
        if let Err(error) = self.store.set_setting(FIRST_CALL, &record.call.to_string()) {
            tracing::warn!(%error, "the first call could not be remembered");
        }
        print(&described(record));
    }
}

fn described(record: &Settled) -> String {
    let mut text = String::new();
    let empty = || "-".into();
    let cost = match record.cost.status {
        CostStatus::Unpriced => "unknown: no price for this model".to_owned(),
        CostStatus::Estimated => format!("{} USD (estimated)", record.cost.amount),
        CostStatus::Exact | CostStatus::Free => format!("{} USD", record.cost.amount),
    };
    let guards: Vec<String> = record
        .guards
        .iter()
        .map(|outcome| format!("{}={}", outcome.guard, outcome.decision.as_str()))
        .collect();
    let guards = if guards.is_empty() { "none configured".to_owned() } else { guards.join(", ") };
    let _ = writeln!(text, "Your first governed call:");
    let _ = writeln!(text, "  cost    {cost} for {} tokens", record.usage.total_tokens());
    let _ = writeln!(
        text,
        "  route   {} because {}",
        record.target.clone().unwrap_or_else(empty),
        record.route.clone().unwrap_or_else(empty)
    );
    let _ = writeln!(text, "  guards  {guards}");
    let _ = writeln!(text, "  record  {} (gatehouse audit show {})\n", record.call, record.call);
    text
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn print(text: &str) {
    println!("{text}");
}
