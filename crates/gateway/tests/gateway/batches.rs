//! Files and batches: whose they are, what may be in them, and that each is paid for once.

use crate::client::{Answer, Ask};
use crate::house::House;
use crate::provider::{PATIENCE, Provider};
use serde_json::{Value, json};
use std::time::Instant;

const BOUNDARY: &str = "a-boundary-of-a-client";
/// Nobody waits for a round of looks: what is over is settled when its caller sees it.
pub(crate) const SELDOM: &str = "batches: { poll: 1h }\n";
const OFTEN: &str = "batches: { poll: 20ms }\n";

/// A form with the file first, as some clients write it.
pub(crate) fn upload(purpose: &str, data: &str) -> Ask {
    let form = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{data}\r\n--{BOUNDARY}\r\n\
         Content-Disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n--{BOUNDARY}--\r\n"
    );
    Ask::post("/v1/files", &Value::Null)
        .header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"))
        .bytes(form)
}

fn line(id: &str, model: &str, words: &str) -> String {
    let body = json!({"model": model, "messages": [{"role": "user", "content": words}], "max_tokens": 50});
    json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string() + "\n"
}

fn input(model: &str) -> String {
    line("a", model, "one two") + "\n" + &line("b", model, "three")
}

pub(crate) fn batch(file: &str, metadata: &Value) -> Ask {
    let body = json!({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h",
        "metadata": metadata});
    Ask::post("/v1/batches", &body)
}

fn remove(path: String) -> Ask {
    Ask { method: "DELETE", ..Ask::get(path) }
}

pub(crate) fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

pub(crate) fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// Makes a batch of two lines with this key.
async fn begin(house: &House, key: &str, metadata: &Value) -> (String, String) {
    let file = id(&house.call(upload("batch", &input("openai/m")).key(key)).await);
    let batch = id(&house.call(batch(&file, metadata).key(key)).await);
    (file, batch)
}

/// The record of the end of the only batch, once it is there.
async fn settlement(house: &House) -> Value {
    let begun = Instant::now();
    loop {
        let records = house.records().await;
        let mut ends = records.iter().filter(|one| is_end(one));
        if let Some(end) = ends.next() {
            assert!(ends.next().is_none(), "settled twice: {records:#?}");
            let id = end["record"].as_str().unwrap();
            return house.json(&["audit", "show", id]).await["record"].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "not settled: {records:#?}\n{}", house.stderr());
    }
}

fn is_end(record: &Value) -> bool {
    record["operation"] == "create_batch" && record["served"] != ""
}

#[tokio::test]
async fn a_batch_runs_with_ids_of_ours_and_is_paid_for_once() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(SELDOM)).await;
    let made = house.call(upload("batch", &input("openai/m"))).await;
    let file = id(&made);
    assert!(file.starts_with("file-") && made.json()["purpose"] == "batch", "{}", made.text());
    // The provider got its own name of the model, and no empty line.
    let sent = provider.last().body_text;
    assert!(sent.contains("\"model\":\"m\"") && !sent.contains("openai/m"), "{sent}");

    let made = house.call(batch(&file, &json!({"sim_looks": "2"}))).await;
    let batch = id(&made);
    assert_eq!(made.json()["input_file_id"], *file);
    assert_ne!(provider.last().body["input_file_id"], *file);
    assert_eq!(made.header("x-gatehouse-cost"), "0");
    let at = format!("/v1/batches/{batch}");
    assert_eq!(house.call(Ask::get(&at)).await.json()["status"], "in_progress");
    let over = house.call(Ask::get(&at)).await.json();
    assert_eq!(
        (&over["status"], &over["id"], &over["input_file_id"]),
        (&json!("completed"), &json!(batch), &json!(file))
    );
    let again = house.call(Ask::get(&at)).await.json();
    assert_eq!(over, again, "the same thing has the same ids");
    let output = over["output_file_id"].as_str().unwrap();
    let content = house.call(Ask::get(format!("/v1/files/{output}/content"))).await;
    assert_eq!(content.status, 200, "{}", content.text());
    let said: Vec<String> = content
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| line["response"]["body"]["choices"][0]["message"]["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(said, ["You said: one two", "You said: three"]);
    assert_eq!(house.call(Ask::get(format!("/v1/files/{output}"))).await.json()["id"], *output);

    let end = settlement(&house).await;
    // A token is a word: five and four of input with three a message, four and three of output.
    let (input, output) = (end["usage"]["in"].as_u64().unwrap(), end["usage"]["out"].as_u64().unwrap());
    assert_eq!((input, output), (2 + 3 + 1 + 3, 4 + 3), "{end:#}");
    assert_eq!(end["cost"]["nano"], input * 1_000 + output * 2_000, "{end:#}");
    assert_eq!(end["cost"]["status"], "exact");

    assert_eq!(
        house.call(remove(format!("/v1/files/{file}"))).await.json(),
        json!({"id": file, "object": "file", "deleted": true})
    );
    assert_eq!(code(&house.call(Ask::get(format!("/v1/files/{file}"))).await), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn what_is_one_tenants_is_nothing_to_another() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(SELDOM)).await;
    let (_, one) = house.new_key(&["--team", "t", "--app", "one"]).await;
    let (_, same) = house.new_key(&["--team", "t", "--app", "one"]).await;
    let (_, two) = house.new_key(&["--team", "t", "--app", "two"]).await;
    let (file, made) = begin(&house, &one, &json!({})).await;
    let done = house.call(Ask::get(format!("/v1/batches/{made}")).key(&same)).await;
    assert_eq!(done.json()["status"], "completed", "{}", done.text());
    let output = done.json()["output_file_id"].as_str().unwrap().to_owned();

    // Whoever looks after it is done with the provider.
    settled(&house, 1).await;

    let asks = |file: &str, made: &str, output: &str| {
        [
            Ask::get(format!("/v1/files/{file}")),
            Ask::get(format!("/v1/files/{output}")),
            Ask::get(format!("/v1/files/{output}/content")),
            remove(format!("/v1/files/{file}")),
            batch(file, &json!({})),
            Ask::get(format!("/v1/batches/{made}")),
            Ask::post(format!("/v1/batches/{made}/cancel"), &json!({})),
        ]
    };
    let received = provider.sim.requests(1_000).len();
    let forged = asks("file-AAAA", "batch_AAAA", "file-AAAA");
    for (foreign, forged) in asks(&file, &made, &output).into_iter().zip(forged) {
        let what = format!("{} {}", foreign.method, foreign.path);
        let (foreign, forged) = (house.call(foreign.key(&two)).await, house.call(forged.key(&two)).await);
        assert_eq!(code(&foreign), (404, "not_found".to_owned()), "{what}");
        // The same words and the same headers, but for the ids of the calls.
        let plain = |answer: &Answer| answer.text().replace(&answer.record(), "");
        assert_eq!(plain(&foreign), plain(&forged), "{what}");
        assert_eq!(foreign.headers.len(), forged.headers.len(), "{what}");
    }
    assert_eq!(provider.sim.requests(1_000).len(), received, "no provider heard of it");

    let list = async |path: &str, key: &str| house.call(Ask::get(path).key(key)).await.json();
    let ids = |list: &Value| -> Vec<String> {
        list["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&list("/v1/batches", &same).await), [&*made]);
    assert_eq!(ids(&list("/v1/files", &same).await), [output.clone(), file.clone()]);
    assert_eq!(ids(&list("/v1/files?purpose=batch", &one).await), [&*file]);
    let page = list("/v1/files?limit=1", &one).await;
    assert_eq!((ids(&page), &page["has_more"]), (vec![output.clone()], &json!(true)));
    let page = list(&format!("/v1/files?limit=1&after={output}"), &one).await;
    assert_eq!((ids(&page), &page["has_more"]), (vec![file.clone()], &json!(false)));
    assert_eq!(ids(&list("/v1/files?order=asc", &one).await), [file, output.clone()]);
    for path in ["/v1/files", "/v1/batches"] {
        assert!(ids(&list(path, &two).await).is_empty());
    }
    let behind = house.call(Ask::get(format!("/v1/files?after={output}")).key(&two)).await;
    assert_eq!(code(&behind), (400, "invalid_request".to_owned()));
}

/// A line of responses with more in it. What a call is given from memory, a line is not: at the provider the ids would be
/// somebody else's.
fn memory(more: &Value) -> String {
    let mut body = json!({"model": "openai/m", "input": "x"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": body}).to_string()
}

#[tokio::test]
async fn a_line_that_would_be_refused_refuses_the_file() {
    let provider = Provider::start().await;
    let guards = "guards:\n  - { name: stop, detect: words, words: [Condor], at: [input], do: block }\n\
        \x20 - { name: hide, detect: words, words: [Heron], at: [input], do: redact }\n";
    let house = House::start(&provider.config(&format!("{SELDOM}{guards}"))).await;
    let (_, narrow) = house.new_key(&["--models", "openai/m"]).await;
    let good = line("a", "openai/m", "x");
    let odd = |change: fn(&mut Value)| {
        let mut odd: Value = serde_json::from_str(&line("b", "openai/m", "x")).unwrap();
        change(&mut odd);
        good.clone() + &odd.to_string()
    };
    let refused = [
        (good.clone() + "no json", 400, "invalid_request", "line 2: "),
        (good.clone() + &good, 400, "invalid_request", "line 2: custom_id: another line"),
        (odd(|line| line["method"] = json!("GET")), 400, "invalid_request", "line 2: method"),
        (odd(|line| line["url"] = json!("/v1/images/generations")), 400, "invalid_request", "line 2: url"),
        (odd(|line| line["body"]["stream"] = json!(true)), 400, "invalid_request", "line 2: body.stream"),
        (odd(|line| line["body"]["model"] = json!("nothing")), 404, "model_not_found", "line 2: "),
        (odd(|line| line["body"]["model"] = json!("openai/n")), 404, "model_not_found", "line 2: "),
        (odd(|line| line["body"]["messages"] = json!(7)), 400, "invalid_request", "line 2: messages"),
        (
            good.clone() + &line("b", "openai/m", "a Condor"),
            400,
            "guard_blocked",
            "line 2: blocked by guardrail \"stop\"",
        ),
        (
            memory(&json!({"previous_response_id": "resp_1"})),
            400,
            "unsupported_parameter",
            "body.previous_response_id",
        ),
        (memory(&json!({"conversation": "conv_1"})), 400, "unsupported_parameter", "conversation"),
        (memory(&json!({"background": true})), 400, "unsupported_parameter", "body.background"),
        (
            memory(&json!({"input": [{"type": "item_reference", "id": "msg_1"}]})),
            400,
            "unsupported_parameter",
            "body.input",
        ),
        (String::new(), 400, "invalid_request", "file: "),
    ];
    let received = provider.sim.requests(1_000).len();
    for (data, status, expected, words) in refused {
        let answer = house.call(upload("batch", &data).key(&narrow)).await;
        assert_eq!(code(&answer), (status, expected.to_owned()), "{data}: {}", answer.text());
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words) && !message.contains("Condor"), "{data}: {message}");
    }
    for (model, words) in
        [("anthropic/m", "anthropic has no batches"), ("compatible/m", "compatible has no batches")]
    {
        let answer = house.call(upload("batch", &line("a", model, "x"))).await;
        assert_eq!(code(&answer), (400, "no_capable_target".to_owned()), "{}", answer.text());
        assert!(answer.text().contains(words), "{}", answer.text());
    }
    let mixed = house.call(upload("batch", &(good.clone() + &line("b", "openai/n", "x")))).await;
    assert!(mixed.status == 400 && mixed.text().contains("must lead to one model"), "{}", mixed.text());
    assert_eq!(provider.sim.requests(1_000).len(), received, "nothing of it was passed on");

    house.call(upload("batch", &line("a", "openai/m", "a Heron here"))).await;
    let sent = provider.last().body_text;
    assert!(!sent.contains("Heron") && sent.contains("[REDACTED]"), "{sent}");
}

#[tokio::test]
async fn what_a_guardrail_stops_is_not_in_the_output() {
    let provider = Provider::start().await;
    let guards = "guards:\n  - { name: stop, detect: words, words: [Condor], at: [output], do: block }\n\
        \x20 - { name: hide, detect: words, words: [Heron], at: [output], do: redact }\n";
    let house = House::start(&provider.config(&format!("{SELDOM}{guards}"))).await;
    let data = line("a", "openai/m", "a Condor")
        + &line("b", "openai/m", "a Heron")
        + &line("c", "openai/m", "a wren");
    let file = id(&house.call(upload("batch", &data)).await);
    let made = id(&house.call(batch(&file, &json!({}))).await);
    let done = house.call(Ask::get(format!("/v1/batches/{made}"))).await.json();
    let output = done["output_file_id"].as_str().unwrap();
    let content = house.call(Ask::get(format!("/v1/files/{output}/content"))).await;
    let text = content.text();
    assert!(!text.contains("Condor") && !text.contains("Heron"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["custom_id"], &lines[0]["error"]["code"]), (&json!("a"), &json!("guard_blocked")));
    assert!(lines[0]["response"].is_null());
    let said = |line: &Value| line["response"]["body"]["choices"][0]["message"]["content"].clone();
    assert_eq!(
        (said(&lines[1]), said(&lines[2])),
        (json!("You said: a [REDACTED]"), json!("You said: a wren"))
    );
    assert!(content.header("x-gatehouse-guards").contains("stop=block"), "{:?}", content.headers);
}

#[tokio::test]
async fn the_money_is_held_until_the_end_over_a_crash() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(OFTEN)).await;
    // Two lines of at most fifty tokens: room for one such batch.
    let (_, key) = house.new_key(&["--budget", "0.00040 USD/day"]).await;
    let (_, made) = begin(&house, &key, &json!({"sim_looks": "1000000"})).await;
    let file = id(&house.call(upload("batch", &input("openai/m")).key(&key)).await);
    let refused = house.call(batch(&file, &json!({})).key(&key)).await;
    assert_eq!(code(&refused), (402, "budget_exceeded".to_owned()), "{}", refused.text());

    let house = house.crash_and_restart().await;
    let refused = house.call(batch(&file, &json!({})).key(&key)).await;
    assert_eq!(code(&refused), (402, "budget_exceeded".to_owned()), "{}", refused.text());

    // It ends: what it did not use is free again.
    let cancelled = house.call(Ask::post(format!("/v1/batches/{made}/cancel"), &json!({})).key(&key)).await;
    assert_eq!(cancelled.json()["status"], "cancelling", "{}", cancelled.text());
    settled(&house, 1).await;
    let fits = house.call(batch(&file, &json!({})).key(&key)).await;
    assert_eq!(fits.status, 200, "{}", fits.text());
    settled(&house, 2).await;
    let costs: Vec<Value> = ends(&house).await.iter().map(|end| end["cost_usd"].clone()).collect();
    assert_eq!(costs, ["0.000023", "0"]);
    // What was spent is known to the next start, and nothing is held any more.
    let house = house.crash_and_restart().await;
    assert_eq!(house.call(batch(&file, &json!({})).key(&key)).await.status, 200);
    settled(&house, 3).await;
}

async fn ends(house: &House) -> Vec<Value> {
    let records = house.records().await;
    records.into_iter().filter(is_end).collect()
}

/// Waits until so many batches are settled, and looks that no more are.
async fn settled(house: &House, count: usize) {
    let begun = Instant::now();
    loop {
        let ends = ends(house).await;
        assert!(ends.len() <= count, "{ends:#?}");
        if ends.len() == count {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{ends:#?}\n{}", house.stderr());
    }
}

#[tokio::test]
async fn a_batch_that_ended_while_nobody_looked_is_settled_once() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(SELDOM)).await;
    let key = house.key.clone();
    begin(&house, &key, &json!({})).await;
    assert!(ends(&house).await.is_empty());
    // The first look of each start ends it.
    let house = house.crash_and_restart().await;
    settled(&house, 1).await;
    let house = house.crash_and_restart().await;
    let other = house.call(Ask::get("/v1/batches")).await;
    assert_eq!(other.json()["data"][0]["status"], "completed", "{}", other.text());
    settled(&house, 1).await;
    let (begun, ended) = house.leaves();
    assert_eq!(ended, begun + 1 + 1, "the end of the batch and the list have one leaf each");
}

#[tokio::test]
async fn a_lost_batch_costs_what_was_reserved_and_one_that_failed_nothing() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(OFTEN)).await;
    let key = house.key.clone();
    let (_, made) = begin(&house, &key, &json!({"sim_end": "lost"})).await;
    let end = settlement(&house).await;
    assert_eq!(end["cost"]["status"], "estimated", "{end:#}");
    assert!(end["cost"]["nano"].as_u64().unwrap() > 0, "{end:#}");
    assert!(house.stderr().contains("a batch is lost"), "{}", house.stderr());
    assert_eq!(
        code(&house.call(Ask::get(format!("/v1/batches/{made}"))).await),
        (404, "not_found".to_owned())
    );
    begin(&house, &key, &json!({"sim_end": "failed"})).await;
    settled(&house, 2).await;
    let newest = ends(&house).await.remove(0);
    let newest = house.json(&["audit", "show", newest["record"].as_str().unwrap()]).await["record"].clone();
    assert_eq!(
        (&newest["cost"]["nano"], &newest["cost"]["status"]),
        (&json!(0), &json!("free")),
        "{newest:#}"
    );
    // Half of it was answered.
    begin(&house, &key, &json!({"sim_end": "expired"})).await;
    settled(&house, 3).await;
    let newest = ends(&house).await.remove(0);
    let newest = house.json(&["audit", "show", newest["record"].as_str().unwrap()]).await["record"].clone();
    assert_eq!(
        (&newest["usage"]["in"], &newest["cost"]["status"]),
        (&json!(5), &json!("exact")),
        "{newest:#}"
    );
}

#[tokio::test]
async fn a_batch_without_a_price_is_refused_where_one_is_needed() {
    let provider = Provider::start().await;
    let config = format!(
        "version: 1\nlisten: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.1:0 }}\nproviders:\n  open: {{ api: openai, \
         base_url: \"http://{}/v1\", api_key: \"${{PROVIDER_KEY}}\" }}\n{SELDOM}",
        provider.address()
    );
    let house = House::start(&config).await;
    let (_, key) = house.new_key(&["--budget", "1 USD/day"]).await;
    let file = id(&house.call(upload("batch", &line("a", "open/x", "y")).key(&key)).await);
    let refused = house.call(batch(&file, &json!({})).key(&key)).await;
    assert_eq!(code(&refused), (402, "price_unknown".to_owned()), "{}", refused.text());
}

#[tokio::test]
async fn what_nobody_knows_of_a_batch_is_paid_for_and_what_was_refused_is_not() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(SELDOM)).await;
    let (_, key) = house.new_key(&["--budget", "0.00040 USD/day"]).await;
    let file = id(&house.call(upload("batch", &input("openai/m")).key(&key)).await);
    for status in [400, 503] {
        provider.script(&json!({"match": {"path": "/v1/batches"}, "status": status}));
        let refused = house.call(batch(&file, &json!({})).key(&key)).await;
        assert_eq!(refused.header("x-gatehouse-cost"), "0", "{}", refused.text());
        assert!(refused.status >= 400, "{}", refused.text());
    }
    let before = provider.sim.requests(1_000).len();
    provider.script(&json!({"match": {"path": "/v1/batches"}, "hang_up": true}));
    let unheard = house.call(batch(&file, &json!({})).key(&key)).await;
    assert_eq!(code(&unheard), (502, "upstream_bad_response".to_owned()), "{}", unheard.text());
    assert_eq!(provider.sim.requests(1_000).len(), before + 1, "it was sent again");
    let record = house.json(&["audit", "show", &unheard.record()]).await["record"].clone();
    assert_eq!(record["cost"]["status"], "estimated", "{record:#}");
    assert!(record["cost"]["nano"].as_u64().unwrap() > 0, "{record:#}");
    // It may run: its money is gone, now and after a crash.
    let refused = house.call(batch(&file, &json!({})).key(&key)).await;
    assert_eq!(code(&refused), (402, "budget_exceeded".to_owned()), "{}", refused.text());
    let house = house.crash_and_restart().await;
    let refused = house.call(batch(&file, &json!({})).key(&key)).await;
    assert_eq!(code(&refused), (402, "budget_exceeded".to_owned()), "{}", refused.text());
}

#[tokio::test]
async fn vectors_and_responses_come_in_batches_too() {
    let provider = Provider::start().await;
    let guards = "guards:\n  - { name: hide, detect: words, words: [Heron], at: [output], do: redact }\n";
    let house = House::start(&provider.config(&format!("{SELDOM}{guards}"))).await;
    for (count, (url, input)) in
        [("/v1/embeddings", "one two"), ("/v1/responses", "a Heron")].into_iter().enumerate()
    {
        let body = json!({"model": "openai/m", "input": input});
        let line = json!({"custom_id": "a", "method": "POST", "url": url, "body": body}).to_string();
        let named = upload("batch", &line).header("x-gatehouse-provider", "azure");
        assert_eq!(code(&house.call(named).await), (400, "invalid_request".to_owned()));
        let file = id(&house.call(upload("batch", &line)).await);
        let other = house.call(batch(&file, &json!({}))).await;
        assert_eq!(code(&other), (400, "invalid_request".to_owned()), "{}", other.text());
        let body = json!({"input_file_id": file, "endpoint": url, "completion_window": "24h"});
        let made = id(&house.call(Ask::post("/v1/batches", &body)).await);
        let done = house.call(Ask::get(format!("/v1/batches/{made}"))).await.json();
        let output = done["output_file_id"].as_str().unwrap_or_else(|| panic!("{done:#}"));
        let content = house.call(Ask::get(format!("/v1/files/{output}/content"))).await.text();
        assert!(content.contains("\"custom_id\":\"a\"") && !content.contains("Heron"), "{content}");
        settled(&house, count + 1).await;
        let end = ends(&house).await.remove(0);
        assert_eq!(
            (&end["cost_status"], &end["usage_source"]),
            (&json!("exact"), &json!("provider")),
            "{end:#}"
        );
        assert!(end["input_tokens"].as_u64().unwrap() > 0, "{end:#}");
    }
}

#[tokio::test]
async fn who_leaves_before_the_provider_has_answered_pays_for_what_may_run() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(SELDOM)).await;
    let file = id(&house.call(upload("batch", &input("openai/m"))).await);
    provider.script(&json!({"match": {"path": "/v1/batches"}, "delay_ms": 60_000}));
    let (ask, calls) = (house.keyed(batch(&file, &json!({}))), house.calls.clone());
    let waiting = tokio::spawn(async move { ask.open(&calls).await.status });
    provider.wait(|counts| counts.received == 2).await;
    waiting.abort();
    provider.wait(|counts| counts.cancelled == 1 && counts.in_flight == 0).await;
    let record = house.records_once(2).await.remove(0);
    assert_eq!((&record["outcome"], &record["cost_status"]), (&json!("aborted"), &json!("estimated")));
    assert_ne!(record["cost_usd"], "0", "{record}");
}
