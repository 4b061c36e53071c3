//! Answers of `/v1/responses` that are kept for callers: [`recall`] puts into a request what it refers to, [`keeper`]
//! marks an answer and keeps it. No provider is asked to remember anything, so that guardrails see all that a model
//! sees, any model goes on with any conversation, and what is kept is kept here, sealed.

pub mod keeper;
pub mod recall;

use crate::clock;
use gatehouse_core::call::CallId;
use gatehouse_core::error::{Code, Error};
use gatehouse_identity::envelope::{Envelope, Kind, NONCE_BYTES, Seals, Tenant};
use gatehouse_wire::openai_responses::kept::Exchange;
use std::pin::Pin;
use std::sync::Arc;

/// What comes of the store, once it has looked.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// An answer to be kept.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its id: that of its call.
    pub id: CallId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The answer that it goes on from.
    pub previous: Option<CallId>,
    /// When it is kept no longer, in Unix seconds.
    pub expires_at: u64,
    /// The ids of its items.
    pub items: Vec<String>,
    /// What was said, sealed.
    pub body: Vec<u8>,
}

/// An answer that was kept.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its id.
    pub id: CallId,
    /// What was said, sealed.
    pub body: Vec<u8>,
}

/// Which conversation is looked for.
#[derive(Clone, Debug)]
pub struct Sought {
    /// Whose it is.
    pub tenant: Tenant,
    /// Its last answer.
    pub last: CallId,
    /// The time, in Unix seconds.
    pub now: u64,
    /// Until when all of it is to live, where it is gone on with.
    pub expires_at: Option<u64>,
    /// How large it may be.
    pub bytes_max: usize,
}

/// Where answers are kept. What is another tenant's, or over, is not there.
pub trait Responses: Send + Sync {
    /// Keeps an answer, in the place of what was kept of it before. It is safe once this is done.
    fn put(&self, record: Record) -> Pending<()>;

    /// One answer.
    fn get(&self, tenant: Tenant, id: CallId, now: u64) -> Pending<Option<Found>>;

    /// An answer with all that it goes on from, oldest first; `None` when anything of it is missing.
    fn chain(&self, sought: Sought) -> Pending<Option<Vec<Found>>>;

    /// The answer that has the item of this id.
    fn having(&self, tenant: Tenant, item: String, now: u64) -> Pending<Option<Found>>;

    /// Keeps something else of an answer that is kept, as long as that is.
    fn replace(&self, tenant: Tenant, id: CallId, body: Vec<u8>) -> Pending<()>;

    /// Keeps an answer no longer. `false` when there was none.
    fn delete(&self, tenant: Tenant, id: CallId, now: u64) -> Pending<bool>;
}

/// Keeps nothing.
pub struct Forgetful;

/// The memory of this gateway.
pub struct Memory {
    seals: Arc<Seals>,
    responses: Box<dyn Responses>,
}

// === impl Memory ===

impl Memory {
    /// A memory that keeps sealed answers there.
    #[must_use]
    pub fn new(seals: Arc<Seals>, responses: Box<dyn Responses>) -> Self {
        Self { seals, responses }
    }

    /// The id that the caller gets for an answer.
    ///
    /// # Errors
    /// `internal_error`.
    pub fn seal(&self, tenant: &Tenant, id: CallId) -> Result<String, Error> {
        let envelope = Envelope {
            provider: String::new(),
            deployment: String::new(),
            upstream: id.to_string(),
            // A conversation that goes on keeps its answers: how long is written beside them, and not here.
            expires_at: u64::MAX,
        };
        self.seals.seal(Kind::Response, tenant, &envelope, nonce()?)
    }

    /// Which answer a caller's id is of.
    ///
    /// # Errors
    /// `not_found`, in the same words for whatever opens nothing.
    pub fn open(&self, tenant: &Tenant, id: &str) -> Result<CallId, Error> {
        let envelope = self.seals.open(Kind::Response, tenant, id, clock::unix_seconds())?;
        CallId::parse(&envelope.upstream).ok_or_else(|| Kind::Response.not_found())
    }

    /// One exchange.
    ///
    /// # Errors
    /// `not_found`, `internal_error`.
    pub async fn get(&self, tenant: &Tenant, id: CallId) -> Result<Exchange, Error> {
        let found = self.responses.get(tenant.clone(), id, clock::unix_seconds()).await?;
        found.and_then(|found| self.read(tenant, found)).ok_or_else(|| Kind::Response.not_found())
    }

    /// An exchange with all that it goes on from, oldest first.
    ///
    /// # Errors
    /// `not_found` when anything of it is missing, `request_too_large`, `internal_error`.
    pub async fn chain(&self, sought: Sought) -> Result<Vec<Exchange>, Error> {
        let tenant = sought.tenant.clone();
        let missing = || Kind::Response.not_found();
        let found = self.responses.chain(sought).await?.ok_or_else(missing)?;
        found.into_iter().map(|one| self.read(&tenant, one).ok_or_else(missing)).collect()
    }

    /// Keeps an answer no longer.
    ///
    /// # Errors
    /// `not_found`, `internal_error`.
    pub async fn delete(&self, tenant: &Tenant, id: CallId) -> Result<(), Error> {
        let was_there = self.responses.delete(tenant.clone(), id, clock::unix_seconds()).await?;
        if was_there { Ok(()) } else { Err(Kind::Response.not_found()) }
    }

    /// Keeps the same exchange with another answer.
    ///
    /// # Errors
    /// `internal_error`.
    pub async fn restate(
        &self,
        tenant: &Tenant,
        id: CallId,
        exchange: &Exchange,
        response: &str,
    ) -> Result<(), Error> {
        let input: Vec<String> = exchange.input().map(|item| item.raw().to_owned()).collect();
        let body = self.sealed(tenant, id, Exchange::written(&input, response))?;
        self.responses.replace(tenant.clone(), id, body).await
    }

    fn read(&self, tenant: &Tenant, found: Found) -> Option<Exchange> {
        self.seals.open_bytes(&bound_to(tenant, found.id), found.body).and_then(Exchange::read)
    }

    fn sealed(&self, tenant: &Tenant, id: CallId, body: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.seals.seal_bytes(&bound_to(tenant, id), body, nonce()?)
    }
}

// === impl Forgetful ===

fn now<T: Send + 'static>(value: Result<T, Error>) -> Pending<T> {
    Box::pin(std::future::ready(value))
}

impl Responses for Forgetful {
    fn put(&self, _: Record) -> Pending<()> {
        now(Err(Error::new(Code::Internal, "answers are not kept here")))
    }

    fn get(&self, _: Tenant, _: CallId, _: u64) -> Pending<Option<Found>> {
        now(Ok(None))
    }

    fn chain(&self, _: Sought) -> Pending<Option<Vec<Found>>> {
        now(Ok(None))
    }

    fn having(&self, _: Tenant, _: String, _: u64) -> Pending<Option<Found>> {
        now(Ok(None))
    }

    fn replace(&self, _: Tenant, _: CallId, _: Vec<u8>) -> Pending<()> {
        now(Ok(()))
    }

    fn delete(&self, _: Tenant, _: CallId, _: u64) -> Pending<bool> {
        now(Ok(false))
    }
}

/// An answer is read as that one of that tenant's, and as nothing else.
fn bound_to(tenant: &Tenant, id: CallId) -> Vec<u8> {
    [b"response\0".as_slice(), id.as_bytes(), tenant.as_str().as_bytes()].concat()
}

fn nonce() -> Result<[u8; NONCE_BYTES], Error> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce)
        .map_err(|error| Error::new(Code::Internal, "no randomness for a seal").detail(error.to_string()))?;
    Ok(nonce)
}
