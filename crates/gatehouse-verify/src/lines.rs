//! Some records of a log, one a line as they were signed, and the proof of each on the same line of another file.
//!
//! ```text
//! records.jsonl       leaves
//! proofs.jsonl        {"index":602,"path":["<base64>",…],"shard":"r0"}
//! r0/checkpoint       the checkpoint that all paths of this log lead to
//! r0/keys, r0/epochs  as in a copy, and for each epoch the proof of its last leaf (000001.proof)
//! ```

use crate::copy::{checkpoints, first_key, keys};
use crate::trust::Trust;
use gatehouse_proof::hash::Hash;
use gatehouse_proof::leaf::{EPOCH_CLOSED, Facts, Tells, member};
use gatehouse_proof::note::{Signed, VerifierKey};
use gatehouse_proof::proof_file::Proof;
use gatehouse_proof::report::{Finding, Report, Verdict};
use gatehouse_proof::tree::is_included;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// The file of the leaves.
pub const RECORDS: &str = "records.jsonl";
/// The file of the proofs.
pub const PROOFS: &str = "proofs.jsonl";

/// Where a leaf is in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The folder of its log.
    pub shard: String,
    /// Its number.
    pub index: u64,
    /// From its sibling up.
    pub path: Vec<Hash>,
}

/// What is known of a log that records are of.
struct Log {
    size: u64,
    root: Hash,
    report: Report,
    /// Whether somebody who is trusted signed.
    signed: bool,
}

/// Whether a folder holds such records.
#[must_use]
pub fn is_here(dir: &Path) -> bool {
    dir.join(RECORDS).is_file()
}

/// Checks every record against the checkpoint of its log: a report for each log.
///
/// # Errors
/// When it cannot be read at all, for a person.
pub fn verify(dir: &Path, trust: &Trust) -> Result<Vec<Report>, String> {
    let open = |name: &str| {
        let file = File::open(dir.join(name)).map_err(|error| format!("cannot read {name}: {error}"))?;
        Ok::<_, String>(BufReader::new(file).split(b'\n'))
    };
    let (leaves, mut proofs) = (open(RECORDS)?, open(PROOFS)?);
    let mut logs: BTreeMap<String, Log> = BTreeMap::new();
    for (line, leaf) in (1..).zip(leaves) {
        let cannot = |error: std::io::Error| format!("cannot read line {line}: {error}");
        let leaf = leaf.map_err(cannot)?;
        let proof = proofs.next().transpose().map_err(cannot)?;
        let record = proof.and_then(|text| Record::read(&text)).ok_or_else(|| {
            format!("line {line} of {PROOFS} is no proof: every line of {RECORDS} needs one on the same line")
        })?;
        let log = match logs.get_mut(&record.shard) {
            Some(log) => log,
            None => logs.entry(record.shard.clone()).or_insert(Log::open(dir, &record.shard, trust)?),
        };
        log.look_at(&leaf, &record, line);
    }
    if proofs.next().is_some() {
        return Err(format!("{PROOFS} has more lines than {RECORDS}"));
    }
    if logs.is_empty() {
        return Err(format!("{RECORDS} is empty"));
    }
    Ok(logs.into_values().map(|log| log.report).collect())
}

// === impl Log ===

impl Log {
    fn open(dir: &Path, shard: &str, trust: &Trust) -> Result<Self, String> {
        let named = !shard.is_empty() && !shard.starts_with('.') && !shard.contains(['/', '\\']);
        let dir = if named { dir.join(shard) } else { return Err(format!("{shard:?} is no name of a log")) };
        let (known, findings) = checkpoints(&dir)?;
        let mut report = Report::default();
        findings.into_iter().for_each(|finding| report.add(finding));
        let Some(newest) = known.iter().find(|one| one.name == "checkpoint") else {
            return Err(format!("{} has no checkpoint", dir.display()));
        };
        report.origin = newest.says.origin.clone();
        let (mut keys, said) = keys(trust, &report.origin, first_key(&dir));
        report.unchecked.extend(said);
        successors(&dir, &report.origin, &mut keys);
        let forged = keys.iter().any(|key| key.signed(&newest.note) == Signed::Forged);
        let signed = keys.iter().any(|key| matches!(key.signed(&newest.note), Signed::Yes(_)));
        if forged {
            let says = "the checkpoint has a signature of the log's key that does not fit it";
            report.add(Finding::new(Verdict::Tampered, says).in_file("checkpoint"));
        } else if !signed {
            let says = "the checkpoint is not signed by a key that is trusted for it";
            report.add(Finding::new(Verdict::Unverifiable, says).in_file("checkpoint"));
        } else {
            report.checkpoints.push(("checkpoint".to_owned(), newest.says.size));
        }
        if trust.policy.needs_witnesses() && !trust.policy.is_satisfied(&newest.note) {
            let says = "the checkpoint lacks the signatures of the witnesses that the policy asks for";
            report.add(Finding::new(Verdict::Unverifiable, says).in_file("checkpoint"));
        }
        let left_out =
            "these are some records of the log: what was left out cannot be missed from them alone";
        report.unchecked.push(left_out.to_owned());
        Ok(Self { size: newest.says.size, root: newest.says.root, report, signed })
    }

    fn look_at(&mut self, leaf: &[u8], record: &Record, line: u64) {
        let facts = Facts::of(leaf);
        let at = |says: String| Finding::new(Verdict::Tampered, says).at(record.index).in_file(RECORDS);
        if !is_included(&facts.hash, record.index, self.size, &self.root, &record.path) {
            let says =
                format!("line {line} is not leaf {} of the log, or its proof is another's", record.index);
            self.report.add(at(says));
        }
        match facts.says {
            Some(says) if says.seq != record.index || *says.shard != *record.shard => {
                self.report
                    .add(at(format!("line {line} says that it is leaf {} of {}", says.seq, says.shard)));
            }
            Some(says) => self.report.newest = self.report.newest.max(Some(says.at)),
            None => self.report.add(at(format!("line {line} is no leaf"))),
        }
        self.report.size += u64::from(self.signed);
    }
}

/// Follows the epochs: whoever trusts the first key may trust those that closing leaves name, each proven to be in the
/// last checkpoint of its epoch.
fn successors(dir: &Path, origin: &str, keys: &mut Vec<VerifierKey>) {
    for epoch in 1_u32.. {
        let Ok(text) = fs::read_to_string(dir.join("epochs").join(format!("{epoch:06}.proof"))) else {
            return;
        };
        let Ok(proof) = Proof::parse(&text) else { return };
        let leaf = proof.extra.clone().unwrap_or_default();
        let Ok((_, known)) = proof.verify(&leaf, keys) else { continue };
        let closes = known.origin == origin && proof.index + 1 == known.size;
        let Some(says) = Facts::of(&leaf).says.filter(|_| closes) else { continue };
        if let Tells::Event { kind, event } = says.tells
            && &*kind == EPOCH_CLOSED
            && let Some(next) = member::<String>(&event, "next_key")
            && let Ok(key) = VerifierKey::parse(&next)
            && key.name() == origin
        {
            keys.push(key);
        }
    }
}

// === impl Record ===

impl Record {
    fn read(text: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let path = value.get("path")?.as_array()?;
        Some(Self {
            shard: value.get("shard")?.as_str()?.to_owned(),
            index: value.get("index")?.as_u64()?,
            path: path.iter().map(|hash| Hash::from_base64(hash.as_str()?)).collect::<Option<_>>()?,
        })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<String> = self.path.iter().map(Hash::to_base64).collect();
        write!(f, "{}", json!({ "index": self.index, "path": path, "shard": self.shard }))
    }
}
