//! `gatehouse audit verify`: of our own records, of a copy, or of the proof of one.

use crate::anchors::{Anchored, Anchors};
use crate::cli::{AuditVerify, Place};
use crate::data::Data;
use crate::output;
use crate::settings::Source;
use anyhow::{Context as _, Result, anyhow};
use gatehouse_audit::tree::{Follower, KEYS, Numbered, ORIGIN, TREE_DIR, TreeFiles};
use gatehouse_audit::{shard_dir, shards};
use gatehouse_proof::examine::Examiner;
use gatehouse_proof::note::VerifierKey;
use gatehouse_proof::report::{Finding, Report, Verdict};
use gatehouse_verify::anchored::Stamps;
use gatehouse_verify::trust::Trust;
use gatehouse_verify::work::{ahead, facts};
use gatehouse_verify::{copy, lines, output as said, receipt};
use std::path::Path;
use std::process::ExitCode;

/// Leaves that are read before they are gone through.
const LEAVES_AT_ONCE: usize = 8_192;
/// What to call the files of our own log.
const SEGMENTS: &str = "the log";

/// Verifies.
pub(crate) fn run(asked: &AuditVerify) -> Result<ExitCode> {
    let mut trust =
        Trust::read(&asked.key, asked.policy.as_ref(), &asked.checkpoint).map_err(|why| anyhow!(why))?;
    let reports = match &asked.path {
        Some(path) if path.is_file() => return proof(asked, path, trust),
        Some(path) if is_address(path) => vec![super::live::verify(&path.to_string_lossy(), &trust)?],
        Some(path) if lines::is_here(path) => lines::verify(path, &trust).map_err(|why| anyhow!(why))?,
        Some(path) => {
            let logs = copy::logs(path).map_err(|why| anyhow!(why))?;
            logs.iter()
                .map(|dir| copy::verify(dir, &trust))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|why| anyhow!(why))?
        }
        None => {
            let anchored = anchored(&asked.place)?;
            if asked.policy.is_none() {
                trust.policy = anchored.policy.clone();
            }
            trust.stamps = anchored.stamps.clone();
            own(&Data::existing(&asked.place.data)?, &trust, &anchored)?
        }
    };
    if asked.json {
        output::json(&said::json(&reports, asked.strict));
    } else {
        output::line(said::text(&reports, asked.strict).trim_end());
    }
    Ok(exit(said::verdict(&reports, asked.strict)))
}

fn is_address(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.starts_with("http://") || text.starts_with("https://"))
}

fn exit(verdict: Verdict) -> ExitCode {
    if verdict == Verdict::Verified { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn proof(asked: &AuditVerify, path: &Path, mut trust: Trust) -> Result<ExitCode> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if trust.keys.is_empty() {
        // Whoever holds the log may go by its keys.
        trust.keys = own_keys(&asked.place.data);
    }
    let worth = receipt::verify(&text, &trust);
    if asked.json {
        output::json(&said::proof_json(&worth));
    } else {
        output::line(said::proof_text(&worth).trim_end());
    }
    Ok(exit(worth.verdict))
}

fn own_keys(data: &Path) -> Vec<VerifierKey> {
    let texts = shards(data)
        .unwrap_or_default()
        .into_iter()
        .map(|shard| std::fs::read_to_string(shard_dir(data, &shard).join(TREE_DIR).join(KEYS)));
    let lines: Vec<String> = texts.filter_map(Result::ok).collect();
    lines.iter().flat_map(|text| text.lines()).filter_map(|line| VerifierKey::parse(line).ok()).collect()
}

/// What the anchors of the configuration know. A configuration that cannot be read here does not keep anybody from
/// verifying; it is said.
fn anchored(place: &Place) -> Result<Anchored> {
    match Source::of(place).read() {
        Ok(settings) => Anchors::of(&settings.config.record)?.known(),
        Err(faults) => {
            let says = format!("its anchors, as the configuration cannot be read here: {faults}");
            Ok(Anchored::unknown(says))
        }
    }
}

/// Our own records, of every shard.
fn own(data: &Data, trust: &Trust, anchored: &Anchored) -> Result<Vec<Report>> {
    let found = shards(data.dir())?;
    if found.is_empty() {
        return Err(anyhow!("there are no records in {}", data.dir().display()));
    }
    found.iter().map(|shard| shard_of(&shard_dir(data.dir(), shard), trust, anchored)).collect()
}

fn shard_of(log: &Path, trust: &Trust, anchored: &Anchored) -> Result<Report> {
    let tree = log.join(TREE_DIR);
    let stamps = Stamps::read(&tree);
    let (known, findings) = copy::checkpoints(&tree).map_err(|why| anyhow!(why))?;
    let given = std::fs::read_to_string(tree.join(ORIGIN)).unwrap_or_else(|_| log.display().to_string());
    let name = known.first().map_or_else(|| given.trim().to_owned(), |one| one.says.origin.clone());
    let (keys, said) = copy::keys(trust, &name, copy::first_key(&tree));
    let remembered = trust.remembered_of(&name).into_iter().chain(anchored.remembered.iter().cloned());
    let mut examiner =
        Examiner::new(&name, known.into_iter().chain(stamps.known()).chain(remembered).collect());
    findings.into_iter().chain(anchored.findings.iter().cloned()).for_each(|found| examiner.found(found));
    let stored = TreeFiles::read(&tree).ok();
    if stored.is_none() {
        let says = "the hashes of the log are gone; the next start of the gateway makes them anew";
        examiner.found(Finding::new(Verdict::Incomplete, says));
    }
    go_through(log, stored.as_ref(), &mut examiner)?;
    let mut report = examiner.finish(&keys, &trust.policy);
    report.unchecked.extend(said);
    stamps.examine(trust, &mut report);
    anchored.finish(&mut report);
    Ok(report)
}

fn go_through(log: &Path, stored: Option<&TreeFiles>, examiner: &mut Examiner) -> Result<()> {
    let mut follower = Follower::open(log, 0)?;
    let mut done = Ok(());
    ahead(
        || {
            let leaves = some(&mut follower);
            leaves.as_ref().map_or(true, |leaves| !leaves.is_empty()).then_some(leaves)
        },
        |leaves| {
            done = leaves.and_then(|leaves| look_at(&leaves, stored, examiner));
            done.is_ok()
        },
    );
    done
}

/// The next leaves; none at the end.
fn some(follower: &mut Follower) -> Result<Vec<Numbered>> {
    let mut leaves = Vec::new();
    while leaves.len() < LEAVES_AT_ONCE
        && let Some(next) = follower.next(u64::MAX)?
    {
        leaves.push(next);
    }
    Ok(leaves)
}

fn look_at(leaves: &[Numbered], stored: Option<&TreeFiles>, examiner: &mut Examiner) -> Result<()> {
    let count = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    let begin = examiner.size();
    let hashes = stored.map_or_else(|| Ok(Vec::new()), |files| files.range(0, begin, count))?;
    let bytes: Vec<&[u8]> = leaves.iter().map(|next| next.leaf.as_deref().unwrap_or_default()).collect();
    for (at, (next, facts)) in leaves.iter().zip(facts(&bytes)).enumerate() {
        match (&next.leaf, hashes.get(at)) {
            (None, Some(hash)) => examiner.absent(*hash, |_, _, _| {}),
            (_, hash) => examiner.leaf(&facts, hash.copied(), SEGMENTS, |_, _, _| {}),
        }
    }
    Ok(())
}
