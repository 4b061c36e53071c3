//! Every recorded error of a real provider has a sensible class, when the recordings are at hand.

#![expect(clippy::unwrap_used, reason = "a test may say what it expects, also in its helpers")]

use gatehouse_core::content::Family;
use gatehouse_core::error::Code::{self, *};
use gatehouse_wire::error::{classify, in_success_body};
use gatehouse_wire::json::{Doc, Strictness};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What must be read out of a body that holds the text; the first that fits. Looked at one by one.
const EXPECTED: &[(&str, Code)] = &[
    ("content_filter_result", UpstreamContentFilter),
    ("\"insufficient_quota\"", UpstreamQuotaExceeded),
    ("context_length_exceeded", ContextLengthExceeded),
    ("too_many_prompt_tokens", ContextLengthExceeded),
    ("exceeds the maximum number of tokens allowed", ContextLengthExceeded),
    ("exceed_context_size_error", ContextLengthExceeded),
    ("is too large to process", ContextLengthExceeded),
    ("RESOURCE_EXHAUSTED", UpstreamRateLimited),
    ("authentication_error", UpstreamAuthFailed),
    ("invalid subscription key", UpstreamAuthFailed),
    ("Invalid API Key", UpstreamAuthFailed),
    ("Unauthorized", UpstreamAuthFailed),
    ("Forbidden", UpstreamAuthFailed),
    ("invalid_api_key", UpstreamAuthFailed),
    ("Missing Authentication", UpstreamAuthFailed),
    ("authentication token", UpstreamAuthFailed),
    ("model_not_found", UpstreamModelNotFound),
    ("not_found_error", UpstreamModelNotFound),
    ("\"NOT_FOUND\"", UpstreamModelNotFound),
    ("invalid_model", UpstreamModelNotFound),
    ("Specified model not found", UpstreamModelNotFound),
    ("end of its life", UpstreamModelNotFound),
    ("-image-model' does not exist", UpstreamModelNotFound),
    ("'dall-e-3' does not exist", UpstreamModelNotFound),
    ("not_supported_error", UnsupportedParameter),
    ("unknown_parameter", UnsupportedParameter),
    ("\"server_error\"", UpstreamError),
    // Everything else that was recorded is a malformed or unfit request.
    ("", UpstreamInvalidRequest),
];

fn recorded() -> Option<PathBuf> {
    let given = std::env::var_os("GATEHOUSE_RECORDED").map(PathBuf::from);
    let folder = given
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recorded"));
    folder.join("INDEX.jsonl").is_file().then_some(folder)
}

fn read(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn family(provider: &str) -> Family {
    match provider {
        "anthropic" => Family::Anthropic,
        "gemini" | "vertex" => Family::Gemini,
        _ => Family::OpenAi,
    }
}

#[test]
fn every_recorded_error_has_its_class() {
    let Some(folder) = recorded() else {
        println!("no recordings at hand");
        return;
    };
    let index = std::fs::read_to_string(folder.join("INDEX.jsonl")).unwrap();
    let mut classes: BTreeMap<&str, u32> = BTreeMap::new();
    for line in index.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let status = entry["status"].as_u64().unwrap_or(200);
        if status < 400 {
            continue;
        }
        let name = entry["file"].as_str().unwrap();
        let response = &read(folder.join(name))["response"];
        let body = match response["body_text"].as_str() {
            Some(text) => text.to_owned(),
            None => response["body"].to_string(),
        };
        let headers = |wanted: &str| {
            let own = response["headers"].as_object()?;
            let (_, value) = own.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
            value.as_str().map(str::to_owned)
        };
        let family = family(entry["provider"].as_str().unwrap());
        let error = classify(family, u16::try_from(status).unwrap(), &headers, body.as_bytes());
        let (_, expected) = EXPECTED.iter().find(|(part, _)| body.contains(part)).unwrap();
        assert_eq!(error.code, *expected, "{name}: {body}");
        assert!(!error.message.is_empty(), "{name}");
        assert!(!format!("{error:?}").contains("invalid-key"), "{name}: {error:?}");
        *classes.entry(error.code.as_str()).or_default() += 1;
    }
    println!("{} recorded errors: {classes:?}", classes.values().sum::<u32>());
}

/// No recorded success is taken for an error, except the one that is.
#[test]
fn recorded_successes_are_none() {
    let Some(folder) = recorded() else {
        println!("no recordings at hand");
        return;
    };
    let index = std::fs::read_to_string(folder.join("INDEX.jsonl")).unwrap();
    let (mut read_count, mut found) = (0, Vec::new());
    for line in index.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let name = entry["file"].as_str().unwrap();
        let response = &read(folder.join(name))["response"];
        if entry["status"].as_u64().unwrap_or(200) >= 400 || !response["body"].is_object() {
            continue;
        }
        let doc = Doc::parse(response["body"].to_string().into(), Strictness::Provider).unwrap();
        read_count += 1;
        if let Some(error) = in_success_body(&doc) {
            found.push(format!("{name}: {error}"));
        }
    }
    println!("{read_count} recorded successes, errors among them: {found:#?}");
    assert!(found.len() <= 5, "{found:#?}");
}
