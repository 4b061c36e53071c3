//! The newest checkpoint at a second place: a file, an object, or whoever hears of it. What is there is compared with the
//! log before it is replaced; what does not fit stays, as it is evidence.

use super::own::{Age, Newest, Own};
use super::teller::Teller;
use super::{ANCHOR_TIME_MAX, Copy, Outcome, Place, newest};
use gatehouse_config::file::Method;
use gatehouse_server::fetch::{Ask, Verb, exchange};
use secrecy::SecretString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

/// The largest copy that is read back.
const COPY_BYTES_MAX: usize = 64 * 1024;
/// What a checkpoint is, in a request.
const KIND: &str = "text/plain; charset=utf-8";

/// What a second place holds.
pub(super) enum Held {
    /// This.
    Bytes(Vec<u8>),
    /// Nothing.
    Nothing,
    /// Nobody can ask.
    Unknown,
}

/// Keeps a copy until it is dropped.
pub(super) async fn watch(own: Arc<Own>, copy: Copy, mut teller: Teller) {
    match copy.place {
        Place::File(path) => {
            let (mut open, mut had) = (None, false);
            loop {
                let newest = newest(&own).await;
                let outcome = file(&own, &path, newest, had, &mut open).await;
                had = matches!(outcome, Outcome::Took(_));
                teller.tell(outcome);
                sleep(copy.every).await;
            }
        }
        Place::Address { url, method, token } => {
            let (mut sent, mut had) = (None, false);
            loop {
                let newest = newest(&own).await;
                let token = token.as_ref();
                let outcome = match method {
                    Method::Put => put(&own, &url, token, newest, had).await,
                    Method::Post => post(&url, token, newest, &mut sent).await,
                };
                had = matches!(outcome, Outcome::Took(_));
                teller.tell(outcome);
                sleep(copy.every).await;
            }
        }
    }
}

/// What a place holds. For a verification: whoever asks has time.
pub(super) async fn read(place: &Place) -> Result<Held, String> {
    match place {
        Place::File(path) => {
            let path = path.clone();
            let read = spawn_blocking(move || read_file(&path)).await.map_err(|error| error.to_string())?;
            Ok(read.map_err(|error| error.to_string())?.map_or(Held::Nothing, Held::Bytes))
        }
        Place::Address { url, method: Method::Put, token } => {
            Ok(get(url, token.as_ref()).await?.map_or(Held::Nothing, Held::Bytes))
        }
        Place::Address { method: Method::Post, .. } => Ok(Held::Unknown),
    }
}

/// Replaces a file. A file system that does not answer holds up one thread, not one a round.
async fn file(
    own: &Arc<Own>,
    path: &Path,
    newest: Newest,
    had: bool,
    open: &mut Option<JoinHandle<Outcome>>,
) -> Outcome {
    let (own, path) = (Arc::clone(own), path.to_owned());
    let mut work =
        open.take().unwrap_or_else(|| spawn_blocking(move || replace_file(&own, &path, &newest, had)));
    match timeout(ANCHOR_TIME_MAX, &mut work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::Failed(error.to_string()),
        Err(_) => {
            *open = Some(work);
            Outcome::Failed("the file system does not answer".to_owned())
        }
    }
}

fn replace_file(own: &Own, path: &Path, newest: &Newest, had: bool) -> Outcome {
    let failed = |error: io::Error| Outcome::Failed(error.to_string());
    let held = match read_file(path) {
        Ok(held) => held,
        Err(error) => return failed(error),
    };
    match held.map(|bytes| own.compare(&bytes, newest)) {
        Some(Err(outcome)) => outcome,
        Some(Ok(Age::Newest)) => Outcome::Took(newest.says.size),
        None if had => gone(),
        Some(Ok(Age::Older)) | None => match write_file(path, newest.text.as_bytes()) {
            Ok(()) => Outcome::Took(newest.says.size),
            Err(error) => failed(error),
        },
    }
}

/// A file that is there; a folder that is not is an error: a mount may be missing.
fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::metadata(path.parent().unwrap_or(path))?;
            return Ok(None);
        }
        file => file?,
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(COPY_BYTES_MAX).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The file is the old one or the new one, whatever happens.
fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// What was there in the last round is not any more. It is written again in the next: the alarm is not lost in between.
fn gone() -> Outcome {
    Outcome::Drifts("the copy is gone: somebody took it away".to_owned())
}

/// Replaces an object. `had`: whether it was there in the last round.
async fn put(own: &Arc<Own>, url: &str, token: Option<&SecretString>, newest: Newest, had: bool) -> Outcome {
    let held = match get(url, token).await {
        Ok(held) => held,
        Err(why) => return Outcome::Failed(why),
    };
    if let Some(bytes) = held {
        let (own, known) = (Arc::clone(own), newest.clone());
        match spawn_blocking(move || own.compare(&bytes, &known)).await {
            Ok(Ok(Age::Older)) => {}
            Ok(Ok(Age::Newest)) => return Outcome::Took(newest.says.size),
            Ok(Err(outcome)) => return outcome,
            Err(error) => return Outcome::Failed(error.to_string()),
        }
    } else if had {
        return gone();
    }
    send(Verb::Put, url, token, &newest).await
}

/// Tells of a checkpoint that was not told of yet.
async fn post(url: &str, token: Option<&SecretString>, newest: Newest, sent: &mut Option<String>) -> Outcome {
    if sent.as_ref() == Some(&newest.text) {
        return Outcome::Took(newest.says.size);
    }
    let outcome = send(Verb::Post, url, token, &newest).await;
    if matches!(outcome, Outcome::Took(_)) {
        *sent = Some(newest.text);
    }
    outcome
}

async fn send(verb: Verb, url: &str, token: Option<&SecretString>, newest: &Newest) -> Outcome {
    let body = Some((KIND, newest.text.clone().into()));
    match exchange(Ask { verb, url, token, headers: Vec::new(), body }, ANCHOR_TIME_MAX, COPY_BYTES_MAX).await
    {
        Ok((200..300, _)) => Outcome::Took(newest.says.size),
        Ok((status, _)) => Outcome::Failed(format!("{url} answered {status}")),
        Err(why) => Outcome::Failed(why),
    }
}

async fn get(url: &str, token: Option<&SecretString>) -> Result<Option<Vec<u8>>, String> {
    let ask = Ask { verb: Verb::Get, url, token, headers: Vec::new(), body: None };
    match exchange(ask, ANCHOR_TIME_MAX, COPY_BYTES_MAX).await? {
        (200, bytes) => Ok(Some(bytes.to_vec())),
        (404 | 410, _) => Ok(None),
        (status, _) => Err(format!("{url} answered {status}")),
    }
}
