//! Answers that are made in the background: which there are, and who may say the last word about each.

use gatehouse_core::call::CallId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The answers that are being made in the background in this process.
#[derive(Clone, Default)]
pub struct Background(Arc<Inner>);

#[derive(Default)]
struct Inner {
    jobs: Mutex<HashMap<CallId, Arc<Job>>>,
    /// Wakes those who wait for the last one.
    idle: Notify,
}

/// One answer in the making.
#[derive(Default)]
pub struct Job {
    /// Whether somebody has said the last word, or is about to.
    ended: AtomicBool,
    cancelled: Notify,
}

/// The place of an answer among those in the making, as long as it lives.
pub struct Place {
    all: Background,
    id: CallId,
    job: Arc<Job>,
}

// === impl Background ===

impl Background {
    /// An answer begins.
    #[must_use]
    pub fn begin(&self, id: CallId) -> Place {
        let job = Arc::new(Job::default());
        self.jobs().insert(id, Arc::clone(&job));
        Place { all: self.clone(), id, job }
    }

    /// An answer in the making; `None` when it is not, or not here.
    #[must_use]
    pub fn find(&self, id: CallId) -> Option<Arc<Job>> {
        self.jobs().get(&id).map(Arc::clone)
    }

    /// Waits until none is in the making.
    pub async fn ended(&self) {
        loop {
            let mut idle = std::pin::pin!(self.0.idle.notified());
            // Listening begins before the look, so that the last end is not missed.
            idle.as_mut().enable();
            if self.jobs().is_empty() {
                return;
            }
            idle.await;
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<CallId, Arc<Job>>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Job ===

impl Job {
    /// Takes the last word. `false` when somebody else has it.
    #[must_use]
    pub fn end(&self) -> bool {
        !self.ended.swap(true, Ordering::AcqRel)
    }

    /// Nobody wants it any more. `false` when its last word is said, or about to be.
    #[must_use]
    pub fn cancel(&self) -> bool {
        let first = self.end();
        if first {
            // One waits; should it not wait yet, it will not have to.
            self.cancelled.notify_one();
        }
        first
    }

    /// Waits until nobody wants it any more.
    pub async fn cancelled(&self) {
        self.cancelled.notified().await;
    }
}

// === impl Place ===

impl Place {
    /// The answer in the making.
    #[must_use]
    pub fn job(&self) -> &Arc<Job> {
        &self.job
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut jobs = self.all.jobs();
        jobs.remove(&self.id);
        if jobs.is_empty() {
            self.all.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Background;
    use gatehouse_core::call::CallId;

    fn id(text: &str) -> CallId {
        CallId::parse(text).unwrap()
    }

    #[tokio::test]
    async fn one_says_the_last_word_and_the_last_end_is_heard() {
        let all = Background::default();
        all.ended().await;
        let place = all.begin(id("01939b6e-0000-7000-8000-000000000001"));
        let other = all.begin(id("01939b6e-0000-7000-8000-000000000002"));
        let job = all.find(id("01939b6e-0000-7000-8000-000000000001")).unwrap();
        assert!(job.cancel() && !job.end() && !job.cancel());
        place.job().cancelled().await;
        let waits = tokio::spawn({
            let all = all.clone();
            async move { all.ended().await }
        });
        drop(place);
        assert!(all.find(id("01939b6e-0000-7000-8000-000000000001")).is_none());
        assert!(other.job().end());
        drop(other);
        waits.await.unwrap();
    }
}
