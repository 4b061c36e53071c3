//! A gateway that runs, against checkpoints that somebody remembers: that its log only grew since.

use anyhow::{Result, anyhow, bail};
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::hash::Hash;
use gatehouse_proof::note::{Scheme, Signed, VerifierKey};
use gatehouse_proof::report::{Finding, Report, Verdict};
use gatehouse_proof::tile::{Kind, TILE_HEIGHT, TILE_WIDTH, Tile, hashes};
use gatehouse_proof::tree::{Nodes, consistency, is_consistent, of_row};
use gatehouse_server::fetch;
use gatehouse_verify::copy;
use gatehouse_verify::trust::Trust;
use std::cell::RefCell;
use std::collections::HashMap;
use tokio::runtime::Runtime;

/// The longest document that a log shows.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// The log of a gateway, as it shows it.
struct Live<'a> {
    url: &'a str,
    runtime: Runtime,
    size: u64,
    tiles: RefCell<HashMap<Tile, Vec<Hash>>>,
}

/// Verifies the log at an address such as `http://127.0.0.1:8081/log/r0`.
pub(super) fn verify(url: &str, trust: &Trust) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut live = Live { url: url.trim_end_matches('/'), runtime, size: 0, tiles: RefCell::default() };
    let bytes = live.fetch("checkpoint")?;
    let (note, newest) = Checkpoint::read(&bytes).map_err(|error| anyhow!("{url}/checkpoint: {error}"))?;
    live.size = newest.size;
    let keys = String::from_utf8_lossy(&live.fetch("keys")?).into_owned();
    let keys: Vec<VerifierKey> = keys.lines().filter_map(|line| VerifierKey::parse(line).ok()).collect();
    // The key of the epoch under way is the last; whoever remembers a checkpoint has the key that signed it.
    let (trusted, said) = copy::keys(trust, &newest.origin, keys.last().cloned());
    let mut report = Report {
        origin: newest.origin.clone(),
        size: newest.size,
        root: Some(newest.root),
        ..Report::default()
    };
    let by = |key: &VerifierKey| key.scheme() == Scheme::Ed25519 && key.signed(&note) == Signed::Yes(None);
    if trusted.iter().any(by) {
        report.checkpoints.push(("checkpoint".to_owned(), newest.size));
    } else {
        let says = "the checkpoint that is shown is not signed by a key that is trusted for it";
        report.add(Finding::new(Verdict::Unverifiable, says));
    }
    let remembered = trust.remembered_of(&newest.origin);
    for known in &remembered {
        let old = (known.says.size, &known.says.root);
        if known.says.size > newest.size {
            let says = format!(
                "{} was signed with {} leaves, and the log shows {}: its end was cut off",
                known.name, known.says.size, newest.size
            );
            report.add(Finding::new(Verdict::Incomplete, says).in_file(known.name.clone()));
            continue;
        }
        let path = consistency(known.says.size, newest.size, &live)?;
        if is_consistent(old, (newest.size, &newest.root), &path) {
            report.checkpoints.push((known.name.clone(), known.says.size));
        } else {
            let says = format!("the log that is shown does not add to {}: its past was changed", known.name);
            let finding = Finding::new(Verdict::Tampered, says).in_file(known.name.clone());
            report.add(finding.hashes(known.says.root, newest.root));
        }
    }
    if remembered.is_empty() {
        report
            .unchecked
            .push("no remembered checkpoint (--checkpoint) says what the log was before".to_owned());
    }
    report
        .unchecked
        .push("the records themselves were not looked at: export a copy and verify that".to_owned());
    report.unchecked.extend(said);
    Ok(report)
}

// === impl Live ===

impl Live<'_> {
    fn fetch(&self, path: &str) -> Result<Vec<u8>> {
        let url = format!("{}/{path}", self.url);
        let document = self.runtime.block_on(fetch::document(&url, DOCUMENT_BYTES_MAX));
        document.map(|bytes| bytes.to_vec()).map_err(|why| anyhow!(why))
    }

    fn tile(&self, level: u32, number: u64) -> Result<Vec<Hash>> {
        let there = self.size >> (level * TILE_HEIGHT);
        let width = there.saturating_sub(number.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH);
        let tile = Tile { kind: Kind::Hashes(u8::try_from(level)?), number, width };
        if let Some(known) = self.tiles.borrow().get(&tile) {
            return Ok(known.clone());
        }
        let read = hashes(&self.fetch(&tile.to_string())?).unwrap_or_default();
        if u64::try_from(read.len())? != width {
            bail!("{tile} of {} is not what it should be", self.url);
        }
        self.tiles.borrow_mut().insert(tile, read.clone());
        Ok(read)
    }
}

impl Nodes for Live<'_> {
    type Error = anyhow::Error;

    fn node(&self, level: u32, index: u64) -> Result<Hash> {
        let (tile_level, above) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let begin = index << above;
        let tile = self.tile(tile_level, begin / TILE_WIDTH)?;
        let at = usize::try_from(begin % TILE_WIDTH)?;
        let row = tile.get(at..at + (1 << above)).map(<[Hash]>::to_vec);
        row.and_then(of_row).ok_or_else(|| anyhow!("{} shows no such part of its tree", self.url))
    }
}
