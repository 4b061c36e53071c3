//! The laws of [`laws`] on mutated seeds: malformed in every way that a careless or hostile peer finds.
//!
//! The bounded sibling of the fuzz targets in `fuzz/`, and the reason why they find little: one run takes
//! seconds, its cases are counted and drawn from a fixed seed, so a failure here is the same for everybody.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may say what it expects, also in its helpers"
)]

#[expect(unreachable_pub, reason = "the fuzz targets export it")]
mod laws;
mod mutate;

use laws::{ALL, EMBEDDINGS, EmbedSubject, Subject};
use mutate::{Mutator, Place};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

/// How many mutants of each seed are tried.
const MUTANTS_PER_SEED: u64 = 200;

/// Every seed of a dialect whose file name begins with `kind`.
fn seeds(name: &str, kind: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/seeds").join(name);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let wanted = |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(kind);
    let found: Vec<_> = paths.iter().filter(wanted).map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!found.is_empty(), "{name} has no {kind}");
    found
}

/// Runs a law over the seeds of every dialect, and over their mutants. What breaks it is collected, one
/// input for each way of breaking it: that is what a unit test needs.
fn try_all<S: Copy>(kind: &str, place: Place, subjects: &[(&str, S)], law: impl Fn(S, &[u8], u64)) {
    let mut broken: BTreeMap<String, String> = BTreeMap::new();
    for (name, subject) in subjects {
        for seed in seeds(name, kind) {
            let mutants =
                (0..MUTANTS_PER_SEED).map(|number| (number, Mutator::new(number).mutant(&seed, place)));
            for (number, bytes) in std::iter::once((7, seed.clone())).chain(mutants) {
                let run = AssertUnwindSafe(|| law(*subject, &bytes, number));
                let Err(panic) = std::panic::catch_unwind(run) else { continue };
                let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                let first_line = said.lines().next().unwrap_or_default();
                let input = format!("{said}\nmutant {number}: {}\n", String::from_utf8_lossy(&bytes));
                broken.entry(format!("{name}: {first_line}")).or_insert(input);
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} ways to break it\n{}",
        broken.len(),
        broken.into_values().collect::<String>()
    );
}

fn chats() -> Vec<(&'static str, Subject)> {
    ALL.iter().map(|subject| (subject.name, *subject)).collect()
}

fn embeddings() -> Vec<(&'static str, EmbedSubject)> {
    EMBEDDINGS.iter().map(|subject| (subject.name, *subject)).collect()
}

#[test]
fn requests() {
    try_all("request", Place::Document, &chats(), |subject, bytes, _| laws::request(subject, bytes));
}

#[test]
fn requests_of_one_dialect_sent_to_another() {
    for subject in ALL {
        for other in ALL {
            seeds(other.name, "request").iter().for_each(|seed| laws::request(*subject, seed));
        }
    }
}

#[test]
fn answers() {
    try_all("answer", Place::Document, &chats(), |subject, bytes, _| laws::answer(subject, bytes));
}

#[test]
fn streams() {
    try_all("stream", Place::EventData, &chats(), |subject, bytes, number| {
        laws::stream(subject, bytes, usize::try_from(number % 61).unwrap() + 1);
    });
}

#[test]
fn requests_for_embeddings() {
    try_all("request", Place::Document, &embeddings(), |subject, bytes, _| {
        laws::embed_request(subject, bytes);
    });
}

#[test]
fn answers_with_embeddings() {
    try_all("answer", Place::Document, &embeddings(), |subject, bytes, _| laws::embed_answer(subject, bytes));
}

/// A place of seeds that several laws share.
fn at<S: Copy>(name: &'static str, subject: S) -> Vec<(&'static str, S)> {
    vec![(name, subject)]
}

#[test]
fn bedrocks_answers() {
    try_all("answer", Place::Document, &at("bedrock", ()), |(), bytes, _| laws::bedrock_answer(bytes));
}

#[test]
fn bedrocks_streams() {
    try_all("stream", Place::EventData, &at("bedrock", ()), |(), bytes, number| {
        let number = usize::try_from(number).unwrap();
        laws::bedrock(bytes, number % 61 + 1);
        laws::damaged(bytes, number * 31);
    });
}

#[test]
fn amazons_framing() {
    try_all("stream", Place::Anywhere, &at("bedrock", ()), |(), bytes, number| {
        laws::eventstream(bytes, usize::try_from(number % 17).unwrap() + 1);
    });
}

#[test]
fn requests_for_rankings() {
    try_all("request", Place::Document, &at("rerank", ()), |(), bytes, _| laws::rerank_request(bytes));
}

#[test]
fn rankings() {
    try_all("answer", Place::Document, &at("rerank", ()), |(), bytes, _| laws::rerank_answer(bytes));
}

#[test]
fn forms() {
    try_all("request", Place::Anywhere, &at("form", ()), |(), bytes, number| {
        laws::form(bytes, usize::try_from(number % 17).unwrap() + 1);
    });
    [1, 2, 3, 7, 4_096].into_iter().for_each(laws::bombs);
}

#[test]
fn operations_that_are_not_translated() {
    for kind in ["request", "answer"] {
        try_all(kind, Place::Document, &at("native", ()), |(), bytes, _| laws::native(bytes));
    }
}

#[test]
fn realtime_events() {
    try_all("event", Place::Document, &at("realtime", ()), |(), bytes, _| laws::realtime(bytes));
}

#[test]
fn event_framing() {
    try_all("stream", Place::Anywhere, &chats(), |_, bytes, number| {
        laws::sse(bytes, usize::try_from(number % 17).unwrap() + 1);
    });
}

#[test]
fn json_as_others_read_it() {
    try_all("request", Place::Anywhere, &chats(), |_, bytes, _| laws::json(bytes));
}

#[test]
fn edits_of_a_body() {
    try_all("request", Place::Anywhere, &chats(), |_, bytes, _| laws::edits(bytes));
}

#[test]
fn errors() {
    try_all("answer", Place::Anywhere, &chats(), |_, bytes, number| {
        laws::error(bytes, u16::try_from(number).unwrap());
    });
}

/// Seeds must be good themselves, or their mutants test nothing.
#[test]
fn every_seed_is_read() {
    for subject in ALL {
        for seed in seeds(subject.name, "request") {
            let doc = gatehouse_wire::json::Doc::parse(seed.into(), gatehouse_wire::json::Strictness::Caller);
            subject.codec.view(&doc.unwrap()).unwrap();
        }
        for seed in seeds(subject.name, "answer") {
            let doc =
                gatehouse_wire::json::Doc::parse(seed.into(), gatehouse_wire::json::Strictness::Provider);
            subject.codec.decode_answer(&doc.unwrap()).unwrap();
        }
    }
}
