//! Answers of `/v1/responses` that are kept: gone on from, asked for again, made in the background, and nobody else's.

use crate::client::{Answer, Ask};
use crate::house::House;
use crate::life::until;
use crate::provider::Provider;
use serde_json::{Value, json};

fn ask(model: &str, input: &Value, more: &Value) -> Ask {
    let mut body = json!({"model": model, "input": input});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Ask::post("/v1/responses", &body)
}

async fn answer(house: &House, model: &str, input: &str, more: Value) -> Value {
    let answer = house.call(ask(model, &json!(input), &more)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap().to_owned()
}

fn text(answer: &Value) -> &str {
    let items = answer["output"].as_array().unwrap();
    let message = items.iter().find(|item| item["type"] == "message").unwrap_or(&Value::Null);
    message["content"][0]["text"].as_str().unwrap_or_default()
}

fn about(id: &str) -> String {
    format!("/v1/responses/{id}")
}

fn cost(record: &Value) -> f64 {
    record["cost_usd"].as_str().unwrap_or_default().parse().unwrap()
}

fn with(method: &'static str, path: String) -> Ask {
    Ask { method, ..Ask::get(path) }
}

/// What a refusal says, apart from the id of its record.
fn refusal(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["error"].clone())
}

#[tokio::test]
async fn a_conversation_goes_on_with_any_provider() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let mut last = Value::Null;
    for (turn, kind) in ["openai", "anthropic", "gemini", "cohere", "openai"].into_iter().enumerate() {
        let more =
            if turn == 0 { json!({}) } else { json!({"previous_response_id": id(&last), "store": true}) };
        let now = answer(&house, &format!("{kind}/m"), &format!("question {turn} to {kind}"), more).await;
        let sent = provider.last().body.to_string();
        for said in 0..=turn {
            assert!(sent.contains(&format!("question {said} to")), "{kind}: {sent}");
        }
        assert_eq!(now["previous_response_id"], last["id"], "{kind}");
        assert_eq!(
            (&now["store"], text(&now)),
            (&json!(true), format!("You said: question {turn} to {kind}").as_str())
        );
        last = now;
    }
    let sent = provider.last().body;
    assert_eq!((&sent["store"], &sent["previous_response_id"]), (&json!(false), &Value::Null), "{sent}");
    assert_eq!(sent["input"].as_array().unwrap().len(), 9);

    let again = house.call(Ask::get(about(&id(&last)))).await.json();
    assert_eq!(again, last);
    let items =
        house.call(Ask::get(format!("{}/input_items?order=asc&limit=3", about(&id(&last))))).await.json();
    let (data, more) = (items["data"].as_array().unwrap(), &items["has_more"]);
    assert_eq!((data.len(), more), (3, &json!(true)));
    assert_eq!(data[0]["content"], json!([{"type": "input_text", "text": "question 0 to openai"}]));
    assert_eq!(data[1]["role"], "assistant");
    let after = items["last_id"].as_str().unwrap();
    let rest = format!("{}/input_items?order=asc&after={after}", about(&id(&last)));
    let rest = house.call(Ask::get(rest)).await.json();
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["has_more"]), (6, &json!(false)));
    let newest = house.call(Ask::get(format!("{}/input_items", about(&id(&last))))).await.json();
    assert_eq!(newest["data"][0]["content"][0]["text"], "question 4 to openai");

    // What is deleted is gone from the conversation, too.
    let deleted = house.call(with("DELETE", about(&id(&last)))).await;
    assert_eq!(deleted.json(), json!({"id": id(&last), "object": "response", "deleted": true}));
    let gone = house.call(ask("openai/m", &json!("x"), &json!({"previous_response_id": id(&last)}))).await;
    assert_eq!((gone.status, &gone.json()["error"]["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn a_stream_is_kept_as_it_was_said() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for kind in ["openai", "anthropic", "gemini"] {
        let first = answer(&house, &format!("{kind}/m"), "one", json!({})).await;
        let more = json!({"stream": true, "previous_response_id": id(&first)});
        let stream = house.call(ask(&format!("{kind}/m"), &json!("two three"), &more)).await;
        let events = stream.events();
        let told: Vec<&Value> =
            events.iter().map(|event| &event["response"]).filter(|one| !one.is_null()).collect();
        assert!(told.len() >= 2, "{kind}: {}", stream.text());
        for one in &told {
            assert_eq!((&one["id"], &one["previous_response_id"]), (&told[0]["id"], &first["id"]), "{kind}");
            assert_eq!(one["store"], true, "{kind}");
        }
        let last = told.last().unwrap();
        assert_eq!((&last["status"], text(last)), (&json!("completed"), "You said: two three"));
        assert_eq!(&&house.call(Ask::get(about(&id(last)))).await.json(), last, "{kind}");
        let record = house.record(&stream.record()).await;
        assert_eq!(record["outcome"], "settled", "{record}");
    }
    // What nobody wants kept has the provider's id and is nowhere.
    let passing = answer(&house, "openai/m", "four", json!({"store": false})).await;
    assert_eq!(
        (passing["store"].clone(), house.call(Ask::get(about(&id(&passing)))).await.status),
        (json!(false), 404)
    );
    // What is cut off is not kept.
    let cut = house.call(ask("openai/cut-7", &json!("a b c d e"), &json!({"stream": true}))).await;
    let begun =
        cut.events().into_iter().find_map(|event| event["response"]["id"].as_str().map(str::to_owned));
    assert_eq!(house.call(Ask::get(about(&begun.unwrap()))).await.status, 404);
}

#[tokio::test]
async fn nobody_else_finds_it() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let app = |name: &'static str| ["--team", "t", "--app", name, "--name", name];
    let (_, own) = house.new_key(&app("a")).await;
    let (_, sibling) = house.new_key(&app("a")).await;
    let (_, other) = house.new_key(&app("b")).await;
    let made = house.call(ask("openai/m", &json!("mine"), &json!({})).key(&own)).await.json();
    let slow = json!({"background": true});
    let slow = house.call(ask("openai/stall-0", &json!("mine"), &slow).key(&own)).await.json();
    let mut forged = id(&made).into_bytes();
    forged[40] = if forged[40] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let item = made["output"][0]["id"].as_str().unwrap();
    let tries = |id: &str| {
        vec![
            Ask::get(about(id)),
            Ask::get(format!("{}/input_items", about(id))),
            with("DELETE", about(id)),
            with("POST", format!("{}/cancel", about(id))),
            ask("openai/m", &json!("x"), &json!({"previous_response_id": id})),
        ]
    };
    let nothing = tries("resp_nothing");
    for (theirs, nothing) in
        tries(&id(&made)).into_iter().chain(tries(&id(&slow))).zip(nothing.iter().cycle())
    {
        let expected = refusal(&house.call(nothing.clone().key(&other)).await);
        assert_eq!(expected.0, 404);
        assert_eq!(refusal(&house.call(theirs.clone().key(&other)).await), expected, "{theirs:?}");
    }
    for asked in tries(&forged) {
        assert_eq!(house.call(asked.key(&own)).await.status, 404);
    }
    let refer = ask(
        "openai/m",
        &json!([{"type": "item_reference", "id": item}, {"role": "user", "content": "go on"}]),
        &json!({}),
    );
    assert_eq!(house.call(refer.clone().key(&other)).await.status, 404);
    let referred = house.call(refer.key(&own)).await;
    assert_eq!(referred.status, 200, "{}", referred.text());
    assert_eq!(provider.last().body["input"][0]["content"][0]["text"], "You said: mine");
    // A key of the same application finds it.
    assert_eq!(house.call(Ask::get(about(&id(&made))).key(&sibling)).await.json(), made);
    // Who may not use the model still has what was kept.
    assert_eq!(
        house.call(with("POST", format!("{}/cancel", about(&id(&slow)))).key(&sibling)).await.json()["status"],
        "cancelled"
    );
}

const GUARDS: &str = r#"
guards:
  - { name: entry, detect: words, words: [Nightingale], at: [input], do: block }
  - { name: mask, detect: words, words: [Osprey], at: [input, output], do: redact }
"#;

#[tokio::test]
async fn guardrails_see_what_was_kept() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(GUARDS)).await;
    let first = answer(&house, "openai/m", "an Osprey it is", json!({})).await;
    assert_eq!(
        text(&first),
        "You said: an [REDACTED] it is".replace("[REDACTED]", &text(&first)[13..text(&first).len() - 6])
    );
    assert!(!text(&first).contains("Osprey"), "{first}");
    let items = house.call(Ask::get(format!("{}/input_items", about(&id(&first))))).await.text();
    assert!(items.contains("it is") && !items.contains("Osprey"), "{items}");

    let open = provider.config("");
    std::fs::write(house.config_path(), &open).unwrap();
    house.signal("HUP");
    until(async || house.call(ask("openai/m", &json!("Nightingale"), &json!({}))).await.status == 200).await;
    let free = answer(&house, "openai/m", "of Nightingale", json!({})).await;
    let bird = answer(&house, "openai/m", "of Osprey", json!({})).await;
    std::fs::write(house.config_path(), provider.config(GUARDS)).unwrap();
    house.signal("HUP");
    until(async || house.call(ask("openai/m", &json!("Nightingale"), &json!({}))).await.status == 400).await;
    let on = house.call(ask("openai/m", &json!("and?"), &json!({"previous_response_id": id(&free)}))).await;
    assert_eq!((on.status, &on.json()["error"]["code"]), (400, &json!("guard_blocked")));
    let blocked = house.call(Ask::get(format!("{}/input_items", about(&id(&free))))).await;
    assert_eq!(blocked.json()["error"]["code"], "guard_blocked");
    let shown = house.call(Ask::get(about(&id(&bird)))).await.text();
    assert!(shown.contains("You said: of ") && !shown.contains("Osprey"), "{shown}");
}

#[tokio::test]
async fn an_answer_is_made_in_the_background() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let begun =
        house.call(ask("anthropic/slow-300", &json!("take your time"), &json!({"background": true}))).await;
    let first = begun.json();
    assert_eq!(
        (&first["status"], &first["background"], &first["output"]),
        (&json!("in_progress"), &json!(true), &json!([]))
    );
    let asked = async || house.call(Ask::get(about(&id(&first)))).await.json();
    until(async || asked().await["status"] == "completed").await;
    let done = asked().await;
    assert_eq!(
        (text(&done), &done["background"], &done["id"]),
        ("You said: take your time", &json!(true), &first["id"])
    );
    let record = house.record(&begun.record()).await;
    assert_eq!((&record["outcome"], cost(&record) > 0.0), (&json!("settled"), true), "{record}");
    // It can be gone on from, and cancelling it changes nothing any more.
    answer(&house, "openai/m", "go on", json!({"previous_response_id": id(&first)})).await;
    assert!(provider.last().body.to_string().contains("take your time"));
    let late = house.call(with("POST", format!("{}/cancel", about(&id(&first))))).await;
    assert_eq!(late.json()["status"], "completed");

    let failing = house.call(ask("openai/error-500", &json!("x"), &json!({"background": true}))).await.json();
    until(async || house.call(Ask::get(about(&id(&failing)))).await.json()["status"] == "failed").await;
    let failed = house.call(Ask::get(about(&id(&failing)))).await.json();
    assert_eq!(failed["error"]["code"], "upstream_error", "{failed}");
    let on = house.call(ask("openai/m", &json!("x"), &json!({"previous_response_id": id(&failing)}))).await;
    assert_eq!((on.status, &on.json()["error"]["param"]), (400, &json!("previous_response_id")));
}

#[tokio::test]
async fn nobody_pays_on_for_what_was_cancelled() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let begun = house.call(ask("openai/stall-0", &json!("x"), &json!({"background": true}))).await;
    provider.wait(|counts| counts.in_flight == 1).await;
    let asked = begun.json();
    assert_eq!(house.call(Ask::get(about(&id(&asked)))).await.json()["status"], "in_progress");
    let cancelled = house.call(with("POST", format!("{}/cancel", about(&id(&asked))))).await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("cancelled")));
    provider.wait(|counts| counts.cancelled == 1).await;
    until(async || {
        house
            .records()
            .await
            .iter()
            .any(|record| record["record"] == begun.record().as_str() && record["outcome"] == "aborted")
    })
    .await;
    assert_eq!(house.call(Ask::get(about(&id(&asked)))).await.json()["status"], "cancelled");

    // So is one that is deleted, and one whose caller's key is taken back.
    let deleted = house.call(ask("openai/stall-0", &json!("x"), &json!({"background": true}))).await.json();
    provider.wait(|counts| counts.in_flight == 1).await;
    assert_eq!(house.call(with("DELETE", about(&id(&deleted)))).await.status, 200);
    provider.wait(|counts| counts.cancelled == 2).await;
    assert_eq!(house.call(Ask::get(about(&id(&deleted)))).await.status, 404);
    let (key_id, key) = house.new_key(&["--name", "short"]).await;
    let revoked =
        house.call(ask("openai/stall-0", &json!("x"), &json!({"background": true})).key(&key)).await;
    provider.wait(|counts| counts.in_flight == 1).await;
    assert!(house.command(&["key", "revoke", &key_id]).await.status.success());
    provider.wait(|counts| counts.cancelled == 3).await;
    until(async || {
        house.records().await.iter().any(|record| {
            record["record"] == revoked.record().as_str() && record["error"] == "invalid_api_key"
        })
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_outlives_the_process_and_nobody_reads_it_there() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let secret = "the colour of the parrot";
    let kept = answer(&house, "openai/m", secret, json!({})).await;
    let slow = house.call(ask("openai/stall-0", &json!(secret), &json!({"background": true}))).await;
    provider.wait(|counts| counts.in_flight == 1).await;
    let files = house.files();
    assert!(files.iter().any(|(path, _)| path.ends_with("responses.db")));
    for (path, bytes) in files {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{}", path.display());
    }
    let house = house.crash_and_restart().await;
    assert_eq!(house.call(Ask::get(about(&id(&kept)))).await.json(), kept);
    let lost = house.call(Ask::get(about(&id(&slow.json())))).await.json();
    assert_eq!(
        (&lost["status"], &lost["error"]["code"]),
        (&json!("failed"), &json!("internal_error")),
        "{lost}"
    );
    let record = house.record(&slow.record()).await;
    assert!(cost(&record) > 0.0, "{record}");
}

#[tokio::test]
async fn the_end_waits_for_what_is_made_in_the_background() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let begun = house.call(ask("openai/slow-500", &json!("x"), &json!({"background": true}))).await;
    provider.wait(|counts| counts.in_flight == 1).await;
    house.signal("TERM");
    assert_eq!(house.ended().await.code(), Some(0), "{}", house.stderr());
    assert_eq!(house.record(&begun.record()).await["outcome"], "settled");
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_by_name() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let hosted = json!({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]});
    for (model, more, param) in [
        ("openai/m", json!({"conversation": "conv_1"}), "conversation"),
        ("openai/m", json!({"background": true, "store": false}), "background"),
        ("openai/m", json!({"background": true, "stream": true}), "stream"),
        ("anthropic/m", hosted.clone(), "tools[0]"),
    ] {
        let refused = house.call(ask(model, &json!("x"), &more)).await;
        let error = &refused.json()["error"];
        assert_eq!(
            (refused.status, &error["code"]),
            (400, &json!("unsupported_parameter")),
            "{more}: {error}"
        );
        assert!(error["param"].as_str().unwrap().starts_with(param), "{more}: {error}");
    }
    // A provider of the dialect gets its own tools as they are.
    let passed = house.call(ask("openai/m", &json!("x"), &hosted)).await;
    assert_eq!((passed.status, &provider.last().body["tools"]), (200, &hosted["tools"]), "{}", passed.text());
    let made = answer(&house, "openai/m", "x", json!({})).await;
    let get = async |path: &str| refusal(&house.call(Ask::get(format!("{}{path}", about(&id(&made))))).await);
    assert_eq!(get("?stream=true").await.1["param"], "stream");
    for (path, param) in
        [("limit=0", "limit"), ("limit=x", "limit"), ("order=up", "order"), ("after=msg_x", "after")]
    {
        assert_eq!(get(&format!("/input_items?{path}")).await.1["param"], param);
    }
    assert_eq!(refusal(&house.call(with("PUT", about(&id(&made)))).await).0, 405);

    let house = House::start(&provider.config("responses: { keep: 0s }\n")).await;
    for (more, param) in [
        (json!({"previous_response_id": "resp_x"}), "previous_response_id"),
        (json!({"background": true}), "background"),
        (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), "input"),
    ] {
        let refused = house.call(ask("openai/m", &json!("x"), &more)).await;
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!(param)), "{more}");
    }
    let made = answer(&house, "openai/m", "x", json!({"store": true})).await;
    assert_eq!((&made["store"], house.call(Ask::get(about(&id(&made)))).await.status), (&json!(false), 404));
}

#[tokio::test]
async fn what_is_over_is_gone() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("responses: { keep: 1s }\nlimits: { body: 64KiB }\n")).await;
    let made = answer(&house, "openai/m", "x", json!({})).await;
    until(async || house.call(Ask::get(about(&id(&made)))).await.status == 404).await;
    let house = House::start(&provider.config("limits: { body: 64KiB }\n")).await;
    let mut last = answer(&house, "openai/m", &"a".repeat(30_000), json!({})).await;
    last = answer(&house, "openai/m", &"b".repeat(30_000), json!({"previous_response_id": id(&last)})).await;
    let refused = house
        .call(ask("openai/m", &json!("c".repeat(30_000)), &json!({"previous_response_id": id(&last)})))
        .await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (413, &json!("request_too_large")));
}

/// A conversation about a file goes on, though ids of files mean nothing to their provider's other callers.
#[tokio::test]
async fn a_file_is_kept_by_the_name_that_its_caller_has() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let form = "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n--b\r\ncontent-disposition: form-data; \
                name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let upload = Ask::post("/v1/files", &json!({}))
        .bytes(form)
        .header("content-type", "multipart/form-data; boundary=b");
    let file = house.call(upload.header("x-gatehouse-provider", "openai")).await;
    assert_eq!(file.status, 200, "{}", file.text());
    let file = id(&file.json());
    let parts = json!([{"type": "input_text", "text": "look"}, {"type": "input_file", "file_id": file}]);
    let first = house.call(ask("openai/m", &json!([{"role": "user", "content": parts}]), &json!({}))).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let there = provider.last().body["input"][0]["content"][1]["file_id"].as_str().unwrap().to_owned();
    assert_ne!(there, file);
    let first = id(&first.json());
    let items = house.call(Ask::get(format!("{}/input_items", about(&first)))).await.json();
    assert_eq!(items["data"][0]["content"][1]["file_id"], file, "{items}");
    answer(&house, "openai/m", "and?", json!({"previous_response_id": first})).await;
    assert_eq!(provider.last().body["input"][0]["content"][1]["file_id"], there);
    // It is at one provider, and the conversation with it.
    let elsewhere =
        house.call(ask("anthropic/m", &json!("and?"), &json!({"previous_response_id": first}))).await;
    assert_eq!((elsewhere.status, &elsewhere.json()["error"]["code"]), (400, &json!("no_capable_target")));
}

/// Some clients drop what they cannot read, as the provider would know it by its id.
#[tokio::test]
async fn reasoning_that_is_repeated_in_part_is_made_whole() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let more = json!({"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]});
    let first = answer(&house, "openai/m", "think", more).await;
    let mut thought = first["output"][0].clone();
    assert_eq!(thought["type"], "reasoning", "{first}");
    let sealed = thought["encrypted_content"].take();
    thought.as_object_mut().unwrap().remove("encrypted_content");
    let user = |text: &str| json!({"role": "user", "content": text});
    let input = json!([user("think"), thought, first["output"][1], user("and?")]);
    let again = house.call(ask("openai/m", &input, &json!({}))).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(provider.last().body["input"][1]["encrypted_content"], sealed);
    // Of what is not known, nothing is made up.
    thought["id"] = json!("rs_unknown");
    house.call(ask("openai/m", &json!([user("think"), thought, user("and?")]), &json!({}))).await;
    assert_eq!(provider.last().body["input"][1], thought);
}

#[tokio::test]
async fn a_short_reference_to_a_long_item_does_not_grow_beyond_the_limit() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("limits: { body: 1MiB }\n")).await;
    let first = answer(&house, "openai/big-300", "a long story", json!({})).await;
    let item = first["output"][0]["id"].as_str().unwrap();
    assert!(text(&first).len() > 100_000, "{}", text(&first).len());
    let many: Vec<Value> = (0..900).map(|_| json!({"type": "item_reference", "id": item})).collect();
    let before = house.peak_kib();
    let refused = house.call(ask("openai/m", &json!(many), &json!({}))).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (413, Some("request_too_large")));
    // Nine hundred of them would be three hundred megabytes.
    if let (Some(before), Some(after)) = (before, house.peak_kib()) {
        assert!(after < before + 100 * 1024, "{before} {after}");
    }
}
