//! How far the log is on the disk, and which leaves may never get there.

use std::future::poll_fn;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::error::LogError;

/// How many ranges of lost leaves are kept apart. Beyond it the two oldest become one: a waiter may then
/// be told "lost" of a leaf that is safe, never the other way round.
const LOST_RANGES_MAX: usize = 64;

/// The progress, and who waits for which part of it: nobody is woken before there is news for him.
pub(crate) struct Verdicts {
    inner: Mutex<Inner>,
}

struct Inner {
    progress: Progress,
    /// Who waits for the verdict on which leaf.
    waiting: Vec<(u64, Waker)>,
}

/// What waiters look at. Every sequence number below `next` has its verdict; so have those in `lost`.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    next: u64,
    lost: Vec<Range<u64>>,
    closed: bool,
}

// === impl Verdicts ===

impl Verdicts {
    /// Everything below `next` is on the disk.
    pub(crate) fn new(next: u64) -> Self {
        Self { inner: Mutex::new(Inner { progress: Progress::new(next), waiting: Vec::new() }) }
    }

    /// The first sequence number without a verdict.
    pub(crate) fn next(&self) -> u64 {
        self.lock().progress.next
    }

    /// Whether there will be no further verdicts.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().progress.closed
    }

    /// What is known of one leaf: nothing yet, safe, or not.
    pub(crate) fn verdict(&self, seq: u64) -> Option<Result<(), LogError>> {
        self.lock().progress.verdict(seq)
    }

    /// Changes what is known, and wakes those whom it concerns.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let changed = change(&mut inner.progress);
        let progress = &inner.progress;
        let concerned: Vec<_> =
            inner.waiting.extract_if(.., |(seq, _)| progress.verdict(*seq).is_some()).collect();
        // Whoever wakes up looks here first.
        drop(guard);
        concerned.into_iter().for_each(|(_, waker)| waker.wake());
        changed
    }

    /// Waits for the verdict on a leaf.
    pub(crate) async fn wait(&self, seq: u64) -> Result<(), LogError> {
        poll_fn(|context| {
            let mut inner = self.lock();
            if let Some(verdict) = inner.progress.verdict(seq) {
                return Poll::Ready(verdict);
            }
            let waker = context.waker();
            if !inner.waiting.iter().any(|(of, known)| *of == seq && known.will_wake(waker)) {
                inner.waiting.push((seq, waker.clone()));
            }
            Poll::Pending
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Progress ===

impl Progress {
    /// Everything below `next` is on the disk.
    fn new(next: u64) -> Self {
        Self { next, lost: Vec::new(), closed: false }
    }

    /// Everything below `next` is on the disk, unless it was declared lost before.
    pub(crate) fn advance(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    /// What has no verdict yet and is below `next` may not have reached the disk. Gives that range.
    pub(crate) fn lose(&mut self, next: u64) -> Range<u64> {
        let range = self.next..next.max(self.next);
        self.next = range.end;
        self.doubt(range.clone());
        range
    }

    /// Nobody is told that these leaves are on the disk, even if they will be.
    pub(crate) fn doubt(&mut self, range: Range<u64>) {
        if !range.is_empty() {
            self.lost.push(range);
        }
        if self.lost.len() > LOST_RANGES_MAX {
            let oldest = self.lost.remove(0);
            if let Some(second) = self.lost.first_mut() {
                *second = oldest.start.min(second.start)..oldest.end.max(second.end);
            }
        }
    }

    /// There will be no further verdicts.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// What is known of one leaf: nothing yet, safe, or not.
    pub(crate) fn verdict(&self, seq: u64) -> Option<Result<(), LogError>> {
        if self.lost.iter().any(|range| range.contains(&seq)) {
            return Some(Err(LogError::Lost { seq }));
        }
        if seq >= self.next {
            return self.closed.then_some(Err(LogError::Closed));
        }
        Some(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::{LOST_RANGES_MAX, Progress};

    #[test]
    fn what_was_lost_stays_lost() {
        let mut progress = Progress::new(1);
        progress.advance(4);
        assert_eq!(progress.lose(6), 4..6);
        progress.advance(8);
        let safe: Vec<_> = (1..9).map(|seq| progress.verdict(seq).map(|v| v.is_ok())).collect();
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(safe, [yes, yes, yes, no, no, yes, yes, None]);
        progress.close();
        assert!(progress.verdict(8).unwrap().is_err());
    }

    #[test]
    fn many_losses_are_merged_to_the_safe_side() {
        let mut progress = Progress::new(0);
        let rounds = u64::try_from(LOST_RANGES_MAX).unwrap() * 3;
        for round in 0..rounds {
            progress.advance(round * 2 + 1);
            progress.lose(round * 2 + 2);
        }
        assert!(progress.lost.len() <= LOST_RANGES_MAX);
        assert!((0..rounds).all(|n| progress.verdict(n * 2 + 1).unwrap().is_err()));
    }
}
