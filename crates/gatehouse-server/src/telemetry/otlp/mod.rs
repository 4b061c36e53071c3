//! Traces and metrics to an OpenTelemetry collector: OTLP over HTTP, in Protobuf.
//!
//! [`settings`] says where to, [`spans`] makes the spans of a call that has ended, [`histograms`] counts,
//! [`worker`] sends in the background. A call pays for making its spans and putting them into a queue; what
//! the queue cannot take is dropped and counted. Without settings none of this exists.

mod histograms;
mod proto;
mod settings;
mod spans;
mod transport;
mod worker;

pub use settings::Settings;

use super::metrics::Metrics;
use super::trace_context::{SpanId, TraceContext};
use crate::target::Target;
use gatehouse_core::record::Settled;
use histograms::Histograms;
use prometheus_client::metrics::counter::Counter;
use proto::Message;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use transport::Transport;
use worker::Worker;

/// Calls whose spans wait to be sent. More are dropped.
const QUEUE_CALLS_MAX: usize = 2_048;
/// How long the end of the process waits for the collector.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(5);

/// Sends traces and metrics in the background.
pub struct Exporter {
    queue: mpsc::Sender<Vec<Message>>,
    flush: mpsc::Sender<oneshot::Sender<()>>,
    histograms: Arc<Mutex<Histograms>>,
    dropped: Counter,
}

/// A call that has ended, as telemetry sees it.
pub struct Ended<'a> {
    /// The record.
    pub record: &'a Settled,
    /// Where it stands in its trace.
    pub context: Option<&'a TraceContext>,
    /// The attempts as they began, in order. The last may have no counterpart in the record: it was under
    /// way when the caller left.
    pub begun: &'a [Begun],
    /// Who bills; `None` when no provider was contacted.
    pub billed_by: Option<&'a Target>,
}

/// An attempt that has begun.
pub struct Begun {
    /// Its span.
    pub span: SpanId,
    /// Whom it goes to.
    pub target: Arc<Target>,
    /// When, in microseconds since the call was accepted.
    pub after_micros: u64,
}

// === impl Exporter ===

impl Exporter {
    /// Starts sending. Must be called on the runtime.
    #[must_use]
    pub fn start(settings: &Settings, metrics: &Metrics) -> Self {
        let (queue, calls) = mpsc::channel(QUEUE_CALLS_MAX);
        let (flush, flushes) = mpsc::channel(1);
        let histograms = Arc::new(Mutex::new(Histograms::default()));
        let dropped = metrics.dropped_spans.clone();
        let transport = Transport::new(settings);
        let worker = Worker::new(transport, settings, calls, Arc::clone(&histograms), metrics);
        tokio::spawn(worker.run(flushes));
        Self { queue, flush, histograms, dropped }
    }

    /// A call has ended. Does not wait.
    pub(crate) fn ended(&self, call: &Ended<'_>) {
        self.histograms.lock().unwrap_or_else(PoisonError::into_inner).observe(call);
        let Some((context, span)) = call.context.and_then(|context| Some((context, context.span?))) else {
            return;
        };
        match self.queue.try_reserve() {
            Ok(place) => place.send(spans::of(call, context, span)),
            Err(_) => drop(self.dropped.inc_by(spans::count(call))),
        }
    }

    /// Sends what waits, and the metrics as they are; gives up when the collector takes too long.
    pub async fn flush(&self) {
        let (done, waiting) = oneshot::channel();
        let flushed = async {
            if self.flush.send(done).await.is_ok() {
                // An error says that the worker is gone, and with it what waited.
                let _ = waiting.await;
            }
        };
        if tokio::time::timeout(FLUSH_TIME_MAX, flushed).await.is_err() {
            tracing::warn!("the collector took too long: traces that waited for it are lost");
        }
    }
}
