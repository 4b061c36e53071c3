//! Looks after open batches: asks their providers from time to time, and settles each once when it is over.
//!
//! The record of a batch's end has an id that is decided and kept before it is written. What is in the log under that
//! id when the gateway starts again is not written a second time; whoever starts it looks. The record is one leaf, so
//! there is no half of it.

use super::batches::{self, Memo, is_over};
use super::files::Located;
use super::lines::has_batches;
use super::remote::{self, Ask};
use super::results::{self, Incoming, Used};
use crate::clock;
use crate::house::House;
use crate::shelf::Thing;
use crate::snapshot::Snapshot;
use crate::target::Provider;
use crate::trail::Trail;
use bytes::Bytes;
use futures_util::StreamExt as _;
use gatehouse_core::call::{CallId, Operation};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::money::Nanodollars;
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_identity::envelope::{Envelope, Tenant};
use gatehouse_ledger::{Limit, ServiceTier, Window};
use gatehouse_wire::json::Doc;
use http::Method;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often in a row a provider must not know a batch, or its output, before it counts as lost.
const MISSES_MAX: u32 = 3;
/// How long one look at a batch may take, its output included.
const LOOK_TIME_MAX: Duration = Duration::from_secs(600);

/// How many are asked for at the same time.
const LOOKS_MAX: usize = 8;

/// What one look at a batch has shown.
enum Seen {
    /// It is not over.
    Open,
    /// It, or what it has written, is not there: this time.
    Missed(&'static str),
    /// It is over and has used this.
    Used(Used),
    /// Nobody will know any more what it has used.
    Lost(&'static str),
}

/// What a batch has used, or why nobody knows.
type End = Result<Used, &'static str>;

/// What has been written by this process, should the table not have taken note of it.
#[derive(Default)]
struct Written(HashSet<String>);

/// Looks after open batches until it is dropped.
pub async fn watch(house: Arc<House>) {
    let mut written = Written::default();
    let mut only = None;
    loop {
        if let Err(error) = look(&house, only.as_ref(), &mut written).await {
            tracing::error!(%error, detail = error.detail, "open batches cannot be looked after");
        }
        let interval = house.snapshot.load().batches_poll;
        only = tokio::select! {
            () = tokio::time::sleep(interval) => None,
            over = house.desk.over() => Some(over),
        };
    }
}

/// Reserves again what open batches may cost: at a start, before the first call.
///
/// # Errors
/// `internal_error` when they cannot be looked up.
pub async fn restore(house: &Arc<House>) -> Result<(), Error> {
    let now = clock::unix_seconds();
    for thing in house.desk.ask(|shelf| shelf.open()).await? {
        let Some(memo) = Memo::read(&thing.memo) else { continue };
        let (Some(window), Some(most)) =
            (house.keys.load().limits.get(memo.key.as_str()).cloned(), memo.input.most)
        else {
            continue;
        };
        // It was let in before: it counts, whether there is room for it now or not.
        let limit = Limit { amount: Nanodollars(u64::MAX), ..window.limit };
        if let Ok(hold) = house.counters.reserve(&[Window { limit, ..window }], most, now) {
            house.desk.hold(&thing.id, hold);
        }
    }
    Ok(())
}

/// Looks at every open batch, or at those that a caller has seen to be over.
async fn look(
    house: &Arc<House>,
    only: Option<&HashSet<String>>,
    written: &mut Written,
) -> Result<(), Error> {
    let now = clock::unix_seconds();
    if only.is_none() {
        house.desk.ask(move |shelf| shelf.sweep(now)).await?;
    }
    let mut open = house.desk.ask(|shelf| shelf.open()).await?;
    open.retain(|thing| !written.0.contains(&thing.id) && only.is_none_or(|only| only.contains(&thing.id)));
    let looks = open.into_iter().map(|thing| Box::pin(one(house, thing)));
    let mut looks = futures_util::stream::iter(looks).buffer_unordered(LOOKS_MAX);
    while let Some((thing, seen)) = looks.next().await {
        let (id, provider) = (thing.id.clone(), thing.provider.clone());
        let settled = match seen {
            Ok((memo, seen)) => Box::pin(conclude(house, thing, &memo, seen, only.is_none(), written)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = settled {
            let detail = error.detail.as_deref();
            tracing::warn!(%error, detail, batch = id, provider, "an open batch cannot be settled now");
        }
    }
    Ok(())
}

/// Looks at one open batch.
async fn one(house: &Arc<House>, thing: Thing) -> (Thing, Result<(Memo, Seen), Error>) {
    let Some(memo) = Memo::read(&thing.memo) else {
        let error = Error::new(Code::Internal, "what was remembered of it does not read");
        return (thing, Err(error));
    };
    let snapshot = house.snapshot.load_full();
    let seen = match provider(&snapshot, &thing.provider) {
        _ if clock::unix_seconds() >= thing.expires_at => Ok(Seen::Lost("it never ended")),
        // It may be written there again.
        None => Ok(Seen::Open),
        Some(provider) => ended(house, &snapshot, provider, &thing, &memo).await,
    };
    (thing, seen.map(|seen| (memo, seen)))
}

/// Draws the conclusion from a look. Those that callers have caused do not count as misses: they may be many.
async fn conclude(
    house: &Arc<House>,
    thing: Thing,
    memo: &Memo,
    seen: Seen,
    counts: bool,
    written: &mut Written,
) -> Result<(), Error> {
    // What callers are shown of it is not ours to change back.
    let thing = Thing { body: String::new(), ..thing };
    let misses = thing.misses + 1;
    match seen {
        Seen::Open => Ok(()),
        Seen::Missed(_) if !counts => Ok(()),
        Seen::Missed(_) if misses < MISSES_MAX => {
            house.desk.ask(move |shelf| shelf.put(&Thing { misses, ..thing })).await
        }
        Seen::Missed(why) | Seen::Lost(why) => settle(house, thing, memo, Err(why), written).await,
        Seen::Used(used) => settle(house, thing, memo, Ok(used), written).await,
    }
}

fn provider(snapshot: &Snapshot, name: &str) -> Option<Arc<Provider>> {
    let mut all = snapshot.providers().iter();
    all.find(|provider| &*provider.name == name && has_batches(provider)).map(Arc::clone)
}

/// What a provider says of a batch, and of what it has used.
async fn ended(
    house: &House,
    snapshot: &Snapshot,
    provider: Arc<Provider>,
    thing: &Thing,
    memo: &Memo,
) -> Result<Seen, Error> {
    let deadline = Instant::now() + LOOK_TIME_MAX;
    let asked = Ask {
        dialect: Dialect::OpenAiBatches,
        method: Method::GET,
        id: Some(&thing.upstream),
        sub: "",
        body: Bytes::new(),
        deadline,
    };
    let doc = match remote::ask_json(&provider, &asked, None, snapshot.limits.answer.0).await {
        Ok((_, doc)) => doc,
        Err(refused) if refused.is_not_found() => return Ok(Seen::Missed("its provider does not know it")),
        Err(refused) => return Err(refused.error),
    };
    let envelope = Envelope {
        provider: thing.provider.clone(),
        deployment: String::new(),
        upstream: thing.upstream.clone(),
        expires_at: thing.expires_at,
    };
    let at = Located { tenant: Tenant::from_kept(&thing.tenant), envelope, provider };
    batches::seen(house, &at, &thing.id, &doc).await?;
    let status = text(&doc, "status").unwrap_or_default();
    if !is_over(&status) {
        return Ok(Seen::Open);
    }
    let Some(output) = text(&doc, "output_file_id") else {
        let completed = doc.root().path(&["request_counts", "completed"]).and_then(|count| count.u64());
        // What failed as a whole was never begun.
        let is_nothing = status == "failed" || completed == Some(0);
        let none = Used { usage: Usage::default(), source: UsageSource::None, answered: 0 };
        return Ok(if is_nothing { Seen::Used(none) } else { Seen::Missed("it has no output") });
    };
    used(snapshot, &at.provider, &output, memo, deadline).await
}

/// What the output of a batch says of its use.
async fn used(
    snapshot: &Snapshot,
    provider: &Provider,
    output: &str,
    memo: &Memo,
    deadline: Instant,
) -> Result<Seen, Error> {
    let asked = Ask {
        dialect: Dialect::OpenAiFiles,
        method: Method::GET,
        id: Some(output),
        sub: "/content",
        body: Bytes::new(),
        deadline,
    };
    let body = match remote::ask(provider, &asked, None).await {
        Ok((_, body)) => body,
        Err(refused) if refused.is_not_found() => return Ok(Seen::Missed("its output is gone")),
        Err(refused) => return Err(refused.error),
    };
    let input = &memo.input;
    let mut lines = Incoming::new(body, snapshot.limits.answer.0, provider.timeouts.idle, deadline);
    results::sum(&mut lines, input.dialect, input.tokens / input.lines.max(1)).await.map(Seen::Used)
}

fn text(doc: &Doc, name: &str) -> Option<String> {
    doc.root().opt(name).and_then(|value| value.str().map(|text| text.into_owned()))
}

/// Writes the record of a batch's end, and takes note that it is written.
async fn settle(
    house: &Arc<House>,
    thing: Thing,
    memo: &Memo,
    end: End,
    written: &mut Written,
) -> Result<(), Error> {
    // Decided before it is written: should we end in between, the next start knows what to look for.
    let decided = thing.settlement.as_deref().and_then(CallId::parse);
    let (call, thing) = match decided {
        Some(call) => (call, thing),
        None => {
            let call = clock::call_id();
            let thing = Thing { settlement: Some(call.to_string()), ..thing };
            let kept = thing.clone();
            house.desk.ask(move |shelf| shelf.put(&kept)).await?;
            (call, thing)
        }
    };
    let name = format!("{}/{}", thing.provider, memo.input.deployment);
    let trail = Trail::begin_as(house, call)?;
    let ticket = record(house, trail, &thing, memo, &name, end);
    written.0.insert(thing.id.clone());
    let Some(ticket) = ticket else {
        return Err(Error::new(Code::AuditUnavailable, "its record waits for the log to work again"));
    };
    let durable = house.log.durable(ticket).await;
    durable.map_err(|error| {
        Error::new(Code::AuditUnavailable, "its record is not safe").detail(error.to_string())
    })?;
    let id = thing.id.clone();
    house.desk.ask(move |shelf| shelf.put(&Thing { open: false, ..thing })).await?;
    written.0.remove(&id);
    Ok(())
}

/// The record itself. Nothing waits in here.
fn record(
    house: &House,
    mut trail: Trail,
    thing: &Thing,
    memo: &Memo,
    name: &str,
    end: End,
) -> Option<gatehouse_audit::Ticket> {
    trail.asks(Operation::CreateBatch, Dialect::OpenAiBatches);
    trail.caller(&memo.key.as_str().into(), &memo.scope);
    trail.wants(&memo.input.model, false, ServiceTier::Batch);
    trail.routed(&"batch: over".into());
    let hold = house.desk.release(&thing.id);
    // Without its provider nobody knows its prices either.
    match (end, trail.snapshot.target(name)) {
        (Ok(used), Some(target)) => trail.batch_used(&target, used.usage, used.source, hold),
        (Ok(used), None) if used.answered == 0 => drop(hold.map(gatehouse_ledger::Hold::release)),
        (Ok(_), None) => trail.batch_lost(memo.input.most, hold),
        (Err(why), target) => {
            tracing::warn!(
                batch = thing.id,
                upstream = thing.upstream,
                provider = thing.provider,
                why,
                "a batch is lost: what was reserved for it counts as its cost"
            );
            target.iter().for_each(|target| trail.served(target, &[]));
            trail.batch_lost(memo.input.most, hold);
        }
    }
    trail.settle(200).ticket
}
