//! What the gateway knows of models: who sees which, and how newer figures come in.

use crate::client::Ask;
use crate::house::House;
use crate::life::until;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const CONFIG: &str = "listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
providers:
  sim: { api: sim }
  claude: { api: anthropic, api_key: \"${PROVIDER_KEY}\" }
models:
  smart: { targets: [claude/claude-opus-4-6, sim/large] }
  secret-one: { targets: [sim/small] }
";
/// A newer list: one model costs and holds something else.
const NEWER: &str = concat!(
    "{\"catalogue\":1,\"date\":\"2027-01-31\"}\n",
    "{\"key\":\"anthropic/claude-opus-4-6\",\"source\":\"us\",\"context\":424242,\"output\":1000,",
    "\"prices\":[{\"input\":7000000000,\"output\":8000000000}]}\n",
);
/// `printf … | sha256sum` of it.
fn sha256(house: &House, text: &str) -> (PathBuf, String) {
    let path = house.config_path().with_file_name("newer.jsonl");
    std::fs::write(&path, text).unwrap();
    let output = std::process::Command::new("sha256sum").arg(&path).output().unwrap();
    let hash = String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned();
    (path, hash)
}

fn named<'a>(list: &'a Value, members: &str, id: &str, name: &str) -> &'a Value {
    let all = list[members].as_array().unwrap();
    all.iter().find(|model| model[id] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[tokio::test]
async fn a_key_sees_the_models_that_it_may_use_in_every_shape() {
    let house = House::start(CONFIG).await;
    let (id, key) = house.new_key(&["--models", "smart,sim/*"]).await;
    let ask = |path: &str| house.call(Ask::get(path).key(&key));

    let openai = ask("/v1/models").await.json();
    let smart = named(&openai, "data", "id", "smart");
    assert_eq!(smart["modalities"]["output"], json!(["text"]));
    assert!(smart["context_window"].as_u64().unwrap() >= 200_000, "{smart}");
    let known = &smart["gatehouse"];
    assert_eq!(
        (&known["date"], known["prices_usd_per_million_tokens"]["input"].is_string()),
        (&json!("2026-11-22"), true)
    );
    named(&openai, "data", "id", "sim/small");
    assert!(
        !openai.to_string().contains("secret-one") && !openai.to_string().contains("claude/"),
        "{openai}"
    );
    assert_eq!(ask("/v1/models/secret-one").await.status, 404);
    assert_eq!(ask("/v1/models/smart").await.json()["id"], "smart");

    let anthropic = house
        .call(Ask::get("/v1/models").header("x-api-key", &key).header("anthropic-version", "2023-06-01"));
    let anthropic = anthropic.await.json();
    assert!(named(&anthropic, "data", "id", "smart")["max_input_tokens"].is_u64());
    assert!(!anthropic.to_string().contains("secret-one"));
    let gemini = house.call(Ask::get("/v1beta/models").header("x-goog-api-key", &key)).await.json();
    assert!(named(&gemini, "models", "name", "models/smart")["inputTokenLimit"].is_u64());
    assert!(!gemini.to_string().contains("secret-one"));

    let told = house.json(&["models", "--key", &id]).await;
    assert_eq!(
        named(&told, "models", "model", "smart")["targets"],
        json!(["claude/claude-opus-4-6", "sim/large"])
    );
    assert!(!told.to_string().contains("secret-one"));
    let by_provider = house.json(&["models", "--provider", "anthropic", "--search", "OPUS-4-6"]).await;
    let names: Vec<&str> = by_provider["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["model"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"smart") && names.contains(&"claude/claude-opus-4-6"), "{names:?}");
    let table = house.command(&["models", "--all", "--search", "sim/embed"]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.contains("sim/embed") && table.contains("gatehouse") && table.contains("2026-11-22"),
        "{table}"
    );
}

#[tokio::test]
async fn a_newer_catalogue_comes_in_by_its_hash_and_in_no_other_way() {
    let house = House::start(CONFIG).await;
    let (path, hash) = sha256(&house, NEWER);
    let path = path.to_str().unwrap();
    let refused = async |words: &[&str], because: &str| {
        let output = house.command(&[&["models", "refresh"], words].concat()).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(said.contains(because), "{said}");
        let stored = house.files().into_iter().any(|(path, _)| path.ends_with("catalogue.jsonl"));
        assert!(!stored, "{words:?}");
    };
    refused(&[], "name it: --from FILE").await;
    refused(&["--from", path], "its SHA-256 has to be told").await;
    refused(&["--from", path, "--sha256", &"0".repeat(64)], "was not taken, nothing has changed").await;
    let (bad, bad_hash) = sha256(&house, "{\"catalogue\":1,\"date\":\"2027-01-31\"}\n{\"key\":\"x\"}\n");
    refused(&["--from", bad.to_str().unwrap(), "--sha256", &bad_hash], "line 2: ").await;
    let (old, old_hash) = sha256(&house, &NEWER.replace("2027-01-31", "2026-01-31"));
    refused(
        &["--from", old.to_str().unwrap(), "--sha256", &old_hash],
        "older than the one in force (2026-11-22)",
    )
    .await;

    std::fs::write(path, NEWER).unwrap();
    let told = house.json(&["models", "refresh", "--from", path, "--sha256", &hash, "--dry-run"]).await;
    assert_eq!(told["stored"], false);
    let stored = house.command(&["models", "refresh", "--from", path, "--sha256", &hash]).await;
    let change = String::from_utf8(stored.stdout).unwrap();
    assert!(change.starts_with("anthropic/claude-opus-4-6: ") && change.contains("-> 424242"), "{change}");
    assert!(change.contains("input price 5 -> 7"), "{change}");

    let model = || async { house.call(Ask::get("/v1/models/smart")).await.json() };
    assert_ne!(model().await["context_window"], 424_242, "it comes into force when it is told to");
    house.signal("HUP");
    until(async || house.stderr().contains("catalogue of models brought in")).await;
    until(async || house.stderr().contains("configuration applied")).await;
    let smart = model().await;
    assert_eq!(
        (&smart["context_window"], &smart["gatehouse"]["date"]),
        (&json!(424_242), &json!("2027-01-31"))
    );
    assert_eq!(smart["gatehouse"]["prices_usd_per_million_tokens"]["input"], "7");
}

#[tokio::test]
async fn an_address_in_the_configuration_is_asked_by_the_command_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/catalogue.jsonl", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 1024];
        let read = stream.read(&mut head).await.unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{NEWER}", NEWER.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let first = House::start(CONFIG).await;
    let (_, hash) = sha256(&first, NEWER);
    drop(first);
    let house = House::start(&format!("{CONFIG}catalogue: {{ url: \"{url}\", sha256: {hash} }}\n")).await;
    assert!(!asked.is_finished());
    let told = house.json(&["models", "refresh"]).await;
    assert_eq!((&told["stored"], &told["date"]), (&json!(true), &json!("2027-01-31")));
    assert!(asked.await.unwrap().starts_with("GET /catalogue.jsonl HTTP/1.1\r\n"));
    let house = house.crash_and_restart().await;
    let listed = house.json(&["models", "--search", "opus-4-6"]).await;
    assert_eq!(listed["catalogue"]["sha256"], hash.as_str());
    assert!(house.stderr().contains("catalogue of models brought in"));
}
