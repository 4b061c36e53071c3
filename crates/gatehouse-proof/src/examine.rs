//! Going through a log from its first leaf to its last.
//!
//! Every leaf is hashed, the tree is built anew, and its root has to be that of every checkpoint that is known, at
//! the size of each. Where the log's own tiles are at hand, they say which leaf was changed; where not, the
//! checkpoints say between which of them.

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::leaf::{EPOCH_CLOSED, Facts, Id, LOST, Tells, member};
use crate::note::{Note, NoteError, Scheme, Signed, VerifierKey};
use crate::policy::Policy;
use crate::report::{Finding, Report, Verdict, Witnessed};
use crate::tree::Frontier;
use std::collections::{BTreeMap, HashMap};

/// How far a leaf may be older than one before it, in microseconds: ends of calls are written in the order in which
/// they come, and their times are taken a moment before.
pub const BACKWARDS_MICROS_MAX: u64 = 5_000_000;

const GAP: &str = "gap.declared";
const PRUNED: &str = "retention.pruned";

/// A checkpoint that is known.
#[derive(Clone, Debug)]
pub struct Known {
    /// What to call it: a file, mostly.
    pub name: String,
    /// With its signatures.
    pub note: Note,
    /// What it says.
    pub says: Checkpoint,
}

/// Goes through a log.
#[derive(Debug)]
pub struct Examiner {
    report: Report,
    frontier: Frontier,
    /// By size.
    known: BTreeMap<u64, Vec<Known>>,
    /// Calls that were let in, by the index of their first leaf.
    open: HashMap<Id, u64>,
    shard: Option<Box<str>>,
    latest: u64,
    /// Leaves that are not there, begin and end.
    absent: Vec<(u64, u64)>,
    /// Leaves that the log declares lost or took out itself.
    declared: Vec<(u64, u64)>,
    /// The keys that epochs name for the next, by the index of the leaf.
    successors: Vec<(u64, VerifierKey)>,
    /// Sizes whose root fits.
    fits: Vec<u64>,
}

// === impl Known ===

impl Known {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`NoteError::Note`] when it is none.
    pub fn read(name: impl Into<String>, bytes: &[u8]) -> Result<Self, NoteError> {
        let (note, says) = Checkpoint::read(bytes)?;
        Ok(Self { name: name.into(), note, says })
    }
}

// === impl Examiner ===

impl Examiner {
    /// One for the log of this origin, with all that is known of it.
    #[must_use]
    pub fn new(origin: &str, known: Vec<Known>) -> Self {
        let mut examiner = Self {
            report: Report { origin: origin.to_owned(), ..Report::default() },
            frontier: Frontier::default(),
            known: BTreeMap::new(),
            open: HashMap::new(),
            shard: None,
            latest: 0,
            absent: Vec::new(),
            declared: Vec::new(),
            successors: Vec::new(),
            fits: Vec::new(),
        };
        for one in known {
            if one.says.origin == origin {
                examiner.known.entry(one.says.size).or_default().push(one);
            } else {
                let says = format!("{} is a checkpoint of {}, not of {origin}", one.name, one.says.origin);
                examiner.report.add(Finding::new(Verdict::Unverifiable, says).in_file(one.name));
            }
        }
        examiner.meet();
        examiner
    }

    /// How many leaves the largest checkpoint speaks of.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.known.last_key_value().map_or(0, |(size, _)| *size)
    }

    /// How many leaves were gone through.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The next leaf; `stored` is its hash in the log's own tiles, where they are at hand. Subtrees that become whole
    /// are told, so that they can be compared with those tiles.
    pub fn leaf(
        &mut self,
        facts: &Facts,
        stored: Option<Hash>,
        file: &str,
        completed: impl FnMut(u32, u64, Hash),
    ) {
        let index = self.frontier.size();
        if let Some(stored) = stored.filter(|stored| *stored != facts.hash) {
            let says =
                format!("leaf {index} in {file} is not the one that the log hashed when it was written");
            let finding = Finding::new(Verdict::Tampered, says).at(index).in_file(file);
            self.report.add(finding.hashes(stored, facts.hash));
        }
        self.read(index, file, facts);
        self.frontier.push(facts.hash, completed);
        self.meet();
    }

    /// The next leaf, which is not there, but whose hash the log kept.
    pub fn absent(&mut self, stored: Hash, completed: impl FnMut(u32, u64, Hash)) {
        let index = self.frontier.size();
        match self.absent.last_mut().filter(|(_, end)| *end == index) {
            Some((_, end)) => *end += 1,
            None => self.absent.push((index, index + 1)),
        }
        self.frontier.push(stored, completed);
        self.meet();
    }

    /// Something that whoever reads the log's files found.
    pub fn found(&mut self, finding: Finding) {
        self.report.add(finding);
    }

    fn read(&mut self, index: u64, file: &str, facts: &Facts) {
        let Some(says) = &facts.says else {
            let text = format!("leaf {index} in {file} does not read as a record");
            return self.report.add(Finding::new(Verdict::Tampered, text).at(index).in_file(file));
        };
        if says.seq != index {
            let text = format!(
                "leaf {index} in {file} says it is number {}: leaves were moved, added or taken out",
                says.seq
            );
            self.report.add(Finding::new(Verdict::Tampered, text).at(index).in_file(file));
        }
        let shard = self.shard.get_or_insert_with(|| says.shard.clone());
        if *shard != says.shard {
            let text =
                format!("leaf {index} in {file} is of the log {}, and those before of {shard}", says.shard);
            self.report.add(Finding::new(Verdict::Tampered, text).at(index).in_file(file));
        }
        if says.at > 0 {
            if says.at.saturating_add(BACKWARDS_MICROS_MAX) < self.latest {
                let seconds = (self.latest - says.at) / 1_000_000;
                let text = format!("the clock went back by {seconds} s at leaf {index}");
                self.report.add(Finding::new(Verdict::Verified, text).at(index));
            }
            // A clock that was set back is told once.
            self.latest = says.at;
        }
        match &says.tells {
            Tells::Admitted(call) => {
                self.open.insert(*call, index);
            }
            Tells::Ended(call) => {
                self.open.remove(call);
            }
            Tells::Event { kind, event } => self.event(index, kind, event),
            Tells::Newer => {}
        }
    }

    fn event(&mut self, index: u64, kind: &str, event: &str) {
        let span =
            |first: &str, last: &str| Some((member::<u64>(event, first)?, member::<u64>(event, last)?));
        match kind {
            GAP => {
                self.report.gaps.push(index);
                self.declared.extend(
                    span("lost_first", "lost_last").map(|(first, last)| (first, last.saturating_add(1))),
                );
            }
            PRUNED => {
                self.declared
                    .extend(span("first", "last").map(|(first, last)| (first, last.saturating_add(1))));
            }
            LOST => self.report.gaps.push(index),
            EPOCH_CLOSED => {
                let next = member::<String>(event, "next_key").and_then(|key| VerifierKey::parse(&key).ok());
                self.successors.extend(next.map(|key| (index, key)));
            }
            _ => {}
        }
    }

    /// Compares the root with that of the checkpoints of this size.
    fn meet(&mut self) {
        let size = self.frontier.size();
        let Some(known) = self.known.get(&size) else { return };
        let root = self.frontier.root();
        for one in known {
            if one.says.root == root {
                self.report.checkpoints.push((one.name.clone(), size));
                self.fits.push(size);
                continue;
            }
            let since = match self.fits.last() {
                Some(last) => format!("the leaves from {last} to {}", size.saturating_sub(1)),
                None => format!("the first {size} leaves"),
            };
            let says = format!("{since} are not those that {} was signed for", one.name);
            let finding = Finding::new(Verdict::Tampered, says).in_file(one.name.clone());
            self.report.add(finding.hashes(one.says.root, root));
        }
    }

    /// The end of the log: what its checkpoints are worth, and what is missing.
    #[must_use]
    pub fn finish(mut self, trusted: &[VerifierKey], policy: &Policy) -> Report {
        let size = self.frontier.size();
        self.report.size = size;
        self.report.root = Some(self.frontier.root());
        self.report.newest = Some(self.latest).filter(|at| *at > 0);
        self.report.unfinished = self.open.values().copied().collect();
        self.report.unfinished.sort_unstable();
        self.check_signatures(trusted);
        self.check_witnesses(policy);
        self.check_missing(size);
        self.report
    }

    /// A checkpoint counts when a trusted key signed it. An epoch whose last checkpoint counts, and fits, makes the key
    /// that its last leaf names trusted for what comes after.
    fn check_signatures(&mut self, trusted: &[VerifierKey]) {
        let of_log = |key: &&VerifierKey| key.name() == self.report.origin && key.scheme() == Scheme::Ed25519;
        let mut keys: Vec<VerifierKey> = trusted.iter().filter(of_log).cloned().collect();
        for (size, known) in &self.known {
            let is_by = |keys: &[VerifierKey], one: &Known| {
                keys.iter().any(|key| matches!(key.signed(&one.note), Signed::Yes(_)))
            };
            // The last checkpoint of an epoch and the first of the next may be of one size.
            if self.fits.contains(size) && known.iter().any(|one| is_by(&keys, one)) {
                let closes = self.successors.iter().filter(|(index, _)| index + 1 == *size);
                keys.extend(
                    closes.map(|(_, key)| key.clone()).filter(|key| key.name() == self.report.origin),
                );
            }
            for one in known {
                if keys.iter().any(|key| key.signed(&one.note) == Signed::Forged) {
                    let says = format!("{} has a signature of the log's key that does not fit it", one.name);
                    self.report.add(Finding::new(Verdict::Tampered, says).in_file(one.name.clone()));
                } else if !is_by(&keys, one) {
                    let says = format!("{} is not signed by a key that is trusted for it", one.name);
                    self.report.add(Finding::new(Verdict::Unverifiable, says).in_file(one.name.clone()));
                }
            }
        }
        if self.known.is_empty() {
            self.report.add(Finding::new(Verdict::Unverifiable, "no checkpoint says what should be there"));
        }
    }

    /// The log is one tree: who vouches for it at one size vouches for it at every smaller one. So the signatures of
    /// witnesses may stand under different checkpoints.
    fn check_witnesses(&mut self, policy: &Policy) {
        let vouched = self.vouched(policy);
        if !policy.needs_witnesses() {
            self.report.unchecked.push(
                "no witness vouches for the log: whoever holds its key could have written it anew".to_owned(),
            );
            return;
        }
        let agree =
            |size: &u64| policy.is_agreed(|key| vouched.iter().any(|(known, to)| known == key && to >= size));
        let newest = vouched.iter().map(|(_, size)| *size).filter(agree).max();
        match newest {
            None => {
                let says = "no checkpoint has the signatures of the witnesses that are asked for";
                self.report.add(Finding::new(Verdict::Unverifiable, says));
            }
            Some(size) if size < self.frontier.size() => {
                let says = format!("witnesses vouch for the first {size} leaves, and not for those after");
                self.report.unchecked.push(says);
            }
            Some(_) => {}
        }
    }

    /// How far each witness vouches for the log. A checkpoint whose root does not fit says nothing for it.
    fn vouched(&mut self, policy: &Policy) -> Vec<(VerifierKey, u64)> {
        let (mut vouched, mut forged): (Vec<(VerifierKey, u64)>, Vec<Finding>) = Default::default();
        for (name, key) in &policy.witnesses {
            let mut best: Option<Witnessed> = None;
            for (size, one) in
                self.known.iter().flat_map(|(size, known)| known.iter().map(move |one| (*size, one)))
            {
                match key.signed(&one.note) {
                    Signed::Yes(at) if self.report.checkpoints.contains(&(one.name.clone(), size)) => {
                        let at = at.unwrap_or_default().max(best.as_ref().map_or(0, |best| best.at));
                        best = Some(Witnessed { name: name.clone(), size, at });
                    }
                    Signed::Forged => {
                        let says = format!(
                            "{} has a signature of the witness {name} that does not fit it",
                            one.name
                        );
                        forged.push(Finding::new(Verdict::Tampered, says).in_file(one.name.clone()));
                    }
                    Signed::Yes(_) | Signed::No => {}
                }
            }
            if let Some(best) = best {
                vouched.push((key.clone(), best.size));
                self.report.witnesses.push(best);
            }
        }
        forged.into_iter().for_each(|finding| self.report.add(finding));
        vouched
    }

    fn check_missing(&mut self, size: u64) {
        let wanted = self.wanted();
        if size < wanted {
            let name = self.known.get(&wanted).and_then(|known| known.first()).map(|one| one.name.clone());
            let says = format!(
                "the log was signed with {wanted} leaves, and this copy ends at {size}: its end was cut off"
            );
            let finding = Finding::new(Verdict::Incomplete, says).at(size);
            self.report.add(match name {
                Some(name) => finding.in_file(name),
                None => finding,
            });
        } else if size > wanted {
            let says = format!("no checkpoint covers the {} leaves from {wanted} on", size - wanted);
            self.report.unchecked.push(says);
        } else {
            self.report.unchecked.push(format!(
                "leaves written after the newest checkpoint ({wanted}) cannot be missed from this copy alone"
            ));
        }
        for (begin, end) in std::mem::take(&mut self.absent) {
            let undeclared = without(begin, end, &self.declared);
            for (first, behind) in undeclared {
                let says = match behind - first {
                    1 => format!("leaf {first} is missing, and the log does not say why"),
                    _ => format!(
                        "the leaves from {first} to {} are missing, and the log does not say why",
                        behind - 1
                    ),
                };
                self.report.add(Finding::new(Verdict::Incomplete, says).at(first));
            }
        }
    }
}

/// What of a span is in none of these.
fn without(begin: u64, end: u64, taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = vec![(begin, end)];
    for (from, to) in taken {
        left = left
            .into_iter()
            .flat_map(|(begin, end)| [(begin, end.min(*from)), (begin.max(*to), end)])
            .filter(|(begin, end)| begin < end)
            .collect();
    }
    left
}

#[cfg(test)]
#[path = "examine_tests.rs"]
mod tests;
