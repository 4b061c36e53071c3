//! Anchors: checkpoints in the hands of others, so that not even whoever runs the gateway can write its record anew
//! unseen. No call waits for them; what they do not take, or do not agree with, is logged and counted.
//!
//! [`Anchors`] is what the configuration says. [`spawn`] tells witnesses of new checkpoints (`witness`), keeps copies at
//! a second place (`copies`), and compares both with the log (`own`).

mod certificates;
mod copies;
mod own;
mod stamp;
mod teller;
mod witness;

use anyhow::{Result, anyhow, bail};
use certificates::Certificates;
use gatehouse_audit::tree::{SEAL_EVERY, Sealing, TREE_DIR, TreeFiles};
use gatehouse_audit::{DEFAULT_SHARD, rfc3339, shard_dir};
use gatehouse_config::file::{Anchor, Method, Record};
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::examine::Known;
use gatehouse_proof::note::{Scheme, VerifierKey};
use gatehouse_proof::policy::Policy;
use gatehouse_proof::report::{Finding, Report, Verdict};
use gatehouse_proof::tree::root;
use gatehouse_server::clock;
use gatehouse_server::house::House;
use gatehouse_verify::anchored::{ANCHORED, is_witnessed};
use gatehouse_verify::trust::StampCheck;
use own::Own;
use secrecy::SecretString;
use stamp::Authority;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use teller::Teller;
use tokio::task::{JoinHandle, JoinSet};

/// How often, where nothing is said.
const EVERY: Duration = Duration::from_secs(60);
/// The same for time stamps.
const STAMP_EVERY: Duration = Duration::from_secs(3_600);
/// How long an anchor may take over one answer.
const ANCHOR_TIME_MAX: Duration = Duration::from_secs(10);

/// The anchors of the configuration.
#[derive(Clone, Default)]
pub(crate) struct Anchors {
    witnesses: Vec<Witness>,
    copies: Vec<Copy>,
    authorities: Vec<Authority>,
}

/// A witness.
#[derive(Clone)]
struct Witness {
    name: Arc<str>,
    /// Without `/add-checkpoint`.
    url: String,
    key: VerifierKey,
    every: Duration,
}

/// A second place for the newest checkpoint.
#[derive(Clone)]
struct Copy {
    name: Arc<str>,
    place: Place,
    every: Duration,
}

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Address { url: String, method: Method, token: Option<SecretString> },
}

/// What came of one look at an anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// It has a checkpoint of so many leaves, which is the newest.
    Took(u64),
    /// It did not take it.
    Failed(String),
    /// What it has, or says, is not what the log says: an alarm.
    Drifts(String),
}

/// What a verification knows from anchors.
#[derive(Default)]
pub(crate) struct Anchored {
    /// All witnesses are asked for.
    pub(crate) policy: Policy,
    /// What the second places hold.
    pub(crate) remembered: Vec<Known>,
    /// Places that should hold a checkpoint and hold none, or something else.
    pub(crate) findings: Vec<Finding>,
    /// Places that could not be asked, or cannot be.
    pub(crate) unchecked: Vec<String>,
    /// What looks at time stamps; there, if any are asked for.
    pub(crate) stamps: Option<StampCheck>,
    /// How the names of each authority's time stamps begin, and what it is called.
    authorities: Vec<(String, Arc<str>)>,
}

// === impl Anchors ===

impl Anchors {
    /// Those of a configuration.
    ///
    /// # Errors
    /// Which of them cannot be honoured, and why.
    pub(crate) fn of(record: &Record) -> Result<Self> {
        let (mut anchors, mut names) = (Self::default(), HashSet::new());
        for (number, anchor) in record.anchors.iter().enumerate() {
            let at = format!("record.anchors[{number}]");
            let every = anchor.every.map_or(EVERY, |every| every.0);
            let name: Arc<str> = match (&anchor.witness, place(anchor)) {
                (Some(url), _) => {
                    let key = witness_key(anchor.key.as_deref().unwrap_or_default(), &at)?;
                    let name: Arc<str> = key.name().into();
                    let url = url.trim_end_matches('/').to_owned();
                    anchors.witnesses.push(Witness { name: Arc::clone(&name), url, key, every });
                    name
                }
                (None, Some((name, place))) => {
                    anchors.copies.push(Copy { name: Arc::clone(&name), place, every });
                    name
                }
                (None, None) => {
                    let authority = authority(anchor).map_err(|why| anyhow!("{at}: {why}"))?;
                    let name = Arc::clone(&authority.name);
                    anchors.authorities.push(authority);
                    name
                }
            };
            if !names.insert(Arc::clone(&name)) {
                bail!("{at}: there is an anchor {name:?} already");
            }
        }
        Ok(anchors)
    }

    /// What they know of the log that a verification is of. Asks second places, over the network too.
    pub(crate) fn known(&self) -> Result<Anchored> {
        let mut anchored = Anchored {
            policy: Policy::all_of(self.witnesses.iter().map(|witness| witness.key.clone()).collect()),
            authorities: self
                .authorities
                .iter()
                .map(|one| (format!("{ANCHORED}/{}", one.prefix()), Arc::clone(&one.name)))
                .collect(),
            ..Anchored::default()
        };
        if !self.authorities.is_empty() {
            let trusted = Certificates::joined(self.authorities.iter().map(|one| one.certificates.clone()));
            anchored.stamps = Some(StampCheck(Arc::new(move |token| trusted.signed(token))));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        for copy in &self.copies {
            let name = format!("the copy in {}", copy.name);
            let found = |verdict, says: String| Finding::new(verdict, says).in_file(name.clone());
            match runtime.block_on(copies::read(&copy.place)) {
                Ok(copies::Held::Bytes(bytes)) => match Known::read(&name, &bytes) {
                    Ok(known) => anchored.remembered.push(known),
                    Err(error) => {
                        let says = format!("{name} does not read: {error}");
                        anchored.findings.push(found(Verdict::Tampered, says));
                    }
                },
                Ok(copies::Held::Nothing) => {
                    let says = format!("{name} is not there: it was taken away, or never written");
                    anchored.findings.push(found(Verdict::Incomplete, says));
                }
                Ok(copies::Held::Unknown) => {
                    anchored
                        .unchecked
                        .push(format!("{name} cannot be read back from here: compare it there"));
                }
                Err(why) => anchored.unchecked.push(format!("{name} could not be asked for: {why}")),
            }
        }
        Ok(anchored)
    }
}

// === impl Anchored ===

impl Anchored {
    /// Nothing, and why.
    pub(crate) fn unknown(why: String) -> Self {
        Self { unchecked: vec![why], ..Self::default() }
    }

    /// Adds to what was found in a log whose time stamps were looked at: those that are asked for have to be there.
    pub(crate) fn finish(&self, report: &mut Report) {
        for (prefix, name) in &self.authorities {
            if !report.stamps.iter().any(|stamp| stamp.name.starts_with(prefix)) {
                let says = format!("no checkpoint has a time stamp of {name} that can be taken");
                report.add(Finding::new(Verdict::Unverifiable, says));
            }
        }
        report.unchecked.extend(self.unchecked.iter().cloned());
    }
}

fn place(anchor: &Anchor) -> Option<(Arc<str>, Place)> {
    if let Some(file) = &anchor.file {
        return Some((file.as_str().into(), Place::File(file.into())));
    }
    let url = anchor.url.clone()?;
    let token = anchor.token.as_ref().map(|token| token.0.clone());
    Some((url.as_str().into(), Place::Address { url, method: anchor.method, token }))
}

fn authority(anchor: &Anchor) -> Result<Authority, String> {
    let (Some(url), Some(path)) = (anchor.timestamp.clone(), &anchor.certificate) else {
        return Err("an anchor is exactly one of witness, file, url and timestamp".to_owned());
    };
    let certificates = Certificates::read(Path::new(path)).map_err(|why| format!("certificate: {why}"))?;
    let every = anchor.every.map_or(STAMP_EVERY, |every| every.0);
    Ok(Authority { name: url.as_str().into(), url, certificates, every })
}

fn witness_key(text: &str, at: &str) -> Result<VerifierKey> {
    let key = VerifierKey::parse(text).map_err(|error| anyhow!("{at}.key: {error}"))?;
    if key.scheme() != Scheme::Cosignature {
        bail!("{at}.key: this is no key for cosignatures: its type is not 4");
    }
    Ok(key)
}

/// Looks after the anchors of a log until the task is ended.
///
/// # Errors
/// When the key for witnesses cannot be kept.
pub(crate) fn spawn(
    anchors: Anchors,
    house: &Arc<House>,
    sealing: &Sealing,
    data: &Path,
) -> Result<JoinHandle<()>> {
    let tree = shard_dir(data, DEFAULT_SHARD).join(TREE_DIR);
    let own = Arc::new(Own::open(&tree, sealing, !anchors.witnesses.is_empty())?);
    let mut tasks = JoinSet::new();
    if !anchors.witnesses.is_empty() {
        let tellers = anchors.witnesses.iter().map(|one| Teller::new(house, &one.name)).collect();
        tasks.spawn(witness::watch(Arc::clone(&own), anchors.witnesses, tellers));
    }
    for copy in anchors.copies {
        let teller = Teller::new(house, &copy.name);
        tasks.spawn(copies::watch(Arc::clone(&own), copy, teller));
    }
    for authority in anchors.authorities {
        let teller = Teller::new(house, &authority.name);
        tasks.spawn(stamp::watch(Arc::clone(&own), authority, teller));
    }
    Ok(tokio::spawn(async move {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "an anchor of the audit log is not looked after any more");
            }
        }
    }))
}

/// Waits for the first checkpoint of a new log, and gives the newest.
async fn newest(own: &Arc<Own>) -> own::Newest {
    loop {
        if let Some(newest) = own.newest().await {
            return newest;
        }
        tokio::time::sleep(SEAL_EVERY).await;
    }
}

/// The checkpoint over a leaf that most witnesses signed, with its size; `None` while none of them has seen the leaf.
pub(crate) fn witnessed(tree: &Path, files: &TreeFiles, index: u64) -> Option<(String, Checkpoint)> {
    // What does not fit the tree is for an alarm, and not for a proof.
    let fits = |says: &Checkpoint| {
        (index..files.size()).contains(&(says.size.saturating_sub(1)))
            && root(says.size, files).is_ok_and(|root| root == says.root)
    };
    let names = std::fs::read_dir(tree.join(ANCHORED)).ok()?.flatten();
    let names = names.filter(|entry| is_witnessed(&entry.file_name().to_string_lossy()));
    let notes = names.filter_map(|entry| {
        let (note, says) = Checkpoint::read(&std::fs::read(entry.path()).ok()?).ok()?;
        fits(&says).then_some((note, says))
    });
    let (note, says) = notes.max_by_key(|(note, says)| (note.signatures.len(), says.size))?;
    Some((note.to_string(), says))
}

/// The day in UTC, such as `2026-11-24`.
fn today() -> String {
    rfc3339(clock::unix_micros()).chars().take("2026-11-24".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::Anchors;
    use gatehouse_config::file::{Anchor, Record};
    use gatehouse_proof::note::{KEY_BYTES, Scheme, SignerKey};

    fn said(anchors: Vec<Anchor>) -> Option<String> {
        let record = Record { anchors, ..Record::default() };
        Anchors::of(&record).err().map(|error| error.to_string())
    }

    fn witness(key: String) -> Anchor {
        Anchor { witness: Some("https://w.example/".to_owned()), key: Some(key), ..Anchor::default() }
    }

    #[test]
    fn keys_of_witnesses_are_keys_of_witnesses() {
        let key =
            |scheme| SignerKey::new("w.example", scheme, &[3; KEY_BYTES]).unwrap().verifier().to_string();
        assert_eq!(said(vec![witness(key(Scheme::Cosignature))]), None);
        let ordinary = said(vec![witness(key(Scheme::Ed25519))]).unwrap();
        assert!(
            ordinary.contains("record.anchors[0].key") && ordinary.contains("cosignatures"),
            "{ordinary}"
        );
        assert!(said(vec![witness("w+1+a".to_owned())]).unwrap().contains("record.anchors[0].key"));
        let twice = vec![witness(key(Scheme::Cosignature)), witness(key(Scheme::Cosignature))];
        assert!(said(twice).unwrap().contains("w.example"));
    }
}
