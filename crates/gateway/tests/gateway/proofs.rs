//! What the record proves: receipts for callers, verification by whoever has the log or a copy of it.

use crate::client::Ask;
use crate::front::Front;
use crate::house::House;
use crate::provider::Provider;
use futures_util::future::join_all;
use gatehouse_proof::note::VerifierKey;
use gatehouse_proof::proof_file::Proof;
use gatehouse_verify::copy;
use gatehouse_verify::trust::Trust;
use serde_json::{Value, json};
use std::collections::HashSet;

fn hello() -> Ask {
    let body = json!({"model": "openai/m", "messages": [{"role": "user", "content": "hello"}]});
    Ask::post("/v1/chat/completions", &body)
}

/// Runs `audit verify` with these words: whether it verified, and what it says.
async fn verified(house: &House, words: &[&str]) -> (Option<i32>, Value) {
    let output = house.command(&[&["audit", "verify", "--json"], words].concat()).await;
    let said = serde_json::from_slice(&output.stdout);
    let said = said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), said)
}

#[tokio::test]
async fn a_caller_gets_the_receipt_of_his_call_and_nobody_elses() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let (_, stranger) = house.new_key(&["--team", "other"]).await;
    let record = house.call(hello()).await.record();
    let receipt = house.call(Ask::get(format!("/v1/receipts/{record}"))).await;
    assert_eq!((receipt.status, receipt.header("content-type")), (200, "text/plain; charset=utf-8"));
    let json =
        house.call(Ask::get(format!("/v1/receipts/{record}")).header("accept", "application/json")).await;
    let json = json.json();
    assert_eq!((&json["record"], &json["leaf"]["id"]), (&json!(record), &json!(record)), "{json}");

    let proof = Proof::parse(&receipt.text()).unwrap();
    let key = VerifierKey::parse(json["key"].as_str().unwrap()).unwrap();
    let leaf = proof.extra.clone().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&leaf).unwrap(), json["leaf"]);
    proof.verify(&leaf, std::slice::from_ref(&key)).unwrap();
    assert!(proof.verify(b"something else", &[key]).is_err());
    // Later receipts are of the same leaf.
    house.call(hello()).await;
    let later = Proof::parse(&house.call(Ask::get(format!("/v1/receipts/{record}"))).await.text()).unwrap();
    assert_eq!((later.index, &later.extra), (proof.index, &proof.extra));

    let refusal = async |ask: Ask| {
        let answer = house.call(ask).await;
        (answer.status, answer.json()["error"].clone())
    };
    let of = |record: &str| Ask::get(format!("/v1/receipts/{record}"));
    let foreign = refusal(of(&record).key(&stranger)).await;
    assert_eq!((foreign.0, &foreign.1["code"]), (404, &json!("not_found")));
    assert_eq!(refusal(of("01936a4e-7c3a-7b1d-9f00-000000000001")).await, foreign);
    assert_eq!(refusal(of("nonsense")).await, foreign);
}

#[tokio::test]
async fn the_log_is_verified_as_it_is_as_a_copy_and_record_by_record() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("record: { origin: gatehouse.example/test }\n")).await;
    let record = house.call(hello()).await.record();
    join_all((0..20).map(|_| house.call(hello()))).await;
    let file = house.path("proof.txt");
    let proved = house.command(&["audit", "prove", &record, "-o", &file]).await;
    assert!(proved.status.success(), "{}", String::from_utf8_lossy(&proved.stderr));
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(0), &json!("verified")), "{said}");
    assert_eq!(said["logs"][0]["origin"], "gatehouse.example/test");
    let (exit, said) = verified(&house, &[&file]).await;
    assert_eq!((exit, &said["leaf"]["id"]), (Some(0), &json!(record)), "{said}");

    let copied = house.path("copy");
    let exported = house.command(&["audit", "export", "--format", "tlog", "-o", &copied]).await;
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    assert!(!house.command(&["audit", "export", "-o", &copied]).await.status.success(), "it is not empty");
    let (exit, said) = verified(&house, &[&copied]).await;
    assert_eq!((exit, &said["verdict"]), (Some(0), &json!("verified")), "{said}");
    let entries = format!("{copied}/r0/tile/entries/000.p");
    let entries = std::fs::read_dir(entries).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&entries).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let nano = text.find(r#""nano":"#).unwrap() + 7;
    let mut cheaper = bytes;
    cheaper[nano] = if cheaper[nano] == b'1' { b'2' } else { b'1' };
    std::fs::write(&entries, cheaper).unwrap();
    let (exit, said) = verified(&house, &[&copied]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("tampered")), "{said}");
    let finding = &said["logs"][0]["findings"][0];
    assert!(finding["says"].as_str().unwrap().contains("is not the one that the log hashed"), "{said}");
    // A key of somebody else's proves nothing.
    let other = "gatehouse.example/test+5c7c2b3f+AQ==";
    assert_eq!(house.command(&["audit", "verify", &file, "--key", other]).await.status.code(), Some(1));
}

#[tokio::test]
async fn no_acknowledged_record_is_lost_and_the_log_verifies_though_it_is_killed_fifty_times() {
    let provider = Provider::start().await;
    let mut house = House::start(&provider.config("")).await;
    let mut acknowledged = HashSet::new();
    for kill in 1..=50 {
        // Killed while calls are under way: those that were answered are in the book.
        let mut open = Vec::new();
        for _ in 0..3 {
            let mut live = house.open(Front::Chat.stream("openai/stall-3", "hi")).await;
            live.read_until("You").await;
            open.push(live);
        }
        let calls = (0..kill % 12).map(|_| async { house.call(hello()).await.record() });
        acknowledged.extend(join_all(calls).await);
        // And some of which nobody knows how far they came.
        for _ in 0..kill % 5 {
            open.push(house.open(hello()).await);
        }
        house = house.crash_and_restart().await;
        if kill % 10 == 0 {
            let (exit, said) = verified(&house, &[]).await;
            assert_eq!(exit, Some(0), "{said}");
        }
    }
    let known: HashSet<String> =
        house.records().await.iter().map(|record| record["record"].as_str().unwrap().to_owned()).collect();
    assert!(acknowledged.is_subset(&known), "{:?}", acknowledged.difference(&known));
    // Once a call is covered, so is all before it.
    let last = house.call(hello()).await.record();
    assert!(house.command(&["audit", "prove", &last]).await.status.success());
    let copied = house.path("copy");
    house.command(&["audit", "export", "-o", &copied]).await;
    let report = copy::verify(&std::path::Path::new(&copied).join("r0"), &Trust::default()).unwrap();
    assert!(report.unfinished.is_empty() && report.size > 100, "{report:?}");
}

#[tokio::test]
async fn what_a_user_said_is_erased_and_the_log_still_verifies() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("record: { content: full }\n")).await;
    let say = async |user: &str, text: &str| {
        let body =
            json!({"model": "openai/m", "user": user, "messages": [{"role": "user", "content": text}]});
        house.call(Ask::post("/v1/chat/completions", &body)).await.record()
    };
    let (alice, bob) = (say("alice", "my secret is Nightjar").await, say("bob", "I saw a Bittern").await);
    let shown = async |record: &str| house.json(&["audit", "show", record]).await["content"].clone();
    assert!(shown(&alice).await[0]["text"].as_str().unwrap().contains("Nightjar"));
    assert!(shown(&bob).await[1]["text"].as_str().unwrap().contains("Bittern"));
    assert_eq!(house.in_the_log("Nightjar"), 0, "texts stand sealed on the disk");
    assert_eq!(house.in_the_log(r#""kind":"content.viewed""#), 2);

    let users = async || {
        let rows = house.json(&["usage", "--by", "user"]).await;
        let mut users: Vec<String> =
            rows.as_array().unwrap().iter().map(|row| row["user"].as_str().unwrap().to_owned()).collect();
        users.sort();
        users
    };
    assert_eq!(users().await, ["alice", "bob"]);
    let named = |name: &[u8]| {
        let files = house.files().into_iter();
        let has = |bytes: &[u8]| bytes.windows(name.len()).any(|part| part == name);
        files.filter(|(_, bytes)| has(bytes)).map(|(path, _)| path).collect::<Vec<_>>()
    };
    assert!(!named(b"alice").is_empty());
    let erase = ["audit", "erase", "--subject", "alice"];
    let told = house.json(&erase).await;
    assert_eq!(told["erased"].as_array().unwrap().len(), 1, "{told}");
    let gone = json!([{"role": "request", "state": "erased"}, {"role": "answer", "state": "erased"}]);
    assert_eq!(shown(&alice).await, gone);
    assert_eq!(house.command(&erase).await.status.code(), Some(1), "there is nothing left");
    // His name is in no file any more, and what he used still counts.
    assert!(named(b"alice").is_empty() && !named(b"bob").is_empty(), "{:?}", named(b"alice"));
    let now = users().await;
    assert!(now[0] == "bob" && now[1].starts_with("erased:"), "{now:?}");
    // Also after a crash, and for the gateway that comes next; others are as they were.
    let house = house.crash_and_restart().await;
    let shown = async |record: &str| house.json(&["audit", "show", record]).await["content"].clone();
    assert_eq!(shown(&alice).await, gone);
    assert!(shown(&bob).await[0]["text"].as_str().unwrap().contains("Bittern"));
    assert_eq!(house.in_the_log(r#""kind":"subject.erased""#), 1);
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(0), &json!("verified")), "{said}");
    // Who comes back is a stranger: what he says now is kept under another key.
    let body =
        json!({"model": "openai/m", "user": "alice", "messages": [{"role": "user", "content": "Wren"}]});
    let again = house.call(Ask::post("/v1/chat/completions", &body)).await.record();
    assert!(shown(&again).await[0]["text"].as_str().unwrap().contains("Wren"));
    assert_eq!(shown(&alice).await, gone);
}

#[tokio::test]
async fn an_erasure_that_a_death_cut_off_is_finished_at_the_next_start() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("record: { content: full }\n")).await;
    let body =
        json!({"model": "openai/m", "user": "alice", "messages": [{"role": "user", "content": "Nightjar"}]});
    let record = house.call(Ask::post("/v1/chat/completions", &body)).await.record();
    let subject = house.json(&["audit", "show", &record]).await["record"]["subject"].clone();
    // What a process leaves that died before the key went.
    std::fs::write(house.path("data/log/r0/erasing"), subject.as_str().unwrap()).unwrap();
    let house = house.crash_and_restart().await;
    let content = house.json(&["audit", "show", &record]).await["content"].clone();
    assert_eq!(content[0]["state"], "erased", "{content}");
    assert_eq!(house.in_the_log(r#""kind":"subject.erased""#), 1);
    assert!(!std::path::Path::new(&house.path("data/log/r0/erasing")).exists());
    let rows = house.json(&["usage", "--by", "user"]).await;
    assert!(rows[0]["user"].as_str().unwrap().starts_with("erased:"), "{rows}");
}

#[tokio::test]
async fn a_gateway_that_runs_shows_that_its_log_only_grew() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("record: { origin: gatehouse.example/test }\n")).await;
    let url = format!("http://{}/log/r0", house.admin);
    let covered = async || {
        let record = house.call(hello()).await.record();
        assert!(house.command(&["audit", "prove", &record]).await.status.success());
        house.admin("/log/r0/checkpoint").await.text()
    };
    let remembered = house.path("remembered");
    std::fs::write(&remembered, covered().await).unwrap();
    for _ in 0..300 {
        house.call(hello()).await;
    }
    let newest = covered().await;
    let (exit, said) = verified(&house, &[&url, "--checkpoint", &remembered]).await;
    assert_eq!((exit, &said["verdict"]), (Some(0), &json!("verified")), "{said}");
    assert_eq!(said["logs"][0]["checkpoints"].as_array().unwrap().len(), 2, "{said}");
    let metrics = house.admin("/metrics").await.text();
    assert!(
        metrics.contains("gatehouse_audit_signs 1\n") && metrics.contains("gatehouse_audit_writes 1\n"),
        "{metrics}"
    );
    assert!(!metrics.contains("gatehouse_audit_signed_leaves 0\n"), "{metrics}");
    // Somebody was shown another log: of the same size as then, with another root; or one that is longer.
    let text = std::fs::read_to_string(&remembered).unwrap();
    let root = text.lines().nth(2).unwrap();
    let other = newest.lines().nth(2).unwrap();
    std::fs::write(&remembered, text.replace(root, other)).unwrap();
    let (exit, said) = verified(&house, &[&url, "--checkpoint", &remembered]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("tampered")), "{said}");
    let size = text.lines().nth(1).unwrap();
    std::fs::write(&remembered, text.replace(&format!("\n{size}\n"), "\n999999\n")).unwrap();
    let (exit, said) = verified(&house, &[&url, "--checkpoint", &remembered]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("incomplete")), "{said}");
    // Records are not shown to who has no key.
    for path in ["tile/entries/000", "tile/0/000.p/999", "../../gatehouse.db", "key", "tile/9/000", "nothing"]
    {
        assert_eq!(house.admin(&format!("/log/r0/{path}")).await.status, 404, "{path}");
    }
}
