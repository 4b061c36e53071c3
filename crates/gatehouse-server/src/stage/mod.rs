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

use crate::call::Call;
use crate::front::Front;
use crate::snapshot::Route;
use crate::target::Target;
use gatehouse_core::content::Family;
use gatehouse_identity::key::Entry;
use http::HeaderMap;
use std::sync::Arc;

/// A request whose head is sound and whose path is ours.
pub struct Accepted {
    pub(crate) front: Front,
    /// Whose errors the caller understands.
    pub(crate) family: Family,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) body: hyper::body::Incoming,
    /// What stands in the place of a body: the first message of a session.
    pub(crate) first: Option<bytes::Bytes>,
}

/// A request whose caller is known. Its body has not been read yet.
pub struct Authenticated {
    pub(crate) accepted: Accepted,
    pub(crate) key: Arc<Entry>,
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
