//! Who may do what, and for how much money.

use crate::client::Ask;
use crate::front::{FRONTS, Front};
use crate::house::House;
use crate::life::until;
use crate::provider::{PATIENCE, Provider};
use serde_json::json;
use std::time::Instant;

#[tokio::test]
async fn calls_at_the_same_time_stay_within_the_budget() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let (id, key) = house.new_key(&["--budget", "0.01 USD/day"]).await;
    let limit = json!({"max_tokens": 1_000});
    let one = || house.call(Front::Chat.ask_with("openai/slow-400", "hi", false, &limit).key(&key));
    let calls = [one(), one(), one(), one(), one(), one(), one(), one(), one(), one(), one(), one()];
    let mut served = 0;
    for answer in all(calls).await {
        match answer.status {
            200 => served += 1,
            402 => assert_eq!(Front::Chat.code(&answer.json()), "budget_exceeded"),
            _ => panic!("{}", answer.text()),
        }
    }
    // Each reserves a bit more than 0.002 USD.
    assert!((1..=4).contains(&served), "{served}");
    house.records_once(12).await;
    let usage = house.json(&["usage", "--by", "key"]).await;
    let own = usage.as_array().unwrap().iter().find(|row| row["key"] == id.as_str()).unwrap();
    let cost: f64 = own["cost_usd"].as_str().unwrap().parse().unwrap();
    assert!(cost > 0.0 && cost <= 0.01, "{own}");
    // What was reserved and not used is there again.
    assert_eq!(one().await.status, 200);
}

/// Awaits all of them at the same time.
async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in waiting.iter_mut().filter(|(_, output)| output.is_none()) {
            if let std::task::Poll::Ready(ready) = future.as_mut().poll(context) {
                *output = Some(ready);
            }
        }
        let done = waiting.iter().all(|(_, output)| output.is_some());
        if done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn a_used_up_budget_is_said_in_every_dialect() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let (_, key) = house.new_key(&["--budget", "0.000001 USD/month"]).await;
    for (front, own) in FRONTS {
        for stream in [false, true] {
            let answer =
                house.call(front.ask_with(&format!("{own}/m"), "hi", stream, &json!({})).key(&key)).await;
            assert_eq!((answer.status, front.code(&answer.json()).as_str()), (402, "budget_exceeded"));
            assert_eq!(answer.header("x-should-retry"), "false");
            assert!(answer.text().contains("renews"), "{}", answer.text());
        }
    }
    assert_eq!(provider.sim.stats().total.received, 0);
}

#[tokio::test]
async fn a_key_ends_when_it_should() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let (_, key) = house.new_key(&["--expires", "1s"]).await;
    let begun = Instant::now();
    let last = loop {
        let answer = house.call(Front::Chat.ask("openai/m", "hi").key(&key)).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(begun.elapsed() < PATIENCE);
    };
    assert_eq!((last.status, Front::Chat.code(&last.json()).as_str()), (401, "key_expired"));

    let (id, old) = house.new_key(&[]).await;
    let rotated = house.json(&["key", "rotate", &id]).await;
    let new = rotated["key"].as_str().unwrap();
    assert_eq!(house.call(Front::Chat.ask("openai/m", "hi").key(&old)).await.status, 401);
    assert_eq!(house.call(Front::Chat.ask("openai/m", "hi").key(new)).await.status, 200);
    assert!(house.command(&["key", "revoke", &id]).await.status.success());
    for (front, own) in FRONTS {
        let answer = house.call(front.ask(&format!("{own}/m"), "hi").key(new)).await;
        assert_eq!((answer.status, front.code(&answer.json()).as_str()), (401, "invalid_api_key"));
    }
}

#[tokio::test]
async fn what_a_key_may_not_use_does_not_exist_for_it() {
    let provider = Provider::start().await;
    let more = "models: { smart: { targets: [openai/m] }, secret: { targets: [openai/n] } }\n";
    let house = House::start(&provider.config(more)).await;
    let (_, key) = house.new_key(&["--models", "smart,anthropic/*"]).await;
    for (front, _) in FRONTS {
        for (model, status) in
            [("smart", 200), ("anthropic/m", 200), ("secret", 404), ("openai/m", 404), ("nothing", 404)]
        {
            let answer = house.call(front.ask(model, "hi").key(&key)).await;
            assert_eq!(answer.status, status, "{front:?} {model}: {}", answer.text());
        }
        let told = |model: &str, text: String| text.replace(model, "M");
        let hidden = house.call(front.ask("secret", "hi").key(&key)).await;
        let absent = house.call(front.ask("nothing", "hi").key(&key)).await;
        let without_ids = |answer: &crate::client::Answer| answer.text().replace(&answer.record(), "ID");
        assert_eq!(told("secret", without_ids(&hidden)), told("nothing", without_ids(&absent)));
    }
    let list = house.call(Ask::get("/v1/models").key(&key)).await.json();
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert!(ids.contains(&"smart") && !ids.contains(&"secret"), "{ids:?}");
    assert!(ids.iter().all(|id| *id == "smart" || id.starts_with("anthropic/")), "{ids:?}");
    assert_eq!(house.call(Ask::get("/v1/models/secret").key(&key)).await.status, 404);
}

#[tokio::test]
async fn a_caller_narrows_and_never_widens() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    let (_, key) = house.new_key(&["--team", "support", "--use-case", "triage", "--user", "u1"]).await;
    for (front, own) in FRONTS {
        let ask = || front.ask(&format!("{own}/m"), "hi").key(&key);
        for name in ["x-gatehouse-use-case", "x-gatehouse-user"] {
            let wider = house.call(ask().header(name, "another")).await;
            assert_eq!((wider.status, front.code(&wider.json()).as_str()), (403, "not_allowed"), "{name}");
        }
        let same =
            house.call(ask().header("x-gatehouse-use-case", "triage").header("x-gatehouse-run", "r1")).await;
        assert_eq!(same.status, 200, "{}", same.text());
        let record = house.record(&same.record()).await;
        assert_eq!(
            (&record["team"], &record["use_case"], &record["run"]),
            (&json!("support"), &json!("triage"), &json!("r1"))
        );
        let two = house.call(ask().header("x-api-key", &house.key)).await;
        assert_eq!((two.status, front.code(&two.json()).as_str()), (400, "invalid_request"));
    }
}

#[tokio::test]
async fn a_coding_agents_session_is_the_run() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (front, own) in FRONTS {
        let ask = || front.ask(&format!("{own}/m"), "hi").header("x-claude-code-session-id", "s-1");
        let codex = || front.ask(&format!("{own}/m"), "hi").header("session-id", "s-2");
        for (ask, run) in [
            (ask(), "s-1"),
            (ask().header("x-gatehouse-run", "r-1"), "r-1"),
            (codex().header("originator", "codex_exec"), "s-2"),
            (codex(), ""),
        ] {
            let told = house.call(ask).await;
            assert_eq!(told.status, 200, "{}", told.text());
            assert_eq!(house.record(&told.record()).await["run"], json!(run));
        }
    }
}

#[tokio::test]
async fn a_key_is_for_an_account_that_there_is() {
    let provider = Provider::start().await;
    let teams = "teams: { support: { apps: { desk: { use_cases: [triage] } } }, sales: {} }\n";
    let house = House::start(&provider.config(teams)).await;
    let refused = [
        (vec!["--team", "suport"], "there is no team \"suport\"; did you mean \"support\"?"),
        (vec!["--team", "support", "--app", "x"], "the team \"support\" has no app \"x\""),
        (vec!["--team", "support", "--app", "desks"], "has no app \"desks\"; did you mean \"desk\"?"),
        (vec!["--team", "support", "--app", "desk", "--use-case", "y"], "\"desk\" has no use case \"y\""),
    ];
    for (words, why) in refused {
        let output = house.command(&[&["key", "create"], words.as_slice()].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(said.contains(why) && said.contains("gatehouse.yaml"), "{said}");
    }
    // Who lists nothing takes all.
    house.new_key(&["--team", "sales", "--app", "any", "--use-case", "any"]).await;
    let (_, key) = house.new_key(&["--team", "support", "--app", "desk", "--use-case", "triage"]).await;
    assert_eq!(house.json(&["key", "list"]).await.as_array().unwrap().len(), 3);

    // An app that is taken out later takes no key with it: that is what revoking is for.
    std::fs::write(
        house.config_path(),
        provider.config("teams: { sales: {} }\nmodels: { new: { targets: [openai/m] } }\n"),
    )
    .unwrap();
    house.signal("HUP");
    until(async || house.call(Front::Chat.ask("new", "hi")).await.status == 200).await;
    let answer = house.call(Front::Chat.ask("openai/m", "hi").key(&key)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(house.record(&answer.record()).await["app"], "desk");
}

#[tokio::test]
async fn a_use_case_that_a_caller_names_is_one_that_there_is() {
    let provider = Provider::start().await;
    let teams = "teams: { support: { apps: { desk: { use_cases: [triage] } } }, sales: {} }\n";
    let house = House::start(&provider.config(teams)).await;
    let (_, team) = house.new_key(&["--team", "support"]).await;
    let (_, app) = house.new_key(&["--team", "support", "--app", "desk"]).await;
    let (_, free) = house.new_key(&["--team", "sales"]).await;
    let ask = |key: &str, use_case: &str| {
        Front::Chat.ask("openai/m", "hi").key(key).header("x-gatehouse-use-case", use_case)
    };
    for (key, why) in [(&team, "no app of"), (&app, "has no use case")] {
        assert_eq!(house.call(ask(key, "triage")).await.status, 200);
        let answer = house.call(ask(key, "triag")).await;
        let text = answer.text();
        assert!(answer.status == 403 && text.contains("not_allowed") && text.contains(why), "{text}");
        assert_eq!(house.record(&answer.record()).await["outcome"], "denied");
    }
    assert_eq!(house.call(ask(&free, "any")).await.status, 200);
    assert_eq!(house.call(ask(&house.key, "any")).await.status, 200);
    assert_eq!(provider.sim.stats().total.received, 4);

    // What is added later counts with the reload.
    let more = teams.replace("triage", "triage, triag");
    std::fs::write(house.config_path(), provider.config(&more)).unwrap();
    house.signal("HUP");
    until(async || house.call(ask(&team, "triag")).await.status == 200).await;
}

#[tokio::test]
async fn a_key_can_be_made_where_the_configuration_cannot_be_read() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("teams: { support: {} }\n")).await;
    let output = house.command(&["key", "create", "--team", "x", "--config", "elsewhere.yaml"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("elsewhere.yaml cannot be used here"), "{said}");
}

#[tokio::test]
async fn every_sdks_place_for_the_key_is_known_and_none_goes_on_to_the_provider() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("")).await;
    for (front, own) in FRONTS {
        for header in ["x-api-key", "api-key", "x-goog-api-key", "authorization"] {
            let value =
                if header == "authorization" { format!("Bearer {}", house.key) } else { house.key.clone() };
            let answer = house.call(front.ask(&format!("{own}/m"), "hi").header(header, &value)).await;
            assert_eq!(answer.status, 200, "{header}: {}", answer.text());
            assert_eq!(provider.last().carriers.len(), 1, "{front:?} {header}");
        }
    }
    let ask = Ask::post(
        format!("/v1beta/models/gemini/m:generateContent?key={}", house.key),
        &json!({"contents": [{"parts": [{"text": "hi"}]}]}),
    );
    assert_eq!(ask.open(&house.calls).await.status, 200);
    let nobody = Front::Messages.ask("anthropic/m", "hi").open(&house.calls).await.rest().await;
    assert_eq!((nobody.status, Front::Messages.code(&nobody.json()).as_str()), (401, "invalid_api_key"));
}
