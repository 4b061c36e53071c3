//! Headers of answers: setting them, and what of a provider's is passed on.

use gatehouse_core::usage::Usage;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The id of the call's record.
pub const RECORD: HeaderName = HeaderName::from_static("x-gatehouse-record");
/// Who served.
pub const TARGET: HeaderName = HeaderName::from_static("x-gatehouse-target");
/// The rule that chose.
pub const ROUTE: HeaderName = HeaderName::from_static("x-gatehouse-route");
/// What guardrails decided.
pub const GUARDS: HeaderName = HeaderName::from_static("x-gatehouse-guards");
/// How many attempts there were.
pub const ATTEMPTS: HeaderName = HeaderName::from_static("x-gatehouse-attempts");
/// Members of the request that were left out.
pub const DROPPED: HeaderName = HeaderName::from_static("x-gatehouse-dropped");
/// What the call cost, in US dollars.
pub const COST: HeaderName = HeaderName::from_static("x-gatehouse-cost");
/// How long the caller wants to wait.
pub const TIMEOUT: HeaderName = HeaderName::from_static("x-gatehouse-timeout");
/// Where the caller's data must stay.
pub const RESIDENCY: HeaderName = HeaderName::from_static("x-gatehouse-residency");
/// Which provider a file is for, where nothing in it says so.
pub const PROVIDER: HeaderName = HeaderName::from_static("x-gatehouse-provider");
/// The id of a request, as OpenAI's SDKs look for it.
pub const OPENAI_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The id of a request, as Anthropic's SDKs look for it.
pub const ANTHROPIC_ID: HeaderName = HeaderName::from_static("request-id");
/// The version of Anthropic's API: every one of its SDKs sends it.
pub const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// What is asked for of Anthropic's API beyond its version.
pub const ANTHROPIC_BETA: HeaderName = HeaderName::from_static("anthropic-beta");
/// The id of a request, as Amazon's SDKs look for it.
pub const AMAZON_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// The type of an error, as Amazon's SDKs look for it.
pub const AMAZON_ERROR: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// A credential as Google's SDKs send it.
pub const GOOGLE_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
/// How many milliseconds to wait before another attempt.
pub const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// Whether an SDK should try again by itself.
pub const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Headers of a provider that reach the caller: ids, rate limits, and how long it took.
const PASSED_ON: [&str; 6] =
    ["x-request-id", "request-id", "openai-processing-ms", "openai-version", "retry-after", "retry-after-ms"];
const PASSED_ON_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// Headers of a provider's answer that concern browsers, caches and networks on the way. No one here reads
/// them, and keeping one costs more than looking at its name.
const NOISE: [&str; 18] = [
    "age",
    "alt-svc",
    "cache-control",
    "content-security-policy",
    "expires",
    "keep-alive",
    "nel",
    "pragma",
    "referrer-policy",
    "report-to",
    "server",
    "server-timing",
    "set-cookie",
    "strict-transport-security",
    "vary",
    "via",
    "x-content-type-options",
    "x-frame-options",
];
const NOISE_PREFIXES: [&str; 4] = ["access-control-", "cf-", "cross-origin-", "x-envoy-"];
/// How many headers an answer to a caller usually has.
const USUAL: usize = 16;

/// Whether this header of a provider's answer is of no use. The name may be in any case.
#[must_use]
pub fn is_noise(name: &str) -> bool {
    let begins_with =
        |prefix: &&str| name.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    NOISE.iter().any(|noise| noise.eq_ignore_ascii_case(name)) || NOISE_PREFIXES.iter().any(begins_with)
}

/// The provider's headers that are passed on.
#[must_use]
pub fn passed_on(upstream: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(USUAL);
    for (name, value) in upstream {
        let name_text = name.as_str();
        let known = PASSED_ON.contains(&name_text);
        if known || PASSED_ON_PREFIXES.iter().any(|prefix| name_text.starts_with(prefix)) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Amazon Bedrock's count of the tokens that went in, where the answer itself does not say.
pub fn input_tokens(upstream: &HeaderMap) -> Option<Usage> {
    let count = upstream.get("x-amzn-bedrock-input-token-count")?.to_str().ok()?.parse().ok()?;
    Some(Usage { input_tokens: count, ..Usage::default() })
}

/// Sets a header. What no header can hold (a model's name may have any letter) is percent-encoded.
pub fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).or_else(|_| HeaderValue::from_str(&encoded(value)));
    if let Ok(value) = value {
        headers.insert(name, value);
    }
}

fn encoded(value: &str) -> String {
    value.bytes().fold(String::with_capacity(value.len()), |mut out, byte| {
        if (0x20..0x7f).contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::{is_noise, passed_on, put};
    use http::{HeaderMap, HeaderValue};

    #[test]
    fn only_what_is_harmless_is_passed_on() {
        let mut upstream = HeaderMap::new();
        for name in
            ["x-request-id", "x-ratelimit-remaining-tokens", "set-cookie", "openai-organization", "server"]
        {
            upstream.insert(name, HeaderValue::from_static("v"));
        }
        let mut names: Vec<_> = passed_on(&upstream).keys().map(|name| name.to_string()).collect();
        names.sort();
        assert_eq!(names, ["x-ratelimit-remaining-tokens", "x-request-id"]);
    }

    #[test]
    fn noise_is_known_in_any_case() {
        for name in ["Set-Cookie", "CF-Ray", "server", "Access-Control-Allow-Origin"] {
            assert!(is_noise(name), "{name}");
        }
        for name in ["content-type", "x-ratelimit-limit-requests", "retry-after", "date", "x-new", "cf", ""] {
            assert!(!is_noise(name), "{name}");
        }
    }

    #[test]
    fn any_name_fits_a_header() {
        let mut headers = HeaderMap::new();
        put(&mut headers, super::TARGET, "p/modèle\n");
        assert_eq!(headers["x-gatehouse-target"], "p/mod%C3%A8le%0A");
    }
}
