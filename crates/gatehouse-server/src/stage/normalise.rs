//! From bytes to one call: the body is read within its limits, parsed once, and looked at as its dialect
//! says. What is malformed is refused here, in words.

use super::accept::{content_type, is_json};
use super::{Accepted, Authenticated};
use crate::body;
use crate::call::Call;
use crate::dialects;
use crate::form::{self, Bounds, Files};
use crate::front::passthrough::under;
use crate::front::{Framing, Front};
use crate::headers::{ANTHROPIC_BETA, TIMEOUT, put};
use crate::house::House;
use crate::memory::recall::{Recalled, Rules};
use crate::passage::{self, Passage};
use crate::snapshot::Snapshot;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::call::{Operation, Scope};
use gatehouse_core::content::{Dialect, Family, Place};
use gatehouse_core::error::{Code, Error};
use gatehouse_guard::engine::Active;
use gatehouse_identity::key::Entry;
use gatehouse_ledger::ServiceTier;
use gatehouse_wire::anthropic::cloud;
use gatehouse_wire::json::{Doc, Strictness, escaped};
use gatehouse_wire::{form as wire, native};
use http::{HeaderMap, Uri};
use hyper::body::{Body as _, Incoming};
use std::pin::pin;
use std::time::{Duration, Instant};

/// What a caller may set in `x-gatehouse-timeout` at most is the configured total; this is the least.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);

/// Reads and parses the body.
///
/// # Errors
/// `request_too_large`, `request_timeout`, `invalid_request`, `not_found` for an earlier answer or a provider that is not
/// there.
pub async fn normalise(
    house: &House,
    authenticated: Authenticated,
    trail: &mut Trail,
) -> Result<Call, Error> {
    let Authenticated { accepted, key } = authenticated;
    let Accepted { front, family, mut headers, query, body: incoming, first } = accepted;
    let snapshot = trail.snapshot.clone();
    let front = known_there(front, query.as_deref(), &headers, &snapshot, trail)?;
    let deadline = trail.started() + time_limit(&headers, longest(&front, &snapshot))?;
    let Read { raw, files, other } = match first {
        Some(raw) => told(raw, trail),
        None => body(incoming, &front, &headers, deadline, trail).await?,
    };
    let doc = named(Doc::parse(raw, Strictness::Caller)?, &front)?;
    let doc = if front.cloud.is_some() { plain(&doc, &front, &mut headers)? } else { doc };
    let (doc, recalled) = recalled(house, &key, &front, doc, trail).await?;
    let view = dialects::view(&front, &doc)?;
    let named = front.model.as_ref().or(view.model.as_ref().map(|(model, _)| model)).cloned();
    let stream = match front.framing {
        // Who sits in a session gets all as it comes.
        Framing::FromBody => view.stream || front.operation == Operation::Realtime,
        Framing::Whole => false,
        Framing::Events | Framing::Array | Framing::Chunks | Framing::Messages => true,
    };
    let mut passage = None;
    let (mut model, mut route) = (named.clone().unwrap_or_default(), None);
    if let Some(through) = &front.through {
        let provider = passage::provider(&snapshot, through)?;
        let there = passage::route(&snapshot, provider, &front, named.as_deref(), &key.caller)?;
        (model, route) = (there.model, Some(there.route));
        if front.operation == Operation::Passthrough {
            let method = front.method.clone();
            passage = Some(Passage::new(provider, through, query.as_deref(), method, other, family)?);
        }
    }
    if front.wants_model() || passage.is_some() {
        let tier = view.service_tier.as_deref().map(ServiceTier::parse).unwrap_or_default();
        if model.is_empty() {
            return Err(Error::invalid("model", "model: is required"));
        }
        trail.wants(&model, stream, tier);
        trail.meter.prompt(doc.text(), &view.spans, view.media);
        view.ranks.iter().for_each(|ranks| trail.meter.ranks(doc.text(), ranks));
    }
    Ok(Call {
        front,
        headers,
        key,
        scope: Scope::default(),
        doc,
        view,
        model,
        stream,
        deadline,
        guards: Active::default(),
        files,
        route,
        passage,
        recalled,
        query,
        files_at: None,
        file_ids: Vec::new(),
        conversation: None,
    })
}

/// A body, as far as anybody reads it.
struct Read {
    raw: Bytes,
    files: Option<Files>,
    /// One that is no JSON, and passes as it is.
    other: Option<Bytes>,
}

/// The first message of a session, kept a line like all of them.
fn told(raw: Bytes, trail: &mut Trail) -> Read {
    trail.request.take_in(&raw);
    trail.request.take_in(b"\n");
    Read { raw, files: None, other: None }
}

async fn body(
    incoming: Incoming,
    front: &Front,
    headers: &HeaderMap,
    deadline: Instant,
    trail: &mut Trail,
) -> Result<Read, Error> {
    let nothing = Read { raw: Bytes::from_static(b"{}"), files: None, other: None };
    if !front.has_body() {
        return Ok(nothing);
    }
    if front.is_form {
        let (raw, files) = form(incoming, front, headers, deadline, trail).await?;
        return Ok(Read { raw, files: Some(files), other: None });
    }
    let limits = &trail.snapshot.limits;
    let raw = read(incoming, limits.body.0, limits.body_time.0).await?;
    if front.operation == Operation::Passthrough && !reads_as_json(&raw, headers) {
        trail.request.count(&raw);
        return Ok(Read { other: Some(raw), ..nothing });
    }
    trail.request.take_in(&raw);
    Ok(Read { raw, ..nothing })
}

/// Whether a body is JSON, by what it says of itself, or, if it says nothing, by how it begins.
fn reads_as_json(raw: &Bytes, headers: &HeaderMap) -> bool {
    let begins = || raw.trim_ascii_start().first().is_some_and(|first| b"{[".contains(first));
    !raw.is_empty() && (is_json(headers) || content_type(headers).is_empty() && begins())
}

/// What passes through to a provider as a call that we know, if the provider knows it, too; else it is a path like any
/// other of its own.
fn known_there(
    front: Front,
    query: Option<&str>,
    headers: &HeaderMap,
    snapshot: &Snapshot,
    trail: &mut Trail,
) -> Result<Front, Error> {
    let Some(through) = &front.through else { return Ok(front) };
    let provider = passage::provider(snapshot, through)?;
    let base: Option<Uri> = provider.base_url.parse().ok();
    let front = under(front, base.as_ref().map_or("", Uri::path), query, headers);
    trail.asks(front.operation, front.dialect);
    let Some(through) = &front.through else { return Ok(front) };
    if front.is_about_kept() || matches!(front.operation, Operation::CreateFile | Operation::CreateBatch) {
        let message = format!(
            "what {} keeps belongs to one application: use the gateway's own path instead of {}",
            provider.name, through.path
        );
        return Err(Error::new(Code::NotAllowed, message));
    }
    let model = front.model.as_deref().unwrap_or_default();
    if front.operation == Operation::Passthrough
        || provider.kind.dialect(front.dialect, model) == Some(front.dialect)
    {
        return Ok(front);
    }
    let front = front.unknown();
    trail.asks(front.operation, front.dialect);
    Ok(front)
}

/// A request of the one dialect that refers to what is kept, with what it refers to.
async fn recalled(
    house: &House,
    key: &Entry,
    front: &Front,
    doc: Doc,
    trail: &mut Trail,
) -> Result<(Doc, Option<Recalled>), Error> {
    if front.dialect != Dialect::OpenAiResponses || !front.has_body() {
        return Ok((doc, None));
    }
    if let Some(model) = doc.root().opt("model").and_then(|model| model.str()) {
        // A call that refers to what is not there is refused before its dialect is asked.
        trail.wants(&model, false, ServiceTier::default());
    }
    let snapshot = &trail.snapshot;
    let rules = Rules { keep: snapshot.keeps_responses, bytes_max: snapshot.limits.body.0 };
    let (doc, recalled) = house.memory.recall(&key.caller, doc, rules).await?;
    // A count has no answer to be kept.
    Ok((doc, recalled.filter(|_| front.operation != Operation::CountTokens)))
}

/// A form: its texts as an object, and its files.
async fn form(
    incoming: Incoming,
    front: &Front,
    headers: &HeaderMap,
    deadline: Instant,
    trail: &mut Trail,
) -> Result<(Bytes, Files), Error> {
    let limits = &trail.snapshot.limits;
    let bounds = Bounds { bytes_max: limits.upload.0, pause_max: limits.body_time.0, deadline };
    if incoming.size_hint().lower() > bounds.bytes_max {
        return Err(form::too_large(bounds.bytes_max));
    }
    let boundary = wire::boundary(content_type(headers))?;
    // A text may stand behind the files, and a guardrail must have seen it before anything is sent.
    // What a file is for may be said behind it, and decides who it goes to.
    let sees_all = trail.snapshot.guards.any_at(Place::Input) || front.operation == Operation::CreateFile;
    // Where the path names the model, the form need not; a default holds only where the whole form names none.
    let named = front.model.is_some();
    let (fields, files) =
        form::read(incoming, &boundary, bounds, sees_all, named, &mut trail.request).await?;
    let raw = Bytes::from(fields.to_json());
    trail.request.show(&raw);
    Ok((raw, files))
}

/// A body of OpenAI's that leaves the model's name to the path, with the name in it, as whoever serves it needs it.
fn named(doc: Doc, front: &Front) -> Result<Doc, Error> {
    let wants = front.has_body() && front.wants_model() && front.dialect.family() == Family::OpenAi;
    let model = front.model.as_deref().or(native::model_default(front.dialect));
    let Some(model) = model.filter(|_| wants && doc.root().get("model").is_none()) else {
        return Ok(doc);
    };
    let (object, raw) = (doc.root().range(), doc.bytes().clone());
    let is_empty = doc.root().members().next().is_none();
    let Some(inside) = raw.get(object.start..object.end).and_then(|object| object.strip_prefix(b"{")) else {
        // Not even an object: the dialect says so.
        return Ok(doc);
    };
    let comma: &[u8] = if is_empty { b"" } else { b"," };
    let member = [b"{\"model\":\"".as_slice(), &escaped(model), b"\"", comma, inside].concat();
    Doc::parse(Bytes::from(member), Strictness::Caller)
}

/// A cloud's body as the dialect's own, and the betas that it asks for where the dialect has them.
fn plain(doc: &Doc, front: &Front, headers: &mut HeaderMap) -> Result<Doc, Error> {
    let stream = match front.framing {
        Framing::FromBody => None,
        Framing::Whole => Some(false),
        Framing::Events | Framing::Array | Framing::Chunks | Framing::Messages => Some(true),
    };
    let plain = cloud::plain(doc, front.model.as_deref(), stream)?;
    // Some clients say them twice.
    if let Some(betas) = plain.betas.filter(|_| !headers.contains_key(ANTHROPIC_BETA)) {
        put(headers, ANTHROPIC_BETA, &betas);
    }
    Ok(plain.doc)
}

/// How long such a call may take at most.
fn longest(front: &Front, snapshot: &Snapshot) -> Duration {
    if front.operation == Operation::Realtime { snapshot.limits.session.0 } else { snapshot.total }
}

/// How long the call may take: what the caller asks for, within what is configured.
fn time_limit(headers: &HeaderMap, longest: Duration) -> Result<Duration, Error> {
    const NAME: &str = "x-gatehouse-timeout";
    let Some(asked) = headers.get(TIMEOUT) else { return Ok(longest) };
    let text = asked.to_str().unwrap_or_default().trim();
    let plain_seconds = text.parse().ok().map(Duration::from_secs);
    let asked = plain_seconds
        .or_else(|| gatehouse_config::unit::Duration::parse(text).map(|duration| duration.0))
        .filter(|asked| *asked >= TIMEOUT_MIN)
        .ok_or_else(|| Error::invalid(NAME, format!("{NAME}: write a duration such as 30s or 1500ms")))?;
    Ok(asked.min(longest))
}

/// Collects a body, refusing to buffer more than the limit or to wait longer than the limit.
async fn read(incoming: Incoming, bytes_max: u64, time_max: Duration) -> Result<Bytes, Error> {
    let too_large = || {
        Error::new(
            Code::RequestTooLarge,
            format!("the body exceeds the limit of {bytes_max} bytes (limits.body)"),
        )
    };
    if incoming.size_hint().lower() > bytes_max {
        return Err(too_large());
    }
    match tokio::time::timeout(time_max, pin!(body::collect(incoming, bytes_max))).await {
        Ok(Ok(Some(raw))) => Ok(raw),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => {
            Err(Error::new(Code::InvalidRequest, "the body did not arrive whole").detail(error.to_string()))
        }
        Err(_) => Err(Error::new(Code::RequestTimeout, "the body did not arrive in time (limits.body_time)")),
    }
}
