//! Names of end users: in a leaf each stands sealed under the key of the call's subject, so that it says nothing any
//! more once that key is destroyed.

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use std::io;

use crate::canonical::{TEXT_BYTES_MAX, shortened};
use crate::subjects::SubjectKey;

/// What stands where the id of a call stands for what is sealed of it: no call has it.
const NAMES: &str = "names";
/// What a name is sealed as.
const ROLE: &str = "user";
/// How many digits of a subject stand for a name that cannot be read.
const DIGITS: usize = 12;

/// A sealed name, as leaves have it.
///
/// One name of one subject looks the same in every leaf: whose leaves they are, `subject` says as well.
pub(crate) fn seal(key: &SubjectKey, name: &str) -> io::Result<String> {
    let name = shortened(name, TEXT_BYTES_MAX);
    let names = key.of_call(NAMES);
    // Several names can be sealed under the key of one application: each under a nonce of its own.
    let digest = names.derive("nonce", &name);
    let nonce = *digest.first_chunk::<NONCE_LEN>().ok_or(io::ErrorKind::InvalidData)?;
    let mut bytes = name.into_owned().into_bytes();
    let sealed = names.sealing(ROLE).and_then(|key| {
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut bytes).ok()
    });
    sealed.ok_or_else(|| io::Error::other("a name cannot be sealed"))?;
    Ok(BASE64_STANDARD_NO_PAD.encode([nonce.as_slice(), &bytes].concat()))
}

/// The name again; `None` when it was sealed under another key.
pub(crate) fn open(key: &SubjectKey, sealed: &str) -> Option<String> {
    let bytes = BASE64_STANDARD_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
    let mut name = sealed.to_vec();
    let key = key.of_call(NAMES).sealing(ROLE)?;
    let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut name).ok()?;
    String::from_utf8(opened.to_vec()).ok()
}

/// What stands in lists for an end user whose key was destroyed.
#[must_use]
pub fn erased_label(subject: &str) -> String {
    format!("erased:{}", subject.get(..DIGITS).unwrap_or(subject))
}

/// What stands in lists for an end user whose key is not here.
pub(crate) fn sealed_label(subject: &str) -> String {
    format!("sealed:{}", subject.get(..DIGITS).unwrap_or(subject))
}

#[cfg(test)]
mod tests {
    use super::{open, seal};
    use crate::canonical::TEXT_BYTES_MAX;
    use crate::commit::commit_name;
    use crate::subjects::{ContentKey, Subjects};
    use gatehouse_core::call::Scope;

    #[test]
    fn a_name_is_read_with_its_key_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let subjects = Subjects::open(dir.path(), &ContentKey::new([7; 32])).unwrap();
        let scope = |user: &str| Scope { team: "t".into(), user: user.into(), ..Scope::default() };
        let (_, alice) = subjects.of(&scope("alice")).unwrap();
        let (_, bob) = subjects.of(&scope("bob")).unwrap();
        let sealed = seal(&alice, "alice").unwrap();
        assert_eq!(open(&alice, &sealed).as_deref(), Some("alice"));
        assert_eq!((open(&bob, &sealed), open(&alice, ""), open(&alice, "no base64!")), (None, None, None));
        assert_eq!(seal(&alice, "alice").unwrap(), sealed);
        let nonce = |sealed: &str| sealed.chars().take(16).collect::<String>();
        assert_ne!(nonce(&seal(&alice, "alicf").unwrap()), nonce(&sealed), "another name, another nonce");
        assert!(commit_name(&scope(""), &subjects).unwrap().subject.is_none());
        let long = "é".repeat(TEXT_BYTES_MAX);
        let kept = open(&alice, &seal(&alice, &long).unwrap()).unwrap();
        assert!(kept.len() <= TEXT_BYTES_MAX && kept.ends_with('…'), "{kept}");
        assert_eq!(subjects.subject(&scope(&kept)), subjects.subject(&scope(&long)));
    }
}
