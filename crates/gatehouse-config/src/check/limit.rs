//! Limits of size, number and time: sane, and such that the gateway can keep them.

use super::Report;
use crate::file::{Config, Timeouts};
use crate::path::Path;
use crate::unit::{Bytes, Duration};

/// No limit of time may be longer.
const DURATION_MAX: Duration = Duration::seconds(24 * 3600);
/// The smallest buffer with which a connection can be served.
const HEADERS_BYTES_MIN: Bytes = Bytes(8 << 10);
/// A larger request head is an attack.
const HEADERS_BYTES_MAX: Bytes = Bytes(1 << 20);
/// What one call may hold in memory.
const BODY_BYTES_MAX: Bytes = Bytes(1 << 30);
/// Additional attempts at one target.
const ATTEMPTS_MAX: u32 = 10;

/// Checks limits, timeouts and retries.
pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let at = Path::of("limits");
    let limits = &config.limits;
    between(limits.headers, HEADERS_BYTES_MIN, HEADERS_BYTES_MAX, &at.key("headers"), report);
    between(limits.body, Bytes(1 << 10), BODY_BYTES_MAX, &at.key("body"), report);
    between(limits.answer, Bytes(1 << 10), BODY_BYTES_MAX, &at.key("answer"), report);
    for (name, number) in [("connections", limits.connections), ("calls", limits.calls)] {
        if number == 0 {
            report.error(&at.key(name), "is 0: nobody could call; write at least 1");
        }
    }
    between(limits.message, Bytes(1 << 10), BODY_BYTES_MAX, &at.key("message"), report);
    for (name, time) in [
        ("header_time", limits.header_time),
        ("body_time", limits.body_time),
        ("session", limits.session),
        ("session_idle", limits.session_idle),
    ] {
        duration(time, &at.key(name), report);
    }
    if limits.drain > DURATION_MAX {
        report.error(&at.key("drain"), &format!("is longer than {DURATION_MAX}"));
    }
    timeouts(&config.timeouts, &Path::of("timeouts"), report);
    retry(config, report);
    batches(config, report);
}

/// Checks limits of time towards providers.
pub(super) fn timeouts(timeouts: &Timeouts, at: &Path, report: &mut Report<'_>) {
    let Timeouts { connect, first_token, idle, total } = *timeouts;
    for (name, time) in [("connect", connect), ("first_token", first_token), ("idle", idle), ("total", total)]
    {
        duration(time, &at.key(name), report);
    }
    for (name, time) in [("connect", connect), ("first_token", first_token)] {
        if time > total {
            report.error(&at.key(name), &format!("is {time}, longer than total ({total})"));
        }
    }
}

fn retry(config: &Config, report: &mut Report<'_>) {
    let (at, retry) = (Path::of("retry"), &config.retry);
    if retry.attempts > ATTEMPTS_MAX {
        report.error(&at.key("attempts"), &format!("is more than {ATTEMPTS_MAX}"));
    }
    if retry.budget_percent > 100 {
        report.error(&at.key("budget_percent"), "is more than 100");
    }
    if retry.backoff > config.timeouts.total {
        report.error(&at.key("backoff"), "is longer than timeouts.total");
    }
    if retry.wait_max > DURATION_MAX {
        report.error(&at.key("wait_max"), &format!("is longer than {DURATION_MAX}"));
    }
}

fn batches(config: &Config, report: &mut Report<'_>) {
    duration(config.batches.poll, &Path::of("batches").key("poll"), report);
}

pub(super) fn duration(time: Duration, at: &Path, report: &mut Report<'_>) {
    if time == Duration::default() {
        report.error(at, "is 0: nothing could be done in that time");
    }
    if time > DURATION_MAX {
        report.error(at, &format!("is longer than {DURATION_MAX}"));
    }
}

fn between(size: Bytes, least: Bytes, most: Bytes, at: &Path, report: &mut Report<'_>) {
    if size < least || size > most {
        report.error(at, &format!("is {size}; it may be {least} to {most}"));
    }
}
