//! `gatehouse audit export`: a copy of the log.

use crate::cli::{ExportFormat, Place};
use crate::data::Data;
use crate::output;
use anyhow::{Context as _, Result, bail};
use gatehouse_audit::{shard_dir, shards, tree};
use std::path::Path;

/// Copies the log.
pub(crate) fn run(place: &Place, format: ExportFormat, out: &Path) -> Result<()> {
    let data = Data::existing(&place.data)?;
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    if std::fs::read_dir(out).with_context(|| format!("{} cannot be read", out.display()))?.next().is_some() {
        bail!("{} is not empty", out.display());
    }
    let found = shards(data.dir())?;
    if found.is_empty() {
        bail!("there are no records in {}", data.dir().display());
    }
    for shard in found {
        let ExportFormat::Tlog = format;
        let count = tree::export(&shard_dir(data.dir(), &shard), &shard, &out.join(&shard))?;
        output::note(&format!("{count} records of {shard} are in {}", out.join(&shard).display()));
    }
    Ok(())
}
