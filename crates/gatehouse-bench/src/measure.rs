//! The loads, in rounds: in each round every target in turn, so that what else the machine does falls on
//! all of them.

use crate::Arguments;
use crate::load::{Connection, Held, Outcome, closed, open, paced};
use crate::process::{cpu, resident};
use crate::rig::{LOCAL, Rig};
use crate::stats::{median, percentile};
use crate::target::{Target, Work};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The size of a small request.
const REQUEST_BYTES: usize = 257;
/// The size of a large one.
const LARGE_BYTES: usize = 1_000_000;
/// Connections of the large one.
const LARGE_CONNECTIONS: usize = 8;
/// Streams at a time.
const STREAMS: usize = 100;
/// Chunks that the simulated provider makes of a stream.
const CHUNKS: u32 = 200;
/// Models of the gateway whose streams are of another dialect.
const TRANSLATED: [&str; 2] = [FROM_BEDROCK, FROM_GEMINI];
/// Amazon's event stream.
pub(crate) const FROM_BEDROCK: &str = "from-bedrock";
/// Google's chunks.
pub(crate) const FROM_GEMINI: &str = "from-gemini";
/// What each of them says.
const CHUNK_TEXT: &[u8] = b"lorem";
/// Calls per second of the open loop.
const RATE: u32 = 1_000;
/// Connections of the open loop.
const RATE_CONNECTIONS: usize = 64;
/// How long memory is left to settle before it is read.
const SETTLE: Duration = Duration::from_secs(2);

/// What is measured of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// CPU µs of a small call, on so many connections.
    CallMicros(usize),
    /// Calls per second, on so many connections.
    Throughput(usize),
    /// CPU µs of a chunk of a paced stream.
    ChunkMicros,
    /// The same of a stream that is translated, by the name of its model.
    TranslatedMicros(&'static str),
    /// ms to the first event of a stream.
    FirstMillis,
    /// CPU ms of a call with a large body.
    LargeMillis,
    /// ms to the answer at the fixed rate: the middle …
    P50Millis,
    /// … and the tail.
    P99Millis,
    /// MB before any call.
    IdleMegabytes,
    /// MB with the idle streams open.
    StreamsMegabytes,
    /// ms from start to ready.
    StartMillis,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// The targets' names in their order, the provider itself first.
    pub(crate) names: Vec<String>,
    /// The samples, one of each round.
    samples: BTreeMap<(String, Figure), Vec<f64>>,
    /// Failures: where, how many, the first.
    pub(crate) failures: Vec<(String, u32, String)>,
    /// How many idle streams there were.
    pub(crate) idle: usize,
    /// The size of the gateway's binary in bytes.
    pub(crate) binary_bytes: u64,
}

// === impl Results ===

impl Results {
    /// The median of a figure.
    pub(crate) fn of(&self, name: &str, figure: Figure) -> Option<f64> {
        median(self.samples.get(&(name.to_owned(), figure))?.iter().copied())
    }

    /// The median over rounds of the ratio to another target in the same round.
    pub(crate) fn ratio(&self, name: &str, other: &str, figure: Figure) -> Option<f64> {
        self.ratio_of((name, figure), (other, figure))
    }

    /// The same of two figures.
    pub(crate) fn ratio_of(&self, one: (&str, Figure), other: (&str, Figure)) -> Option<f64> {
        let samples = |(name, figure): (&str, Figure)| self.samples.get(&(name.to_owned(), figure));
        let pairs = samples(one)?.iter().zip(samples(other)?);
        median(pairs.filter(|(_, other)| **other > 0.0).map(|(one, other)| one / other))
    }

    fn add(&mut self, target: &Target, figure: Figure, value: f64) {
        self.samples.entry((target.name.clone(), figure)).or_default().push(value);
    }

    fn note(&mut self, target: &Target, load: &str, outcome: &Outcome) {
        if let Some(first) = &outcome.first_failure {
            self.failures.push((format!("{}, {load}", target.name), outcome.failures, first.clone()));
        }
    }
}

/// Runs all loads.
pub(crate) async fn all(rig: &Rig, arguments: &Arguments) -> Result<Results> {
    let mut run = Run { rig, arguments, results: Results::default(), small: small(rig).await? };
    run.results.binary_bytes = rig.binary_bytes;
    run.results.names =
        std::iter::once(&rig.direct).chain(&rig.targets).map(|target| target.name.clone()).collect();
    run.memory_and_starts();
    for _ in 0..arguments.rounds {
        for connections in [32, 1, 256] {
            run.calls(connections).await;
        }
        run.streams().await;
        run.translated().await;
        run.large().await;
        run.rate().await;
    }
    run.idle().await;
    Ok(run.results)
}

/// The small call, and what its right answer is: the provider's own text.
async fn small(rig: &Rig) -> Result<Work> {
    let body = request("bench", false, REQUEST_BYTES);
    let mut connection = Connection::open(&rig.direct).await?;
    let (answer, _) = connection.answer(&body, Instant::now()).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let text = answer.pointer("/choices/0/message/content").and_then(Value::as_str);
    let needle = Bytes::from(text.context("the provider's answer has no text")?.to_owned());
    Ok(Work { body, needle, times: 1, ending: b"" })
}

/// A chat request of exactly `bytes`.
fn request(model: &str, stream: bool, bytes: usize) -> Bytes {
    let with = |text: &str| {
        let message = json!({"role": "user", "content": text});
        json!({"model": model, "stream": stream, "messages": [message]}).to_string()
    };
    let words = "the quick brown fox jumps over the lazy dog ";
    let wanted = bytes.saturating_sub(with("").len());
    Bytes::from(with(&words.chars().cycle().take(wanted).collect::<String>()))
}

/// A paced stream of a model, and what its right answer is.
fn stream_of(model: &str) -> Arc<Work> {
    let body = request(model, true, REQUEST_BYTES);
    let needle = Bytes::from_static(CHUNK_TEXT);
    let times = usize::try_from(CHUNKS).unwrap_or(usize::MAX);
    Arc::new(Work { body, needle, times, ending: b"data: [DONE]" })
}

struct Run<'a> {
    rig: &'a Rig,
    arguments: &'a Arguments,
    results: Results,
    small: Work,
}

// === impl Run ===

impl Run<'_> {
    fn wants(&self, load: &str) -> bool {
        self.arguments.only.is_empty() || self.arguments.only.iter().any(|wanted| wanted == load)
    }

    fn memory_and_starts(&mut self) {
        for (name, times) in &self.rig.starts {
            let millis = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
            self.results.samples.insert((name.clone(), Figure::StartMillis), millis);
        }
        for target in &self.rig.targets {
            if let Some(pid) = target.pid {
                self.results.add(target, Figure::IdleMegabytes, megabytes(resident(pid)));
            }
        }
    }

    /// Small calls in a closed loop.
    async fn calls(&mut self, connections: usize) {
        if !self.wants("calls") {
            return;
        }
        let time = Duration::from_secs_f64(self.arguments.seconds);
        let work = Arc::new(self.small.clone());
        for target in &self.rig.targets {
            let load = format!("{connections} connections");
            let Some(mut opened) = self.connect(target, connections, &load).await else { continue };
            let before = target.pid.map(cpu);
            let began = Instant::now();
            let outcome = closed(&mut opened, &work, time).await;
            let per_second = f64::from(outcome.calls) / began.elapsed().as_secs_f64();
            self.per_unit(target, before, outcome.calls, 1e6, Figure::CallMicros(connections));
            self.results.add(target, Figure::Throughput(connections), per_second);
            self.results.note(target, &load, &outcome);
        }
    }

    /// Paced streams.
    async fn streams(&mut self) {
        if !self.wants("streams") {
            return;
        }
        let work = stream_of("bench");
        for target in std::iter::once(&self.rig.direct).chain(&self.rig.targets) {
            let Some(mut opened) = self.connect(target, STREAMS, "streams").await else { continue };
            let before = target.pid.map(cpu);
            let outcome = paced(&mut opened, &work).await;
            self.per_unit(target, before, outcome.calls * CHUNKS, 1e6, Figure::ChunkMicros);
            if outcome.calls > 0 {
                self.results.add(target, Figure::FirstMillis, millis(percentile(&outcome.latencies, 0.5)));
            }
            self.results.note(target, "streams", &outcome);
        }
    }

    /// Paced streams of other dialects, for callers of chat.
    async fn translated(&mut self) {
        if !self.wants("translated") {
            return;
        }
        let Some(target) = self.rig.targets.iter().find(|target| target.name == LOCAL) else { return };
        for model in TRANSLATED {
            let Some(mut opened) = self.connect(target, STREAMS, model).await else { continue };
            let before = target.pid.map(cpu);
            let outcome = paced(&mut opened, &stream_of(model)).await;
            self.per_unit(target, before, outcome.calls * CHUNKS, 1e6, Figure::TranslatedMicros(model));
            self.results.note(target, model, &outcome);
        }
    }

    /// Large bodies in a closed loop.
    async fn large(&mut self) {
        if !self.wants("large") {
            return;
        }
        let time = Duration::from_secs_f64(self.arguments.seconds);
        let work = Arc::new(Work { body: request("bench", false, LARGE_BYTES), ..self.small.clone() });
        for target in &self.rig.targets {
            let Some(mut opened) = self.connect(target, LARGE_CONNECTIONS, "large bodies").await else {
                continue;
            };
            let before = target.pid.map(cpu);
            let outcome = closed(&mut opened, &work, time).await;
            self.per_unit(target, before, outcome.calls, 1e3, Figure::LargeMillis);
            self.results.note(target, "large bodies", &outcome);
        }
    }

    /// Small calls at a fixed rate.
    async fn rate(&mut self) {
        if !self.wants("rate") {
            return;
        }
        let time = Duration::from_secs_f64(self.arguments.seconds);
        let work = Arc::new(self.small.clone());
        for target in std::iter::once(&self.rig.direct).chain(&self.rig.targets) {
            let Some(mut opened) = self.connect(target, RATE_CONNECTIONS, "fixed rate").await else {
                continue;
            };
            let outcome = open(&mut opened, &work, RATE, time).await;
            if outcome.calls > 0 {
                self.results.add(target, Figure::P50Millis, millis(percentile(&outcome.latencies, 0.5)));
                self.results.add(target, Figure::P99Millis, millis(percentile(&outcome.latencies, 0.99)));
            }
            self.results.note(target, "fixed rate", &outcome);
        }
    }

    /// Memory while many streams are open and silent.
    async fn idle(&mut self) {
        if !self.wants("idle") || self.arguments.idle == 0 {
            return;
        }
        let body = request("stall-1", true, REQUEST_BYTES);
        for target in &self.rig.targets {
            let Some(pid) = target.pid else { continue };
            match Held::open(target, &body, self.arguments.idle).await {
                Ok(held) => {
                    tokio::time::sleep(SETTLE).await;
                    self.results.idle = held.len();
                    self.results.add(target, Figure::StreamsMegabytes, megabytes(resident(pid)));
                }
                Err(error) => self.failed(target, "idle streams", &error),
            }
            // The provider and the target see them off before the next ones come.
            tokio::time::sleep(SETTLE).await;
        }
    }

    /// Opens connections and warms each with a call, so that neither is part of the measurement.
    async fn connect(&mut self, target: &Arc<Target>, count: usize, load: &str) -> Option<Vec<Connection>> {
        let mut opened = Vec::with_capacity(count);
        for _ in 0..count {
            let connection = async {
                let mut connection = Connection::open(target).await?;
                connection.call(&self.small, Instant::now()).await?;
                Ok(connection)
            };
            match connection.await {
                Ok(connection) => opened.push(connection),
                Err(error) => {
                    self.failed(target, load, &error);
                    return None;
                }
            }
        }
        Some(opened)
    }

    fn failed(&mut self, target: &Target, load: &str, error: &anyhow::Error) {
        let failed = Outcome { failures: 1, first_failure: Some(format!("{error:#}")), ..Outcome::default() };
        self.results.note(target, load, &failed);
    }

    /// The CPU time since `before`, per unit; `scale` 1e6 gives µs.
    fn per_unit(
        &mut self,
        target: &Target,
        before: Option<Duration>,
        units: u32,
        scale: f64,
        figure: Figure,
    ) {
        if let (Some(pid), Some(before), true) = (target.pid, before, units > 0) {
            let used = cpu(pid).saturating_sub(before).as_secs_f64();
            self.results.add(target, figure, used * scale / f64::from(units));
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Memory in MB of a million bytes, as the limits are meant.
fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) * 1024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::request;

    #[test]
    fn requests_have_the_size_that_is_asked_for() {
        assert_eq!(request("bench", false, 257).len(), 257);
        assert_eq!(request("bench", true, 1_000_000).len(), 1_000_000);
    }
}
