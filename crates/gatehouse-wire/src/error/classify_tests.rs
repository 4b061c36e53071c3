//! Errors as providers send them, in forms of our own making.

use super::{classify, from_stream, in_success_body};
use crate::json::{Doc, Strictness};
use bytes::Bytes;
use gatehouse_core::content::Family::{self, Anthropic, Gemini, OpenAi};
use gatehouse_core::error::Code::*;
use gatehouse_core::error::{Code, Error};
use proptest::prelude::*;
use std::time::Duration;

/// What a provider of this family sends with this status, and what that is to us.
const CASES: &[(Family, u16, &str, Code)] = &[
    // What the request is about.
    (OpenAi, 400, r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#, ContextLengthExceeded),
    (
        Anthropic,
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
        ContextLengthExceeded,
    ),
    (
        OpenAi,
        400,
        r#"{"error":{"message":"string too long, maximum context length is","code":"string_above_max_length"}}"#,
        UpstreamInvalidRequest,
    ),
    (
        OpenAi,
        400,
        r#"{"error":{"message":"m","code":null,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        UpstreamContentFilter,
    ),
    (
        Anthropic,
        400,
        r#"{"error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#,
        UpstreamContentFilter,
    ),
    (
        OpenAi,
        403,
        r#"{"error":{"code":403,"message":"Your input was flagged","metadata":{"reasons":["x"]}}}"#,
        UpstreamContentFilter,
    ),
    (
        OpenAi,
        400,
        r#"{"object":"error","type":"invalid_model","message":"Invalid model: x","code":"1500"}"#,
        UpstreamModelNotFound,
    ),
    (
        OpenAi,
        400,
        r#"{"code":"invalid-argument","error":"The model x does not exist or your team has no access"}"#,
        UpstreamModelNotFound,
    ),
    (
        OpenAi,
        400,
        r#"{"error":{"message":"The supported API model names are a or b","type":"invalid_request_error"}}"#,
        UpstreamModelNotFound,
    ),
    (OpenAi, 404, r#"{"error":"Specified model not found: x"}"#, UpstreamModelNotFound),
    (
        OpenAi,
        404,
        r#"{"error":{"message":"Item with id 'rs_1' not found.","param":"input"}}"#,
        UpstreamInvalidRequest,
    ),
    (
        OpenAi,
        400,
        r#"{"error":{"message":"Unsupported parameter: 'seed'","code":"unsupported_parameter","param":"seed"}}"#,
        UnsupportedParameter,
    ),
    (
        OpenAi,
        422,
        r#"{"detail":[{"loc":["body","temperature"],"msg":"too large","type":"x"}]}"#,
        UpstreamInvalidRequest,
    ),
    (OpenAi, 413, "", RequestTooLarge),
    // What the account may.
    (OpenAi, 401, r#"{"detail":"Invalid API Key"}"#, UpstreamAuthFailed),
    (OpenAi, 403, "<html><title>Forbidden</title>", UpstreamAuthFailed),
    (
        OpenAi,
        400,
        r#"{"code":"invalid-argument","error":"Incorrect API key provided: xa***ey."}"#,
        UpstreamAuthFailed,
    ),
    (
        Gemini,
        400,
        r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT","details":[{"@type":"ErrorInfo","reason":"API_KEY_INVALID"}]}}]"#,
        UpstreamAuthFailed,
    ),
    (
        OpenAi,
        400,
        r#"{"error":{"message":"tool description quotes: incorrect api key","type":"invalid_request_error"}}"#,
        UpstreamInvalidRequest,
    ),
    (OpenAi, 402, r#"{"error":{"message":"Insufficient Balance"}}"#, UpstreamQuotaExceeded),
    (
        OpenAi,
        429,
        r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        UpstreamQuotaExceeded,
    ),
    (
        Anthropic,
        400,
        r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
        UpstreamQuotaExceeded,
    ),
    (
        OpenAi,
        429,
        r#"{"error":{"message":"Request too large for gpt: Limit 30000","type":"tokens","code":"rate_limit_exceeded"}}"#,
        UpstreamQuotaExceeded,
    ),
    (
        Gemini,
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED"}}"#,
        UpstreamRateLimited,
    ),
    (
        Gemini,
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}"#,
        UpstreamQuotaExceeded,
    ),
    (Anthropic, 429, r#"{"error":{"type":"rate_limit_error","message":"slow"}}"#, UpstreamRateLimited),
    // How the provider is.
    (Anthropic, 529, r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#, UpstreamOverloaded),
    (Gemini, 503, r#"{"error":{"code":503,"status":"UNAVAILABLE","message":"busy"}}"#, UpstreamOverloaded),
    (Anthropic, 500, r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#, UpstreamOverloaded),
    (OpenAi, 408, "", UpstreamTimeout),
    (OpenAi, 504, "<html>", UpstreamTimeout),
    (OpenAi, 424, r#"{"error":"generation failed","error_type":"generation"}"#, UpstreamError),
    (
        OpenAi,
        500,
        r#"{"error":{"code":500,"message":"input (9 tokens) is too large to process"}}"#,
        ContextLengthExceeded,
    ),
    (
        OpenAi,
        501,
        r#"{"error":{"code":501,"message":"no audio","type":"not_supported_error"}}"#,
        UnsupportedParameter,
    ),
    (OpenAi, 520, "error code: 520", UpstreamError),
    (OpenAi, 302, "", UpstreamBadResponse),
];

fn read(family: Family, status: u16, body: &str) -> Error {
    classify(family, status, &|_| None, body.as_bytes())
}

fn doc(text: &str) -> Doc {
    Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Provider).unwrap()
}

#[test]
fn codes_phrases_and_statuses_lead_to_the_right_class() {
    for (family, status, body, code) in CASES {
        assert_eq!(read(*family, *status, body).code, *code, "{status} {body}");
    }
}

#[test]
fn headers_speak_for_bodies_that_do_not() {
    let headers = |name: &str| match name {
        "x-amzn-errortype" => Some("ServiceQuotaExceededException:http://internal/".to_owned()),
        "retry-after" => Some("7".to_owned()),
        _ => None,
    };
    let error = classify(Family::OpenAi, 400, &headers, br#"{"message":"later"}"#);
    assert_eq!((error.code, error.retry_after), (Code::UpstreamRateLimited, Some(Duration::from_secs(7))));
}

#[test]
fn the_callers_message_holds_no_credential_and_the_operators_none_in_clear() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-proj-12345678abcdef.","code":"invalid_api_key"}}"#;
    let error = read(Family::OpenAi, 401, body);
    assert_eq!(error.message, "the provider refused the gateway's credential");
    let detail = error.detail.unwrap();
    assert!(
        detail.contains("Incorrect API key provided: [redacted]") && !detail.contains("12345678"),
        "{detail}"
    );

    let body = r#"{"error":{"message":"Rate limit reached in organization org-4kD93kfk03abcdef. Please try again in 6m0s."}}"#;
    let error = read(Family::OpenAi, 429, body);
    assert_eq!(error.message, "Rate limit reached in organization [redacted]. Please try again in 6m0s.");
    assert_eq!(error.retry_after, Some(Duration::from_secs(360)));
}

#[test]
fn what_cannot_be_read_is_shown_to_nobody() {
    let error = read(Family::OpenAi, 502, "<!doctype html><title>Bad gateway</title>");
    assert_eq!(error.message, "the provider failed (status 502)");
    assert_eq!(error.detail.as_deref(), Some("status 502 unreadable body of 41 bytes"));
    // It may hold the prompt, also where our key is refused.
    let error = read(Family::OpenAi, 401, r#"{"received":{"messages":[{"content":"my secret"}]}}"#);
    assert_eq!(error.detail.as_deref(), Some("status 401 : unreadable body of 51 bytes"));
    let long = read(Family::OpenAi, 500, &format!(r#"{{"message":"{}"}}"#, "é".repeat(100_000)));
    assert_eq!(long.message.chars().count(), super::super::MESSAGE_CHARS_MAX + 1);
}

#[test]
fn errors_that_come_as_success_are_found_and_successes_are_not_errors() {
    let filtered = r#"{"error":{"message":"m","code":"content_filter","status":400,"param":"prompt"}}"#;
    let error = in_success_body(&doc(filtered)).unwrap();
    assert_eq!((error.code, error.param.as_deref()), (Code::UpstreamContentFilter, Some("prompt")));
    for fine in
        [r#"{"error":null,"output":[]}"#, r#"{"choices":[]}"#, r#"{"error":"","x":1}"#, "[]", "3", "{}"]
    {
        assert_eq!(in_success_body(&doc(fine)), None, "{fine}");
    }
}

#[test]
fn events_of_streams_are_told_by_their_words() {
    for (event, code) in [
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Code::UpstreamOverloaded,
        ),
        (
            r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null,"sequence_number":3}"#,
            Code::UpstreamRateLimited,
        ),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}"#,
            Code::UpstreamError,
        ),
        (
            r#"{"error":{"message":"m","type":"invalid_request_error","code":"tool_use_failed","status_code":400}}"#,
            Code::UpstreamInvalidRequest,
        ),
        (
            r#"{"error":{"code":502,"message":"Provider returned error"},"choices":[{"finish_reason":"error"}]}"#,
            Code::UpstreamError,
        ),
        (r#"[{"error":{"code":503,"status":"UNAVAILABLE","message":"m"}}]"#, Code::UpstreamOverloaded),
        (r#"{"error":"text alone"}"#, Code::UpstreamError),
    ] {
        assert_eq!(from_stream(Family::OpenAi, &doc(event)).unwrap().code, code, "{event}");
    }
    assert_eq!(from_stream(Family::OpenAi, &doc(r#"{"type":"response.failed"}"#)), None);
}

#[test]
fn a_router_that_hides_the_providers_words_is_seen_through() {
    let body = r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":\"maximum context length is 9\"}"}}}"#;
    assert_eq!(read(Family::OpenAi, 400, body).code, Code::ContextLengthExceeded);
}

proptest! {
    /// Whatever a provider sends, there is an error with a message, and it is one of the provider's kind.
    #[test]
    fn every_answer_is_an_error_of_a_provider(status in 0u16..=999, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let error = classify(Family::OpenAi, status, &|_| None, &body);
        prop_assert!(!error.message.is_empty());
    }

    /// Also when it is JSON of a plausible form.
    #[test]
    fn plausible_json_never_panics(text in r#"(\{|\}|\[|\]|,|:|"error"|"message"|"detail"|"code"|"type"|null|4[0-9]{2}|"[a-z ]{0,8}"){0,24}"#, status in 400u16..600) {
        let error = classify(Family::Gemini, status, &|_| None, text.as_bytes());
        prop_assert!(!error.message.is_empty());
        if let Ok(doc) = Doc::parse(Bytes::from(text), Strictness::Provider) {
            let _ = from_stream(Family::Anthropic, &doc);
        }
    }
}
