//! The three families of providers: how each words an error and which headers it sends.

use http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::fault::Fault;
use crate::json::set;

/// A family of providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OpenAI and everything compatible with it.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Gemini.
    Gemini,
    /// Amazon Bedrock.
    Bedrock,
    /// Cohere.
    Cohere,
}

/// Headers that OpenAI sends with every answer. Its reset times are Go durations.
const OPENAI_HEADERS: [(&str, &str); 9] = [
    ("openai-organization", "sim"),
    ("openai-processing-ms", "1"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "50000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "49999985"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "0s"),
];

/// What Anthropic limits, and the limit; each comes with `-limit`, `-remaining` and `-reset`.
const ANTHROPIC_LIMITS: [[(&str, &str); 2]; 4] = [
    [("anthropic-ratelimit-requests-limit", "20000"), ("anthropic-ratelimit-requests-remaining", "19999")],
    [("anthropic-ratelimit-tokens-limit", "4800000"), ("anthropic-ratelimit-tokens-remaining", "4800000")],
    [
        ("anthropic-ratelimit-input-tokens-limit", "4000000"),
        ("anthropic-ratelimit-input-tokens-remaining", "4000000"),
    ],
    [
        ("anthropic-ratelimit-output-tokens-limit", "800000"),
        ("anthropic-ratelimit-output-tokens-remaining", "800000"),
    ],
];

/// The headers with the times at which those limits are whole again.
const ANTHROPIC_RESETS: [&str; 4] = [
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-reset",
];

/// Headers that Gemini sends with every answer.
const GEMINI_HEADERS: [(&str, &str); 4] = [
    ("server-timing", "gfet4t7; dur=1"),
    ("vary", "Origin, X-Origin, Referer"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-xss-protection", "0"),
];

// === impl Dialect ===

impl Dialect {
    /// Sets the headers that this family sends with every answer. `request_id` begins with `req_`.
    pub(crate) fn dress(self, headers: &mut HeaderMap, request_id: &str) {
        let mut set = |(name, value): (&'static str, &'static str)| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        };
        match self {
            Self::OpenAi => OPENAI_HEADERS.into_iter().for_each(set),
            Self::Gemini => GEMINI_HEADERS.into_iter().for_each(set),
            Self::Bedrock | Self::Cohere => {}
            Self::Anthropic => {
                set(("anthropic-organization-id", "sim"));
                ANTHROPIC_LIMITS.into_iter().flatten().for_each(set);
                if let Ok(now) = HeaderValue::from_str(&now_rfc3339()) {
                    ANTHROPIC_RESETS.iter().for_each(|name| drop(headers.insert(*name, now.clone())));
                }
            }
        }
        let name = match self {
            Self::OpenAi => "x-request-id",
            Self::Anthropic => "request-id",
            Self::Bedrock => "x-amzn-requestid",
            Self::Gemini | Self::Cohere => return,
        };
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(name, id);
        }
    }

    /// A refusal in this family's envelope.
    pub(crate) fn refuse(self, fault: &Fault, request_id: &str) -> Answer {
        let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = Answer::json(status, &self.envelope(fault, Some(request_id)));
        // Gemini says it in the body alone.
        if let Some(seconds) = fault.retry_after.filter(|_| self != Self::Gemini) {
            answer.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            if self == Self::OpenAi {
                answer.headers.insert("retry-after-ms", HeaderValue::from(seconds.saturating_mul(1_000)));
            }
        }
        if self == Self::Bedrock {
            let kind = HeaderValue::from_static(bedrock_type(fault.status));
            answer.headers.insert("x-amzn-errortype", kind);
        }
        if self == Self::OpenAi && fault.status == 401 {
            let realm = HeaderValue::from_static("Bearer realm=\"OpenAI API\"");
            answer.headers.insert(WWW_AUTHENTICATE, realm);
        }
        answer
    }

    /// The body of a refusal. Mid-stream, Anthropic's has no request id.
    pub(crate) fn envelope(self, fault: &Fault, request_id: Option<&str>) -> Value {
        match self {
            Self::OpenAi => {
                let code = fault.code.or(match fault.status {
                    429 => Some("rate_limit_exceeded"),
                    500..=599 => Some("server_error"),
                    _ => None,
                });
                let kind = openai_type(fault.status);
                json!({"error": {"message": fault.message, "type": kind, "param": fault.param, "code": code}})
            }
            Self::Anthropic => {
                let error = json!({"type": anthropic_type(fault.status), "message": fault.message});
                match request_id {
                    Some(id) => json!({"type": "error", "error": error, "request_id": id}),
                    None => json!({"type": "error", "error": error}),
                }
            }
            Self::Bedrock => json!({"message": fault.message}),
            Self::Cohere => json!({"id": request_id.unwrap_or_default(), "message": fault.message}),
            Self::Gemini => {
                let mut error = json!({"code": fault.status, "message": fault.message, "status": gemini_status(fault.status)});
                if let Some(details) = gemini_details(fault) {
                    set(&mut error, "details", details);
                }
                json!({ "error": error })
            }
        }
    }
}

fn openai_type(status: u16) -> &'static str {
    match status {
        403 => "permission_error",
        429 => "requests",
        500..=599 => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}

fn bedrock_type(status: u16) -> &'static str {
    match status {
        401 | 403 => "AccessDeniedException:http://internal.amazon.com/coral/",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500..=599 => "InternalServerException",
        _ => "ValidationException:http://internal.amazon.com/coral/",
    }
}

fn gemini_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500..=599 => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

fn gemini_details(fault: &Fault) -> Option<Value> {
    if let Some(seconds) = fault.retry_after {
        let retry =
            json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s")});
        return Some(json!([retry]));
    }
    let reason = fault.code?;
    let info = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
        "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}});
    Some(json!([info]))
}

/// Now, to the second, as Anthropic's headers have it.
fn now_rfc3339() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_words_its_own_errors() {
        let mut fault = Fault::new(429, "slow down");
        fault.retry_after = Some(7);
        let openai = Dialect::OpenAi.refuse(&fault, "req_1");
        assert_eq!(
            (openai.headers["retry-after"].as_bytes(), openai.headers["retry-after-ms"].as_bytes()),
            (&b"7"[..], &b"7000"[..])
        );
        assert_eq!(Dialect::OpenAi.envelope(&fault, None)["error"]["code"], "rate_limit_exceeded");
        let anthropic = Dialect::Anthropic.envelope(&fault, Some("req_1"));
        assert_eq!(
            (&anthropic["error"]["type"], &anthropic["request_id"]),
            (&json!("rate_limit_error"), &json!("req_1"))
        );
        let gemini = Dialect::Gemini.envelope(&fault, None);
        assert_eq!(gemini["error"]["details"][0]["retryDelay"], "7s");
        assert!(!Dialect::Gemini.refuse(&fault, "").headers.contains_key("retry-after"));
    }
}
