//! Calls that were admitted and never ended: the process died, or the disk gave up.
//!
//! Their money was reserved, and perhaps spent. At the next start each gets its last leaf, with the
//! reservation as the estimated cost, so that every call has an end and no budget is freed by a crash.

use gatehouse_core::call::{CallId, Operation, Scope};
use gatehouse_core::content::Dialect;
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::{Cost, CostStatus, Ending, Settled, Timing, UnixMicros};
use gatehouse_core::usage::{Usage, UsageSource};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use crate::error::ReadError;
use crate::reader::{Cursor, Entry, Reader};
use crate::segment::Contents;
use crate::subjects::Subjects;
use crate::view::{Part, View};

/// The error of a call that the gateway did not live to finish.
pub const INTERRUPTED: &str = "interrupted";

/// A call without an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Where its first leaf stands.
    pub at: Cursor,
    /// The call.
    pub call: CallId,
    /// When it was accepted.
    pub accepted_at: UnixMicros,
    /// The caller key's public part.
    pub key: Arc<str>,
    /// On whose account.
    pub scope: Scope,
    /// What was asked; absent when a newer version knew an operation that this one does not.
    pub operation: Option<Operation>,
    /// The caller's wire format; absent likewise.
    pub surface: Option<Dialect>,
    /// The model that the caller named.
    pub model: Arc<str>,
    /// What was reserved.
    pub reserved: Nanodollars,
}

/// The calls admitted in the log of the shard in `dir`, from `from` on, that have no end. Remembers only
/// those that are open. Not to be asked while calls are in flight: these are unfinished too.
///
/// # Errors
/// When the log cannot be read, or an admitted leaf does not parse.
pub fn unfinished(dir: &Path, from: Cursor, subjects: &Subjects) -> Result<Vec<Unfinished>, ReadError> {
    let mut reader = Reader::open(dir, from, Contents::Skip);
    let mut open = HashMap::new();
    while let Some(entry) = reader.next()? {
        let view = parse(&entry)?;
        match (view.part(), CallId::parse(&view.id)) {
            (Part::Admitted, Some(call)) => {
                open.insert(call, entry.at);
            }
            (Part::Ending, Some(call)) => {
                open.remove(&call);
            }
            _ => {}
        }
    }
    let mut places: Vec<Cursor> = open.into_values().collect();
    places.sort_unstable();
    let found = places.into_iter().map(|at| unfinished_at(dir, at, subjects));
    found.filter_map(Result::transpose).collect()
}

/// The call whose admitted leaf stands at `at`; `None` when something else stands there.
///
/// # Errors
/// When the log cannot be read, or the leaf does not parse.
pub fn unfinished_at(dir: &Path, at: Cursor, subjects: &Subjects) -> Result<Option<Unfinished>, ReadError> {
    let Some(entry) = crate::reader::read_at(dir, at)? else { return Ok(None) };
    let view = parse(&entry)?;
    if view.part() != Part::Admitted {
        return Ok(None);
    }
    let Some(call) = CallId::parse(&view.id) else { return Ok(None) };
    Ok(Some(Unfinished {
        at,
        call,
        accepted_at: view.at(),
        key: view.actor.credential.as_ref().into(),
        scope: scope(&view, subjects),
        operation: Operation::ALL.iter().copied().find(|operation| operation.as_str() == view.op),
        surface: Dialect::ALL.iter().copied().find(|dialect| dialect.as_str() == view.surface),
        model: view.model.requested.as_ref().into(),
        reserved: Nanodollars(view.cost.reserved_nano),
    }))
}

fn parse(entry: &Entry) -> Result<View<'_>, ReadError> {
    let Cursor { segment, offset } = entry.at;
    View::parse(&entry.leaf).map_err(|source| ReadError::Leaf { segment, offset, source })
}

fn scope(view: &View<'_>, subjects: &Subjects) -> Scope {
    let tags: BTreeMap<String, String> =
        view.tags.and_then(|tags| serde_json::from_str(tags.get()).ok()).unwrap_or_default();
    Scope {
        org: view.org.org.as_ref().into(),
        team: view.org.team.as_ref().into(),
        app: view.org.app.as_ref().into(),
        use_case: view.org.use_case.as_ref().into(),
        user: view.user_label(subjects).into(),
        run: view.corr.run_id.as_ref().into(),
        step: view.corr.step.as_ref().into(),
        tags: tags.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
    }
}

// === impl Unfinished ===

impl Unfinished {
    /// The last leaf of this call, as it is written at a restart: failed, nobody counted, and what was
    /// reserved is taken as spent. Where nothing was reserved no price was known: `unpriced`, never zero.
    #[must_use]
    pub fn settlement(&self, now: UnixMicros, config: Arc<str>) -> Settled {
        let status =
            if self.reserved == Nanodollars::ZERO { CostStatus::Unpriced } else { CostStatus::Estimated };
        Settled {
            call: self.call,
            at: self.accepted_at,
            outcome: Ending::Failed,
            error: Some(INTERRUPTED),
            // The caller saw a connection that broke, no status.
            status: 0,
            key: Some(self.key.clone()).filter(|key| !key.is_empty()),
            scope: self.scope.clone(),
            operation: self.operation,
            surface: self.surface,
            stream: false,
            model: Some(self.model.clone()).filter(|model| !model.is_empty()),
            target: None,
            route: None,
            attempts: Vec::new(),
            guards: Vec::new(),
            dropped: Vec::new(),
            finish: None,
            usage: Usage::default(),
            usage_source: UsageSource::None,
            cost: Cost { amount: self.reserved, status, price: None },
            timing: Timing { total_micros: now.saturating_sub(self.accepted_at), ..Timing::default() },
            config,
            payload: Vec::new(),
            trace: None,
        }
    }
}
