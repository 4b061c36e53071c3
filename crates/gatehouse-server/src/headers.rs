//! The answer's head: what every answer carries, and what of the provider's head is passed on.

use crate::trail::{Ended, Trail};
use gatehouse_core::content::Family;
use gatehouse_core::record::CostStatus;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of a provider that reach the caller: ids, rate limits, and how long it took.
const PASSED_ON: [&str; 6] = [
    "x-request-id",
    "request-id",
    "openai-processing-ms",
    "openai-version",
    "retry-after",
    "retry-after-ms",
];
const PASSED_ON_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// Writes what every answer says about its call.
pub fn describe(headers: &mut HeaderMap, trail: &Trail) {
    let record = trail.record();
    put(headers, "x-gatehouse-record", &record.call.to_string());
    if let Some(target) = &record.target {
        put(headers, "x-gatehouse-target", target);
    }
    if let Some(route) = &record.route {
        put(headers, "x-gatehouse-route", route);
    }
    put(headers, "x-gatehouse-guards", &trail.guards());
    put(headers, "x-gatehouse-attempts", &trail.attempts().to_string());
    if !record.dropped.is_empty() {
        put(headers, "x-gatehouse-dropped", &record.dropped.join(","));
    }
}

/// Writes what the call cost, where that is known before the body.
pub fn price(headers: &mut HeaderMap, ended: &Ended) {
    match ended.cost.status {
        CostStatus::Unpriced => put(headers, "x-gatehouse-cost", "unpriced"),
        _ => put(headers, "x-gatehouse-cost", &ended.cost.amount.to_string()),
    }
}

/// The provider's headers that are passed on.
#[must_use]
pub fn passed_on(upstream: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in upstream {
        let known = PASSED_ON.contains(&name.as_str());
        if known || PASSED_ON_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix)) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// SDKs show the id under the name that their provider uses: ours, where the provider gave none.
pub fn request_id(headers: &mut HeaderMap, family: Family, record: &str) {
    let name = match family {
        Family::Anthropic => "request-id",
        Family::OpenAi => "x-request-id",
        Family::Gemini => return,
    };
    if !headers.contains_key(name) {
        put(headers, name, record);
    }
}

/// Sets a header. What no header can hold (a model's name may have any letter) is percent-encoded.
pub fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).or_else(|_| HeaderValue::from_str(&encoded(value)));
    if let Ok(value) = value {
        headers.insert(HeaderName::from_static(name), value);
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
    use super::{passed_on, put};
    use http::{HeaderMap, HeaderValue};

    #[test]
    fn only_what_is_harmless_is_passed_on() {
        let mut upstream = HeaderMap::new();
        for name in ["x-request-id", "x-ratelimit-remaining-tokens", "set-cookie", "openai-organization", "server"] {
            upstream.insert(name, HeaderValue::from_static("v"));
        }
        let mut names: Vec<_> = passed_on(&upstream).keys().map(|name| name.to_string()).collect();
        names.sort();
        assert_eq!(names, ["x-ratelimit-remaining-tokens", "x-request-id"]);
    }

    #[test]
    fn any_name_fits_a_header() {
        let mut headers = HeaderMap::new();
        put(&mut headers, "x-gatehouse-target", "p/modèle\n");
        assert_eq!(headers["x-gatehouse-target"], "p/mod%C3%A8le%0A");
    }
}
