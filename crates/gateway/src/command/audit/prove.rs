//! `gatehouse audit prove`: the proof that a record is in the log, as a file.

use crate::anchors::witnessed;
use crate::cli::Place;
use crate::data::Data;
use crate::index;
use crate::output;
use anyhow::{Context as _, Result, anyhow};
use gatehouse_audit::shard_dir;
use gatehouse_audit::tree::{CHECKPOINT, TREE_DIR, TreeFiles};
use gatehouse_core::call::CallId;
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::leaf::Facts;
use gatehouse_proof::proof_file::Proof;
use gatehouse_proof::tree::inclusion;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a record that was written just now is waited for: checkpoints are signed every second.
const COVERED_WITHIN: Duration = Duration::from_secs(3);
/// How long between two looks: a file that another process writes tells nobody.
const LOOK: Duration = Duration::from_millis(100);

/// Writes a proof.
pub(crate) fn run(place: &Place, record: &str, out: Option<&Path>) -> Result<ExitCode> {
    let data = Data::existing(&place.data)?;
    let call = CallId::parse(record).with_context(|| format!("{record:?} is no record id"))?;
    let Some(shown) = index::up_to_date(&data)?.show(call)? else {
        output::note(&format!("there is no record {record}"));
        return Ok(ExitCode::FAILURE);
    };
    let leaf = shown.leaf.or(shown.admitted).context("the record has no leaf")?;
    let index = Facts::of(leaf.as_bytes()).says.context("the record does not read")?.seq;
    let tree = shard_dir(data.dir(), &shown.shard).join(TREE_DIR);
    let begun = Instant::now();
    let proof = loop {
        match proof(&tree, index, leaf.as_bytes())? {
            Some(proof) => break proof,
            None if begun.elapsed() < COVERED_WITHIN => std::thread::sleep(LOOK),
            None => {
                output::note(
                    "no checkpoint covers this record yet: the gateway signs one a second while it runs",
                );
                return Ok(ExitCode::FAILURE);
            }
        }
    };
    match out {
        Some(path) => {
            std::fs::write(path, proof.to_string())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            output::note(&format!("the proof of record {record} is in {}", path.display()));
        }
        None => output::line(proof.to_string().trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The proof for the leaf at `index`, with the leaf: under a checkpoint that witnesses signed, or else the newest. `None`
/// while neither is there.
fn proof(tree: &Path, index: u64, leaf: &[u8]) -> Result<Option<Proof>> {
    if let Ok(files) = TreeFiles::read(tree)
        && let Some((checkpoint, says)) = witnessed(tree, &files, index)
    {
        let path = inclusion(index, says.size, &files).context("the tree cannot be read")?;
        return Ok(Some(Proof { extra: Some(leaf.to_vec()), index, path, checkpoint }));
    }
    let checkpoint = match std::fs::read_to_string(tree.join(CHECKPOINT)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("the checkpoint cannot be read"),
    };
    let (_, says) = Checkpoint::read(checkpoint.as_bytes()).map_err(|error| anyhow!(error))?;
    if index >= says.size {
        return Ok(None);
    }
    let path = inclusion(index, says.size, &TreeFiles::read(tree)?).context("the tree cannot be read")?;
    Ok(Some(Proof { extra: Some(leaf.to_vec()), index, path, checkpoint }))
}
