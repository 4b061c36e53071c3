//! Files of callers at providers, as OpenAI's `/v1/files` has them.
//!
//! A file belongs to the tenant whose id it is sealed under. The input of a batch is checked line by line before it is
//! passed on ([`super::lines`]); any other file goes as it came to the provider that its caller names.

use super::ids::{self, Facts};
use super::lines::{self, has_batches};
use super::remote::{self, Ask, Refused};
use super::{batches, content, lists};
use crate::call::Call;
use crate::clock;
use crate::exchange::{Answered, Whole};
use crate::form::Files;
use crate::headers::{self, PROVIDER};
use crate::house::House;
use crate::shelf::Thing;
use crate::stage::route::region;
use crate::target::Provider;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::call::Operation;
use gatehouse_core::content::{Dialect, Place};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::money::Nanodollars;
use gatehouse_identity::envelope::{Envelope, Kind, Tenant};
use gatehouse_wire::json::Doc;
use http::{HeaderMap, Method};
use std::sync::Arc;
use std::time::Instant;

/// The most that is kept of what callers were shown of a thing.
const SHOWN_BYTES_MAX: usize = 16 << 10;
/// What the input of a batch is for.
pub(super) const BATCH: &str = "batch";

/// Something of a caller's, and where it is.
pub(super) struct Located {
    pub(super) tenant: Tenant,
    pub(super) envelope: Envelope,
    pub(super) provider: Arc<Provider>,
}

/// Whether an operation is about files or batches.
#[must_use]
pub fn is_asked(operation: Operation) -> bool {
    use Operation as O;
    matches!(
        operation,
        O::CreateFile
            | O::ListFiles
            | O::RetrieveFile
            | O::FileContent
            | O::DeleteFile
            | O::CreateBatch
            | O::ListBatches
            | O::RetrieveBatch
            | O::CancelBatch
    )
}

/// Answers a call about files or batches.
///
/// # Errors
/// `not_found`, the same for what does not exist and for what is another tenant's; whatever a file is refused for; and
/// what the provider says.
pub async fn answer(house: &House, call: &Call, trail: &mut Trail) -> Result<Answered, Error> {
    // Large, and not a part of every call.
    match call.front.operation {
        Operation::FileContent => Box::pin(content::answer(house, call, trail)).await,
        Operation::CreateFile => Box::pin(create(house, call, trail)).await.map(Answered::Whole),
        Operation::ListFiles => lists::answer(house, call, Kind::File).await.map(Answered::Whole),
        Operation::ListBatches => lists::answer(house, call, Kind::Batch).await.map(Answered::Whole),
        Operation::RetrieveFile => Box::pin(retrieve(house, call, trail)).await.map(Answered::Whole),
        Operation::DeleteFile => Box::pin(delete(house, call, trail)).await.map(Answered::Whole),
        Operation::CreateBatch => Box::pin(batches::create(house, call, trail)).await.map(Answered::Whole),
        _ => Box::pin(batches::look(house, call, trail)).await.map(Answered::Whole),
    }
}

/// Where the thing is that the path names.
///
/// # Errors
/// `not_found`, the same for whatever is not this caller's, and for what is at a provider that is not there any more.
pub(super) fn located(house: &House, call: &Call, kind: Kind, trail: &Trail) -> Result<Located, Error> {
    let tenant = Tenant::of(&call.key.caller);
    let envelope = ids::open(house, kind, &tenant, call.front.id.as_deref().unwrap_or_default())?;
    let provider = provider(trail, &envelope.provider).ok_or_else(|| kind.not_found())?;
    Ok(Located { tenant, envelope, provider })
}

/// The provider of this name, if it has files.
pub(super) fn provider(trail: &Trail, name: &str) -> Option<Arc<Provider>> {
    let mut all = trail.snapshot.providers().iter();
    all.find(|provider| &*provider.name == name && provider.has(Dialect::OpenAiFiles)).map(Arc::clone)
}

/// Asks a provider, and notes it.
///
/// # Errors
/// What came of it.
pub(super) async fn told(
    provider: &Provider,
    asked: &Ask<'_>,
    form: Option<(&Files, &Doc)>,
    trail: &mut Trail,
) -> Result<(HeaderMap, Doc), Refused> {
    let (begun, bytes_max) = (Instant::now(), trail.snapshot.limits.answer.0);
    let told = remote::ask_json(provider, asked, form, bytes_max).await;
    noted(provider, begun, &told, trail);
    told
}

/// Notes what came of asking a provider.
pub(super) fn noted<T>(provider: &Provider, begun: Instant, told: &Result<T, Refused>, trail: &mut Trail) {
    let micros = clock::micros_since(begun);
    match told {
        Ok(_) => trail.asked(&provider.name, Some(200), None, micros),
        Err(refused) => {
            trail.asked(&provider.name, refused.status, Some(refused.error.code.as_str()), micros);
        }
    }
}

/// What a caller is shown, and the table keeps.
pub(super) async fn keep(house: &House, mut thing: Thing, shown: &Bytes) -> Result<(), Error> {
    if let Some(text) = std::str::from_utf8(shown).ok().filter(|text| text.len() <= SHOWN_BYTES_MAX) {
        text.clone_into(&mut thing.body);
    }
    house.desk.ask(move |shelf| shelf.put(&thing)).await
}

// === the operations ===

/// Takes a file.
async fn create(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    let Some(files) = &call.files else { return Err(Error::new(Code::Internal, "a form without files")) };
    let purpose = call.doc.root().opt("purpose").and_then(|purpose| purpose.str());
    let purpose = purpose.ok_or_else(|| Error::invalid("purpose", "purpose: is required"))?;
    let (parts, store) = files.set_aside();
    let [(head, range)] = parts else {
        return Err(Error::invalid("file", "file: one file is required"));
    };
    if head.name != "file" {
        return Err(Error::invalid("file", "file: is required"));
    }
    let (provider, facts, checked) = if purpose == BATCH {
        let checked = lines::check(call, store, range.clone(), trail).await?;
        let form = files.with(head.clone(), checked.file);
        (Arc::clone(&checked.target.provider), checked.facts, Some(form))
    } else {
        // Whatever it is: documents, images, examples.
        trail.judged(call.guards.unread(Place::Input));
        (named(call, trail)?, Facts::Other, None)
    };
    trail.admitted(None, Nanodollars::ZERO, vec![Arc::clone(&provider.name)])?;
    let asked = Ask {
        dialect: Dialect::OpenAiFiles,
        method: Method::POST,
        id: None,
        sub: "",
        body: Bytes::new(),
        deadline: call.deadline,
    };
    let form = checked.as_ref().unwrap_or(files);
    let told = told(&provider, &asked, Some((form, &call.doc)), trail).await;
    let (upstream_headers, doc) = told.map_err(|refused| refused.error)?;
    let now = clock::unix_seconds();
    let number = |name: &str| doc.root().opt(name).and_then(|value| value.u64());
    let life = if purpose == BATCH { ids::BATCH_LIFE_SECONDS } else { ids::FILE_LIFE_SECONDS };
    let created_at = number("created_at").unwrap_or(now);
    let envelope = Envelope {
        provider: provider.name.to_string(),
        deployment: facts.written()?,
        upstream: ids::text(&doc, "id")?,
        expires_at: number("expires_at").unwrap_or_else(|| created_at.saturating_add(life)),
    };
    let tenant = Tenant::of(&call.key.caller);
    let id = ids::seal(house, Kind::File, &tenant, &envelope)?;
    let body = ids::shown(&doc, &[("id", &id)]);
    let thing = thing(id, "file", &tenant, &envelope, created_at);
    keep(house, Thing { purpose: purpose.into_owned(), ..thing }, &body).await?;
    Ok(Whole::ok(headers::passed_on(&upstream_headers), body))
}

/// A thing as it is kept at first.
pub(super) fn thing(id: String, kind: &str, tenant: &Tenant, envelope: &Envelope, created_at: u64) -> Thing {
    Thing {
        id,
        kind: kind.to_owned(),
        tenant: tenant.as_str().to_owned(),
        provider: envelope.provider.clone(),
        upstream: envelope.upstream.clone(),
        created_at,
        expires_at: envelope.expires_at,
        ..Thing::default()
    }
}

/// Who gets a file in which nothing says so: whom the caller names, or the only one.
fn named(call: &Call, trail: &Trail) -> Result<Arc<Provider>, Error> {
    const NAME: &str = "x-gatehouse-provider";
    let wanted = call.headers.get(PROVIDER).map(|name| name.to_str().unwrap_or_default().trim().to_owned());
    let may = |provider: &&Arc<Provider>| is_open_to(call, provider, trail);
    let mut able = trail.snapshot.providers().iter().filter(|one| one.has(Dialect::OpenAiFiles)).filter(may);
    let provider = match wanted {
        Some(wanted) => {
            match trail.snapshot.providers().iter().find(|one| *one.name == *wanted).filter(may) {
                Some(provider) if provider.has(Dialect::OpenAiFiles) => Arc::clone(provider),
                Some(provider) => {
                    let message = format!("{NAME}: {} takes no files", provider.name);
                    return Err(Error::new(Code::NoCapableTarget, message).at(NAME));
                }
                None => return Err(Error::invalid(NAME, format!("{NAME}: there is no provider {wanted:?}"))),
            }
        }
        None => match (able.next(), able.next()) {
            (Some(only), None) => Arc::clone(only),
            (Some(_), Some(_)) => {
                let message =
                    format!("{NAME}: several providers take files; name one of them in this header");
                return Err(Error::invalid(NAME, message));
            }
            (None, _) => {
                return Err(Error::new(Code::NoCapableTarget, "no provider of this gateway takes files"));
            }
        },
    };
    if region(&call.headers)?.is_some_and(|region| !provider.is_in(region)) {
        let message = format!("{} is not known to be where the data must stay", provider.name);
        return Err(Error::new(Code::ResidencyUnsatisfied, message));
    }
    Ok(provider)
}

/// Whether a caller may use any model of a provider.
fn is_open_to(call: &Call, provider: &Provider, trail: &Trail) -> bool {
    let (snapshot, caller) = (&trail.snapshot, &call.key.caller);
    let any = format!("{}/-", provider.name);
    let leads_there = |name: &str| {
        let route = snapshot.route(name, caller);
        route.is_ok_and(|route| route.targets.iter().any(|target| target.provider.name == provider.name))
    };
    leads_there(&any)
        || snapshot.models().iter().any(|(name, _)| leads_there(name))
        || snapshot.visible(caller).iter().any(|(_, target)| target.provider.name == provider.name)
}

/// Says what is known of a file.
async fn retrieve(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    let at = located(house, call, Kind::File, trail)?;
    let doc = one(call, &at, Method::GET, trail).await?;
    let id = call.front.id.as_deref().unwrap_or_default();
    let body = ids::shown(&doc, &[("id", id)]);
    let (tenant, provider, upstream) =
        (at.tenant.as_str().to_owned(), at.envelope.provider, at.envelope.upstream);
    if let Some(known) = house.desk.ask(move |shelf| shelf.find(&tenant, &provider, &upstream)).await? {
        keep(house, known, &body).await?;
    }
    Ok(Whole::ok(HeaderMap::new(), body))
}

/// Deletes a file.
async fn delete(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    let at = located(house, call, Kind::File, trail)?;
    let doc = one(call, &at, Method::DELETE, trail).await?;
    let id = call.front.id.clone().unwrap_or_default();
    let body = ids::shown(&doc, &[("id", &id)]);
    house.desk.ask(move |shelf| shelf.remove(&id)).await?;
    Ok(Whole::ok(HeaderMap::new(), body))
}

/// Asks for one file.
async fn one(call: &Call, at: &Located, method: Method, trail: &mut Trail) -> Result<Doc, Error> {
    trail.admitted(None, Nanodollars::ZERO, vec![Arc::clone(&at.provider.name)])?;
    let asked = Ask {
        dialect: Dialect::OpenAiFiles,
        method,
        id: Some(&at.envelope.upstream),
        sub: "",
        body: Bytes::new(),
        deadline: call.deadline,
    };
    told(&at.provider, &asked, None, trail)
        .await
        .map(|(_, doc)| doc)
        .map_err(|refused| if refused.is_not_found() { Kind::File.not_found() } else { refused.error })
}

/// Whether a provider has batches, as a check of its name.
pub(super) fn with_batches(trail: &Trail, name: &str) -> Option<Arc<Provider>> {
    provider(trail, name).filter(|provider| has_batches(provider))
}
