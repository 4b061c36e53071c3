//! The caches of prompts that providers keep: marks pass, are set where the operator wants it, conversations stay
//! where they are cached, and what was cached has its own price.

use crate::client::{Answer, Ask};
use crate::front::{FRONTS, Front, with};
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};
use std::collections::HashSet;

const CLAUDE: &str = "claude-sonnet-4-5";
const AT_BEDROCK: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

/// Claude in three places, and OpenAI, with `more` at each of Claude's.
fn config(provider: &Provider, more: &str) -> String {
    let at = provider.address();
    let key = "api_key: \"${PROVIDER_KEY}\"";
    format!(
        "version: 1\nlisten: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.1:0 }}\nproviders:\n\
         \x20 claude: {{ api: anthropic, base_url: \"http://{at}\", {key}{more} }}\n\
         \x20 vertex: {{ api: vertex, base_url: \"http://{at}\", project: ours, location: eu, {key}{more} }}\n\
         \x20 bedrock: {{ api: bedrock, base_url: \"http://{at}\", aws_region: eu-central-1, {key}{more} }}\n\
         \x20 openai: {{ api: openai, base_url: \"http://{at}/v1\", {key} }}\n\
         retry: {{ backoff: 1ms }}\n"
    )
}

const PLACES: [(&str, &str); 3] = [("claude", CLAUDE), ("vertex", CLAUDE), ("bedrock", AT_BEDROCK)];

fn long(word: &str) -> String {
    format!("{word} ").repeat(2_000)
}

/// How many marks of any form a request has.
fn marks(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(marks).sum(),
        Value::Object(members) => {
            let mark =
                |name: &str| matches!(name, "cache_control" | "cachePoint" | "prompt_cache_breakpoint");
            members.iter().map(|(name, value)| usize::from(mark(name)) + marks(value)).sum()
        }
        _ => 0,
    }
}

/// A request whose instructions and words are marked as the front has it.
fn marked(front: Front, model: &str) -> Ask {
    let user = |part: Value| json!([{"role": "user", "content": [part]}]);
    let point = json!({"mode": "explicit", "ttl": "12h"});
    let body = match front {
        Front::Messages => {
            let hour = json!({"type": "ephemeral", "ttl": "1h"});
            json!({"model": model, "max_tokens": 50,
                "system": [{"type": "text", "text": "s", "cache_control": hour}],
                "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": hour}],
                "messages": user(json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}))})
        }
        Front::Chat => {
            let mut body = json!({"model": model, "prompt_cache_key": "k",
                "messages": user(json!({"type": "text", "text": "a", "prompt_cache_breakpoint": point}))});
            let system = json!({"role": "system",
                "content": [{"type": "text", "text": "s", "prompt_cache_breakpoint": point}]});
            body["messages"].as_array_mut().unwrap().insert(0, system);
            body
        }
        Front::Responses => json!({"model": model, "prompt_cache_key": "k", "store": false,
            "input": user(json!({"type": "input_text", "text": "a", "prompt_cache_breakpoint": point}))}),
        Front::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "a"}]}]}),
        Front::Cohere => json!({"model": model, "messages": user(json!({"type": "text", "text": "a"}))}),
        Front::Converse => {
            let point = |ttl: &Value| json!({"cachePoint": {"type": "default", "ttl": ttl}});
            let hour = point(&json!("1h"));
            json!({"system": [{"text": "s"}, hour],
                "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}, hour]},
                "messages": [{"role": "user", "content": [{"text": "a"}, point(&Value::Null)]}]})
        }
    };
    front.ask_body(model, false, &body)
}

#[tokio::test]
async fn marks_of_callers_pass_in_the_providers_form() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    for (front, _) in FRONTS {
        let set = match front {
            Front::Messages | Front::Converse => 3,
            Front::Chat => 2,
            Front::Responses => 1,
            Front::Gemini | Front::Cohere => 0,
        };
        for (name, model) in PLACES {
            let answer = house.call(marked(front, &format!("{name}/{model}"))).await;
            assert_eq!(answer.status, 200, "{front:?} {name}: {}", answer.text());
            let sent = provider.last().body;
            assert_eq!(marks(&sent), set, "{front:?} {name}: {sent:#}");
            let long = ["1h", "5m"].map(|ttl| sent.to_string().matches(ttl).count());
            let hours = if matches!(front, Front::Messages | Front::Converse) { 2 } else { set };
            assert_eq!(long, [hours, 0], "{front:?} {name}: {sent:#}");
            // A key for a cache is nothing that Anthropic's models know, and no more than a hint.
            let named = matches!(front, Front::Chat | Front::Responses);
            assert_eq!(
                answer.header("x-gatehouse-dropped").contains("prompt_cache_key"),
                named,
                "{front:?} {name}"
            );
        }
        let answer = house.call(marked(front, "openai/gpt-5.2")).await;
        assert_eq!(answer.status, 200, "{front:?}: {}", answer.text());
        let sent = provider.last().body;
        let key = if matches!(front, Front::Chat | Front::Responses) { json!("k") } else { Value::Null };
        assert_eq!(sent["prompt_cache_key"], key, "{front:?}: {sent:#}");
        // A tool has no place for a mark in OpenAI's dialects.
        let kept = if matches!(front, Front::Messages | Front::Converse) { 2 } else { set };
        assert_eq!(marks(&sent), kept, "{front:?}: {sent:#}");
    }
}

/// A conversation with this many turns of the user, long enough to be cached.
fn conversation(front: Front, name: &str, turns: usize) -> Value {
    let texts: Vec<String> = (0..turns).map(|turn| format!("{name} {turn}")).collect();
    let role = |role: &str, text: &str| json!({"role": role, "content": text});
    let both = |model: &str| -> Vec<Value> {
        let mut all: Vec<Value> =
            texts.iter().flat_map(|text| [role("user", text), role(model, "Said.")]).collect();
        all.pop();
        all
    };
    let system = long("rules");
    match front {
        Front::Messages => json!({"max_tokens": 50, "system": system, "messages": both("assistant")}),
        Front::Chat | Front::Cohere => {
            let all: Vec<Value> = std::iter::once(role("system", &system)).chain(both("assistant")).collect();
            json!({"messages": all})
        }
        Front::Responses => json!({"store": false, "instructions": system, "input": both("assistant")}),
        Front::Gemini => {
            let contents: Vec<Value> = both("model")
                .iter()
                .map(|turn| json!({"role": turn["role"], "parts": [{"text": turn["content"]}]}))
                .collect();
            json!({"systemInstruction": {"parts": [{"text": system}]}, "contents": contents})
        }
        Front::Converse => {
            let messages: Vec<Value> = both("assistant")
                .iter()
                .map(|turn| json!({"role": turn["role"], "content": [{"text": turn["content"]}]}))
                .collect();
            json!({"system": [{"text": system}], "messages": messages})
        }
    }
}

fn ask(front: Front, model: &str, body: Value) -> Ask {
    let body = if matches!(front, Front::Gemini | Front::Converse) {
        body
    } else {
        with(body, &json!({"model": model}))
    };
    front.ask_body(model, false, &body)
}

#[tokio::test]
async fn marks_are_set_where_the_operator_wants_it_and_the_next_turn_reads_what_was_written() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, ", prompt_cache: auto")).await;
    for (front, _) in FRONTS {
        for (name, model) in PLACES {
            let wanted = format!("{name}/{model}");
            let first =
                house.call(ask(front, &wanted, conversation(front, &format!("{front:?} {name}"), 1))).await;
            assert_eq!(first.status, 200, "{front:?} {name}: {}", first.text());
            assert_eq!(marks(&provider.last().body), 2, "{front:?} {name}");
            let second =
                house.call(ask(front, &wanted, conversation(front, &format!("{front:?} {name}"), 2))).await;
            assert_eq!(second.status, 200, "{front:?} {name}: {}", second.text());
            let sent = provider.last().body;
            assert_eq!(marks(&sent), 3, "{front:?} {name}: {sent:#}");
        }
        let answer = house.call(ask(front, "openai/gpt-5.2", conversation(front, "o", 1))).await;
        assert_eq!((answer.status, marks(&provider.last().body)), (200, 0), "{front:?}: {}", answer.text());
    }
    // Who sets marks is left alone, and so is a prompt that no model would keep.
    let own = house.call(marked(Front::Messages, &format!("claude/{CLAUDE}"))).await;
    assert_eq!((own.status, marks(&provider.last().body)), (200, 3));
    let short = house.call(Front::Messages.ask(&format!("claude/{CLAUDE}"), "hi")).await;
    assert_eq!((short.status, marks(&provider.last().body)), (200, 0));
}

#[tokio::test]
async fn a_cache_that_nobody_asked_for_is_recorded_and_priced() {
    let provider = Provider::start().await;
    let prices = ", prompt_cache: auto, prices: { \"*\": { input: \"1\", output: \"0\", cached_read: \"0.1\", \
                  cache_write: \"1.25\", cache_write_long: \"2\" } }";
    let house = House::start(&config(&provider, prices)).await;
    let call = || ask(Front::Chat, &format!("claude/{CLAUDE}"), conversation(Front::Chat, "once", 1));
    let mut seen = Vec::new();
    for _ in 0..2 {
        let id = house.call(call()).await.record();
        let record = house.json(&["audit", "show", &id]).await["record"].clone();
        let usage = record["usage"].clone();
        let count = |name: &str| usage[name].as_u64().unwrap_or_default();
        let (all, read, written) = (count("in"), count("in_cached"), count("in_cache_write_5m"));
        let cost = (all - read - written) * 1_000 + read * 100 + written * 1_250;
        assert_eq!(record["cost"]["nano"].as_u64(), Some(cost), "{record:#}");
        seen.push((read > 0, written > 0));
    }
    assert_eq!(seen, [(false, true), (true, false)]);
}

#[tokio::test]
async fn only_who_has_such_marks_takes_the_setting() {
    let provider = Provider::start().await;
    let wrong = config(&provider, "").replace("/v1\",", "/v1\", prompt_cache: auto,");
    let house = House::start(&config(&provider, "")).await;
    let path = house.config_path().with_file_name("wrong.yaml");
    std::fs::write(&path, wrong).unwrap();
    let output = house.command(&["check", "--config", path.to_str().unwrap()]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("is no setting of openai"), "{said}");
}

#[tokio::test]
async fn what_may_be_written_for_an_hour_is_reserved_at_that_price() {
    let provider = Provider::start().await;
    let prices = ", prices: { \"*\": { input: \"1\", output: \"0\", cache_write: \"1.25\", cache_write_long: \"2\" } }";
    let house = House::start(&config(&provider, prices)).await;
    let mut reserved = Vec::new();
    for ttl in ["5m", "1h"] {
        let text = json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": ttl}});
        let body = json!({"model": format!("claude/{CLAUDE}"), "max_tokens": 50,
            "messages": [{"role": "user", "content": [text]}]});
        let answer = house.call(Front::Messages.ask_body("", false, &body)).await;
        let shown = house.json(&["audit", "show", &answer.record()]).await;
        reserved
            .push(shown["admitted"]["cost"]["reserved_nano"].as_u64().unwrap_or_else(|| panic!("{shown:#}")));
    }
    assert!(reserved[0] > 0 && reserved[1] * 125 == reserved[0] * 200, "{reserved:?}");
}

// === Where a conversation stays ===

const SPREAD: &str = "models: { any: { targets: [openai/m, compatible/m, anthropic/m], prefer: spread } }\n";

async fn target(house: &House, ask: Ask) -> String {
    let answer: Answer = house.call(ask).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-gatehouse-target").to_owned()
}

#[tokio::test]
async fn a_conversation_stays_with_one_of_equal_targets() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(SPREAD)).await;
    for (front, _) in FRONTS {
        let mut met = HashSet::new();
        for number in 0..16 {
            let name = format!("conversation {number}");
            let first = target(&house, ask(front, "any", conversation(front, &name, 1))).await;
            let later = target(&house, ask(front, "any", conversation(front, &name, 3))).await;
            assert_eq!(first, later, "{front:?}");
            met.insert(first);
        }
        assert!(met.len() > 1, "{front:?}: all went to {met:?}");
    }
}

#[tokio::test]
async fn who_asks_is_told_that_the_conversation_decides() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(SPREAD)).await;
    let told = house.json(&["explain", "--model", "any"]).await;
    assert_eq!(told["route"], "models.any: spread");
    let outcomes = told["candidates"].as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap());
    assert!(outcomes.eq(["kept: by conversation"; 3]), "{told:#}");
}

#[tokio::test]
async fn the_callers_word_for_a_conversation_counts_before_its_beginning() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(SPREAD)).await;
    let mut by_run = HashSet::new();
    let mut by_key = HashSet::new();
    for number in 0..12 {
        let plain = || Front::Chat.ask("any", &format!("words {number}"));
        by_run.insert(target(&house, plain().header("x-gatehouse-run", "one run")).await);
        let keyed =
            Front::Chat.ask_with("any", &format!("words {number}"), false, &json!({"prompt_cache_key": "k"}));
        by_key.insert(target(&house, keyed.header("x-gatehouse-run", &format!("run {number}"))).await);
    }
    assert_eq!((by_run.len(), by_key.len()), (1, 1), "{by_run:?} {by_key:?}");
}

#[tokio::test]
async fn who_fails_loses_its_conversations_only_while_it_fails() {
    let provider = Provider::start().await;
    let more = "models: { any: { targets: [openai/m, anthropic/m], prefer: spread } }\n";
    let house = House::start(&provider.config(more)).await;
    let call = || Front::Chat.ask("any", "the same words");
    let own = target(&house, call()).await;
    let path = if own == "openai/m" { "/v1/chat/completions" } else { "/v1/messages" };
    provider.script(&json!({"status": 503, "times": 0, "match": {"path": path}}));
    let other = target(&house, call()).await;
    assert_ne!(own, other);
    provider.sim.reset();
    assert_eq!(target(&house, call()).await, own);
}

// === What it costs ===

/// One million tokens read, and as many written for each lifetime, in the way of each dialect, whole and streamed.
fn answers() -> Vec<(&'static str, bool, Value, u64)> {
    let anthropic = json!({"input_tokens": 1_000, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 70,
        "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 40}, "output_tokens": 0});
    let inside = json!({"cached_tokens": 200, "cache_write_tokens": 70, "cache_write_tokens_details": {"ttl_30m": 30, "ttl_12h": 40}});
    let chat = json!({"prompt_tokens": 1_270, "completion_tokens": 0, "total_tokens": 1_270, "prompt_tokens_details": inside});
    let response = json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "x", "annotations": []}]}],
        "usage": {"input_tokens": 1_270, "output_tokens": 0, "total_tokens": 1_270, "input_tokens_details": inside,
            "output_tokens_details": {"reasoning_tokens": 0}}});
    let bedrock = json!({"inputTokens": 1_000, "outputTokens": 0, "totalTokens": 1_270, "cacheReadInputTokens": 200,
        "cacheWriteInputTokens": 70, "cacheDetails": [{"ttl": "5m", "inputTokens": 30}, {"ttl": "1h", "inputTokens": 40}]});
    let gemini = json!({"promptTokenCount": 1_200, "cachedContentTokenCount": 200, "candidatesTokenCount": 0, "totalTokenCount": 1_200});
    let sse = |events: &[Value], named: bool| -> Value {
        let one = |event: &Value| {
            let name =
                if named { format!("event: {}\n", event["type"].as_str().unwrap()) } else { String::new() };
            format!("{name}data: {event}\n\n")
        };
        events.iter().map(one).collect::<String>().into()
    };
    let message = |usage: &Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": "end_turn", "stop_sequence": null, "usage": usage})
    };
    let begun = json!({"type": "message_start", "message": message(&anthropic)});
    let text =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let over = json!({"type": "content_block_stop", "index": 0});
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
        "usage": {"output_tokens": 0}});
    let choice = |member: &str| json!([{"index": 0, member: {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]);
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choice("delta")});
    let counted = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": chat});
    let candidate = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "x"}]}, "finishReason": "STOP"}],
        "usageMetadata": gemini});
    let stop = json!({"type": "message_stop"});
    let mut chunks = sse(&[chunk, counted], false).as_str().unwrap().to_owned();
    chunks.push_str("data: [DONE]\n\n");
    // 1,000 at 1 dollar a million, 200 at 0.1, 30 at 1.25, 40 at 2; Gemini tells of no writing.
    let (all, no_writes) = (1_000_000 + 20_000 + 37_500 + 80_000, 1_000_000 + 20_000);
    vec![
        ("anthropic", false, message(&anthropic), all),
        ("anthropic", true, sse(&[begun, text, over, delta, stop], true), all),
        (
            "openai",
            false,
            json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": choice("message"), "usage": chat}),
            all,
        ),
        ("openai", true, chunks.into(), all),
        (
            "bedrock",
            false,
            json!({"output": {"message": {"role": "assistant", "content": [{"text": "x"}]}},
            "stopReason": "end_turn", "usage": bedrock}),
            all,
        ),
        ("responses", false, response.clone(), all),
        (
            "responses",
            true,
            sse(&[json!({"type": "response.completed", "sequence_number": 0, "response": response})], true),
            all,
        ),
        ("gemini", false, candidate.clone(), no_writes),
        ("gemini", true, sse(&[candidate], false), no_writes),
    ]
}

#[tokio::test]
async fn cached_tokens_have_their_own_price_in_every_dialect() {
    let provider = Provider::start().await;
    let prices =
        "input: \"1\", output: \"2\", cached_read: \"0.1\", cache_write: \"1.25\", cache_write_long: \"2\"";
    let house = House::start(&provider.config("").replace("input: \"1\", output: \"2\"", prices)).await;
    for (front, _) in FRONTS {
        for (name, streamed, body, nano) in answers() {
            // OpenAI answers callers of its Responses in that dialect, and all others in chat's.
            let name = match (front, name) {
                (Front::Responses, "openai") => continue,
                (Front::Responses, "responses") => "openai",
                (_, "responses") => continue,
                _ => name,
            };
            let kind = if streamed { "text/event-stream" } else { "application/json" };
            provider.script(&json!({"status": 200, "headers": {"content-type": kind}, "body": body}));
            let model = format!("{name}/m");
            let ask = if streamed { front.stream(&model, "hi") } else { front.ask(&model, "hi") };
            let answer = house.call(ask).await;
            assert_eq!(answer.status, 200, "{front:?} {name} {streamed}: {}", answer.text());
            let record = house.json(&["audit", "show", &answer.record()]).await["record"].clone();
            assert_eq!(
                record["cost"]["nano"].as_u64(),
                Some(nano),
                "{front:?} {name} {streamed}: {record:#}"
            );
        }
    }
}
