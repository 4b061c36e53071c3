//! Connections that wait for their next request, apart for each thread that serves: a connection is woken
//! by the thread that made it.

use super::connection::{Connection, Origin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Idle connections to one provider.
const IDLE_CONNECTIONS_MAX: usize = 512;
/// How long a connection may idle: below the keep-alive of the usual servers (75 s and more), so that we
/// are the one who closes.
const IDLE_TIME_MAX: Duration = Duration::from_secs(55);
/// A connection that idled for longer is looked at once more before it is used: no server closes one sooner
/// for being idle, and under load this costs nothing.
pub(super) const LOOK_AFTER: Duration = Duration::from_millis(100);
/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(10);

/// The idle connections to one provider.
pub(super) struct Pool {
    shards: Box<[Arc<Shard>]>,
}

/// Those of one thread; the last one used is at the end.
#[derive(Default)]
struct Shard {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: Vec<(Connection, Instant)>,
    /// Somebody looks for those that have idled for too long.
    swept: bool,
}

/// Where a connection goes when it has nothing to do.
#[derive(Clone)]
pub(super) struct Home {
    shard: Weak<Shard>,
    idle_max: usize,
}

// === impl Pool ===

impl Pool {
    /// Without connections.
    pub(super) fn new() -> Self {
        // One more for all other threads.
        let shards = crate::workers::count() + 1;
        Self { shards: (0..shards).map(|_| Arc::default()).collect() }
    }

    /// A connection that can take a request, if one waits.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let shard = self.shard()?;
        loop {
            let mut idle = shard.lock();
            let at = idle.connections.iter().rposition(|(connection, _)| connection.origin == *origin)?;
            let (mut connection, since) = idle.connections.remove(at);
            drop(idle);
            if connection.is_usable() && (since.elapsed() < LOOK_AFTER || !connection.is_left()) {
                return Some(connection);
            }
        }
    }

    /// Where the connections of this thread go.
    pub(super) fn home(&self) -> Home {
        Home {
            shard: self.shard().map(Arc::downgrade).unwrap_or_default(),
            idle_max: IDLE_CONNECTIONS_MAX.div_ceil(self.shards.len()),
        }
    }

    fn shard(&self) -> Option<&Arc<Shard>> {
        let last = self.shards.len() - 1;
        self.shards.get(crate::workers::current().map_or(last, |worker| worker.min(last)))
    }
}

// === impl Home ===

impl Home {
    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, connection: Connection) {
        let Some(shard) = self.shard.upgrade() else { return };
        let mut idle = shard.lock();
        if idle.connections.len() >= self.idle_max {
            return;
        }
        idle.connections.push((connection, Instant::now()));
        let sweep = !std::mem::replace(&mut idle.swept, true);
        drop(idle);
        if sweep {
            tokio::spawn(sweeping(self.shard.clone()));
        }
    }
}

/// Closes what has idled for too long or was closed by the other side, until nothing is left.
async fn sweeping(shard: Weak<Shard>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(shard) = shard.upgrade() else { return };
        let mut idle = shard.lock();
        idle.connections
            .retain_mut(|(connection, since)| since.elapsed() < IDLE_TIME_MAX && connection.is_usable());
        if idle.connections.is_empty() {
            idle.swept = false;
            return;
        }
    }
}

// === impl Shard ===

impl Shard {
    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
