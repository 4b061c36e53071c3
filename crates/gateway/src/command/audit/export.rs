//! `gatehouse audit export`: a copy of the log, or of some of its records.

use super::hold;
use crate::cli::{AuditExport, ExportFormat};
use crate::control::{Exported, Word, say};
use crate::data::Data;
use crate::export::Form;
use crate::export::parquet::Rows;
use crate::output;
use crate::records;
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;
use gatehouse_audit::tree::{self, CHECKPOINT, EPOCHS, Follower, KEYS, TREE_DIR, TreeFiles};
use gatehouse_audit::{DEFAULT_SHARD, Leaf, Subjects, View, shard_dir, shards};
use gatehouse_proof::checkpoint::Checkpoint;
use gatehouse_proof::proof_file::Proof;
use gatehouse_proof::tree::inclusion;
use gatehouse_store::Selection;
use gatehouse_verify::lines::{PROOFS, RECORDS, Record};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// The file of the records, where it is one of Parquet.
const PARQUET: &str = "records.parquet";

/// Copies.
pub(crate) fn run(asked: &AuditExport) -> Result<()> {
    let data = Data::existing(&asked.place.data)?;
    let of = hold::selection(&asked.of)?;
    let found = shards(data.dir())?;
    if found.is_empty() {
        bail!("there are no records in {}", data.dir().display());
    }
    let out = &asked.out;
    let records = match form(asked.format) {
        None if of != Selection::default() => {
            bail!("a copy as tiles is one of the whole log; for some records take --format jsonl")
        }
        None => tiles(&data, &found, out)?,
        Some(Form::Jsonl) => proven(&data, &found, &of, out, asked.format)?,
        Some(form) => plain(&data, &found, &of, form, out)?,
    };
    let format =
        asked.format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let of = records::of(of.recorded(&data.subjects(DEFAULT_SHARD)?)).to_string();
    let made = Exported { format, records, of };
    if !say(&data, &Word::Exported(made.clone()))? {
        data.log()?.append(Leaf::Event(&made.event()))?;
    }
    output::note(&format!("{records} records are in {}", out.display()));
    Ok(())
}

fn form(format: ExportFormat) -> Option<Form> {
    match format {
        ExportFormat::Tlog => None,
        ExportFormat::Jsonl | ExportFormat::Parquet => Some(Form::Jsonl),
        ExportFormat::Ocsf => Some(Form::Ocsf),
        ExportFormat::Cef => Some(Form::Cef),
        ExportFormat::Otlp => Some(Form::Otlp),
    }
}

fn tiles(data: &Data, found: &[String], out: &Path) -> Result<u64> {
    empty_dir(out)?;
    let mut records = 0;
    for shard in found {
        records += tree::export(&shard_dir(data.dir(), shard), shard, &out.join(shard))?;
    }
    Ok(records)
}

/// Records as they were signed, and the proof of each on the same line of another file.
fn proven(data: &Data, found: &[String], of: &Selection, out: &Path, format: ExportFormat) -> Result<u64> {
    empty_dir(out)?;
    let mut leaves = Leaves::begin(out, format)?;
    let mut proofs = BufWriter::new(File::create_new(out.join(PROOFS))?);
    let mut records = 0;
    for shard in found {
        let log = shard_dir(data.dir(), shard);
        let (tree, beside) = (log.join(TREE_DIR), out.join(shard));
        let text = fs::read(tree.join(CHECKPOINT)).context("nothing is signed yet")?;
        let (_, checkpoint) = Checkpoint::read(&text).context("the checkpoint does not read")?;
        fs::create_dir_all(beside.join(EPOCHS))?;
        fs::write(beside.join(CHECKPOINT), &text)?;
        fs::copy(tree.join(KEYS), beside.join(KEYS))?;
        let files = TreeFiles::read(&tree)?;
        ends_of_epochs(&log, &files, &beside.join(EPOCHS))?;
        each(&log, of, &data.subjects(shard)?, |leaf, view| {
            if view.seq >= checkpoint.size {
                return Ok(());
            }
            let path = inclusion(view.seq, checkpoint.size, &files)?;
            leaves.add(leaf, view)?;
            writeln!(proofs, "{}", Record { shard: shard.clone(), index: view.seq, path })?;
            records += 1;
            Ok(())
        })?;
    }
    leaves.end()?;
    whole(proofs)?;
    Ok(records)
}

/// The file of the records themselves.
enum Leaves {
    Lines(BufWriter<File>),
    Rows(Box<Rows<File>>),
}

impl Leaves {
    fn begin(out: &Path, format: ExportFormat) -> Result<Self> {
        Ok(match format {
            ExportFormat::Parquet => Self::Rows(Box::new(Rows::begin(File::create_new(out.join(PARQUET))?)?)),
            _ => Self::Lines(BufWriter::new(File::create_new(out.join(RECORDS))?)),
        })
    }

    fn add(&mut self, leaf: &[u8], view: &View<'_>) -> Result<()> {
        match self {
            Self::Lines(lines) => Ok(lines.write_all(leaf).and_then(|()| lines.write_all(b"\n"))?),
            Self::Rows(rows) => rows.add(leaf, view),
        }
    }

    fn end(self) -> Result<()> {
        match self {
            Self::Lines(lines) => whole(lines),
            Self::Rows(rows) => rows.end(),
        }
    }
}

fn whole(file: BufWriter<File>) -> Result<()> {
    Ok(file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?)
}

/// The proof of the last leaf of each epoch, which names the key of the next.
fn ends_of_epochs(log: &Path, files: &TreeFiles, out: &Path) -> Result<()> {
    for entry in fs::read_dir(log.join(TREE_DIR).join(EPOCHS))? {
        let path = entry?.path();
        let (Some(name), None) = (path.file_name(), path.extension()) else { continue };
        let text = fs::read_to_string(&path)?;
        let (_, checkpoint) =
            Checkpoint::read(text.as_bytes()).context("the checkpoint of an epoch does not read")?;
        fs::write(out.join(name), &text)?;
        let last = checkpoint.size.saturating_sub(1);
        let Some(leaf) = Follower::open(log, last)?.next(checkpoint.size)?.and_then(|next| next.leaf) else {
            continue;
        };
        let path = inclusion(last, checkpoint.size, files)?;
        let proof = Proof { extra: Some(leaf), index: last, path, checkpoint: text };
        fs::write(out.join(name).with_extension("proof"), proof.to_string())?;
    }
    Ok(())
}

fn plain(data: &Data, found: &[String], of: &Selection, form: Form, out: &Path) -> Result<u64> {
    let mut to: Box<dyn Write> = if out == Path::new("-") {
        Box::new(io::stdout().lock())
    } else {
        Box::new(File::create_new(out).with_context(|| format!("{} cannot be made", out.display()))?)
    };
    let mut to = BufWriter::new(&mut to);
    let mut records = 0;
    for shard in found {
        each(&shard_dir(data.dir(), shard), of, &data.subjects(shard)?, |leaf, view| {
            writeln!(to, "{}", form.line(leaf, view))?;
            records += 1;
            Ok(())
        })?;
    }
    to.flush()?;
    Ok(records)
}

/// Every leaf that is meant, in order.
fn each(
    log: &Path,
    of: &Selection,
    subjects: &Subjects,
    mut take: impl FnMut(&[u8], &View<'_>) -> Result<()>,
) -> Result<()> {
    records::each(log, of, subjects, |leaf, meant| {
        meant.map_or(Ok(()), |view| take(leaf, view)).map(|()| true)
    })
}

fn empty_dir(out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    if fs::read_dir(out).with_context(|| format!("{} cannot be read", out.display()))?.next().is_some() {
        bail!("{} is not empty", out.display());
    }
    Ok(())
}
