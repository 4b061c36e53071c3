//! Destroying the key of a subject, so that a death in the middle does not leave a record that says it was done and a
//! key that is still there.

use anyhow::{Context as _, Result};
use gatehouse_audit::{Event, EventKind, Leaf, Log, Subject};
use gatehouse_server::clock::unix_micros;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// The file beside the log that names whom it is being done to.
const FILE: &str = "erasing";

/// Destroys the key of a subject. It is said in the log before: what is gone and was not said would look like a loss.
///
/// # Errors
/// When the log or the keys cannot be written: then the next start does it.
pub(crate) fn erase(log: &Log, subject: Subject) -> Result<()> {
    let path = path(log);
    let begun = path.with_extension("new");
    let mut file = File::create(&begun)?;
    write!(file, "{subject}")?;
    file.sync_all()?;
    fs::rename(&begun, &path)?;
    File::open(log.dir())?.sync_all()?;
    carry_out(log, subject)
}

/// Finishes what an earlier process has begun.
///
/// # Errors
/// When its file does not read, or the log or the keys cannot be written.
pub(crate) fn finish(log: &Log) -> Result<()> {
    let path = path(log);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let subject = Subject::parse(text.trim()).with_context(|| format!("{} names nobody", path.display()))?;
    tracing::warn!(%subject, "an erasure that an earlier end had cut off is finished");
    carry_out(log, subject)
}

fn carry_out(log: &Log, subject: Subject) -> Result<()> {
    let event = Event::new(EventKind::SubjectErased, unix_micros())
        .by("command line")
        .field("subject", subject.to_string());
    log.append(Leaf::Event(&event))?;
    log.subjects().erase(subject)?;
    fs::remove_file(path(log))?;
    Ok(())
}

fn path(log: &Log) -> PathBuf {
    log.dir().join(FILE)
}
