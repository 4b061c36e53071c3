//! Whether a time stamp is signed by somebody trusted: a certificate of the configuration, or one that it vouches for.

use gatehouse_proof::report::Verdict;
use gatehouse_proof::stamp::{Algorithm, Digest, Token};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use std::path::Path;
use std::time::Duration;
use webpki::aws_lc_rs as algorithms;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// The purpose of a certificate that signs time stamps: 1.3.6.1.5.5.7.3.8.
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
/// How many certificates a file may hold.
const CERTIFICATES_MAX: usize = 32;

const RSA_256: &[&dyn SignatureVerificationAlgorithm] = &[algorithms::RSA_PKCS1_2048_8192_SHA256];
const RSA_384: &[&dyn SignatureVerificationAlgorithm] = &[algorithms::RSA_PKCS1_2048_8192_SHA384];
const RSA_512: &[&dyn SignatureVerificationAlgorithm] = &[algorithms::RSA_PKCS1_2048_8192_SHA512];
const ECDSA_256: &[&dyn SignatureVerificationAlgorithm] =
    &[algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA256, algorithms::ECDSA_P521_SHA256];
const ECDSA_384: &[&dyn SignatureVerificationAlgorithm] =
    &[algorithms::ECDSA_P256_SHA384, algorithms::ECDSA_P384_SHA384, algorithms::ECDSA_P521_SHA384];
const ECDSA_512: &[&dyn SignatureVerificationAlgorithm] =
    &[algorithms::ECDSA_P256_SHA512, algorithms::ECDSA_P384_SHA512, algorithms::ECDSA_P521_SHA512];

/// Certificates that are trusted for time stamps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates(Vec<CertificateDer<'static>>);

// === impl Certificates ===

impl Certificates {
    /// Reads those of a PEM file.
    ///
    /// # Errors
    /// When it cannot be read, or holds none, or one that does not read.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| format!("{} cannot be read: {error}", path.display()));
        let all: Vec<CertificateDer<'static>> = all?;
        if all.is_empty() || all.len() > CERTIFICATES_MAX {
            return Err(format!("{} holds no certificate, or too many", path.display()));
        }
        if let Some(error) = all.iter().find_map(|one| EndEntityCert::try_from(one).err()) {
            return Err(format!("{} holds a certificate that does not read: {error}", path.display()));
        }
        Ok(Self(all))
    }

    /// All of several.
    pub(crate) fn joined(all: impl Iterator<Item = Self>) -> Self {
        Self(all.flat_map(|one| one.0).collect())
    }

    /// Whether a token is signed by one of these, or by one that these vouch for.
    ///
    /// # Errors
    /// What it is then, and why.
    pub(crate) fn signed(&self, token: &Token) -> Result<(), (Verdict, String)> {
        let brought: Vec<CertificateDer<'_>> =
            token.certificates.iter().map(|one| CertificateDer::from(one.as_slice())).collect();
        let signers = brought.iter().chain(&self.0).filter(|one| token.is_signers(one));
        let mut why = (Verdict::Unverifiable, "the certificate that signed it is not known".to_owned());
        for certificate in signers {
            let Ok(signer) = EndEntityCert::try_from(certificate) else { continue };
            let fits = |way: &&&dyn SignatureVerificationAlgorithm| {
                signer.verify_signature(**way, &token.signed, &token.signature).is_ok()
            };
            if !ways(token.algorithm).iter().any(|way| fits(&way)) {
                why = (Verdict::Tampered, "its signature does not fit".to_owned());
                continue;
            }
            match self.vouch(certificate, &signer, &brought, token.at) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let says =
                        format!("no certificate that is trusted for it vouches for its signer: {error}");
                    why = (Verdict::Unverifiable, says);
                }
            }
        }
        Err(why)
    }

    /// Whether a certificate is one of these, or one that they vouched for at that time, for this purpose.
    fn vouch(
        &self,
        certificate: &CertificateDer<'_>,
        signer: &EndEntityCert<'_>,
        brought: &[CertificateDer<'_>],
        at: u64,
    ) -> Result<(), String> {
        if self.0.iter().any(|known| known.as_ref() == certificate.as_ref()) {
            return Ok(());
        }
        let roots: Vec<_> = self.0.iter().filter_map(|one| anchor_from_trusted_cert(one).ok()).collect();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
        let purpose = KeyUsage::required(TIME_STAMPING);
        let path = signer.verify_for_usage(ALL_VERIFICATION_ALGS, &roots, brought, at, purpose, None, None);
        path.map(|_| ()).map_err(|error| error.to_string())
    }
}

fn ways(algorithm: Algorithm) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    match algorithm {
        Algorithm::Rsa(Digest::Sha256) => RSA_256,
        Algorithm::Rsa(Digest::Sha384) => RSA_384,
        Algorithm::Rsa(Digest::Sha512) => RSA_512,
        Algorithm::Ecdsa(Digest::Sha256) => ECDSA_256,
        Algorithm::Ecdsa(Digest::Sha384) => ECDSA_384,
        Algorithm::Ecdsa(Digest::Sha512) => ECDSA_512,
    }
}

#[cfg(test)]
mod tests {
    use super::Certificates;
    use gatehouse_proof::report::Verdict;
    use gatehouse_proof::stamp::Token;
    use std::path::PathBuf;

    /// What `openssl ts` made of `note`, and certificates.
    fn file(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stamps").join(name)
    }

    fn bytes(name: &str) -> Vec<u8> {
        std::fs::read(file(name)).unwrap()
    }

    fn trusting(name: &str) -> Certificates {
        Certificates::read(&file(name)).unwrap()
    }

    #[test]
    fn time_stamps_of_another_program_are_checked() {
        for (name, certificate) in [("rsa.tsr", "rsa.pem"), ("ec.tsr", "ec.pem")] {
            let token = Token::parse(&bytes(name)).unwrap();
            assert!(token.is_of(&bytes("note")) && !token.is_of(b"another"), "{name}");
            assert_eq!(token.at / 1_000_000, 1_795, "{name}");
            // By itself, and by whom it was issued.
            for trusted in [certificate, "ca.pem"] {
                assert_eq!(trusting(trusted).signed(&token), Ok(()), "{name} {trusted}");
            }
            for stranger in ["other.pem", "web.pem"] {
                let (verdict, why) = trusting(stranger).signed(&token).unwrap_err();
                assert_eq!(verdict, Verdict::Unverifiable, "{name} {stranger}: {why}");
            }
        }
    }

    #[test]
    fn no_bit_of_what_is_signed_can_be_turned() {
        for name in ["rsa.tsr", "ec.tsr"] {
            let (whole, note) = (bytes(name), bytes("note"));
            let (good, trusted) = (Token::parse(&whole).unwrap(), trusting("ca.pem"));
            let mut unseen = 0;
            for at in 0..whole.len() {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                let Ok(token) = Token::parse(&bytes) else { continue };
                if token.is_of(&note) && trusted.signed(&token).is_ok() {
                    // What may be turned says nothing: it is outside of what is signed.
                    assert_eq!((token.at, &token.signed), (good.at, &good.signed), "{name} {at}");
                    unseen += 1;
                }
            }
            assert!(unseen < 40, "{unseen} in {name}");
        }
    }

    #[test]
    fn what_holds_no_certificate_is_refused() {
        for no in ["note", "ec.key", "nothing"] {
            assert!(Certificates::read(&file(no)).is_err(), "{no}");
        }
    }
}
