//! Reading files ahead, and hashing leaves on all processors.

use gatehouse_proof::leaf::Facts;
use std::sync::mpsc::sync_channel;

/// What may have been read and not been looked at.
const AHEAD: usize = 2;

/// Reads on a thread of its own while what was read before is looked at. Either side ends it: the reader by `None`, the
/// other by `false`.
pub fn ahead<T: Send>(mut read: impl FnMut() -> Option<T> + Send, mut look: impl FnMut(T) -> bool) {
    std::thread::scope(|scope| {
        let (tell, told) = sync_channel(AHEAD);
        scope.spawn(move || {
            while let Some(next) = read()
                && tell.send(next).is_ok()
            {}
        });
        while let Ok(next) = told.recv()
            && look(next)
        {}
        // A reader that has more to say learns here that nobody listens.
        drop(told);
    });
}

/// Reads leaves, in their order.
#[must_use]
pub fn facts<L: AsRef<[u8]> + Sync>(leaves: &[L]) -> Vec<Facts> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = leaves.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let of = |part: &[L]| part.iter().map(|leaf| Facts::of(leaf.as_ref())).collect::<Vec<_>>();
        let (mine, others) = leaves.split_at(share.min(leaves.len()));
        let others: Vec<_> = others.chunks(share).map(|part| scope.spawn(move || of(part))).collect();
        let mut all = of(mine);
        for other in others {
            // A thread that panicked would leave its leaves out: then nothing may be said of the rest.
            match other.join() {
                Ok(facts) => all.extend(facts),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}
