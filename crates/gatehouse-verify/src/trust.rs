//! Whom whoever verifies trusts.

use gatehouse_proof::examine::Known;
use gatehouse_proof::note::VerifierKey;
use gatehouse_proof::policy::Policy;
use gatehouse_proof::report::Verdict;
use gatehouse_proof::stamp::Token;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// What whoever verifies brings along.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Keys of logs.
    pub keys: Vec<VerifierKey>,
    /// Witnesses that have to agree.
    pub policy: Policy,
    /// Checkpoints that he has seen before, or elsewhere.
    pub remembered: Vec<Known>,
    /// What looks at the signatures of time stamps.
    pub stamps: Option<StampCheck>,
}

/// Whether a time stamp is signed by somebody trusted; if not, what that makes of it, and why. It needs X.509, which
/// whoever has it brings along.
#[derive(Clone)]
pub struct StampCheck(pub Arc<Check>);

type Check = dyn Fn(&Token) -> Result<(), (Verdict, String)> + Send + Sync;

impl fmt::Debug for StampCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StampCheck")
    }
}

// === impl Trust ===

impl Trust {
    /// Reads keys, each written out or in a file with one a line; a policy; and checkpoints.
    ///
    /// # Errors
    /// What cannot be read, and why, for a person.
    pub fn read(keys: &[String], policy: Option<&PathBuf>, checkpoints: &[PathBuf]) -> Result<Self, String> {
        let mut trust = Self::default();
        for key in keys {
            let lines = if key.contains('+') { key.clone() } else { text(&PathBuf::from(key))? };
            for line in lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
            {
                trust.keys.push(VerifierKey::parse(line).map_err(|error| format!("{line}: {error}"))?);
            }
        }
        if let Some(path) = policy {
            trust.policy =
                Policy::parse(&text(path)?).map_err(|error| format!("{}: {error}", path.display()))?;
            trust.keys.extend(trust.policy.logs.iter().cloned());
        }
        for path in checkpoints {
            let known = Known::read(path.display().to_string(), text(path)?.as_bytes());
            trust.remembered.push(known.map_err(|error| format!("{}: {error}", path.display()))?);
        }
        Ok(trust)
    }

    /// The keys of one log.
    #[must_use]
    pub fn keys_of(&self, origin: &str) -> Vec<VerifierKey> {
        self.keys.iter().filter(|key| key.name() == origin).cloned().collect()
    }

    /// The remembered checkpoints of one log.
    #[must_use]
    pub fn remembered_of(&self, origin: &str) -> Vec<Known> {
        self.remembered.iter().filter(|known| known.says.origin == origin).cloned().collect()
    }
}

fn text(path: &PathBuf) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
