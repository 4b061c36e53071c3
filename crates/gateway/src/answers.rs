//! The answers that are kept for callers, on a thread of its own: calls wait for it without holding up others, and
//! what many calls keep at the same time is made safe at once.

use anyhow::{Context as _, Result};
use gatehouse_core::call::CallId;
use gatehouse_core::error::{Code, Error};
use gatehouse_identity::envelope::Tenant;
use gatehouse_server::clock;
use gatehouse_server::memory::{Found, Pending, Record, Responses, Sought};
use gatehouse_store::{Chain, FoundResponse, ResponseRecord, StoreError};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Requests that wait for the thread; one more is refused.
const WAITING_MAX: usize = 4_096;
/// What is kept at once.
const GROUP_MAX: usize = 256;
/// How often what is over is looked for, and how many of them are deleted before others are served.
const SWEEP: Duration = Duration::from_secs(600);
const SWEPT_AT_ONCE_MAX: usize = 500;

/// Asks the thread that has the database.
pub(crate) struct Answers {
    ask: SyncSender<Asked>,
}

type Reply<T> = oneshot::Sender<Result<T, Error>>;
type Work = Box<dyn FnOnce(&mut gatehouse_store::Responses) + Send>;

enum Asked {
    /// Keep this, and what others want to keep with it.
    Put(ResponseRecord, Reply<()>),
    /// Anything else.
    Do(Work),
}

// === impl Answers ===

impl Answers {
    /// Opens the database and starts the thread, which ends with this.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let database =
            gatehouse_store::Responses::open(data).context("the answers that are kept cannot be read")?;
        let (ask, asked) = sync_channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("answers".to_owned())
            .spawn(move || serve(database, &asked))
            .context("the answers that are kept have no thread")?;
        Ok(Self { ask })
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut gatehouse_store::Responses) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        let (tell, told) = oneshot::channel();
        let asked = Asked::Do(Box::new(move |database| {
            let _ = tell.send(work(database));
        }));
        self.send(asked, told)
    }

    fn send<T: Send + 'static>(&self, asked: Asked, told: oneshot::Receiver<Result<T, Error>>) -> Pending<T> {
        let sent = self.ask.try_send(asked);
        Box::pin(async move {
            match sent {
                Ok(()) => told.await.unwrap_or_else(|_| Err(failed("their thread has ended"))),
                Err(TrySendError::Full(_)) => {
                    let message = "too many calls wait for answers that are kept";
                    Err(Error::new(Code::Overloaded, message).retry_after(Duration::from_secs(1)))
                }
                Err(TrySendError::Disconnected(_)) => Err(failed("their thread has ended")),
            }
        })
    }
}

impl Responses for Answers {
    fn put(&self, record: Record) -> Pending<()> {
        let (tell, told) = oneshot::channel();
        let record = ResponseRecord {
            id: *record.id.as_bytes(),
            tenant: record.tenant.as_str().to_owned(),
            previous: record.previous.map(|previous| *previous.as_bytes()),
            expires_at: record.expires_at,
            items: record.items,
            body: record.body,
        };
        self.send(Asked::Put(record, tell), told)
    }

    fn get(&self, tenant: Tenant, id: CallId, now: u64) -> Pending<Option<Found>> {
        self.ask(move |database| {
            database
                .get(tenant.as_str(), id.as_bytes(), now)
                .map(|one| one.map(found))
                .map_err(|error| told(&error))
        })
    }

    fn chain(&self, sought: Sought) -> Pending<Option<Vec<Found>>> {
        self.ask(move |database| {
            let Sought { tenant, last, now, expires_at, bytes_max } = sought;
            let chain = database.chain(tenant.as_str(), last.as_bytes(), now, expires_at, bytes_max);
            match chain.map_err(|error| told(&error))? {
                Chain::Whole(all) => Ok(Some(all.into_iter().map(found).collect())),
                Chain::Broken => Ok(None),
                Chain::TooLarge => Err(gatehouse_server::memory::recall::too_large(bytes_max)),
            }
        })
    }

    fn having(&self, tenant: Tenant, item: String, now: u64) -> Pending<Option<Found>> {
        self.ask(move |database| {
            database
                .having(tenant.as_str(), &item, now)
                .map(|one| one.map(found))
                .map_err(|error| told(&error))
        })
    }

    fn replace(&self, tenant: Tenant, id: CallId, body: Vec<u8>) -> Pending<()> {
        self.ask(move |database| {
            database.replace(tenant.as_str(), id.as_bytes(), &body).map_err(|error| told(&error))
        })
    }

    fn delete(&self, tenant: Tenant, id: CallId, now: u64) -> Pending<bool> {
        self.ask(move |database| {
            database.delete(tenant.as_str(), id.as_bytes(), now).map_err(|error| told(&error))
        })
    }
}

/// The thread: serves what is asked, and deletes what is over.
fn serve(mut database: gatehouse_store::Responses, asked: &Receiver<Asked>) {
    let mut swept = None;
    let mut left = None;
    loop {
        if swept.is_none_or(|at: Instant| at.elapsed() >= SWEEP) {
            match database.sweep(clock::unix_seconds(), SWEPT_AT_ONCE_MAX) {
                // There may be more.
                Ok(SWEPT_AT_ONCE_MAX) => {}
                Ok(_) => swept = Some(Instant::now()),
                Err(error) => {
                    tracing::error!(%error, "answers that are over could not be deleted");
                    swept = Some(Instant::now());
                }
            }
        }
        let next = match left.take() {
            Some(next) => Ok(next),
            None => asked.recv_timeout(if swept.is_none() { Duration::ZERO } else { SWEEP }),
        };
        match next {
            Ok(Asked::Do(work)) => work(&mut database),
            Ok(Asked::Put(record, tell)) => left = put(&mut database, (record, tell), asked),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Keeps an answer with those that wait behind it. Gives what else was asked then.
fn put(
    database: &mut gatehouse_store::Responses,
    first: (ResponseRecord, Reply<()>),
    asked: &Receiver<Asked>,
) -> Option<Asked> {
    let (mut records, mut waiting) = (vec![first.0], vec![first.1]);
    let mut left = None;
    while records.len() < GROUP_MAX {
        match asked.try_recv() {
            Ok(Asked::Put(record, tell)) => {
                records.push(record);
                waiting.push(tell);
            }
            other => {
                left = other.ok();
                break;
            }
        }
    }
    let kept = database.put(&records).map_err(|error| told(&error));
    for tell in waiting {
        let _ = tell.send(kept.clone());
    }
    left
}

fn found(one: FoundResponse) -> Found {
    Found { id: CallId::from_bytes(one.id), body: one.body }
}

fn told(error: &StoreError) -> Error {
    failed(&error.to_string())
}

fn failed(why: &str) -> Error {
    Error::new(Code::Internal, "the answers that are kept cannot be reached").detail(why)
}

#[cfg(test)]
mod tests {
    use super::Answers;
    use gatehouse_identity::envelope::Tenant;
    use gatehouse_server::clock;
    use gatehouse_server::memory::{Record, Responses as _, Sought};

    #[tokio::test]
    async fn what_is_kept_is_there_for_its_tenant_until_it_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::open(dir.path()).unwrap();
        let (tenant, now) = (Tenant::from_kept("t"), clock::unix_seconds());
        let ids: Vec<_> = (0..50).map(|_| clock::call_id()).collect();
        let puts = ids.iter().enumerate().map(|(at, id)| {
            answers.put(Record {
                id: *id,
                tenant: tenant.clone(),
                previous: at.checked_sub(1).map(|before| ids[before]),
                expires_at: now + 60,
                items: vec![format!("msg_{at}")],
                body: vec![u8::try_from(at).unwrap()],
            })
        });
        for put in futures_util::future::join_all(puts).await {
            put.unwrap();
        }
        let sought =
            |bytes_max| Sought { tenant: tenant.clone(), last: ids[49], now, expires_at: None, bytes_max };
        assert_eq!(answers.chain(sought(50)).await.unwrap().unwrap().len(), 50);
        assert!(answers.chain(sought(49)).await.is_err(), "too large");
        assert_eq!(answers.having(tenant.clone(), "msg_7".to_owned(), now).await.unwrap().unwrap().body, [7]);
        answers.replace(tenant.clone(), ids[7], vec![0]).await.unwrap();
        assert_eq!(answers.get(tenant.clone(), ids[7], now).await.unwrap().unwrap().body, [0]);
        assert!(answers.delete(tenant.clone(), ids[7], now).await.unwrap());
        assert!(answers.chain(sought(50)).await.unwrap().is_none());
        assert!(answers.get(Tenant::from_kept("u"), ids[8], now).await.unwrap().is_none());
    }
}
