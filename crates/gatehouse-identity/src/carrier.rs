//! The credential in a request: one, in whatever header the caller's SDK has for it.

use gatehouse_core::error::{Code, Error};
use http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};

/// Headers that carry a caller key beside `Authorization: Bearer`.
const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Browsers cannot set headers of a WebSocket but its subprotocols: a key stands in one of them, behind this.
const SUBPROTOCOL: &str = "openai-insecure-api-key.";

/// How Amazon's clients sign what they send. The secret does not come with it, and caller keys are kept as hashes, so
/// that nothing here could check the signature.
const SIGNATURE: &str = "AWS4-HMAC-SHA256";
const NO_SIGNATURES: &str = "a request that is signed as Amazon's clients do cannot be checked here: give the client the \
     caller key as a bearer token instead (its api_key, or AWS_BEARER_TOKEN_BEDROCK) and no access key";

/// Finds the caller's credential.
///
/// # Errors
/// `invalid_api_key` when there is none or it cannot be read, `invalid_request` when there are two that
/// differ: one part of the way would check the first, another bill the second.
pub fn credential(headers: &HeaderMap, query: Option<&str>) -> Result<SecretString, Error> {
    let mut found: Option<SecretString> = None;
    let mut take = |text: &str| match &found {
        Some(other) if other.expose_secret() != text => {
            Err(Error::invalid("authorization", "the request carries two different credentials; send one"))
        }
        _ => {
            found = Some(SecretString::from(text));
            Ok(())
        }
    };
    for value in headers.get_all(http::header::AUTHORIZATION) {
        let text = value.to_str().map_err(|_| unreadable())?;
        let (scheme, token) = text.split_once(' ').ok_or_else(unreadable)?;
        if scheme.eq_ignore_ascii_case(SIGNATURE) {
            return Err(Error::new(Code::InvalidApiKey, NO_SIGNATURES));
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::new(Code::InvalidApiKey, "send the key as \"Authorization: Bearer KEY\""));
        }
        take(token.trim())?;
    }
    for name in HEADERS {
        for value in headers.get_all(name) {
            take(value.to_str().map_err(|_| unreadable())?.trim())?;
        }
    }
    for value in headers.get_all(http::header::SEC_WEBSOCKET_PROTOCOL) {
        let offered = value.to_str().map_err(|_| unreadable())?;
        for key in offered.split(',').filter_map(|one| one.trim().strip_prefix(SUBPROTOCOL)) {
            take(key)?;
        }
    }
    for pair in query.unwrap_or_default().split('&') {
        if let Some(key) = pair.strip_prefix("key=") {
            take(key)?;
        }
    }
    found.filter(|key| !key.expose_secret().is_empty()).ok_or_else(|| {
        Error::new(
            Code::InvalidApiKey,
            "no caller key: send it as \"Authorization: Bearer KEY\" or in \"x-api-key\"; \
             \"gatehouse key create\" makes one",
        )
    })
}

fn unreadable() -> Error {
    Error::new(Code::InvalidApiKey, "the credential cannot be read")
}

#[cfg(test)]
mod tests {
    use super::credential;
    use gatehouse_core::error::Code;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use secrecy::ExposeSecret;

    fn read(pairs: &[(&'static str, &'static str)], query: Option<&str>) -> Result<String, Code> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        credential(&headers, query).map(|key| key.expose_secret().to_owned()).map_err(|error| error.code)
    }

    #[test]
    fn a_signature_is_refused_with_a_way_out() {
        let signed =
            "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-central-1/bedrock/aws4_request, Signature=00";
        let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static(signed))]);
        let error = credential(&headers, None).unwrap_err();
        assert_eq!(error.code, Code::InvalidApiKey);
        assert!(error.message.contains("AWS_BEARER_TOKEN_BEDROCK"), "{}", error.message);
    }

    #[test]
    fn every_sdk_finds_its_header_and_two_keys_are_refused() {
        assert_eq!(read(&[("authorization", "Bearer k")], None).unwrap(), "k");
        assert_eq!(read(&[("authorization", "bearer  k")], None).unwrap(), "k");
        assert_eq!(read(&[("x-api-key", "k"), ("authorization", "Bearer k")], None).unwrap(), "k");
        assert_eq!(read(&[("api-key", "k")], None).unwrap(), "k");
        assert_eq!(read(&[("x-goog-api-key", "k")], None).unwrap(), "k");
        assert_eq!(read(&[], Some("alt=sse&key=k")).unwrap(), "k");
        let browsers = "realtime, openai-insecure-api-key.k, openai-beta.realtime-v1";
        assert_eq!(read(&[("sec-websocket-protocol", browsers)], None).unwrap(), "k");
        assert_eq!(
            read(&[("sec-websocket-protocol", browsers), ("api-key", "j")], None),
            Err(Code::InvalidRequest)
        );
        assert_eq!(
            read(&[("x-api-key", "a"), ("authorization", "Bearer b")], None),
            Err(Code::InvalidRequest)
        );
        assert_eq!(read(&[("x-api-key", "a"), ("x-api-key", "b")], None), Err(Code::InvalidRequest));
        for nothing in [&[][..], &[("authorization", "Basic eA==")], &[("x-api-key", "")]] {
            assert_eq!(read(nothing, None), Err(Code::InvalidApiKey));
        }
    }
}
