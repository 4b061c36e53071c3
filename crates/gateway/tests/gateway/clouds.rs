//! Providers in the clouds: their addresses, and credentials that are fetched.

use crate::client::Ask;
use crate::cloud::{Cloud, Mood, TOKEN};
use crate::front::{FRONTS, Front};
use crate::house::House;
use crate::provider::Provider;
use serde_json::json;

const PRICES: &str = "prices: { \"*\": { input: \"1\", output: \"2\" } }";

/// A configuration with this provider alone, under its kind's name, and `more` behind it.
pub(crate) fn config(kind: &str, settings: &str, more: &str) -> String {
    format!(
        "version: 1\nlisten: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.1:0 }}\nproviders:\n  \
         {kind}: {{ api: {kind}, {settings}, {PRICES} }}\nretry: {{ backoff: 1ms }}\n{more}"
    )
}

fn chat(model: &str) -> Ask {
    Front::Chat.ask(model, "hello there")
}

#[tokio::test]
async fn azure_is_asked_by_deployment_and_version_or_by_its_newer_path() {
    let provider = Provider::start().await;
    let settings = |version: &str| {
        format!(
            "endpoint: \"http://{}\", {version} api_key: \"${{PROVIDER_KEY}}\", deployments: {{ gpt-5.2: our-deployment }}",
            provider.address()
        )
    };
    let house = House::start(&config("azure", &settings("api_version: 2024-10-21,"), "")).await;
    for (front, _) in FRONTS {
        let answer = house.call(front.ask("azure/gpt-5.2", "hello there")).await;
        assert_eq!(
            (answer.status, answer.header("x-gatehouse-target")),
            (200, "azure/gpt-5.2"),
            "{}",
            answer.text()
        );
        let asked = provider.last();
        let path = match front {
            Front::Responses => "/openai/responses",
            _ => "/openai/deployments/our-deployment/chat/completions",
        };
        assert_eq!((asked.path.as_str(), asked.query.as_deref()), (path, Some("api-version=2024-10-21")));
        assert_eq!(asked.carriers, ["api-key"]);
    }
    let house = House::start(&config("azure", &settings(""), "")).await;
    let answer = house.call(chat("azure/gpt-5.2")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((provider.last().path.as_str(), provider.last().query), ("/openai/v1/chat/completions", None));
    assert_eq!(provider.last().body["model"], "our-deployment");
}

#[tokio::test]
async fn a_token_of_entra_is_fetched_once_for_all_and_kept() {
    let (provider, cloud) = (Provider::start().await, Cloud::start().await);
    let settings = format!(
        "endpoint: \"http://{}\", credentials: {{ tenant: our-tenant, client_id: our-app, client_secret: \"${{SECOND_KEY}}\" }}",
        provider.address()
    );
    let variables = [("AZURE_AUTHORITY_HOST", cloud.url())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let house = House::start_with(&config("azure", &settings, ""), &variables).await;
    let calls: Vec<_> = (0..16).map(|_| chat("azure/m")).collect();
    let answers = calls.into_iter().map(|ask| house.call(ask));
    for answer in futures(answers).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(provider.last().carriers, ["authorization"]);
    let heard = cloud.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert_eq!(heard[0].0, "POST /our-tenant/oauth2/v2.0/token");
    for part in
        ["grant_type=client_credentials", "client_id=our-app", "client_secret=sk-second", "cognitiveservices"]
    {
        assert!(heard[0].1.contains(part), "{}", heard[0].1);
    }
    assert!(!house.stderr().contains(TOKEN) && !house.stderr().contains("sk-second"));
}

/// All of them at the same time.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut open = false;
        for (future, slot) in all.iter_mut().zip(&mut done).filter(|(_, slot)| slot.is_none()) {
            match future.as_mut().poll(context) {
                std::task::Poll::Ready(value) => *slot = Some(value),
                std::task::Poll::Pending => open = true,
            }
        }
        if open { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn who_gets_no_credential_is_told_and_the_next_target_is_tried() {
    let (provider, cloud) = (Provider::start().await, Cloud::start().await);
    let settings = format!("endpoint: \"http://{}\"", provider.address());
    let more = "models:\n  both: { targets: [azure/m, other/m] }\n\
                timeouts: { connect: 500ms, first_token: 1s, idle: 1s, total: 1s }\n";
    let text = config("azure", &settings, more).replace(
        "retry:",
        &format!("  other: {{ api: openai, base_url: \"http://{}/v1\", api_key: \"${{PROVIDER_KEY}}\", {PRICES} }}\nretry:", provider.address()),
    );
    let url = cloud.url();
    let house = House::start_with(&text, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]).await;
    cloud.turns(Mood::Refuses);
    let answer = house.call(chat("azure/m")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (502, Some("upstream_auth_failed")));
    assert!(answer.text().contains("azure: no credential"), "{}", answer.text());
    assert!(!answer.text().contains("who are you"), "what others say is for the log");
    let answer = house.call(chat("both")).await;
    assert_eq!((answer.status, answer.header("x-gatehouse-target")), (200, "other/m"), "{}", answer.text());
    assert_eq!(cloud.heard()[0].0, "GET /metadata/identity/oauth2/token");
    assert_eq!(provider.sim.stats().total.received, 1);
    cloud.turns(Mood::Hangs);
    let house = House::start_with(&text, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]).await;
    let answer = house.call(chat("azure/m")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (504, Some("upstream_timeout")));
    let shown = house.json(&["audit", "show", &answer.record()]).await;
    assert_eq!(shown["record"]["route"]["attempts"][0]["error"], "upstream_timeout", "{shown:#}");
    assert_eq!(
        shown["record"]["cost"]["nano"].as_u64().unwrap_or_default(),
        0,
        "nobody was asked: {shown:#}"
    );
}

#[tokio::test]
async fn a_cloud_that_hangs_costs_one_wait_and_is_asked_again_behind_the_callers_backs() {
    let (provider, cloud) = (Provider::start().await, Cloud::start().await);
    let settings = format!("endpoint: \"http://{}\"", provider.address());
    let more = "timeouts: { connect: 500ms, first_token: 60s, idle: 60s, total: 60s }\n";
    let url = cloud.url();
    let text = config("azure", &settings, more);
    let house = House::start_with(&text, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]).await;
    let failing =
        async || house.admin("/metrics").await.text().contains("failing_credentials{provider=\"azure\"} 1");
    cloud.turns(Mood::Refuses);
    let code =
        |answer: &crate::client::Answer| answer.json()["error"]["code"].as_str().map(ToOwned::to_owned);
    // Who waited is told what happened; who comes while it fails is told at once, also while another fetch hangs.
    let first = house.call(chat("azure/m")).await;
    assert_eq!((first.status, code(&first).as_deref()), (502, Some("upstream_auth_failed")));
    assert!(failing().await);
    cloud.turns(Mood::Hangs);
    let asked = cloud.heard().len();
    while cloud.heard().len() == asked {
        let answer = house.call(chat("azure/m")).await;
        assert_eq!((answer.status, code(&answer).as_deref()), (502, Some("upstream_auth_failed")));
    }
    for _ in 0..5 {
        let answer = house.call(chat("azure/m")).await;
        assert_eq!((answer.status, code(&answer).as_deref()), (502, Some("upstream_auth_failed")));
        assert!(answer.text().contains("azure: no credential"), "{}", answer.text());
    }
    assert_eq!((cloud.heard().len(), provider.sim.stats().total.received), (asked + 1, 0));
    assert!(failing().await);
}

#[tokio::test]
async fn a_cloud_that_comes_back_is_noticed() {
    let (provider, cloud) = (Provider::start().await, Cloud::start().await);
    let settings = format!("endpoint: \"http://{}\"", provider.address());
    let url = cloud.url();
    let house =
        House::start_with(&config("azure", &settings, ""), &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)])
            .await;
    cloud.turns(Mood::Refuses);
    assert_eq!(house.call(chat("azure/m")).await.status, 502);
    cloud.turns(Mood::Gives);
    while house.call(chat("azure/m")).await.status != 200 {}
    let metrics = house.admin("/metrics").await.text();
    assert!(metrics.contains("failing_credentials{provider=\"azure\"} 0"), "{metrics}");
    assert_eq!(cloud.heard().len(), 2);
    // A provider that refuses what it was given is counted as well, until it takes it.
    provider.script(&json!({"status": 401}));
    assert_eq!(house.call(chat("azure/m")).await.status, 502);
    let count = async |number: u8| {
        let text = house.admin("/metrics").await.text();
        assert!(text.contains(&format!("failing_credentials{{provider=\"azure\"}} {number}")), "{text}");
    };
    count(1).await;
    assert_eq!(house.call(chat("azure/m")).await.status, 200);
    count(0).await;
}

#[tokio::test]
async fn vertex_serves_gemini_and_claude_each_in_its_own_dialect() {
    let (provider, cloud) = (Provider::start().await, Cloud::start().await);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("person.json");
    let person = json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        "token_uri": format!("{}/token", cloud.url())});
    std::fs::write(&file, person.to_string()).unwrap();
    let settings = format!(
        "base_url: \"http://{}\", project: our-project, location: europe-west4, credentials: {{ service_account: \"${{file:{}}}\" }}",
        provider.address(),
        file.display()
    );
    let house = House::start(&config("vertex", &settings, "")).await;
    let place = "/v1beta1/projects/our-project/locations/europe-west4/publishers";
    for (front, _) in FRONTS {
        for stream in [false, true] {
            for (model, publisher, [whole, streamed]) in [
                ("gemini-2.5-pro", "google", ["generateContent", "streamGenerateContent"]),
                ("claude-sonnet-4-5@20250929", "anthropic", ["rawPredict", "streamRawPredict"]),
            ] {
                let name = format!("vertex/{model}");
                let answer = house.call(front.ask_with(&name, "hello there", stream, &json!({}))).await;
                assert_eq!(answer.status, 200, "{front:?} {model}: {}", answer.text());
                let said = if stream { front.said_in(&answer) } else { front.said(&answer.json()) };
                assert!(said.text.contains("hello there"), "{front:?} {model}: {}", answer.text());
                let asked = provider.last();
                let call = if stream { streamed } else { whole };
                assert_eq!(asked.path, format!("{place}/{publisher}/models/{model}:{call}"), "{front:?}");
                assert_eq!(provider.last().carriers, ["authorization"]);
                let body = asked.body;
                assert!(body.get("model").is_none(), "{body}");
                if publisher == "anthropic" {
                    assert_eq!(body["anthropic_version"], "vertex-2023-10-16", "{body}");
                }
            }
        }
    }
    assert_eq!(cloud.heard().len(), 1);
    // Gemini's way to count is asked for Gemini's models only; for others we count, and say so.
    for (model, estimated) in [("gemini-2.5-pro", false), ("claude-sonnet-4-5", true)] {
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]});
        let answer = house.call(Ask::post(format!("/v1beta/models/vertex/{model}:countTokens"), &body)).await;
        assert_eq!(
            (answer.status, answer.headers.contains_key("x-gatehouse-count")),
            (200, estimated),
            "{}",
            answer.text()
        );
    }
}

/// The keys of AWS' own examples: the simulated provider checks what they sign.
const AWS_KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
];

fn bedrock(provider: &Provider) -> String {
    let settings = format!("base_url: \"http://{}\", aws_region: eu-central-1", provider.address());
    config("bedrock", &settings, "")
}

#[tokio::test]
async fn bedrock_is_signed_for_every_front_whole_and_streamed() {
    let provider = Provider::start().await;
    let house = House::start_with(&bedrock(&provider), &AWS_KEYS).await;
    let model = "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
    for (front, _) in FRONTS {
        for stream in [false, true] {
            let answer = house.call(front.ask_with(model, "hello there", stream, &json!({}))).await;
            assert_eq!(
                (answer.status, answer.header("x-gatehouse-target")),
                (200, model),
                "{}",
                answer.text()
            );
            let said = if stream { front.said_in(&answer) } else { front.said(&answer.json()) };
            assert!(said.text.contains("hello there"), "{front:?}: {}", answer.text());
            let call = if stream { "converse-stream" } else { "converse" };
            let path = format!("/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/{call}");
            assert_eq!(provider.last().path, path);
        }
    }
}

#[tokio::test]
async fn keys_of_aws_are_found_wherever_they_are() {
    let (provider, cloud) = (Provider::start().await, Cloud::start().await);
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "jwt").unwrap();
    let (url, container) = (cloud.url(), format!("{}/container", cloud.url()));
    for (variables, asked) in [
        (vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())], "PUT /latest/api/token"),
        (vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str())], "GET /container"),
        (
            vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
                ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
                ("AWS_ENDPOINT_URL_STS", url.as_str()),
            ],
            "POST /",
        ),
    ] {
        let house = House::start_with(&bedrock(&provider), &variables).await;
        for _ in 0..2 {
            let answer = house.call(chat("bedrock/amazon.nova-pro-v1:0")).await;
            assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
        }
        let heard = cloud.heard();
        assert_eq!(heard.iter().filter(|(one, _)| one == asked).count(), 1, "{heard:?}");
    }
}

#[tokio::test]
async fn a_wrong_signature_is_the_gateways_trouble_and_no_callers() {
    let provider = Provider::start().await;
    let wrong = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    let house = House::start_with(&bedrock(&provider), &wrong).await;
    for (front, _) in FRONTS {
        let answer = house.call(front.ask("bedrock/m", "hello there")).await;
        assert_eq!((answer.status, front.code(&answer.json()).as_str()), (502, "upstream_auth_failed"));
    }
}

#[tokio::test]
async fn a_damaged_event_stream_ends_with_an_error_and_is_priced() {
    let provider = Provider::start().await;
    let house = House::start_with(&bedrock(&provider), &AWS_KEYS).await;
    for (model, code) in [("bedrock/badcrc", "upstream_bad_response"), ("bedrock/fail-3", "upstream_error")] {
        for (front, _) in FRONTS {
            let answer = house.call(front.stream(model, "hello there")).await;
            assert_eq!(front.code_in(&answer), code, "{front:?}: {}", answer.text());
            let shown = house.json(&["audit", "show", &answer.record()]).await;
            assert!(shown["record"]["cost"]["nano"].as_u64().is_some_and(|cost| cost > 0), "{shown:#}");
        }
    }
}

#[tokio::test]
async fn azures_own_clients_find_their_paths() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let said = json!({"messages": [{"role": "user", "content": "hello there"}]});
    for model in ["openai/m", "anthropic/m", "bedrock/m"] {
        let path = format!("/openai/deployments/{model}/chat/completions?api-version=2024-10-21");
        let ask = Ask::post(path, &said).header("api-key", &house.key);
        let answer = house.call(ask).await;
        assert_eq!((answer.status, answer.header("x-gatehouse-target")), (200, model), "{}", answer.text());
        assert!(Front::Chat.said(&answer.json()).text.contains("hello there"), "{}", answer.text());
    }
    // What the body says of the model does not count, as at Azure.
    let other = json!({"model": "nobody", "messages": said["messages"]});
    let path = "/openai/deployments/openai/m/chat/completions?api-version=2024-10-21";
    let answer = house.call(Ask::post(path, &other).header("api-key", &house.key)).await;
    assert_eq!(
        (answer.status, provider.last().body["model"].as_str()),
        (200, Some("m")),
        "{}",
        answer.text()
    );
    for (body, param) in [(json!({}), "messages"), (json!([1]), "")] {
        let answer = house.call(Ask::post(path, &body).header("api-key", &house.key)).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(answer.json()["error"]["param"].as_str().unwrap_or_default(), param, "{}", answer.text());
    }
}
