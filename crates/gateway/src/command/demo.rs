//! `gatehouse demo`: the gateway on simulated providers, with traffic of several teams, so that there is
//! something to look at.

use super::serve;
use crate::cli::Place;
use crate::data::Data;
use crate::output;
use crate::ring;
use crate::settings::Settings;
use anyhow::{Context as _, Result};
use gatehouse_server::clock::{chance, unix_micros};
use gatehouse_store::{KeyBudget, KeyHash, KeyRecord, Store};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The mean pause between two calls.
const PAUSE: Duration = Duration::from_millis(400);

/// The configuration of the demonstration.
const CONFIG: &str = include_str!("demo.yaml");

/// Who calls, for what, with which model, saying what.
const CALLERS: [(&str, &str, &str, &str, &str); 6] = [
    (
        "support",
        "helpdesk",
        "triage",
        "fast",
        "Sort this ticket: the printer on the third floor prints only blue.",
    ),
    (
        "support",
        "helpdesk",
        "answer",
        "smart",
        "Write a kind answer to a customer whose parcel is two days late.",
    ),
    (
        "finance",
        "invoices",
        "extract",
        "fast",
        "Which amount is due, and when? Invoice 4711 over 1,204.50 EUR.",
    ),
    ("finance", "reports", "summary", "smart", "Sum up the quarter in three sentences for the board."),
    (
        "research",
        "notebook",
        "code",
        "smart",
        "Explain what a Merkle tree is, with an example of four leaves.",
    ),
    ("research", "notebook", "names", "smart", "What is the state of project Nightingale?"),
];

/// Runs the gateway and its callers.
pub(crate) async fn run(place: &Place) -> Result<()> {
    let settings = Settings::from_text(CONFIG, "the demonstration's configuration")?;
    let keys = keys(place)?;
    let address = settings.config.listen.clone();
    output::note("Everything here is simulated: no call leaves this machine. Ctrl-C ends it.");
    tokio::spawn(async move {
        for turn in 0_usize.. {
            let (Some(caller), Some(key)) =
                (CALLERS.get(turn % CALLERS.len()), keys.get(turn % CALLERS.len()))
            else {
                return;
            };
            let streamed = turn % 3 == 0;
            if let Err(error) = call(&address, key, caller, streamed).await {
                tracing::debug!(%error, "a demonstration call failed");
            }
            tokio::time::sleep(PAUSE.mul_f64(f64::from(chance()) / f64::from(u32::MAX) * 2.0)).await;
        }
    });
    serve::run_with(place, settings).await
}

/// One key for each caller, made anew at each start: their secrets are kept nowhere.
fn keys(place: &Place) -> Result<Vec<SecretString>> {
    let data = Data::open(&place.data)?;
    let store = Store::open(data.dir())?;
    let pepper = data.pepper()?;
    for old in store.keys()?.iter().filter(|key| key.name.starts_with("demo ") && key.revoked_at.is_none()) {
        store.revoke_key(&old.key_id, unix_micros())?;
    }
    let make = |(team, app, use_case, ..): &(&str, &str, &str, &str, &str)| {
        let minted = ring::new_key(&pepper)?;
        let budget = ring::limit("5 USD/day")?;
        store.create_key(&KeyRecord {
            key_id: minted.id.clone(),
            hash: KeyHash(minted.hash),
            old: None,
            name: format!("demo {app} {use_case}"),
            org: "acme".to_owned(),
            team: (*team).to_owned(),
            app: (*app).to_owned(),
            use_case: (*use_case).to_owned(),
            user: String::new(),
            models: Vec::new(),
            budget: Some(KeyBudget { limit: budget.amount, period: budget.period.as_str().to_owned() }),
            created_at: unix_micros(),
            expires_at: None,
            revoked_at: None,
        })?;
        Ok(minted.key)
    };
    CALLERS.iter().map(make).collect()
}

/// One call, as a client without a library makes it.
async fn call(
    address: &str,
    key: &SecretString,
    (_, _, _, model, text): &(&str, &str, &str, &str, &str),
    stream: bool,
) -> Result<()> {
    let body = json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": text }] })
        .to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        key.expose_secret(),
        body.len()
    );
    let mut connection = TcpStream::connect(address).await.context("the gateway is not up yet")?;
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    Ok(())
}
