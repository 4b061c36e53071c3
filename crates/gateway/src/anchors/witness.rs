//! Witnesses: others who see that the log only grows, and sign what they saw. C2SP tlog-witness 1.0.
//! <https://c2sp.org/tlog-witness>
//!
//! All witnesses that are due are told of the same checkpoint, so that their signatures stand under one note. What is
//! kept: for each witness the last note that it signed (`witness-<number of its key>`), and of each day (UTC) the last that
//! any signed (`day-2026-11-24`). When nothing is new they are asked again, so that they say that there was nothing.

use super::own::{Newest, Own};
use super::teller::Teller;
use super::{ANCHOR_TIME_MAX, Outcome, Witness, newest, today};
use gatehouse_audit::tree::{ANCHORED, keep};
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::note::{Note, Signature, Signed, VerifierKey};
use gatehouse_server::fetch::{Ask, Verb, exchange};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

/// The largest answer of a witness.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How much of an answer that says no is told.
const REASON_CHARS_MAX: usize = 200;

/// What a witness answers.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// It signed.
    Cosigned(Signature),
    /// It knows the log with another number of leaves, or, told nothing, another root.
    Conflict(Option<u64>),
    /// It says no.
    Refused(Outcome),
}

/// Tells witnesses of new checkpoints until it is dropped.
pub(super) async fn watch(own: Arc<Own>, witnesses: Vec<Witness>, mut tellers: Vec<Teller>) {
    let pace = witnesses.iter().map(|one| one.every).min().unwrap_or(Duration::from_secs(60));
    let mut sizes = known_sizes(&own, &witnesses).await;
    for round in 0_u64.. {
        let newest = newest(&own).await;
        let mut note = with_earlier(&own, newest.note.clone(), &witnesses).await;
        let mut asked = JoinSet::new();
        for (at, witness) in witnesses.iter().enumerate().filter(|(_, one)| is_due(one, pace, round)) {
            let (own, witness, newest) = (Arc::clone(&own), witness.clone(), newest.clone());
            let old = sizes.get(at).copied().unwrap_or_default();
            asked.spawn(async move { (at, submit(&own, &witness, old, &newest).await) });
        }
        while let Some(answer) = asked.join_next().await {
            let Ok((at, answer)) = answer else { continue };
            let (Some(witness), Some(teller)) = (witnesses.get(at), tellers.get_mut(at)) else { continue };
            teller.tell(match answer {
                Ok(line) => {
                    note.add(line);
                    if let Some(size) = sizes.get_mut(at) {
                        *size = newest.says.size;
                    }
                    match keep_note(&own, &note, witness).await {
                        Ok(()) => Outcome::Took(newest.says.size),
                        Err(why) => Outcome::Failed(format!("what it signed cannot be kept: {why}")),
                    }
                }
                Err(outcome) => outcome,
            });
        }
        sleep(pace).await;
    }
}

/// Whether it is asked in this round, which are as far apart as the most impatient wants.
fn is_due(witness: &Witness, pace: Duration, round: u64) -> bool {
    let rounds = witness.every.as_millis() / pace.as_millis().max(1);
    u128::from(round).is_multiple_of(rounds.max(1))
}

/// How many leaves each witness signed last, as far as that is known here. It corrects us.
async fn known_sizes(own: &Arc<Own>, witnesses: &[Witness]) -> Vec<u64> {
    let notes = kept_notes(own, witnesses).await;
    let size = |key: &VerifierKey| {
        let signed = notes.iter().filter(|(note, _)| matches!(key.signed(note), Signed::Yes(_)));
        signed.map(|(_, says)| says.size).max().unwrap_or_default()
    };
    witnesses.iter().map(|witness| size(&witness.key)).collect()
}

/// A note with what witnesses signed of the same text before: nothing is new, and one of them may be silent now.
async fn with_earlier(own: &Arc<Own>, mut note: Note, witnesses: &[Witness]) -> Note {
    for (earlier, _) in kept_notes(own, witnesses).await {
        if earlier.text != note.text {
            continue;
        }
        for witness in witnesses.iter().filter(|one| matches!(one.key.signed(&earlier), Signed::Yes(_))) {
            let lines = earlier.signatures.iter().filter(|line| witness.key.is_named_by(line));
            lines.cloned().for_each(|line| note.add(line));
        }
    }
    note
}

/// The last note of each witness, and of today, as far as they read.
async fn kept_notes(own: &Arc<Own>, witnesses: &[Witness]) -> Vec<(Note, Checkpoint)> {
    let folder = own.tree.join(ANCHORED);
    let names: Vec<String> = witnesses.iter().map(of_witness).chain([of_today()]).collect();
    let read = move || {
        let files = names.iter().filter_map(|name| std::fs::read(folder.join(name)).ok());
        files.filter_map(|bytes| Checkpoint::read(&bytes).ok()).collect()
    };
    spawn_blocking(read).await.unwrap_or_default()
}

fn of_witness(witness: &Witness) -> String {
    format!("witness-{}", witness.key.number())
}

fn of_today() -> String {
    format!("day-{}", today())
}

async fn keep_note(own: &Arc<Own>, note: &Note, witness: &Witness) -> Result<(), String> {
    let (own, bytes) = (Arc::clone(own), note.to_string().into_bytes());
    let names = [of_witness(witness), of_today()];
    let kept = spawn_blocking(move || names.iter().try_for_each(|name| keep(&own.tree, name, &bytes))).await;
    kept.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// Has a checkpoint signed. Who is said to have signed another size says which, and is asked again.
async fn submit(own: &Arc<Own>, witness: &Witness, old: u64, newest: &Newest) -> Result<Signature, Outcome> {
    let size = newest.says.size;
    let mut old = old.min(size);
    for again in [true, false] {
        match ask(own, witness, old, newest).await? {
            Heard::Cosigned(line) => return Ok(line),
            Heard::Conflict(theirs) => match conflict(old, size, theirs) {
                Ok(theirs) if again => old = theirs,
                Ok(_) => break,
                Err(outcome) => return Err(outcome),
            },
            Heard::Refused(outcome) => return Err(outcome),
        }
    }
    Err(Outcome::Failed("it answers 409 whatever size it is told".to_owned()))
}

/// What a 409 means: the size to ask with again, or what is wrong.
fn conflict(old: u64, size: u64, theirs: Option<u64>) -> Result<u64, Outcome> {
    match theirs {
        Some(theirs) if theirs > size => Err(Outcome::Drifts(format!(
            "it signed {theirs} leaves, and the log has {size}: the log was rolled back, or another goes by its name"
        ))),
        Some(theirs) if theirs != old => Ok(theirs),
        _ if old == size => Err(Outcome::Drifts(format!(
            "it signed another root for {size} leaves: the log was written anew, or another goes by its name"
        ))),
        _ => Err(Outcome::Failed("it answers 409 and does not say what it signed".to_owned())),
    }
}

async fn ask(own: &Arc<Own>, witness: &Witness, old: u64, newest: &Newest) -> Result<Heard, Outcome> {
    let proof = own.consistency(old, newest.says.size).await.map_err(Outcome::Failed)?;
    let mut body = format!("old {old}\n");
    for hash in proof {
        // Writing to a text cannot fail.
        let _ = writeln!(body, "{}", hash.to_base64());
    }
    let _ = write!(body, "\n{}", newest.note);
    let url = format!("{}/add-checkpoint", witness.url);
    let body = Some(("text/plain; charset=utf-8", body.into()));
    let ask = Ask { verb: Verb::Post, url: &url, token: None, headers: Vec::new(), body };
    let (status, bytes) = exchange(ask, ANCHOR_TIME_MAX, ANSWER_BYTES_MAX).await.map_err(Outcome::Failed)?;
    Ok(heard(status, &String::from_utf8_lossy(&bytes), &newest.note, &witness.key, &own.key()))
}

/// What an answer means. `ours` is the key that the witness has to know.
fn heard(status: u16, text: &str, note: &Note, key: &VerifierKey, ours: &str) -> Heard {
    let failed = |says: String| Heard::Refused(Outcome::Failed(says));
    match status {
        200 => match cosigned(text, note, key) {
            Some(line) => Heard::Cosigned(line),
            None => failed(format!("it answers without a signature of {key} that fits")),
        },
        409 => Heard::Conflict(text.trim_end_matches('\n').parse().ok()),
        422 => Heard::Refused(Outcome::Drifts(
            "the log does not add to what it signed: the log was written anew, or another goes by its name"
                .to_owned(),
        )),
        403 => failed(format!("it knows this log by another key; tell it this one: {ours}")),
        404 => failed(format!("it does not know this log; tell it its origin, and this key: {ours}")),
        other => {
            let plain = |letter: &char| !letter.is_control();
            let reason: String = text.chars().filter(plain).take(REASON_CHARS_MAX).collect();
            failed(format!("it answers {other}: {reason}"))
        }
    }
}

/// The line of this witness in an answer, when it fits. Lines of other keys are passed over.
fn cosigned(text: &str, note: &Note, key: &VerifierKey) -> Option<Signature> {
    let lines = text.lines().filter_map(Signature::parse).filter(|line| key.is_named_by(line));
    lines.into_iter().find(|line| {
        let alone = Note { text: note.text.clone(), signatures: vec![line.clone()] };
        matches!(key.signed(&alone), Signed::Yes(_))
    })
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
