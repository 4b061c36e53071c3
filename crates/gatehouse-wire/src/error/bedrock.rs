//! What Amazon Bedrock calls an error: the name in the header `x-amzn-errortype`, by which its SDKs choose the
//! exception that they throw, and the one of an exception in a stream.
//! [The service's model](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html)
//! names them.

use super::render::anthropic_type;
use gatehouse_core::error::Error;

/// The exceptions that there are, by Anthropic's word for the class.
const NAMES: [(&str, &str); 9] = [
    ("invalid_request_error", "ValidationException"),
    ("request_too_large", "ValidationException"),
    ("authentication_error", "UnrecognizedClientException"),
    ("permission_error", "AccessDeniedException"),
    ("not_found_error", "ResourceNotFoundException"),
    ("rate_limit_error", "ThrottlingException"),
    ("billing_error", "ServiceQuotaExceededException"),
    ("overloaded_error", "ServiceUnavailableException"),
    ("timeout_error", "ModelTimeoutException"),
];

/// The value of `x-amzn-errortype`.
#[must_use]
pub fn bedrock_type(error: &Error) -> &'static str {
    let class = anthropic_type(error.code);
    let named = NAMES.iter().find(|(name, _)| *name == class);
    named.map_or("InternalServerException", |(_, exception)| exception)
}

/// The type of an exception in a stream, for Anthropic's word. There are fewer than of answers.
#[must_use]
pub fn bedrock_exception(anthropic: &str) -> &'static str {
    match anthropic {
        "invalid_request_error"
        | "request_too_large"
        | "authentication_error"
        | "permission_error"
        | "not_found_error" => "validationException",
        "rate_limit_error" | "billing_error" => "throttlingException",
        "overloaded_error" => "serviceUnavailableException",
        "timeout_error" => "modelTimeoutException",
        _ => "internalServerException",
    }
}

/// The type of an exception in a stream of Converse's, which has not all of them.
#[must_use]
pub(super) fn converse_exception(error: &Error) -> &'static str {
    match bedrock_exception(anthropic_type(error.code)) {
        "modelTimeoutException" => "modelStreamErrorException",
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use super::{bedrock_exception, bedrock_type};
    use gatehouse_core::error::{Code, Error};

    #[test]
    fn errors_have_the_services_names() {
        let name = |code| bedrock_type(&Error::new(code, "x"));
        assert_eq!(name(Code::InvalidRequest), "ValidationException");
        assert_eq!(name(Code::UpstreamRateLimited), "ThrottlingException");
        assert_eq!(name(Code::ModelNotFound), "ResourceNotFoundException");
        assert_eq!(name(Code::Internal), "InternalServerException");
        assert_eq!(bedrock_exception("api_error"), "internalServerException");
    }
}
