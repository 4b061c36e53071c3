//! One call under another configuration: refused or served, by whom, and at what cost.

use anyhow::Result;
use gatehouse_audit::View;
use gatehouse_core::call::{Caller, Operation, Scope};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error, Fault};
use gatehouse_core::record::Cost;
use gatehouse_ledger::{ServiceTier, settle};
use gatehouse_route::plan::{Wish, plan};
use gatehouse_server::dialects;
use gatehouse_server::snapshot::{Route, Snapshot};
use gatehouse_server::target::Target;
use gatehouse_store::KeyRecord;
use gatehouse_wire::codec::View as Body;
use gatehouse_wire::json::{Doc, Strictness};
use std::collections::HashMap;
use std::sync::Arc;

/// What would become of a call.
pub(super) struct Now {
    /// Who would be asked first, or why nobody would.
    pub(super) served: Result<Arc<Target>, Error>,
    /// What it would cost; `None` where nothing says how much it would use.
    pub(super) cost: Option<Cost>,
    /// Whether the cost is the one on record, because neither target nor price would change.
    pub(super) same_cost: bool,
    /// What the guardrails had to go by.
    pub(super) words: Words,
}

/// What guardrails have judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// None looks at requests like this.
    Nobody,
    /// The request; none of them would change it.
    Judged,
    /// The request; some would change it.
    Changed,
    /// Nothing: the text is not kept. What they said on record stands, as far as they are still there.
    NotKept,
}

/// The other configuration.
pub(super) struct Again<'s> {
    snapshot: &'s Snapshot,
    callers: HashMap<String, Caller>,
    /// Guardrails that stop calls, by name.
    stopping: Vec<String>,
}

// === impl Again ===

impl<'s> Again<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, keys: Vec<KeyRecord>) -> Self {
        let caller = |key: KeyRecord| {
            let caller = Caller {
                key_id: key.key_id.as_str().into(),
                key_name: key.name.as_str().into(),
                models: key.models.iter().map(|model| model.as_str().into()).collect(),
                bound: Scope {
                    team: key.team.as_str().into(),
                    app: key.app.as_str().into(),
                    ..Scope::default()
                },
            };
            (key.key_id, caller)
        };
        let stopping = snapshot.guards.stopping().map(str::to_owned).collect();
        Self { snapshot, callers: keys.into_iter().map(caller).collect(), stopping }
    }

    /// Whether the configuration could make anything else of a call.
    pub(super) fn concerns(&self, call: &View<'_>) -> bool {
        let wants = operation(call).is_some_and(|operation| !matches!(operation, Operation::ListModels));
        wants && !call.model.requested.is_empty() && !stays(call)
    }

    /// The call again. `request` gives its text.
    pub(super) fn again(
        &self,
        call: &View<'_>,
        request: impl FnOnce() -> Result<Option<String>>,
    ) -> Result<Now> {
        let mut words = Words::Nobody;
        let served = match self.route(call) {
            Err(error) => Err(error),
            Ok(route) => {
                let guards = self.snapshot.guards.for_scope(&scope(call));
                let text = if guards.is_empty() { None } else { request()? };
                let body = text.as_deref().and_then(|text| read(call, text));
                let judged = match &body {
                    _ if guards.is_empty() => Ok(()),
                    Some((doc, body)) => {
                        let judged = guards.judge(doc.text(), &body.spans);
                        words = if judged.edits.is_empty() { Words::Judged } else { Words::Changed };
                        judged.stopped.map_or(Ok(()), Err)
                    }
                    None => {
                        words = Words::NotKept;
                        self.stopped_before(call)
                    }
                };
                judged.and_then(|()| self.target(call, body.as_ref().map(|(_, body)| body), &route))
            }
        };
        let (cost, same_cost) = match &served {
            Ok(target) => self.cost(call, target),
            Err(_) => (Some(Cost::default()), false),
        };
        Ok(Now { served, cost, same_cost, words })
    }

    fn route(&self, call: &View<'_>) -> Result<Arc<Route>, Error> {
        let anybody = || Caller {
            key_id: "none".into(),
            key_name: "none".into(),
            models: [].into(),
            bound: scope(call),
        };
        let known = self.callers.get(call.actor.credential.as_ref());
        let caller = known.cloned().unwrap_or_else(anybody);
        self.snapshot.route(&call.model.requested, &caller)
    }

    /// Without its words: a call that a guardrail has stopped is stopped as long as that guardrail stops calls.
    fn stopped_before(&self, call: &View<'_>) -> Result<(), Error> {
        let stops = |name: &str| self.stopping.iter().any(|known| known == name);
        match call.policy.iter().find(|said| said.outcome == "block" && stops(&said.id)) {
            Some(said) => Err(Error::new(Code::GuardBlocked, format!("blocked by guardrail {:?}", said.id))),
            None => Ok(()),
        }
    }

    fn target(&self, call: &View<'_>, body: Option<&Body>, route: &Route) -> Result<Arc<Target>, Error> {
        let needs = body.map(|body| body.needs).unwrap_or_default();
        let operation = operation(call);
        let wish = Wish {
            region: None,
            front: match operation {
                Some(Operation::CountTokens) => Dialect::OpenAiChat,
                _ => surface(call).unwrap_or(Dialect::OpenAiChat),
            },
            tools: needs.tools,
            images: needs.images,
            audio: needs.audio,
            documents: needs.documents,
            structured: needs.structured,
            input_tokens: match operation {
                Some(Operation::Embeddings | Operation::Rerank) => 0,
                _ => call.usage.input,
            },
            conversation: None,
        };
        let order = plan(&wish, &route.candidates)?.order;
        let served = format!("{}/{}", call.model.provider, call.model.served);
        let mut targets = order.iter().filter_map(|at| route.targets.get(*at));
        // Among equals a conversation may be with any: with the one that had it, if he is still there.
        let same = if route.spreads { targets.clone().find(|target| *target.name == served) } else { None };
        let nobody = || Error::new(Code::NoCapableTarget, "no target of this model may serve the request");
        same.or_else(|| targets.next()).cloned().ok_or_else(nobody)
    }

    fn cost(&self, call: &View<'_>, target: &Target) -> (Option<Cost>, bool) {
        let (usage, source) = call.usage.used();
        if usage.is_empty() {
            // Nothing was used, so nobody knows what would be.
            let failed = call.model.served.is_empty();
            return (if failed { None } else { Some(Cost::default()) }, !failed);
        }
        let cost =
            settle(&usage, source, &target.prices, ServiceTier::default(), call.accepted_at() / 1_000_000);
        let was = format!("{}/{}", call.model.provider, call.model.served);
        let same = *target.name == was && cost.price.as_deref().unwrap_or_default() == call.cost.price_id;
        (Some(cost), same)
    }
}

/// Whether what came of a call does not depend on the configuration, or on something of it that is not on record: its
/// credential, its form, the residency it asked for, how busy things were.
fn stays(call: &View<'_>) -> bool {
    let Some(code) = Code::ALL.iter().find(|code| code.as_str() == call.result.error) else { return false };
    match code {
        Code::ModelNotFound
        | Code::ContextLengthExceeded
        | Code::UnsupportedParameter
        | Code::PriceUnknown => false,
        Code::BudgetExceeded | Code::RateLimited | Code::ResidencyUnsatisfied | Code::Overloaded => true,
        code => code.fault() == Fault::Caller,
    }
}

fn operation(call: &View<'_>) -> Option<Operation> {
    Operation::ALL.iter().copied().find(|operation| operation.as_str() == call.op)
}

fn surface(call: &View<'_>) -> Option<Dialect> {
    Dialect::ALL.iter().copied().find(|dialect| dialect.as_str() == call.surface)
}

fn scope(call: &View<'_>) -> Scope {
    let org = &call.org;
    Scope {
        org: org.org.as_ref().into(),
        team: org.team.as_ref().into(),
        app: org.app.as_ref().into(),
        use_case: org.use_case.as_ref().into(),
        ..Scope::default()
    }
}

/// The body as its dialect reads it; nothing where it is no conversation.
fn read(call: &View<'_>, text: &str) -> Option<(Doc, Body)> {
    let codec = dialects::codec(surface(call)?).ok()?;
    let doc = Doc::parse(text.to_owned().into(), Strictness::Caller).ok()?;
    let body = codec.view(&doc).ok()?;
    Some((doc, body))
}
