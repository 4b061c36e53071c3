//! Batches of callers at providers, as OpenAI's `/v1/batches` has them. What one costs is reserved when it is made and
//! settled when it is over ([`super::poller`]).

use super::files::{self, Located, located, told};
use super::ids::{self, Facts, Input, endpoint};
use super::remote::Ask;
use crate::call::Call;
use crate::clock;
use crate::exchange::Whole;
use crate::headers;
use crate::house::House;
use crate::shelf::Thing;
use crate::stage::fund::over;
use crate::target::Provider;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_config::file::Unknown;
use gatehouse_core::call::{Operation, Scope};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_identity::envelope::{Envelope, Kind, Tenant};
use gatehouse_ledger::{Hold, ServiceTier};
use gatehouse_wire::json::{Doc, Node, Out, Strictness};
use http::{HeaderMap, Method};
use std::sync::Arc;

/// What is remembered of a batch until it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memo {
    /// The caller's key.
    pub key: String,
    /// On whose account.
    pub scope: Scope,
    /// The id of the input.
    pub file: String,
    /// What is known of the input.
    pub input: Input,
}

/// Whether a batch is over, in the provider's word.
#[must_use]
pub fn is_over(status: &str) -> bool {
    matches!(status, "completed" | "failed" | "expired" | "cancelled")
}

/// Makes a batch.
///
/// # Errors
/// `not_found` for an input that is not this caller's, `invalid_request`, `budget_exceeded`, `price_unknown`, and what
/// the provider says.
pub async fn create(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    let tenant = Tenant::of(&call.key.caller);
    let root = call.doc.root().want_object()?;
    root.refuse_case_variants(&["input_file_id", "endpoint", "completion_window", "metadata"])?;
    let file = root.need("input_file_id")?;
    let file_id = file.want_str()?.into_owned();
    let envelope = ids::open(house, Kind::File, &tenant, &file_id)?;
    let Facts::Input(input) = Facts::read(&envelope.deployment) else {
        return Err(file.wrong("is not the input of a batch; upload it with purpose \"batch\""));
    };
    let asked = root.need("endpoint")?;
    if ids::dialect(&asked.want_str()?) != Some(input.dialect) {
        return Err(asked.wrong(&format!("the lines of this file are for {}", endpoint(input.dialect))));
    }
    let provider = files::with_batches(trail, &envelope.provider).ok_or_else(|| Kind::File.not_found())?;
    // What the key may use may have changed since the file came.
    trail.snapshot.route(&input.model, &call.key.caller)?;
    let hold = funded(house, call, &input, &provider, trail)?;
    trail.wants(&input.model, false, ServiceTier::Batch);
    trail.admitted(hold, input.most.unwrap_or_default(), vec![Arc::clone(&provider.name)])?;
    // From here on it may run, whoever hears of it.
    trail.at_stake(input.most);
    let sent = ids::shown(&call.doc, &[("input_file_id", &envelope.upstream)]);
    let asked = Ask {
        dialect: Dialect::OpenAiBatches,
        method: Method::POST,
        id: None,
        sub: "",
        body: sent,
        deadline: call.deadline,
    };
    let (upstream, doc) = match told(&provider, &asked, None, trail).await {
        Ok(told) => told,
        Err(refused) => {
            if refused.is_sure() {
                trail.nothing_at_stake();
            }
            return Err(refused.error);
        }
    };
    let at =
        Located { tenant, envelope: Envelope { upstream: ids::text(&doc, "id")?, ..envelope }, provider };
    let memo =
        Memo { key: call.key.caller.key_id.to_string(), scope: call.scope.clone(), file: file_id, input };
    let body = begun(house, at, &memo, &doc, trail).await?;
    Ok(Whole::ok(headers::passed_on(&upstream), body))
}

/// The money for a batch.
fn funded(
    house: &House,
    call: &Call,
    input: &Input,
    provider: &Provider,
    trail: &Trail,
) -> Result<Option<Hold>, Error> {
    let window = house.keys.load().limits.get(&call.key.caller.key_id).cloned();
    let needs_price = window.is_some() || trail.snapshot.unknown_price == Unknown::Refuse;
    let Some(most) = input.most else {
        if needs_price {
            let (name, model) = (&provider.name, &input.deployment);
            let message = format!("no price is known for {name}/{model}, and this batch needs one");
            return Err(Error::new(Code::PriceUnknown, message));
        }
        return Ok(None);
    };
    let Some(window) = window else { return Ok(None) };
    let now = trail.accepted_at();
    let hold = house.counters.reserve(&[window], most, now);
    hold.map(Some).map_err(|exceeded| over(&exceeded, most, now))
}

/// A batch that its provider has taken: it is kept, with its money, and shown.
async fn begun(
    house: &House,
    at: Located,
    memo: &Memo,
    doc: &Doc,
    trail: &mut Trail,
) -> Result<Bytes, Error> {
    let created_at = doc.root().opt("created_at").and_then(|at| at.u64()).unwrap_or_else(clock::unix_seconds);
    let expires_at = created_at.saturating_add(ids::BATCH_LIFE_SECONDS);
    let envelope = Envelope { deployment: String::new(), expires_at, ..at.envelope };
    let id = ids::seal(house, Kind::Batch, &at.tenant, &envelope)?;
    let thing = Thing {
        memo: memo.written(),
        open: true,
        ..files::thing(id.clone(), "batch", &at.tenant, &envelope, created_at)
    };
    let at = Located { envelope, ..at };
    let body = shown(house, &at, &id, Some(memo.file.clone()), doc).await?;
    if let Err(error) = files::keep(house, thing, &body).await {
        // Nobody would settle it: it shall not run. What it may cost all the same is in this record.
        tracing::error!(%error, batch = at.envelope.upstream, "a batch cannot be kept and is cancelled");
        let asked = Ask {
            dialect: Dialect::OpenAiBatches,
            method: Method::POST,
            id: Some(&at.envelope.upstream),
            sub: "/cancel",
            body: Bytes::new(),
            deadline: trail.started() + at.provider.timeouts.total,
        };
        let _ = told(&at.provider, &asked, None, trail).await;
        return Err(error);
    }
    trail.nothing_at_stake();
    trail.take_hold().into_iter().for_each(|hold| house.desk.hold(&id, hold));
    Ok(body)
}

/// Retrieves or cancels a batch.
///
/// # Errors
/// `not_found`, the same for whatever is not this caller's, and what the provider says.
pub async fn look(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    let at = located(house, call, Kind::Batch, trail)?;
    trail.admitted(None, gatehouse_core::money::Nanodollars::ZERO, vec![Arc::clone(&at.provider.name)])?;
    let cancels = call.front.operation == Operation::CancelBatch;
    let asked = Ask {
        dialect: Dialect::OpenAiBatches,
        method: if cancels { Method::POST } else { Method::GET },
        id: Some(&at.envelope.upstream),
        sub: if cancels { "/cancel" } else { "" },
        body: Bytes::new(),
        deadline: call.deadline,
    };
    let told = told(&at.provider, &asked, None, trail).await;
    let (_, doc) =
        told.map_err(|refused| if refused.is_not_found() { Kind::Batch.not_found() } else { refused.error })?;
    let id = call.front.id.clone().unwrap_or_default();
    let (body, is_open) = seen(house, &at, &id, &doc).await?;
    let status = doc.root().opt("status").and_then(|status| status.str());
    if is_open && status.is_some_and(|status| is_over(&status)) {
        house.desk.is_over(&id);
    }
    Ok(Whole::ok(HeaderMap::new(), body))
}

/// What a provider says of a batch, for its caller and for the table; and whether it is still to be settled.
///
/// # Errors
/// `internal_error`.
pub(super) async fn seen(house: &House, at: &Located, id: &str, doc: &Doc) -> Result<(Bytes, bool), Error> {
    let (tenant, provider, upstream) =
        (at.tenant.as_str().to_owned(), at.envelope.provider.clone(), at.envelope.upstream.clone());
    let known = house.desk.ask(move |shelf| shelf.find(&tenant, &provider, &upstream)).await?;
    let file = known.as_ref().and_then(|known| Memo::read(&known.memo)).map(|memo| memo.file);
    let body = shown(house, at, id, file, doc).await?;
    let is_open = known.as_ref().is_some_and(|known| known.open);
    if let Some(known) = known {
        // Its provider knows it.
        files::keep(house, Thing { misses: 0, ..known }, &body).await?;
    }
    Ok((body, is_open))
}

/// What a provider says of a batch, with ids of ours.
async fn shown(
    house: &House,
    at: &Located,
    id: &str,
    file: Option<String>,
    doc: &Doc,
) -> Result<Bytes, Error> {
    let text = |name: &str| doc.root().opt(name).and_then(|value| value.str().map(|text| text.into_owned()));
    let dialect = text("endpoint").and_then(|path| ids::dialect(&path)).unwrap_or(Dialect::OpenAiChat);
    let envelope = &at.envelope;
    let file = match (file, text("input_file_id")) {
        (Some(file), _) => file,
        (None, Some(upstream)) => {
            let input = Envelope { upstream, ..envelope.clone() };
            ids::seal(house, Kind::File, &at.tenant, &input)?
        }
        (None, None) => String::new(),
    };
    let mut members = vec![("id", id.to_owned()), ("input_file_id", file)];
    for name in ["output_file_id", "error_file_id"] {
        if let Some(upstream) = text(name) {
            let (provider, expires_at) = (&envelope.provider, envelope.expires_at);
            let id = ids::of_output(house, &at.tenant, provider, &upstream, dialect, expires_at).await?;
            members.push((name, id));
        }
    }
    let members: Vec<(&str, &str)> = members.iter().map(|(name, id)| (*name, id.as_str())).collect();
    Ok(ids::shown(doc, &members))
}

// === impl Memo ===

impl Memo {
    /// As it is kept.
    #[must_use]
    pub fn written(&self) -> String {
        let mut out = Out::new();
        let scope = &self.scope;
        out.object(|out| {
            out.field("key", self.key.as_str()).field("file", self.file.as_str());
            out.field("input", Facts::Input(self.input.clone()).written().unwrap_or_default().as_str());
            for (name, value) in [
                ("org", &scope.org),
                ("team", &scope.team),
                ("app", &scope.app),
                ("use_case", &scope.use_case),
                ("user", &scope.user),
                ("run", &scope.run),
                ("step", &scope.step),
            ] {
                out.field(name, &**value);
            }
            out.object_field("tags", |out| {
                for (name, value) in &scope.tags {
                    out.field(name, &**value);
                }
            });
        });
        out.as_str().to_owned()
    }

    /// Back again; `None` when it is none.
    #[must_use]
    pub fn read(written: &str) -> Option<Self> {
        let doc = Doc::parse(Bytes::copy_from_slice(written.as_bytes()), Strictness::Provider).ok()?;
        let text = |node: Node<'_>| node.str().unwrap_or_default().into_owned();
        let member = |name: &str| doc.root().opt(name).map(text).unwrap_or_default();
        let part = |name: &str| -> Arc<str> { member(name).into() };
        let Facts::Input(input) = Facts::read(&member("input")) else { return None };
        let tags = doc.root().opt("tags");
        let tags = tags.iter().flat_map(Node::members);
        let scope = Scope {
            org: part("org"),
            team: part("team"),
            app: part("app"),
            use_case: part("use_case"),
            user: part("user"),
            run: part("run"),
            step: part("step"),
            tags: tags.map(|(name, value)| (name.as_ref().into(), text(value).into())).collect(),
        };
        Some(Self { key: member("key"), scope, file: member("file"), input })
    }
}

#[cfg(test)]
mod tests {
    use super::Memo;
    use crate::kept::ids::Input;
    use gatehouse_core::call::Scope;
    use gatehouse_core::content::Dialect;
    use gatehouse_core::money::Nanodollars;

    #[test]
    fn a_memo_comes_back() {
        let memo = Memo {
            key: "ghk_1".to_owned(),
            scope: Scope {
                team: "t\"1".into(),
                user: "Ä\n".into(),
                tags: vec![("a".into(), "b".into())],
                ..Scope::default()
            },
            file: "file-x".to_owned(),
            input: Input {
                dialect: Dialect::OpenAiResponses,
                most: Some(Nanodollars(9)),
                lines: 2,
                tokens: 7,
                deployment: "small".to_owned(),
                model: "fast".to_owned(),
            },
        };
        assert_eq!(Memo::read(&memo.written()), Some(memo));
        assert_eq!(Memo::read("{}"), None);
    }
}
