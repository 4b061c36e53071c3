//! Sinks: whoever else gets the record, leaf by leaf and in its order, each leaf at least once. No call waits for them:
//! each sink reads the log by itself, from where its receiver has it.

mod batch;
mod cursor;
mod way;

use crate::export::Form;
use anyhow::{Context as _, Result};
use batch::Batch;
use cursor::CursorFile;
use gatehouse_audit::DEFAULT_SHARD;
use gatehouse_config::file::{self, Sink};
use gatehouse_server::clock;
use gatehouse_server::house::House;
use gatehouse_server::telemetry::book::Sending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use way::Way;

pub(crate) use cursor::held_from;

/// The first pause after a receiver did not take a batch, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// One sink at work.
struct Working {
    name: Arc<str>,
    way: Way,
    form: Form,
    at_most: usize,
    every: Duration,
    file: CursorFile,
    house: Arc<House>,
    failures: u64,
}

/// Starts all sinks of the configuration.
///
/// # Errors
/// When it cannot be read how far one is.
pub(crate) fn spawn(sinks: &[Sink], house: &Arc<House>, data: &Path) -> Result<JoinHandle<()>> {
    let mut tasks = JoinSet::new();
    for sink in sinks {
        let file = CursorFile::of(data, &sink.name)?;
        let from = file.load()?;
        if from == cursor::Position::default() {
            // From now on nothing is given up that it has not got.
            file.save(from).with_context(|| format!("record.sinks: {}", sink.name))?;
        }
        let working = Working {
            name: sink.name.as_str().into(),
            way: Way::of(sink).with_context(|| format!("record.sinks: {} has no receiver", sink.name))?,
            form: match sink.form() {
                file::Form::Jsonl => Form::Jsonl,
                file::Form::Ocsf => Form::Ocsf,
                file::Form::Cef => Form::Cef,
                file::Form::Otlp => Form::Otlp,
            },
            at_most: usize::try_from(sink.batch).unwrap_or(usize::MAX),
            every: sink.every.0,
            file,
            house: Arc::clone(house),
            failures: 0,
        };
        tasks.spawn(working.run(from));
    }
    Ok(tokio::spawn(async move {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a sink of the audit log is not served any more");
            }
        }
    }))
}

// === impl Working ===

impl Working {
    async fn run(mut self, mut from: cursor::Position) {
        loop {
            let durable = self.house.log.stats().durable_seq;
            self.tell(from.next, durable);
            match self.next(from, durable).await {
                Ok(Some(batch)) => {
                    self.deliver(&batch).await;
                    self.save(batch.next).await;
                    from = batch.next;
                }
                Ok(None) => tokio::time::sleep(self.every).await,
                Err(error) => {
                    tracing::error!(
                        sink = &*self.name,
                        error = format!("{error:#}"),
                        "a sink cannot read the record"
                    );
                    self.failures += 1;
                    tokio::time::sleep(PAUSE_MAX).await;
                }
            }
        }
    }

    fn next(
        &self,
        from: cursor::Position,
        until: u64,
    ) -> impl Future<Output = Result<Option<Batch>>> + Send + 'static {
        let (dir, at_most, form) = (self.house.log.dir().to_owned(), self.at_most, self.form);
        async move { tokio::task::spawn_blocking(move || batch::next(&dir, from, until, at_most, form)).await? }
    }

    /// Sends a batch until its receiver has it: never the next one before.
    async fn deliver(&mut self, batch: &Batch) {
        let mut pause = PAUSE_MIN;
        loop {
            let refused = match self.way.deliver(batch, self.form, DEFAULT_SHARD).await {
                Ok(()) => return,
                Err(refused) => refused,
            };
            self.failures += 1;
            let (why, first, last) = (refused.why, batch.first, batch.last);
            if refused.lasting {
                tracing::error!(
                    sink = &*self.name,
                    why,
                    first,
                    last,
                    "a sink refuses records; they wait until it takes them"
                );
                pause = PAUSE_MAX;
            } else {
                tracing::warn!(sink = &*self.name, why, first, last, "a sink does not take records");
            }
            self.tell(batch.first, self.house.log.stats().durable_seq);
            // Somewhere within the pause, so that not all come back at once.
            let part = f64::from(clock::chance()) / f64::from(u32::MAX);
            tokio::time::sleep(pause.mul_f64(part).max(PAUSE_MIN)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// What cannot be written down is sent again after the next start, and not lost.
    async fn save(&mut self, position: cursor::Position) {
        let file = self.file.clone();
        let saved = tokio::task::spawn_blocking(move || file.save(position)).await;
        if let Ok(Err(error)) = saved {
            self.failures += 1;
            tracing::error!(
                sink = &*self.name,
                error = format!("{error:#}"),
                "how far a sink is cannot be written down"
            );
        }
    }

    fn tell(&self, next: u64, durable: u64) {
        let now = Sending { taken: next, lag: durable.saturating_sub(next), failures: self.failures };
        self.house.metrics.book.sink(&self.name, now);
    }
}
