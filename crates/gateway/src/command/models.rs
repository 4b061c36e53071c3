//! `gatehouse models`: what callers can name, what it can do, what it costs, and who says so.

mod refresh;

use crate::catalogue;
use crate::cli::models::{Models, ModelsCommand};
use crate::command::explain::{PLACEHOLDER, caller};
use crate::output;
use crate::settings::Settings;
use anyhow::{Result, anyhow};
use gatehouse_ledger::{Catalogue, Facts, ModelPrices, ServiceTier, dollars};
use gatehouse_server::clock;
use gatehouse_server::snapshot::Snapshot;
use gatehouse_server::target::Target;
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use std::sync::Arc;

/// What stands where nothing is known.
const UNKNOWN: &str = "-";

/// A model as it is shown.
struct Shown {
    name: String,
    /// Who serves it, in order of preference.
    targets: Vec<String>,
    /// Names and kinds of the providers of these.
    providers: Vec<String>,
    facts: Option<Facts>,
    prices: ModelPrices,
}

/// Lists models, or brings in newer figures of them.
pub(crate) fn run(wanted: &Models) -> Result<ExitCode> {
    if let Some(ModelsCommand::Refresh(refresh)) = &wanted.command {
        return refresh::run(&wanted.place, refresh);
    }
    let catalogue = catalogue::for_command(&wanted.place.data);
    let shown = if wanted.all { listed(&catalogue) } else { offered(wanted, catalogue.clone())? };
    let matching: Vec<&Shown> = shown.iter().filter(|one| one.matches(wanted)).collect();
    let now = clock::unix_seconds();
    if wanted.json {
        let models: Vec<Value> = matching.iter().map(|one| one.json(now)).collect();
        output::json(&json!({
            "catalogue": { "date": catalogue.date(), "sha256": catalogue.sha256() }, "models": models,
        }));
    } else {
        let cells: Vec<Vec<String>> = matching.iter().map(|one| one.cells(now)).collect();
        let heading = [
            "model",
            "targets",
            "context",
            "output",
            "reads",
            "writes",
            "can",
            "input $/M",
            "output $/M",
            "source",
            "date",
        ];
        output::table(&heading, &cells);
        if matching.is_empty() {
            output::note("no model is so; see --all for the whole catalogue");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a key may use, or anybody: configured names, then the models of each provider.
fn offered(wanted: &Models, catalogue: Catalogue) -> Result<Vec<Shown>> {
    let settings = Settings::load(&wanted.place)?;
    let snapshot =
        Snapshot::compile_with(&settings.config, &settings.version, Some(PLACEHOLDER), None, catalogue)
            .map_err(|error| anyhow!(error))?;
    let caller = caller(&wanted.place, wanted.key.as_deref())?;
    let visible = snapshot.visible(&caller).into_iter();
    let shown = visible.map(|(name, first)| {
        let configured = snapshot.models().iter().find(|(own, _)| **own == *name);
        let targets: &[Arc<Target>] =
            configured.map_or(std::slice::from_ref(&first), |(_, route)| &route.targets);
        let providers = targets
            .iter()
            .flat_map(|target| [target.provider.name.to_string(), target.provider.kind.name().to_owned()]);
        Shown {
            targets: targets.iter().map(|target| target.name.to_string()).collect(),
            providers: providers.collect(),
            facts: first.facts(snapshot.catalogue()),
            prices: first.prices.clone(),
            name,
        }
    });
    Ok(shown.collect())
}

/// The whole catalogue, by kinds of provider.
fn listed(catalogue: &Catalogue) -> Vec<Shown> {
    let shown = |key: &&str| {
        let (kind, model) = key.split_once('/')?;
        let facts = catalogue.facts(kind, model)?;
        let prices = facts.prices.clone();
        Some(Shown {
            name: (*key).to_owned(),
            targets: Vec::new(),
            providers: vec![kind.to_owned()],
            facts: Some(facts),
            prices,
        })
    };
    catalogue.keys().iter().filter_map(shown).collect()
}

// === impl Shown ===

impl Shown {
    fn matches(&self, wanted: &Models) -> bool {
        let of = wanted.provider.as_ref().is_none_or(|provider| self.providers.contains(provider));
        let has = |text: &String| {
            let text = text.to_lowercase();
            self.targets.iter().chain([&self.name]).any(|name| name.to_lowercase().contains(&text))
        };
        of && wanted.search.as_ref().is_none_or(has)
    }

    fn price(&self, now: u64) -> Vec<(&'static str, String)> {
        let priced = self.prices.at(now, ServiceTier::Standard, 0);
        priced.map(|priced| dollars(&priced.price)).unwrap_or_default()
    }

    fn cells(&self, now: u64) -> Vec<String> {
        let price = self.price(now);
        let class = |name: &str| {
            let found = price.iter().find(|(own, _)| *own == name);
            found.map_or_else(|| UNKNOWN.to_owned(), |(_, dollars)| dollars.clone())
        };
        let tokens =
            |tokens: Option<u64>| tokens.map_or_else(|| UNKNOWN.to_owned(), |tokens| tokens.to_string());
        let facts = self.facts.as_ref();
        let can = facts.map(|facts| facts.capabilities).unwrap_or_default();
        let words = |words: Vec<&str>| if words.is_empty() { UNKNOWN.to_owned() } else { words.join(" ") };
        let (reads, writes) = facts.map(|facts| facts.modalities(now)).unwrap_or_default();
        vec![
            self.name.clone(),
            self.targets.join(", "),
            tokens(can.context_tokens),
            tokens(can.output_tokens),
            words(reads),
            words(writes),
            words(facts.map(Facts::can).unwrap_or_default()),
            class("input"),
            class("output"),
            facts.map_or_else(|| UNKNOWN.to_owned(), |facts| facts.source.clone()),
            facts.map_or_else(|| UNKNOWN.to_owned(), |facts| facts.date.clone()),
        ]
    }

    fn json(&self, now: u64) -> Value {
        let facts = self.facts.as_ref();
        let can = facts.map(|facts| facts.capabilities).unwrap_or_default();
        let (input, output) = facts.map(|facts| facts.modalities(now)).unwrap_or_default();
        let prices: Map<String, Value> =
            self.price(now).into_iter().map(|(class, dollars)| (class.to_owned(), json!(dollars))).collect();
        let priced = self.prices.at(now, ServiceTier::Standard, 0);
        json!({
            "model": self.name, "targets": self.targets,
            "context_window": can.context_tokens, "max_output_tokens": can.output_tokens,
            "modalities": { "input": input, "output": output },
            "capabilities": facts.map(Facts::can).unwrap_or_default(),
            "prices_usd_per_million_tokens": if prices.is_empty() { Value::Null } else { Value::Object(prices) },
            "price_id": priced.map(|priced| priced.id.to_string()),
            "listed_as": facts.map(|facts| &facts.key),
            "source": facts.map(|facts| &facts.source), "date": facts.map(|facts| &facts.date),
        })
    }
}
