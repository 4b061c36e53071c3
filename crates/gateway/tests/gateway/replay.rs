//! Recorded calls held against another configuration: what would change, and nothing is sent.

use crate::client::Ask;
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

const BEFORE: &str = r#"
models:
  smart: { targets: [openai/m] }
record: { content: full }
guards: [{ name: secrets, detect: words, words: [Xyzzy], do: block }]
"#;
const AFTER: &str = r#"
models:
  smart: { targets: [openai/other] }
record: { content: full }
guards: [{ name: names, detect: words, words: [Nightingale], at: [input], do: block }]
"#;

fn said(model: &str, text: &str) -> Ask {
    let body = json!({"model": model, "messages": [{"role": "user", "content": text}]});
    Ask::post("/v1/chat/completions", &body)
}

/// The change of this kind, from this to that.
fn found<'a>(report: &'a Value, change: &str) -> &'a Value {
    let all = report.get("changes").and_then(Value::as_array).unwrap();
    all.iter()
        .find(|one| one.get("change") == Some(&json!(change)))
        .unwrap_or_else(|| panic!("{change}: {report:#}"))
}

#[tokio::test]
async fn another_configuration_is_held_against_what_was_asked() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(BEFORE)).await;
    let moved = house.call(said("smart", "hello")).await.record();
    house.call(said("openai/m", "hello")).await;
    let stopped = house.call(said("openai/m", "about Nightingale")).await.record();
    let passes = house.call(said("openai/m", "say Xyzzy")).await;
    assert_eq!(passes.status, 400);
    // What is wrong with a call itself stays wrong.
    assert_eq!(house.call(said("smart", "hello").key("ghk_nonsense")).await.status, 401);
    house.records_once(5).await;
    let asked = provider.wait(|_| true).await.received;

    let new = house.path("new.yaml");
    std::fs::write(&new, provider.config(AFTER)).unwrap();
    let report = house.json(&["replay", "--config", &new, "--since", "1h"]).await;
    assert_eq!((&report["calls"], &report["same"]), (&json!(4), &json!(1)), "{report:#}");
    let target = found(&report, "target");
    assert_eq!(
        (&target["before"], &target["now"], &target["examples"]),
        (&json!("openai/m"), &json!("openai/other"), &json!([moved]))
    );
    let refused = found(&report, "refused");
    assert!(refused["now"].as_str().unwrap().contains("guardrail \"names\""), "{refused}");
    assert_eq!(refused["examples"], json!([stopped]));
    let passing = found(&report, "passes");
    assert_eq!((&passing["before"], &passing["calls"]), (&json!("guard_blocked"), &json!(1)));
    // The text of what was stopped is not kept: what was said of it stands, as far as the guardrail is still there.
    assert_eq!(report["guards"], json!({"judged": 3, "would_change_the_text": 0, "text_not_kept": 1}));
    assert_eq!(provider.wait(|_| true).await.received, asked, "nothing is sent");
    // That texts were read for it is on record.
    assert_eq!(house.in_the_log("\"purpose\":\"replay\",\"records\":3"), 1);

    // Held against itself, nothing changes.
    let same = house.config_path().display().to_string();
    let report = house.json(&["replay", "--config", &same]).await;
    assert_eq!(
        (&report["calls"], &report["same"], &report["changes"]),
        (&json!(4), &json!(4), &json!([])),
        "{report:#}"
    );
    assert_eq!(report["cost"]["before_usd"], report["cost"]["after_usd"]);
    let output = house.command(&["replay", "--config", &new]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.starts_with("4 calls, 1 of them as before"), "{text}");
}
