//! Who may look at the administration side, and at what: keys with a role.
//!
//! `gha_ID_SECRET`, hashed under the pepper as caller keys are, and never one of them: neither opens the other side.

use crate::key::{ENTROPY_BYTES, Minted, Pepper, mint_as};
use gatehouse_core::error::{Code, Error};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What every administration key begins with.
pub const ADMIN_PREFIX: &str = "gha_";
/// The id of the one administrator key of earlier versions, which has no public part of its own.
pub const FIRST_ADMIN: &str = "administrator";

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but what only owners may; what was said only where the key allows it.
    Admin,
    /// Reads everything and changes nothing; what was said only where the key allows it.
    Auditor,
    /// As an administrator, within one organisation or team.
    TeamAdmin,
    /// Reads lists and figures.
    Viewer,
}

/// What somebody may do. Later resources bring more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Know who he is himself.
    Me,
    /// Read what is recorded of calls, without what was said.
    Records,
    /// Read what was said.
    Content,
    /// Take copies of records away.
    Export,
    /// Read what was used and what it cost.
    Usage,
}

/// Somebody who may look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The public part of the key.
    pub id: Arc<str>,
    /// What its owner calls it.
    pub name: Arc<str>,
    /// What he is.
    pub role: Role,
    /// The organisation that he is bound to; empty: every one.
    pub org: Arc<str>,
    /// The team that he is bound to; empty: every one.
    pub team: Arc<str>,
    /// Whether he may read what was said, where the role leaves that open.
    pub content: bool,
    /// Changes with the secret of the key.
    pub mark: u64,
}

/// A key as the gateway knows it.
#[derive(Clone, Debug)]
pub struct AdminEntry {
    /// HMAC-SHA-256 of the whole key.
    pub hash: [u8; 32],
    /// The hash before the last rotation, and until when it is still taken, in Unix seconds.
    pub old: Option<([u8; 32], u64)>,
    /// Whose it is.
    pub admin: Arc<Admin>,
    /// When it ends, in Unix seconds.
    pub expires_at: Option<u64>,
}

/// All administration keys that are valid or expired. Built anew at every change.
pub struct Admins {
    pepper: Arc<Pepper>,
    by_id: HashMap<Arc<str>, AdminEntry>,
}

/// Makes an administration key of [`ENTROPY_BYTES`] random bytes.
#[must_use]
pub fn mint_admin(entropy: &[u8; ENTROPY_BYTES], pepper: &Pepper) -> Minted {
    mint_as(ADMIN_PREFIX, entropy, pepper)
}

// === impl Role ===

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Auditor, Self::TeamAdmin, Self::Viewer];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::TeamAdmin => "team-admin",
            Self::Viewer => "viewer",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether a key of this role may be bound to an organisation or a team.
    #[must_use]
    pub fn may_be_bound(self) -> bool {
        matches!(self, Self::TeamAdmin | Self::Viewer)
    }

    /// Whether a key of this role can be allowed to read what was said.
    #[must_use]
    pub fn may_be_given_content(self) -> bool {
        self != Self::Viewer
    }
}

// === impl Admin ===

impl Admin {
    /// Whether he may. This is the one place that says so.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        match right {
            Right::Me | Right::Records | Right::Usage => true,
            Right::Content => self.role == Role::Owner || self.content && self.role.may_be_given_content(),
            Right::Export => self.role != Role::Viewer,
        }
    }

    /// Whether what is on this account is his to see.
    #[must_use]
    pub fn sees(&self, org: &str, team: &str) -> bool {
        (self.org.is_empty() || *self.org == *org) && (self.team.is_empty() || *self.team == *team)
    }
}

// === impl Admins ===

impl Admins {
    /// The keys of an installation.
    #[must_use]
    pub fn new(pepper: Arc<Pepper>, entries: impl IntoIterator<Item = AdminEntry>) -> Self {
        let by_id = entries.into_iter().map(|entry| (Arc::clone(&entry.admin.id), entry)).collect();
        Self { pepper, by_id }
    }

    /// Whose key this is. The same work is done for an unknown id as for a wrong secret.
    ///
    /// # Errors
    /// `invalid_api_key` or `key_expired`.
    pub fn authenticate(&self, presented: &SecretString, now: u64) -> Result<Arc<Admin>, Error> {
        let hash = self.pepper.hash(presented);
        let entry = self.by_id.get(id(presented.expose_secret()));
        let kept = entry.map_or([0; 32], |entry| entry.hash);
        let old = entry.and_then(|entry| entry.old).filter(|(_, until)| now < *until);
        let is_new = kept.ct_eq(&hash);
        let is_old = old.map_or([0; 32], |(old, _)| old).ct_eq(&hash);
        let Some(entry) = entry.filter(|_| bool::from(is_new | is_old)) else {
            return Err(Error::new(Code::InvalidApiKey, "this administration key is not known here"));
        };
        match entry.expires_at {
            Some(end) if end <= now => {
                Err(Error::new(Code::KeyExpired, "this administration key has expired"))
            }
            _ => Ok(Arc::clone(&entry.admin)),
        }
    }

    /// Whether somebody is still what he was: for streams that outlive a revocation, a rotation or an expiry.
    #[must_use]
    pub fn holds(&self, admin: &Admin, now: u64) -> bool {
        let entry = self.by_id.get(&admin.id);
        entry.is_some_and(|entry| *entry.admin == *admin && entry.expires_at.is_none_or(|end| now < end))
    }
}

/// The public part of a key.
fn id(key: &str) -> &str {
    let Some(rest) = key.strip_prefix(ADMIN_PREFIX) else { return FIRST_ADMIN };
    let end = rest.find('_').unwrap_or(rest.len());
    key.get(..ADMIN_PREFIX.len() + end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Admin, AdminEntry, Admins, FIRST_ADMIN, Right, Role, mint_admin};
    use crate::key::{ENTROPY_BYTES, Keys, Pepper, mint};
    use gatehouse_core::error::Code;
    use proptest::prelude::*;
    use secrecy::{ExposeSecret, SecretString};
    use std::sync::Arc;

    fn admin(id: &str, role: Role, team: &str, content: bool) -> Admin {
        Admin { id: id.into(), name: "n".into(), role, org: "".into(), team: team.into(), content, mark: 1 }
    }

    fn keys(entropy: &[u8; ENTROPY_BYTES], expires_at: Option<u64>) -> (Admins, SecretString) {
        let pepper = Arc::new(Pepper::new([7; 32]));
        let minted = mint_admin(entropy, &pepper);
        let admin = Arc::new(admin(&minted.id, Role::Auditor, "", false));
        let entry = AdminEntry { hash: minted.hash, old: None, admin, expires_at };
        (Admins::new(pepper, [entry]), minted.key)
    }

    proptest! {
        /// The key opens, and no key that differs in one character does.
        #[test]
        fn only_the_key_itself_opens(entropy in any::<[u8; ENTROPY_BYTES]>(), at in 0usize..55) {
            let (admins, key) = keys(&entropy, None);
            prop_assert!(admins.authenticate(&key, 0).is_ok());
            let mut other = key.expose_secret().to_owned().into_bytes();
            let at = at % other.len();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = SecretString::from(String::from_utf8(other).unwrap());
            let refused = admins.authenticate(&other, 0).map_err(|error| error.code);
            prop_assert_eq!(refused.map(|_| ()), Err(Code::InvalidApiKey));
        }

        /// No right is had by a viewer that an auditor with content has not, none by an auditor that an owner has not.
        #[test]
        fn nobody_sees_what_is_another_teams(org in "[a-c]?", team in "[a-c]?", bound in "[a-c]?") {
            let viewer = admin("v", Role::Viewer, &bound, true);
            prop_assert_eq!(viewer.sees(&org, &team), bound.is_empty() || bound == team);
            prop_assert!(!viewer.may(Right::Content) && !viewer.may(Right::Export));
        }
    }

    #[test]
    fn what_was_said_is_for_owners_and_for_those_who_are_allowed_it() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert_eq!(admin("a", role, "", false).may(Right::Content), role == Role::Owner, "{role:?}");
            assert_eq!(admin("a", role, "", true).may(Right::Content), role != Role::Viewer, "{role:?}");
        }
        assert_eq!(Role::parse("Owner"), None);
    }

    #[test]
    fn a_key_ends_and_neither_kind_is_the_other() {
        let (admins, key) = keys(&[1; ENTROPY_BYTES], Some(100));
        let held = admins.authenticate(&key, 99).unwrap();
        assert!(admins.holds(&held, 99) && !admins.holds(&held, 100));
        assert!(!admins.holds(&admin(&held.id, Role::Owner, "", false), 99));
        assert!(!admins.holds(&Admin { mark: 2, ..(*held).clone() }, 99));
        assert_eq!(admins.authenticate(&key, 100).unwrap_err().code, Code::KeyExpired);
        let pepper = Arc::new(Pepper::new([7; 32]));
        let caller = mint(&[1; ENTROPY_BYTES], &pepper);
        assert_eq!(admins.authenticate(&caller.key, 0).unwrap_err().code, Code::InvalidApiKey);
        assert_eq!(Keys::new(pepper, []).authenticate(&key, 0).unwrap_err().code, Code::InvalidApiKey);
    }

    #[test]
    fn the_key_of_earlier_versions_still_opens() {
        let pepper = Arc::new(Pepper::new([7; 32]));
        let first = mint(&[9; ENTROPY_BYTES], &pepper);
        let owner = Arc::new(admin(FIRST_ADMIN, Role::Owner, "", false));
        let entry = AdminEntry { hash: first.hash, old: None, admin: owner, expires_at: None };
        let admins = Admins::new(Arc::clone(&pepper), [entry]);
        assert_eq!(admins.authenticate(&first.key, 0).unwrap().role, Role::Owner);
        let other = mint(&[8; ENTROPY_BYTES], &pepper);
        assert!(admins.authenticate(&other.key, 0).is_err());
    }
}
