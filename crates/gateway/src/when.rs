//! Times as people write them: a duration back from now, or a time.

use anyhow::{Context as _, Result};
use gatehouse_audit::parse_rfc3339;
use gatehouse_config::unit::Duration;
use gatehouse_core::record::UnixMicros;
use gatehouse_server::clock::unix_micros;

const WRITE: &str =
    "write a duration such as 30m, 24h or 7d, or a time such as 2026-11-22T10:00:00Z or 2026-11-22";

/// `24h` is a day ago.
pub(crate) fn past(text: &str) -> Result<UnixMicros> {
    Ok(match Duration::parse(text) {
        Some(back) => unix_micros().saturating_sub(micros(back)),
        None => time(text)?,
    })
}

/// `24h` is in a day.
pub(crate) fn future(text: &str) -> Result<UnixMicros> {
    Ok(match Duration::parse(text) {
        Some(ahead) => unix_micros().saturating_add(micros(ahead)),
        None => time(text)?,
    })
}

/// A length of time in microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.0.as_micros()).unwrap_or(u64::MAX)
}

fn time(text: &str) -> Result<UnixMicros> {
    let whole = match text.strip_suffix('Z') {
        None => format!("{text}T00:00:00.000000Z"),
        Some(time) if !time.contains('.') => format!("{time}.000000Z"),
        Some(_) => text.to_owned(),
    };
    parse_rfc3339(&whole).with_context(|| format!("{text:?}: {WRITE}"))
}

#[cfg(test)]
mod tests {
    use super::{future, past, time};
    use gatehouse_server::clock::unix_micros;

    #[test]
    fn durations_and_times_are_read() {
        let now = unix_micros();
        assert!(past("1h").unwrap() < now && future("1h").unwrap() > now);
        assert_eq!(time("1970-01-02").unwrap(), 86_400_000_000);
        assert_eq!(past("1970-01-01T00:00:01Z").unwrap(), 1_000_000);
        assert!(past("yesterday").unwrap_err().to_string().contains("24h"));
    }
}
