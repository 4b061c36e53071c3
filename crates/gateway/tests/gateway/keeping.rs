//! What is kept of what was said: by team, by model, by what guardrails said.

use crate::client::Ask;
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

const RULES: &str = r#"
guards:
  - { name: secrets, detect: words, words: [Xyzzy], at: [input], do: block }
  - { name: names, detect: words, words: [Nightingale], at: [input, output], do: observe }
record:
  content: digest
  rules:
    - { guard: secrets=block, content: full }
    - { only: { team: legal }, content: none, durability: async }
    - { only: { use_case: seen }, content: full }
    - { model: openai/open, content: full }
    - { model: "openai/veiled*", content: redacted }
"#;

fn said(model: &str, text: &str, stream: bool) -> Ask {
    let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]});
    Ask::post("/v1/chat/completions", &body)
}

/// The leaf and the texts of a call.
async fn shown(house: &House, record: &str) -> (Vec<Value>, Vec<String>) {
    let shown = house.json(&["audit", "show", record]).await;
    let texts = shown.pointer("/content").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |one: &Value| one.get("text").and_then(Value::as_str).map(str::to_owned);
    let leaf = shown.pointer("/record/payload").and_then(Value::as_array).cloned().unwrap_or_default();
    (leaf, texts.iter().filter_map(text).collect())
}

#[tokio::test]
async fn rules_say_what_is_kept_of_which_call() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(RULES)).await;
    let (_, legal) = house.new_key(&["--team", "legal"]).await;

    let (leaf, texts) = shown(&house, &house.call(said("openai/m", "hello", false)).await.record()).await;
    assert!(leaf[0]["commit"].is_string() && leaf[0].get("sealed_sha256").is_none() && texts.is_empty());
    let (leaf, texts) =
        shown(&house, &house.call(said("openai/open", "hello", false).key(&legal)).await.record()).await;
    assert!(leaf[0].get("commit").is_none() && texts.is_empty(), "{leaf:?}");
    let (leaf, texts) =
        shown(&house, &house.call(said("openai/open", "Nightingale", false)).await.record()).await;
    assert!(leaf[0].get("redacted").is_none() && texts[0].contains("Nightingale"), "{texts:?}");

    // Also where the account is known by a header alone.
    let (_, free) = house.new_key(&["--team", "sales"]).await;
    let seen = said("openai/m", "hello", false).key(&free).header("x-gatehouse-use-case", "seen");
    let (_, texts) = shown(&house, &house.call(seen).await.record()).await;
    assert_eq!(texts.len(), 2);

    let found = house.json(&["audit", "query", "--text", "nightingale"]).await;
    assert_eq!(found.pointer("/calls/0/model"), Some(&json!("openai/open")), "{found:#}");
    assert_eq!(found.pointer("/calls").and_then(Value::as_array).map(Vec::len), Some(1));
    assert_eq!(house.in_the_log("\"purpose\":\"search\",\"records\":2"), 1);

    // What was stopped is kept where a rule about the one that stopped it says so, and nowhere else.
    let stopped = house.call(said("openai/open", "Xyzzy", false).key(&legal)).await;
    assert_eq!(stopped.status, 400, "{}", stopped.text());
    let (_, texts) = shown(&house, &stopped.record()).await;
    assert!(texts[0].contains("Xyzzy"), "{texts:?}");
}

#[tokio::test]
async fn a_redacted_text_is_without_what_guardrails_find_also_where_it_came_in_pieces() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(RULES)).await;
    for stream in [false, true] {
        let answer = house.call(said("openai/veiled-1", "about Nightingale and more", stream)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let (leaf, texts) = shown(&house, &answer.record()).await;
        assert_eq!(
            (texts.len(), &leaf[0]["redacted"], &leaf[1]["redacted"]),
            (2, &json!(true), &json!(true))
        );
        assert!(texts.iter().all(|text| !text.contains("Nightingale")), "{texts:?}");
        assert!(texts[0].contains("and more") && texts[1].contains("chat.completion"), "{texts:?}");
    }
    let files = house.files();
    assert!(!files.iter().any(|(_, bytes)| bytes.windows(11).any(|part| part == b"Nightingale")));
}

#[tokio::test]
async fn rules_that_cannot_be_honoured_are_refused() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let text = std::fs::read_to_string(house.config_path()).unwrap();
    for (rules, why) in [
        ("record: { content: redacted }", "there is no guardrail, so nobody would find what to take out"),
        ("record: { rules: [{ model: fast }] }", "says nothing"),
        ("record: { rules: [{ guard: pii=block, content: full }] }", "there is no guardrail \"pii\""),
        (
            "record: { rules: [{ guard: a=blok, content: full }] }\nguards: [{ name: a, detect: words, words: [x], do: block }]",
            "no guardrail says \"blok\"",
        ),
    ] {
        std::fs::write(house.config_path(), format!("{text}\n{rules}\n")).unwrap();
        let output = house.command(&["check"]).await;
        let says = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && says.contains(why), "{rules}: {says}");
    }
}

#[tokio::test]
async fn an_answer_may_wait_for_the_second_place_of_its_record() {
    let provider = Provider::start().await;
    let there = tempfile::tempdir().unwrap();
    let dir = there.path().display();
    let config = format!(
        "record:\n  durability: local\n  remote: {{ dir: {dir}, timeout: 1s }}\n  rules:\n    - {{ model: openai/far, durability: remote }}\n"
    );
    let house = House::start(&provider.config(&config)).await;
    let record = house.call(said("openai/far", "hello", false)).await.record();
    let copied = || {
        let bytes = std::fs::read(there.path().join("r0/00000000000000000000.seg")).unwrap_or_default();
        bytes.windows(record.len()).any(|part| part == record.as_bytes())
    };
    assert!(copied(), "the answer was released before its record was there");
    // The second place goes away: calls that wait for it are told so, others are not held up.
    std::fs::remove_dir_all(there.path().join("r0")).unwrap();
    std::fs::write(there.path().join("r0"), "in the way").unwrap();
    let failed = house.call(said("openai/far", "hello", false)).await;
    assert_eq!(failed.json()["error"]["code"], json!("audit_unavailable"), "{}", failed.text());
    assert_eq!(house.call(said("openai/near", "hello", false)).await.status, 200);
    // It comes back, and the copy with it.
    std::fs::remove_file(there.path().join("r0")).unwrap();
    let begun = std::time::Instant::now();
    while house.call(said("openai/far", "hello", false)).await.status != 200 {
        assert!(begun.elapsed().as_secs() < 60);
    }
    assert!(copied(), "all of it");
}
