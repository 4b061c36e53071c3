//! Paths of a provider's own: what passes, under whose name, and what does not.

use crate::client::{Answer, Ask};
use crate::house::{House, PROVIDER_KEY};
use crate::provider::Provider;
use serde_json::{Value, json};

/// The providers of [`Provider::config`], and these through which callers may pass.
fn config(provider: &Provider, more: &str) -> String {
    let mut text = provider.config(more);
    let address = provider.address();
    for (name, kind, base) in
        [("o", "openai", "/v1"), ("a", "anthropic", ""), ("g", "gemini", ""), ("b", "bedrock", "")]
    {
        let region = if kind == "bedrock" { "aws_region: eu-central-1, " } else { "" };
        let written = format!(
            "  {name}: {{ api: {kind}, {region}base_url: \"http://{address}{base}\", api_key: \"${{PROVIDER_KEY}}\", \
             passthrough: true, region: eu }}\n"
        );
        text = text.replacen("retry:", &format!("{written}retry:"), 1);
    }
    text
}

fn with(method: &'static str, ask: Ask) -> Ask {
    Ask { method, ..ask }
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// The provider answers this at a path that nobody knows.
fn answers(provider: &Provider, path: &str, more: &Value) {
    let mut script = json!({"match": {"path": path}});
    script.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    provider.script(&script);
}

#[tokio::test]
async fn whatever_a_provider_offers_passes_with_its_credential_and_not_the_callers() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    answers(
        &provider,
        "/v1/fine_tuning/jobs",
        &json!({"status": 201, "body": {"id": "ft-1"}, "headers": {"etag": "e1", "set-cookie": "s"}}),
    );
    let ask = Ask::post(
        "/passthrough/o/v1/fine_tuning/jobs?limit=2&key=x",
        &json!({"training_file": "f", "seed": 7}),
    )
    .key(&house.key)
    .header("openai-beta", "b1")
    .header("cookie", "c")
    .header("x-gatehouse-run", "r1");
    assert_eq!(code(&house.call(ask).await), (400, "invalid_request".to_owned()), "two credentials");
    let ask =
        Ask::post("/passthrough/o/v1/fine_tuning/jobs?limit=2", &json!({"training_file": "f", "seed": 7}))
            .header("openai-beta", "b1")
            .header("cookie", "c")
            .header("x-gatehouse-run", "r1");
    let made = house.call(ask).await;
    assert_eq!((made.status, made.json(), made.header("etag")), (201, json!({"id": "ft-1"}), "e1"));
    assert_eq!(made.header("set-cookie"), "");
    let sent = provider.last();
    assert_eq!(
        (sent.method.as_str(), sent.path.as_str(), sent.query.as_deref()),
        ("POST", "/v1/fine_tuning/jobs", Some("limit=2"))
    );
    assert_eq!(
        (&sent.body, &sent.carriers),
        (&json!({"training_file": "f", "seed": 7}), &vec!["authorization".to_owned()])
    );
    let names: Vec<&str> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"openai-beta") && !names.contains(&"cookie"), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("x-gatehouse")), "{names:?}");
    let record = house.record(&made.record()).await;
    assert_eq!(
        (&record["operation"], &record["surface"], &record["run"]),
        (&json!("passthrough"), &json!("passthrough"), &json!("r1"))
    );
    assert_eq!(
        (&record["outcome"], &record["status"], &record["cost_status"]),
        (&json!("settled"), &json!(201), &json!("unpriced")),
        "{record}"
    );
}

#[tokio::test]
async fn any_method_and_any_bytes_pass() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    for (method, path) in
        [("GET", "/v1/models"), ("DELETE", "/v1/fine_tuning/jobs/ft-1"), ("PUT", "/x"), ("PATCH", "/y/z")]
    {
        answers(&provider, path, &json!({"body": {"ok": true}}));
        let answer = house.call(with(method, Ask::get(format!("/passthrough/a{path}")))).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"ok": true})), "{method} {path}");
        let sent = provider.last();
        assert_eq!(
            (sent.method.as_str(), sent.carriers.as_slice()),
            (method, ["x-api-key".to_owned()].as_slice())
        );
        assert!(sent.headers.iter().any(|(name, _)| name == "anthropic-version"));
    }
    // What is no text passes as bytes, both ways.
    answers(&provider, "/upload", &json!({"replay": {"content_type": "audio/wav", "body": "RIFF"}}));
    let upload = Ask::post("/passthrough/g/upload", &json!({}))
        .bytes(&b"\x00\xff{"[..])
        .header("content-type", "application/octet-stream");
    let answer = house.call(upload).await;
    assert_eq!(
        (answer.status, answer.header("content-type"), answer.text()),
        (200, "audio/wav", "RIFF".to_owned())
    );
    assert_eq!(provider.last().carriers, ["x-goog-api-key"]);
    assert_eq!(house.in_the_log(PROVIDER_KEY), 0);
}

#[tokio::test]
async fn a_call_that_we_know_is_that_call() {
    let provider = Provider::start().await;
    let prices = "models: { o/m: { targets: [anthropic/other] } }\n";
    let house = House::start(&config(&provider, prices)).await;
    let user = json!([{"role": "user", "content": "hi"}]);
    let chat = json!({"model": "m", "messages": user});
    for stream in [false, true] {
        let mut body = chat.clone();
        body["stream"] = json!(stream);
        let answer = house.call(Ask::post("/passthrough/o/v1/chat/completions", &body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            (provider.last().path.as_str(), &provider.last().body["model"]),
            ("/v1/chat/completions", &json!("m"))
        );
        assert_eq!(
            (answer.header("x-gatehouse-target"), answer.header("x-gatehouse-route")),
            ("o/m", "passthrough: o")
        );
        let record = house.record(&answer.record()).await;
        assert_eq!((&record["operation"], &record["model"]), (&json!("chat"), &json!("o/m")));
        assert_eq!(
            (&record["input_tokens"], &record["usage_source"]),
            (&json!(4), &json!("provider")),
            "{record}"
        );
    }
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    let answer = house
        .call(Ask::post("/passthrough/g/v1beta/models/gem:streamGenerateContent?alt=sse", &gemini))
        .await;
    assert_eq!((answer.status, answer.header("x-gatehouse-target")), (200, "g/gem"), "{}", answer.text());
    let messages = json!({"model": "m", "messages": user, "max_tokens": 9});
    let answer = house.call(Ask::post("/passthrough/a/v1/messages", &messages)).await;
    assert_eq!((answer.status, answer.json()["type"].as_str()), (200, Some("message")));
    // What the provider says in another dialect than ours is not known, and is not translated.
    answers(&provider, "/v1/chat/completions", &json!({"body": {"other": 1}}));
    let answer = house.call(Ask::post("/passthrough/a/v1/chat/completions", &chat)).await;
    assert_eq!((answer.json(), provider.last().path.as_str()), (json!({"other": 1}), "/v1/chat/completions"));
    assert_eq!(house.record(&answer.record()).await["operation"], "passthrough");
}

#[tokio::test]
async fn nothing_leads_elsewhere_and_nobody_learns_who_is_there() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let ask = async |path: &str| house.call(Ask::get(path)).await;
    let unknown = ask("/passthrough/nobody/v1/models").await;
    assert_eq!(code(&unknown), (404, "not_found".to_owned()));
    let closed = ask("/passthrough/openai/v1/models").await;
    assert_eq!(
        (closed.status, &closed.json()["error"]["message"]),
        (404, &unknown.json()["error"]["message"])
    );
    let before = provider.sim.requests(100).len();
    for path in [
        "/../x",
        "/v1/..",
        "/v1/%2e%2e/x",
        "/v1/%252e%252e/x",
        "//evil/x",
        "/v1/%5cx",
        "/v1/a%2fb",
        "/v1/a;b",
        "/v1/%00",
        // What the gateway keeps for each application by itself, disguised.
        "/v1/%66iles",
        "/V1/Files",
    ] {
        let answer = ask(&format!("/passthrough/o{path}")).await;
        assert_eq!(code(&answer), (400, "invalid_request".to_owned()), "{path}");
    }
    for (method, path) in [
        ("GET", "/v1/files"),
        ("GET", "/v1/files/f/content"),
        ("POST", "/v1/batches"),
        ("DELETE", "/v1/responses/r"),
    ] {
        let answer = house.call(with(method, Ask::post(format!("/passthrough/o{path}"), &json!({})))).await;
        assert_eq!(code(&answer), (403, "not_allowed".to_owned()), "{method} {path}");
    }
    for method in ["OPTIONS", "TRACE"] {
        assert_eq!(
            house.call(with(method, Ask::get("/passthrough/o/v1/models"))).await.status,
            405,
            "{method}"
        );
    }
    assert_eq!(provider.sim.requests(100).len(), before, "nothing was sent");
    // Who is sent on is not followed, and the way is not told.
    answers(
        &provider,
        "/v1/moved",
        &json!({"status": 302, "body": {}, "headers": {"location": "http://evil.example/"}, "times": 5}),
    );
    let moved = ask("/passthrough/o/v1/moved").await;
    assert_eq!((moved.status, moved.header("location")), (502, ""), "{}", moved.text());
    let refused = ask("/passthrough/a/v1/messages/nothing").await;
    assert_eq!(
        (refused.status, &refused.json()["type"]),
        (404, &json!("error")),
        "in the words of its clients: {}",
        refused.text()
    );
    let none = House::start(&provider.config("")).await;
    assert_eq!(none.call(Ask::get("/passthrough/openai/v1/models")).await.status, 404);
}

#[tokio::test]
async fn money_and_models_hold() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let (_, poor) = house.new_key(&["--name", "poor", "--budget", "5 USD/month"]).await;
    let (_, narrow) = house.new_key(&["--name", "narrow", "--models", "o/m"]).await;
    let post = |path: &str, body: &Value, key: &str| Ask::post(format!("/passthrough{path}"), body).key(key);
    let before = provider.sim.requests(100).len();
    let unpriced = house.call(post("/o/v1/videos", &json!({"model": "m"}), &poor)).await;
    assert_eq!(code(&unpriced), (402, "price_unknown".to_owned()));
    let nameless = house.call(post("/o/v1/videos", &json!({"prompt": "x"}), &narrow)).await;
    assert_eq!(code(&nameless), (403, "not_allowed".to_owned()));
    let other = house
        .call(post(
            "/o/v1/chat/completions",
            &json!({"model": "n", "messages": [{"role": "user", "content": "x"}]}),
            &narrow,
        ))
        .await;
    assert_eq!(other.status, 403, "{}", other.text());
    let read = house.call(Ask::get("/passthrough/o/v1/models").key(&narrow)).await;
    assert_eq!(code(&read), (403, "not_allowed".to_owned()));
    let twice =
        Ask::post("/passthrough/o/v1/videos", &json!({})).bytes(r#"{"model":"m","model":"n"}"#).key(&narrow);
    assert_eq!(house.call(twice).await.status, 400);
    assert_eq!(provider.sim.requests(100).len(), before, "nothing was sent");
    for path in ["/v1/videos", "/v1/models"] {
        answers(&provider, path, &json!({"body": {}}));
    }
    // Who says that it is the body that names the model?
    let named = house.call(post("/o/v1/videos", &json!({"model": "m"}), &narrow)).await;
    assert_eq!(code(&named), (403, "not_allowed".to_owned()));
    // Reading costs nothing.
    let read = house.call(Ask::get("/passthrough/o/v1/models").key(&poor)).await;
    assert_eq!(
        (read.status, house.record(&read.record()).await["cost_usd"].as_str()),
        (200, Some("0")),
        "{}",
        read.text()
    );
    // Nobody knows what doing it twice would do.
    answers(&provider, "/v1/once", &json!({"status": 503, "body": {}, "times": 3}));
    let failed = house.call(Ask::post("/passthrough/o/v1/once", &json!({}))).await;
    assert_eq!((failed.status, failed.header("x-gatehouse-attempts")), (503, "1"), "{}", failed.text());
    let tried = house.call(Ask::get("/passthrough/o/v1/once")).await;
    assert_eq!(tried.header("x-gatehouse-attempts"), "3", "{}", tried.text());
    let there = Ask::get("/passthrough/o/v1/models").header("x-gatehouse-residency", "us");
    assert_eq!(code(&house.call(there).await), (400, "residency_unsatisfied".to_owned()));
}

#[tokio::test]
async fn guardrails_read_what_can_be_read_and_stop_what_cannot() {
    let provider = Provider::start().await;
    let guards = r#"
guards:
  - { name: entry, detect: words, words: [Nightingale], at: [input], do: block }
  - { name: mask, detect: words, words: [Osprey], at: [input, output], do: redact }
"#;
    let house = House::start(&config(&provider, guards)).await;
    let post = async |body: &Value| house.call(Ask::post("/passthrough/o/v1/own", body)).await;
    let deep = json!({"a": [{"b": {"c": "a Nightingale"}}]});
    assert_eq!(code(&post(&deep).await), (400, "guard_blocked".to_owned()));
    answers(&provider, "/v1/own", &json!({"body": {"said": ["an Osprey"], "n": 1}}));
    let answer = post(&json!({"q": "the Osprey"})).await;
    assert_eq!((answer.status, provider.last().body.to_string().contains("Osprey")), (200, false));
    assert_eq!(
        (answer.json()["n"].as_u64(), answer.text().contains("Osprey")),
        (Some(1), false),
        "{}",
        answer.text()
    );
    let stream = post(&json!({"q": "x", "stream": true})).await;
    assert_eq!(code(&stream), (400, "unsupported_parameter".to_owned()));
    let bytes = Ask::post("/passthrough/o/v1/own", &json!({}))
        .bytes("Nightingale")
        .header("content-type", "text/csv");
    assert_eq!(code(&house.call(bytes).await), (415, "unsupported_media_type".to_owned()));
    answers(&provider, "/v1/own", &json!({"replay": {"content_type": "audio/wav", "body": "RIFF"}}));
    assert_eq!(
        code(&house.call(Ask::get("/passthrough/o/v1/own")).await),
        (503, "guard_unavailable".to_owned())
    );
}

/// A provider whose version stands elsewhere, with a price for whatever it has.
fn elsewhere(provider: &Provider) -> String {
    let written = format!(
        "  p: {{ api: openai, base_url: \"http://{}/llm/v1\", api_key: \"${{PROVIDER_KEY}}\", passthrough: true, \
         prices: {{ \"*\": {{ input: 1, output: 2 }} }} }}\n",
        provider.address()
    );
    provider.config("").replacen("retry:", &format!("{written}retry:"), 1)
}

#[tokio::test]
async fn what_is_known_is_known_under_the_providers_own_base_too() {
    let provider = Provider::start().await;
    let house = House::start(&elsewhere(&provider)).await;
    for path in
        ["/llm/v1/files", "/llm/v1/batches", "/llm/v1/files/file-1/content", "/llm/v1/responses/resp_1"]
    {
        let answer = house.call(Ask::get(format!("/passthrough/p{path}"))).await;
        assert_eq!(code(&answer), (403, "not_allowed".to_owned()), "{path}");
    }
    for (method, path) in [("HEAD", "/llm/v1/files"), ("HEAD", "/v1/files/f/content"), ("PUT", "/v1/files/f")]
    {
        let before = provider.sim.requests(100).len();
        let answer = house.call(with(method, Ask::get(format!("/passthrough/p{path}")))).await;
        assert!(answer.status >= 400, "{method} {path}: {}", answer.status);
        assert_eq!(provider.sim.requests(100).len(), before, "{method} {path}");
    }
    for path in ["/llm/v1/%66iles", "/LLM/v1/files", "/llm/v1/Files"] {
        let answer = house.call(Ask::get(format!("/passthrough/p{path}"))).await;
        assert_eq!(code(&answer), (400, "invalid_request".to_owned()), "{path}");
    }
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hello there"}]});
    let answer = house.call(Ask::post("/passthrough/p/llm/v1/chat/completions", &body)).await;
    assert_eq!(
        answer.json()["choices"][0]["message"]["content"],
        "You said: hello there",
        "{}",
        answer.text()
    );
    let record = house.record(&answer.record()).await;
    assert_eq!(
        (&record["operation"], &record["usage_source"]),
        (&json!("chat"), &json!("provider")),
        "{record}"
    );
}

#[tokio::test]
async fn an_answer_that_nobody_counts_is_counted_by_its_words_and_ends_a_budget() {
    let provider = Provider::start().await;
    let house = House::start(&elsewhere(&provider)).await;
    answers(&provider, "/v1/huge", &json!({"body": {"text": "lorem ipsum ".repeat(10_000)}}));
    let (_, key) = house.new_key(&["--budget", "0.05 USD"]).await;
    let ask = || house.call(Ask::post("/passthrough/p/v1/huge", &json!({"a": 1})).key(&key));
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(ask().await);
    }
    let first = house.record(&answers[0].record()).await;
    assert!(first["output_tokens"].as_u64() > Some(10_000), "{first}");
    assert_eq!(code(&answers[3]), (402, "budget_exceeded".to_owned()));
}

#[tokio::test]
async fn a_key_that_is_limited_to_models_passes_by_known_paths_alone() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let (_, key) = house.new_key(&["--models", "g/cheap,b/cheap,o/cheap"]).await;
    for path in ["g/v1alpha/models/dear:generateContent", "b/model/dear/other", "o/v1/deployments/dear/chat"]
    {
        let body = json!({"model": "cheap", "contents": []});
        let answer = house.call(Ask::post(format!("/passthrough/{path}"), &body).key(&key)).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    let body = json!({"model": "cheap", "messages": [{"role": "user", "content": "hi"}]});
    let answer = house.call(Ask::post("/passthrough/o/v1/chat/completions", &body).key(&key)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn guardrails_read_the_address_of_what_passes() {
    let provider = Provider::start().await;
    let guards = "guards:\n  - { name: stop, detect: words, words: [Condor], at: [input], do: block }\n\
        \x20 - { name: hide, detect: words, words: [Heron], at: [input], do: redact }\n";
    let house = House::start(&config(&provider, guards)).await;
    answers(&provider, "/v1/search", &json!({"body": {}}));
    let ask = async |query: &str| house.call(Ask::get(format!("/passthrough/o/v1/search{query}"))).await;
    assert_eq!(ask("?q=a+wren&limit=2").await.status, 200);
    assert_eq!(code(&ask("?q=a+C%6fndor").await), (400, "guard_blocked".to_owned()));
    assert_eq!(code(&ask("?q=%48eron").await), (503, "guard_unavailable".to_owned()));
    assert_eq!(code(&ask("/Condor").await), (400, "guard_blocked".to_owned()));
}
