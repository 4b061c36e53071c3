//! What becomes of a call, written down as it happens. Whatever way the call takes (an answer, an error, a
//! panic, a client that leaves), its trail ends exactly once: the reservation is settled and the last leaf
//! is in the log.

mod batch;
mod turns;

use crate::clock;
use crate::headers;
use crate::house::House;
use crate::meter::Meter;
use crate::payload::Kept;
use crate::snapshot::Snapshot;
use crate::target::Target;
use crate::telemetry::otlp::{self, Begun};
use crate::telemetry::trace_context::{SpanId, TraceContext};
use gatehouse_audit::{Durability, Permit, Ticket};
use gatehouse_config::file::Content;
use gatehouse_core::call::{CallId, Operation, Scope};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error, Fault};
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::{Admitted, Attempt, Cost, CostStatus, Ending, PayloadRole, Settled, Timing};
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_guard::engine::{Active, Tally};
use gatehouse_ledger::{Hold, ServiceTier, settle};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Instant;

/// The record of one call under way.
pub struct Trail {
    house: Arc<House>,
    /// The configuration that the call runs under, from beginning to end.
    pub snapshot: Arc<Snapshot>,
    permit: Option<Permit>,
    record: Settled,
    context: Option<TraceContext>,
    /// The attempts whose spans are recorded.
    begun: Vec<Begun>,
    started: Instant,
    hold: Option<Hold>,
    /// Who bills: the target that serves, or the last one that was tried.
    billed_by: Option<Arc<Target>>,
    /// What failed attempts may be billed for all the same.
    lost: Option<(Usage, Cost)>,
    /// The responses of a session that are over.
    turns: Option<turns::Turns>,
    /// The first leaf of a session.
    admitted: Option<Box<Admitted>>,
    /// Ids and limits that the last failed attempt's provider gave.
    pub upstream: HeaderMap,
    tier: ServiceTier,
    tally: Tally,
    /// Whether a provider was contacted: from then on it is not "denied" any more.
    contacted: bool,
    /// What the call has used so far.
    pub meter: Meter,
    /// What is kept of the request.
    pub request: Kept,
    /// What is kept of the answer.
    pub answer: Kept,
}

/// How a trail ended, for headers and for the wait.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The place of the last leaf; `None` when it could not be written yet.
    pub ticket: Option<Ticket>,
    /// What the call cost.
    pub cost: Cost,
}

// === impl Trail: the way ===

impl Trail {
    /// Takes a place in the log and begins.
    ///
    /// # Errors
    /// `overloaded` or `audit_unavailable`: then nothing may happen.
    pub fn begin(house: &Arc<House>) -> Result<Self, Error> {
        let permit = house.log.permit().map_err(|error| {
            let code = error.code();
            let message = if code == Code::Overloaded {
                "too many calls are under way"
            } else {
                "the audit log cannot be written, so no call may pass"
            };
            Error::new(code, message).retry_after(std::time::Duration::from_secs(1)).detail(error.to_string())
        })?;
        house.metrics.open_calls.inc();
        let snapshot = house.snapshot.load_full();
        let content = snapshot.keeping.most();
        let config = Arc::clone(&snapshot.version);
        Ok(Self {
            house: Arc::clone(house),
            snapshot,
            permit: Some(permit),
            record: blank(clock::call_id(), config),
            context: None,
            begun: Vec::new(),
            started: Instant::now(),
            hold: None,
            billed_by: None,
            lost: None,
            turns: None,
            admitted: None,
            upstream: HeaderMap::new(),
            tier: ServiceTier::default(),
            tally: Tally::default(),
            contacted: false,
            meter: Meter::default(),
            request: Kept::new(content),
            answer: Kept::new(content),
        })
    }

    /// The call's id.
    #[must_use]
    pub fn id(&self) -> CallId {
        self.record.call
    }

    /// When the call was accepted.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// When the call was accepted, in Unix seconds: prices hold as of then.
    #[must_use]
    pub fn accepted_at(&self) -> u64 {
        self.record.at / 1_000_000
    }

    /// What is asked, in which dialect.
    pub fn asks(&mut self, operation: Operation, surface: Dialect) {
        (self.record.operation, self.record.surface) = (Some(operation), Some(surface));
    }

    /// Who asks.
    pub fn caller(&mut self, key: &Arc<str>, bound: &Scope) {
        self.record.key = Some(Arc::clone(key));
        self.record.scope = bound.clone();
    }

    /// On whose account.
    pub fn scope(&mut self, scope: &Scope) {
        self.record.scope = scope.clone();
        // Now that both are known, no more is gathered than may be kept.
        let most = self.snapshot.keeping.most_of(scope, self.record.model.as_deref());
        self.request.limit(most);
        self.answer.limit(most);
    }

    /// For which model, streamed or not, at which tier.
    pub fn wants(&mut self, model: &str, stream: bool, tier: ServiceTier) {
        self.record.model = Some(model.into());
        self.record.stream = stream;
        self.tier = tier;
    }

    /// The trace that the call belongs to: the caller's, or one that begins here if traces are exported.
    pub fn trace(&mut self, headers: &HeaderMap) {
        self.context = TraceContext::of_caller(headers);
        if self.house.export.get().is_some() {
            self.context = self.context.or_else(TraceContext::started).map(TraceContext::recorded);
        }
        self.record.trace = self.context.as_ref().map(TraceContext::trace_id);
    }

    /// Where the call stands in its trace.
    #[must_use]
    pub fn context(&self) -> Option<&TraceContext> {
        self.context.as_ref()
    }

    /// By which rule it is routed.
    pub fn routed(&mut self, reason: &Arc<str>) {
        self.record.route = Some(Arc::clone(reason));
    }

    /// What guardrails saw.
    pub fn judged(&mut self, tally: Tally) {
        self.tally.merge(tally);
    }

    /// The money is reserved. Writes the first leaf: from here on a provider may be contacted.
    ///
    /// # Errors
    /// `audit_unavailable`.
    pub fn admitted(
        &mut self,
        hold: Option<Hold>,
        reserved: Nanodollars,
        plan: Vec<Arc<str>>,
    ) -> Result<(), Error> {
        self.hold = hold;
        let (Some(operation), Some(surface)) = (self.record.operation, self.record.surface) else {
            return Err(Error::new(Code::Internal, "the call has no operation"));
        };
        let admitted = Admitted {
            call: self.record.call,
            at: self.record.at,
            key: self.record.key.clone().unwrap_or_default(),
            scope: self.record.scope.clone(),
            operation,
            surface,
            model: self.record.model.clone().unwrap_or_default(),
            reserved,
            plan,
        };
        let Some(permit) = self.permit.as_mut() else {
            return Err(Error::new(Code::Internal, "the call has no permit"));
        };
        if operation == Operation::Realtime {
            // A session says again what it has come to.
            self.admitted = Some(Box::new(admitted.clone()));
        }
        permit.admitted(&admitted).map(|_| ()).map_err(|error| {
            Error::new(Code::AuditUnavailable, "the audit log cannot be written, so no call may pass")
                .detail(error.to_string())
        })
    }

    /// An attempt begins: the request leaves for this target, as this span where spans are recorded.
    pub fn attempting(&mut self, target: &Arc<Target>, span: Option<SpanId>) {
        if let Some(span) = span {
            let after_micros = clock::micros_since(self.started);
            self.begun.push(Begun { span, target: Arc::clone(target), after_micros });
        }
        self.billed_by = Some(Arc::clone(target));
        if !self.contacted {
            self.contacted = true;
            self.record.timing.queue_micros = clock::micros_since(self.started);
        }
        // Nobody bills a count, nor a session in which nothing is said.
        if !matches!(self.record.operation, Some(Operation::CountTokens | Operation::Realtime)) {
            self.meter.sent();
        }
    }

    /// An attempt is over, or has brought its first byte.
    pub fn attempted(&mut self, attempt: Attempt) {
        self.house.metrics.attempt(&attempt);
        self.record.attempts.push(attempt);
    }

    /// The attempt has failed, and its provider said so in these headers, if it said anything.
    pub fn lost(&mut self, target: &Target, upstream: &HeaderMap) {
        self.upstream = headers::passed_on(upstream);
        self.meter.failed().into_iter().for_each(|usage| self.spent(target, usage));
    }

    /// A target has used this, and the call has nothing of it.
    pub fn spent(&mut self, target: &Target, usage: Usage) {
        if usage.is_empty() {
            return;
        }
        let cost = settle(&usage, UsageSource::Estimated, &target.prices, self.tier, self.accepted_at());
        let (usage_before, cost_before) = self.lost.take().unwrap_or_default();
        self.lost = Some((usage_before.saturating_add(usage), cost_before.and(cost)));
    }

    /// How many attempts there were.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.record.attempts.len()
    }

    /// This target serves, with these members left out of the request.
    pub fn served(&mut self, target: &Arc<Target>, dropped: &[String]) {
        self.record.target = Some(Arc::clone(&target.name));
        self.record.dropped = dropped.iter().map(|path| path.as_str().into()).collect();
        self.billed_by = Some(Arc::clone(target));
        self.record.timing.first_byte_micros = clock::micros_since(self.started);
    }

    /// Which tier served, in the provider's word.
    pub fn tier(&mut self, word: &str) {
        let served = ServiceTier::parse(word);
        // Anthropic's fast mode is no tier of its own there: its answers may say `standard` all the same.
        let native = Some(Dialect::AnthropicMessages);
        let anthropic =
            self.billed_by.as_ref().map(|target| target.dialect(Dialect::AnthropicMessages)) == Some(native);
        if !(anthropic && self.tier == ServiceTier::Fast && served == ServiceTier::Standard) {
            self.tier = served;
        }
    }

    /// This of the answer has no place in the caller's dialect.
    pub fn left_out(&mut self, path: &str) {
        if !self.record.dropped.iter().any(|known| **known == *path) {
            self.record.dropped.push(path.into());
        }
    }

    /// Why the model stopped.
    pub fn finished(&mut self, reason: &'static str) {
        if self.record.finish.is_none() {
            self.record.finish = Some(reason.into());
        }
    }

    /// The record so far, for headers.
    #[must_use]
    pub fn record(&self) -> &Settled {
        &self.record
    }

    /// `name=decision,…` of the guardrails so far.
    #[must_use]
    pub fn guards(&self) -> String {
        let outcomes = self.tally.outcomes().iter();
        let shown = outcomes.map(|outcome| format!("{}={}", outcome.guard, outcome.decision.as_str()));
        shown.collect::<Vec<_>>().join(",")
    }
}

// === impl Trail: the end ===

impl Trail {
    /// The whole answer went out, or will with the last byte that waits for this.
    pub fn settle(&mut self, status: u16) -> Ended {
        self.end(Ending::Settled, status, None, true)
    }

    /// The caller got an error.
    pub fn fail(&mut self, status: u16, error: &Error) -> Ended {
        let denied = !self.contacted && !matches!(error.code.fault(), Fault::Gateway | Fault::Provider);
        let ending = if denied { Ending::Denied } else { Ending::Failed };
        self.end(ending, status, Some(error.code.as_str()), false)
    }

    /// Waits until the last leaf is as safe as the configuration asks.
    ///
    /// # Errors
    /// `audit_unavailable` when it is not: the end of the answer must not be released.
    pub async fn safe(&self, ended: &Ended) -> Result<(), Error> {
        let durability = self.snapshot.keeping.durability(&self.record);
        if durability == Durability::Async {
            return Ok(());
        }
        let unavailable =
            || Error::new(Code::AuditUnavailable, "the record of this call could not be made durable");
        let ticket = ended.ticket.ok_or_else(unavailable)?;
        self.house.log.durable(ticket).await.map_err(|error| unavailable().detail(error.to_string()))?;
        if durability == Durability::Local {
            return Ok(());
        }
        let mirror =
            self.house.mirror.get().ok_or_else(|| unavailable().detail("there is no second place"))?;
        let there = tokio::time::timeout(self.snapshot.remote_wait, mirror.mirrored(ticket)).await;
        let there = there.map_err(|_| unavailable().detail("the second place did not answer in time"))?;
        there.map_err(|error| unavailable().detail(error.to_string()))
    }

    fn end(&mut self, ending: Ending, status: u16, error: Option<&'static str>, whole: bool) -> Ended {
        let Some(permit) = self.permit.take() else {
            return Ended { ticket: None, cost: self.record.cost.clone() };
        };
        let record = &mut self.record;
        (record.outcome, record.status, record.error) = (ending, status, error);
        // An answer in one piece was counted when all of it was there, whatever became of it then.
        (record.usage, record.usage_source) = self.meter.total(whole || !record.stream);
        self.record.cost = self.cost();
        if let Some((usage, cost)) = self.lost.take() {
            self.record.usage = self.record.usage.saturating_add(usage);
            self.record.usage_source = UsageSource::Estimated;
            self.record.cost = cost.and(self.record.cost.clone());
        }
        if let Some(turns) = self.turns.take() {
            turns.add_to(&mut self.record);
        }
        if let Some(hold) = self.hold.take() {
            // Without a price nobody knows what was spent: the reservation stands as the spending.
            match self.record.cost.status {
                CostStatus::Unpriced => drop(hold),
                _ => hold.settle(self.record.cost.amount),
            }
        }
        self.record.timing.total_micros = clock::micros_since(self.started);
        self.record.guards = std::mem::take(&mut self.tally).into_outcomes();
        let kept = self.snapshot.keeping.of(&self.record);
        let guards = match kept.content {
            Content::Redacted => self.snapshot.guards.for_scope(&self.record.scope),
            _ => Active::default(),
        };
        let request = self.request.take(PayloadRole::Request, kept, &guards);
        let answer = self.answer.take(PayloadRole::Answer, kept, &guards);
        self.record.payload = request.into_iter().chain(answer).collect();
        self.house.metrics.ended(&self.record);
        // Who left is told nothing, so nobody will wait for the leaf.
        let durability = self.snapshot.keeping.durability(&self.record);
        let awaited = durability != Durability::Async && ending != Ending::Aborted;
        let settle = if awaited { Permit::settle_durably } else { Permit::settle };
        let ticket = match settle(permit, &self.record) {
            Ok(ticket) => Some(ticket),
            Err(error) => {
                tracing::error!(call = %self.record.call, %error, "a record waits for the log to work again");
                None
            }
        };
        self.house.ended(&self.record);
        self.tell();
        Ended { ticket, cost: self.record.cost.clone() }
    }

    /// Tells the collector and the log.
    fn tell(&self) {
        let record = &self.record;
        if let Some(export) = self.house.export.get() {
            export.ended(&otlp::Ended {
                record,
                context: self.context.as_ref(),
                begun: &self.begun,
                billed_by: self.billed_by.as_deref(),
            });
        }
        tracing::debug!(
            call = %record.call,
            key = record.key.as_deref(),
            operation = record.operation.map(Operation::as_str),
            target = record.target.as_deref(),
            outcome = record.outcome.as_str(),
            status = record.status,
            error = record.error,
            cost_nano_usd = (record.cost.status != CostStatus::Unpriced).then_some(record.cost.amount.0),
            ms = record.timing.total_micros / 1_000,
            trace = record.trace.as_deref(),
            "call ended"
        );
    }

    fn cost(&self) -> Cost {
        let record = &self.record;
        let Some(target) = &self.billed_by else { return Cost::default() };
        settle(&record.usage, record.usage_source, &target.prices, self.tier, record.at / 1_000_000)
    }
}

impl Drop for Trail {
    /// The client left, or a stage panicked.
    fn drop(&mut self) {
        if self.permit.is_some() {
            let ending = if std::thread::panicking() { Ending::Failed } else { Ending::Aborted };
            // 499 is what proxies write down for a client that did not wait.
            self.end(ending, 499, None, false);
        }
        self.house.metrics.open_calls.dec();
    }
}

pub(crate) fn blank(call: CallId, config: Arc<str>) -> Settled {
    Settled {
        call,
        at: clock::unix_micros(),
        outcome: Ending::Aborted,
        error: None,
        status: 0,
        key: None,
        scope: Scope::default(),
        operation: None,
        surface: None,
        stream: false,
        model: None,
        target: None,
        route: None,
        attempts: Vec::new(),
        guards: Vec::new(),
        dropped: Vec::new(),
        finish: None,
        usage: Usage::default(),
        usage_source: UsageSource::None,
        cost: Cost::default(),
        timing: Timing::default(),
        config,
        payload: Vec::new(),
        trace: None,
    }
}
