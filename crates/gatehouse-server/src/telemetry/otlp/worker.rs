//! Sends in the background, in batches. A collector that is away costs no more than the memory of one batch
//! and one queue: what waits is tried again with the next beat, what is beyond is dropped and counted.

use super::Settings;
use super::histograms::Histograms;
use super::proto::{self, Message};
use super::transport::{Failure, Transport};
use crate::telemetry::metrics::Metrics;
use prometheus_client::metrics::counter::Counter;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior};

/// Spans of one request: with so many waiting, they are sent at once.
const BATCH_SPANS_MAX: usize = 512;
/// How long a span waits for others.
const BATCH_TIME_MAX: Duration = Duration::from_secs(5);
/// How often metrics are sent.
const METRICS_EVERY: Duration = Duration::from_secs(60);

/// The one who sends.
pub(super) struct Worker {
    transport: Transport,
    resource: Message,
    queue: mpsc::Receiver<Vec<Message>>,
    waiting: Vec<Message>,
    histograms: Arc<Mutex<Histograms>>,
    dropped: Counter,
    failed: Counter,
    /// Whether the last request failed: the log hears of the first failure and of the end of them.
    failing: bool,
}

// === impl Worker ===

impl Worker {
    pub(super) fn new(
        transport: Transport,
        settings: &Settings,
        queue: mpsc::Receiver<Vec<Message>>,
        histograms: Arc<Mutex<Histograms>>,
        metrics: &Metrics,
    ) -> Self {
        Self {
            transport,
            resource: proto::resource(&settings.resource),
            queue,
            waiting: Vec::new(),
            histograms,
            dropped: metrics.dropped_spans.clone(),
            failed: metrics.failed_exports.clone(),
            failing: false,
        }
    }

    /// Sends until the exporter is gone.
    pub(super) async fn run(mut self, mut flushes: mpsc::Receiver<oneshot::Sender<()>>) {
        let (mut beat, mut metrics) = (every(BATCH_TIME_MAX), every(METRICS_EVERY));
        loop {
            tokio::select! {
                spans = self.queue.recv(), if self.waiting.len() < BATCH_SPANS_MAX => {
                    let Some(spans) = spans else { return };
                    self.waiting.extend(spans);
                    // A collector that is away is asked again with the beat, not with every batch.
                    if self.waiting.len() >= BATCH_SPANS_MAX && !self.failing {
                        self.send_spans().await;
                    }
                }
                _ = beat.tick() => self.send_spans().await,
                _ = metrics.tick() => self.send_metrics().await,
                done = flushes.recv() => {
                    let Some(done) = done else { return };
                    self.flush().await;
                    // Who asked may have stopped waiting.
                    let _ = done.send(());
                }
            }
        }
    }

    /// Sends all that waits, a batch at a time, until something fails.
    async fn flush(&mut self) {
        loop {
            while self.waiting.len() < BATCH_SPANS_MAX {
                let Ok(spans) = self.queue.try_recv() else { break };
                self.waiting.extend(spans);
            }
            if self.waiting.is_empty() {
                break;
            }
            self.send_spans().await;
            if self.failing {
                break;
            }
        }
        self.send_metrics().await;
    }

    async fn send_spans(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let sent = self.transport.post("/v1/traces", proto::request(&self.resource, &self.waiting)).await;
        match &sent {
            Err(failure) if failure.may_pass => {}
            Err(_) => {
                self.dropped.inc_by(wide(self.waiting.len()));
                self.waiting.clear();
            }
            Ok(()) => self.waiting.clear(),
        }
        self.heard(sent.err());
    }

    /// Metrics count from the start, so that one request that fails loses nothing.
    async fn send_metrics(&mut self) {
        let metrics = self.histograms.lock().unwrap_or_else(PoisonError::into_inner).metrics();
        if metrics.is_empty() {
            return;
        }
        let sent = self.transport.post("/v1/metrics", proto::request(&self.resource, &metrics)).await;
        self.heard(sent.err());
    }

    fn heard(&mut self, failure: Option<Failure>) {
        match failure {
            Some(failure) => {
                self.failed.inc();
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(reason = failure.what, "the collector does not take traces and metrics");
                }
            }
            None if std::mem::take(&mut self.failing) => {
                tracing::info!("the collector takes traces and metrics again");
            }
            None => {}
        }
    }
}

/// The first beat comes after the first pause.
fn every(pause: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + pause, pause);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
