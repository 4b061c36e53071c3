//! Signed notes: C2SP signed-note 1.0. <https://c2sp.org/signed-note>
//!
//! A note is a text that ends in a newline, an empty line, and lines of signatures. Those of unknown keys are passed
//! over; one of a known key that does not fit makes the note worthless.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature as Ed25519, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// Opens a line of a signature: an em dash and a space.
const MARK: &str = "\u{2014} ";
/// How large a note may be.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// How many signatures are read.
pub const SIGNATURES_MAX: usize = 100;
/// Bytes of a key's number.
const KEY_ID_BYTES: usize = 4;
/// Bytes of a public key and of a seed.
pub const KEY_BYTES: usize = 32;
/// Bytes of a signature of Ed25519.
const SIGNATURE_BYTES: usize = 64;
/// Bytes of the time in a cosignature.
const TIME_BYTES: usize = 8;

/// What a key signs, by the number that the registry of signed-note gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// The text itself: type 0x01.
    Ed25519,
    /// The text and the time at which a witness saw it: type 0x04. <https://c2sp.org/tlog-cosignature>
    Cosignature,
}

/// A public key with its name.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    scheme: Scheme,
    key: VerifyingKey,
}

/// A key that signs, with its name. It does not print.
pub struct SignerKey {
    name: String,
    scheme: Scheme,
    key: SigningKey,
}

/// A note, its signatures unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is signed; ends in a newline.
    pub text: String,
    /// By whom.
    pub signatures: Vec<Signature>,
}

/// A line of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The name of the key.
    pub name: String,
    id: [u8; KEY_ID_BYTES],
    bytes: Vec<u8>,
}

/// What one key has to do with a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// It signed, and that fits; witnesses say when (Unix seconds).
    Yes(Option<u64>),
    /// It did not sign.
    No,
    /// A line says it did, and that does not fit.
    Forged,
}

/// Why something is no note, or no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// The bytes are no note.
    #[error("this is no signed note: {0}")]
    Note(&'static str),
    /// The text is no key.
    #[error("this is no key (name+number+base64): {0}")]
    Key(&'static str),
}

// === impl Scheme ===

impl Scheme {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::Cosignature].into_iter().find(|scheme| scheme.byte() == byte)
    }
}

/// Whether a key may have this name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.chars().any(|letter| letter == '+' || letter.is_whitespace() || letter.is_control())
}

/// The number of a key: tells keys of one name apart, and proves nothing.
fn key_id(name: &str, scheme: Scheme, key: &[u8; KEY_BYTES]) -> [u8; KEY_ID_BYTES] {
    let digest =
        Sha256::new().chain_update(name).chain_update([b'\n', scheme.byte()]).chain_update(key).finalize();
    let digest: [u8; 32] = digest.into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

/// What a witness signs.
fn cosigned(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

// === impl VerifierKey ===

impl VerifierKey {
    /// Reads the form that is published: `name+hex(number)+base64(type ‖ key)`.
    ///
    /// # Errors
    /// [`NoteError::Key`] for everything else, also where the number is another key's.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("it does not have three parts"));
        };
        if !is_name(name) {
            return Err(NoteError::Key("its name is none"));
        }
        let bytes = BASE64_STANDARD.decode(key).map_err(|_| NoteError::Key("its bytes are not base64"))?;
        let (scheme, key) = bytes.split_first().ok_or(NoteError::Key("it is empty"))?;
        let scheme = Scheme::from_byte(*scheme).ok_or(NoteError::Key("its type is not known here"))?;
        let key: [u8; KEY_BYTES] = key.try_into().map_err(|_| NoteError::Key("it does not have 32 bytes"))?;
        if hex(key_id(name, scheme, &key)) != id {
            return Err(NoteError::Key("its number is not that of its bytes"));
        }
        let key =
            VerifyingKey::from_bytes(&key).map_err(|_| NoteError::Key("it is no point of the curve"))?;
        Ok(Self { name: name.to_owned(), scheme, key })
    }

    /// Its name: of a log, its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its number in hex: tells it from others of its name, and proves nothing.
    #[must_use]
    pub fn number(&self) -> String {
        hex(key_id(&self.name, self.scheme, self.key.as_bytes()))
    }

    /// Whether a line says that it is this key's. That proves nothing.
    #[must_use]
    pub fn is_named_by(&self, line: &Signature) -> bool {
        line.name == self.name && line.id == key_id(&self.name, self.scheme, self.key.as_bytes())
    }

    /// Whether it signed a note.
    #[must_use]
    pub fn signed(&self, note: &Note) -> Signed {
        let mut found = Signed::No;
        for line in note.signatures.iter().filter(|line| self.is_named_by(line)) {
            match self.fits(&note.text, &line.bytes) {
                Some(at) => found = Signed::Yes(at),
                None => return Signed::Forged,
            }
        }
        found
    }

    /// The time that a signature tells, when it fits.
    fn fits(&self, text: &str, bytes: &[u8]) -> Option<Option<u64>> {
        let check = |message: &[u8], signature: &[u8]| {
            let signature: [u8; SIGNATURE_BYTES] = signature.try_into().ok()?;
            self.key.verify_strict(message, &Ed25519::from_bytes(&signature)).ok()
        };
        match self.scheme {
            Scheme::Ed25519 => check(text.as_bytes(), bytes).map(|()| None),
            Scheme::Cosignature => {
                let (time, signature) = bytes.split_first_chunk::<TIME_BYTES>()?;
                let seconds = u64::from_be_bytes(*time);
                check(&cosigned(text, seconds), signature).map(|()| Some(seconds))
            }
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.scheme.byte()], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.number(), BASE64_STANDARD.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

// === impl SignerKey ===

impl SignerKey {
    /// The key of a seed of 32 random bytes.
    ///
    /// # Errors
    /// [`NoteError::Key`] when the name is none.
    pub fn new(name: &str, scheme: Scheme, seed: &[u8; KEY_BYTES]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key("its name is none"));
        }
        Ok(Self { name: name.to_owned(), scheme, key: SigningKey::from_bytes(seed) })
    }

    /// Its public half.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), scheme: self.scheme, key: self.key.verifying_key() }
    }

    /// The line of its signature on a text, with its newline; `now` (Unix seconds) is what a witness signs besides.
    #[must_use]
    pub fn sign(&self, text: &str, now: u64) -> String {
        let id = key_id(&self.name, self.scheme, self.key.verifying_key().as_bytes());
        let bytes = match self.scheme {
            Scheme::Ed25519 => [id.as_slice(), &self.key.sign(text.as_bytes()).to_bytes()].concat(),
            Scheme::Cosignature => {
                let signature = self.key.sign(&cosigned(text, now)).to_bytes();
                [id.as_slice(), &now.to_be_bytes(), &signature].concat()
            }
        };
        format!("{MARK}{} {}\n", self.name, BASE64_STANDARD.encode(bytes))
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.name)
    }
}

// === impl Note ===

impl Note {
    /// Reads a note. Its signatures are not checked.
    ///
    /// # Errors
    /// [`NoteError::Note`] for everything that is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Note("it is too long"));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Note("it is not UTF-8"))?;
        if whole.chars().any(|letter| letter < ' ' && letter != '\n') {
            return Err(NoteError::Note("it has control characters"));
        }
        let end = whole.rfind("\n\n").ok_or(NoteError::Note("no empty line stands before its signatures"))?;
        let (text, rest) = whole.split_at(end + 1);
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Note("its last line does not end"))?;
        if text == "\n" {
            return Err(NoteError::Note("it has no text"));
        }
        let signatures = lines.split('\n').map(Signature::parse).collect::<Option<Vec<_>>>();
        let signatures = signatures.ok_or(NoteError::Note("a line is no signature"))?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Note("it has too many signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Adds a signature, in the place of an earlier one by the same key.
    pub fn add(&mut self, line: Signature) {
        self.signatures.retain(|known| known.name != line.name || known.id != line.id);
        self.signatures.push(line);
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

// === impl Signature ===

impl Signature {
    /// Reads a line, without its newline. It is not checked.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(MARK)?.split_once(' ')?;
        let bytes = BASE64_STANDARD.decode(encoded).ok()?;
        let (id, bytes) = bytes.split_first_chunk::<KEY_ID_BYTES>()?;
        (is_name(name) && !bytes.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_vec(),
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_slice(), &self.bytes].concat();
        write!(f, "{MARK}{} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

fn hex(id: [u8; KEY_ID_BYTES]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
