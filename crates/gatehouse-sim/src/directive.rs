//! Behaviour asked for by the model's name, so that a test needs nothing but a model to provoke it.
//! Several are joined with `+`: `slow-200+drip-20`.

use std::time::Duration;

use crate::options::{BIG_KIB_MAX, DELAY_MAX};

/// What a model's name asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// `missing…`: there is no such model.
    pub(crate) missing: bool,
    /// `slow-<ms>`: the time before the answer begins.
    pub(crate) slow: Option<Duration>,
    /// `error-<status>`: answered with this status.
    pub(crate) error: Option<u16>,
    /// `ratelimit-<seconds>`: answered with 429 and when to come back.
    pub(crate) ratelimit: Option<u64>,
    /// `cut-<n>`: the connection is closed after n events.
    pub(crate) cut: Option<usize>,
    /// `stall-<n>`: nothing comes after n events.
    pub(crate) stall: Option<usize>,
    /// `fail-<n>`: after n events comes the dialect's own error event, then the end.
    pub(crate) fail: Option<usize>,
    /// `drip-<ms>`: the time between two chunks.
    pub(crate) drip: Option<Duration>,
    /// `big-<kb>`: the size of the answer's text in KiB.
    pub(crate) big_kib: Option<usize>,
    /// `filter`: the answer is withheld.
    pub(crate) filter: bool,
    /// `echo-json`: the answer is the request's body.
    pub(crate) echo_json: bool,
    /// `hangup`: the connection is closed without an answer.
    pub(crate) hang_up: bool,
    /// `pings`: a flood of them before each response of a realtime session.
    pub(crate) pings: bool,
}

// === impl Directives ===

impl Directives {
    /// Reads them from a model's name; ordinary names ask for nothing.
    pub(crate) fn of(model: &str) -> Self {
        let mut directives = Self { missing: model.starts_with("missing"), ..Self::default() };
        for word in model.split('+') {
            directives.read(word);
        }
        directives
    }

    fn read(&mut self, word: &str) {
        match word {
            "filter" => self.filter = true,
            "echo-json" => self.echo_json = true,
            "hangup" => self.hang_up = true,
            "pings" => self.pings = true,
            _ => {}
        }
        let Some((name, number)) = word.split_once('-') else { return };
        let Ok(number) = number.parse::<u32>() else { return };
        let time = Duration::from_millis(number.into()).min(DELAY_MAX);
        let count = usize::try_from(number).unwrap_or(usize::MAX);
        match name {
            "slow" => self.slow = Some(time),
            "error" => self.error = u16::try_from(number).ok().filter(|status| (400..600).contains(status)),
            "ratelimit" => self.ratelimit = Some(number.into()),
            "cut" => self.cut = Some(count),
            "stall" => self.stall = Some(count),
            "fail" => self.fail = Some(count),
            "drip" => self.drip = Some(time),
            "big" => self.big_kib = Some(count.min(BIG_KIB_MAX)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        assert_eq!(Directives::of("gpt-5"), Directives::default());
        assert_eq!(Directives::of("error-529").error, Some(529));
        assert_eq!(Directives::of("error-200").error, None);
        let both = Directives::of("slow-20+cut-3");
        assert_eq!((both.slow, both.cut), (Some(Duration::from_millis(20)), Some(3)));
        assert!(Directives::of("missing-model").missing);
    }
}
