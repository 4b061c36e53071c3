//! What anchors gave back, beside a log: checkpoints that witnesses signed, and such with a time stamp: `stamp-*` is a
//! checkpoint, and the file of that name with `.tsr` the token that says when it was there.

use crate::trust::Trust;
use gatehouse_proof::examine::Known;
use gatehouse_proof::report::{Finding, Report, Verdict, Witnessed};
use gatehouse_proof::stamp::{STAMP_BYTES_MAX, Token};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The folder under that of a log.
pub const ANCHORED: &str = "anchored";
/// How the names of checkpoints with a time stamp begin.
pub const STAMP: &str = "stamp-";
/// How the names of their tokens end.
pub const TOKEN: &str = ".tsr";

/// The time stamps beside a log.
#[derive(Clone, Debug, Default)]
pub struct Stamps(Vec<Stamp>);

#[derive(Clone, Debug)]
struct Stamp {
    name: String,
    /// The checkpoint, and the token that is of it; or what is wrong.
    read: Result<(Known, Token), String>,
}

/// Whether a file of the folder is a checkpoint that witnesses signed.
#[must_use]
pub fn is_witnessed(name: &str) -> bool {
    let stem = ["witness-", "day-"].into_iter().find_map(|kind| name.strip_prefix(kind));
    stem.is_some_and(|stem| stem.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'))
}

// === impl Stamps ===

impl Stamps {
    /// Reads those beside a log, before it is gone through: a gateway that runs replaces them.
    #[must_use]
    pub fn read(dir: &Path) -> Self {
        let stamps = stems(dir).into_iter().filter_map(|stem| {
            let read = stamp(dir, &stem).transpose()?;
            Some(Stamp { name: format!("{ANCHORED}/{stem}"), read })
        });
        Self(stamps.collect())
    }

    /// The checkpoints that are stamped.
    pub fn known(&self) -> impl Iterator<Item = Known> {
        self.0.iter().filter_map(|stamp| stamp.read.as_ref().ok().map(|(known, _)| known.clone()))
    }

    /// Says what they are worth for a log that was gone through, their checkpoints with it. One counts when its
    /// checkpoint fits the log, the token is of this checkpoint, and somebody trusted signed it.
    pub fn examine(&self, trust: &Trust, report: &mut Report) {
        let mut unsigned = 0;
        for Stamp { name, read } in &self.0 {
            let (known, token) = match read {
                Ok(read) => read,
                Err(why) => {
                    wrong(report, Verdict::Tampered, name, why);
                    continue;
                }
            };
            match trust.stamps.as_ref().map(|check| (check.0)(token)) {
                None => unsigned += 1,
                Some(Err((verdict, why))) => wrong(report, verdict, name, &why),
                // That a checkpoint does not fit the log is told already.
                Some(Ok(())) if report.checkpoints.iter().any(|(fits, _)| fits == name) => {
                    let (size, at) = (known.says.size, token.at);
                    report.stamps.push(Witnessed { name: name.clone(), size, at });
                }
                Some(Ok(())) => {}
            }
        }
        if unsigned > 0 {
            report.unchecked.push(format!(
                "who signed {unsigned} time stamps; they are of the checkpoints beside them: openssl ts -verify \
                 -data {ANCHORED}/{STAMP}… -in {ANCHORED}/{STAMP}…{TOKEN} -CAfile ca.pem"
            ));
        }
    }
}

fn wrong(report: &mut Report, verdict: Verdict, name: &str, why: &str) {
    let says = format!("the time stamp of {name}: {why}");
    report.add(Finding::new(verdict, says).in_file(format!("{name}{TOKEN}")));
}

/// The names of checkpoints that have a token beside them, in order.
fn stems(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir.join(ANCHORED)).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut stems: Vec<String> = names
        .filter(|name| name.starts_with(STAMP))
        .filter_map(|name| name.strip_suffix(TOKEN).map(str::to_owned))
        .collect();
    stems.sort();
    stems
}

/// A checkpoint and the token that is of it; `None` when one of them is not there: that says nothing.
fn stamp(dir: &Path, stem: &str) -> Result<Option<(Known, Token)>, String> {
    let path = dir.join(ANCHORED).join(stem);
    let Some(note) = contents(&path, "its checkpoint")? else { return Ok(None) };
    let Some(token) = contents(&path.with_file_name(format!("{stem}{TOKEN}")), "it")? else {
        return Ok(None);
    };
    let known = Known::read(format!("{ANCHORED}/{stem}"), &note).map_err(|error| error.to_string())?;
    let token = Token::parse(&token).map_err(|error| error.to_string())?;
    if !token.is_of(&note) {
        return Err("it is of something else than this checkpoint".to_owned());
    }
    Ok(Some((known, token)))
}

fn contents(path: &Path, what: &str) -> Result<Option<Vec<u8>>, String> {
    let limit = u64::try_from(STAMP_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{what} cannot be read: {error}")),
    }
}
