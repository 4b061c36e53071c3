//! Notes of our own and of others, and what is none.

use super::{KEY_BYTES, Note, NoteError, Scheme, Signature, Signed, SignerKey, VerifierKey};
use proptest::prelude::*;

/// The key and the note of the documentation of Go's `sumdb/note`.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn signer(name: &str, scheme: Scheme) -> SignerKey {
    SignerKey::new(name, scheme, &[7; 32]).unwrap()
}

#[test]
fn a_note_of_another_implementation_is_verified() {
    let (key, note) = (VerifierKey::parse(PETER).unwrap(), Note::parse(NOTE.as_bytes()).unwrap());
    assert_eq!((key.to_string().as_str(), key.name()), (PETER, "PeterNeumann"));
    assert_eq!(key.signed(&note), Signed::Yes(None));
    let changed = Note::parse(NOTE.replace("problem is", "problem was").as_bytes()).unwrap();
    assert_eq!(key.signed(&changed), Signed::Forged);
}

#[test]
fn unknown_signatures_are_passed_over_and_those_of_witnesses_tell_the_time() {
    let (log, witness) = (signer("log.example/a", Scheme::Ed25519), signer("witness", Scheme::Cosignature));
    let text = "log.example/a\n3\nhash\n";
    let whole =
        format!("{text}\n{}— other AAAAAAAA\n{}", log.sign(text, 0), witness.sign(text, 1_700_000_000));
    let note = Note::parse(whole.as_bytes()).unwrap();
    assert_eq!((note.text.as_str(), note.signatures.len()), (text, 3));
    assert_eq!(log.verifier().signed(&note), Signed::Yes(None));
    assert_eq!(witness.verifier().signed(&note), Signed::Yes(Some(1_700_000_000)));
    assert_eq!(signer("somebody", Scheme::Ed25519).verifier().signed(&note), Signed::No);
    // One key, two types: two keys.
    assert_eq!(signer("witness", Scheme::Ed25519).verifier().signed(&note), Signed::No);
    let twice = VerifierKey::parse(&witness.verifier().to_string()).unwrap();
    assert_eq!((twice.scheme(), &twice), (Scheme::Cosignature, &witness.verifier()));
    assert!(!format!("{log:?}").contains("7"));
}

#[test]
fn what_is_no_note_or_no_key_is_refused() {
    let no = [
        "",
        "\n",
        "a\n",
        "a\n\n",
        "a\n\n— b\n",
        "a\n\n— b AAAAAA==\n",
        "a\n\n- b AAAAAAA=\n",
        "\n\n— b AAAAAAA=\n",
        "a\r\n\n— b AAAAAAA=\n",
        "a\n\n— b AAAAAAA=",
    ];
    for text in no {
        assert!(matches!(Note::parse(text.as_bytes()), Err(NoteError::Note(_))), "{text:?}");
    }
    assert!(Note::parse(b"a\n\n\xe2\x80\x94 b AAAAAAA=\n").is_ok());
    let no = [
        "",
        "a+b",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpcGgcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ];
    no.into_iter().for_each(|text| assert!(VerifierKey::parse(text).is_err(), "{text:?}"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[a-z\n— =A]{0,60}") {
        let _ = Note::parse(&bytes);
        let _ = Note::parse(text.as_bytes());
        let _ = VerifierKey::parse(&text);
    }

    #[test]
    fn a_flipped_bit_is_seen(at in 0usize..10_000, bit in 0u8..8) {
        let key = signer("log.example/a", Scheme::Ed25519);
        let text = "log.example/a\n3\nhash\n";
        let mut whole = format!("{text}\n{}", key.sign(text, 0)).into_bytes();
        let at = at % whole.len();
        whole[at] ^= 1 << bit;
        if let Ok(note) = Note::parse(&whole) {
            // What is no longer this key's line, or no longer fits: never both known and true.
            prop_assert_ne!(key.verifier().signed(&note), Signed::Yes(None));
        }
    }
}

#[test]
fn signatures_are_added_one_a_key_and_a_note_writes_itself_as_it_was_read() {
    let text = "log.example\n7\nroot\n";
    let (log, witness) = (
        SignerKey::new("log.example", Scheme::Ed25519, &[1; KEY_BYTES]).unwrap(),
        SignerKey::new("witness.example", Scheme::Cosignature, &[2; KEY_BYTES]).unwrap(),
    );
    let written = format!("{text}\n{}{}", log.sign(text, 0), witness.sign(text, 7));
    let mut note = Note::parse(written.as_bytes()).unwrap();
    assert_eq!(note.to_string(), written);
    note.add(Signature::parse(witness.sign(text, 9).trim_end()).unwrap());
    assert_eq!(note.signatures.len(), 2);
    assert_eq!(witness.verifier().signed(&note), Signed::Yes(Some(9)));
    assert!(
        log.verifier().is_named_by(&note.signatures[0]) && !log.verifier().is_named_by(&note.signatures[1])
    );
}
