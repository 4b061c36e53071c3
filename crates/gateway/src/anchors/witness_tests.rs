//! What witnesses answer, and what is made of it.

use super::{Heard, conflict, heard, is_due};
use crate::anchors::{Outcome, Witness};
use gatehouse_proof::note::{KEY_BYTES, Note, Scheme, Signature, SignerKey};
use std::time::Duration;

const TEXT: &str = "log.example\n7\nKPUOpfqZFvJB8SGzptvUXmDWiGKZWm612uIX/8G5yqc=\n";

fn witness(seed: u8) -> SignerKey {
    SignerKey::new("w.example", Scheme::Cosignature, &[seed; KEY_BYTES]).unwrap()
}

fn answered(status: u16, text: &str) -> Heard {
    let log = SignerKey::new("log.example", Scheme::Ed25519, &[1; KEY_BYTES]).unwrap();
    let note = Note::parse(format!("{TEXT}\n{}", log.sign(TEXT, 0)).as_bytes()).unwrap();
    heard(status, text, &note, &witness(2).verifier(), "OURS")
}

#[test]
fn a_signature_that_fits_is_taken_and_nothing_else() {
    let line = witness(2).sign(TEXT, 7);
    let taken = Heard::Cosigned(Signature::parse(line.trim_end()).unwrap());
    assert_eq!(answered(200, &line), taken);
    // Beside lines of others, and of other algorithms.
    assert_eq!(answered(200, &format!("{}\n{}{line}", "— x AAAAAAAA", witness(3).sign(TEXT, 7))), taken);
    for none in ["", "hello", &witness(3).sign(TEXT, 7), &witness(2).sign("another\n", 7)] {
        assert!(matches!(answered(200, none), Heard::Refused(Outcome::Failed(_))), "{none}");
    }
}

#[test]
fn every_answer_of_the_protocol_is_told_apart() {
    assert_eq!(answered(409, "42\n"), Heard::Conflict(Some(42)));
    assert_eq!(answered(409, "who knows"), Heard::Conflict(None));
    assert!(matches!(answered(422, ""), Heard::Refused(Outcome::Drifts(_))));
    for (status, says) in [(403, "OURS"), (404, "OURS"), (400, "bad proof"), (500, "500"), (302, "302")] {
        let Heard::Refused(Outcome::Failed(why)) = answered(status, "bad proof\u{7}") else {
            panic!("{status}");
        };
        assert!(why.contains(says) && !why.contains('\u{7}'), "{why}");
    }
}

#[test]
fn a_conflict_is_a_size_to_go_on_from_or_an_alarm() {
    // (what we said, what we have, what it says)
    assert_eq!(conflict(0, 7, Some(5)), Ok(5));
    assert_eq!(conflict(5, 7, Some(0)), Ok(0));
    assert!(matches!(conflict(7, 7, Some(9)), Err(Outcome::Drifts(_))));
    assert!(matches!(conflict(7, 7, Some(7)), Err(Outcome::Drifts(_))));
    assert!(matches!(conflict(7, 7, None), Err(Outcome::Drifts(_))));
    assert!(matches!(conflict(5, 7, Some(5)), Err(Outcome::Failed(_))));
    assert!(matches!(conflict(5, 7, None), Err(Outcome::Failed(_))));
}

#[test]
fn those_who_are_patient_are_asked_in_rounds_of_the_impatient() {
    let of = |seconds| Witness {
        name: "w".into(),
        url: String::new(),
        key: witness(2).verifier(),
        every: Duration::from_secs(seconds),
    };
    let pace = Duration::from_secs(10);
    let due = |seconds| (0..7).filter(|round| is_due(&of(seconds), pace, *round)).count();
    assert_eq!((due(10), due(15), due(20), due(60)), (7, 7, 4, 2));
}
