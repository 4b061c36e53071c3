//! Objects of S3, and of whatever speaks as it does: the headers of a request that writes one.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use secrecy::{ExposeSecret as _, SecretString};
use std::time::{Duration, UNIX_EPOCH};

/// Whose bucket it is.
#[derive(Clone, Debug)]
pub struct BucketKeys {
    /// The region.
    pub region: String,
    /// The access key's id.
    pub id: SecretString,
    /// The secret access key.
    pub secret: SecretString,
}

/// The headers that sign a `PUT` of this body to this address, at this time in Unix seconds.
///
/// # Errors
/// What cannot be signed, in words that name no secret.
pub fn signed_put(
    keys: &BucketKeys,
    url: &str,
    content_type: &str,
    body: &[u8],
    now: u64,
) -> Result<Vec<(String, SecretString)>, String> {
    let identity =
        Credentials::new(keys.id.expose_secret(), keys.secret.expose_secret(), None, None, "gatehouse")
            .into();
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    // Names of objects are signed as they are written.
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&keys.region)
        .name("s3")
        .time(UNIX_EPOCH + Duration::from_secs(now))
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let signed = [("content-type", content_type)];
    let request = SignableRequest::new("PUT", url, signed.into_iter(), SignableBody::Bytes(body))
        .map_err(|error| error.to_string())?;
    let (instructions, _) = sign(request, &params).map_err(|error| error.to_string())?.into_parts();
    let (headers, _) = instructions.into_parts();
    Ok(headers
        .into_iter()
        .map(|header| (header.name().to_owned(), header.value().to_owned().into()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::{BucketKeys, signed_put};
    use secrecy::ExposeSecret as _;

    #[test]
    fn a_put_has_the_headers_that_s3_asks_for() {
        let keys =
            BucketKeys { region: "eu-central-1".to_owned(), id: "AKIDEXAMPLE".into(), secret: "x".into() };
        let url = "https://bucket.s3.eu-central-1.amazonaws.com/a/r0/1.jsonl";
        let headers = signed_put(&keys, url, "application/x-ndjson", b"{}\n", 1_795_375_800).unwrap();
        let value = |name: &str| {
            headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.expose_secret())
        };
        let digest = "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356";
        assert_eq!(value("x-amz-content-sha256"), Some(digest));
        assert_eq!(value("x-amz-date"), Some("20261122T193000Z"));
        let authorization = value("authorization").unwrap();
        assert!(
            authorization.contains("AKIDEXAMPLE/20261122/eu-central-1/s3/aws4_request"),
            "{authorization}"
        );
        assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date"));
    }
}
