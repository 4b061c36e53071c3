//! Time stamps: somebody else's word that something was there at a time. RFC 3161, in CMS (RFC 5652).
//!
//! Here is what such a token says, and that it hangs together: that it is of these bytes, and which bytes its signer has
//! signed. Whether that signature is one of a trusted certificate needs RSA and X.509, which whoever calls brings along.

use crate::der::{Reader, tag, write};
use crate::leaf::micros;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use thiserror::Error;

/// The largest answer that is read.
pub const STAMP_BYTES_MAX: usize = 64 * 1024;
/// How many certificates a token may bring along.
const CERTIFICATES_MAX: usize = 16;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 8;

/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
/// 1.2.840.113549.1.9.16.1.4
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
/// 1.2.840.113549.1.9.3
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
/// 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
/// 1.2.840.113549.1.9.16.2.47
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47];
/// 2.16.840.1.101.3.4.2.1, and .2 and .3 beside it.
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA_384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
const SHA_512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
/// What all of 1.2.840.113549.1.1 begin with: 1 is RSA, 11 to 13 are RSA with one of the digests.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
/// What all of 1.2.840.10045.4.3 begin with: 2 to 4 are ECDSA with one of the digests.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3];

/// Why something is no time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is no time stamp: {0}")]
pub struct StampError(&'static str);

/// A digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5.
    Rsa(Digest),
    /// ECDSA.
    Ecdsa(Digest),
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// When, in Unix seconds.
    pub at: u64,
    imprint: Vec<u8>,
    imprint_digest: Digest,
    nonce: Option<Vec<u8>>,
    /// How it is signed.
    pub algorithm: Algorithm,
    /// What is signed.
    pub signed: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// Certificates that came along, in DER.
    pub certificates: Vec<Vec<u8>>,
    signer: Signer,
}

/// What says which certificate is the signer's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signer {
    /// Issuer and serial number; absent where the key is named otherwise.
    issued: Option<(Vec<u8>, Vec<u8>)>,
    /// The digest of the certificate, which is signed too.
    digest: Option<(Digest, Vec<u8>)>,
}

// === impl Digest ===

impl Digest {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// The digest of an algorithm identifier.
    fn read(mut identifier: Reader<'_>) -> Option<Self> {
        match identifier.take(tag::OID)? {
            SHA_256 => Some(Self::Sha256),
            SHA_384 => Some(Self::Sha384),
            SHA_512 => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// What is asked: that these bytes were there. The answer has to have the nonce in it, and the certificate.
#[must_use]
pub fn request(message: &[u8], nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
    let algorithm = write(tag::SEQUENCE, &[write(tag::OID, SHA_256), vec![0x05, 0x00]].concat());
    let imprint = [algorithm, write(tag::OCTETS, &Digest::Sha256.of(message))].concat();
    let parts = [
        write(tag::INTEGER, &[1]),
        write(tag::SEQUENCE, &imprint),
        write(tag::INTEGER, &positive(nonce)),
        // certReq
        vec![0x01, 0x01, 0xff],
    ];
    write(tag::SEQUENCE, &parts.concat())
}

/// A nonce as an integer that needs all of its bytes.
fn positive([first, rest @ ..]: [u8; NONCE_BYTES]) -> Vec<u8> {
    [&[first & 0x3f | 0x40], rest.as_slice()].concat()
}

// === impl Token ===

impl Token {
    /// Reads the answer to a request, or the file in which it is kept.
    ///
    /// # Errors
    /// Everything that is no token, or one that does not hang together: its signer did not sign what it says.
    pub fn parse(answer: &[u8]) -> Result<Self, StampError> {
        if answer.len() > STAMP_BYTES_MAX {
            return Err(StampError("it is too long"));
        }
        let mut answer = Reader::new(answer);
        let mut parts = answer.open(tag::SEQUENCE).ok_or(StampError("it does not read"))?;
        let mut status = parts.open(tag::SEQUENCE).ok_or(StampError("it has no status"))?;
        // Granted, or granted with modifications.
        if !matches!(status.take(tag::INTEGER), Some([0 | 1])) {
            return Err(StampError("it was not granted"));
        }
        if !answer.is_empty() {
            return Err(StampError("something stands behind it"));
        }
        token(parts)
    }

    /// Whether it is of these bytes.
    #[must_use]
    pub fn is_of(&self, message: &[u8]) -> bool {
        self.imprint_digest.of(message) == self.imprint
    }

    /// Whether it answers a request with this nonce.
    #[must_use]
    pub fn answers(&self, nonce: [u8; NONCE_BYTES]) -> bool {
        self.nonce.as_ref() == Some(&positive(nonce))
    }

    /// Whether a certificate is the one that it says it is signed with.
    #[must_use]
    pub fn is_signers(&self, certificate: &[u8]) -> bool {
        let named = self.signer.issued.as_ref();
        let issued = named.is_none_or(|named| issued(certificate).as_ref() == Some(named));
        let bound = self.signer.digest.as_ref();
        issued && bound.is_none_or(|(digest, wanted)| digest.of(certificate) == *wanted)
    }
}

/// ContentInfo with SignedData with TSTInfo.
fn token(mut answer: Reader<'_>) -> Result<Token, StampError> {
    let odd = StampError("its structure is not that of a token");
    let mut info = answer.open(tag::SEQUENCE).ok_or(StampError("there is no token in it"))?;
    if info.take(tag::OID) != Some(SIGNED_DATA) {
        return Err(StampError("the token is not signed data"));
    }
    let mut data = info.open(tag::CONTEXT_0).and_then(|mut inner| inner.open(tag::SEQUENCE)).ok_or(odd)?;
    data.take(tag::INTEGER).ok_or(odd)?;
    data.take(tag::SET).ok_or(odd)?;
    let mut content = data.open(tag::SEQUENCE).ok_or(odd)?;
    if content.take(tag::OID) != Some(TST_INFO) {
        return Err(StampError("what is signed is no time stamp"));
    }
    let text = content.open(tag::CONTEXT_0).and_then(|mut inner| inner.take(tag::OCTETS)).ok_or(odd)?;
    let mut certificates = Vec::new();
    if let Some(all) = data.optional(tag::CONTEXT_0) {
        let mut all = Reader::new(all.contents);
        while let Some(one) = all.next() {
            certificates.push(one.whole.to_vec());
        }
        if !all.is_empty() || certificates.len() > CERTIFICATES_MAX {
            return Err(StampError("its certificates do not read"));
        }
    }
    // Lists of what was revoked.
    data.optional(tag::CONTEXT_1);
    let mut signers = data.open(tag::SET).ok_or(odd)?;
    let signer = signers.open(tag::SEQUENCE).ok_or(odd)?;
    if !signers.is_empty() {
        return Err(StampError("it has more than one signer"));
    }
    let (imprint_digest, imprint, at, nonce) = says(text).ok_or(StampError("what it says does not read"))?;
    let (algorithm, signed, signature, signer) = signer_info(signer, text)?;
    Ok(Token { at, imprint, imprint_digest, nonce, algorithm, signed, signature, certificates, signer })
}

/// What a TSTInfo says: of what, when, and the nonce.
#[allow(clippy::type_complexity, reason = "taken apart where it is called")]
fn says(text: &[u8]) -> Option<(Digest, Vec<u8>, u64, Option<Vec<u8>>)> {
    let mut says = Reader::new(text).open(tag::SEQUENCE)?;
    (says.take(tag::INTEGER)? == [1]).then_some(())?;
    says.take(tag::OID)?;
    let mut imprint = says.open(tag::SEQUENCE)?;
    let digest = Digest::read(imprint.open(tag::SEQUENCE)?)?;
    let imprint = imprint.take(tag::OCTETS)?;
    says.take(tag::INTEGER)?;
    let at = unix(std::str::from_utf8(says.take(tag::TIME)?).ok()?)?;
    // Accuracy, and whether stamps are ordered.
    says.optional(tag::SEQUENCE);
    says.optional(0x01);
    let nonce = says.optional(tag::INTEGER).map(|nonce| nonce.contents.to_vec());
    Some((digest, imprint.to_vec(), at, nonce))
}

/// What the signer signed, and how. The attributes that are signed have to be of this text.
fn signer_info(
    mut info: Reader<'_>,
    text: &[u8],
) -> Result<(Algorithm, Vec<u8>, Vec<u8>, Signer), StampError> {
    let odd = StampError("its signature does not read");
    info.take(tag::INTEGER).ok_or(odd)?;
    let named = info.next().ok_or(odd)?;
    let issued = (named.tag == tag::SEQUENCE)
        .then(|| {
            let mut named = Reader::new(named.contents);
            let issuer = named.take(tag::SEQUENCE)?;
            Some((issuer.to_vec(), named.take(tag::INTEGER)?.to_vec()))
        })
        .flatten();
    let digest = info.open(tag::SEQUENCE).and_then(Digest::read);
    let digest = digest.ok_or(StampError("its digest is none of SHA-256, SHA-384 and SHA-512"))?;
    let attributes = info.optional(tag::CONTEXT_0).ok_or(odd)?;
    let algorithm =
        info.open(tag::SEQUENCE).and_then(|mut identifier| identifier.take(tag::OID)).ok_or(odd)?;
    let algorithm =
        algorithm_of(algorithm, digest).ok_or(StampError("it is signed by neither RSA nor ECDSA"))?;
    let signature = info.take(tag::OCTETS).ok_or(odd)?;
    if attribute(attributes.contents, CONTENT_TYPE).and_then(|mut value| value.take(tag::OID))
        != Some(TST_INFO)
    {
        return Err(StampError("its signer did not sign a time stamp"));
    }
    let signed = attribute(attributes.contents, MESSAGE_DIGEST).and_then(|mut value| value.take(tag::OCTETS));
    if signed != Some(digest.of(text).as_slice()) {
        return Err(StampError("its signer signed something else than it says"));
    }
    let bound = match attribute(attributes.contents, SIGNING_CERTIFICATE_V2) {
        Some(value) => Some(certificate_digest(value).ok_or(odd)?),
        None => None,
    };
    // The signature is over the attributes as a set, whatever tag they have where they stand.
    let mut over = attributes.whole.to_vec();
    over.first_mut().into_iter().for_each(|first| *first = tag::SET);
    Ok((algorithm, over, signature.to_vec(), Signer { issued, digest: bound }))
}

/// The one value of an attribute.
fn attribute<'a>(attributes: &'a [u8], wanted: &[u8]) -> Option<Reader<'a>> {
    let mut all = Reader::new(attributes);
    while let Some(one) = all.next() {
        let mut one = Reader::new(one.contents);
        if one.take(tag::OID) == Some(wanted) {
            return one.open(tag::SET);
        }
    }
    None
}

/// The first certificate of a SigningCertificateV2: the signer's.
fn certificate_digest(mut value: Reader<'_>) -> Option<(Digest, Vec<u8>)> {
    let mut first = value.open(tag::SEQUENCE)?.open(tag::SEQUENCE)?.open(tag::SEQUENCE)?;
    let digest = match first.optional(tag::SEQUENCE) {
        Some(identifier) => Digest::read(Reader::new(identifier.contents))?,
        None => Digest::Sha256,
    };
    Some((digest, first.take(tag::OCTETS)?.to_vec()))
}

fn algorithm_of(oid: &[u8], digest: Digest) -> Option<Algorithm> {
    let (last, family) = oid.split_last()?;
    match (family, *last) {
        (RSA, 1) => Some(Algorithm::Rsa(digest)),
        (RSA, 11) => Some(Algorithm::Rsa(Digest::Sha256)),
        (RSA, 12) => Some(Algorithm::Rsa(Digest::Sha384)),
        (RSA, 13) => Some(Algorithm::Rsa(Digest::Sha512)),
        (ECDSA, 2) => Some(Algorithm::Ecdsa(Digest::Sha256)),
        (ECDSA, 3) => Some(Algorithm::Ecdsa(Digest::Sha384)),
        (ECDSA, 4) => Some(Algorithm::Ecdsa(Digest::Sha512)),
        _ => None,
    }
}

/// Issuer and serial number of a certificate.
fn issued(certificate: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut body = Reader::new(certificate).open(tag::SEQUENCE)?.open(tag::SEQUENCE)?;
    body.optional(tag::CONTEXT_0);
    let serial = body.take(tag::INTEGER)?;
    body.take(tag::SEQUENCE)?;
    let issuer = body.take(tag::SEQUENCE)?;
    Some((issuer.to_vec(), serial.to_vec()))
}

/// The Unix second of a GeneralizedTime in UTC, such as `20261124113258Z`; fractions of seconds are dropped.
fn unix(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('Z')?;
    let whole = digits.split('.').next()?;
    if whole.len() != "20261124113258".len() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| whole.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    Some(micros(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}.000000Z"))? / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::{NONCE_BYTES, Token, request, unix};
    use proptest::prelude::*;

    #[test]
    fn a_request_is_what_others_write() {
        // As of `openssl ts -query -sha256 -cert`, with another nonce.
        let written = request(b"", [0xff; NONCE_BYTES]);
        let expected = [
            "3043020101",
            "3031300d060960864801650304020105000420",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "02087fffffffffffffff",
            "0101ff",
        ];
        let hex: String = written.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected.concat());
    }

    #[test]
    fn times_are_read() {
        assert_eq!(unix("20261124113258Z"), Some(1_795_519_978));
        assert_eq!(unix("20261124113258.25Z"), Some(1_795_519_978));
        for no in ["20261124113258", "2026112411325Z", "20261124113258+0100", "20261324113258Z", ""] {
            assert_eq!(unix(no), None, "{no}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = Token::parse(&bytes);
        }
    }
}
