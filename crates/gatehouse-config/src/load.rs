//! From a file to a configuration that can be used, or to all that is wrong with it.

use crate::check::{self, Known, Report};
use crate::environment::{listen_where_told, providers};
use crate::fault::{Fault, Faults, Severity};
use crate::file::Config;
use crate::interpolate::Sources;
use crate::loaded::{Loaded, digest};
use crate::{read, tree};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The largest configuration file, in bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Reads and checks a file.
///
/// # Errors
/// All that is wrong with it.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>, known: &Known<'_>) -> Result<Loaded, Faults> {
    let name = path.display().to_string();
    let text = contents(path).map_err(|message| Faults(vec![Fault::of_file(&name, message)]))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    understand(&text, &name, Sources { env, folder }, known)
}

/// Reads and checks a document. Relative paths in it start in the working folder.
///
/// # Errors
/// All that is wrong with it.
pub fn parse(
    text: &str,
    file_name: &str,
    env: &dyn Fn(&str) -> Option<String>,
    known: &Known<'_>,
) -> Result<Loaded, Faults> {
    understand(text, file_name, Sources { env, folder: Path::new("") }, known)
}

fn understand(text: &str, file: &str, sources: Sources<'_>, known: &Known<'_>) -> Result<Loaded, Faults> {
    let version = digest(text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut root, mut faults) = tree::read(text, file, Some(sources)).map_err(Faults)?;
    root.inherit("providers", "timeouts");
    let (mut config, refused): (Config, Vec<Fault>) = read::read(&mut root, file);
    if config.providers.is_empty() {
        config.providers = providers(sources.env, known);
    }
    listen_where_told(&mut config, sources.env);
    let mut report = Report::new(file, &root);
    check::check(&config, known, &mut report);
    faults.extend(refused);
    faults.extend(report.into_faults());
    faults.sort_by_key(|fault| (fault.line, fault.column));
    // What is inherited or stands behind an alias is told once.
    faults.dedup_by(|later, earlier| {
        (later.line, later.column, &later.message) == (earlier.line, earlier.column, &earlier.message)
    });
    if faults.iter().any(|fault| fault.severity == Severity::Error) {
        return Err(Faults(faults));
    }
    Ok(Loaded { config, version, warnings: faults })
}

/// A text of no more than [`FILE_BYTES_MAX`].
///
/// # Errors
/// Why it cannot be had.
pub fn contents(path: &Path) -> Result<String, String> {
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_string(&mut text))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
