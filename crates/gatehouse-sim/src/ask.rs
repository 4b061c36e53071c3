//! A call as the dialects see it: the request read, and what of the simulator they may use.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use crate::answer::Answer;
use crate::cache::Prefixes;
use crate::conversation::Conversation;
use crate::dialect::Dialect;
use crate::directive::Directives;
use crate::fault::{Checked, Fault};
use crate::ids::Ids;
use crate::think::{Reply, think};

/// One call.
pub(crate) struct Ask<'a> {
    /// The model, from the path or the body; empty when none was named.
    pub(crate) model: &'a str,
    /// The request's headers.
    pub(crate) headers: &'a HeaderMap,
    /// The request's body.
    pub(crate) body: &'a Bytes,
    /// What the model's name asks for.
    pub(crate) directives: Directives,
    /// For new identifiers.
    pub(crate) ids: &'a Ids,
    /// What Anthropic's prompt cache holds.
    pub(crate) prefixes: &'a Prefixes,
}

// === impl Ask ===

impl Ask<'_> {
    /// The body as a JSON object, or the dialect's complaint about it.
    pub(crate) fn object(&self, complaint: &str) -> Checked<Value> {
        match serde_json::from_slice(self.body) {
            Ok(object @ Value::Object(_)) => Ok(object),
            _ => Err(Fault::bad(complaint)),
        }
    }

    /// The brain's answer.
    pub(crate) fn think(&self, conversation: &Conversation) -> Reply {
        think(conversation, self.body)
    }

    /// A stream, broken off with an error event where the model's name asks for it.
    pub(crate) fn stream(&self, mut events: Vec<Bytes>, broken: impl FnOnce(&Fault) -> Bytes) -> Answer {
        if let Some(after) = self.directives.fail {
            events.truncate(after);
            events.push(broken(&Fault::new(529, "Simulated failure in the middle of a stream.")));
        }
        Answer::events(events)
    }
}

/// The refusals that a model's name or a missing credential ask for, before the request is looked at.
pub(crate) fn refusal(dialect: Dialect, directives: &Directives, credential: Option<&str>) -> Option<Fault> {
    match credential {
        None => return Some(no_credential(dialect)),
        Some(key) if key.starts_with("invalid") => return Some(bad_credential(dialect, key)),
        Some(_) => {}
    }
    if let Some(seconds) = directives.ratelimit {
        let mut fault = Fault::new(429, "Simulated rate limit.");
        fault.retry_after = Some(seconds);
        return Some(fault);
    }
    directives.error.map(|status| Fault::new(status, format!("Simulated error {status}.")))
}

fn no_credential(dialect: Dialect) -> Fault {
    Fault::new(
        401,
        match dialect {
            Dialect::OpenAi => {
                "You didn't provide an API key. You need to provide your API key in an Authorization header \
                 using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            }
            Dialect::Anthropic => "x-api-key header is required",
            Dialect::Bedrock => "Missing Authentication Token",
            Dialect::Cohere => "no api key supplied",
            Dialect::Gemini => {
                "Request is missing required authentication credential. Expected OAuth 2 access token, login \
                 cookie or other valid authentication credential."
            }
        },
    )
}

fn bad_credential(dialect: Dialect, key: &str) -> Fault {
    match dialect {
        Dialect::OpenAi => {
            Fault::new(401, format!("Incorrect API key provided: {key}.")).code("invalid_api_key")
        }
        Dialect::Anthropic => Fault::new(401, "invalid x-api-key"),
        Dialect::Cohere => Fault::new(401, "invalid api token"),
        Dialect::Bedrock => Fault::new(403, "The security token included in the request is invalid."),
        Dialect::Gemini => {
            Fault::bad("API key not valid. Please pass a valid API key.").code("API_KEY_INVALID")
        }
    }
}
