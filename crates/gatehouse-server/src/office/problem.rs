//! What goes wrong on the administration side, as RFC 9457 writes it.

use gatehouse_core::error::{Code, Error};
use http::StatusCode;
use serde_json::{Value, json};

/// A request that did not work out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What to branch on; stays the same from version to version.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and what to do instead.
    pub detail: String,
    /// The parameter at fault.
    pub parameter: Option<String>,
    /// In how many seconds another try may help.
    pub retry_after: Option<u64>,
}

// === impl Problem ===

impl Problem {
    fn of(code: Code, detail: impl Into<String>) -> Self {
        let (code, status) = (code.as_str(), code.status());
        Self { code, status, detail: detail.into(), parameter: None, retry_after: None }
    }

    /// A parameter that cannot be read, or is not known.
    #[must_use]
    pub fn invalid(parameter: &str, detail: impl Into<String>) -> Self {
        let problem = Self::of(Code::InvalidRequest, detail);
        // A name that came from outside is repeated only as far as it can be one.
        Self { parameter: Some(parameter.chars().take(64).collect()), ..problem }
    }

    /// There is nothing of this kind, or not for this key.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::of(Code::NotFound, detail)
    }

    /// This key does not allow it.
    #[must_use]
    pub fn not_allowed(detail: impl Into<String>) -> Self {
        Self::of(Code::NotAllowed, detail)
    }

    /// Another method is needed.
    #[must_use]
    pub fn method() -> Self {
        Self::of(Code::MethodNotAllowed, "only GET is answered here")
    }

    /// No credential.
    #[must_use]
    pub fn no_key() -> Self {
        let detail = "send an administration key as \"Authorization: Bearer KEY\"; \
                      \"gatehouse key create --role viewer\" makes one";
        Self::of(Code::InvalidApiKey, detail)
    }

    /// Too much at once.
    #[must_use]
    pub fn busy(detail: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::of(Code::Overloaded, detail) }
    }

    /// Too many were refused a moment ago.
    #[must_use]
    pub fn limited() -> Self {
        let detail = "too many requests with wrong keys; try again later";
        Self { retry_after: Some(5), ..Self::of(Code::RateLimited, detail) }
    }

    /// The end is near.
    #[must_use]
    pub fn draining() -> Self {
        Self { retry_after: Some(1), ..Self::of(Code::Draining, "the gateway is shutting down") }
    }

    /// What is read cannot be written down, so it is not read.
    #[must_use]
    pub fn unrecorded(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request to the administration side could not be recorded");
        let detail = "the audit log cannot be written, so nothing may be read";
        Self { retry_after: Some(5), ..Self::of(Code::AuditUnavailable, detail) }
    }

    /// Something failed that the operator's log tells of.
    #[must_use]
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "the administration side could not answer");
        Self::of(Code::Internal, "this cannot be answered; the gateway's log says why")
    }

    /// It took too long.
    #[must_use]
    pub fn too_long() -> Self {
        Self {
            code: "query_too_long",
            status: 400,
            detail: "this takes too long: ask for less time (since, until) or name more of what is wanted"
                .to_owned(),
            parameter: None,
            retry_after: None,
        }
    }

    /// It was asked for under a name that is not ours.
    #[must_use]
    pub fn wrong_host() -> Self {
        Self {
            code: "host_not_allowed",
            status: 421,
            detail: "the administration side is not known by this name; ask it as localhost, or add the name to admin.hosts"
                .to_owned(),
            parameter: None,
            retry_after: None,
        }
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> Value {
        let title = StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let mut document = json!({
            "type": "about:blank", "title": title.unwrap_or("Error"), "status": self.status, "code": self.code,
            "detail": self.detail,
        });
        if let (Some(members), Some(parameter)) = (document.as_object_mut(), &self.parameter) {
            members.insert("parameter".to_owned(), json!(parameter));
        }
        document
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::of(error.code, error.message)
    }
}
