//! Where clients carry their credential.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The headers that may carry one.
pub(crate) const CARRIERS: [&str; 4] = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];

/// The first credential that is not empty.
pub(crate) fn find<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer
        .and_then(|value| value.split_once(' '))
        // A signature of AWS is checked where it is read.
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer") || *scheme == "AWS4-HMAC-SHA256");
    let in_header = CARRIERS.iter().skip(1).filter_map(|name| headers.get(*name)?.to_str().ok());
    let in_query =
        query.into_iter().flat_map(|query| query.split('&')).filter_map(|pair| pair.strip_prefix("key="));
    let all = bearer.map(|(_, token)| token).into_iter().chain(in_header).chain(in_query);
    all.map(str::trim).find(|key| !key.is_empty())
}

/// The query without the value of its `key`.
pub(crate) fn without_key(query: &str) -> String {
    let hide =
        |pair: &str| if pair.starts_with("key=") { "key=(hidden)".to_owned() } else { pair.to_owned() };
    query.split('&').map(hide).collect::<Vec<_>>().join("&")
}
