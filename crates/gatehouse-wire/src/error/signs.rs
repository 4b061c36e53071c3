//! By which words providers can be understood: codes first, phrases where a provider has no code.
//!
//! A phrase is looked for in a message that may quote the caller. So no phrase that a caller can bring
//! about may do more than name a class: what makes the gateway distrust its own key is a code, a status,
//! or the very beginning of the message.

/// All in lower case, as [`super::report::Report::signs`] are.
pub(super) const CONTEXT_CODES: &[&str] = &[
    "context_length_exceeded",
    "exceed_context_size_error",
    "too_many_prompt_tokens",
    "context_window_exceeded",
    "model_context_window_exceeded",
    "tokens_limit_reached",
];
/// Anywhere in the message, in lower case.
pub(super) const CONTEXT_PHRASES: &[&str] = &[
    "maximum context length",
    "prompt is too long",
    "input is too long for requested model",
    "exceeds the context window",
    "exceeds the maximum number of tokens allowed",
    "input tokens exceeded",
    "exceeds the available context size",
    "too many tokens: size limit exceeded",
    "too many tokens: total number of tokens",
    "prompt too long; exceeded max context length",
    "is too large to process",
    "maximum prompt length is",
    "reduce the length of the messages",
    "`inputs` tokens + `max_new_tokens` must be",
];
/// A text that is too long for its member says nothing of the context.
pub(super) const NOT_CONTEXT_CODES: &[&str] = &["string_above_max_length", "array_above_max_length"];

pub(super) const CONTENT_CODES: &[&str] = &[
    "content_filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "moderation_blocked",
    "invalid_prompt",
    "data_inspection_failed",
    "model_armor",
    "prohibited_content",
];
pub(super) const CONTENT_PHRASES: &[&str] = &[
    "content management policy",
    "content filtering policy",
    "flagged as potentially violating",
    "content exists risk",
    "violates usage guidelines",
    "your input was flagged",
    "blocked by model armor",
];

/// Cohere's status for what its usage guidelines forbid. <https://docs.cohere.com/reference/errors>
pub(super) const COHERE_BLOCKED: u16 = 498;
/// How Cohere begins to say that a key on trial has reached a limit: one of a minute, or one of a month.
pub(super) const COHERE_TRIAL: &str = "you are using a trial key";
/// What tells the latter.
pub(super) const MONTHLY: &str = "/ month";

pub(super) const MODEL_CODES: &[&str] = &[
    "model_not_found",
    "invalid_model",
    "model_not_available",
    "model_decommissioned",
    "unknown_model",
    "deploymentnotfound",
    "unavailable_model",
    "modelnotfounderror",
];
/// Only where the message speaks of a model at all.
pub(super) const MODEL_PHRASES: &[&str] = &[
    "does not exist",
    "model not exist",
    "model not found",
    "is not a valid model",
    "model identifier is invalid",
    "is not found for api version",
    "supported api model names",
    "invalid model",
    "unknown model",
    "decommissioned",
    "end of its life",
];

pub(super) const QUOTA_CODES: &[&str] = &[
    "insufficient_quota",
    "billing_error",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_credits",
    "insufficient_user_quota",
];
/// At the beginning of the message.
pub(super) const QUOTA_STARTS: &[&str] = &[
    "your credit balance is too low",
    "insufficient balance",
    "insufficient credits",
    "billing hard limit",
    "you exceeded your current quota",
    "your newly created team doesn't have any credits",
];
/// In the name of a Google quota: it comes back tomorrow, not in a minute.
pub(super) const DAILY: &str = "perday";
/// One request that is larger than what the account may use in a minute: waiting does not help.
pub(super) const NEVER_FITS: &str = "request too large for";

pub(super) const AUTH_CODES: &[&str] = &[
    "authentication_error",
    "invalid_api_key",
    "api_key_invalid",
    "api_key_expired",
    "api_key_service_blocked",
    "account_deactivated",
    "unauthenticated",
    "unrecognizedclientexception",
    "accessdeniedexception",
    "expiredtokenexception",
    "expiredtoken",
    "invalidsignatureexception",
    "incompletesignatureexception",
    "missingauthenticationtokenexception",
];
/// At the beginning of the message: xAI answers 400, Gemini answers 400 to some of them without a reason,
/// and refuses accounts by country.
pub(super) const AUTH_STARTS: &[&str] = &[
    "incorrect api key",
    "invalid api key",
    "api key not valid",
    "api key expired",
    "api key not found",
    "user location is not supported",
];

pub(super) const RATE_CODES: &[&str] = &[
    "rate_limit_exceeded",
    "rate_limit_error",
    "too_many_requests",
    "throttlingexception",
    "servicequotaexceededexception",
    "modelnotreadyexception",
    "resource_exhausted",
];
pub(super) const OVERLOAD_CODES: &[&str] = &[
    "overloaded_error",
    "engine_overloaded",
    "model_overloaded",
    "overloaded",
    "slow_down",
    "serviceunavailableexception",
    "unavailable",
    "service_unavailable",
];
pub(super) const TIMEOUT_CODES: &[&str] =
    &["timeout_error", "deadline_exceeded", "modeltimeoutexception", "timeout", "request_timeout"];
pub(super) const UNSUPPORTED_CODES: &[&str] =
    &["unsupported_parameter", "unsupported_value", "not_supported_error", "unknown_parameter"];
/// A status of failure that an event says only in a word.
pub(super) const REQUEST_CODES: &[&str] = &[
    "invalid_request_error",
    "invalid_request",
    "invalid_argument",
    "bad_request_error",
    "validationexception",
    "badrequesterror",
    "failed_precondition",
    "not_supported_error",
    "tool_use_failed",
];
