//! The configuration as the pipeline uses it: compiled once, swapped whole, pinned by each call.

use crate::keeping::{Keeping, only};
use crate::target::{self, Target};
use gatehouse_config::file::{self, At, Config, Detect, Do, OnFailure, Prefer, Unknown};
use gatehouse_config::slip;
use gatehouse_core::call::{Caller, Scope};
use gatehouse_core::content::{Dialect, Place};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::verdict::Action;
use gatehouse_guard::engine::{Guard, Guards};
use gatehouse_guard::words::Words;
use gatehouse_ledger::{Catalogue, PriceBook, PriceOverride};
use gatehouse_route::plan::Candidate;
use gatehouse_route::retry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Names of models nobody configured, resolved on first use; bounded, as callers choose the names.
const RESOLVED_MAX: usize = 10_000;

/// Everything a call needs of the configuration.
pub struct Snapshot {
    /// Hex SHA-256 of the document.
    pub version: Arc<str>,
    /// What may pass.
    pub guards: Guards,
    /// What is kept of what was said, and when the end of an answer is released.
    pub keeping: Keeping,
    /// How long the end of an answer waits for the second place of the record.
    pub remote_wait: Duration,
    /// How long what is recorded is kept.
    pub retention: file::Retention,
    /// What happens to calls of models without a known price.
    pub unknown_price: Unknown,
    /// How long answers are kept for their callers; `None` when none are.
    pub keeps_responses: Option<Duration>,
    /// Limits of size and number.
    pub limits: file::Limits,
    /// For the whole call, all attempts together.
    pub total: Duration,
    /// How often open batches are looked at.
    pub batches_poll: Duration,
    /// Second attempts.
    pub retry: retry::Policy,
    /// Teams and what they may use; empty when the configuration names none.
    teams: HashMap<Arc<str>, Arc<[Arc<str>]>>,
    /// The same with their apps and use cases, as they are written.
    accounts: BTreeMap<String, file::Team>,
    /// Names that callers use.
    models: Vec<(Arc<str>, Arc<Route>)>,
    by_name: HashMap<Arc<str>, Arc<Route>>,
    providers: Vec<Arc<target::Provider>>,
    prices: PriceBook,
    /// Names of the form `provider/model` and bare names, as they were met.
    met: Mutex<HashMap<Arc<str>, Arc<Route>>>,
}

/// A name and who may serve it.
pub struct Route {
    /// What `x-gatehouse-route` says.
    pub reason: Arc<str>,
    /// The targets, in order of preference.
    pub targets: Vec<Arc<Target>>,
    /// Whether they are all alike, and a conversation stays with one of them.
    pub spreads: bool,
    /// The same, as the planner sees them.
    pub candidates: Vec<Candidate>,
}

// === impl Snapshot ===

impl Snapshot {
    /// Compiles a configuration that has been checked. Providers that were written the same `before` stay as
    /// they are: open connections, resting credentials and earned retries outlive a reload.
    ///
    /// # Errors
    /// What cannot be honoured, in words for the one who wrote it.
    pub fn compile(
        config: &Config,
        version: &str,
        sim: Option<&str>,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        Self::compile_with(config, version, sim, before, Catalogue::default())
    }

    /// The same with another catalogue than the built-in one.
    ///
    /// # Errors
    /// What cannot be honoured, in words for the one who wrote it.
    pub fn compile_with(
        config: &Config,
        version: &str,
        sim: Option<&str>,
        before: Option<&Self>,
        catalogue: Catalogue,
    ) -> Result<Self, String> {
        let mut providers = Vec::new();
        for (name, written) in config.providers.iter() {
            let compiled = target::Provider::compile(name, written, &config.timeouts, sim)
                .map_err(|error| format!("providers.{name}: {error}"))?;
            let mut kept = before.into_iter().flat_map(Self::providers);
            let kept = kept.find(|provider| provider.is_written_as(&compiled)).map(Arc::clone);
            providers.push(kept.unwrap_or_else(|| Arc::new(compiled)));
        }
        let prices = PriceBook::new(overrides(config)?).with(catalogue);
        let mut snapshot = Self {
            version: version.into(),
            guards: guards(&config.guards)?,
            keeping: Keeping::compile(&config.record),
            remote_wait: config.record.remote.timeout.0,
            retention: config.retention.clone(),
            unknown_price: config.prices.unknown,
            keeps_responses: Some(config.responses.keep.0).filter(|keep| !keep.is_zero()),
            limits: config.limits.clone(),
            total: config.timeouts.total.0,
            batches_poll: config.batches.poll.0,
            retry: retry::Policy {
                attempts_max: config.retry.attempts,
                budget_percent: config.retry.budget_percent,
                backoff: config.retry.backoff.0,
                wait_max: config.retry.wait_max.0,
            },
            teams: teams(config),
            accounts: config.teams.clone(),
            models: Vec::new(),
            by_name: HashMap::new(),
            providers,
            prices,
            met: Mutex::default(),
        };
        for (name, model) in config.models.iter() {
            let route =
                snapshot.configured(name, model).map_err(|error| format!("models.{name}: {error}"))?;
            let (name, route): (Arc<str>, _) = (name.into(), Arc::new(route));
            snapshot.by_name.insert(Arc::clone(&name), Arc::clone(&route));
            snapshot.models.push((name, route));
        }
        Ok(snapshot)
    }

    /// Whether a use case that a caller names is one of those that the configuration lists for its account.
    ///
    /// # Errors
    /// `not_allowed`: its cost would be put down to a name that nobody knows.
    pub fn knows_use_case(&self, scope: &Scope) -> Result<(), Error> {
        let named = |name: &Arc<str>| (!name.is_empty()).then(|| name.to_string());
        let account = file::Only {
            org: None,
            team: named(&scope.team),
            app: named(&scope.app),
            use_case: named(&scope.use_case),
        };
        match slip(&self.accounts, &account).filter(|slip| slip.member() == "use_case") {
            // A guess at what was meant could name what is another team's.
            Some(slip) => Err(Error::new(Code::NotAllowed, slip.message()).at("x-gatehouse-use-case")),
            None => Ok(()),
        }
    }

    fn configured(&self, name: &str, model: &file::Model) -> Result<Route, String> {
        let mut targets = Vec::new();
        for written in &model.targets {
            let target =
                self.target(written).ok_or_else(|| format!("no provider for the target {written:?}"))?;
            targets.push(target);
        }
        if targets.is_empty() {
            return Err("give at least one target".to_owned());
        }
        let (word, spreads) = match model.prefer {
            Prefer::Order => ("order", false),
            Prefer::Spread => ("spread", true),
        };
        Ok(Route { spreads, ..Route::new(&format!("models.{name}: {word}"), targets) })
    }

    /// The target of `provider/model`.
    pub(crate) fn target(&self, written: &str) -> Option<Arc<Target>> {
        let (provider, model) = written.split_once('/')?;
        let provider = self.providers.iter().find(|one| &*one.name == provider)?;
        (!model.is_empty()).then(|| Arc::new(Target::new(provider, model, &self.prices)))
    }

    /// Who may serve this name for this caller.
    ///
    /// A configured name counts first, then `provider/model`, then a name that a provider is known to have.
    ///
    /// # Errors
    /// `model_not_found`, the same for what does not exist and for what the key may not use.
    pub fn route(&self, name: &str, caller: &Caller) -> Result<Arc<Route>, Error> {
        let unknown = || {
            Error::new(
                Code::ModelNotFound,
                format!("the model {name:?} does not exist or this key may not use it"),
            )
            .at("model")
        };
        if !self.may_use(Some(name), caller) {
            return Err(unknown());
        }
        if let Some(route) = self.by_name.get(name) {
            return Ok(Arc::clone(route));
        }
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = met.get(name) {
            return Ok(Arc::clone(route));
        }
        let route = Arc::new(self.resolve(name).ok_or_else(unknown)?);
        if met.len() < RESOLVED_MAX {
            met.insert(name.into(), Arc::clone(&route));
        }
        Ok(route)
    }

    /// Whether a caller may use the model of this name, or, if it has none, whether it may use any.
    #[must_use]
    pub fn may_use(&self, name: Option<&str>, caller: &Caller) -> bool {
        let team = self.teams.get(&caller.bound.team).filter(|models| !models.is_empty());
        match name {
            None => caller.models.is_empty() && team.is_none(),
            Some(name) => {
                let by_team = team.is_none_or(|models| models.iter().any(|model| **model == *name));
                by_team && caller.may_use(name)
            }
        }
    }

    /// The way to a provider for whatever nobody here knows: it has the price of all its models, if there is one.
    #[must_use]
    pub fn passage(&self, provider: &Arc<target::Provider>) -> Route {
        let target = Arc::new(Target::new(provider, "passthrough", &self.prices));
        let mut route = Route::new(&format!("passthrough: {}", provider.name), vec![target]);
        route.candidates.iter_mut().for_each(|candidate| candidate.fronts.push(Dialect::Passthrough));
        route
    }

    /// The way to one model of a provider.
    #[must_use]
    pub fn pinned(&self, provider: &Arc<target::Provider>, model: &str) -> Route {
        let target = Arc::new(Target::new(provider, model, &self.prices));
        Route::new(&format!("passthrough: {}", provider.name), vec![target])
    }

    fn resolve(&self, name: &str) -> Option<Route> {
        if let Some(target) = self.target(name) {
            return Some(Route::new("named: provider/model", vec![target]));
        }
        let provider = self.providers.iter().find(|provider| provider.surely_has(name, self.catalogue()))?;
        let target = Arc::new(Target::new(provider, name, &self.prices));
        Some(Route::new(&format!("by name: a model of {}", provider.name), vec![target]))
    }

    /// The names that this caller may use and see in lists: configured ones, then each provider's.
    #[must_use]
    pub fn visible(&self, caller: &Caller) -> Vec<(String, Arc<Target>)> {
        let mut all: Vec<(String, Arc<Target>)> = Vec::new();
        for (name, route) in &self.models {
            if let Some(first) = route.targets.first() {
                all.push((name.to_string(), Arc::clone(first)));
            }
        }
        for provider in &self.providers {
            for model in provider.listed_models(self.catalogue()) {
                let target = Arc::new(Target::new(provider, &model, &self.prices));
                all.push((format!("{}/{model}", provider.name), target));
            }
        }
        all.retain(|(name, _)| self.route(name, caller).is_ok());
        all
    }

    /// What is known of models.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        self.prices.catalogue()
    }

    /// The providers, for health and metrics.
    #[must_use]
    pub fn providers(&self) -> &[Arc<target::Provider>] {
        &self.providers
    }

    /// The configured names with their targets.
    #[must_use]
    pub fn models(&self) -> &[(Arc<str>, Arc<Route>)] {
        &self.models
    }
}

// === impl Route ===

impl Route {
    fn new(reason: &str, targets: Vec<Arc<Target>>) -> Self {
        let candidates = targets.iter().map(|target| target.candidate()).collect();
        Self { reason: reason.into(), targets, spreads: false, candidates }
    }

    /// Whether a conversation has to stay with somebody: with a target, or with a credential of one.
    #[must_use]
    pub fn has_choice(&self) -> bool {
        self.spreads || self.targets.iter().any(|target| target.provider.credentials.len() > 1)
    }
}

// === from the words of the file ===

fn overrides(config: &Config) -> Result<Vec<PriceOverride>, String> {
    let mut all = Vec::new();
    for (name, provider) in config.providers.iter() {
        for (model, price) in &provider.prices {
            let given = [
                ("input", &price.input),
                ("output", &price.output),
                ("cached_read", &price.cached_read),
                ("cache_write", &price.cache_write),
                ("cache_write_long", &price.cache_write_long),
                ("reasoning", &price.reasoning),
                ("character", &price.character),
                ("image", &price.image),
                ("audio_hour", &price.audio_hour),
                ("search_unit", &price.search_unit),
            ];
            let dollars = given
                .iter()
                .filter_map(|(name, value)| value.as_ref().map(|value| (*name, value.0.as_str())));
            let price = PriceOverride::new(name, model.as_str(), dollars)
                .map_err(|error| format!("providers.{name}.prices.{model}: {error}"))?;
            all.push(price);
        }
        if provider.self_hosted && !provider.prices.contains_key("*") {
            all.push(PriceOverride::self_hosted(name));
        }
    }
    Ok(all)
}

fn teams(config: &Config) -> HashMap<Arc<str>, Arc<[Arc<str>]>> {
    let models = |team: &file::Team| team.models.iter().map(|model| model.as_str().into()).collect();
    config.teams.iter().map(|(name, team)| (name.as_str().into(), models(team))).collect()
}

fn guards(written: &[file::Guard]) -> Result<Guards, String> {
    let mut all = Vec::new();
    for guard in written {
        let detector = match guard.detect {
            Detect::Words => Words::new(&guard.words),
        };
        let detector = detector.map_err(|error| format!("guards.{}.words: {error}", guard.name))?;
        all.push(Guard {
            name: guard.name.as_str().into(),
            detector: Box::new(detector),
            at: guard.at.iter().map(|at| place(*at)).collect(),
            action: match guard.action {
                Do::Block => Action::Block,
                Do::Redact => Action::Redact,
                Do::Flag => Action::Flag,
                Do::Observe => Action::Observe,
            },
            only: only(&guard.only),
            fail_open: guard.on_failure == OnFailure::Open,
        });
    }
    Ok(Guards::new(all))
}

fn place(at: At) -> Place {
    match at {
        At::System => Place::System,
        At::Input => Place::Input,
        At::Output => Place::Output,
        At::ToolArguments => Place::ToolArguments,
        At::ToolResult => Place::ToolResult,
        At::ToolDefinition => Place::ToolDefinition,
    }
}

#[cfg(test)]
mod tests;
