//! The one place that reads clocks and makes ids.

use gatehouse_core::call::CallId;
use gatehouse_core::record::UnixMicros;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since the epoch.
#[must_use]
pub fn unix_micros() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Whole seconds since the epoch.
#[must_use]
pub fn unix_seconds() -> u64 {
    unix_micros() / 1_000_000
}

/// Milliseconds of a clock that never goes back, from the start of the process.
#[must_use]
pub fn steady_millis() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Microseconds since `start`.
#[must_use]
pub fn micros_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// How long it is until `deadline`; zero when it is over.
#[must_use]
pub fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// A new id, sortable by time.
#[must_use]
pub fn call_id() -> CallId {
    CallId::new(uuid::Uuid::now_v7())
}

/// Chance, for jitter.
#[must_use]
pub fn chance() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
