//! The leaves of the book: what is said about a call, as the bytes that are hashed.
//!
//! A leaf is one canonical JSON object of at most [`LEAF_BYTES_MAX`]. Every text and every list in it has
//! a limit with a name; what was longer ends in `…`, and lists that were longer are counted in `cut`. The
//! members stand in sorted order because they are written in sorted order, which the tests check.

use gatehouse_core::call::Scope;
use gatehouse_core::record::{Admitted, Attempt, Cost, CostStatus, Payload, Settled, Timing, UnixMicros};
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_core::verdict::Outcome;
use std::sync::Arc;

use crate::canonical::{Object, TEXT_BYTES_MAX, by_utf16, is_plain, write_object};
use crate::commit::{Body, Commitments, PAYLOADS_MAX};
use crate::event::{Event, write_fields};

/// The version of the envelope.
pub const LEAF_VERSION: u64 = 1;
/// The longest leaf. The sum of all limits below stays under it, which a test shows.
pub const LEAF_BYTES_MAX: usize = 32 * 1024;
/// The longest code, category, finish reason, digest in text.
pub const LABEL_BYTES_MAX: usize = 64;
/// The longest id that a provider gives to a request.
pub const UPSTREAM_ID_BYTES_MAX: usize = 128;
/// How many tags are kept.
pub const TAGS_MAX: usize = 16;
/// The longest name of a tag. One with a longer name, or with a character to be escaped, is left out and
/// counted in `cut`: a name is never cut itself, for two cut names could be the same.
pub const TAG_NAME_BYTES_MAX: usize = 64;
/// How many attempts, and how many targets of a plan, are kept.
pub const ATTEMPTS_MAX: usize = 16;
/// How many guardrails are kept.
pub const GUARDS_MAX: usize = 16;
/// How many categories of one guardrail are kept.
pub const CATEGORIES_MAX: usize = 8;
/// How many names of dropped parameters are kept.
pub const DROPPED_MAX: usize = 16;

/// The only currency there is, so far.
const CURRENCY: &str = "USD";
/// The kind of a call's first leaf.
pub(crate) const KIND_ADMITTED: &str = "call.admitted";

/// Something to be written into the book.
#[derive(Clone, Copy, Debug)]
pub enum Leaf<'a> {
    /// A call passed everything that could stop it; a provider is about to be contacted.
    Admitted(&'a Admitted),
    /// A call came to its end.
    Settled(&'a Settled),
    /// Something that is not a call.
    Event(&'a Event),
}

impl Leaf<'_> {
    /// The moment of the leaf.
    pub(crate) fn at(self) -> UnixMicros {
        match self {
            Self::Admitted(call) => call.at,
            Self::Settled(call) => call.at.saturating_add(call.timing.total_micros),
            Self::Event(event) => event.at,
        }
    }
}

/// Writes the canonical bytes of a leaf, but for its number, which is only known under the log's lock: gives
/// the place where its digits belong.
pub(crate) fn render(out: &mut Vec<u8>, leaf: Leaf<'_>, shard: &str, commits: &Commitments) -> usize {
    let mut stamp = Stamp { shard, number_at: 0 };
    write_object(out, |o| match leaf {
        Leaf::Admitted(admitted) => write_admitted(o, admitted, &mut stamp, commits),
        Leaf::Settled(settled) => write_settled(o, settled, &mut stamp, commits),
        Leaf::Event(event) => write_event(o, event, &mut stamp),
    });
    stamp.number_at
}

/// What the log knows and the caller does not.
struct Stamp<'a> {
    /// Whose log it is.
    shard: &'a str,
    /// Where the number of the leaf belongs.
    number_at: usize,
}

fn write_admitted(o: &mut Object<'_>, call: &Admitted, stamp: &mut Stamp<'_>, commits: &Commitments) {
    write_actor(o, &call.key);
    write_corr(o, &call.scope, None);
    o.object("cost", |o| {
        o.plain("currency", CURRENCY);
        o.integer("reserved_nano", call.reserved.0);
    });
    o.object("cut", |o| {
        o.some_integer("plan", over(call.plan.len(), ATTEMPTS_MAX));
        o.some_integer("tags", tags_cut(&call.scope));
    });
    o.plain("id", call.call);
    o.plain("kind", KIND_ADMITTED);
    o.object("model", |o| o.some_text("requested", &call.model, TEXT_BYTES_MAX));
    o.plain("op", call.operation.as_str());
    write_org(o, &call.scope, commits.user.as_ref());
    o.object("route", |o| {
        o.list("plan", |l| {
            call.plan.iter().take(ATTEMPTS_MAX).for_each(|target| l.text(target, TEXT_BYTES_MAX));
        });
    });
    write_stamp(o, stamp);
    if let Some(subject) = commits.subject {
        o.plain("subject", subject);
    }
    o.plain("surface", call.surface.as_str());
    write_tags(o, &call.scope);
    o.time("ts", call.at);
    o.integer("v", LEAF_VERSION);
}

fn write_settled(o: &mut Object<'_>, call: &Settled, stamp: &mut Stamp<'_>, commits: &Commitments) {
    write_actor(o, call.key.as_deref().unwrap_or_default());
    o.some_text("config_sha256", &call.config, LABEL_BYTES_MAX);
    write_corr(o, &call.scope, call.trace.as_deref());
    write_cost(o, &call.cost);
    write_cut(o, call);
    o.list("dropped", |l| {
        call.dropped.iter().take(DROPPED_MAX).for_each(|name| l.text(name, LABEL_BYTES_MAX));
    });
    o.plain("id", call.call);
    o.plain("kind", call.outcome.as_str());
    o.object("model", |o| {
        let (provider, served) = match &call.target {
            Some(target) => target.split_once('/').unwrap_or(("", target)),
            None => ("", ""),
        };
        o.some_text("provider", provider, TEXT_BYTES_MAX);
        o.maybe_text("requested", call.model.as_deref(), TEXT_BYTES_MAX);
        o.some_text("served", served, TEXT_BYTES_MAX);
    });
    if let Some(operation) = call.operation {
        o.plain("op", operation.as_str());
    }
    write_org(o, &call.scope, commits.user.as_ref());
    write_payload(o, &call.payload, &commits.bodies);
    write_policy(o, &call.guards);
    o.object("result", |o| {
        o.maybe_text("error", call.error, LABEL_BYTES_MAX);
        o.maybe_text("finish", call.finish.as_deref(), LABEL_BYTES_MAX);
        o.some_integer("status", u64::from(call.status));
    });
    o.object("route", |o| {
        o.list("attempts", |l| {
            call.attempts
                .iter()
                .take(ATTEMPTS_MAX)
                .for_each(|attempt| l.object(|o| write_attempt(o, attempt)));
        });
        o.maybe_text("rule", call.route.as_deref(), TEXT_BYTES_MAX);
    });
    write_stamp(o, stamp);
    o.flag("stream", call.stream);
    if let Some(subject) = commits.subject {
        o.plain("subject", subject);
    }
    if let Some(surface) = call.surface {
        o.plain("surface", surface.as_str());
    }
    write_tags(o, &call.scope);
    write_timing(o, call.timing);
    // The moment of the leaf: the end of the call. Its begin is this less `timing.total_us`.
    o.time("ts", call.at.saturating_add(call.timing.total_micros));
    write_usage(o, &call.usage, call.usage_source);
    o.integer("v", LEAF_VERSION);
}

fn write_event(o: &mut Object<'_>, event: &Event, stamp: &mut Stamp<'_>) {
    o.object("actor", |o| o.maybe_text("credential", event.actor.as_deref(), TEXT_BYTES_MAX));
    o.object("event", |o| write_fields(o, &event.fields));
    if let Some(id) = event.id {
        o.plain("id", id);
    }
    o.plain("kind", event.kind.as_str());
    write_stamp(o, stamp);
    o.time("ts", event.at);
    o.integer("v", LEAF_VERSION);
}

// === groups ===

fn write_actor(o: &mut Object<'_>, key: &str) {
    o.object("actor", |o| o.some_text("credential", key, TEXT_BYTES_MAX));
}

fn write_corr(o: &mut Object<'_>, scope: &Scope, trace: Option<&str>) {
    o.object("corr", |o| {
        o.some_text("run_id", &scope.run, TEXT_BYTES_MAX);
        o.some_text("step", &scope.step, TEXT_BYTES_MAX);
        o.maybe_text("trace_id", trace, LABEL_BYTES_MAX);
    });
}

fn write_cost(o: &mut Object<'_>, cost: &Cost) {
    o.object("cost", |o| {
        let known = cost.status != CostStatus::Unpriced;
        if known {
            o.plain("currency", CURRENCY);
            // An unknown price has no amount at all, so that nobody sums it up as zero.
            o.integer("nano", cost.amount.0);
        }
        o.maybe_text("price_id", cost.price.as_deref(), TEXT_BYTES_MAX);
        o.plain("status", cost.status.as_str());
    });
}

fn write_cut(o: &mut Object<'_>, call: &Settled) {
    o.object("cut", |o| {
        o.some_integer("attempts", over(call.attempts.len(), ATTEMPTS_MAX));
        o.some_integer("dropped", over(call.dropped.len(), DROPPED_MAX));
        o.some_integer("payload", over(call.payload.len(), PAYLOADS_MAX));
        o.some_integer("policy", over(call.guards.len(), GUARDS_MAX));
        o.some_integer("tags", tags_cut(&call.scope));
    });
}

fn write_org(o: &mut Object<'_>, scope: &Scope, user: Option<&String>) {
    o.object("org", |o| {
        o.some_text("app", &scope.app, TEXT_BYTES_MAX);
        o.some_text("org", &scope.org, TEXT_BYTES_MAX);
        o.some_text("team", &scope.team, TEXT_BYTES_MAX);
        o.some_text("use_case", &scope.use_case, TEXT_BYTES_MAX);
        if let Some(user) = user {
            // Base64, and no longer than a name makes it.
            o.plain("user_sealed", user);
        }
    });
}

fn write_payload(o: &mut Object<'_>, payload: &[Payload], bodies: &[Body]) {
    o.list("payload", |l| {
        for (payload, body) in payload.iter().zip(bodies) {
            l.object(|o| {
                o.integer("bytes", payload.bytes);
                if let Some(commit) = &body.commit {
                    o.digest("commit", commit);
                }
                if payload.redacted && body.sealed.is_some() {
                    o.flag("redacted", true);
                }
                o.plain("role", payload.role.as_str());
                if let Some((_, digest)) = &body.sealed {
                    o.digest("sealed_sha256", digest);
                }
            });
        }
    });
}

fn write_policy(o: &mut Object<'_>, guards: &[Outcome]) {
    o.list("policy", |l| {
        for guard in guards.iter().take(GUARDS_MAX) {
            l.object(|o| {
                o.list("categories", |l| {
                    guard
                        .categories
                        .iter()
                        .take(CATEGORIES_MAX)
                        .for_each(|name| l.text(name, LABEL_BYTES_MAX));
                });
                o.some_integer("findings", u64::from(guard.findings));
                o.text("id", &guard.guard, LABEL_BYTES_MAX);
                o.plain("outcome", guard.decision.as_str());
            });
        }
    });
}

fn write_attempt(o: &mut Object<'_>, attempt: &Attempt) {
    o.maybe_text("error", attempt.error, LABEL_BYTES_MAX);
    o.integer("latency_us", attempt.micros);
    o.some_integer("status", attempt.status.map_or(0, u64::from));
    o.text("target", &attempt.target, TEXT_BYTES_MAX);
    o.maybe_text("upstream_id", attempt.upstream_id.as_deref(), UPSTREAM_ID_BYTES_MAX);
}

fn write_stamp(o: &mut Object<'_>, stamp: &mut Stamp<'_>) {
    stamp.number_at = o.place("seq");
    o.plain("shard", stamp.shard);
}

fn write_tags(o: &mut Object<'_>, scope: &Scope) {
    if scope.tags.is_empty() {
        return;
    }
    o.object("tags", |o| {
        // Scope sorts by code point, which is the canonical order unless names leave the first plane.
        if scope.tags.is_sorted_by(|left, right| by_utf16(&left.0, &right.0).is_lt()) {
            return write_tags_in_order(o, scope.tags.iter());
        }
        let mut tags: Vec<_> = scope.tags.iter().collect();
        tags.sort_by(|left, right| by_utf16(&left.0, &right.0));
        tags.dedup_by(|later, earlier| later.0 == earlier.0);
        write_tags_in_order(o, tags.into_iter());
    });
}

fn write_tags_in_order<'t>(o: &mut Object<'_>, tags: impl Iterator<Item = &'t (Arc<str>, Arc<str>)>) {
    for (name, value) in tags.filter(|(name, _)| tag_fits(name)).take(TAGS_MAX) {
        o.text(name, value, TEXT_BYTES_MAX);
    }
}

fn write_timing(o: &mut Object<'_>, timing: Timing) {
    o.object("timing", |o| {
        o.integer("queue_us", timing.queue_micros);
        o.integer("total_us", timing.total_micros);
        o.some_integer("ttft_us", timing.first_byte_micros);
    });
}

fn write_usage(o: &mut Object<'_>, usage: &Usage, source: UsageSource) {
    o.object("usage", |o| {
        o.some_integer("audio_in", usage.audio_input_tokens);
        o.some_integer("audio_ms", usage.audio_millis);
        o.some_integer("audio_out", usage.audio_output_tokens);
        o.some_integer("characters", usage.characters);
        o.some_integer("image_in", usage.image_input_tokens);
        o.some_integer("image_out", usage.image_output_tokens);
        o.some_integer("images", usage.images);
        o.some_integer("in", usage.input_tokens);
        o.some_integer("in_cache_write_1h", usage.cache_write_long_tokens);
        o.some_integer("in_cache_write_5m", usage.cache_write_tokens);
        o.some_integer("in_cached", usage.cached_read_tokens);
        o.some_integer("in_unbilled", usage.unbilled_input_tokens);
        o.some_integer("out", usage.output_tokens);
        o.some_integer("out_unbilled", usage.unbilled_output_tokens);
        o.some_integer("reasoning", usage.reasoning_tokens);
        o.some_integer("search_units", usage.search_units);
        o.some_integer("searches", usage.searches);
        o.plain("source", source.as_str());
    });
}

// === limits ===

fn over(len: usize, max: usize) -> u64 {
    u64::try_from(len.saturating_sub(max)).unwrap_or(u64::MAX)
}

fn tag_fits(name: &str) -> bool {
    name.len() <= TAG_NAME_BYTES_MAX && is_plain(name)
}

fn tags_cut(scope: &Scope) -> u64 {
    let kept = scope.tags.iter().filter(|(name, _)| tag_fits(name)).count().min(TAGS_MAX);
    over(scope.tags.len(), kept)
}

/// Now, as records count it.
pub(crate) fn now() -> UnixMicros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMicros::try_from(since.as_micros()).unwrap_or(UnixMicros::MAX)
}

#[cfg(test)]
#[path = "leaf_tests.rs"]
mod tests;
