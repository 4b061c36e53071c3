//! Guardrails in both directions, whatever the caller speaks and whoever answers.

use crate::client::Ask;
use crate::front::FRONTS;
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

const CONFIG: &str = r#"
guards:
  - { name: entry, detect: words, words: [Nightingale], at: [input, system], do: redact }
  - { name: exit, detect: words, words: [Osprey, "blue heron"], at: [output], do: redact }
  - { name: stop, detect: words, words: [Condor], at: [output], do: block }
"#;

/// A target in the caller's dialect and one in another.
fn targets(own: &'static str) -> [&'static str; 2] {
    [own, if own == "anthropic" { "gemini" } else { "anthropic" }]
}

#[tokio::test]
async fn what_is_redacted_reaches_no_provider_and_no_caller() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let prompt = "tell Osprey of NIGHTINGALE, \\u004eightingale and the blue heron today";
    for (front, own) in FRONTS {
        for kind in targets(own) {
            for stream in [false, true] {
                let mut ask = front.ask_with(&format!("{kind}/m"), prompt, stream, &json!({}));
                // The same word behind an escape of JSON.
                let body = String::from_utf8(ask.body.to_vec()).unwrap().replace("\\\\u004e", "\\u004e");
                ask.body = body.into();
                // The provider's answer in single bytes: every word is cut.
                provider.script(&json!({"chunk_bytes": 1}));
                let answer = house.call(ask).await;
                let what = format!("{front:?} {kind} {stream}");
                assert_eq!(answer.status, 200, "{what}: {}", answer.text());
                let sent = provider.last();
                let sent_text = sent.body.to_string().to_lowercase();
                assert!(
                    !sent_text.contains("nightingale") && sent_text.contains("[redacted]"),
                    "{what}: {}",
                    sent.body_text
                );
                let said = if stream { front.said_in(&answer) } else { front.said(&answer.json()) };
                let expected = "You said: tell [REDACTED] of [REDACTED], [REDACTED] and the [REDACTED] today";
                assert_eq!(said.text, expected, "{what}");
                assert!(
                    !answer.text().contains("Osprey") && !answer.text().contains("heron"),
                    "{what}: {}",
                    answer.text()
                );
            }
        }
    }
    let guards = house.call(FRONTS[0].0.ask("openai/m", "Osprey")).await;
    assert!(guards.header("x-gatehouse-guards").contains("exit=redact"), "{:?}", guards.headers);
}

#[tokio::test]
async fn a_block_in_the_middle_ends_the_stream_and_cancels_the_provider() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let prompt = format!("before it Condor {}", "and after it ".repeat(60));
    for (front, own) in FRONTS {
        for kind in targets(own) {
            provider.sim.reset();
            let answer = house.call(front.stream(&format!("{kind}/drip-30"), &prompt)).await;
            let what = format!("{front:?} {kind}: {}", answer.text());
            assert_eq!((answer.status, front.code_in(&answer).as_str()), (200, "guard_blocked"), "{what}");
            assert!(!answer.cut && !answer.text().contains("Condor"), "{what}");
            provider.wait(|counts| counts.cancelled == 1 && counts.in_flight == 0).await;
            let record = house.record(&answer.record()).await;
            assert_eq!((&record["outcome"], &record["error"]), (&json!("failed"), &json!("guard_blocked")));
            let whole = house.call(front.ask(&format!("{kind}/m"), "the Condor")).await;
            assert_eq!((whole.status, front.code(&whole.json()).as_str()), (400, "guard_blocked"), "{what}");
            assert!(!whole.text().contains("Condor"), "{what}");
        }
    }
}

#[tokio::test]
async fn arguments_of_tools_are_texts_too() {
    let provider = Provider::start().await;
    let more = "guards: [{ name: args, detect: words, words: [Osprey], at: [tool_arguments], do: redact }]\n";
    let house = House::start(&provider.config(more)).await;
    for (front, own) in FRONTS {
        for kind in targets(own) {
            for stream in [false, true] {
                let tools = crate::translation::tools(front, &["find"]);
                let model = format!("{kind}/m");
                let answer = house.call(front.ask_with(&model, "find city=Osprey", stream, &tools)).await;
                let said = if stream { front.said_in(&answer) } else { front.said(&answer.json()) };
                let expected = vec![("find".to_owned(), json!({"city": "[REDACTED]", "days": 1}))];
                assert_eq!(said.calls, expected, "{front:?} {kind} {stream}: {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn what_is_redacted_is_not_in_the_book_either() {
    let provider = Provider::start().await;
    let config = format!("{CONFIG}record: {{ content: full }}\n");
    let house = House::start(&provider.config(&config)).await;
    let answer = house.call(crate::front::Front::Chat.ask("openai/m", "tell Nightingale")).await;
    let shown = house.json(&["audit", "show", &answer.record()]).await.to_string().to_lowercase();
    assert!(shown.contains("[redacted]") && !shown.contains("nightingale"), "{shown}");
}

#[tokio::test]
async fn who_cannot_read_token_ids_and_lets_them_pass_says_so() {
    let provider = Provider::start().await;
    let config = "guards:
  - { name: note, detect: words, words: [Osprey], at: [input], do: flag }
  - { name: lax, detect: words, words: [Osprey], at: [input], do: block, on_failure: open }
  - { name: exit, detect: words, words: [Osprey], at: [output], do: block }
";
    let house = House::start(&provider.config(config)).await;
    for (path, member) in [("/v1/completions", "prompt"), ("/v1/embeddings", "input")] {
        let body = json!({"model": "openai/m", member: [1, 2, 3]});
        let answer = house.call(crate::client::Ask::post(path, &body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-gatehouse-guards"), "note=unread,lax=unread,exit=allow");
        let shown = house.json(&["audit", "show", &answer.record()]).await.to_string();
        assert_eq!(shown.matches("\"unread\"").count(), 2, "{shown}");
        let text = json!({"model": "openai/m", member: "hi"});
        let answer = house.call(crate::client::Ask::post(path, &text)).await;
        assert_eq!(answer.header("x-gatehouse-guards"), "note=allow,lax=allow,exit=allow");
    }
}

#[tokio::test]
async fn token_ids_do_not_pass_a_guardrail_unread() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    for (path, member) in [("/v1/completions", "prompt"), ("/v1/embeddings", "input")] {
        let body = json!({"model": "openai/m", member: [1, 2, 3]});
        let answer = house.call(crate::client::Ask::post(path, &body)).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["param"]),
            (400, &json!(member)),
            "{}",
            answer.text()
        );
    }
    assert_eq!(provider.sim.stats().total.received, 0);
}

#[tokio::test]
async fn an_escape_in_arguments_hides_no_word_and_our_own_frame_of_a_text_is_none() {
    let provider = Provider::start().await;
    let more =
        "guards: [{ name: args, detect: words, words: [Osprey, input], at: [tool_arguments], do: block }]\n";
    let house = House::start(&provider.config(more)).await;
    let history = |call: &Value| {
        json!({"model": "anthropic/m", "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "done"},
            {"role": "user", "content": "hello there"}]})
    };
    let function = |arguments: &str| json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}});
    let free = |text: &str| json!({"id": "c1", "type": "custom", "custom": {"name": "run", "input": text}});
    for (call, status) in [
        (function(r#"{"text":"\u004fsprey"}"#), 400),
        (function(r#"{"\u004fsprey":1}"#), 400),
        (function(r#"{"text":"\\u004fsprey"}"#), 200),
        (free("ls of Osprey"), 400),
        (free("ls"), 200),
    ] {
        let answer = house.call(Ask::post("/v1/chat/completions", &history(&call))).await;
        assert_eq!(answer.status, status, "{call}: {}", answer.text());
        let code = answer.json()["error"]["code"].as_str().map(ToOwned::to_owned);
        assert_eq!(code.as_deref(), (status == 400).then_some("guard_blocked"), "{call}");
    }
}
