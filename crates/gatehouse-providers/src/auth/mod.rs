//! Who gives out credentials: Entra ID, Google, AWS.

pub(crate) mod aws;
pub(crate) mod entra;
pub(crate) mod google;

use crate::credential::{Credential, Fresh, Outside, refused};
use bytes::Bytes;
use gatehouse_core::error::Error;
use gatehouse_wire::error::redact;
use http::{Method, Request, Response};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The most of a refusal that is quoted.
const QUOTED_CHARS_MAX: usize = 300;
/// A token without a lifetime is asked for again after this.
const LIFETIME_SECONDS: u64 = 1_800;

/// An access token, as OAuth 2.0 answers (RFC 6749 section 5.1). Azure writes the number as a text.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    #[serde(default)]
    expires_in: Option<Seconds>,
    /// Azure's App Service gives the time instead, in Unix seconds.
    #[serde(default)]
    expires_on: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

// === impl TokenAnswer ===

impl TokenAnswer {
    /// As a credential that came at `now`.
    fn at(self, now: u64) -> Fresh {
        let until = self.expires_on.and_then(|time| time.get());
        let lifetime = || self.expires_in.and_then(|seconds| seconds.get()).unwrap_or(LIFETIME_SECONDS);
        Fresh {
            credential: Credential::Token(self.access_token),
            expires_at: Some(until.unwrap_or_else(|| now.saturating_add(lifetime()))),
        }
    }
}

// === impl Seconds ===

impl Seconds {
    fn get(&self) -> Option<u64> {
        match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// Asks, and reads an answer of JSON.
async fn ask<T: DeserializeOwned>(
    who: &'static str,
    outside: &dyn Outside,
    request: Request<Bytes>,
) -> Result<T, Error> {
    let answer = good(who, outside.ask(request).await?)?;
    serde_json::from_slice(answer.body()).map_err(|error| refused(who, format!("its answer: {error}")))
}

/// The answer, if it is one of success.
fn good(who: &'static str, answer: Response<Bytes>) -> Result<Response<Bytes>, Error> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let text = String::from_utf8_lossy(answer.body());
    let quoted: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    Err(refused(who, format!("it answered {}: {}", answer.status(), redact(&quoted))))
}

/// A form, as `application/x-www-form-urlencoded`.
fn form(fields: &[(&str, &str)]) -> Bytes {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(&encoded(value));
    }
    Bytes::from(out)
}

/// A text with everything encoded that is not unreserved (RFC 3986 section 2.3).
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

fn get(address: &str, headers: &[(&str, &str)]) -> Result<Request<Bytes>, http::Error> {
    request(Method::GET, address, headers, Bytes::new())
}

fn post(address: &str, fields: &[(&str, &str)]) -> Result<Request<Bytes>, http::Error> {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    request(Method::POST, address, &headers, form(fields))
}

fn request(
    method: Method,
    address: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Request<Bytes>, http::Error> {
    let builder = Request::builder().method(method).uri(address).header("accept", "application/json");
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(body)
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_models_name_stays_in_its_segment() {
        assert_eq!(encoded("gemini-2.5-pro"), "gemini-2.5-pro");
        assert_eq!(encoded("../x?y#z"), "..%2Fx%3Fy%23z");
    }
}
