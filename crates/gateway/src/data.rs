//! The data folder: what is in it, and who may have it open.

use crate::erasing;
use anyhow::{Context as _, Result, bail};
use gatehouse_audit::{ContentKey, Log, Options, Subjects, own_content_key, shard_dir};
use gatehouse_identity::key::Pepper;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The secret under which caller keys are hashed: apart from the database, so that a copy of one opens
/// nothing without the other.
const PEPPER_FILE: &str = "pepper";
/// The socket over which commands reach a gateway that runs.
const CONTROL_FILE: &str = "control.sock";

/// A data folder.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    dir: PathBuf,
}

// === impl Data ===

impl Data {
    /// Opens the folder, making it for its owner alone if it is not there.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        if !dir.is_dir() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .with_context(|| format!("the data folder {} cannot be made", dir.display()))?;
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// Opens a folder that must be there: for commands that only read.
    pub(crate) fn existing(dir: &Path) -> Result<Self> {
        if !dir.is_dir() {
            bail!(
                "there is no data folder {}; name another with --data, or start the gateway",
                dir.display()
            );
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The socket of the gateway that runs on this folder.
    pub(crate) fn control(&self) -> PathBuf {
        self.dir.join(CONTROL_FILE)
    }

    /// The key under which the keys of subjects are wrapped: 64 hexadecimal digits in `GATEHOUSE_CONTENT_KEY`, or in
    /// the file that `GATEHOUSE_CONTENT_KEY_FILE` names; without either, one of the folder's own.
    pub(crate) fn content_key(&self) -> Result<ContentKey> {
        let text = match std::env::var("GATEHOUSE_CONTENT_KEY") {
            Ok(text) => Some(text),
            Err(_) => std::env::var_os("GATEHOUSE_CONTENT_KEY_FILE")
                .map(|path| {
                    fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
                })
                .transpose()?,
        };
        let Some(text) = text else { return Ok(own_content_key(&self.dir)?) };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digits: Option<Vec<u8>> = text.trim().as_bytes().iter().map(digit).collect();
        let bytes = digits.filter(|digits| digits.len() == 64).map(|digits| {
            digits
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit))
                .collect::<Vec<u8>>()
        });
        let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(ContentKey::new).context("the content key is not 64 hexadecimal digits")
    }

    /// The keys of the subjects of a log.
    pub(crate) fn subjects(&self, shard: &str) -> Result<Subjects> {
        let dir = shard_dir(&self.dir, shard);
        Subjects::open(&dir, &self.content_key()?).context("the keys of what was said cannot be read")
    }

    /// Opens the log for a command, when no gateway has it open.
    pub(crate) fn log(&self) -> Result<Log> {
        let mut options = Options::new(&self.dir);
        options.content_key = Some(self.content_key()?);
        let log = Log::open(&options)?;
        erasing::finish(&log)?;
        Ok(log)
    }

    /// The pepper, made at first use.
    pub(crate) fn pepper(&self) -> Result<Arc<Pepper>> {
        let path = self.dir.join(PEPPER_FILE);
        if !path.exists() {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).context("no randomness for the pepper")?;
            // Written aside and moved: two processes at their first start end up with one pepper.
            let aside = self.dir.join(format!("{PEPPER_FILE}.{}", std::process::id()));
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            if fs::hard_link(&aside, &path).is_err() && !path.exists() {
                bail!("the pepper cannot be written to {}", path.display());
            }
            fs::remove_file(&aside)?;
        }
        let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let bytes: [u8; 32] =
            bytes.try_into().map_err(|_| anyhow::anyhow!("{} is not 32 bytes long", path.display()))?;
        Ok(Arc::new(Pepper::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::Data;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_pepper_is_made_once_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::open(&dir.path().join("new")).unwrap();
        let key = secrecy::SecretString::from("ghk_x");
        let first = data.pepper().unwrap().hash(&key);
        assert_eq!(data.pepper().unwrap().hash(&key), first);
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(data.dir()), mode(&data.dir().join("pepper"))), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(data.dir()).unwrap().count(), 1);
    }
}
