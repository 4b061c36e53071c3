//! An authority that tells the time (RFC 3161), in this process: the smallest that signs.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47];
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const ECDSA_WITH_SHA_256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

/// The path of a file of keys, certificates and time stamps.
pub(crate) fn file(name: &str) -> String {
    format!("{}/tests/stamps/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Answers a request as this signer: `ec`, or `web`, whose certificate is not one for time stamps.
pub(crate) fn stamp(request: &[u8], signer: &str) -> Vec<u8> {
    // A request of ours has one form: the digest and the nonce are where they always are.
    let (digest, nonce) = (&request[24..56], &request[58..66]);
    let certificate = CertificateDer::from_pem_file(file(&format!("{signer}.pem"))).unwrap();
    let algorithm = |oid: &[u8]| all(0x30, &[der(6, oid)]);
    let imprint = all(0x30, &[algorithm(SHA_256), der(4, digest)]);
    let info = all(
        0x30,
        &[
            der(2, &[1]),
            der(6, &[0x2a, 3, 4]),
            imprint,
            der(2, &[7]),
            der(0x18, now().as_bytes()),
            der(2, nonce),
        ],
    );
    let attribute = |oid: &[u8], value: Vec<u8>| all(0x30, &[der(6, oid), all(0x31, &[value])]);
    let bound = all(0x30, &[all(0x30, &[all(0x30, &[der(4, Sha256::digest(&certificate).as_slice())])])]);
    let attributes = [
        attribute(CONTENT_TYPE, der(6, TST_INFO)),
        attribute(MESSAGE_DIGEST, der(4, Sha256::digest(&info).as_slice())),
        attribute(SIGNING_CERTIFICATE_V2, bound),
    ]
    .concat();
    let signature = sign(signer, &der(0x31, &attributes));
    let signer_info = all(
        0x30,
        &[
            der(2, &[1]),
            issued(&certificate),
            algorithm(SHA_256),
            der(0xa0, &attributes),
            algorithm(if signer == "ec" { ECDSA_WITH_SHA_256 } else { RSA }),
            der(4, &signature),
        ],
    );
    let content = all(0x30, &[der(6, TST_INFO), all(0xa0, &[der(4, &info)])]);
    let data = all(
        0x30,
        &[
            der(2, &[3]),
            all(0x31, &[algorithm(SHA_256)]),
            content,
            der(0xa0, &certificate),
            der(0x31, &signer_info),
        ],
    );
    let token = all(0x30, &[der(6, SIGNED_DATA), der(0xa0, &data)]);
    all(0x30, &[all(0x30, &[der(2, &[0])]), token])
}

fn sign(signer: &str, message: &[u8]) -> Vec<u8> {
    let key = PrivatePkcs8KeyDer::from_pem_file(file(&format!("{signer}.key"))).unwrap();
    let (key, random) = (key.secret_pkcs8_der(), SystemRandom::new());
    if signer == "ec" {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key).unwrap();
        return key.sign(&random, message).unwrap().as_ref().to_vec();
    }
    let key = RsaKeyPair::from_pkcs8(key).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
    signature
}

/// Issuer and serial number of a certificate: the third and the first member of its body, behind the version.
fn issued(certificate: &[u8]) -> Vec<u8> {
    let inside = |value: &[u8]| {
        let length = if value[1] < 0x80 { 0 } else { usize::from(value[1] & 0x7f) };
        value[2 + length..].to_vec()
    };
    let body = inside(&inside(certificate));
    let (_, rest) = split(&body);
    let (serial, rest) = split(rest);
    let (_, rest) = split(rest);
    let (issuer, _) = split(rest);
    der(0x30, &[issuer, serial].concat())
}

/// The first value, and what stands behind it.
fn split(values: &[u8]) -> (&[u8], &[u8]) {
    let (head, length) = match values[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(values[2])),
        _ => (4, usize::from(values[2]) << 8 | usize::from(values[3])),
    };
    values.split_at(head + length)
}

fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let text = gatehouse_audit::rfc3339(seconds * 1_000_000);
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{digits}Z")
}

/// A value of DER.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let head = match contents.len() {
        0..=0x7f => vec![tag, length[1]],
        0x80..=0xff => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [&head, contents].concat()
}

/// A value of values.
fn all(tag: u8, values: &[Vec<u8>]) -> Vec<u8> {
    der(tag, &values.concat())
}
