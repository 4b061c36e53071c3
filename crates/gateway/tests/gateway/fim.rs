//! What stands between two texts: a completion with a `suffix`, where the provider has a call of its own for it.

use crate::client::Ask;
use crate::house::House;
use crate::provider::{PROVIDERS, Provider};
use serde_json::{Value, json};

fn config(provider: &Provider) -> String {
    let mistral = format!(
        "  mistral: {{ api: mistral, base_url: \"http://{}/v1\", api_key: \"${{PROVIDER_KEY}}\", \
         prices: {{ \"*\": {{ input: \"1\", output: \"2\" }} }} }}\n",
        provider.address()
    );
    provider.config("").replacen("providers:\n", &format!("providers:\n{mistral}"), 1)
}

fn ask(model: &str, stream: bool) -> Ask {
    let options = json!({"model": model, "prompt": "def f(x):", "suffix": "return y", "max_tokens": 99, "stream": stream});
    Ask::post("/v1/completions", &options)
}

#[tokio::test]
async fn a_suffix_reaches_the_call_that_takes_one() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider)).await;
    for stream in [false, true] {
        let answer = house.call(ask("mistral/codestral", stream)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let asked = provider.last();
        assert_eq!((asked.path.as_str(), &asked.body["suffix"]), ("/v1/fim/completions", &json!("return y")));
        let said: String = if stream {
            let events: Vec<Value> = answer.events();
            events.iter().filter_map(|event| event["choices"][0]["text"].as_str()).collect()
        } else {
            let whole = answer.json();
            assert_eq!(whole["object"], "text_completion", "{whole}");
            assert!(whole["usage"]["completion_tokens"].as_u64() > Some(0), "{whole}");
            whole["choices"][0]["text"].as_str().unwrap().to_owned()
        };
        assert!(said.starts_with("You said: def f(x):") && said.ends_with("return y"), "{said}");
        let record = house.json(&["audit", "show", &answer.record()]).await["record"].clone();
        assert_eq!(
            (&record["kind"], &record["usage"]["source"]),
            (&json!("call.settled"), &json!("provider"))
        );
    }
    // Without one it is a conversation, as at every provider of chats.
    let plain = json!({"model": "mistral/m", "prompt": "hello", "suffix": ""});
    assert_eq!(house.call(Ask::post("/v1/completions", &plain)).await.status, 200);
    assert_eq!(provider.last().path, "/v1/chat/completions");
}

/// Callers of the call itself: passed on where there is one, a completion elsewhere, answered as a chat everywhere.
#[tokio::test]
async fn callers_of_the_call_itself_reach_every_completion() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider)).await;
    for (model, path) in [("mistral/codestral", "/v1/fim/completions"), ("openai/m", "/v1/completions")] {
        for stream in [false, true] {
            let answer =
                house.call(Ask { path: "/v1/fim/completions".to_owned(), ..ask(model, stream) }).await;
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
            let asked = provider.last();
            assert_eq!((asked.path.as_str(), &asked.body["suffix"]), (path, &json!("return y")));
            let said: String = if stream {
                let events = answer.events();
                assert!(
                    events.iter().any(|event| event["usage"]["total_tokens"].is_u64()),
                    "{}",
                    answer.text()
                );
                let deltas = events.iter().map(|event| &event["choices"][0]["delta"]["content"]);
                deltas.filter_map(Value::as_str).collect()
            } else {
                answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
            };
            assert!(said.contains("def f(x):"), "{model}: {said}");
        }
    }
    let refused = Ask { path: "/v1/fim/completions".to_owned(), ..ask("anthropic/m", false) };
    let error = house.call(refused).await.json()["error"].clone();
    assert_eq!((&error["code"], &error["param"]), (&json!("unsupported_parameter"), &json!("suffix")));
    let plain = json!({"model": "anthropic/m", "prompt": "hello", "random_seed": 3});
    let answer = house.call(Ask::post("/v1/fim/completions", &plain)).await;
    assert_eq!(
        (answer.status, answer.header("x-gatehouse-dropped")),
        (200, "random_seed"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "You said: hello");
}

#[tokio::test]
async fn who_has_no_such_call_refuses_it_by_name() {
    let provider = Provider::start().await;
    let house = House::start(&config(&provider)).await;
    // OpenAI and its like have a member for it.
    for kind in PROVIDERS.into_iter().filter(|kind| !["openai", "compatible", "azure"].contains(kind)) {
        let answer = house.call(ask(&format!("{kind}/m"), false)).await;
        let error = answer.json()["error"].clone();
        assert_eq!(
            (answer.status, &error["code"], &error["param"]),
            (400, &json!("unsupported_parameter"), &json!("suffix")),
            "{kind}: {error}"
        );
    }
    assert_eq!(provider.sim.stats().total.received, 0);
}

#[tokio::test]
async fn a_suffix_is_guarded_as_the_prompt_is() {
    let provider = Provider::start().await;
    let guards = "guards: [{ name: entry, detect: words, words: [return], at: [input], do: redact }]\n";
    let house = House::start(&format!("{}{guards}", config(&provider))).await;
    let answer = house.call(ask("mistral/codestral", false)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(provider.last().body["suffix"], "[REDACTED] y");
}
