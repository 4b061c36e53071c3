//! The line between commands and a gateway that runs on the same data folder: a socket that only the
//! owner of the folder can open. One word a line, one word back.

use crate::data::Data;
use anyhow::{Context as _, Result, bail};
use gatehouse_audit::{Event, EventKind, Subject, Subjects};
use gatehouse_server::clock::unix_micros;
use gatehouse_store::Store;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

/// How long a command waits for the gateway.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What a command may ask of a gateway that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// This key has changed: read the keys now, and write the change into the book.
    Key(Change, String),
    /// Bring the index up to date.
    Index,
    /// Destroy the key of this subject, and write that into the book.
    Erase(Subject),
    /// So many records were copied in this form, and of which calls: write that into the book.
    Exported(Exported),
    /// A hold of this number was placed, or released: write that into the book.
    Hold(bool, u64),
    /// Give up now what its time is over for.
    Prune,
    /// Somebody read what was said in so many calls, for this purpose: write that into the book.
    Looked(String, u64),
    /// Somebody read what was said in the call of this record: write that into the book.
    Viewed(String),
}

/// A copy of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exported {
    /// Its form.
    pub(crate) format: String,
    /// How many.
    pub(crate) records: u64,
    /// Of which calls, as a JSON object.
    pub(crate) of: String,
}

/// What was done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was made.
    Created,
    /// It got another secret.
    Rotated,
    /// It was revoked.
    Revoked,
}

// === impl Exported ===

impl Exported {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let (format, records, of) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { format: format.to_owned(), records: records.parse().ok()?, of: of.to_owned() })
    }

    /// The leaf about it.
    pub(crate) fn event(&self) -> Event {
        Event::new(EventKind::ExportCreated, unix_micros())
            .by("command line")
            .field("format", self.format.clone())
            .field("records", self.records)
            .field("of", self.of.clone())
    }
}

// === impl Word ===

impl Word {
    fn written(&self) -> String {
        match self {
            Self::Key(change, id) => format!("{} {id}", change.as_str()),
            Self::Index => "index".to_owned(),
            Self::Prune => "prune".to_owned(),
            Self::Exported(made) => format!("exported {} {} {}", made.format, made.records, made.of),
            Self::Hold(true, number) => format!("hold {number}"),
            Self::Hold(false, number) => format!("release {number}"),
            Self::Erase(subject) => format!("erase {subject}"),
            Self::Looked(purpose, records) => format!("looked {purpose} {records}"),
            Self::Viewed(record) => format!("viewed {record}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            None => match text {
                "index" => Some(Self::Index),
                "prune" => Some(Self::Prune),
                _ => None,
            },
            Some(("exported", made)) => Exported::parse(made).map(Self::Exported),
            Some(("hold", number)) => number.parse().ok().map(|number| Self::Hold(true, number)),
            Some(("release", number)) => number.parse().ok().map(|number| Self::Hold(false, number)),
            Some(("erase", subject)) => Subject::parse(subject).map(Self::Erase),
            Some(("looked", text)) => {
                let (purpose, records) = text.split_once(' ')?;
                Some(Self::Looked(purpose.to_owned(), records.parse().ok()?))
            }
            Some(("viewed", record)) => Some(Self::Viewed(record.to_owned())),
            Some((change, id)) => Change::parse(change).map(|change| Self::Key(change, id.to_owned())),
        }
    }
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Rotated => "rotated",
            Self::Revoked => "revoked",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Rotated, Self::Revoked].into_iter().find(|change| change.as_str() == text)
    }

    /// The change as a leaf of the book, with the role of an administration key.
    pub(crate) fn event(self, store: &Store, key: &str) -> Result<Event> {
        let kind = match self {
            Self::Created => EventKind::KeyCreated,
            Self::Rotated => EventKind::KeyRotated,
            Self::Revoked => EventKind::KeyRevoked,
        };
        let event = Event::new(kind, unix_micros()).by("command line").field("key", key.to_owned());
        let Some(admin) = store.admin(key)? else { return Ok(event) };
        let event = event.field("role", admin.role).field("content", admin.content);
        let bound = [("org", admin.org), ("team", admin.team)].into_iter().filter(|(_, to)| !to.is_empty());
        Ok(bound.fold(event, |event, (name, to)| event.field(name, to)))
    }
}

/// The leaf about a hold.
pub(crate) fn held(store: &Store, subjects: &Subjects, kind: EventKind, number: u64) -> Result<Event> {
    let holds = store.holds()?;
    let hold = holds.iter().find(|hold| hold.number == number).context("there is no such hold")?;
    let mut event = Event::new(kind, unix_micros()).by("command line").field("hold", number);
    if kind == EventKind::HoldPlaced {
        event = event.field("reason", hold.reason.clone());
        for (name, value) in hold.selection.recorded(subjects) {
            event = event.field(name, value);
        }
    }
    Ok(event)
}

/// The leaf about somebody who read what was said.
pub(crate) fn viewed(record: &str) -> Event {
    Event::new(EventKind::ContentViewed, unix_micros()).by("command line").field("record", record.to_owned())
}

/// The leaf about somebody who read what was said in so many calls, for this purpose.
pub(crate) fn looked(purpose: &str, records: u64) -> Event {
    let event = Event::new(EventKind::ContentViewed, unix_micros()).by("command line");
    event.field("purpose", purpose.to_owned()).field("records", records)
}

/// Says a word to the gateway and waits until it has done it. `false` when none runs.
pub(crate) fn say(data: &Data, word: &Word) -> Result<bool> {
    let Ok(mut stream) = UnixStream::connect(data.control()) else { return Ok(false) };
    stream.set_read_timeout(Some(WAIT_MAX))?;
    writeln!(stream, "{}", word.written())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    match answer.trim() {
        "ok" => Ok(true),
        other => bail!("the running gateway answered {other:?}"),
    }
}

/// Opens the socket. From here on commands find a gateway that runs, and wait until it hears.
pub(crate) fn open(data: &Data) -> Result<UnixListener> {
    let path = data.control();
    // A socket that is left from a process that was killed; the log's lock says that none runs now.
    let _ = std::fs::remove_file(&path);
    Ok(UnixListener::bind(&path)?)
}

/// Hears words until the process ends.
pub(crate) async fn hear(listener: UnixListener, act: impl Fn(Word) -> Result<()> + Send + Sync + 'static) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (read, mut write) = stream.into_split();
        let mut line = String::new();
        let mut reader = tokio::io::BufReader::new(read);
        let heard = tokio::time::timeout(WAIT_MAX, reader.read_line(&mut line)).await;
        if !matches!(heard, Ok(Ok(_))) {
            continue;
        }
        let answer = match Word::parse(line.trim()).map(&act) {
            Some(Ok(())) => "ok\n",
            Some(Err(error)) => {
                tracing::error!(%error, word = line.trim(), "a command could not be carried out");
                "failed\n"
            }
            None => "unknown\n",
        };
        let _ = write.write_all(answer.as_bytes()).await;
    }
}
