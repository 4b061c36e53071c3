//! The stages of a call, each a function from one type to the next. The types have private fields and one
//! constructor each, in the stage that earns them: a route for an unguarded call does not compile.

pub mod accept;
pub mod answer;
pub mod attribute;
pub mod authenticate;
pub mod fund;
pub mod guard;
pub mod normalise;
pub mod route;
pub mod seal;

use crate::front::Front;
use crate::snapshot::Route;
use crate::target::Target;
use bytes::Bytes;
use gatehouse_core::call::Scope;
use gatehouse_guard::engine::Active;
use gatehouse_identity::key::Entry;
use gatehouse_wire::codec::View;
use gatehouse_wire::json::Doc;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Instant;

/// A request whose head is sound and whose path is ours.
pub struct Accepted {
    pub(crate) front: Front,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) body: hyper::body::Incoming,
}

/// A request whose caller is known. Its body has not been read yet.
pub struct Authenticated {
    pub(crate) accepted: Accepted,
    pub(crate) key: Arc<Entry>,
}

/// One governed call: whole, parsed, and in one shape for every dialect.
pub struct Call {
    /// What was asked.
    pub(crate) front: Front,
    /// The request's headers.
    pub(crate) headers: HeaderMap,
    /// Who asks.
    pub(crate) key: Arc<Entry>,
    /// On whose account.
    pub(crate) scope: Scope,
    /// The body.
    pub(crate) doc: Doc,
    /// What of it the pipeline needs.
    pub(crate) view: View,
    /// The model that the caller named.
    pub(crate) model: String,
    /// Whether the answer is streamed.
    pub(crate) stream: bool,
    /// When the answer is worth nothing any more.
    pub(crate) deadline: Instant,
    /// The guardrails for this account.
    pub(crate) guards: Active,
}

/// A call that its guardrails let pass, with their edits made.
pub struct Guarded(Call);

/// A guarded call and the targets to try, in order.
pub struct Routed {
    guarded: Guarded,
    route: Arc<Route>,
    order: Vec<usize>,
}

/// A routed call with its cost reserved and its first leaf in the log.
pub struct Funded(Routed);

// === impl the way from type to type ===

impl Guarded {
    /// Looks at the call.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.0
    }
}

impl Routed {
    /// Looks at the call.
    #[must_use]
    pub fn call(&self) -> &Call {
        self.guarded.call()
    }

    /// The targets to try, in order.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.order.iter().filter_map(|at| self.route.targets.get(*at))
    }
}

impl Funded {
    /// Looks at the call.
    #[must_use]
    pub fn call(&self) -> &Call {
        self.0.call()
    }

    /// The targets to try, in order.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        self.0.targets()
    }
}

impl Call {
    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.doc.bytes()
    }
}
