//! Documents in, configurations and reports out.

use super::import;
use crate::command::import::checked;
use gatehouse_config::{Severity, foreign};

/// The configuration and the report of a document. What is written is a valid configuration, always.
#[track_caller]
fn imported(text: &str) -> (String, String) {
    let mut imported = import(&foreign::read(text, "c.yaml").unwrap(), "c.yaml").unwrap();
    imported.report.sorted();
    let written = imported.draft.written("");
    let faults = checked(&written, "g.yaml");
    assert!(faults.iter().all(|fault| fault.severity == Severity::Warning), "{faults:?}\n{written}");
    let report: Vec<String> = imported
        .report
        .0
        .iter()
        .map(|line| format!("{}:{:?}:{}: {}", line.at.line, line.matter, line.at.path, line.message))
        .collect();
    (written, report.join("\n"))
}

#[test]
fn entries_become_providers_and_models() {
    let (written, report) = imported(
        "
model_list:
  - model_name: gpt-4o
    litellm_params: { model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 60 }
  - model_name: gpt-4o
    litellm_params:
      model: azure/our-4o
      api_base: https://acme.openai.azure.com/openai/deployments/our-4o
      api_key: os.environ/AZURE_KEY
      api_version: '2024-10-21'
    model_info: { base_model: azure/gpt-4o, mode: chat }
  - model_name: claude
    litellm_params: { model: claude-sonnet-4-5-20250929 }
  - model_name: nova
    litellm_params: { model: bedrock/converse/eu.amazon.nova-lite-v1:0, aws_region_name: eu-central-1 }
  - model_name: gemini
    litellm_params:
      model: vertex_ai/gemini-2.5-pro
      vertex_project: our-project
      vertex_location: europe-west4
  - model_name: llama
    litellm_params: { model: ollama_chat/llama3.3, api_base: http://gpu:11434 }
",
    );
    for part in [
        "  openai:\n    api: openai\n    api_key: \"${OPENAI_API_KEY}\"\n",
        "    endpoint: https://acme.openai.azure.com\n    deployments:\n      gpt-4o: our-4o\n",
        "gpt-4o:\n    targets: [openai/gpt-4o, azure/gpt-4o]\n",
        "targets: [anthropic/claude-sonnet-4-5-20250929]",
        "targets: [\"bedrock/eu.amazon.nova-lite-v1:0\"]",
        "    aws_region: eu-central-1\n",
        "    location: europe-west4\n    project: our-project\n",
        "    base_url: http://gpu:11434/v1\n    self_hosted: true\n",
    ] {
        assert!(written.contains(part), "{part}\n---\n{written}");
    }
    for part in [
        "4:Lost:model_list[0].litellm_params.rpm: there are no rate limits",
        "13:ToDo:model_list[2].litellm_params: no key is written: ANTHROPIC_API_KEY",
        "Differs:model_list[1]: one more for \"gpt-4o\"",
    ] {
        assert!(report.contains(part), "{part}\n---\n{report}");
    }
}

#[test]
fn no_secret_is_copied() {
    let (written, report) = imported(
        "
model_list:
  - model_name: a
    litellm_params: { model: openai/gpt-4o, api_key: sk-canary-1 }
  - model_name: b
    litellm_params: { model: openai/gpt-4o-mini, api_key: sk-canary-2 }
  - model_name: c
    litellm_params: { model: groq/llama-3.3-70b-versatile, api_key: os.environ/OPENAI_API_KEY }
  - model_name: d
    litellm_params: { model: hosted_vllm/m, api_base: 'http://u:canary-3@h/v1', api_key: none }
  - model_name: e
    litellm_params: { model: bedrock/amazon.nova-lite-v1:0, aws_secret_access_key: canary-4, aws_region_name: us-east-1 }
  - model_name: f
    litellm_params: { model: vertex_ai/gemini-2.5-pro, vertex_project: p, vertex_credentials: '{\"k\": \"canary-5\"}' }
general_settings: { master_key: sk-canary-6, database_url: 'postgres://u:canary-7@h/d' }
environment_variables: { SOME_KEY: canary-8 }
litellm_settings: { cache_params: { password: canary-9 } }
",
    );
    assert!(!written.contains("canary"), "{written}");
    assert!(!report.contains("canary"), "{report}");
    assert!(written.contains("${OPENAI_API_KEY_2}") && written.contains("${OPENAI_API_KEY_3}"), "{written}");
    assert!(report.contains("set the variable OPENAI_API_KEY_2"), "{report}");
    assert!(report.contains("set the variable SOME_KEY"), "{report}");
}

#[test]
fn fallbacks_and_aliases_are_targets() {
    let (written, report) = imported(
        "
model_list:
  - { model_name: a, litellm_params: { model: openai/gpt-4o, api_key: os.environ/K, order: 2 } }
  - { model_name: a, litellm_params: { model: openai/gpt-4o-mini, api_key: os.environ/K, order: 1 } }
  - { model_name: b, litellm_params: { model: openai/gpt-5-mini, api_key: os.environ/K } }
router_settings:
  model_group_alias: { smart: a, gone: zzz, shy: { model: b, hidden: true } }
  fallbacks: [{ a: [b, nobody] }]
  num_retries: 3
  timeout: 60
  routing_strategy: least-busy
litellm_settings:
  context_window_fallbacks: [{ a: [b] }]
",
    );
    assert!(
        written.contains("  a:\n    targets: [openai/gpt-4o-mini, openai/gpt-4o, openai/gpt-5-mini]\n"),
        "{written}"
    );
    assert!(written.contains("  smart:\n    targets: [openai/gpt-4o-mini,"), "{written}");
    assert!(
        written.contains("retry:\n  attempts: 3\n\ntimeouts:\n  first_token: 60s\n  total: 60s\n"),
        "{written}"
    );
    for part in [
        "there is no model \"nobody\"",
        "there is no model \"zzz\"",
        "Differs:router_settings.model_group_alias.shy: names are not hidden",
        "Lost:litellm_settings.context_window_fallbacks: there is no fallback by context window",
        "Differs:router_settings.routing_strategy",
    ] {
        assert!(report.contains(part), "{part}\n---\n{report}");
    }
}

#[test]
fn guards_of_words_go_over_and_others_are_named() {
    let (written, report) = imported(
        "
guardrails:
  - guardrail_name: our words
    litellm_params:
      guardrail: litellm_content_filter
      mode: [pre_call, post_call]
      default_on: true
      blocked_words:
        - { keyword: Nightingale, action: BLOCK }
        - { keyword: blue harbour, action: MASK }
      patterns: [{ pattern_type: prebuilt, pattern_name: email, action: MASK }]
  - guardrail_name: pii
    litellm_params: { guardrail: presidio, mode: pre_call }
",
    );
    assert!(written.contains("words: [Nightingale]\n    at: [input, output]\n    do: block\n"), "{written}");
    assert!(written.contains("- name: our-words-mask\n"), "{written}");
    assert!(report.contains("Lost:guardrails[0].litellm_params.patterns: "), "{report}");
    assert!(report.contains("Lost:guardrails[1]: \"pii\" (presidio): guards for personal data"), "{report}");
}

#[test]
fn the_shape_of_keys_is_the_command_that_makes_them() {
    let (_, report) = imported(
        "litellm_settings:\n  default_key_generate_params: { max_budget: 100, budget_duration: 30d, models: [a, b], tpm_limit: 5 }\n",
    );
    assert!(report.contains("gatehouse key create --budget \"100 USD/month\" --models a,b"), "{report}");
    assert!(report.contains("default_key_generate_params.tpm_limit"), "{report}");
}

#[test]
fn prices_unknown_providers_and_anchors() {
    let (written, report) = imported(
        "
defaults: &own { api_base: 'http://llama:8000', api_key: os.environ/LLAMA_KEY }
model_list:
  - model_name: own
    litellm_params: { <<: *own, model: openai/our-llama, input_cost_per_token: 2.5e-07, output_cost_per_token: 0.000001 }
  - model_name: far
    litellm_params: { model: sagemaker/x }
  - model_name: 'openai/*'
    litellm_params: { model: 'openai/*', api_key: os.environ/K }
",
    );
    assert!(written.contains(
        "  compatible:\n    api: compatible\n    api_key: \"${LLAMA_KEY}\"\n    base_url: http://llama:8000\n"
    ));
    assert!(written.contains("our-llama:\n        input: 0.25\n        output: 1\n"), "{written}");
    assert!(report.contains("there is no kind of provider \"sagemaker\""), "{report}");
    assert!(report.contains("callers write openai/MODEL"), "{report}");
    assert!(report.contains("Lost:defaults: this version has nothing of the kind"), "{report}");
}

#[test]
fn addresses_and_files_are_those_of_the_machine_where_it_runs() {
    let (written, report) = imported(
        "
model_list:
  - { model_name: a, litellm_params: { model: ollama/m, api_base: os.environ/OLLAMA_API_BASE } }
  - { model_name: b, litellm_params: { model: azure/, api_base: 'https://a.openai.azure.com', api_key: os.environ/K } }
  - model_name: c
    litellm_params:
      model: vertex_ai/gemini-2.5-pro
      api_base: https://proxy.example.com/v1/projects/p/locations/l/publishers/google/models/m
      vertex_project: p
      vertex_credentials: /nowhere/key.json
",
    );
    assert!(written.contains("base_url: \"${OLLAMA_API_BASE}/v1\""), "{written}");
    assert!(written.contains("base_url: https://proxy.example.com\n"), "{written}");
    assert!(written.contains("service_account: \"${file:/nowhere/key.json}\""), "{written}");
    assert!(report.contains("the file /nowhere/key.json has to be there"), "{report}");
    assert!(report.contains("model_list[1].litellm_params.model: names no model"), "{report}");
}

#[test]
fn another_document_is_refused_with_its_line() {
    let refused =
        |text: &str| import(&foreign::read(text, "c.yaml").unwrap(), "c.yaml").err().unwrap().to_string();
    assert!(refused("providers: {}\n").starts_with("c.yaml:1:1: this is no configuration of LiteLLM"));
    assert_eq!(refused("\nmodel_list: x\n"), "c.yaml:2:1: model_list: expected a list");
    assert_eq!(
        refused("model_list:\n  - { litellm_params: { model: m } }\n"),
        "c.yaml:2:1: model_list[0]: has no model_name"
    );
}
