//! What the fuzz targets share: the laws of the test suite, and how an input says which of them to try.

#[path = "../../crates/gatehouse-wire/tests/laws/mod.rs"]
pub mod laws;

use laws::{ALL, EMBEDDINGS, Subject};

/// A dialect, from an input whose first byte says what the rest is: `q` a request, `a` an answer, anything
/// else a stream that arrives in pieces of so many bytes. `seed.py` writes the corpora in this form.
///
/// # Panics
/// When a law does not hold: a finding.
pub fn dialect(name: &str, input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    let subject = subject(name);
    match kind {
        b'q' => laws::request(subject, bytes),
        b'a' => laws::answer(subject, bytes),
        cut => laws::stream(subject, bytes, usize::from(*cut)),
    }
}

/// Embeddings: `q` a request, anything else an answer, in every dialect of them.
///
/// # Panics
/// When a law does not hold: a finding.
pub fn embeddings(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    for subject in EMBEDDINGS {
        match kind {
            b'q' => laws::embed_request(*subject, bytes),
            _ => laws::embed_answer(*subject, bytes),
        }
    }
}

/// Converse: `q` a request, `a` an answer, anything else a stream, in pieces of so many bytes, and damaged at that place.
///
/// # Panics
/// When a law does not hold: a finding.
pub fn bedrock(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind {
        b'q' => return laws::request(subject("bedrock"), bytes),
        b'a' => return laws::bedrock_answer(bytes),
        _ => {}
    }
    laws::bedrock(bytes, usize::from(*kind));
    laws::damaged(bytes, usize::from(*kind) * 31);
}

/// Rankings: `q` a request, anything else an answer.
///
/// # Panics
/// When a law does not hold: a finding.
pub fn rerank(input: &[u8]) {
    match input.split_first() {
        Some((b'q', bytes)) => laws::rerank_request(bytes),
        Some((_, bytes)) => laws::rerank_answer(bytes),
        None => {}
    }
}

/// An input whose first byte is a number, for laws that need one.
pub fn with_number(input: &[u8], law: impl Fn(&[u8], u8)) {
    if let Some((number, bytes)) = input.split_first() {
        law(bytes, *number);
    }
}

fn subject(name: &str) -> Subject {
    *ALL.iter().find(|subject| subject.name == name).expect("a dialect of this name")
}
