//! A provider's credentials: those that are written down, and those that are fetched and kept until they expire.
//!
//! A call never waits for a credential that is still good: it is fetched anew ahead of its end, by a task of its
//! own, once however many calls ask. Only where there is none yet do calls wait, all for the same fetch. Once that
//! has failed, nobody waits for the next one: calls fail at once, and as long as there are any, it is tried
//! again behind their backs, the more seldom the longer it fails.

use crate::clock;
use crate::fetch;
use crate::upstream::Upstream;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use gatehouse_core::error::{Code, Error};
use gatehouse_providers::credential::{Credential, Fresh, Later, Outside, Source};
use http::{Request, Response};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How long fetching a credential may take, all steps together.
const FETCH_TIME_MAX: Duration = Duration::from_secs(10);
/// The most of an answer that is read.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// A credential is fetched anew so long before its end, or after four fifths of its life if that comes first.
const AHEAD_SECONDS: u64 = 300;
/// So shortly before its end a credential is not used any more: the request is still on its way then.
const LAST_SECONDS: u64 = 10;
/// After a failure, nobody is asked again for so long; twice as long after each further one, up to the most.
const FAILURE_REST: Duration = Duration::from_secs(1);
const FAILURE_REST_MAX: Duration = Duration::from_secs(30);
/// How long a call waits for the first fetch after such a rest.
const AGAIN_TIME_MAX: Duration = Duration::from_secs(1);
/// A fetched credential that the provider refuses is fetched anew, but not oftener than this.
const REFUSED_REST_SECONDS: u64 = 30;

/// A credential of a provider.
pub struct Slot {
    kind: Kind,
    /// The provider does not take it, or not any more, as far as is known.
    is_refused: AtomicBool,
}

enum Kind {
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
    failed: StdMutex<Option<Failed>>,
    /// Whether somebody has asked since the last fetch.
    is_wanted: AtomicBool,
}

/// Fetching has failed, and has not gone well since.
struct Failed {
    error: Error,
    /// How often in a row.
    times: u32,
    /// Until when nobody is asked again, in milliseconds of the steady clock.
    until: u64,
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
    /// A credential as it was written.
    #[must_use]
    pub fn written(credential: Credential) -> Self {
        Self { kind: Kind::Written(Arc::new(credential)), is_refused: AtomicBool::new(false) }
    }

    /// One that is fetched.
    #[must_use]
    pub fn fetched(keeper: Keeper) -> Self {
        Self { kind: Kind::Fetched(Arc::new(keeper)), is_refused: AtomicBool::new(false) }
    }

    /// The credential, fetched within `limit` if it has to be.
    ///
    /// # Errors
    /// `upstream_auth_failed` when it is refused, or could not be had a moment ago; `upstream_unreachable` or
    /// `upstream_timeout` when nobody answers.
    pub async fn get(&self, limit: Duration) -> Result<Arc<Credential>, Error> {
        let keeper = match &self.kind {
            Kind::Written(credential) => return Ok(Arc::clone(credential)),
            Kind::Fetched(keeper) => keeper,
        };
        if let Some(credential) = keeper.held(clock::unix_seconds()) {
            return Ok(credential);
        }
        let limit = match keeper.fails() {
            Fails::AtOnce(error) => return Err(error),
            Fails::Before => limit.min(AGAIN_TIME_MAX),
            Fails::Not => limit,
        };
        // Rare, and large: not a part of every call.
        match tokio::time::timeout(limit, Box::pin(keeper.wait())).await {
            Ok(waited) => waited,
            Err(_) => Err(keeper.late()),
        }
    }

    /// The provider has refused it: one that was fetched may have been revoked before its end.
    pub fn refused(&self) {
        self.is_refused.store(true, Ordering::Relaxed);
        if let Kind::Fetched(keeper) = &self.kind {
            let now = clock::unix_seconds();
            let old = |held: &Held| now >= held.since.saturating_add(REFUSED_REST_SECONDS);
            if keeper.held.load().as_deref().is_some_and(old) {
                keeper.held.store(None);
            }
        }
    }

    /// The provider has taken it.
    pub fn taken(&self) {
        // Of nearly every call, so nothing is written where nothing changes.
        if self.is_refused.load(Ordering::Relaxed) {
            self.is_refused.store(false, Ordering::Relaxed);
        }
    }

    /// Whether it cannot be had, or was refused when it was last used.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        let is_missing = match &self.kind {
            Kind::Written(_) => false,
            Kind::Fetched(keeper) => keeper.failed().is_some(),
        };
        is_missing || self.is_refused.load(Ordering::Relaxed)
    }
}

/// What is known when a call finds no credential.
enum Fails {
    /// The last fetch went well, or there was none.
    Not,
    /// The last fetch failed, and it is time for another.
    Before,
    /// The last fetch failed, and another one would, too, or is under way.
    AtOnce(Error),
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
            is_wanted: AtomicBool::new(false),
        }
    }

    /// What is kept and still good; sees that it is fetched anew in time.
    fn held(self: &Arc<Self>, now: u64) -> Option<Arc<Credential>> {
        let held = self.held.load();
        let held = held.as_ref().filter(|held| held.is_good(now))?;
        // When it fails, the old one is used on until its end, and this is tried again.
        if now >= held.refresh_at
            && self.rest().is_zero()
            && let Ok(one) = Arc::clone(&self.fetching).try_lock_owned()
        {
            self.begin(one);
        }
        Some(Arc::clone(&held.credential))
    }

    /// Waits for a fetch, and begins one where there is none.
    async fn wait(self: &Arc<Self>) -> Result<Arc<Credential>, Error> {
        loop {
            let one = Arc::clone(&self.fetching).lock_owned().await;
            // Somebody else may have fetched it meanwhile, or met an error.
            if let Some(held) = self.held.load().as_ref().filter(|held| held.is_good(clock::unix_seconds())) {
                return Ok(Arc::clone(&held.credential));
            }
            if !self.rest().is_zero()
                && let Some(failed) = self.failed().as_ref()
            {
                return Err(failed.error.clone());
            }
            self.begin(one);
        }
    }

    /// Fetches in a task of its own: no call takes the fetch of all others with it when it ends. It is tried again
    /// as long as somebody asks.
    fn begin(self: &Arc<Self>, one: OwnedMutexGuard<()>) {
        let keeper = Arc::clone(self);
        tokio::spawn(async move {
            let mut one = Some(one);
            while let Some(held) = one.take() {
                keeper.is_wanted.store(false, Ordering::Relaxed);
                keeper.fetch().await;
                // Those who wait are told now.
                drop(held);
                tokio::time::sleep(keeper.rest()).await;
                if keeper.failed().is_some() && keeper.is_wanted.load(Ordering::Relaxed) {
                    one = Arc::clone(&keeper.fetching).try_lock_owned().ok();
                }
            }
        });
    }

    /// What a call without a credential has to expect.
    fn fails(&self) -> Fails {
        let failed = self.failed().as_ref().map(|failed| failed.error.clone());
        let Some(error) = failed else { return Fails::Not };
        self.is_wanted.store(true, Ordering::Relaxed);
        if self.rest().is_zero() && self.fetching.try_lock().is_ok() {
            return Fails::Before;
        }
        Fails::AtOnce(Error { code: Code::UpstreamAuthFailed, ..error })
    }

    /// How long the last failure is still too fresh to ask again.
    fn rest(&self) -> Duration {
        let until = self.failed().as_ref().map_or(0, |failed| failed.until);
        Duration::from_millis(until.saturating_sub(clock::steady_millis()))
    }

    fn failed(&self) -> MutexGuard<'_, Option<Failed>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) {
        let fetched = tokio::time::timeout(FETCH_TIME_MAX, self.source.fetch(&*self.outside)).await;
        match fetched.unwrap_or_else(|_| Err(self.late())) {
            Ok(fresh) => self.keep(fresh),
            Err(error) => {
                tracing::warn!(%error, source = self.source.name(), "no credential for a provider");
                let mut failed = self.failed();
                let times = failed.as_ref().map_or(0, |before| before.times);
                let rest = FAILURE_REST.saturating_mul(1 << times.min(16)).min(FAILURE_REST_MAX);
                let millis = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
                let until = clock::steady_millis().saturating_add(millis);
                *failed = Some(Failed { error, times: times.saturating_add(1), until });
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

    fn keep(&self, fresh: Fresh) {
        let (since, credential) = (clock::unix_seconds(), Arc::new(fresh.credential));
        let expires_at = fresh.expires_at.unwrap_or(u64::MAX);
        let life = expires_at.saturating_sub(since);
        let refresh_at = since.saturating_add((life / 5 * 4).max(life.saturating_sub(AHEAD_SECONDS)));
        self.held.store(Some(Arc::new(Held { credential, since, refresh_at, expires_at })));
        *self.failed() = None;
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
