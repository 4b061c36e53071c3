//! Caller keys: `ghk_ID_SECRET`. The id is public and found in records; of the whole key only an HMAC under
//! the installation's pepper is kept, so that a stolen database opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_core::call::Caller;
use gatehouse_core::error::{Code, Error};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What every caller key begins with.
pub const PREFIX: &str = "ghk_";
/// Random bytes of the public part.
const ID_BYTES: usize = 6;
/// Random bytes of the secret part.
const SECRET_BYTES: usize = 32;
/// Random bytes that make one key.
pub const ENTROPY_BYTES: usize = ID_BYTES + SECRET_BYTES;

/// The installation's secret under which keys are hashed.
pub struct Pepper(SecretBox<[u8; 32]>);

/// A new key, before it is shown once and forgotten.
#[derive(Debug)]
pub struct Minted {
    /// The public part, `ghk_…` without the secret.
    pub id: String,
    /// The whole key.
    pub key: SecretString,
    /// What is kept.
    pub hash: [u8; 32],
}

/// A key as the gateway knows it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// HMAC-SHA-256 of the whole key.
    pub hash: [u8; 32],
    /// The hash before the last rotation, and until when it is still taken, in Unix seconds.
    pub old: Option<([u8; 32], u64)>,
    /// Whose it is.
    pub caller: Arc<Caller>,
    /// When it ends, in Unix seconds.
    pub expires_at: Option<u64>,
}

/// All keys that are valid or expired; revoked ones are not in here. Built anew at every change.
pub struct Keys {
    pepper: Arc<Pepper>,
    by_id: HashMap<Arc<str>, Arc<Entry>>,
}

// === impl Pepper ===

impl Pepper {
    /// Wraps 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// The hash that is kept of a key.
    #[must_use]
    pub fn hash(&self, key: &SecretString) -> [u8; 32] {
        // HMAC takes keys of any length, so this cannot fail; a zero hash would match nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else { return [0; 32] };
        mac.update(key.expose_secret().as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A secret of its own for a purpose.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else { return [0; 32] };
        // Keys of callers begin otherwise: no hash of one is ever a derived secret.
        mac.update(b"derive\0");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// Makes a key of [`ENTROPY_BYTES`] random bytes.
#[must_use]
pub fn mint(entropy: &[u8; ENTROPY_BYTES], pepper: &Pepper) -> Minted {
    mint_as(PREFIX, entropy, pepper)
}

/// Makes a key that begins so.
pub(crate) fn mint_as(prefix: &str, entropy: &[u8; ENTROPY_BYTES], pepper: &Pepper) -> Minted {
    let (id, secret) = entropy.split_at(ID_BYTES);
    // The id must not hold the separator.
    let id = URL_SAFE_NO_PAD.encode(id).replace(['_', '-'], "x");
    let id = format!("{prefix}{id}");
    let key = SecretString::from(format!("{id}_{}", URL_SAFE_NO_PAD.encode(secret)));
    let hash = pepper.hash(&key);
    Minted { id, key, hash }
}

// === impl Keys ===

impl Keys {
    /// The keys of an installation.
    #[must_use]
    pub fn new(pepper: Arc<Pepper>, entries: impl IntoIterator<Item = Entry>) -> Self {
        let by_id =
            entries.into_iter().map(|entry| (Arc::clone(&entry.caller.key_id), Arc::new(entry))).collect();
        Self { pepper, by_id }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Whether the key of this id is still in force: for streams that outlive a revocation.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// Whose key this is.
    ///
    /// The same work is done for an unknown id as for a wrong secret.
    ///
    /// # Errors
    /// `invalid_api_key` or `key_expired`.
    pub fn authenticate(&self, presented: &SecretString, now: u64) -> Result<Arc<Entry>, Error> {
        let hash = self.pepper.hash(presented);
        let id = presented.expose_secret().strip_prefix(PREFIX).and_then(|rest| {
            let at = rest.find('_')?;
            presented.expose_secret().get(..PREFIX.len() + at)
        });
        let entry = id.and_then(|id| self.by_id.get(id));
        let kept = entry.map_or([0; 32], |entry| entry.hash);
        let old = entry.and_then(|entry| entry.old).filter(|(_, until)| now < *until);
        let is_new = kept.ct_eq(&hash);
        let is_old = old.map_or([0; 32], |(old, _)| old).ct_eq(&hash);
        let same = bool::from(is_new | is_old);
        let Some(entry) = entry.filter(|_| same) else {
            return Err(Error::new(Code::InvalidApiKey, "this caller key is not known here"));
        };
        match entry.expires_at {
            Some(end) if end <= now => Err(Error::new(Code::KeyExpired, "this caller key has expired")),
            _ => Ok(Arc::clone(entry)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTROPY_BYTES, Entry, Keys, Pepper, mint};
    use gatehouse_core::call::{Caller, Scope};
    use gatehouse_core::error::Code;
    use proptest::prelude::*;
    use secrecy::{ExposeSecret, SecretString};
    use std::sync::Arc;

    fn keys(entropy: &[u8; ENTROPY_BYTES], expires_at: Option<u64>) -> (Keys, SecretString) {
        let pepper = Arc::new(Pepper::new([7; 32]));
        let minted = mint(entropy, &pepper);
        let caller = Caller {
            key_id: minted.id.as_str().into(),
            key_name: "k".into(),
            models: [].into(),
            bound: Scope::default(),
        };
        let entry = Entry { hash: minted.hash, old: None, caller: Arc::new(caller), expires_at };
        (Keys::new(pepper, [entry]), minted.key)
    }

    proptest! {
        /// The key opens, and no key that differs in one character does.
        #[test]
        fn only_the_key_itself_opens(entropy in any::<[u8; ENTROPY_BYTES]>(), at in 0usize..55) {
            let (keys, key) = keys(&entropy, None);
            prop_assert!(keys.authenticate(&key, 0).is_ok());
            let mut other = key.expose_secret().to_owned().into_bytes();
            let at = at % other.len();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = SecretString::from(String::from_utf8(other).unwrap());
            let refused = keys.authenticate(&other, 0).map_err(|error| error.code);
            prop_assert_eq!(refused.map(|_| ()), Err(Code::InvalidApiKey));
        }
    }

    #[test]
    fn a_key_ends_when_its_time_is_over_and_does_not_print() {
        let (keys, key) = keys(&[1; ENTROPY_BYTES], Some(100));
        assert!(keys.authenticate(&key, 99).is_ok());
        assert_eq!(keys.authenticate(&key, 100).unwrap_err().code, Code::KeyExpired);
        assert!(!format!("{key:?}").contains("ghk_"));
    }
}
