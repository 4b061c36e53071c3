//! What the API for administration works with: who may come in, what is written down of it, and who knows the
//! records. It speaks no HTTP; `api` does.

mod ask;
mod gate;
mod hosts;
mod problem;
mod readings;
mod until;

pub use ask::{Asked, Params, What};
pub use gate::{FAILURE_PAUSE, Gate, Refused};
pub use hosts::Hosts;
pub use problem::Problem;
pub use readings::{Reading, Readings};
pub use until::{Leaving, Until};

use arc_swap::ArcSwap;
use bytes::Bytes;
use gatehouse_audit::Log;
use gatehouse_core::call::CallId;
use gatehouse_identity::admin::Admins;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast};

/// Questions that are looked up at the same time; others wait.
pub const QUESTIONS_MAX: usize = 4;
/// How long a question may wait for its turn.
pub const TURN_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a question may be looked up.
pub const QUESTION_TIME_MAX: Duration = Duration::from_secs(10);
/// Copies that are made at the same time.
pub const EXPORTS_MAX: usize = 2;
/// How long a copy may take.
pub const EXPORT_TIME_MAX: Duration = Duration::from_secs(3600);
/// Readers who follow calls as they end.
pub const TAILS_MAX: usize = 32;
/// How many of them are looked up for at the same time.
pub const TELLINGS_MAX: usize = 2;
/// How long one may follow; then he asks again.
pub const TAIL_TIME_MAX: Duration = Duration::from_secs(3600);

/// The calls that ended since the time before.
pub type Ended = Arc<Vec<CallId>>;

/// Who knows the records: the composition root says it. All of it blocks on the disk.
pub trait Ledger: Send + Sync {
    /// Looks something up.
    ///
    /// # Errors
    /// What is wrong with the question, or why there is no answer.
    fn answer(&self, asked: &Asked) -> Result<Found, Problem>;

    /// Checks a question about which calls are to be copied, and says of which as the record has it.
    ///
    /// # Errors
    /// As of [`Ledger::answer`].
    fn export_of(&self, asked: &Asked) -> Result<String, Problem>;

    /// Copies records, one a line, until `to` does not want more; how many.
    ///
    /// # Errors
    /// As of [`Ledger::answer`].
    fn export(&self, asked: &Asked, to: &mut dyn FnMut(Bytes) -> bool) -> Result<u64, Problem>;

    /// Hears of calls that end from now on.
    ///
    /// # Errors
    /// Why they cannot be followed, in words for the operator.
    fn follow(&self) -> Result<broadcast::Receiver<Ended>, Problem>;

    /// Those of these calls that are meant, and as the record has it, which are.
    ///
    /// # Errors
    /// As of [`Ledger::answer`].
    fn among(&self, asked: &Asked, calls: &[CallId]) -> Result<(Vec<Value>, String), Problem>;
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// The answer.
    pub body: Body,
    /// Which calls were asked for, as the record has it: a JSON object without names of end users.
    pub of: String,
    /// How many records were read.
    pub rows: u64,
    /// In how many of them what was said was read.
    pub said: u64,
}

/// An answer in one piece.
#[derive(Debug)]
pub enum Body {
    /// A document.
    Json(Value),
    /// A proof in its own form.
    Text(String),
}

/// What the API works with.
pub struct Office {
    /// Who may come in. Swapped whole.
    pub admins: ArcSwap<Admins>,
    /// Who knows the records.
    pub ledger: Arc<dyn Ledger>,
    /// By which names it may be asked.
    pub hosts: Hosts,
    /// Who came, and who was not let in.
    pub gate: Gate,
    /// What is read.
    pub readings: Readings,
    /// The book.
    pub log: Log,
    /// Places of questions.
    pub questions: Arc<Semaphore>,
    /// Places of copies.
    pub exports: Arc<Semaphore>,
    /// Places of those who follow.
    pub tails: Arc<Semaphore>,
    /// Places of what is looked up for them.
    pub tellings: Arc<Semaphore>,
}

// === impl Office ===

impl Office {
    /// Opens it.
    #[must_use]
    pub fn new(admins: Admins, ledger: Arc<dyn Ledger>, hosts: Hosts, log: Log) -> Arc<Self> {
        Arc::new(Self {
            admins: ArcSwap::from_pointee(admins),
            ledger,
            hosts,
            gate: Gate::default(),
            readings: Readings::default(),
            log,
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            tails: Arc::new(Semaphore::new(TAILS_MAX)),
            tellings: Arc::new(Semaphore::new(TELLINGS_MAX)),
        })
    }

    /// Writes down what is still only counted: at its time, or all of it.
    pub fn write_down(&self, now: u64, all: bool) {
        let events = self.readings.due(now, all).into_iter().chain(self.gate.due(now, all));
        for event in events {
            if let Err(error) = self.log.append(gatehouse_audit::Leaf::Event(&event)) {
                tracing::error!(%error, "what was read on the administration side could not be recorded");
            }
        }
    }
}
