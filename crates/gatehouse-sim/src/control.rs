//! The control API under `/_sim/`: scripts in, counts and requests out, waiting for a count, reset.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::options::{REQUESTS_KEPT_MAX, SCRIPTS_MAX};
use crate::pace::Paced;
use crate::script::Script;
use crate::simulator::Simulator;
use crate::stats::{Counts, Filter};

/// How long `wait` waits when it is not told.
const WAIT_DEFAULT: Duration = Duration::from_secs(10);

/// Answers a call to the control API.
pub(crate) async fn handle(simulator: &Simulator, parts: &Parts, body: &Bytes) -> Response<Paced> {
    let query = Query(parts.uri.query().unwrap_or_default());
    let what = parts.uri.path().trim_start_matches("/_sim").trim_matches('/');
    match (&parts.method, what) {
        (&Method::POST, "scripts") => add_scripts(simulator, body),
        (&Method::GET, "stats") => answer(StatusCode::OK, &simulator.stats()),
        (&Method::GET, "requests") => {
            let last = query.get("last").and_then(|last| last.parse().ok()).unwrap_or(REQUESTS_KEPT_MAX);
            answer(StatusCode::OK, &simulator.requests(last))
        }
        (&Method::GET, "wait") => wait(simulator, &query).await,
        (&Method::DELETE, "") => {
            simulator.reset();
            answer(StatusCode::OK, &json!({"reset": true}))
        }
        _ => {
            let known =
                "POST /_sim/scripts, GET /_sim/stats, GET /_sim/requests, GET /_sim/wait, DELETE /_sim";
            wrong(StatusCode::NOT_FOUND, &format!("no such control call; there are {known}"))
        }
    }
}

/// One script, or a list of them.
fn add_scripts(simulator: &Simulator, body: &Bytes) -> Response<Paced> {
    let many = body.trim_ascii_start().starts_with(b"[");
    let read: Result<Vec<Script>, _> =
        if many { serde_json::from_slice(body) } else { serde_json::from_slice(body).map(|one| vec![one]) };
    let scripts = match read {
        Ok(scripts) => scripts,
        Err(error) => return wrong(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    for script in scripts {
        if simulator.script(script).is_err() {
            let said = format!("at most {SCRIPTS_MAX} scripts can wait");
            return wrong(StatusCode::TOO_MANY_REQUESTS, &said);
        }
    }
    answer(StatusCode::OK, &json!({"waiting": simulator.scripts_waiting()}))
}

/// `?cancelled=1&model=m&path=/p&timeout_ms=1000`: until every named count has at least that value. A
/// count named `in_flight` has to be exactly that.
async fn wait(simulator: &Simulator, query: &Query<'_>) -> Response<Paced> {
    let mut wanted = Vec::new();
    for (name, value) in query.pairs() {
        if ["model", "path", "timeout_ms"].contains(&name) {
            continue;
        }
        match (Counts::default().get(name), value.parse::<u64>()) {
            (Some(_), Ok(value)) => wanted.push((name, value)),
            (None, _) => return wrong(StatusCode::BAD_REQUEST, &format!("there is no count named `{name}`")),
            (_, Err(_)) => return wrong(StatusCode::BAD_REQUEST, &format!("`{name}` has to be a number")),
        }
    }
    let filter = Filter { path: query.text("path"), model: query.text("model") };
    let timeout =
        query.get("timeout_ms").and_then(|ms| ms.parse().ok()).map_or(WAIT_DEFAULT, Duration::from_millis);
    let met = |counts: &Counts, name: &str, value: u64| {
        let have = counts.get(name).unwrap_or(0);
        if name == "in_flight" { have == value } else { have >= value }
    };
    let reached = |counts: &Counts| wanted.iter().all(|(name, value)| met(counts, name, *value));
    let (counts, reached) = simulator.wait(&filter, timeout, reached).await;
    answer(StatusCode::OK, &json!({"reached": reached, "counts": counts}))
}

fn wrong(status: StatusCode, message: &str) -> Response<Paced> {
    answer(status, &json!({ "error": message }))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response<Paced> {
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Paced::whole(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A query string.
struct Query<'a>(&'a str);

// === impl Query ===

impl<'a> Query<'a> {
    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.split('&').filter_map(|pair| pair.split_once('='))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.pairs().find(|(have, _)| *have == name).map(|(_, value)| value)
    }

    /// The value with its percent escapes resolved: paths and models may have been escaped.
    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(unescaped)
    }
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let escaped = more.split_at_checked(2).filter(|_| *first == b'%').and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = escaped.unwrap_or((*first, more));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(unescaped("%2Fv1%2Fmessages"), "/v1/messages");
        assert_eq!(unescaped("100%"), "100%");
    }
}
