//! What a verification found, in sentences.

use crate::hash::Hash;
use std::fmt;

/// Findings of one kind that are told one by one; more of them are counted.
pub const FINDINGS_MAX: usize = 100;

/// What is to be said of a log. The worst finding decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Everything that was looked at is as it was signed.
    Verified,
    /// Something that should be there is not.
    Incomplete,
    /// Nobody trusted says what should be there.
    Unverifiable,
    /// Something is not as it was signed.
    Tampered,
}

/// One thing that is not as it should be, or that whoever reads the verdict has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it makes of the verdict; [`Verdict::Verified`] for a notice.
    pub verdict: Verdict,
    /// The leaf.
    pub index: Option<u64>,
    /// The file.
    pub file: Option<String>,
    /// The hash that should be there.
    pub expected: Option<Hash>,
    /// The hash that is.
    pub found: Option<Hash>,
    /// What and where, for a person.
    pub says: String,
}

/// What was found in one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whose log it is.
    pub origin: String,
    /// How many leaves were looked at.
    pub size: u64,
    /// The hash of the tree over them.
    pub root: Option<Hash>,
    /// When the newest leaf was written, in Unix microseconds.
    pub newest: Option<u64>,
    /// Checkpoints that fit: their names and sizes.
    pub checkpoints: Vec<(String, u64)>,
    /// What witnesses said.
    pub witnesses: Vec<Witnessed>,
    /// What was stamped with a time that somebody trusted told.
    pub stamps: Vec<Witnessed>,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// Findings beyond [`FINDINGS_MAX`].
    pub more: u64,
    /// Calls that were let in and have no end in the log, by the index of their first leaf.
    pub unfinished: Vec<u64>,
    /// Places at which the log says of itself that something may be missing.
    pub gaps: Vec<u64>,
    /// What was not looked at, and what follows from that.
    pub unchecked: Vec<String>,
}

/// What a witness said of a log, or whoever tells the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// The name that the policy gives it; the file of a time stamp.
    pub name: String,
    /// How many leaves, from the first on, were there and are the same now.
    pub size: u64,
    /// When it said so last, in Unix seconds.
    pub at: u64,
}

// === impl Verdict ===

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Incomplete => "incomplete",
            Self::Unverifiable => "unverifiable",
            Self::Tampered => "tampered",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Finding ===

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(verdict: Verdict, says: impl Into<String>) -> Self {
        Self { verdict, index: None, file: None, expected: None, found: None, says: says.into() }
    }

    /// Names the leaf.
    #[must_use]
    pub fn at(mut self, index: u64) -> Self {
        self.index = Some(index);
        self
    }

    /// Names the file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Names the hashes.
    #[must_use]
    pub fn hashes(mut self, expected: Hash, found: Hash) -> Self {
        (self.expected, self.found) = (Some(expected), Some(found));
        self
    }
}

// === impl Report ===

impl Report {
    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Verified)
    }

    /// Adds a finding, or counts it. The worst are not crowded out by the others.
    pub fn add(&mut self, finding: Finding) {
        let like = self.findings.iter().filter(|known| known.verdict == finding.verdict).count();
        if like < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FINDINGS_MAX, Finding, Report, Verdict};

    #[test]
    fn the_worst_finding_decides_and_is_never_crowded_out() {
        let mut report = Report::default();
        assert_eq!(report.verdict(), Verdict::Verified);
        for n in 0..200 {
            report.add(Finding::new(Verdict::Incomplete, "gone").at(n));
        }
        assert_eq!((report.verdict(), report.findings.len()), (Verdict::Incomplete, FINDINGS_MAX));
        report.add(Finding::new(Verdict::Tampered, "changed"));
        report.add(Finding::new(Verdict::Unverifiable, "unsigned"));
        assert_eq!((report.verdict(), report.more), (Verdict::Tampered, 100));
    }
}
