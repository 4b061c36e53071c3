//! The spans of a call: one for the call as its caller sees it, below it one for each attempt at a provider.
//! What was said is in none of them, nor is the end user's name: the record's id leads to both.

use super::super::semconv as name;
use super::proto::{Attributes, Message, seconds, short};
use super::{Begun, Ended};
use crate::telemetry::trace_context::{SpanId, TraceContext};
use gatehouse_core::record::{Attempt, CostStatus, Ending, Settled};
use gatehouse_core::verdict::Outcome;
use std::borrow::Cow;

/// From this status on it is the server's fault.
const SERVER_FAULT: u16 = 500;
/// What an attempt ended with that was under way when the caller left.
const CANCELLED: &str = "cancelled";
/// The code of a status that says so.
const STATUS_ERROR: u64 = 2;
/// How the codes of what providers did begin.
const UPSTREAM: &str = "upstream_";

/// The kinds of span that we have.
#[derive(Clone, Copy)]
enum Kind {
    Server,
    Client,
}

/// What a span has beside its attributes.
struct Span<'a> {
    id: SpanId,
    parent: Option<SpanId>,
    kind: Kind,
    model: &'a str,
    /// Begin and end, since the call was accepted.
    micros: (u64, u64),
    error: Option<&'static str>,
}

/// How many spans a call has.
pub(super) fn count(call: &Ended<'_>) -> u64 {
    u64::try_from(call.begun.len()).unwrap_or(u64::MAX).saturating_add(1)
}

/// The spans of a call whose own is `span`.
pub(super) fn of(call: &Ended<'_>, context: &TraceContext, span: SpanId) -> Vec<Message> {
    let mut spans = Vec::with_capacity(call.begun.len() + 1);
    spans.push(whole(call, context, span));
    for (at, begun) in call.begun.iter().enumerate() {
        spans.push(one_attempt(call, context, span, begun, at));
    }
    spans
}

fn whole(call: &Ended<'_>, context: &TraceContext, span: SpanId) -> Message {
    let record = call.record;
    let mut attributes = Attributes::default();
    attributes.text(name::OPERATION, operation(record));
    attributes.text(name::REQUEST_MODEL, record.model.as_deref().unwrap_or_default());
    if let Some(target) = call.billed_by {
        attributes.text(name::PROVIDER, target.provider.kind.convention_name());
        attributes.text(name::RESPONSE_MODEL, &target.deployment.model);
    }
    answered(record, &mut attributes);
    account(record, &mut attributes);
    let fault = record.status >= SERVER_FAULT || record.outcome == Ending::Failed;
    let span = Span {
        id: span,
        parent: context.parent,
        kind: Kind::Server,
        model: record.model.as_deref().unwrap_or_default(),
        micros: (0, record.timing.total_micros),
        error: record.error.filter(|_| fault),
    };
    span.encode(record, context, &attributes)
}

/// What the caller got.
fn answered(record: &Settled, attributes: &mut Attributes) {
    if record.stream {
        attributes.flag(name::STREAM);
        if record.timing.first_byte_micros > 0 {
            attributes.fraction(name::TIME_TO_FIRST_CHUNK, seconds(record.timing.first_byte_micros));
        }
    }
    attributes.list(name::FINISH_REASONS, record.finish.as_deref().map(Cow::Borrowed));
    let usage = &record.usage;
    attributes.count(name::INPUT_TOKENS, usage.input_tokens);
    attributes.count(name::OUTPUT_TOKENS, usage.output_tokens);
    attributes.count(name::CACHE_READ_TOKENS, usage.cached_read_tokens);
    attributes.count(
        name::CACHE_CREATION_TOKENS,
        usage.cache_write_tokens.saturating_add(usage.cache_write_long_tokens),
    );
    attributes.count(name::REASONING_TOKENS, usage.reasoning_tokens);
    attributes.number(name::HTTP_STATUS, record.status.into());
    attributes.text(name::ERROR_TYPE, record.error.unwrap_or_default());
}

/// On whose account, by which way, at what cost.
fn account(record: &Settled, attributes: &mut Attributes) {
    let scope = &record.scope;
    attributes.text(name::RECORD, &record.call.to_string());
    for (key, value) in [
        (name::KEY, record.key.as_deref()),
        (name::ORG, Some(&*scope.org)),
        (name::TEAM, Some(&*scope.team)),
        (name::APP, Some(&*scope.app)),
        (name::USE_CASE, Some(&*scope.use_case)),
        (name::RUN, Some(&*scope.run)),
        (name::SURFACE, record.surface.map(|surface| surface.as_str())),
        (name::TARGET, record.target.as_deref()),
        (name::ROUTE, record.route.as_deref()),
        (name::OUTCOME, Some(record.outcome.as_str())),
        (name::COST_STATUS, Some(record.cost.status.as_str())),
    ] {
        attributes.text(key, value.unwrap_or_default());
    }
    if record.cost.status != CostStatus::Unpriced {
        attributes.number(name::COST, record.cost.amount.0);
    }
    attributes.number(name::ATTEMPTS, u64::try_from(record.attempts.len()).unwrap_or(u64::MAX));
    let guard = |outcome: &Outcome| -> Cow<'_, str> {
        Cow::Owned(format!("{}={}", outcome.guard, outcome.decision.as_str()))
    };
    attributes.list(name::GUARDS, record.guards.iter().map(guard));
}

fn one_attempt(
    call: &Ended<'_>,
    context: &TraceContext,
    parent: SpanId,
    begun: &Begun,
    at: usize,
) -> Message {
    let (record, target) = (call.record, &begun.target);
    let attempt = record.attempts.get(at);
    let mut attributes = Attributes::default();
    attributes.text(name::OPERATION, operation(record));
    attributes.text(name::PROVIDER, target.provider.kind.convention_name());
    attributes.text(name::REQUEST_MODEL, &target.deployment.model);
    attributes.text(name::TARGET, &target.name);
    attributes.number(name::ATTEMPT, u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1));
    if let Ok(address) = target.provider.base_url.parse::<http::Uri>() {
        attributes.text(name::SERVER_ADDRESS, address.host().unwrap_or_default());
        let usual = if address.scheme_str() == Some("http") { 80 } else { 443 };
        attributes.number(name::SERVER_PORT, address.port_u16().unwrap_or(usual).into());
    }
    let error = error(record, attempt);
    if let Some(attempt) = attempt {
        attributes.count(name::HTTP_STATUS, attempt.status.unwrap_or_default().into());
        attributes.text(name::UPSTREAM_ID, attempt.upstream_id.as_deref().unwrap_or_default());
    }
    attributes.text(name::ERROR_TYPE, error.unwrap_or_default());
    let span = Span {
        id: begun.span,
        parent: Some(parent),
        kind: Kind::Client,
        model: &target.deployment.model,
        micros: (begun.after_micros, ended(record, begun, attempt)),
        error,
    };
    span.encode(record, context, &attributes)
}

/// What an attempt came to. The one that serves a stream may still fail after its first content.
fn error(record: &Settled, attempt: Option<&Attempt>) -> Option<&'static str> {
    let Some(attempt) = attempt else { return Some(CANCELLED) };
    attempt.error.or_else(|| record.error.filter(|code| code.starts_with(UPSTREAM)))
}

/// When an attempt was over: the one that serves a stream is under way until the end.
fn ended(record: &Settled, begun: &Begun, attempt: Option<&Attempt>) -> u64 {
    match attempt {
        Some(attempt) if attempt.error.is_some() || !record.stream => {
            begun.after_micros.saturating_add(attempt.micros)
        }
        _ => record.timing.total_micros,
    }
}

fn operation(record: &Settled) -> &'static str {
    record.operation.map_or("none", |operation| operation.as_str())
}

// === impl Span ===

impl Span<'_> {
    /// OTLP's `Span`.
    fn encode(&self, record: &Settled, context: &TraceContext, attributes: &Attributes) -> Message {
        let nanos = |micros: u64| record.at.saturating_add(micros).saturating_mul(1_000);
        let (start, end) = self.micros;
        let mut span = Message::default();
        span.bytes(1, &context.trace);
        span.bytes(2, &self.id);
        if let Some(parent) = &self.parent {
            span.bytes(4, parent);
        }
        match short(self.model) {
            "" => span.text(5, operation(record)),
            model => span.text(5, &format!("{} {model}", operation(record))),
        }
        span.number(6, self.kind.number());
        span.fixed(7, nanos(start));
        span.fixed(8, nanos(end.max(start)));
        span.attributes(9, attributes);
        if let Some(error) = self.error {
            let mut status = Message::default();
            status.text(2, error);
            status.number(3, STATUS_ERROR);
            span.message(15, &status);
        }
        span
    }
}

impl Kind {
    /// OTLP's number.
    fn number(self) -> u64 {
        match self {
            Self::Server => 2,
            Self::Client => 3,
        }
    }
}
