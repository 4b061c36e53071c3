//! AWS' Signature Version 4. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use crate::Signing;
use crate::credential::AwsKeys;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use gatehouse_core::error::{Code, Error};
use http::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use std::time::{Duration, UNIX_EPOCH};

/// What is signed, beside the request.
pub(crate) struct Scope<'a> {
    /// The region, such as `eu-central-1`.
    pub(crate) region: &'a str,
    /// The service's name in signatures, such as `bedrock`.
    pub(crate) service: &'a str,
    /// The time, in Unix seconds.
    pub(crate) now: u64,
}

/// Signs a request: adds the headers of the signature. Of the others, host and content type are signed, as proxies
/// on the way may change what else there is.
///
/// # Errors
/// `internal_error` when the request is not one that can be signed.
pub(crate) fn signed(
    keys: &AwsKeys,
    scope: &Scope<'_>,
    signing: &Signing<'_>,
    headers: &mut HeaderMap,
) -> Result<(), Error> {
    let unsigned =
        |error: String| Error::new(Code::Internal, "the request cannot be signed for AWS").detail(error);
    let session = keys.session.as_ref().map(|session| session.expose_secret().to_owned());
    let identity = Credentials::new(&keys.id, keys.secret.expose_secret(), session, None, "gatehouse").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(UNIX_EPOCH + Duration::from_secs(scope.now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsigned(error.to_string()))?
        .into();
    let content_type = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let signed = content_type.map(|value| ("content-type", value));
    let (method, text, body) =
        (signing.method.as_str(), signing.uri.to_string(), SignableBody::Bytes(signing.body));
    let request = SignableRequest::new(method, &text, signed.into_iter(), body)
        .map_err(|error| unsigned(error.to_string()))?;
    let (instructions, _) = sign(request, &params).map_err(|error| unsigned(error.to_string()))?.into_parts();
    let (added, _) = instructions.into_parts();
    for header in added {
        let mut value = HeaderValue::from_str(header.value()).map_err(|error| unsigned(error.to_string()))?;
        value.set_sensitive(header.sensitive());
        headers.insert(header.name(), value);
    }
    Ok(())
}
