//! What is signed, in the hands of others: witnesses and second places, and what is said when they and the log differ.

use crate::client::Ask;
use crate::house::House;
use crate::outside::{Outside, TOKEN, WITNESS};
use crate::provider::{PATIENCE, Provider};
use crate::tsa;
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::note::{KEY_BYTES, Scheme, SignerKey, VerifierKey};
use gatehouse_proof::report::Verdict;
use gatehouse_verify::copy;
use gatehouse_verify::trust::Trust;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

const ORIGIN: &str = "gatehouse.example/anchored";

/// The file that is a second place, and what the metrics call the others.
struct Places {
    _dir: TempDir,
    file: String,
    object: String,
}

/// A gateway with every kind of anchor.
async fn start(provider: &Provider, outside: &Outside) -> (House, Places) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("checkpoint").display().to_string();
    let places = Places { _dir: dir, file, object: outside.url("bucket/checkpoint") };
    let anchors = format!(
        "record:\n  origin: {ORIGIN}\n  anchors:\n    - {{ witness: \"{}\", key: \"{}\", every: 1s }}\n    - {{ file: \"{}\", every: 1s }}\n    \
         - {{ url: \"{}\", token: \"${{ANCHOR_TOKEN}}\", every: 1s }}\n    - {{ url: \"{}\", method: post, every: 1s }}\n",
        outside.url("witness"),
        outside.key(),
        places.file,
        places.object,
        outside.url("hook"),
    );
    let house = House::start_with(&provider.config(&anchors), &[("ANCHOR_TOKEN", TOKEN)]).await;
    (house, places)
}

fn hello() -> Ask {
    let body = json!({"model": "openai/m", "messages": [{"role": "user", "content": "hello"}]});
    Ask::post("/v1/chat/completions", &body)
}

async fn metric(house: &House, name: &str, anchor: &str) -> Option<u64> {
    let text = house.admin("/metrics").await.text();
    let line = format!("gatehouse_{name}{{anchor=\"{anchor}\"}} ");
    text.lines().find_map(|found| found.strip_prefix(&line))?.parse().ok()
}

/// Waits until a figure of an anchor is so.
async fn until(house: &House, name: &str, anchor: &str, is_so: impl Fn(u64) -> bool) {
    let begun = Instant::now();
    while !metric(house, name, anchor).await.is_some_and(&is_so) {
        assert!(begun.elapsed() < PATIENCE, "{name} of {anchor}: {}", house.stderr());
        tokio::task::yield_now().await;
    }
}

/// Waits until the gateway's log has this in it, so often.
async fn tells(house: &House, text: &str, times: usize) {
    let begun = Instant::now();
    while house.stderr().matches(text).count() < times {
        assert!(begun.elapsed() < PATIENCE, "{text}: {}", house.stderr());
        tokio::task::yield_now().await;
    }
}

/// Makes a call and waits until all that is written then is with the witness.
async fn covered(house: &House, outside: &Outside) -> u64 {
    let record = house.call(hello()).await.record();
    assert!(house.command(&["audit", "prove", &record]).await.status.success());
    let text = house.admin("/log/r0/checkpoint").await.text();
    let size = Checkpoint::read(text.as_bytes()).unwrap().1.size;
    until(house, "audit_anchored_leaves", WITNESS, |leaves| leaves >= size).await;
    assert!(outside.signed(ORIGIN) >= size);
    size
}

async fn verified(house: &House, words: &[&str]) -> (Option<i32>, Value) {
    let output = house.command(&[&["audit", "verify", "--json"], words].concat()).await;
    let said = serde_json::from_slice(&output.stdout);
    (output.status.code(), said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

fn anchor_key(house: &House) -> String {
    std::fs::read_to_string(house.path("data/log/r0/tree/anchored/key")).unwrap()
}

fn findings(said: &Value) -> String {
    said["logs"][0]["findings"].to_string()
}

#[tokio::test]
async fn witnesses_sign_what_the_gateway_signs_and_verification_counts_them() {
    let (provider, outside) = (Provider::start().await, Outside::start().await);
    let (house, places) = start(&provider, &outside).await;
    // It does not know this log yet: the calls do not mind, and the message says what to tell it.
    assert_eq!(house.call(hello()).await.status, 200);
    until(&house, "audit_anchor_works", &places.file, |works| works == 1).await;
    let told = "it does not know this log; tell it its origin, and this key";
    tells(&house, told, 1).await;
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("unverifiable")), "{said}");
    let key = anchor_key(&house);
    assert!(house.stderr().contains(key.trim()), "{}", house.stderr());
    // Told of the log by another key than the one that lasts: the message names that.
    let other = SignerKey::new(ORIGIN, Scheme::Ed25519, &[5; KEY_BYTES]).unwrap().verifier();
    outside.knows(ORIGIN, &other.to_string());
    let told = format!("it knows this log by another key; tell it this one: {}", key.trim());
    tells(&house, &told, 1).await;
    outside.knows(ORIGIN, &key);
    until(&house, "audit_anchor_works", WITNESS, |works| works == 1).await;
    let size = covered(&house, &outside).await;

    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(0), &json!("verified")), "{said}");
    let witness = &said["logs"][0]["witnesses"][0];
    assert!(witness["name"] == WITNESS && witness["size"].as_u64().unwrap() >= size, "{said}");
    assert!(witness["at"].as_u64().unwrap() > 1_700_000_000, "{said}");
    let unchecked = said["logs"][0]["not_checked"].to_string();
    assert!(!unchecked.contains("no witness") && unchecked.contains("cannot be read back"), "{said}");
    // The second places have what was signed, and were shown the token; nobody else was.
    let held = outside.object("/bucket/checkpoint").unwrap();
    assert_eq!(Checkpoint::read(&held).unwrap().1.origin, ORIGIN);
    assert!(!outside.told().is_empty() && outside.told().windows(2).all(|pair| pair[0] != pair[1]));
    assert!(!house.stderr().contains(TOKEN) && !said.to_string().contains(TOKEN));

    // Who takes a copy away is heard, and it is written again.
    std::fs::remove_file(&places.file).unwrap();
    outside.forget("/bucket/checkpoint");
    tells(&house, "the copy is gone", 2).await;
    for place in [&places.file, &places.object] {
        until(&house, "audit_anchor_drifts", place, |drifts| drifts == 0).await;
    }
    assert!(std::fs::exists(&places.file).unwrap() && outside.object("/bucket/checkpoint").is_some());

    // Nothing is new: it signs the same again, which says that nothing was.
    let at = metric(&house, "audit_anchored_at_seconds", WITNESS).await.unwrap();
    until(&house, "audit_anchored_at_seconds", WITNESS, |now| now > at).await;
    // It stops: calls go on untouched, and a metric tells.
    outside.is_down(true);
    until(&house, "audit_anchor_works", WITNESS, |works| works == 0).await;
    until(&house, "audit_anchor_works", &places.object, |works| works == 0).await;
    assert_eq!(house.call(hello()).await.status, 200);
    assert_eq!(metric(&house, "audit_anchor_works", &places.file).await, Some(1));
    assert_eq!(metric(&house, "audit_anchor_drifts", WITNESS).await, Some(0), "silence is no drift");
    // Signatures that do not fit are not taken.
    outside.is_down(false);
    outside.lies(true);
    tells(&house, "without a signature of", 1).await;
    outside.lies(false);
    until(&house, "audit_anchor_works", WITNESS, |works| works == 1).await;
    covered(&house, &outside).await;
    assert_eq!(verified(&house, &[]).await.0, Some(0));
}

#[tokio::test]
async fn a_copy_carries_what_witnesses_signed_and_forgery_in_it_is_seen() {
    let (provider, outside) = (Provider::start().await, Outside::start().await);
    let (house, _) = start(&provider, &outside).await;
    until(&house, "audit_anchor_works", WITNESS, |_| true).await;
    outside.knows(ORIGIN, &anchor_key(&house));
    covered(&house, &outside).await;
    let (copied, policy) = (house.path("copy"), house.path("policy"));
    let ours = std::fs::read_to_string(house.path("data/log/r0/tree/keys")).unwrap();
    let text = format!("log {ours}witness W {}\nquorum W\n", outside.key());
    std::fs::write(&policy, text).unwrap();
    assert!(house.command(&["audit", "export", "-o", &copied]).await.status.success());
    let verify = async || verified(&house, &[&copied, "--policy", &policy]).await;
    let (exit, said) = verify().await;
    assert_eq!((exit, &said["logs"][0]["witnesses"][0]["name"]), (Some(0), &json!("W")), "{said}");

    let folder = format!("{copied}/r0/anchored");
    let kept: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 3, "of the witness, of the day, and the key: {kept:?}");
    let number = VerifierKey::parse(&outside.key()).unwrap().number();
    let note = format!("{folder}/witness-{number}");
    let whole = std::fs::read_to_string(&note).unwrap();
    // A file that is damaged does not hide the other, nor is it passed over.
    std::fs::write(&note, &whole[..whole.len() - 9]).unwrap();
    let (exit, said) = verify().await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("tampered")), "{said}");
    assert_eq!(said["logs"][0]["witnesses"][0]["name"], "W", "{said}");
    // A signature that is not its own, under its name and number.
    let line = whole.lines().last().unwrap();
    let at = line.len() - 20;
    let other = if line.as_bytes()[at] == b'A' { "B" } else { "A" };
    let forged = format!("{}{other}{}", &line[..at], &line[at + 1..]);
    std::fs::write(&note, whole.replace(line, &forged)).unwrap();
    let (exit, said) = verify().await;
    assert_eq!(exit, Some(1));
    assert!(findings(&said).contains("of the witness W that does not fit"), "{said}");
    // Without what it signed, nobody vouches.
    std::fs::remove_dir_all(&folder).unwrap();
    let (exit, said) = verify().await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("unverifiable")), "{said}");
}

/// A configuration with an authority that tells the time, and whom to trust for it.
fn stamping(provider: &Provider, authority: &str, certificate: &str) -> String {
    let certificate = tsa::file(certificate);
    provider.config(&format!(
        "record: {{ anchors: [{{ timestamp: \"{authority}\", certificate: \"{certificate}\", every: 1s }}] }}\n"
    ))
}

#[tokio::test]
async fn a_time_stamp_that_cannot_be_taken_is_not_kept() {
    let (provider, outside) = (Provider::start().await, Outside::start().await);
    let authority = outside.url("tsa");
    outside.lies(true);
    let house = House::start(&stamping(&provider, &authority, "ca.pem")).await;
    tells(&house, "a time stamp of something else", 1).await;
    outside.pretends(true);
    outside.lies(false);
    tells(&house, "no certificate that is trusted for it vouches for its signer", 1).await;
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("unverifiable")), "{said}");
    assert_eq!(metric(&house, "audit_anchored_leaves", &authority).await, Some(0));
    outside.pretends(false);
    until(&house, "audit_anchored_leaves", &authority, |leaves| leaves > 0).await;
}

#[tokio::test]
async fn time_stamps_are_kept_with_the_log_and_looked_at() {
    let (provider, outside) = (Provider::start().await, Outside::start().await);
    let authority = outside.url("tsa");
    let config = |certificate: &str| stamping(&provider, &authority, certificate);
    let house = House::start(&config("ca.pem")).await;
    until(&house, "audit_anchored_leaves", &authority, |leaves| leaves > 0).await;
    let before = metric(&house, "audit_anchored_leaves", &authority).await.unwrap();
    house.call(hello()).await;
    until(&house, "audit_anchored_leaves", &authority, |leaves| leaves > before).await;
    // Nothing more is written, so that nothing more is stamped.
    house.signal("TERM");
    assert!(house.ended().await.success());
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(0), &json!("verified")), "{said}");
    let stamps = said["logs"][0]["stamps"].as_array().unwrap();
    assert!(!stamps.is_empty() && stamps[0]["at"].as_u64().unwrap() > 1_700_000_000, "{said}");
    // One a day, and the tokens beside them.
    let folder = house.path("data/log/r0/tree/anchored");
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().display().to_string())
            .collect();
        names.sort();
        names
    };
    assert!(
        names().len() <= 4 && names().len().is_multiple_of(2),
        "a test may run at midnight: {:?}",
        names()
    );

    // Somebody else's certificate.
    std::fs::write(house.config_path(), config("other.pem")).unwrap();
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("unverifiable")), "{said}");
    std::fs::write(house.config_path(), config("ca.pem")).unwrap();
    // A copy carries them; who has no certificates at hand still sees that they are of these checkpoints.
    let copied = house.path("copy");
    assert!(house.command(&["audit", "export", "-o", &copied]).await.status.success());
    let copied = Path::new(&copied).join("r0");
    let report = copy::verify(&copied, &Trust::default()).unwrap();
    assert_eq!(report.verdict(), Verdict::Verified, "{report:?}");
    assert!(report.unchecked.iter().any(|says| says.contains("openssl ts -verify")), "{report:?}");

    // Another token in the place of the right one, and a damaged one.
    let token = names().pop().unwrap();
    assert!(token.ends_with(".tsr"));
    let whole = std::fs::read(&token).unwrap();
    for (bytes, says) in [
        (std::fs::read(tsa::file("ec.tsr")).unwrap(), "something else than this checkpoint"),
        (whole[..whole.len() - 1].to_vec(), "no time stamp"),
        ([&whole[..whole.len() - 1], &[whole[whole.len() - 1] ^ 1]].concat(), "signature does not fit"),
    ] {
        std::fs::write(&token, bytes).unwrap();
        let (exit, said) = verified(&house, &[]).await;
        assert_eq!((exit, &said["verdict"]), (Some(1), &json!("tampered")), "{said}");
        assert!(findings(&said).contains(says), "{said}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("unverifiable")), "{said}");
}

#[tokio::test]
async fn the_proof_of_a_record_carries_what_witnesses_signed() {
    let (provider, outside) = (Provider::start().await, Outside::start().await);
    let (house, _) = start(&provider, &outside).await;
    until(&house, "audit_anchor_works", WITNESS, |_| true).await;
    let record = house.call(hello()).await.record();
    let (proof, receipt, policy) = (house.path("proof"), house.path("receipt"), house.path("policy"));
    let ours = std::fs::read_to_string(house.path("data/log/r0/tree/keys")).unwrap();
    std::fs::write(&policy, format!("log {ours}witness W {}\nquorum W\n", outside.key())).unwrap();
    let judged = async || {
        let proved = house.command(&["audit", "prove", &record, "-o", &proof]).await;
        assert!(proved.status.success(), "{}", String::from_utf8_lossy(&proved.stderr));
        let received = house.call(Ask::get(format!("/v1/receipts/{record}"))).await;
        std::fs::write(&receipt, received.body).unwrap();
        let proof = verified(&house, &[&proof, "--policy", &policy]).await;
        (proof, verified(&house, &[&receipt, "--policy", &policy]).await)
    };
    // No witness has seen it yet.
    let ((_, proved), (_, received)) = judged().await;
    assert_eq!((&proved["verdict"], &received["verdict"]), (&json!("unverifiable"), &json!("unverifiable")));
    outside.knows(ORIGIN, &anchor_key(&house));
    covered(&house, &outside).await;
    for (exit, said) in <[_; 2]>::from(judged().await) {
        assert_eq!(
            (exit, &said["witnessed"], &said["leaf"]["id"]),
            (Some(0), &json!(true), &json!(record)),
            "{said}"
        );
    }
    // A signature under the witness's name and number that is not its own.
    let text = std::fs::read_to_string(&proof).unwrap();
    let at = text.len() - 20;
    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    std::fs::write(&proof, format!("{}{other}{}", &text[..at], &text[at + 1..])).unwrap();
    let (exit, said) = verified(&house, &[&proof, "--policy", &policy]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("tampered")), "{said}");
}

#[tokio::test]
async fn a_month_ends_and_witnesses_need_no_other_key() {
    let (provider, outside) = (Provider::start().await, Outside::start().await);
    let (house, _) = start(&provider, &outside).await;
    until(&house, "audit_anchor_works", WITNESS, |_| true).await;
    outside.knows(ORIGIN, &anchor_key(&house));
    let before = covered(&house, &outside).await;
    house.signal("TERM");
    assert!(house.ended().await.success());
    let keys = house.path("data/log/r0/tree/keys");
    let of_month = std::fs::read_to_string(&keys).unwrap();
    std::fs::write(house.path("data/log/r0/tree/begun"), "2026-10").unwrap();
    let house = house.crash_and_restart().await;
    tells(&house, "an epoch of the audit log ended", 1).await;
    assert!(covered(&house, &outside).await > before);
    let now = std::fs::read_to_string(&keys).unwrap();
    assert!(now.starts_with(&of_month) && now.lines().count() == of_month.lines().count() + 1, "{now}");
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(0), &json!("verified")), "{said}");
    assert_eq!(said["logs"][0]["witnesses"][0]["name"], WITNESS, "{said}");
}

#[tokio::test]
async fn a_log_that_is_rolled_back_is_seen_by_every_anchor() {
    let (provider, outside) = (Provider::start().await, Outside::start().await);
    let (house, places) = start(&provider, &outside).await;
    until(&house, "audit_anchor_works", WITNESS, |_| true).await;
    outside.knows(ORIGIN, &anchor_key(&house));
    let early = covered(&house, &outside).await;
    house.signal("TERM");
    assert!(house.ended().await.success());
    let (data, before) = (house.path("data"), house.path("before"));
    let run = |program: &str, words: &[&str]| {
        assert!(Command::new(program).args(words).status().unwrap().success());
    };
    run("cp", &["-a", &data, &before]);
    let house = house.crash_and_restart().await;
    for _ in 0..5 {
        house.call(hello()).await;
    }
    let late = covered(&house, &outside).await;
    assert!(late > early);
    for place in [&places.file, &places.object] {
        until(&house, "audit_anchored_leaves", place, |leaves| leaves >= late).await;
    }
    house.signal("TERM");
    assert!(house.ended().await.success());
    // Somebody takes the last hours away, the tree, its checkpoint and what witnesses signed with them.
    run("rm", &["-rf", &data]);
    run("cp", &["-a", &before, &data]);
    let evidence = std::fs::read(&places.file).unwrap();
    let house = house.crash_and_restart().await;
    for anchor in [WITNESS, &places.file, &places.object] {
        until(&house, "audit_anchor_drifts", anchor, |drifts| drifts == 1).await;
    }
    assert!(house.stderr().contains("the audit log and its anchor differ"), "{}", house.stderr());
    assert_eq!(house.call(hello()).await.status, 200, "calls do not pay for it");
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("incomplete")), "{said}");
    assert!(findings(&said).contains("its end was cut off"), "{said}");
    assert_eq!(std::fs::read(&places.file).unwrap(), evidence, "evidence stays");
}

#[tokio::test]
async fn a_log_that_is_written_anew_is_seen_by_every_anchor() {
    let (provider, outside) = (Provider::start().await, Outside::start().await);
    let (house, places) = start(&provider, &outside).await;
    until(&house, "audit_anchor_works", WITNESS, |_| true).await;
    outside.knows(ORIGIN, &anchor_key(&house));
    let size = covered(&house, &outside).await;
    for place in [&places.file, &places.object] {
        until(&house, "audit_anchored_leaves", place, |leaves| leaves >= size).await;
    }
    house.signal("TERM");
    assert!(house.ended().await.success());
    // All of it again, under the same name, by who has all the keys.
    let log = house.path("data/log/r0");
    let keep = ["key", "key.anchors", "keys", "origin", "begun"];
    let kept = keep.map(|name| (name, std::fs::read(format!("{log}/tree/{name}")).unwrap()));
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::create_dir_all(format!("{log}/tree")).unwrap();
    kept.iter().for_each(|(name, bytes)| std::fs::write(format!("{log}/tree/{name}"), bytes).unwrap());
    for index in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(house.path(&format!("data/{index}")));
    }
    let house = house.crash_and_restart().await;
    for _ in 0..size {
        house.call(hello()).await;
    }
    for anchor in [WITNESS, &places.file, &places.object] {
        until(&house, "audit_anchor_drifts", anchor, |drifts| drifts == 1).await;
    }
    let (exit, said) = verified(&house, &[]).await;
    assert_eq!((exit, &said["verdict"]), (Some(1), &json!("tampered")), "{said}");
    assert!(findings(&said).contains(&places.file), "{said}");
}

#[tokio::test]
async fn a_configuration_of_anchors_that_cannot_be_honoured_is_refused() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let check = async |anchors: &str| {
        let text = provider.config(&format!("record: {{ anchors: [{anchors}] }}\n"));
        std::fs::write(house.config_path(), text).unwrap();
        let output = house.command(&["check"]).await;
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let log = "gatehouse.example/r0+00000000+AQ==";
    let (exit, said) = check(&format!("{{ witness: \"https://w.example\", key: \"{log}\" }}")).await;
    assert!(exit == Some(1) && said.contains("record.anchors[0].key"), "{said}");
    assert_eq!(check("{ file: /mnt/second/checkpoint }").await.0, Some(0));
    let (exit, said) = check("{ file: /mnt/a }, { file: /mnt/a }").await;
    assert!(exit == Some(1) && said.contains("already"), "{said}");
    // Those of a gateway that runs are those that it was started with.
    std::fs::write(house.config_path(), provider.config("record: { anchors: [{ file: /mnt/a }] }\n"))
        .unwrap();
    house.signal("HUP");
    tells(&house, "record.anchors", 1).await;
}
