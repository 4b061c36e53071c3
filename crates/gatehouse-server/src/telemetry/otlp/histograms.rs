//! The histograms of the conventions, counted since the start.

use super::super::semconv::{self as name, Instrument};
use super::Ended;
use super::proto::{Attributes, Message, seconds, short};
use crate::clock;
use gatehouse_core::call::Operation;
use std::collections::HashMap;
use std::sync::Arc;

/// Series in all: what is beyond goes to one that says so, as callers choose names of models.
const SERIES_MAX: usize = 6_000;

/// How values relate to the last ones sent: they count from the start.
const CUMULATIVE: u64 = 2;

/// Everything that is counted for the collector.
pub(super) struct Histograms {
    series: HashMap<(Instrument, Labels), Buckets>,
    since_nanos: u64,
}

/// What distinguishes a series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Labels {
    operation: &'static str,
    provider: &'static str,
    request_model: Arc<str>,
    response_model: Arc<str>,
    token_type: &'static str,
    error: &'static str,
}

/// A histogram.
struct Buckets {
    counts: Vec<u64>,
    sum: f64,
}

// === impl Histograms ===

impl Default for Histograms {
    fn default() -> Self {
        Self { series: HashMap::new(), since_nanos: now() }
    }
}

impl Histograms {
    /// Counts a call, if a provider had to do with it.
    pub(super) fn observe(&mut self, call: &Ended<'_>) {
        let record = call.record;
        let (Some(target), Some(operation)) = (call.billed_by, record.operation) else { return };
        if matches!(operation, Operation::CountTokens | Operation::ListModels) {
            return;
        }
        let labels = Labels {
            operation: operation.as_str(),
            provider: target.provider.kind.convention_name(),
            request_model: short(record.model.as_deref().unwrap_or_default()).into(),
            response_model: Arc::clone(&target.deployment.model),
            ..Labels::default()
        };
        for (token_type, tokens) in
            [("input", record.usage.input_tokens), ("output", record.usage.output_tokens)]
        {
            if tokens > 0 {
                self.count(Instrument::TokenUsage, Labels { token_type, ..labels.clone() }, number(tokens));
            }
        }
        if record.stream && record.error.is_none() && record.timing.first_byte_micros > 0 {
            self.count(
                Instrument::TimeToFirstToken,
                labels.clone(),
                seconds(record.timing.first_byte_micros),
            );
        }
        let labels = Labels { error: record.error.unwrap_or_default(), ..labels };
        self.count(Instrument::OperationDuration, labels, seconds(record.timing.total_micros));
    }

    fn count(&mut self, instrument: Instrument, labels: Labels, value: f64) {
        let mut key = (instrument, labels);
        if self.series.len() >= SERIES_MAX && !self.series.contains_key(&key) {
            // No call has these labels.
            key.1 = Labels::default();
        }
        self.series.entry(key).or_insert_with(|| Buckets::new(instrument)).observe(instrument, value);
    }

    /// What was counted so far: OTLP's `Metric`, one for each instrument.
    pub(super) fn metrics(&self) -> Vec<Message> {
        let now = now();
        Instrument::ALL.into_iter().filter_map(|instrument| self.metric(instrument, now)).collect()
    }

    fn metric(&self, instrument: Instrument, now: u64) -> Option<Message> {
        let mut histogram = Message::default();
        for ((_, labels), buckets) in self.series.iter().filter(|((of, _), _)| *of == instrument) {
            histogram.message(1, &buckets.point(instrument, labels, self.since_nanos, now));
        }
        if histogram == Message::default() {
            return None;
        }
        histogram.number(2, CUMULATIVE);
        let mut metric = Message::default();
        metric.text(1, instrument.name());
        metric.text(2, instrument.description());
        metric.text(3, instrument.unit());
        metric.message(9, &histogram);
        Some(metric)
    }
}

// === impl Labels, Buckets ===

impl Labels {
    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::default();
        if *self == Self::default() {
            attributes.flag(name::OVERFLOW);
        }
        attributes.text(name::OPERATION, self.operation);
        attributes.text(name::PROVIDER, self.provider);
        attributes.text(name::REQUEST_MODEL, &self.request_model);
        attributes.text(name::RESPONSE_MODEL, &self.response_model);
        attributes.text(name::TOKEN_TYPE, self.token_type);
        attributes.text(name::ERROR_TYPE, self.error);
        attributes
    }
}

impl Buckets {
    fn new(instrument: Instrument) -> Self {
        Self { counts: vec![0; instrument.bounds().len() + 1], sum: 0.0 }
    }

    /// A bucket holds what is at most its bound; the last has none.
    fn observe(&mut self, instrument: Instrument, value: f64) {
        let at = instrument.bounds().partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum += value;
    }

    /// OTLP's `HistogramDataPoint`.
    fn point(&self, instrument: Instrument, labels: &Labels, since: u64, now: u64) -> Message {
        let mut point = Message::default();
        point.fixed(2, since);
        point.fixed(3, now);
        point.fixed(4, self.counts.iter().sum());
        point.double(5, self.sum);
        point.fixed_list(6, self.counts.iter().copied());
        point.fixed_list(7, instrument.bounds().iter().map(|bound| bound.to_bits()));
        point.attributes(9, &labels.attributes());
        point
    }
}

/// Tokens beyond four thousand million count as that many.
fn number(tokens: u64) -> f64 {
    u32::try_from(tokens).unwrap_or(u32::MAX).into()
}

fn now() -> u64 {
    clock::unix_micros().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::{Buckets, Histograms, Instrument, Labels, SERIES_MAX};

    #[test]
    fn a_value_on_a_bound_is_below_it() {
        let mut buckets = Buckets::new(Instrument::TokenUsage);
        for value in [1.0, 1.5, 4.0, 1e12] {
            buckets.observe(Instrument::TokenUsage, value);
        }
        assert_eq!(buckets.counts[..2], [1, 2]);
        assert_eq!((buckets.counts.len(), buckets.counts[14]), (15, 1));
    }

    #[test]
    fn bounds_ascend() {
        for instrument in Instrument::ALL {
            assert!(instrument.bounds().is_sorted(), "{instrument:?}");
        }
    }

    #[test]
    fn callers_cannot_make_series_without_end() {
        let mut histograms = Histograms::default();
        for model in 0..SERIES_MAX * 2 {
            let labels =
                Labels { operation: "chat", request_model: model.to_string().into(), ..Labels::default() };
            histograms.count(Instrument::TokenUsage, labels, 1.0);
        }
        assert_eq!(histograms.series.len(), SERIES_MAX + 1);
        let overflow = &histograms.series[&(Instrument::TokenUsage, Labels::default())];
        assert_eq!(overflow.counts[0], u64::try_from(SERIES_MAX).unwrap());
    }
}
