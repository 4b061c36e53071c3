//! What `gatehouse import` makes of another gateway's configuration and of an environment, and that it serves.

use crate::client::Ask;
use crate::front::Front;
use crate::house::House;
use crate::provider::Provider;
use serde_json::{Value, json};

/// Ports that are free.
const LISTEN: &str = "listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\n";

/// A configuration of LiteLLM in front of the test's provider.
fn litellm(provider: &str) -> String {
    format!(
        "model_list:
  - model_name: smart
    litellm_params: {{ model: openai/small, api_base: 'http://{provider}/v1', api_key: os.environ/PROVIDER_KEY, rpm: 5 }}
  - model_name: clear
    litellm_params: {{ model: anthropic/claude-opus-4-6, api_key: sk-in-clear-canary }}
router_settings:
  model_group_alias: {{ best: smart }}
  fallbacks: [{{ smart: [clear] }}]
guardrails:
  - guardrail_name: words
    litellm_params:
      guardrail: litellm_content_filter
      mode: pre_call
      default_on: true
      blocked_words: [{{ keyword: nightingale, action: BLOCK }}]
"
    )
}

#[tokio::test]
async fn an_imported_configuration_is_valid_and_serves() {
    let provider = Provider::start().await;
    let house = House::start_with(LISTEN, &[("ANTHROPIC_API_KEY", "sk-x")]).await;
    let folder = house.config_path().parent().unwrap().to_owned();
    let (source, target) = (folder.join("litellm.yaml"), folder.join("imported.yaml"));
    std::fs::write(&source, litellm(provider.address())).unwrap();
    let (source, target) = (source.to_str().unwrap(), target.to_str().unwrap());

    let imported = house.command(&["import", "litellm", source, "-o", target]).await;
    let report = String::from_utf8(imported.stderr).unwrap();
    assert!(imported.status.success() && imported.stdout.is_empty(), "{report}");
    for part in [
        "litellm.yaml:3: not mapped: model_list[0].litellm_params.rpm: there are no rate limits",
        "litellm.yaml:5: to do: model_list[1].litellm_params.api_key: stands there in clear",
    ] {
        assert!(report.contains(part), "{part}\n---\n{report}");
    }
    let written = std::fs::read_to_string(target).unwrap();
    assert!(!written.contains("canary") && !report.contains("canary"));

    let checked = house.command(&["check", "--config", target]).await;
    assert!(checked.status.success(), "{}\n{written}", String::from_utf8_lossy(&checked.stdout));
    // A file that is there is not written over unless asked.
    let again = house.command(&["import", "litellm", source, "-o", target]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(house.command(&["import", "litellm", source, "-o", target, "--force"]).await.status.success());

    let house = House::start_with(&format!("{LISTEN}{written}"), &[("ANTHROPIC_API_KEY", "sk-x")]).await;
    let answer = house.call(Front::Chat.ask_with("best", "hi", false, &json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let refused = house.call(Front::Chat.ask_with("best", "the nightingale", false, &json!({}))).await;
    assert_eq!(Front::Chat.code(&refused.json()), "guard_blocked");
    let listed = house.call(Ask::get("/v1/models")).await.json();
    let ids: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert!(ids.contains(&&json!("best")) && ids.contains(&&json!("clear")));
}

#[tokio::test]
async fn an_imported_environment_keeps_its_secrets_behind() {
    let house = House::start(LISTEN).await;
    let folder = house.config_path().parent().unwrap().to_owned();
    let (source, bad) = (folder.join("own.env"), folder.join("bad.env"));
    std::fs::write(&source, "OPENAI_API_KEY=sk-canary\nOPENAI_BASE_URL=https://eu.api.openai.com/v1\n")
        .unwrap();
    std::fs::write(&bad, "OPENAI_API_KEY=sk-x\nsk-canary\n").unwrap();

    let imported = house.json(&["import", "env", source.to_str().unwrap()]).await;
    let written = imported["configuration"].as_str().unwrap();
    assert!(
        written.contains("api_key: \"${OPENAI_API_KEY}\"\n    base_url: https://eu.api.openai.com/v1\n"),
        "{written}"
    );
    assert_eq!(imported["report"][0]["path"], "OPENAI_API_KEY");
    assert!(!imported.to_string().contains("canary"));

    let refused = house.command(&["import", "env", bad.to_str().unwrap()]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("bad.env:2:1: expected NAME=value") && !said.contains("canary"), "{said}");
    let other = house.command(&["import", "litellm", house.config_path().to_str().unwrap()]).await;
    assert!(
        String::from_utf8(other.stderr)
            .unwrap()
            .contains("gatehouse.yaml:1:1: this is no configuration of LiteLLM")
    );
}
