//! Ids that need no table: what a caller is given for something that is kept (a response, a file, a batch) is an
//! envelope that holds where it is kept, sealed under the installation's secret for one tenant.
//!
//! Any replica opens it. Whoever it was not made for holds noise: to open it needs the tenant, so that there is
//! nothing to compare and one answer for what is foreign, forged, damaged or over.
//!
//! AES-256-GCM-SIV (RFC 8452), which forgives a nonce that comes twice.

use crate::key::Pepper;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatehouse_core::call::Caller;
use gatehouse_core::error::{Code, Error};

/// Random bytes that sealing something takes.
pub const NONCE_BYTES: usize = NONCE_LEN;
/// The longest id that is looked at: an upstream id with its wrapping, and room.
const ID_CHARS_MAX: usize = 1024;
/// What comes before the ciphertext: the version of the key, and the nonce.
const HEAD_BYTES: usize = 1 + NONCE_BYTES;

/// What an id is of. The prefix is that of OpenAI's own ids, which some clients look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An answer that is kept (`resp_`).
    Response,
    /// A file at a provider (`file-`).
    File,
    /// A batch at a provider (`batch_`).
    Batch,
}

/// Whose something is: an application of a team, or a key that is bound to no application.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant(String);

/// Where something is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The provider, as the configuration names it; empty for what this gateway keeps itself.
    pub provider: String,
    /// The deployment there, where it matters.
    pub deployment: String,
    /// The id there.
    pub upstream: String,
    /// When the id ends, in Unix seconds.
    pub expires_at: u64,
}

/// Seals and opens, under keys made of the installation's secret.
#[derive(Debug)]
pub struct Seals {
    /// By version, the first being version 1. The last one seals, all open.
    keys: Vec<LessSafeKey>,
}

// === impl Kind ===

impl Kind {
    /// What ids of this kind begin with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Response => "resp_",
            Self::File => "file-",
            Self::Batch => "batch_",
        }
    }

    /// The error for an id that opens nothing, whyever: the same words for all of them.
    #[must_use]
    pub fn not_found(self) -> Error {
        let what = match self {
            Self::Response => "response",
            Self::File => "file",
            Self::Batch => "batch",
        };
        Error::new(Code::NotFound, format!("there is no {what} with this id"))
    }
}

// === impl Tenant ===

impl Tenant {
    /// Whose the things of this caller are. Keys of one application share them, so that a key can be replaced; a
    /// key of no application has its own.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        let bound = &caller.bound;
        let (kind, own) = if bound.app.is_empty() { ("key", &caller.key_id) } else { ("app", &bound.app) };
        // Lengths, so that no two ways of cutting are one tenant.
        let part = |text: &str| format!("{}:{text}", text.len());
        Self(format!("{kind}\0{}{}{}", part(&bound.org), part(&bound.team), part(own)))
    }

    /// A name to keep it under in a table: equal for equal tenants.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads back what [`Tenant::as_str`] gave.
    #[must_use]
    pub fn from_kept(text: &str) -> Self {
        Self(text.to_owned())
    }
}

// === impl Seals ===

impl Seals {
    /// The keys of the versions up to `current`, all made of one secret.
    ///
    /// # Panics
    /// Never: the keys have the length that the algorithm takes.
    #[must_use]
    pub fn new(pepper: &Pepper, current: u8) -> Self {
        let key = |version| {
            let bytes = pepper.derive(&format!("gatehouse sealed id {version}"));
            UnboundKey::new(&AES_256_GCM_SIV, &bytes).ok().map(LessSafeKey::new)
        };
        Self { keys: (1..=current.max(1)).filter_map(key).collect() }
    }

    /// The id for something of a tenant's.
    ///
    /// # Errors
    /// `internal`, should the algorithm fail.
    pub fn seal(
        &self,
        kind: Kind,
        tenant: &Tenant,
        envelope: &Envelope,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<String, Error> {
        let mut body = envelope.expires_at.to_be_bytes().to_vec();
        for part in [&envelope.provider, &envelope.deployment] {
            let length = u8::try_from(part.len()).map_err(|_| broken())?;
            body.push(length);
            body.extend_from_slice(part.as_bytes());
        }
        body.extend_from_slice(envelope.upstream.as_bytes());
        let sealed = self.seal_bytes(&bound_to(kind, tenant), body, nonce)?;
        Ok(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// What an id of a tenant's holds.
    ///
    /// # Errors
    /// `not_found`, the same for what is foreign, forged, damaged or over.
    pub fn open(&self, kind: Kind, tenant: &Tenant, id: &str, now: u64) -> Result<Envelope, Error> {
        let opened = || {
            let text = id.strip_prefix(kind.prefix()).filter(|text| text.len() <= ID_CHARS_MAX)?;
            let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
            let body = self.open_bytes(&bound_to(kind, tenant), sealed)?;
            let (time, rest) = body.split_first_chunk::<8>()?;
            let (provider, rest) = part(rest)?;
            let (deployment, rest) = part(rest)?;
            let upstream = String::from_utf8(rest.to_vec()).ok()?;
            Some(Envelope { provider, deployment, upstream, expires_at: u64::from_be_bytes(*time) })
        };
        opened().filter(|envelope| now < envelope.expires_at).ok_or_else(|| kind.not_found())
    }

    /// Seals any bytes, bound to what they belong to: the version of the key, the nonce, the ciphertext.
    ///
    /// # Errors
    /// `internal`, should the algorithm fail.
    pub fn seal_bytes(
        &self,
        bound_to: &[u8],
        mut body: Vec<u8>,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, Error> {
        let key = self.keys.last().ok_or_else(broken)?;
        let version = u8::try_from(self.keys.len()).map_err(|_| broken())?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), &mut body)
            .map_err(|_| broken())?;
        Ok([&[version], nonce.as_slice(), &body].concat())
    }

    /// Opens what [`Seals::seal_bytes`] sealed; `None` for anything else.
    #[must_use]
    pub fn open_bytes(&self, bound_to: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        if sealed.len() < HEAD_BYTES {
            return None;
        }
        let mut body = sealed.split_off(HEAD_BYTES);
        let (version, nonce) = sealed.split_first()?;
        let key = self.keys.get(usize::from(*version).checked_sub(1)?)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = key.open_in_place(nonce, Aad::from(bound_to), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

fn bound_to(kind: Kind, tenant: &Tenant) -> Vec<u8> {
    [kind.prefix().as_bytes(), b"\0", tenant.0.as_bytes()].concat()
}

/// A text behind its length.
fn part(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((String::from_utf8(text.to_vec()).ok()?, rest))
}

fn broken() -> Error {
    Error::new(Code::Internal, "an id cannot be sealed")
}

#[cfg(test)]
mod tests {
    use super::{Envelope, Kind, NONCE_BYTES, Seals, Tenant};
    use crate::key::Pepper;
    use gatehouse_core::call::{Caller, Scope};
    use proptest::prelude::*;

    fn tenant(org: &str, team: &str, app: &str, key: &str) -> Tenant {
        let bound = Scope { org: org.into(), team: team.into(), app: app.into(), ..Scope::default() };
        Tenant::of(&Caller { key_id: key.into(), key_name: "n".into(), models: [].into(), bound })
    }

    fn envelope() -> Envelope {
        Envelope {
            provider: "azure-eu".to_owned(),
            deployment: "gpt".to_owned(),
            upstream: "resp_abc".to_owned(),
            expires_at: 100,
        }
    }

    proptest! {
        /// Who it was made for reads what was put in; a change of one bit, another tenant, another kind or
        /// the end of its time open nothing, and in the same words.
        #[test]
        fn an_id_opens_for_its_tenant_alone(
            provider in "[a-z0-9-]{0,20}", deployment in ".{0,20}", upstream in ".{0,60}",
            nonce in any::<[u8; NONCE_BYTES]>(), at in any::<prop::sample::Index>(),
        ) {
            let seals = Seals::new(&Pepper::new([7; 32]), 2);
            let whole = Envelope { provider, deployment, upstream, expires_at: 100 };
            let (own, other) = (tenant("o", "t", "a", "k1"), tenant("o", "t", "b", "k1"));
            let id = seals.seal(Kind::File, &own, &whole, nonce).unwrap();
            prop_assert_eq!(seals.open(Kind::File, &own, &id, 99).unwrap(), whole);
            let mut damaged = id.clone().into_bytes();
            let place = "file-".len() + at.index(damaged.len() - "file-".len() - 1);
            damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).unwrap();
            let as_batch = id.replacen("file-", "batch_", 1);
            for (kind, tenant, id, now) in [
                (Kind::File, &other, &id, 99),
                (Kind::File, &own, &damaged, 99),
                (Kind::File, &own, &id, 100),
                (Kind::Batch, &own, &as_batch, 99),
            ] {
                let refused = seals.open(kind, tenant, id, now).unwrap_err();
                prop_assert_eq!(refused.message, kind.not_found().message);
            }
        }

        /// Nothing that anybody sends makes it panic.
        #[test]
        fn any_text_is_looked_at(text in ".{0,80}") {
            let seals = Seals::new(&Pepper::new([7; 32]), 1);
            let id = format!("resp_{text}");
            prop_assert!(seals.open(Kind::Response, &tenant("", "", "", "k"), &id, 0).is_err());
        }
    }

    #[test]
    fn ids_of_an_older_key_still_open_and_of_another_installation_do_not() {
        let own = tenant("", "t", "a", "k");
        let old = Seals::new(&Pepper::new([7; 32]), 1);
        let id = old.seal(Kind::Response, &own, &envelope(), [1; NONCE_BYTES]).unwrap();
        assert!(Seals::new(&Pepper::new([7; 32]), 3).open(Kind::Response, &own, &id, 0).is_ok());
        assert!(Seals::new(&Pepper::new([8; 32]), 3).open(Kind::Response, &own, &id, 0).is_err());
        let newer = Seals::new(&Pepper::new([7; 32]), 3);
        let id = newer.seal(Kind::Response, &own, &envelope(), [1; NONCE_BYTES]).unwrap();
        assert!(old.open(Kind::Response, &own, &id, 0).is_err());
    }

    #[test]
    fn keys_of_one_application_are_one_tenant_and_others_are_not() {
        assert_eq!(tenant("o", "t", "a", "k1"), tenant("o", "t", "a", "k2"));
        assert_ne!(tenant("o", "t", "", "k1"), tenant("o", "t", "", "k2"));
        assert_ne!(tenant("o", "ta", "b", "k"), tenant("o", "t", "ab", "k"));
        assert_ne!(tenant("", "", "k", "x"), tenant("", "", "", "k"));
        let kept = tenant("o", "t", "a", "k");
        assert_eq!(Tenant::from_kept(kept.as_str()), kept);
    }
}
