//! Counters and histograms in Prometheus' text form. Labels come from the configuration and from closed
//! sets only, so that a caller cannot make new series.

use super::book::BookMetrics;
use gatehouse_core::record::{Attempt, CostStatus, Settled};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};
use std::sync::Arc;

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    duration: Family<SurfaceLabels, Histogram>,
    first_byte: Family<SurfaceLabels, Histogram>,
    tokens: Family<TokenLabels, Counter>,
    cost: Family<TargetLabels, Counter>,
    unpriced: Family<TargetLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    guards: Family<GuardLabels, Counter>,
    failing_credentials: Family<TargetLabels, Gauge>,
    /// Calls under way.
    pub open_calls: Gauge,
    /// Connections of callers.
    pub open_connections: Gauge,
    /// Configurations that were loaded, by what came of it.
    pub reloads: Family<ReloadLabels, Counter>,
    /// Spans that the collector did not get.
    pub dropped_spans: Counter,
    /// Requests to the collector that failed.
    pub failed_exports: Counter,
    /// How the record stands.
    pub book: BookMetrics,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallLabels {
    operation: &'static str,
    surface: &'static str,
    provider: Arc<str>,
    outcome: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SurfaceLabels {
    operation: &'static str,
    surface: &'static str,
    stream: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TargetLabels {
    provider: Arc<str>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TokenLabels {
    provider: Arc<str>,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttemptLabels {
    provider: Arc<str>,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct GuardLabels {
    guard: Arc<str>,
    decision: &'static str,
}

/// What came of a configuration.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReloadLabels {
    /// `applied` or `refused`.
    pub result: &'static str,
}

/// From half a millisecond to five minutes.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 300.0];

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// A metric at zero, shown under this name.
pub(super) fn counted<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

// === impl Metrics ===

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("gatehouse");
        let all = &mut registry;
        let calls = counted(all, "calls", "Calls that have ended");
        let duration: Family<SurfaceLabels, Histogram> = Family::new_with_constructor(seconds);
        all.register_with_unit("call_duration", "From accept to the end", Unit::Seconds, duration.clone());
        let first_byte: Family<SurfaceLabels, Histogram> = Family::new_with_constructor(seconds);
        all.register_with_unit(
            "first_byte",
            "From accept to the first byte of the answer",
            Unit::Seconds,
            first_byte.clone(),
        );
        let tokens = counted(all, "tokens", "Tokens used, by kind");
        let cost = counted(all, "cost_nanodollars", "Cost in thousand-millionths of a dollar");
        let unpriced = counted(all, "unpriced_calls", "Calls that used tokens without a known price");
        let attempts = counted(all, "upstream_attempts", "Attempts at providers, by what came of them");
        let guards = counted(all, "guard_decisions", "Decisions of guardrails");
        let failing = "Credentials that cannot be had, or that their provider refuses";
        let failing_credentials = counted(all, "failing_credentials", failing);
        let open_calls = counted(all, "open_calls", "Calls under way");
        let open_connections = counted(all, "open_connections", "Connections of callers");
        let reloads = counted(all, "config_reloads", "Configurations loaded");
        let dropped_spans = counted(all, "otlp_dropped_spans", "Spans that the collector did not get");
        let failed_exports = counted(all, "otlp_failed_exports", "Requests to the collector that failed");
        let book = BookMetrics::new(all);
        Self {
            book,
            registry,
            calls,
            duration,
            first_byte,
            tokens,
            cost,
            unpriced,
            attempts,
            guards,
            failing_credentials,
            open_calls,
            open_connections,
            reloads,
            dropped_spans,
            failed_exports,
        }
    }

    /// Of each provider, how many of its credentials fail at the moment.
    pub(crate) fn failing(&self, all: impl Iterator<Item = (Arc<str>, usize)>) {
        // Providers come and go with the configuration.
        self.failing_credentials.clear();
        for (provider, count) in all {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.failing_credentials.get_or_create(&TargetLabels { provider }).set(count);
        }
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    pub(crate) fn attempt(&self, attempt: &Attempt) {
        let labels =
            AttemptLabels { provider: provider(Some(&attempt.target)), code: attempt.error.unwrap_or("ok") };
        self.attempts.get_or_create(&labels).inc();
    }

    pub(crate) fn ended(&self, record: &Settled) {
        let operation = record.operation.map_or("none", |operation| operation.as_str());
        let surface = record.surface.map_or("none", |surface| surface.as_str());
        let provider = provider(record.target.as_ref());
        let (outcome, code) = (record.outcome.as_str(), record.error.unwrap_or("ok"));
        self.calls
            .get_or_create(&CallLabels { operation, surface, provider: Arc::clone(&provider), outcome, code })
            .inc();
        let stream = if record.stream { "true" } else { "false" };
        let labels = SurfaceLabels { operation, surface, stream };
        self.duration.get_or_create(&labels).observe(as_seconds(record.timing.total_micros));
        if record.timing.first_byte_micros > 0 {
            self.first_byte.get_or_create(&labels).observe(as_seconds(record.timing.first_byte_micros));
        }
        for (kind, count) in [
            ("input", record.usage.input_tokens),
            ("cached_read", record.usage.cached_read_tokens),
            ("output", record.usage.output_tokens),
            ("reasoning", record.usage.reasoning_tokens),
        ] {
            if count > 0 {
                self.tokens
                    .get_or_create(&TokenLabels { provider: Arc::clone(&provider), kind })
                    .inc_by(count);
            }
        }
        let target = TargetLabels { provider };
        if record.cost.status == CostStatus::Unpriced {
            self.unpriced.get_or_create(&target).inc();
        } else if record.cost.amount.0 > 0 {
            self.cost.get_or_create(&target).inc_by(record.cost.amount.0);
        }
        for guard in &record.guards {
            let labels = GuardLabels { guard: Arc::clone(&guard.guard), decision: guard.decision.as_str() };
            self.guards.get_or_create(&labels).inc();
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The provider of `provider/model`; the configuration bounds their number.
fn provider(target: Option<&Arc<str>>) -> Arc<str> {
    target
        .and_then(|target| target.split_once('/'))
        .map_or_else(|| "none".into(), |(provider, _)| provider.into())
}

fn as_seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}
