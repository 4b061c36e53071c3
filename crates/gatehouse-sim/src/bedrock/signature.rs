//! Checks AWS' Signature Version 4, as AWS does.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//!
//! One pair of keys is known: the one in AWS' own examples.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

use crate::fault::{Checked, Fault};

const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// How far a request's time may be off.
const SKEW_SECONDS: i64 = 900;

/// What is asked: where, and with what.
pub(crate) struct Asked<'a> {
    /// The path as it came.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Checks the signature, if that is how the caller shows who he is.
pub(crate) fn check(asked: &Asked<'_>) -> Checked<()> {
    let header =
        |name: &str| asked.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(claims) = header("authorization").strip_prefix("AWS4-HMAC-SHA256 ") else { return Ok(()) };
    let parts: BTreeMap<&str, &str> =
        claims.split(',').filter_map(|part| part.trim().split_once('=')).collect();
    let part = |name: &str| parts.get(name).copied().unwrap_or_default();
    let scope: Vec<&str> = part("Credential").split('/').collect();
    let [id, day, region, service, "aws4_request"] = scope.as_slice() else {
        return Err(refused("The credential of the signature is malformed."));
    };
    if *id != KEY_ID {
        return Err(refused("The security token included in the request is invalid."));
    }
    let time = header("x-amz-date");
    if !time.starts_with(day) || *service != "bedrock" || !is_now(time) {
        return Err(refused("Signature expired or not of this service."));
    }
    let names: Vec<&str> = part("SignedHeaders").split(';').collect();
    if !names.contains(&"host") || !names.contains(&"x-amz-date") {
        return Err(refused("The signature does not cover what it has to."));
    }
    let lines: String = names.iter().map(|name| format!("{name}:{}\n", header(name).trim())).collect();
    let path: Vec<String> = asked.path.split('/').map(encoded).collect();
    let canonical = format!(
        "POST\n{}\n\n{lines}\n{}\n{}",
        path.join("/"),
        names.join(";"),
        hex(&Sha256::digest(asked.body))
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{time}\n{day}/{region}/{service}/aws4_request\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let first = keyed(format!("AWS4{SECRET}").as_bytes(), day);
    let key = [*region, *service, "aws4_request"].iter().fold(first, |key, word| keyed(&key, word));
    if hex(&keyed(&key, &to_sign)) != part("Signature") {
        return Err(refused(
            "The request signature we calculated does not match the signature you provided.",
        ));
    }
    Ok(())
}

fn refused(why: &str) -> Fault {
    Fault::new(403, why)
}

fn is_now(time: &str) -> bool {
    let read = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", time).and_then(|read| read.to_datetime());
    let Ok(at) = read.and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC)) else { return false };
    (at.timestamp().as_second() - jiff::Timestamp::now().as_second()).abs() <= SKEW_SECONDS
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    // Any length of key will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The path is encoded once more than it was sent.
fn encoded(segment: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    segment.bytes().fold(String::new(), |out, byte| {
        if plain(byte) {
            out + char::from(byte).encode_utf8(&mut [0; 4])
        } else {
            out + &format!("%{byte:02X}")
        }
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
