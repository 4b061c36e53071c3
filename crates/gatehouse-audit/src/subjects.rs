//! Whom what was said is about: a key for each, which is destroyed when he is to be forgotten.
//!
//! A *subject* is the end user of a call, or the application when none is named. Its key makes the salts of
//! commitments and the keys of texts (`commit`), so that both say nothing any more once it is gone, while every leaf
//! stays as it was signed. The keys stand in one file of slots, each wrapped under the key of the installation:
//!
//! ```text
//! header  magic 8 · version u32 · name key 32 · zeros to 64
//! slot    subject 16 · state u8 · nonce 12 · wrapped key 48 · zeros to 80
//! ```
//! A slot is overwritten where it stands when its key is destroyed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use gatehouse_core::call::Scope;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::canonical::{TEXT_BYTES_MAX, shortened};
use crate::disk::private;

/// How many subjects have a key of their own; those beyond share that of their application.
pub const SUBJECTS_MAX: usize = 250_000;
/// The file.
const FILE: &str = "subjects";
const MAGIC: &[u8; 8] = b"GATEHSUB";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 64;
const SLOT_BYTES: usize = 80;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const WRAPPED_BYTES: usize = KEY_BYTES + 16;
/// A slot with a key; one whose key was destroyed.
const LIVE: u8 = 1;
const ERASED: u8 = 2;

/// The key of the installation, under which keys of subjects are wrapped. It does not print.
#[derive(Clone)]
pub struct ContentKey([u8; KEY_BYTES]);

/// Who, without his name: the name under a key of the installation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject([u8; 16]);

/// The secret of a subject. It does not print.
#[derive(Clone)]
pub struct SubjectKey([u8; KEY_BYTES]);

/// The secret of one call of a subject's. It does not print.
pub(crate) struct CallKey([u8; KEY_BYTES]);

/// What is known of a subject.
#[derive(Clone)]
pub enum Known {
    /// He has a key.
    Key(SubjectKey),
    /// His key was destroyed.
    Erased,
    /// Nobody has heard of him.
    Nobody,
}

/// The keys of all subjects.
pub struct Subjects {
    path: PathBuf,
    names: Hmac<Sha256>,
    wrap: LessSafeKey,
    slots: Mutex<Slots>,
    /// Whether a slot may not be on the disk yet.
    dirty: AtomicBool,
}

struct Slots {
    file: File,
    known: HashMap<Subject, Slot>,
    next: u64,
}

struct Slot {
    at: u64,
    /// None when it was destroyed.
    key: Option<SubjectKey>,
}

// === impl keys ===

impl ContentKey {
    /// A key of 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey")
    }
}

impl SubjectKey {
    /// The secret of one call, from which nobody learns that of its subject.
    pub(crate) fn of_call(&self, call: &str) -> CallKey {
        CallKey(mac(&keyed(&self.0), &[call]))
    }
}

impl CallKey {
    /// Bytes for one body and one purpose. Purposes are a few fixed words, none of which begins another.
    pub(crate) fn derive(&self, purpose: &str, role: &str) -> [u8; KEY_BYTES] {
        let digest =
            Sha256::new().chain_update(self.0).chain_update(purpose).chain_update("/").chain_update(role);
        digest.finalize().into()
    }

    /// The key that seals what a call has in this role.
    pub(crate) fn sealing(&self, role: &str) -> Option<LessSafeKey> {
        let bytes = self.derive("text", role);
        UnboundKey::new(&AES_256_GCM, &bytes).ok().map(LessSafeKey::new)
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey")
    }
}

/// A keyed hash, ready to be used many times.
fn keyed(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    // A key of the block's length or less is taken as it is.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new(&block.into())
}

/// A keyed hash over texts, none of which can run into the next.
fn mac(keyed: &Hmac<Sha256>, parts: &[&str]) -> [u8; 32] {
    let mut mac = keyed.clone();
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

// === impl Subject ===

impl Subject {
    /// Reads the form that leaves have.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({self})")
    }
}

// === impl Subjects ===

impl Subjects {
    /// Opens the keys in a folder, which is there; makes the file when it is not.
    ///
    /// # Errors
    /// When the file cannot be used, is something else, or is wrapped under another key.
    pub fn open(dir: &Path, content: &ContentKey) -> io::Result<Self> {
        let path = dir.join(FILE);
        let unbound =
            UnboundKey::new(&AES_256_GCM, &content.0).map_err(|_| wrong("the content key is no key"))?;
        let wrap = LessSafeKey::new(unbound);
        let mut file = private().create(true).truncate(false).read(true).write(true).open(&path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if bytes.len() < HEADER_BYTES {
            let mut names = [0; KEY_BYTES];
            rand::fill(&mut names).map_err(|_| wrong("there is no randomness"))?;
            file.set_len(0)?;
            file.write_all_at(&header(&names), 0)?;
            file.sync_all()?;
            bytes = header(&names);
        }
        let (head, slots) = bytes.split_at(HEADER_BYTES);
        let names = head.get(12..12 + KEY_BYTES).and_then(|names| names.try_into().ok());
        let names: [u8; KEY_BYTES] =
            names.filter(|names| header(names) == head).ok_or_else(|| wrong("it is no file of subjects"))?;
        let mut known = HashMap::new();
        let mut next = 0;
        for slot in slots.chunks_exact(SLOT_BYTES) {
            if let Some((subject, key)) = read_slot(slot, &wrap)? {
                known.insert(subject, Slot { at: next, key });
            }
            next += 1;
        }
        let slots = Mutex::new(Slots { file, known, next });
        Ok(Self { path, names: keyed(&names), wrap, slots, dirty: AtomicBool::new(false) })
    }

    /// Whom a call is about.
    #[must_use]
    pub fn subject(&self, scope: &Scope) -> Subject {
        self.named(&scope.org, &scope.team, &scope.app, &scope.user)
    }

    /// The end user of this name of an application; the application itself without one.
    #[must_use]
    pub fn named(&self, org: &str, team: &str, app: &str, user: &str) -> Subject {
        // A user is one person in all applications of a team.
        let app = if user.is_empty() { app } else { "" };
        // As leaves have the name, so that he who is known from them can be found again.
        let user = &*shortened(user, TEXT_BYTES_MAX);
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = mac(&self.names, &[org, team, app, user]);
        Subject([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// The key of whoever a call is about, made when there is none: with whom it is.
    ///
    /// # Errors
    /// When a new one cannot be written.
    pub fn of(&self, scope: &Scope) -> io::Result<(Subject, SubjectKey)> {
        let subject = self.subject(scope);
        let mut slots = self.slots();
        if let Some(key) = slots.known.get(&subject).and_then(|slot| slot.key.clone()) {
            return Ok((subject, key));
        }
        if slots.known.len() >= SUBJECTS_MAX && !scope.user.is_empty() && !slots.known.contains_key(&subject)
        {
            drop(slots);
            return self.of(&Scope { user: "".into(), ..scope.clone() });
        }
        let key = self.put(&mut slots, subject)?;
        Ok((subject, key))
    }

    /// What is known of a subject.
    #[must_use]
    pub fn find(&self, subject: Subject) -> Known {
        match self.slots().known.get(&subject) {
            Some(Slot { key: Some(key), .. }) => Known::Key(key.clone()),
            Some(Slot { key: None, .. }) => Known::Erased,
            None => Known::Nobody,
        }
    }

    /// Destroys the key of a subject: true when he had one. When this returns it is gone from the disk's file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn erase(&self, subject: Subject) -> io::Result<bool> {
        let mut guard = self.slots();
        let slots = &mut *guard;
        let Some(slot) = slots.known.get_mut(&subject).filter(|slot| slot.key.is_some()) else {
            return Ok(false);
        };
        let mut bytes = [0; SLOT_BYTES];
        bytes.iter_mut().zip(subject.0).for_each(|(to, from)| *to = from);
        if let Some(state) = bytes.get_mut(16) {
            *state = ERASED;
        }
        slots.file.write_all_at(&bytes, place(slot.at))?;
        slots.file.sync_all()?;
        slot.key = None;
        Ok(true)
    }

    /// Sees that new keys are on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if self.dirty.swap(false, Ordering::AcqRel) {
            let file = self.slots().file.try_clone()?;
            if let Err(error) = file.sync_data() {
                self.dirty.store(true, Ordering::Release);
                return Err(error);
            }
        }
        Ok(())
    }

    fn put(&self, slots: &mut Slots, subject: Subject) -> io::Result<SubjectKey> {
        let (mut key, mut nonce) = ([0; KEY_BYTES], [0; NONCE_BYTES]);
        rand::fill(&mut key)
            .and_then(|()| rand::fill(&mut nonce))
            .map_err(|_| wrong("there is no randomness"))?;
        let mut wrapped = key.to_vec();
        let sealed = self.wrap.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(subject.0),
            &mut wrapped,
        );
        sealed.map_err(|_| wrong("a key cannot be wrapped"))?;
        // He whose key was destroyed gets another in its place.
        let at = slots.known.get(&subject).map_or(slots.next, |slot| slot.at);
        let mut bytes = [subject.0.as_slice(), &[LIVE], &nonce, &wrapped].concat();
        bytes.resize(SLOT_BYTES, 0);
        slots.file.write_all_at(&bytes, place(at))?;
        self.dirty.store(true, Ordering::Release);
        slots.next = slots.next.max(at + 1);
        let key = SubjectKey(key);
        slots.known.insert(subject, Slot { at, key: Some(key.clone()) });
        Ok(key)
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subjects({})", self.path.display())
    }
}

fn header(names: &[u8; KEY_BYTES]) -> Vec<u8> {
    let mut bytes = [MAGIC.as_slice(), &VERSION.to_le_bytes(), names].concat();
    bytes.resize(HEADER_BYTES, 0);
    bytes
}

fn place(slot: u64) -> u64 {
    let number = |bytes: usize| u64::try_from(bytes).unwrap_or_default();
    number(HEADER_BYTES) + slot * number(SLOT_BYTES)
}

/// Who a slot is for, and his key; nothing for one that was never whole.
fn read_slot(slot: &[u8], wrap: &LessSafeKey) -> io::Result<Option<(Subject, Option<SubjectKey>)>> {
    let part = |from: usize, len: usize| slot.get(from..from + len).unwrap_or_default();
    let Some(subject) = part(0, 16).try_into().ok().map(Subject) else { return Ok(None) };
    match part(16, 1) {
        [ERASED] => Ok(Some((subject, None))),
        [LIVE] => {
            let nonce: [u8; NONCE_BYTES] = part(17, NONCE_BYTES).try_into().unwrap_or_default();
            let mut wrapped = part(17 + NONCE_BYTES, WRAPPED_BYTES).to_vec();
            let opened =
                wrap.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(subject.0), &mut wrapped);
            let key = opened.ok().and_then(|key| <[u8; KEY_BYTES]>::try_from(&*key).ok());
            let key = key.ok_or_else(|| wrong("its keys are wrapped under another content key"))?;
            Ok(Some((subject, Some(SubjectKey(key)))))
        }
        // A power cut came before all of it was on the disk.
        _ => Ok(None),
    }
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::{ContentKey, Known, Subject, Subjects};
    use gatehouse_core::call::Scope;

    fn scope(team: &str, app: &str, user: &str) -> Scope {
        Scope { team: team.into(), app: app.into(), user: user.into(), ..Scope::default() }
    }

    #[test]
    fn a_key_is_made_once_kept_and_destroyed_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let content = ContentKey::new([7; 32]);
        let subjects = Subjects::open(dir.path(), &content).unwrap();
        let (alice, first) = subjects.of(&scope("support", "helpdesk", "alice")).unwrap();
        let (bob, other) = subjects.of(&scope("support", "helpdesk", "bob")).unwrap();
        let (again, same) = subjects.of(&scope("support", "mail", "alice")).unwrap();
        assert_eq!((again, same.of_call("c").0), (alice, first.of_call("c").0));
        assert_ne!(first.of_call("c").0, other.of_call("c").0);
        assert_ne!(first.of_call("c").0, first.of_call("d").0);
        let call = first.of_call("c");
        assert_ne!(call.derive("salt", "request"), call.derive("salt", "answer"));
        assert_ne!(call.derive("salt", "request"), call.derive("text", "request"));
        assert_ne!(subjects.subject(&scope("sales", "helpdesk", "alice")), alice);
        let (desk, mail) = (scope("support", "helpdesk", ""), scope("support", "mail", ""));
        assert_ne!(subjects.subject(&desk), subjects.subject(&mail));
        assert_eq!(Subject::parse(&alice.to_string()), Some(alice));
        subjects.sync().unwrap();
        drop(subjects);

        let subjects = Subjects::open(dir.path(), &content).unwrap();
        assert!(
            matches!(subjects.find(alice), Known::Key(key) if key.of_call("c").0 == first.of_call("c").0)
        );
        assert!(subjects.erase(alice).unwrap() && !subjects.erase(alice).unwrap());
        drop(subjects);
        let subjects = Subjects::open(dir.path(), &content).unwrap();
        assert!(matches!(subjects.find(alice), Known::Erased) && matches!(subjects.find(bob), Known::Key(_)));
        // Who comes back begins anew, in the same place.
        let (_, new) = subjects.of(&scope("support", "helpdesk", "alice")).unwrap();
        assert_ne!(new.of_call("c").0, first.of_call("c").0);
        assert_eq!(std::fs::metadata(dir.path().join("subjects")).unwrap().len(), 64 + 2 * 80);
        drop(subjects);

        let error = Subjects::open(dir.path(), &ContentKey::new([8; 32])).unwrap_err();
        assert!(error.to_string().contains("another content key"), "{error}");
        assert_eq!(format!("{content:?} {new:?}"), "ContentKey SubjectKey");
    }

    #[test]
    fn a_torn_file_is_read_as_far_as_it_is_whole_and_another_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (path, content) = (dir.path().join("subjects"), ContentKey::new([7; 32]));
        let subjects = Subjects::open(dir.path(), &content).unwrap();
        let (alice, _) = subjects.of(&scope("t", "a", "alice")).unwrap();
        let (bob, _) = subjects.of(&scope("t", "a", "bob")).unwrap();
        drop(subjects);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 30]).unwrap();
        let subjects = Subjects::open(dir.path(), &content).unwrap();
        assert!(matches!(subjects.find(alice), Known::Key(_)) && matches!(subjects.find(bob), Known::Nobody));
        drop(subjects);
        std::fs::write(&path, [b'x'; 200]).unwrap();
        assert!(Subjects::open(dir.path(), &content).is_err());
    }
}
