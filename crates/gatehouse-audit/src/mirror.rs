//! The log a second time: its segments and packs, byte for byte, in another place. Calls whose answer waits for that
//! place ([`Durability::Remote`](crate::Durability)) are told when their leaf is on the disk there.
//!
//! The copy follows what is durable here. It is itself a log that can be read and taken over; what it lacks after
//! anybody's end, the next start brings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use crate::disk::{create_dir, private};
use crate::error::LogError;
use crate::log::Log;
use crate::pack;
use crate::progress::{Progress, Verdicts};
use crate::reader::{Cursor, Entry, Reader};
use crate::segment::{Contents, Source, list_segments, segment_path};
use crate::shared::Shared;
use crate::view::View;
use crate::writer::{SPOOLED, Ticket};

/// Leaves that are copied before the other place is asked to make them safe.
const LEAVES_AT_ONCE: usize = 4_096;
/// The first and the longest pause after the other place failed.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How much of a file is copied at once.
const COPY_BYTES: usize = 256 * 1024;

/// The second place of a log. Cheap to clone; it follows as long as the log is open.
#[derive(Clone)]
pub struct Mirror {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    there: Verdicts,
    failing: Mutex<Option<Arc<str>>>,
}

/// The way from here to there.
struct Copying {
    from: PathBuf,
    to: PathBuf,
    at: Cursor,
}

/// What was copied and is not safe there yet.
#[derive(Default)]
struct Batch {
    /// Of each segment the bytes from one place to another.
    segments: BTreeMap<u64, (u64, u64)>,
    packs: BTreeSet<u64>,
    at: Cursor,
}

// === impl Mirror ===

impl Mirror {
    /// Follows a log into the folder of its shard under `dir`.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds another log.
    pub fn start(log: &Log, dir: &Path) -> Result<Self, LogError> {
        let shared = log.shared().clone();
        let to = dir.join(&*shared.shard);
        let io = || LogError::io("keep a second copy of the log in", &to);
        create_dir(&to).map_err(io())?;
        let (at, next) = resume(&shared.dir, &to).map_err(io())?;
        shared.compactor.also(to.clone());
        let inner =
            Arc::new(Inner { dir: to.clone(), there: Verdicts::new(next), failing: Mutex::default() });
        let copying = Copying { from: shared.dir.clone(), to: to.clone(), at };
        let for_thread = inner.clone();
        let run = move || run(&shared, &for_thread, copying);
        std::thread::Builder::new().name("audit-mirror".to_owned()).spawn(run).map_err(io())?;
        Ok(Self { inner })
    }

    /// Waits until a leaf, and all before it, is on the disk in the other place.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] for a leaf that is in the spool, [`LogError::Closed`] when nobody will ever know.
    pub async fn mirrored(&self, ticket: Ticket) -> Result<(), LogError> {
        if ticket.seq == SPOOLED {
            return Err(LogError::Unavailable {
                reason: "the record is in the spool, and in no other place".into(),
            });
        }
        self.inner.there.wait(ticket.seq).await
    }

    /// The folder there.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// How many leaves are in the other place.
    #[must_use]
    pub fn leaves(&self) -> u64 {
        self.inner.there.next()
    }

    /// Why the other place takes nothing, when it does not.
    #[must_use]
    pub fn failing(&self) -> Option<Arc<str>> {
        self.inner.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where a copy that was begun goes on: the place, and the number of the next leaf.
fn resume(from: &Path, to: &Path) -> io::Result<(Cursor, u64)> {
    let here = list_segments(from)?;
    let there = list_segments(to)?;
    let Some(last) = there.last().copied() else {
        return Ok((Cursor { segment: here.first().copied().unwrap_or_default(), offset: 0 }, 0));
    };
    let other = || io::Error::other("it holds another log");
    if !here.contains(&last) {
        return Err(other());
    }
    let mut reader = Reader::open(to, Cursor { segment: last, offset: 0 }, Contents::Skip);
    let mut next = last;
    let mut newest = None;
    while let Some(entry) = reader.next().map_err(io::Error::other)? {
        next = seq(&entry)? + 1;
        newest = Some(entry);
    }
    if let Some(newest) = newest {
        let own = crate::reader::read_at(from, newest.at).map_err(io::Error::other)?;
        if own.is_none_or(|own| own.leaf != newest.leaf) {
            return Err(other());
        }
    }
    Ok((reader.at(), next))
}

fn seq(entry: &Entry) -> io::Result<u64> {
    View::parse(&entry.leaf).map(|view| view.seq).map_err(io::Error::other)
}

fn run(shared: &Shared, inner: &Inner, mut copying: Copying) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let (mut pause, mut failed) = (PAUSE_MIN, false);
    loop {
        // Lost or safe: there is news.
        let _ = wait(shared.progress.wait(inner.there.next()), &waker);
        let open = !shared.progress.is_closed();
        let again = if failed { copying.begin_again() } else { Ok(()) };
        let segment = copying.at.segment;
        let done = again.and_then(|()| copying.copy(shared.progress.next()));
        failed = done.is_err();
        let failing = done.as_ref().err().map(|error| Arc::from(error.to_string()));
        let before = std::mem::replace(
            &mut *inner.failing.lock().unwrap_or_else(PoisonError::into_inner),
            failing.clone(),
        );
        match done {
            Ok(next) => {
                pause = PAUSE_MIN;
                inner.there.change(|there| there.advance(next));
                if copying.at.segment != segment {
                    shared.compactor.look();
                }
                if next < shared.progress.next() {
                    continue;
                }
            }
            Err(_) if !open => {}
            Err(error) => {
                if before != failing {
                    tracing::error!(%error, "the second place of the audit log takes nothing");
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
        if !open {
            break;
        }
    }
    inner.there.change(Progress::close);
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread.
fn wait<T>(future: impl Future<Output = T>, waker: &Waker) -> T {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

// === impl Copying ===

impl Copying {
    /// After a failure nobody knows what is there: it is looked at again, and made anew where it is gone.
    fn begin_again(&mut self) -> io::Result<()> {
        create_dir(&self.to)?;
        self.at = resume(&self.from, &self.to)?.0;
        Ok(())
    }

    /// Copies what is below `until`, as far as it goes at once: the number of the next leaf. What the disk lost is
    /// passed over.
    fn copy(&mut self, until: u64) -> io::Result<u64> {
        let mut reader = Reader::open(&self.from, self.at, Contents::Skip);
        let mut batch = Batch { at: self.at, ..Batch::default() };
        let mut next = until;
        for count in 0..=LEAVES_AT_ONCE {
            let Some(entry) = reader.next().map_err(io::Error::other)? else { break };
            let seq = seq(&entry)?;
            if count == LEAVES_AT_ONCE {
                next = seq.min(until);
            }
            if seq >= until || count == LEAVES_AT_ONCE {
                break;
            }
            for spot in &entry.spots {
                self.text(spot.pack, spot.offset, u64::from(spot.bytes), &mut batch)?;
            }
            let range = batch.segments.entry(entry.at.segment).or_insert((entry.at.offset, 0));
            range.1 = entry.next.offset;
            batch.at = entry.next;
            if seq + 1 >= until {
                // Looking for another would list all segments, for each group of leaves.
                break;
            }
        }
        if batch.at != self.at {
            self.finish(&batch)?;
            self.at = batch.at;
        }
        Ok(next)
    }

    /// Texts before the leaves that refer to them.
    fn text(&self, number: u64, offset: u64, bytes: u64, batch: &mut Batch) -> io::Result<()> {
        let (from, to) = (pack::path(&self.from, number), pack::path(&self.to, number));
        let mut from = match File::open(from) {
            Ok(file) => file,
            // Given up meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let to = private().create(true).truncate(false).write(true).open(to)?;
        if batch.packs.insert(number) {
            copy(&mut from, &to, 0, pack::HEADER_BYTES)?;
        }
        copy(&mut from, &to, offset, offset + pack::FRAME_HEADER_BYTES + bytes)
    }

    fn finish(&self, batch: &Batch) -> io::Result<()> {
        for number in &batch.packs {
            OpenOptions::new().write(true).open(pack::path(&self.to, *number))?.sync_data()?;
        }
        for (segment, (begin, end)) in &batch.segments {
            let mut from = Source::open(&self.from, *segment)?;
            let to =
                private().create(true).truncate(false).write(true).open(segment_path(&self.to, *segment))?;
            let begin = if to.metadata()?.len() < *begin { 0 } else { *begin };
            copy(&mut from, &to, begin, *end)?;
            to.sync_data()?;
        }
        File::open(&self.to)?.sync_all()
    }
}

/// Copies bytes to where they stand in the other file.
fn copy(from: &mut (impl Read + Seek), to: &File, mut at: u64, end: u64) -> io::Result<()> {
    from.seek(SeekFrom::Start(at))?;
    let mut buffer = vec![0; COPY_BYTES];
    while at < end {
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(COPY_BYTES);
        let part = buffer.get_mut(..length).unwrap_or_default();
        from.read_exact(part)?;
        to.write_all_at(part, at)?;
        at += u64::try_from(length).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Mirror;
    use crate::log::Log;
    use crate::options::Options;
    use crate::reader::{Cursor, read, read_at, shard_dir};
    use crate::samples::{options, settled};
    use crate::{Leaf, Ticket, segment};

    async fn call(log: &Log, mirror: &Mirror, number: u128) -> Ticket {
        let ticket = log.append(Leaf::Settled(&settled(number))).unwrap();
        log.durable(ticket).await.unwrap();
        mirror.mirrored(ticket).await.unwrap();
        ticket
    }

    #[tokio::test]
    async fn the_copy_is_the_log_and_goes_on_where_it_stopped() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let small = || Options { segment_bytes_max: 3_000, ..options(here.path()) };
        let log = Log::open(&small()).unwrap();
        let mirror = Mirror::start(&log, there.path()).unwrap();
        for number in 0..20 {
            call(&log, &mirror, number).await;
        }
        assert_eq!((mirror.leaves(), mirror.failing()), (21, None));
        drop((log, mirror));
        // Something happens that the copy does not see.
        let log = Log::open(&small()).unwrap();
        log.append(Leaf::Settled(&settled(20))).unwrap();
        drop(log);
        let log = Log::open(&small()).unwrap();
        let mirror = Mirror::start(&log, there.path()).unwrap();
        let last = call(&log, &mirror, 21).await;
        let copy = there.path().join("r0");
        let all = |dir| read(dir, Cursor::default(), 99).unwrap().entries;
        assert_eq!(all(&copy), all(log.dir()));
        assert!(segment::list_segments(&copy).unwrap().len() > 4);
        assert_eq!(read_at(&copy, last.at).unwrap(), read_at(log.dir(), last.at).unwrap());
        // The copy can be taken over.
        drop((log, mirror));
        let taken = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(taken.path().join("log")).unwrap();
        std::fs::rename(&copy, shard_dir(taken.path(), "r0")).unwrap();
        let log = Log::open(&options(taken.path())).unwrap();
        assert_eq!(log.stats().next_seq, last.seq + 2);
        assert!(Mirror::start(&log, there.path()).is_ok(), "a new copy");
    }

    #[tokio::test]
    async fn another_log_is_not_overwritten_and_nobody_is_told_what_is_not_so() {
        let (here, other, there) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = Log::open(&options(here.path())).unwrap();
        let mirror = Mirror::start(&log, there.path()).unwrap();
        call(&log, &mirror, 1).await;
        let stranger = Log::open(&options(other.path())).unwrap();
        stranger.append(Leaf::Settled(&settled(7))).unwrap();
        assert!(Mirror::start(&stranger, there.path()).is_err());
        // The other place goes away: whoever waits is not told that all is well.
        std::fs::remove_dir_all(there.path().join("r0")).unwrap();
        std::fs::write(there.path().join("r0"), "in the way").unwrap();
        let ticket = log.append(Leaf::Settled(&settled(2))).unwrap();
        log.durable(ticket).await.unwrap();
        let waits = mirror.mirrored(ticket);
        while mirror.failing().is_none() {
            tokio::task::yield_now().await;
        }
        drop(log);
        assert!(waits.await.is_err());
    }
}
