//! What a leaf commits to, and how its texts are sealed beside it.
//!
//! The commitment to a body is `SHA-256(salt ‖ SHA-256(body))`. Whoever is given the salt and the body can check it;
//! without the salt it says nothing, not even of a body that could be guessed. Salts, and the keys that seal texts, are
//! made of the key of the call's subject, so that all of them are gone with it.

use crate::naming;
use crate::subjects::{CallKey, Subject, Subjects};
use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use gatehouse_core::call::Scope;
use gatehouse_core::record::{Payload, Settled};
use sha2::{Digest, Sha256};
use std::io;

/// How many bodies of one call are kept.
pub const PAYLOADS_MAX: usize = 4;
/// The longest text that is kept beside a leaf; of a longer one only the digest is.
pub const CONTENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a leaf says of its bodies, and the texts that stand beside it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commitments {
    /// Whose key it is.
    pub(crate) subject: Option<Subject>,
    /// The sealed name of the end user, when there is one.
    pub(crate) user: Option<String>,
    /// In the order of the payload entries.
    pub(crate) bodies: Vec<Body>,
}

/// One body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    /// The commitment, where the policy has one.
    pub(crate) commit: Option<[u8; 32]>,
    /// The SHA-256 of the body: never written, and needed again when the leaf has to wait.
    pub(crate) digest: Option<[u8; 32]>,
    /// The sealed text, where it is kept, and its SHA-256.
    pub(crate) sealed: Option<(Vec<u8>, [u8; 32])>,
}

/// The commitments of the last leaf of a call.
///
/// # Errors
/// When a key cannot be had.
pub(crate) fn commit(settled: &Settled, subjects: &Subjects) -> io::Result<Commitments> {
    let digests: Vec<_> = settled.payload.iter().take(PAYLOADS_MAX).map(digest).collect();
    let name = &settled.scope.user;
    if name.is_empty() && digests.iter().all(Option::is_none) {
        let bodies = vec![Body::default(); digests.len()];
        return Ok(Commitments { bodies, ..Commitments::default() });
    }
    let (subject, key) = subjects.of(&settled.scope)?;
    let user = (!name.is_empty()).then(|| naming::seal(&key, name)).transpose()?;
    let call = key.of_call(&settled.call.to_string());
    let bodies = settled.payload.iter().zip(digests).map(|(payload, digest)| {
        let role = payload.role.as_str();
        let commit = digest.map(|digest| commitment(&salt(&call, role), &digest));
        let sealed = match stored(payload) {
            Some(text) => Some(seal(&call, role, text.as_bytes())?),
            None => None,
        };
        Ok(Body { commit, digest, sealed })
    });
    Ok(Commitments { subject: Some(subject), user, bodies: bodies.collect::<io::Result<_>>()? })
}

/// What the first leaf of a call says of its end user.
///
/// # Errors
/// When a key cannot be had.
pub(crate) fn commit_name(scope: &Scope, subjects: &Subjects) -> io::Result<Commitments> {
    if scope.user.is_empty() {
        return Ok(Commitments::default());
    }
    let (subject, key) = subjects.of(scope)?;
    let user = naming::seal(&key, &scope.user)?;
    Ok(Commitments { subject: Some(subject), user: Some(user), bodies: Vec::new() })
}

fn digest(payload: &Payload) -> Option<[u8; 32]> {
    payload.sha256.or_else(|| payload.text.as_ref().map(|text| Sha256::digest(text.as_bytes()).into()))
}

fn stored(payload: &Payload) -> Option<&str> {
    payload.text.as_deref().filter(|text| text.len() <= CONTENT_BYTES_MAX)
}

/// The commitment to a body of this digest.
pub(crate) fn commitment(salt: &[u8; 32], digest: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(digest).finalize().into()
}

/// The salt of the commitment to one body of a call.
pub(crate) fn salt(call: &CallKey, role: &str) -> [u8; 32] {
    call.derive("salt", role)
}

/// A text as it stands beside the leaf, and its SHA-256. Its key seals nothing else, so the nonce may be zero.
fn seal(call: &CallKey, role: &str, text: &[u8]) -> io::Result<(Vec<u8>, [u8; 32])> {
    let mut bytes = text.to_vec();
    let sealed = call
        .sealing(role)
        .and_then(|key| key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes).ok());
    sealed.ok_or_else(|| io::Error::other("a text cannot be sealed"))?;
    let digest = Sha256::digest(&bytes).into();
    Ok((bytes, digest))
}

/// The text again; `None` when it was changed, or sealed under another key.
pub(crate) fn open(call: &CallKey, role: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = sealed.to_vec();
    let opened = call.sealing(role)?.open_in_place(nonce(), Aad::empty(), &mut bytes).ok()?.len();
    bytes.truncate(opened);
    Some(bytes)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}
