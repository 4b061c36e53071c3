//! Compresses segments that have ended, on a thread that nobody waits for.
//!
//! The compressed file is written aside, made durable, read back and compared with the raw one; only then it takes its
//! name, and only after that the raw one goes. Whatever ends in between, one of them is whole, and the raw one counts.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::blocks::{self, Blocks};
use crate::disk::{list_files, private};
use crate::progress::Verdicts;
use crate::pruned::Pruned;
use crate::segment::{EXTENSION, SegmentReader, compressed_path, failed_marker, list_segments, segment_path};

/// What is written aside is called so behind its number.
const BEGUN: &str = "begun";
/// How much is compared at once.
const COMPARE_BYTES: usize = 64 * 1024;

/// Tells the thread what there is to do.
#[derive(Clone, Default)]
pub(crate) struct Compactor {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// Second places, whose segments are compressed too.
    places: Vec<PathBuf>,
    due: bool,
    closing: bool,
}

// === impl Compactor ===

impl Compactor {
    /// Starts the thread for the log in this folder.
    pub(crate) fn start(&self, dir: &Path, progress: Arc<Verdicts>) -> io::Result<JoinHandle<()>> {
        let (this, dir) = (self.clone(), dir.to_owned());
        self.look();
        std::thread::Builder::new().name("audit-compact".to_owned()).spawn(move || this.run(&dir, &progress))
    }

    /// A segment may have ended.
    pub(crate) fn look(&self) {
        self.state().due = true;
        self.inner.wake.notify_all();
    }

    /// There is a second place.
    pub(crate) fn also(&self, place: PathBuf) {
        self.state().places.push(place);
        self.look();
    }

    /// The log closes: what is under way is begun anew at the next start.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.inner.wake.notify_all();
    }

    fn run(&self, dir: &Path, progress: &Verdicts) {
        let mut passed_over = HashSet::new();
        loop {
            let state = self.state();
            let wait = |state: &mut State| !state.due && !state.closing;
            let waited = self.inner.wake.wait_while(state, wait);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            if state.closing {
                return;
            }
            state.due = false;
            let places = state.places.clone();
            drop(state);
            let go_on = || !self.state().closing;
            // What is in the second place is on the disk there before anything follows it.
            let ends = places.iter().map(|place| (place.as_path(), u64::MAX));
            for (place, durable) in std::iter::once((dir, progress.next())).chain(ends) {
                if let Err(error) = pass(place, durable, &mut passed_over, go_on) {
                    let place = place.display();
                    tracing::warn!(%error, %place, "a segment of the audit log stays as it is, uncompressed");
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compresses all segments of a log that have ended and whose leaves are all below `durable`. Those that are damaged, or
/// failed, stay as they are: they are evidence.
///
/// # Errors
/// When one cannot be; the others are, the next time.
pub(crate) fn pass(
    dir: &Path,
    durable: u64,
    passed_over: &mut HashSet<PathBuf>,
    go_on: impl Fn() -> bool,
) -> io::Result<()> {
    for left in list_files(dir, BEGUN)? {
        fs::remove_file(begun_path(dir, left))?;
    }
    let segments = list_segments(dir)?;
    let raw = list_files(dir, EXTENSION)?;
    for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
        let path = segment_path(dir, *segment);
        if *next > durable || !raw.contains(segment) || passed_over.contains(&path) {
            continue;
        }
        match compress(dir, *segment, &go_on) {
            Ok(true) => {}
            Ok(false) => drop(passed_over.insert(path)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            // Its time was over meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether it was.
fn compress(dir: &Path, segment: u64, go_on: &impl Fn() -> bool) -> io::Result<bool> {
    if failed_marker(dir, segment).exists() {
        return Ok(false);
    }
    let raw = File::open(segment_path(dir, segment))?;
    let Some(mut reader) = SegmentReader::open(dir, segment)? else { return Ok(false) };
    while reader.next_group()?.is_some() {}
    let len = reader.offset();
    if reader.left()? > 0 {
        return Ok(false);
    }
    let begun = begun_path(dir, segment);
    let mut to = BufWriter::new(private().create(true).truncate(true).write(true).open(&begun)?);
    let written = blocks::write(&raw, len, &mut to, go_on).and_then(|()| to.flush());
    let written = written.and_then(|()| to.get_ref().sync_all()).and_then(|()| same(&begun, &raw, len));
    if let Err(error) = written {
        let _ = fs::remove_file(&begun);
        return Err(error);
    }
    let compressed = compressed_path(dir, segment);
    fs::rename(&begun, &compressed)?;
    File::open(dir)?.sync_all()?;
    fs::remove_file(segment_path(dir, segment))?;
    if Pruned::read(dir)?.records > segment {
        // It was given up while we worked.
        fs::remove_file(&compressed)?;
    }
    File::open(dir)?.sync_all()?;
    Ok(true)
}

/// An error unless the compressed file says what the raw one does.
fn same(compressed: &Path, raw: &File, len: u64) -> io::Result<()> {
    let mut blocks = Blocks::open(compressed)?;
    let (mut here, mut there) = (vec![0; COMPARE_BYTES], vec![0; COMPARE_BYTES]);
    let mut at = 0;
    while at < len {
        let bytes = usize::try_from(len - at).unwrap_or(usize::MAX).min(COMPARE_BYTES);
        let (here, there) =
            (here.get_mut(..bytes).unwrap_or_default(), there.get_mut(..bytes).unwrap_or_default());
        std::os::unix::fs::FileExt::read_exact_at(raw, here, at)?;
        blocks.read_exact(there)?;
        if here != there {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "what was compressed reads as something else",
            ));
        }
        at += u64::try_from(bytes).unwrap_or_default();
    }
    Ok(())
}

fn begun_path(dir: &Path, segment: u64) -> PathBuf {
    segment_path(dir, segment).with_extension(BEGUN)
}

#[cfg(test)]
#[path = "compact_tests.rs"]
mod tests;
