//! Sinks: whoever else gets the record, leaf by leaf and in its order, each leaf at least once. No call waits for them:
//! each sink reads the log by itself, from where its receiver has it.

mod batch;
mod cursor;
mod way;

use crate::export::Form;
use anyhow::{Context as _, Result, bail};
use batch::{Batch, Bounds};
use cursor::{CursorFile, Position, Saved};
use gatehouse_audit::DEFAULT_SHARD;
use gatehouse_audit::tree::log_name;
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
    /// What the log is called in ids and names of objects: no other log is.
    log: String,
    failures: u64,
    rejected: u64,
}

/// Starts all sinks of the configuration.
///
/// # Errors
/// When it cannot be read how far one is, or which log this is.
pub(crate) fn spawn(sinks: &[Sink], house: &Arc<House>, data: &Path) -> Result<JoinHandle<()>> {
    let names: Vec<&str> = sinks.iter().map(|sink| sink.name.as_str()).collect();
    for path in cursor::left_over(data, &names)? {
        tracing::warn!(
            file = %path.display(),
            "a sink that is not in the configuration holds the record back: nothing that it has not got is given up. \
             Delete this file when it is to get nothing more"
        );
    }
    let mut tasks = JoinSet::new();
    for sink in sinks {
        let began = begin(sink, house, data).with_context(|| format!("record.sinks: {}", sink.name))?;
        tasks.spawn(began);
    }
    Ok(tokio::spawn(async move {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a sink of the audit log is not served any more");
            }
        }
    }))
}

fn begin(sink: &Sink, house: &Arc<House>, data: &Path) -> Result<impl Future<Output = ()> + use<>> {
    let log = format!("{DEFAULT_SHARD}-{}", log_name(house.log.dir())?.context("the log has no key yet")?);
    let file = CursorFile::of(data, &sink.name)?;
    let loaded = file.load()?;
    let known = loaded.clone().filter(|saved| match is_of(saved, &log, house) {
        Ok(()) => true,
        Err(why) => {
            let why = format!("{why:#}");
            tracing::error!(
                sink = sink.name,
                why,
                "a sink begins anew: how far it is was said of another log"
            );
            false
        }
    });
    let saved = known.unwrap_or_else(|| Saved { log: log.clone(), ..Saved::default() });
    // From now on nothing is given up that it has not got.
    file.save(&saved)?;
    let working = Working {
        name: sink.name.as_str().into(),
        way: Way::of(sink).context("it has no receiver")?,
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
        log,
        failures: u64::from(loaded.is_some_and(|loaded| loaded != saved)),
        rejected: 0,
    };
    Ok(working.run(saved))
}

/// Whether what was written down is about this log: an error says why not.
fn is_of(saved: &Saved, log: &str, house: &House) -> Result<()> {
    if saved.log != log {
        bail!("it was {}, and this is {log}", saved.log);
    }
    saved.position.check(house.log.dir(), house.log.stats().durable_seq)
}

// === impl Working ===

impl Working {
    async fn run(mut self, mut saved: Saved) {
        loop {
            let (from, durable) = (saved.position, self.house.log.stats().durable_seq);
            self.tell(from.next, durable);
            let bounds = saved.sending.map_or(Bounds::Until(durable, self.at_most), Bounds::Through);
            match self.next(from, bounds).await {
                Ok(Some(batch)) => {
                    if saved.sending.is_none() {
                        // Whatever happens, it comes again as it is now: it does not go before that is safe.
                        saved.sending = Some(batch.last);
                        while !self.save(&saved).await {
                            tokio::time::sleep(PAUSE_MAX).await;
                        }
                    }
                    self.rejected += self.deliver(&batch).await;
                    saved = Saved { position: batch.next, sending: None, ..saved };
                    self.save(&saved).await;
                }
                // What was on its way is lost here; the receiver may have it.
                Ok(None) if saved.sending.is_some() => saved.sending = None,
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
        from: Position,
        bounds: Bounds,
    ) -> impl Future<Output = Result<Option<Batch>>> + Send + 'static {
        let (dir, form) = (self.house.log.dir().to_owned(), self.form);
        async move { tokio::task::spawn_blocking(move || batch::next(&dir, from, bounds, form)).await? }
    }

    /// Sends a batch until its receiver has it, and never the next one before: how many leaves he has thrown away.
    async fn deliver(&mut self, batch: &Batch) -> u64 {
        let mut pause = PAUSE_MIN;
        let (first, last) = (batch.first, batch.last);
        loop {
            let refused = match self.way.deliver(batch, self.form, &self.log).await {
                Ok(rejected) => {
                    if rejected > 0 {
                        tracing::error!(
                            sink = &*self.name,
                            rejected,
                            first,
                            last,
                            "a sink throws records away"
                        );
                    }
                    return rejected;
                }
                Err(refused) => refused,
            };
            self.failures += 1;
            let why = refused.why;
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

    /// Whether it could be written down. What he has and could not be is sent again after the next start.
    async fn save(&mut self, saved: &Saved) -> bool {
        let (file, saved) = (self.file.clone(), saved.clone());
        let saved = tokio::task::spawn_blocking(move || file.save(&saved)).await;
        let Err(error) = saved.unwrap_or_else(|error| Err(error.into())) else { return true };
        self.failures += 1;
        tracing::error!(
            sink = &*self.name,
            error = format!("{error:#}"),
            "how far a sink is cannot be written down"
        );
        false
    }

    fn tell(&self, next: u64, durable: u64) {
        let lag = durable.saturating_sub(next);
        let now = Sending { taken: next, lag, failures: self.failures, rejected: self.rejected };
        self.house.metrics.book.sink(&self.name, now);
    }
}
