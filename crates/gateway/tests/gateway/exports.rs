//! Copies of some records: with proofs that hold elsewhere, and in the words of others.

use crate::client::Ask;
use crate::house::House;
use crate::provider::Provider;
use gatehouse_audit::tree::{SEAL_EVERY, Sealing};
use gatehouse_audit::{DEFAULT_SHARD, Event, EventKind, Leaf, Log, Options};
use serde_json::{Value, json};
use std::path::Path;

fn hello(user: &str) -> Ask {
    let body = json!({"model": "openai/m", "messages": [{"role": "user", "content": "hello"}]});
    Ask::post("/v1/chat/completions", &body).header("x-gatehouse-user", user)
}

/// Runs a command: whether it went well, and all that it says.
async fn run(house: &House, words: &[&str]) -> (Option<i32>, String) {
    let output = house.command(words).await;
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Waits until there is a checkpoint.
async fn signed(house: &House) {
    let begun = std::time::Instant::now();
    while house.admin("/log/r0/checkpoint").await.status != 200 {
        assert!(begun.elapsed().as_secs() < 60);
    }
}

fn lines(path: impl AsRef<Path>) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn write(path: impl AsRef<Path>, lines: &[String]) {
    std::fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

#[tokio::test]
async fn some_records_verify_without_the_rest_and_changed_ones_do_not() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for user in ["anna", "ben", "anna"] {
        house.call(hello(user)).await;
    }
    house.records_once(3).await;
    // Signed within the second.
    let out = house.path("copy");
    let begun = std::time::Instant::now();
    let records = loop {
        let made = run(&house, &["audit", "export", "--format", "jsonl", "--user", "anna", "-o", &out]).await;
        let found = if made.0 == Some(0) { lines(Path::new(&out).join("records.jsonl")) } else { Vec::new() };
        if found.len() == 4 {
            break found;
        }
        assert!(begun.elapsed().as_secs() < 60, "{found:?} {}", made.1);
        std::fs::remove_dir_all(&out).unwrap();
    };
    let leaf: Value = serde_json::from_str(&records[3]).unwrap();
    assert_eq!(leaf["kind"], "call.settled");
    // Whose it is says the subject; the name is nowhere.
    let subject = leaf["subject"].as_str().unwrap();
    assert!(records.iter().all(|leaf| leaf.contains(subject) && !leaf.contains("anna")));
    assert!(house.in_the_log("export.created") > 0 && house.in_the_log("anna") == 0);
    let verified = run(&house, &["audit", "verify", &out]).await;
    assert!(verified.0 == Some(0) && verified.1.contains("what was left out"), "{}", verified.1);
    assert!(
        run(&house, &["audit", "export", "--format", "jsonl", "-o", &out]).await.1.contains("is not empty")
    );

    let (leaves, proofs) = (Path::new(&out).join("records.jsonl"), Path::new(&out).join("proofs.jsonl"));
    let others = lines(&proofs);
    let changed = |at: usize, from: &str, to: &str| {
        let mut all = records.clone();
        all[at] = all[at].replacen(from, to, 1);
        all
    };
    for (lines, why) in [
        (changed(1, "openai/m", "openai/n"), "line 2 is not leaf"),
        (changed(0, "\"seq\":", "\"seq\":1"), "line 1"),
        (records.iter().rev().cloned().collect(), "line 1 is not leaf"),
    ] {
        write(&leaves, &lines);
        let (code, says) = run(&house, &["audit", "verify", &out]).await;
        assert!(code == Some(1) && says.contains("tampered") && says.contains(why), "{why}: {says}");
    }
    write(&leaves, &records);
    write(&proofs, &others[1..]);
    let (code, says) = run(&house, &["audit", "verify", &out]).await;
    assert!(code != Some(0), "{says}");
    write(&proofs, &others);
    let other_key = "somebody.example+bcb79205+AW6iODg+7WGuMtDToYx2pVrVKWBhtE8eVSFxtMApzE97";
    let (code, says) = run(&house, &["audit", "verify", &out, "--key", other_key]).await;
    assert!(code != Some(0), "{says}");
}

#[tokio::test]
async fn whoever_trusts_the_first_key_can_check_records_of_later_epochs() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    house.call(hello("anna")).await;
    house.signal("TERM");
    house.ended().await;
    let data = house.path("data");
    let log = Log::open(&Options::new(&data)).unwrap();
    let sealing = Sealing::start(&log, DEFAULT_SHARD, None, SEAL_EVERY).unwrap();
    let first = sealing.signed().1.to_string();
    for number in 0..2 {
        sealing.end_epoch(&log).await.unwrap();
        log.append(Leaf::Event(&Event::new(EventKind::KeyCreated, number))).unwrap();
    }
    assert_ne!(sealing.signed().1.to_string(), first);
    sealing.finish(&log).await;
    drop(log);
    let out = house.path("copy");
    let (code, says) = run(&house, &["audit", "export", "--format", "jsonl", "-o", &out]).await;
    assert_eq!(code, Some(0), "{says}");
    let (code, says) = run(&house, &["audit", "verify", &out, "--key", &first]).await;
    assert_eq!(code, Some(0), "{says}");
    std::fs::remove_file(Path::new(&out).join("r0/epochs/000001.proof")).unwrap();
    let (code, says) = run(&house, &["audit", "verify", &out, "--key", &first]).await;
    assert!(code == Some(1) && says.contains("unverifiable"), "{says}");
}

#[tokio::test]
async fn records_are_written_in_the_words_of_others() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    house.call(hello("anna")).await;
    house.records_once(1).await;
    let words = |format: &'static str| ["audit", "export", "--user", "anna", "-o", "-", "--format", format];
    let (code, ocsf) = run(&house, &words("ocsf")).await;
    assert!(code == Some(0) && ocsf.lines().count() == 3, "{ocsf}");
    let event: Value = serde_json::from_str(ocsf.lines().nth(1).unwrap()).unwrap();
    assert_eq!(event["class_uid"], 6003);
    let subject = event["actor"]["user"]["uid"].as_str().unwrap();
    assert!(subject.len() == 32 && !ocsf.contains("anna"), "{ocsf}");
    let (_, cef) = run(&house, &words("cef")).await;
    assert!(
        cef.starts_with("CEF:0|Gatehouse|Gatehouse|")
            && cef.contains(&format!("suid={subject}"))
            && !cef.contains("anna"),
        "{cef}"
    );
    let file = house.path("logs.otlp");
    let (code, says) = run(&house, &["audit", "export", "--format", "otlp", "-o", &file]).await;
    assert!(code == Some(0) && lines(&file).len() > 2, "{says}");
    assert_eq!(run(&house, &["audit", "export", "--format", "otlp", "-o", &file]).await.0, Some(1));
    let (code, says) = run(&house, &["audit", "export", "--user", "anna", "-o", &house.path("x")]).await;
    assert!(code == Some(1) && says.contains("one of the whole log"), "{says}");
    signed(&house).await;
    let (code, says) =
        run(&house, &["audit", "export", "--format", "parquet", "-o", &house.path("pq")]).await;
    assert_eq!(code, Some(0), "{says}");
    let parquet = std::fs::read(house.path("pq/records.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    assert!(Path::new(&house.path("pq/proofs.jsonl")).exists());
    assert_eq!(house.in_the_log("\"kind\":\"export.created\""), 4);
    let of = house.in_the_log(r#""format":"ocsf","of":"{\"subject\":\""#);
    assert_eq!((of, house.in_the_log("anna")), (1, 0));
}
