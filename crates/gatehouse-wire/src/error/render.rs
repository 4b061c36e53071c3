//! Our error as the body of an answer, in the words of the caller's dialect.

use crate::json::Out;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use std::borrow::Cow;
use std::time::Duration;

/// The status that Anthropic's API has for a provider without room; its SDKs know it by this number.
const ANTHROPIC_OVERLOADED: u16 = 529;
/// What Claude clients look for when they decide to shorten a conversation and try again.
const ANTHROPIC_TOO_LONG: &str = "prompt is too long";

/// What the three families call a class of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Words {
    /// OpenAI's `error.type`.
    openai: &'static str,
    /// Anthropic's `error.type`.
    anthropic: &'static str,
    /// Gemini's `error.status`, a name of `google.rpc.Code`.
    gemini: &'static str,
}

/// The HTTP status of an error in the caller's dialect.
#[must_use]
pub fn status(family: Family, error: &Error) -> u16 {
    match (family, error.code) {
        (Family::Anthropic, Code::UpstreamOverloaded) => ANTHROPIC_OVERLOADED,
        _ => error.code.status(),
    }
}

/// The body of an error answer in the caller's dialect.
///
/// Anthropic's error has no member for the stable code and Gemini's `code` is the status: there it stands
/// in `error.code` and in the `reason` of an `ErrorInfo`; Cohere's and Bedrock's have neither code nor member, which
/// stand beside their own. `request_id` is Anthropic's `request_id` and Cohere's `id`.
#[must_use]
pub fn render(family: Family, error: &Error, request_id: &str) -> Vec<u8> {
    let mut out = Out::new();
    match family {
        Family::OpenAi => openai(&mut out, error),
        Family::Bedrock => bedrock(&mut out, error),
        Family::Cohere => cohere(&mut out, error, request_id),
        Family::Anthropic => anthropic(&mut out, error, request_id),
        Family::Gemini => gemini(&mut out, error),
    };
    out.into_bytes()
}

fn openai(out: &mut Out, error: &Error) {
    out.object(|out| {
        out.object_field("error", |out| {
            out.field("message", &error.message)
                .field("type", openai_type(error.code))
                .field("param", error.param.as_deref())
                .field("code", error.code.as_str());
        });
    });
}

fn cohere(out: &mut Out, error: &Error, request_id: &str) {
    out.object(|out| {
        out.field("id", request_id)
            .field("message", &error.message)
            .field("code", error.code.as_str())
            .field_opt("param", error.param.as_deref());
    });
}

/// The type is in a header, see [`super::bedrock_type`].
fn bedrock(out: &mut Out, error: &Error) {
    out.object(|out| {
        out.field("message", &error.message)
            .field("code", error.code.as_str())
            .field_opt("param", error.param.as_deref());
    });
}

fn anthropic(out: &mut Out, error: &Error, request_id: &str) {
    out.object(|out| {
        out.field("type", "error");
        out.object_field("error", |out| {
            out.field("type", words(error.code).anthropic)
                .field("message", anthropic_message(error))
                .field("code", error.code.as_str());
        });
        out.field("request_id", request_id);
    });
}

fn anthropic_message(error: &Error) -> Cow<'_, str> {
    let known = error.code != Code::ContextLengthExceeded || error.message.contains(ANTHROPIC_TOO_LONG);
    if known {
        return Cow::Borrowed(&error.message);
    }
    Cow::Owned(format!("{ANTHROPIC_TOO_LONG}: {}", error.message))
}

fn gemini(out: &mut Out, error: &Error) {
    out.object(|out| {
        out.object_field("error", |out| {
            out.field("code", u32::from(status(Family::Gemini, error)))
                .field("message", &error.message)
                .field("status", words(error.code).gemini)
                .array_field("details", |out| gemini_details(out, error));
        });
    });
}

fn gemini_details(out: &mut Out, error: &Error) {
    out.object(|out| {
        out.field("@type", "type.googleapis.com/google.rpc.ErrorInfo")
            .field("reason", error.code.as_str())
            .field("domain", "gatehouse");
    });
    if let Some(param) = &error.param {
        out.object(|out| {
            out.field("@type", "type.googleapis.com/google.rpc.BadRequest").array_field(
                "fieldViolations",
                |out| {
                    out.object(|out| {
                        out.field("field", param).field("description", &error.message);
                    });
                },
            );
        });
    }
    if let Some(after) = error.retry_after {
        out.object(|out| {
            out.field("@type", "type.googleapis.com/google.rpc.RetryInfo")
                .field("retryDelay", proto_duration(after));
        });
    }
}

/// A `google.protobuf.Duration` in JSON: seconds with an `s`, in milliseconds where they are not whole.
fn proto_duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        millis => format!("{}.{millis:03}s", duration.as_secs()),
    }
}

/// OpenAI's `error.type`.
pub(crate) fn openai_type(code: Code) -> &'static str {
    words(code).openai
}

/// Anthropic's `error.type`.
pub(crate) fn anthropic_type(code: Code) -> &'static str {
    words(code).anthropic
}

const fn class(openai: &'static str, anthropic: &'static str, gemini: &'static str) -> Words {
    Words { openai, anthropic, gemini }
}

/// The names of the class that a code belongs to. A code that is newer than this table is a failure of
/// ours, or the caller's when its status says so.
fn words(code: Code) -> Words {
    const BAD_REQUEST: Words = class("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT");
    const BAD_KEY: Words = class("invalid_request_error", "authentication_error", "UNAUTHENTICATED");
    const FORBIDDEN: Words = class("permission_error", "permission_error", "PERMISSION_DENIED");
    const UNKNOWN: Words = class("invalid_request_error", "not_found_error", "NOT_FOUND");
    const TOO_LARGE: Words = class("invalid_request_error", "request_too_large", "INVALID_ARGUMENT");
    const CONTENT: Words = class("invalid_request_error", "invalid_request_error", "FAILED_PRECONDITION");
    const TOO_OFTEN: Words = class("rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED");
    const MONEY: Words = class("insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED");
    const QUOTA: Words = class("insufficient_quota", "rate_limit_error", "RESOURCE_EXHAUSTED");
    const NO_ROOM: Words = class("server_error", "overloaded_error", "UNAVAILABLE");
    const UNAVAILABLE: Words = class("server_error", "api_error", "UNAVAILABLE");
    const TOO_SLOW: Words = class("server_error", "timeout_error", "DEADLINE_EXCEEDED");
    const FAILURE: Words = class("server_error", "api_error", "INTERNAL");
    match code {
        Code::InvalidApiKey | Code::KeyExpired => BAD_KEY,
        Code::NotAllowed => FORBIDDEN,
        Code::ModelNotFound | Code::NotFound | Code::UpstreamModelNotFound => UNKNOWN,
        Code::RequestTooLarge => TOO_LARGE,
        Code::GuardBlocked | Code::UpstreamContentFilter => CONTENT,
        Code::RateLimited | Code::UpstreamRateLimited => TOO_OFTEN,
        Code::BudgetExceeded | Code::PriceUnknown => MONEY,
        Code::UpstreamQuotaExceeded => QUOTA,
        Code::UpstreamOverloaded | Code::Overloaded | Code::Draining => NO_ROOM,
        Code::UpstreamAuthFailed
        | Code::UpstreamUnreachable
        | Code::GuardUnavailable
        | Code::AuditUnavailable => UNAVAILABLE,
        Code::UpstreamTimeout => TOO_SLOW,
        _ if code.status() < 500 => BAD_REQUEST,
        _ => FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::{render, status};
    use gatehouse_core::content::Family;
    use gatehouse_core::error::{Code, Error};
    use serde_json::{Value, json};
    use std::time::Duration;

    fn body(family: Family, error: &Error) -> Value {
        serde_json::from_slice(&render(family, error, "rec_1")).unwrap()
    }

    #[test]
    fn each_family_gets_its_own_envelope() {
        let error = Error::unsupported("tools[0]", "tools[0]: \"x\" cannot be had\n");
        assert_eq!(
            body(Family::OpenAi, &error),
            json!({"error": {"message": "tools[0]: \"x\" cannot be had\n", "type": "invalid_request_error",
                             "param": "tools[0]", "code": "unsupported_parameter"}})
        );
        assert_eq!(
            body(Family::Anthropic, &error),
            json!({"type": "error", "request_id": "rec_1",
                   "error": {"type": "invalid_request_error", "message": "tools[0]: \"x\" cannot be had\n",
                             "code": "unsupported_parameter"}})
        );
        let gemini = body(Family::Gemini, &error);
        assert_eq!(gemini["error"]["code"], 400);
        assert_eq!(gemini["error"]["status"], "INVALID_ARGUMENT");
        assert_eq!(gemini["error"]["details"][0]["reason"], "unsupported_parameter");
        assert_eq!(gemini["error"]["details"][1]["fieldViolations"][0]["field"], "tools[0]");
    }

    #[test]
    fn openai_has_null_where_there_is_no_param_and_gemini_says_when_to_come_back() {
        let error = Error::new(Code::RateLimited, "slow down").retry_after(Duration::from_millis(1_250));
        assert!(body(Family::OpenAi, &error)["error"]["param"].is_null());
        let gemini = body(Family::Gemini, &error);
        assert_eq!(gemini["error"]["details"][1]["retryDelay"], "1.250s");
        let whole = error.retry_after(Duration::from_secs(48));
        assert_eq!(body(Family::Gemini, &whole)["error"]["details"][1]["retryDelay"], "48s");
    }

    #[test]
    fn anthropic_clients_recognise_overload_and_a_prompt_that_is_too_long() {
        let overloaded = Error::new(Code::UpstreamOverloaded, "busy");
        assert_eq!(status(Family::Anthropic, &overloaded), 529);
        assert_eq!(status(Family::OpenAi, &overloaded), 503);
        assert_eq!(status(Family::Anthropic, &Error::new(Code::Overloaded, "busy")), 503);
        let long = Error::new(Code::ContextLengthExceeded, "9 tokens do not fit");
        let shown = body(Family::Anthropic, &long);
        assert_eq!(shown["error"]["message"], "prompt is too long: 9 tokens do not fit");
    }

    #[test]
    fn every_code_has_an_envelope_in_every_family_and_leaks_no_detail() {
        for code in Code::ALL {
            for family in [Family::OpenAi, Family::Anthropic, Family::Gemini, Family::Cohere] {
                let error = Error::new(*code, "what").detail("for the operator");
                let text = String::from_utf8(render(family, &error, "")).unwrap();
                assert!(text.contains(code.as_str()) && !text.contains("operator"), "{text}");
                assert!(serde_json::from_str::<Value>(&text).is_ok());
            }
        }
    }
}
