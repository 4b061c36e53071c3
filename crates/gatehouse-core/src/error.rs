//! One error for the whole gateway: a stable code, whose fault it is, and whether another try may help.

use std::fmt;
use std::time::Duration;

/// A call that did not work out.
///
/// `message` goes to the caller, so it names no secret, no other tenant and no matched text; `detail`
/// is for the operator's log and never leaves the process towards a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What to branch on.
    pub code: Code,
    /// For the caller: what is wrong and what to do instead.
    pub message: String,
    /// The member of the request that is at fault, as a path (`messages[2].content`).
    pub param: Option<String>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// For the operator.
    pub detail: Option<String>,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller asked for something wrong.
    Caller,
    /// A policy said no.
    Policy,
    /// The provider failed.
    Provider,
    /// We failed.
    Gateway,
}

macro_rules! codes {
    ($( $(#[doc = $doc:literal])* $name:ident = $text:literal, $status:literal, $fault:ident; )*) => {
        /// The stable codes that callers may branch on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $( $(#[doc = $doc])* $name, )* }

        impl Code {
            /// Every code, for documents and tests.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The text of the code on the wire and in records.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $( Self::$name => $text, )* } }

            /// The HTTP status it is answered with.
            #[must_use]
            pub fn status(self) -> u16 { match self { $( Self::$name => $status, )* } }

            /// Whose fault it is.
            #[must_use]
            pub fn fault(self) -> Fault { match self { $( Self::$name => Fault::$fault, )* } }
        }
    };
}

codes! {
    /// No credential, a malformed one or an unknown one.
    InvalidApiKey = "invalid_api_key", 401, Caller;
    /// The credential's time is over.
    KeyExpired = "key_expired", 401, Caller;
    /// The credential does not allow this.
    NotAllowed = "not_allowed", 403, Caller;
    /// No such model, or not for this key.
    ModelNotFound = "model_not_found", 404, Caller;
    /// No such path, or nothing of this id that is the caller's.
    NotFound = "not_found", 404, Caller;
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", 405, Caller;
    /// The body does not arrive in time.
    RequestTimeout = "request_timeout", 408, Caller;
    /// A body or header that does not parse or has a wrong value.
    InvalidRequest = "invalid_request", 400, Caller;
    /// A member that the serving provider cannot honour.
    UnsupportedParameter = "unsupported_parameter", 400, Caller;
    /// The prompt does not fit the model.
    ContextLengthExceeded = "context_length_exceeded", 400, Caller;
    /// The body is larger than the limit.
    RequestTooLarge = "request_too_large", 413, Caller;
    /// A content type or encoding that is not read.
    UnsupportedMediaType = "unsupported_media_type", 415, Caller;
    /// The headers are larger than the limit.
    HeadersTooLarge = "headers_too_large", 431, Caller;
    /// A guardrail blocked it.
    GuardBlocked = "guard_blocked", 400, Policy;
    /// A guardrail that fails closed could not run.
    GuardUnavailable = "guard_unavailable", 503, Policy;
    /// A budget is used up.
    BudgetExceeded = "budget_exceeded", 402, Policy;
    /// The model has no price and the policy requires one.
    PriceUnknown = "price_unknown", 402, Policy;
    /// A limit of the gateway is used up.
    RateLimited = "rate_limited", 429, Policy;
    /// No target of the model is where the call's data must stay.
    ResidencyUnsatisfied = "residency_unsatisfied", 400, Policy;
    /// No target of the model can do what the request asks for.
    NoCapableTarget = "no_capable_target", 400, Policy;
    /// The provider does not take our credential.
    UpstreamAuthFailed = "upstream_auth_failed", 502, Provider;
    /// The provider's rate limit.
    UpstreamRateLimited = "upstream_rate_limited", 429, Provider;
    /// The provider's quota or bill.
    UpstreamQuotaExceeded = "upstream_quota_exceeded", 429, Provider;
    /// The provider is overloaded.
    UpstreamOverloaded = "upstream_overloaded", 503, Provider;
    /// The provider could not be reached.
    UpstreamUnreachable = "upstream_unreachable", 502, Provider;
    /// The provider did not answer in time.
    UpstreamTimeout = "upstream_timeout", 504, Provider;
    /// The provider answered what nobody can read, or stopped in the middle.
    UpstreamBadResponse = "upstream_bad_response", 502, Provider;
    /// The provider failed by its own word (5xx).
    UpstreamError = "upstream_error", 502, Provider;
    /// The provider refused the request (4xx) for a reason of its own.
    UpstreamInvalidRequest = "upstream_invalid_request", 400, Caller;
    /// The provider's content policy refused the request.
    UpstreamContentFilter = "content_filter", 400, Provider;
    /// The model is not known at the provider.
    UpstreamModelNotFound = "upstream_model_not_found", 404, Provider;
    /// The gateway has no room for another call.
    Overloaded = "overloaded", 503, Gateway;
    /// The gateway is shutting down.
    Draining = "draining", 503, Gateway;
    /// The audit log cannot be written, so no call may pass.
    AuditUnavailable = "audit_unavailable", 503, Gateway;
    /// A bug.
    Internal = "internal_error", 500, Gateway;
}

// === impl Error ===

impl Error {
    /// An error with a message for the caller.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None, retry_after: None, detail: None }
    }

    /// A request that cannot be understood: `param` is the path of the member at fault.
    #[must_use]
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, message).at(param)
    }

    /// A member that the serving side cannot honour without changing what the caller meant.
    #[must_use]
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::UnsupportedParameter, message).at(param)
    }

    /// Names the member at fault.
    #[must_use]
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds what only the operator may see.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

// === impl Code ===

impl Code {
    /// Whether another attempt at the *same* target may help, before the first byte was passed on.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::UpstreamRateLimited
                | Self::UpstreamOverloaded
                | Self::UpstreamUnreachable
                | Self::UpstreamTimeout
                | Self::UpstreamBadResponse
                | Self::UpstreamError
        )
    }

    /// Whether the *next* target of a plan may be tried.
    #[must_use]
    pub fn allows_fallback(self) -> bool {
        self.is_retryable()
            || matches!(
                self,
                Self::UpstreamAuthFailed
                    | Self::UpstreamQuotaExceeded
                    | Self::UpstreamModelNotFound
                    | Self::UnsupportedParameter
            )
    }

    /// Whether a client that retries by itself would only waste its time.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::RateLimited | Self::Overloaded | Self::Draining | Self::AuditUnavailable)
            || matches!(self.fault(), Fault::Provider)
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_and_statuses_are_errors() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }
}
