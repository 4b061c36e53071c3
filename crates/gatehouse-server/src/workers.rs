//! The threads that serve: one for each core, each with a runtime of its own. A call stays on the thread of
//! its connection from end to end, so that nothing of it is handed between cores.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

thread_local! {
    /// Which of the workers this thread is.
    static CURRENT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// How many workers there are: one for each core.
#[must_use]
pub fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Which of the workers runs this; `None` on any other thread.
pub(crate) fn current() -> Option<usize> {
    CURRENT.get()
}

/// The threads that serve. Dropping them ends what still runs on them.
pub struct Workers {
    all: Vec<Worker>,
    /// The workers run as long as it is there.
    lives: Option<watch::Sender<()>>,
}

struct Worker {
    runtime: Handle,
    /// Tasks given to it that have not ended.
    open: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// Counts a task as long as it lives.
struct Open(Arc<AtomicUsize>);

// === impl Workers ===

impl Workers {
    /// Starts a worker for each core.
    ///
    /// # Errors
    /// When the system has no threads or descriptors left.
    pub fn start() -> io::Result<Self> {
        let (lives, end) = watch::channel(());
        let all = (0..count()).map(|index| Worker::start(index, end.clone())).collect::<io::Result<_>>()?;
        Ok(Self { all, lives: Some(lives) })
    }

    /// Runs a task on the worker that has the fewest.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let fewest = self.all.iter().min_by_key(|worker| worker.open.load(Ordering::Relaxed));
        let Some(worker) = fewest else { return };
        worker.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&worker.open));
        worker.runtime.spawn(async move {
            let _open = open;
            task.await;
        });
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.lives = None;
        for worker in &mut self.all {
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

// === impl Worker ===

impl Worker {
    fn start(index: usize, mut end: watch::Receiver<()>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let serve = move || {
            CURRENT.set(Some(index));
            // Nothing is ever sent: what comes is the end.
            let _ = runtime.block_on(end.changed());
            // Tasks are dropped here. The system's look-up of a name, which nobody can end, is not waited for.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name(format!("serve-{index}")).spawn(serve)?;
        Ok(Self { runtime: handle, open: Arc::default(), thread: Some(thread) })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Workers, count, current};
    use std::sync::mpsc::channel;

    #[test]
    fn tasks_are_spread_and_end_with_the_workers() {
        let workers = Workers::start().unwrap();
        let (tell, told) = channel();
        for _ in 0..count() {
            let tell = tell.clone();
            workers.spawn(async move {
                tell.send(current()).unwrap();
                std::future::pending::<()>().await;
            });
        }
        drop(tell);
        let mut all: Vec<_> = (0..count()).map(|_| told.recv().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..count()).map(Some).collect::<Vec<_>>());
        drop(workers);
        assert!(told.recv().is_err(), "what never ends is ended");
    }

    #[test]
    fn the_end_does_not_wait_for_what_blocks() {
        let workers = Workers::start().unwrap();
        let (tell, told) = channel();
        let (release, released) = channel::<()>();
        workers.spawn(async move {
            let looking_up = tokio::task::spawn_blocking(move || {
                tell.send(()).unwrap();
                released.recv()
            });
            let _ = looking_up.await;
        });
        told.recv().unwrap();
        drop(workers);
        drop(release);
    }
}
