//! A provider's credentials: those that are written down, and those that are fetched and kept until they expire.
//!
//! A call never waits for a credential that is still good: it is fetched anew ahead of its end, by a task of its
//! own, once however many calls ask. Only where there is none yet do calls wait, all for the same fetch.

use crate::clock;
use crate::fetch;
use crate::upstream::Upstream;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use gatehouse_core::error::{Code, Error};
use gatehouse_providers::credential::{Credential, Fresh, Later, Outside, Source};
use http::{Request, Response};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long fetching a credential may take, all steps together.
const FETCH_TIME_MAX: Duration = Duration::from_secs(10);
/// The most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// A credential is fetched anew so long before its end, or after four fifths of its life if that comes first.
const AHEAD_SECONDS: u64 = 300;
/// So shortly before its end a credential is not used any more: the request is still on its way then.
const LAST_SECONDS: u64 = 10;
/// After a failure, nobody is asked again for so long.
const FAILURE_REST_MILLIS: u64 = 1_000;
/// A fetched credential that the provider refuses is fetched anew, but not oftener than this.
const REFUSED_REST_SECONDS: u64 = 30;

/// A credential of a provider.
pub enum Slot {
    /// As it was written.
    Written(Arc<Credential>),
    /// Fetched, and kept.
    Fetched(Arc<Keeper>),
}

/// Keeps a credential that is fetched.
pub struct Keeper {
    source: Arc<dyn Source>,
    outside: Box<dyn Outside>,
    held: ArcSwapOption<Held>,
    /// Held while it is being fetched.
    fetching: Arc<Mutex<()>>,
    failed: StdMutex<Option<Error>>,
    /// When that was, in milliseconds of the steady clock.
    failed_at: AtomicU64,
}

struct Held {
    credential: Arc<Credential>,
    since: u64,
    /// From then on it is fetched anew.
    refresh_at: u64,
    expires_at: u64,
}

/// The network.
pub struct Network(Upstream);

// === impl Slot ===

impl Slot {
    /// The credential, fetched within `limit` if it has to be.
    ///
    /// # Errors
    /// `upstream_auth_failed` when it is refused, `upstream_unreachable` or `upstream_timeout` when nobody answers.
    pub async fn get(&self, limit: Duration) -> Result<Arc<Credential>, Error> {
        match self {
            Self::Written(credential) => Ok(Arc::clone(credential)),
            Self::Fetched(keeper) => match keeper.held(clock::unix_seconds()) {
                Some(credential) => Ok(credential),
                // Rare, and large: not a part of every call.
                None => match tokio::time::timeout(limit, Box::pin(keeper.wait())).await {
                    Ok(waited) => waited,
                    Err(_) => Err(keeper.late()),
                },
            },
        }
    }

    /// The provider has refused it: one that was fetched may have been revoked before its end.
    pub fn refused(&self) {
        if let Self::Fetched(keeper) = self {
            let now = clock::unix_seconds();
            let old = |held: &Held| now >= held.since.saturating_add(REFUSED_REST_SECONDS);
            if keeper.held.load().as_deref().is_some_and(old) {
                keeper.held.store(None);
            }
        }
    }
}

// === impl Keeper ===

impl Keeper {
    /// Has nothing yet.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, outside: impl Outside + 'static) -> Self {
        Self {
            source,
            outside: Box::new(outside),
            held: ArcSwapOption::empty(),
            fetching: Arc::default(),
            failed: StdMutex::default(),
            failed_at: AtomicU64::new(0),
        }
    }

    /// What is kept and still good; sees that it is fetched anew in time.
    fn held(self: &Arc<Self>, now: u64) -> Option<Arc<Credential>> {
        let held = self.held.load();
        let held = held.as_ref().filter(|held| held.is_good(now))?;
        if now >= held.refresh_at
            && !self.rests()
            && let Ok(one) = Arc::clone(&self.fetching).try_lock_owned()
        {
            let keeper = Arc::clone(self);
            tokio::spawn(async move {
                // Until its end the old one is used on, and this is tried again.
                if let Err(error) = keeper.fetch().await {
                    tracing::warn!(%error, "a credential could not be fetched ahead of its end");
                }
                drop(one);
            });
        }
        Some(Arc::clone(&held.credential))
    }

    async fn wait(self: &Arc<Self>) -> Result<Arc<Credential>, Error> {
        let _one = self.fetching.lock().await;
        // Somebody else may have fetched it meanwhile, or met the same error.
        if let Some(held) = self.held.load().as_ref().filter(|held| held.is_good(clock::unix_seconds())) {
            return Ok(Arc::clone(&held.credential));
        }
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match failed.filter(|_| self.rests()) {
            Some(error) => Err(error),
            None => self.fetch().await,
        }
    }

    /// Whether the last failure is too fresh to ask again.
    fn rests(&self) -> bool {
        let until = self.failed_at.load(Ordering::Relaxed);
        until > 0 && clock::steady_millis() < until.saturating_add(FAILURE_REST_MILLIS)
    }

    async fn fetch(&self) -> Result<Arc<Credential>, Error> {
        let fetched = tokio::time::timeout(FETCH_TIME_MAX, self.source.fetch(&*self.outside)).await;
        match fetched.unwrap_or_else(|_| Err(self.late())) {
            Ok(fresh) => Ok(self.keep(fresh)),
            Err(error) => {
                tracing::warn!(%error, source = self.source.name(), "no credential for a provider");
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
                self.failed_at.store(clock::steady_millis().max(1), Ordering::Relaxed);
                Err(error)
            }
        }
    }

    fn late(&self) -> Error {
        let who = self.source.name();
        Error::new(
            Code::UpstreamTimeout,
            format!("no credential for the provider: {who} did not answer in time"),
        )
    }

    fn keep(&self, fresh: Fresh) -> Arc<Credential> {
        let (since, credential) = (clock::unix_seconds(), Arc::new(fresh.credential));
        let expires_at = fresh.expires_at.unwrap_or(u64::MAX);
        let life = expires_at.saturating_sub(since);
        let refresh_at = since.saturating_add((life / 5 * 4).max(life.saturating_sub(AHEAD_SECONDS)));
        let held = Held { credential: Arc::clone(&credential), since, refresh_at, expires_at };
        self.held.store(Some(Arc::new(held)));
        self.failed_at.store(0, Ordering::Relaxed);
        credential
    }
}

// === impl Held ===

impl Held {
    fn is_good(&self, now: u64) -> bool {
        now.saturating_add(LAST_SECONDS) < self.expires_at
    }
}

// === impl Network ===

impl Network {
    /// Whose connections may take so long to come about.
    #[must_use]
    pub fn new(connect: Duration) -> Self {
        Self(Upstream::new(connect))
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        fetch::whole(&self.0, request, FETCH_TIME_MAX, ANSWER_BYTES_MAX).await
    }
}

impl Outside for Network {
    fn ask(&self, request: Request<Bytes>) -> Later<'_, Response<Bytes>> {
        Box::pin(self.send(request))
    }

    fn now(&self) -> u64 {
        clock::unix_seconds()
    }
}
