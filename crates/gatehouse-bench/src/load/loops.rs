//! The shapes of load: closed loops, an open loop at a fixed rate, streams.

use super::{Connection, Outcome};
use crate::target::Work;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

/// Every connection asks as soon as it has its answer, until the time is over.
pub(crate) async fn closed(connections: &mut Vec<Connection>, work: &Arc<Work>, time: Duration) -> Outcome {
    let end = Instant::now() + time;
    each(connections, work, async move |connection, work, outcome| {
        while Instant::now() < end && outcome.took(connection.call(work, Instant::now()).await) {}
    })
    .await
}

/// Every connection reads one stream.
pub(crate) async fn paced(connections: &mut Vec<Connection>, work: &Arc<Work>) -> Outcome {
    each(connections, work, async |connection, work, outcome| {
        outcome.took(connection.call(work, Instant::now()).await);
    })
    .await
}

/// Calls at fixed times, whether earlier ones have ended or not: one that finds all connections busy counts
/// its wait. The timer's own lateness (up to a millisecond) does not count: it is not the target's.
pub(crate) async fn open(
    connections: &mut Vec<Connection>,
    work: &Arc<Work>,
    per_second: u32,
    time: Duration,
) -> Outcome {
    let start = Instant::now();
    let step = Duration::from_secs(1) / per_second;
    let next = Rc::new(Cell::new(0_u32));
    each(connections, work, async move |connection, work, outcome| {
        loop {
            let due = step * next.get();
            next.set(next.get() + 1);
            if due >= time {
                return;
            }
            let mut since = start + due;
            if Instant::now() < since {
                tokio::time::sleep_until(since.into()).await;
                since = Instant::now();
            }
            if !outcome.took(connection.call(work, since).await) {
                return;
            }
        }
    })
    .await
}

/// Runs `turn` on every connection at once, on this thread. Connections that failed are not given back.
async fn each<F>(connections: &mut Vec<Connection>, work: &Arc<Work>, turn: F) -> Outcome
where
    F: AsyncFn(&mut Connection, &Work, &mut Outcome) + 'static,
{
    let (local, turn) = (LocalSet::new(), Rc::new(turn));
    let tasks: Vec<_> = connections
        .drain(..)
        .map(|mut connection| {
            let (work, turn) = (Arc::clone(work), Rc::clone(&turn));
            local.spawn_local(async move {
                let mut outcome = Outcome::default();
                turn(&mut connection, &work, &mut outcome).await;
                (connection, outcome)
            })
        })
        .collect();
    local.await;
    let mut all = Outcome::default();
    for task in tasks {
        let Ok((connection, outcome)) = task.await else { continue };
        if outcome.failures == 0 {
            connections.push(connection);
        }
        all.merge(outcome);
    }
    all.latencies.sort_unstable();
    all
}
