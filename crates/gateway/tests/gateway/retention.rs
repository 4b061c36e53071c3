//! What its time is over for goes, what is on hold stays, and the log verifies all the while.

use crate::client::Ask;
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long anything may take that takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn said(text: &str) -> Ask {
    let body = json!({"model": "openai/m", "messages": [{"role": "user", "content": text}]});
    Ask::post("/v1/chat/completions", &body)
}

/// What `audit show` has of the request of a call.
async fn request(house: &House, record: &str) -> Value {
    let shown = house.json(&["audit", "show", record]).await;
    shown.pointer("/content/0").cloned().unwrap_or_default()
}

/// Waits until `request` of a call is given up.
async fn pruned(house: &House, record: &str) {
    let begun = Instant::now();
    while request(house, record).await.get("state") != Some(&json!("pruned")) {
        assert!(begun.elapsed() < PATIENCE, "{}", request(house, record).await);
    }
}

async fn fails(house: &House, words: &[&str], why: &str) {
    let output = house.command(words).await;
    let says = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && says.contains(why), "{words:?}: {says}");
}

async fn verifies(house: &House) {
    let output = house.command(&["audit", "verify"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn what_was_said_goes_after_its_time_but_for_what_is_on_hold() {
    let provider = Provider::start().await;
    let there = tempfile::tempdir().unwrap();
    let remote = there.path().display();
    let config =
        format!("record: {{ content: full, remote: {{ dir: {remote} }} }}\nretention: {{ content: 1s }}\n");
    let house = House::start(&provider.config(&config)).await;
    let hold = house.json(&["audit", "hold", "place", "--reason", "case 17", "--user", "anna"]).await["hold"]
        .clone();
    let of =
        async |user: &str| house.call(said("Nightingale").header("x-gatehouse-user", user)).await.record();
    let (anna, ben) = (of("anna").await, of("ben").await);
    pruned(&house, &ben).await;
    assert_eq!(request(&house, &anna).await["text"].as_str().unwrap().matches("Nightingale").count(), 1);
    verifies(&house).await;
    fails(&house, &["audit", "erase", "--subject", "anna"], "hold 1 is on calls of this user (case 17)")
        .await;

    let released = house.command(&["audit", "hold", "release", &hold.to_string()]).await;
    assert!(released.status.success());
    fails(&house, &["audit", "hold", "release", &hold.to_string()], "no hold 1 in force").await;
    pruned(&house, &anna).await;
    verifies(&house).await;
    assert!(!house.files().iter().any(|(path, _)| path.extension().is_some_and(|kind| kind == "pack")));
    // Nor in the second place.
    let packs = || {
        let files = std::fs::read_dir(there.path().join("r0")).unwrap();
        files
            .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|kind| kind == "pack"))
            .count()
    };
    let begun = Instant::now();
    while packs() > 0 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for kind in ["hold.placed", "hold.released", "\"class\":\"content\""] {
        assert!(house.in_the_log(kind) > 0, "{kind}");
    }
    let holds = house.json(&["audit", "hold", "list"]).await;
    assert_eq!((&holds[0]["of"], &holds[0]["reason"]), (&json!({"user": "anna"}), &json!("case 17")));
    assert!(holds[0]["released_at"].is_string());
}

#[tokio::test]
async fn records_go_after_their_time_and_the_rest_verifies() {
    let provider = Provider::start().await;
    let config = provider.config("record: { content: full }\nretention: { records: 1s }\n");
    let house = House::start(&config).await;
    let first = house.call(said("hello").header("x-gatehouse-user", "anna")).await.record();
    let begun = Instant::now();
    // New records begin new files; what is on hold of the old ones keeps all that came after.
    while house.records().await.iter().any(|record| record["record"] == first.as_str()) {
        house.call(said("hello").header("x-gatehouse-user", "ben")).await;
        assert!(begun.elapsed() < PATIENCE);
    }
    assert!(house.in_the_log("\"class\":\"records\"") > 0);
    fails(&house, &["audit", "show", &first], "there is no record").await;
    verifies(&house).await;
    // A copy has their hashes, and it is said why they are not there.
    let copy = house.path("copy");
    let exported = house.command(&["audit", "export", "--format", "tlog", "-o", &copy]).await;
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let verified = house.command(&["audit", "verify", &copy]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    let house = house.crash_and_restart().await;
    house.call(said("hello")).await;
    verifies(&house).await;
    assert!(house.records().await.iter().all(|record| record["record"] != first.as_str()));
}

#[tokio::test]
async fn without_a_gateway_a_command_gives_up_what_is_due() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("record: { content: full }\n")).await;
    fails_not(&house, &["audit", "prune"], "kept for ever").await;
    let record = house.call(said("hello")).await.record();
    house.signal("TERM");
    house.ended().await;
    let text = std::fs::read_to_string(house.config_path()).unwrap();
    std::fs::write(house.config_path(), format!("{text}\nretention: {{ content: 1s }}\n")).unwrap();
    // The text stands in a pack of the day, which has to end first.
    fails_not(&house, &["audit", "prune", "--dry-run"], "nothing").await;
    assert!(request(&house, &record).await["text"].as_str().unwrap().contains("hello"));
    std::fs::write(house.config_path(), format!("{text}\nretention: {{ content: 2y, records: 1y }}\n"))
        .unwrap();
    fails(&house, &["check"], "longer than records (365d)").await;
}

async fn fails_not(house: &House, words: &[&str], says: &str) {
    let output = house.command(words).await;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success() && said.contains(says), "{words:?}: {said}");
}
