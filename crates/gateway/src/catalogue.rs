//! The catalogue of models that was brought in last: a file of the data folder.

use crate::output;
use anyhow::{Context as _, Result};
use gatehouse_ledger::Catalogue;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

/// Its name in the data folder.
const FILE: &str = "catalogue.jsonl";

/// The catalogue in force for a gateway on this data folder. One that cannot be read any more is told in the log, and
/// the built-in one holds.
pub(crate) fn in_force(dir: &Path) -> Catalogue {
    let catalogue = read(dir).unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "the built-in catalogue of models holds");
        Catalogue::default()
    });
    if let Some(sha256) = catalogue.sha256() {
        tracing::info!(date = catalogue.date(), sha256, "catalogue of models brought in");
    }
    catalogue
}

/// The same for a command, which has no log.
pub(crate) fn for_command(dir: &Path) -> Catalogue {
    read(dir).unwrap_or_else(|error| {
        output::note(&format!("{error:#}; the built-in catalogue holds"));
        Catalogue::default()
    })
}

fn read(dir: &Path) -> Result<Catalogue> {
    let path = dir.join(FILE);
    let shown = path.display();
    match bytes(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Catalogue::default()),
        read => Catalogue::read(read.with_context(|| format!("{shown} cannot be read"))?)
            .with_context(|| format!("{shown} is no catalogue")),
    }
}

/// Stores a catalogue, whole or not at all.
pub(crate) fn store(dir: &Path, bytes: &[u8]) -> Result<()> {
    let aside = dir.join(format!("{FILE}.{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, dir.join(FILE))?;
        File::open(dir)?.sync_all()
    };
    write()
        .inspect_err(|_| drop(fs::remove_file(&aside)))
        .with_context(|| format!("the catalogue cannot be written to {}", dir.display()))
}

/// A file, as far as a catalogue may be long and one byte more.
pub(crate) fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(Catalogue::BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{in_force, store};

    #[test]
    fn what_was_stored_is_in_force_and_what_is_broken_is_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(in_force(dir.path()).sha256(), None);
        let text =
            "{\"catalogue\":1,\"date\":\"2027-01-31\"}\n{\"key\":\"a/b\",\"source\":\"x\",\"context\":5}\n";
        store(dir.path(), text.as_bytes()).unwrap();
        assert_eq!(in_force(dir.path()).facts("a", "b").unwrap().capabilities.context_tokens, Some(5));
        store(dir.path(), b"broken").unwrap();
        assert_eq!(in_force(dir.path()).sha256(), None);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
