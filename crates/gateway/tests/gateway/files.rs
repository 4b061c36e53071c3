//! Files that are no batch: where they go, and requests that name them.

use crate::batches::{SELDOM, batch, code, id, upload};
use crate::client::Ask;
use crate::house::House;
use crate::provider::Provider;
use serde_json::json;

#[tokio::test]
async fn a_file_for_nobody_in_particular_goes_where_its_caller_says() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(SELDOM)).await;
    let unnamed = house.call(upload("user_data", "words")).await;
    assert_eq!(code(&unnamed), (400, "invalid_request".to_owned()));
    assert!(unnamed.text().contains("x-gatehouse-provider"), "{}", unnamed.text());
    let named = |name: &str| upload("user_data", "words").header("x-gatehouse-provider", name);
    assert_eq!(code(&house.call(named("anthropic")).await), (400, "no_capable_target".to_owned()));
    assert_eq!(code(&house.call(named("nobody")).await), (400, "invalid_request".to_owned()));
    let (_, narrow) = house.new_key(&["--models", "openai/m"]).await;
    assert_eq!(code(&house.call(named("openai").key(&narrow)).await), (400, "invalid_request".to_owned()));
    for name in ["openai", "azure"] {
        let file = id(&house.call(named(name)).await);
        let content = house.call(Ask::get(format!("/v1/files/{file}/content"))).await;
        assert_eq!(content.text(), "words");
        assert_eq!(code(&house.call(batch(&file, &json!({}))).await), (400, "invalid_request".to_owned()));
    }
    let elsewhere = house.call(named("openai").header("x-gatehouse-residency", "eu")).await;
    assert_eq!(code(&elsewhere), (400, "residency_unsatisfied".to_owned()));
    assert_eq!(code(&house.call(upload("", "x").header("x-gatehouse-provider", "openai")).await).0, 400);
}

#[tokio::test]
async fn a_file_that_a_request_names_is_its_callers_and_decides_who_serves() {
    let provider = Provider::start().await;
    let models = "models:\n  any: { targets: [anthropic/m, azure/m, openai/m] }\n";
    let house = House::start(&provider.config(&format!("{SELDOM}{models}"))).await;
    let made = house.call(upload("user_data", "words").header("x-gatehouse-provider", "openai")).await;
    let file = id(&made);
    let (_, other) = house.new_key(&["--team", "t", "--app", "two"]).await;
    let chat = |model: &str, file: &str| {
        let parts = json!([{"type": "text", "text": "read"}, {"type": "file", "file": {"file_id": file}}]);
        Ask::post(
            "/v1/chat/completions",
            &json!({"model": model, "messages": [{"role": "user", "content": parts}]}),
        )
    };
    let answer = house.call(chat("any", &file)).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-target")), (200, "openai/m"), "{}", answer.text());
    let sent = provider.last().body;
    let upstream = sent["messages"][0]["content"][1]["file"]["file_id"].as_str().unwrap().to_owned();
    assert!(upstream.starts_with("file-") && upstream != file, "{sent}");
    let input = json!([{"role": "user", "content": [{"type": "input_file", "file_id": file}]}]);
    let answer = house.call(Ask::post("/v1/responses", &json!({"model": "any", "input": input}))).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-target")), (200, "openai/m"), "{}", answer.text());

    assert_eq!(code(&house.call(chat("any", &file).key(&other)).await), (404, "not_found".to_owned()));
    assert_eq!(code(&house.call(chat("any", &upstream)).await), (404, "not_found".to_owned()));
    assert_eq!(code(&house.call(chat("azure/m", &file)).await), (400, "no_capable_target".to_owned()));

    let body = json!({"model": "any", "input": input});
    let line = json!({"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": body}).to_string();
    assert_eq!(code(&house.call(upload("batch", &line)).await), (400, "no_capable_target".to_owned()));
    let line = line.replace("\"any\"", "\"openai/m\"");
    assert_eq!(house.call(upload("batch", &line)).await.status, 200);
    let sent = provider.last().body_text;
    assert!(sent.contains(&upstream) && !sent.contains(&file), "{sent}");
    assert_eq!(code(&house.call(upload("batch", &line).key(&other)).await), (404, "not_found".to_owned()));
}
