//! Headers of answers: setting them, and what of a provider's is passed on.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of a provider that reach the caller: ids, rate limits, and how long it took.
const PASSED_ON: [&str; 6] =
    ["x-request-id", "request-id", "openai-processing-ms", "openai-version", "retry-after", "retry-after-ms"];
const PASSED_ON_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

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
    fn any_name_fits_a_header() {
        let mut headers = HeaderMap::new();
        put(&mut headers, "x-gatehouse-target", "p/modèle\n");
        assert_eq!(headers["x-gatehouse-target"], "p/mod%C3%A8le%0A");
    }
}
