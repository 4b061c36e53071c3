//! Moderation, images and audio: what is not translated, forms with files among it.

use crate::client::{Answer, Ask, raw};
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

const BOUNDARY: &str = "a-boundary-of-a-client";

fn config(provider: &Provider, more: &str) -> String {
    let at = provider.address();
    let key = "api_key: \"${PROVIDER_KEY}\"";
    let prices = "prices: { whisper: { input: \"0\", output: \"0\", audio_hour: \"0.36\" }, \
        tts: { input: \"0\", output: \"0\", character: \"15\" }, \
        image: { input: \"5\", output: \"40\" }, dall-e-3: { input: \"0\", output: \"0\", image: \"0.04\" }, \
        moderation: { input: \"0\", output: \"0\" }, listener: { input: \"2\", output: \"8\" } }";
    format!(
        "version: 1\nlisten: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.1:0 }}\nproviders:\n\
         \x20 open: {{ api: openai, base_url: \"http://{at}/v1\", {key}, {prices} }}\n\
         \x20 azure: {{ api: azure, endpoint: \"http://{at}\", {key}, {prices} }}\n\
         \x20 anthropic: {{ api: anthropic, base_url: \"http://{at}\", {key} }}\n\
         retry: {{ attempts: 0, backoff: 1ms }}\n{more}"
    )
}

/// A form: texts as they are, files with their names.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, file, data) in parts {
        let file =
            file.map_or(String::new(), |file| format!("; filename=\"{file}\"\r\nContent-Type: audio/mpeg"));
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(data);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

fn upload(path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Ask {
    Ask::post(path, &Value::Null)
        .header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"))
        .bytes(form(parts))
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

async fn leaf(house: &House, answer: &Answer) -> Value {
    house.json(&["audit", "show", &answer.record()]).await["record"].clone()
}

#[tokio::test]
async fn each_is_answered_and_costs_what_it_is_billed_by() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let cost =
        |leaf: &Value| (leaf["cost"]["nano"].as_u64().unwrap_or_default(), leaf["cost"]["status"].clone());

    let body = json!({"model": "open/moderation", "input": ["peace", {"type": "text", "text": "violence"}]});
    let answer = house.call(Ask::post("/v1/moderations", &body)).await;
    let flags: Vec<bool> = answer.json()["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["flagged"].as_bool().unwrap())
        .collect();
    assert_eq!(flags, [false, true], "{}", answer.text());
    assert_eq!(cost(&leaf(&house, &answer).await).0, 0);

    let body = json!({"model": "open/image", "prompt": "a red panda", "n": 2});
    let answer = house.call(Ask::post("/v1/images/generations", &body)).await;
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 2, "{}", answer.text());
    let drawn = leaf(&house, &answer).await;
    assert_eq!((&drawn["usage"]["in"], &drawn["usage"]["image_out"]), (&json!(3), &json!(200)), "{drawn:#}");
    assert_eq!(cost(&drawn), (3 * 5_000 + 200 * 40_000, json!("exact")));
    assert_eq!(drawn["op"], "image_generation");

    let body = json!({"model": "open/dall-e-3", "prompt": "a red panda", "n": 3});
    let answer = house.call(Ask::post("/v1/images/generations", &body)).await;
    let drawn = leaf(&house, &answer).await;
    assert_eq!(
        (&drawn["usage"]["images"], cost(&drawn)),
        (&json!(3), (120_000_000, json!("exact"))),
        "{drawn:#}"
    );

    let body = json!({"model": "open/tts", "input": "Grüße an alle", "voice": "alloy"});
    let answer = house.call(Ask::post("/v1/audio/speech", &body)).await;
    assert_eq!((answer.header("content-type"), answer.body.len(), answer.cut), ("audio/mpeg", 13 * 8, false));
    let spoken = leaf(&house, &answer).await;
    assert_eq!((&spoken["usage"]["characters"], cost(&spoken)), (&json!(13), (13 * 15_000, json!("exact"))));

    let sound = vec![7; 32_000];
    let parts = [("model", None, b"open/whisper".as_slice()), ("file", Some("a.mp3"), &sound)];
    let answer = house.call(upload("/v1/audio/transcriptions", &parts)).await;
    assert_eq!(answer.json()["text"], "a.mp3 has 32000 bytes.", "{}", answer.text());
    let heard = leaf(&house, &answer).await;
    assert_eq!((&heard["usage"]["audio_ms"], cost(&heard)), (&json!(2_000), (200_000, json!("exact"))));
    assert_eq!(answer.header("x-gatehouse-cost"), "0.0002");

    let parts = [
        ("model", None, b"open/listener".as_slice()),
        ("stream", None, b"true"),
        ("file", Some("a.mp3"), &sound),
    ];
    let answer = house.call(upload("/v1/audio/transcriptions", &parts)).await;
    let last = answer.events().pop().unwrap();
    assert_eq!(
        (&last["type"], &last["text"]),
        (&json!("transcript.text.done"), &json!("a.mp3 has 32000 bytes."))
    );
    let heard = leaf(&house, &answer).await;
    assert_eq!((&heard["usage"]["audio_in"], &heard["usage"]["out"]), (&json!(20), &json!(4)), "{heard:#}");
}

#[tokio::test]
async fn a_form_arrives_whatever_its_order_and_size() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    for size in [0, 1_000, 1_000_000] {
        let sound: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let model = ("model", None, b"open/whisper".as_slice());
        let file = ("file", Some("b.mp3"), sound.as_slice());
        let prompt = ("prompt", None, b"of names".as_slice());
        for parts in [[model, prompt, file], [file, prompt, model], [model, file, prompt]] {
            let answer = house.call(upload("/v1/audio/translations", &parts)).await;
            let said = format!("b.mp3 has {size} bytes. It was said: of names");
            assert_eq!(answer.json()["text"], said.as_str(), "{}", answer.text());
            let received = provider.last();
            let body = received.body_text;
            assert_eq!(
                body.matches("name=\"model\"\r\n\r\nwhisper\r\n").count(),
                1,
                "the target's name, once"
            );
        }
    }
    // A model behind the file counts, also where there is a default for it.
    let parts = [("image", Some("a.png"), b"1234".as_slice()), ("model", None, b"open/image")];
    let answer = house.call(upload("/v1/images/variations", &parts)).await;
    assert_eq!(answer.header("x-gatehouse-target"), "open/image", "{}", answer.text());
    // Azure's path names the model.
    let parts = [("file", Some("c.mp3"), b"1234".as_slice()), ("response_format", None, b"srt")];
    let path = "/openai/deployments/azure/whisper/audio/transcriptions?api-version=2025-03-01-preview";
    let answer = house.call(upload(path, &parts)).await;
    assert!(answer.text().contains("c.mp3 has 4 bytes."), "{}", answer.text());
    assert!(answer.header("content-type").starts_with("text/plain"));
    // The time of the last subtitle says how long it was.
    assert_eq!(leaf(&house, &answer).await["usage"]["audio_ms"], 1_000);
}

#[tokio::test]
async fn guardrails_see_texts_behind_files_and_what_was_heard() {
    let provider = Provider::start().await;
    let guards = "guards:\n\
        \x20 - { name: secrets, detect: words, words: [nightingale], at: [input], do: block }\n\
        \x20 - { name: names, detect: words, words: [d.mp3], at: [output], do: redact }\n";
    let house = House::start(&config(&provider, guards)).await;
    let model = ("model", None, b"open/whisper".as_slice());
    let file = ("file", Some("d.mp3"), b"1234".as_slice());
    let answer = house
        .call(upload("/v1/audio/transcriptions", &[model, file, ("prompt", None, b"the Nightingale")]))
        .await;
    assert_eq!(code(&answer), (400, "guard_blocked".to_owned()));
    assert_eq!(provider.sim.requests(1).len(), 0, "nothing was sent");
    for format in ["json", "text", "verbose_json"] {
        let parts = [model, file, ("response_format", None, format.as_bytes())];
        let answer = house.call(upload("/v1/audio/transcriptions", &parts)).await;
        assert!(answer.status == 200 && !answer.text().contains("d.mp3"), "{format}: {}", answer.text());
        assert!(answer.text().contains("4 bytes"), "{format}: {}", answer.text());
    }
    let answer =
        house.call(upload("/v1/audio/transcriptions", &[model, ("stream", None, b"true"), file])).await;
    assert_eq!(code(&answer), (400, "unsupported_parameter".to_owned()));
    let body = json!({"model": "open/image", "prompt": "a nightingale"});
    let answer = house.call(Ask::post("/v1/images/generations", &body)).await;
    assert_eq!(code(&answer), (400, "guard_blocked".to_owned()));
}

#[tokio::test]
async fn what_nobody_can_do_is_refused_by_name() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "limits: { upload: 100KB }\n")).await;
    let body = json!({"model": "anthropic/claude-x", "input": "hi", "voice": "v"});
    let answer = house.call(Ask::post("/v1/audio/speech", &body)).await;
    assert_eq!(code(&answer), (400, "no_capable_target".to_owned()), "{}", answer.text());
    let answer = house.call(Ask::post("/v1/audio/transcriptions", &json!({}))).await;
    assert_eq!(answer.status, 415, "{}", answer.text());
    let model = ("model", None, b"open/whisper".as_slice());
    let large = vec![0; 200_000];
    let answer = house.call(upload("/v1/audio/transcriptions", &[model, ("file", Some("e"), &large)])).await;
    assert_eq!(code(&answer), (413, "request_too_large".to_owned()));
    let answer = house.call(upload("/v1/audio/transcriptions", &[("file", Some("e"), b"1")])).await;
    assert_eq!(code(&answer), (400, "invalid_request".to_owned()));
    let many = vec![("x", None, b"y".as_slice()); 200];
    let answer = house.call(upload("/v1/audio/transcriptions", &many)).await;
    assert_eq!(code(&answer), (400, "invalid_request".to_owned()));
    let broken = upload("/v1/audio/transcriptions", &[model]).bytes(form(&[model])[..90].to_vec());
    assert_eq!(code(&house.call(broken).await), (400, "invalid_request".to_owned()));
    // A form that breaks off while it passes through.
    let mut cut = form(&[model, ("file", Some("f"), &large[..50_000])]);
    cut.truncate(40_000);
    let cut = upload("/v1/audio/transcriptions", &[]).bytes(cut);
    assert_eq!(code(&house.call(cut).await), (400, "invalid_request".to_owned()));
    let records = house.records_once(7).await;
    assert!(records.iter().all(|record| record["status"].as_u64().unwrap() >= 400), "{records:#?}");
}

#[tokio::test]
async fn a_file_that_was_set_aside_can_be_sent_again_and_one_that_came_by_cannot() {
    let provider = Provider::start().await;
    let models = "models:\n\x20 ears: { targets: [open/error-500, open/whisper] }\n\
        \x20 away: { targets: [dead/whisper, open/whisper] }\n";
    let config = config(&provider, models).replace(
        "providers:\n",
        "providers:\n  dead: { api: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: \"${PROVIDER_KEY}\" }\n",
    );
    let house = House::start(&config).await;
    let model = ("model", None, b"ears".as_slice());
    let file = ("file", Some("g.mp3"), b"1234".as_slice());
    let answer = house.call(upload("/v1/audio/transcriptions", &[file, model])).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-attempts")), (200, "2"), "{}", answer.text());
    let answer = house.call(upload("/v1/audio/transcriptions", &[model, file])).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-attempts")), (502, "1"), "{}", answer.text());
    // Nothing of it is spent where nobody could be reached.
    let answer = house.call(upload("/v1/audio/transcriptions", &[("model", None, b"away"), file])).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-attempts")), (200, "2"), "{}", answer.text());
}

#[tokio::test]
async fn speech_that_breaks_off_does_not_look_whole() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let body = json!({"model": "open/cut-2", "input": "one two three four", "voice": "alloy"});
    let answer = house.call(Ask::post("/v1/audio/speech", &body)).await;
    assert!(answer.status == 200 && answer.cut, "{}", answer.body.len());
    let record = house.record(&answer.record()).await;
    assert_eq!((&record["outcome"], &record["error"]), (&json!("failed"), &json!("upstream_bad_response")));
}

#[tokio::test]
async fn a_large_recording_passes_through_in_little_memory() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let model = ("model", None, b"open/whisper".as_slice());
    let warm = vec![1; 100_000];
    house.call(upload("/v1/audio/transcriptions", &[model, ("file", Some("h"), &warm)])).await;
    let before = house.peak_kib();
    let large = vec![1; 48 << 20];
    for parts in [[model, ("file", Some("h"), large.as_slice())], [("file", Some("h"), &large), model]] {
        let answer = house.call(upload("/v1/audio/transcriptions", &parts)).await;
        assert_eq!(answer.json()["text"], format!("h has {} bytes.", large.len()), "{}", answer.text());
    }
    if let (Some(before), Some(after)) = (before, house.peak_kib()) {
        assert!(after - before < 8 << 10, "{before} to {after} KiB");
    }
}

#[tokio::test]
async fn who_leaves_in_the_middle_of_a_form_leaves_a_record() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider, "")).await;
    let mut form = form(&[("model", None, b"open/whisper"), ("file", Some("i"), &[1; 5_000])]);
    form.truncate(4_000);
    let head = format!(
        "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        house.key,
        form.len() + 10_000,
    );
    // It says that more will come and does not send it.
    let address = house.calls.clone();
    let gone = tokio::spawn(async move { raw(&address, &[head.as_bytes(), &form]).await });
    while house.leaves().0 == 0 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    let records = house.records_once(1).await;
    assert_ne!(records[0]["status"], 200, "{records:#?}");
}
