//! A copy of a log as a folder of tiles.
//!
//! ```text
//! checkpoint          the newest checkpoint
//! keys                the public keys of all epochs, the first the first
//! epochs/000001       the last checkpoint of each epoch
//! tile/…              the tree and its leaves, as C2SP tlog-tiles names them
//! ```

use crate::anchored::{ANCHORED, Stamps, is_witnessed};
use crate::trust::Trust;
use crate::work::{ahead, facts};
use gatehouse_proof::examine::{Examiner, Known};
use gatehouse_proof::hash::Hash;
use gatehouse_proof::note::VerifierKey;
use gatehouse_proof::report::{Finding, Report, Verdict};
use gatehouse_proof::tile::{Kind, TILE_HEIGHT, TILE_WIDTH, Tile, entries, hashes};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folders of logs in a copy: itself, or those right in it.
///
/// # Errors
/// When it cannot be read, or there is none.
pub fn logs(dir: &Path) -> Result<Vec<PathBuf>, String> {
    if dir.join("checkpoint").is_file() {
        return Ok(vec![dir.to_owned()]);
    }
    let cannot = |error: io::Error| format!("cannot read {}: {error}", dir.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.join("checkpoint").is_file() {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(format!("{} is no copy of a log: it has no checkpoint", dir.display()));
    }
    Ok(found)
}

/// Checkpoints that stand in a folder of a log: the newest, those by which epochs ended, and those that witnesses
/// signed. Those that do not read are findings, and hide no others.
///
/// # Errors
/// When the newest, or one by which an epoch ended, is there and cannot be read.
pub fn checkpoints(dir: &Path) -> Result<(Vec<Known>, Vec<Finding>), String> {
    let mut paths = vec![("checkpoint".to_owned(), dir.join("checkpoint"))];
    paths.extend(files(dir, "epochs", |name| name.bytes().all(|byte| byte.is_ascii_digit()))?);
    paths.extend(files(dir, ANCHORED, is_witnessed)?);
    let (mut known, mut findings) = (Vec::new(), Vec::new());
    for (name, path) in paths {
        match fs::read(&path).map(|bytes| Known::read(&name, &bytes)) {
            Ok(Ok(one)) => known.push(one),
            Ok(Err(error)) => {
                findings.push(Finding::new(Verdict::Tampered, format!("{name}: {error}")).in_file(name));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if name.starts_with(ANCHORED) => {
                let says = format!("{name} cannot be read: {error}");
                findings.push(Finding::new(Verdict::Incomplete, says).in_file(name));
            }
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        }
    }
    Ok((known, findings))
}

/// Files of a folder with such names, in order; none when there is no such folder.
fn files(dir: &Path, folder: &str, is_one: impl Fn(&str) -> bool) -> Result<Vec<(String, PathBuf)>, String> {
    let Ok(entries) = fs::read_dir(dir.join(folder)) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("cannot read {}: {error}", dir.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_one(&name) {
            found.push((format!("{folder}/{name}"), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The first key that came with a log, for whoever brought none.
#[must_use]
pub fn first_key(dir: &Path) -> Option<VerifierKey> {
    let keys = fs::read_to_string(dir.join("keys")).ok()?;
    keys.lines().find_map(|line| VerifierKey::parse(line).ok())
}

/// The keys to go by: those that were brought, or else the first that came along, which is said.
#[must_use]
pub fn keys(
    trust: &Trust,
    origin: &str,
    came_along: Option<VerifierKey>,
) -> (Vec<VerifierKey>, Option<String>) {
    let brought = trust.keys_of(origin);
    if !brought.is_empty() || !trust.keys.is_empty() {
        return (brought, None);
    }
    let said = came_along
        .as_ref()
        .map(|key| format!("the key came with the log; compare it with one that you got elsewhere: {key}"));
    (came_along.into_iter().collect(), said)
}

/// Goes through a copy of one log.
///
/// # Errors
/// When it cannot be read at all, for a person.
pub fn verify(dir: &Path, trust: &Trust) -> Result<Report, String> {
    let stamps = Stamps::read(dir);
    let (own, findings) = checkpoints(dir)?;
    let Some(newest) = own.iter().find(|one| one.name == "checkpoint") else {
        return Ok(Report { origin: dir.display().to_string(), findings, ..Report::default() });
    };
    let (origin, size) = (newest.says.origin.clone(), newest.says.size);
    let (keys, said) = keys(trust, &origin, first_key(dir));
    let mut known = own;
    known.extend(stamps.known().chain(trust.remembered_of(&origin)));
    let mut pass = Pass { dir, size, examiner: Examiner::new(&origin, known), upper: BTreeMap::new() };
    findings.into_iter().for_each(|finding| pass.examiner.found(finding));
    pass.leaves()?;
    pass.upper()?;
    let mut report = pass.examiner.finish(&keys, &trust.policy);
    report.unchecked.extend(said);
    stamps.examine(trust, &mut report);
    Ok(report)
}

/// One way through a copy.
struct Pass<'a> {
    dir: &'a Path,
    /// How many leaves its newest checkpoint speaks of.
    size: u64,
    examiner: Examiner,
    /// The hashes of levels of tiles above the lowest, as they should be.
    upper: BTreeMap<u32, Vec<Hash>>,
}

// === impl Pass ===

impl Pass<'_> {
    /// Every leaf, beside the lowest level of tiles.
    fn leaves(&mut self) -> Result<(), String> {
        let (dir, size) = (self.dir, self.size);
        let mut tiles = 0..size.div_ceil(TILE_WIDTH);
        let mut failed = Ok(());
        ahead(
            || tiles.next().map(|number| bundle(dir, size, number)),
            |bundle| match bundle {
                Ok(bundle) => self.go_through(bundle),
                Err(why) => {
                    failed = Err(why);
                    false
                }
            },
        );
        failed
    }

    /// False when nothing more can be gone through.
    fn go_through(&mut self, bundle: Bundle) -> bool {
        let Bundle { name, width, bytes, stored } = bundle;
        let stored = stored.unwrap_or_default();
        let at = |index: usize| stored.get(index).copied();
        let mut add = |level: u32, hash: Hash| {
            if level > 0 && level.is_multiple_of(TILE_HEIGHT) {
                self.upper.entry(level / TILE_HEIGHT).or_default().push(hash);
            }
        };
        let Some(bytes) = bytes else {
            // The leaves are gone; their hashes let the rest be checked.
            if u64::try_from(stored.len()).is_ok_and(|count| count == width) {
                stored.iter().for_each(|hash| self.examiner.absent(*hash, |level, _, hash| add(level, hash)));
                return true;
            }
            return false;
        };
        let Some(found) = entries(&bytes) else {
            let says = format!("{name} does not end with a whole leaf");
            self.examiner.found(Finding::new(Verdict::Tampered, says).in_file(name));
            return false;
        };
        for (index, (facts, bytes)) in facts(&found).into_iter().zip(&found).enumerate() {
            match at(index) {
                // A leaf whose time was over: its hash lets the rest be checked.
                Some(hash) if bytes.is_empty() => {
                    self.examiner.absent(hash, |level, _, hash| add(level, hash));
                }
                stored => self.examiner.leaf(&facts, stored, &name, |level, _, hash| add(level, hash)),
            }
        }
        let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
        if count != width {
            let says = format!("{name} holds {count} leaves, and should hold {width}");
            let verdict = if count < width { Verdict::Incomplete } else { Verdict::Tampered };
            self.examiner.found(Finding::new(verdict, says).in_file(name));
        }
        count == width
    }

    /// The levels of tiles above the lowest.
    fn upper(&mut self) -> Result<(), String> {
        let whole = self.examiner.size() == self.size;
        let tiles = Tile::all(self.size).filter(|tile| whole && tile.kind != Kind::Entries);
        for tile in tiles {
            let Kind::Hashes(level) = tile.kind else { continue };
            let Some(bytes) = read(self.dir, tile)? else {
                let says = format!("{tile} is missing; it can be made anew from the leaves");
                self.examiner.found(Finding::new(Verdict::Incomplete, says).in_file(tile.to_string()));
                continue;
            };
            let begin = usize::try_from(tile.number * TILE_WIDTH).unwrap_or(usize::MAX);
            let width = usize::try_from(tile.width).unwrap_or_default();
            let expected = match self.upper.get(&u32::from(level)) {
                Some(level) => level.get(begin..).and_then(|rest| rest.get(..width)).unwrap_or_default(),
                // The lowest was compared leaf by leaf, but for its length.
                None => &[],
            };
            let found = hashes(&bytes).unwrap_or_default();
            let fits = if level == 0 { found.len() == width } else { found == expected };
            if !fits {
                let says = format!("{tile} is not what its leaves make of it");
                self.examiner.found(Finding::new(Verdict::Tampered, says).in_file(tile.to_string()));
            }
        }
        Ok(())
    }
}

fn bundle(dir: &Path, size: u64, number: u64) -> Result<Bundle, String> {
    let width = (size - number * TILE_WIDTH).min(TILE_WIDTH);
    let entries = Tile { kind: Kind::Entries, number, width };
    let stored = read(dir, Tile { kind: Kind::Hashes(0), number, width })?;
    let stored = stored.map(|bytes| hashes(&bytes).unwrap_or_default());
    Ok(Bundle { name: entries.to_string(), width, bytes: read(dir, entries)?, stored })
}

fn read(dir: &Path, tile: Tile) -> Result<Option<Vec<u8>>, String> {
    let path = dir.join(tile.to_string());
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// A tile of entries with the hashes that belong to it.
struct Bundle {
    name: String,
    width: u64,
    bytes: Option<Vec<u8>>,
    stored: Option<Vec<Hash>>,
}
