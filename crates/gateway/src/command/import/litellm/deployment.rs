//! An entry of the model list: a name that callers use and one place that serves it.

use super::params::{Param, Params};
use super::{Group, Import, fault, number, unmapped};
use crate::command::import::draft::Provider;
use crate::command::import::report::At;
use gatehouse_config::Faults;
use gatehouse_config::foreign::Foreign;
use gatehouse_ledger::{PriceBook, models_of};
use gatehouse_providers::{Provider as Kind, kinds};
use std::collections::BTreeMap;

/// The place of an entry without an `order`: behind those that have one.
const ORDER_LAST: u64 = u64::MAX;
/// Any server that speaks OpenAI's dialect.
const COMPATIBLE: &str = "compatible";
/// The kind whose name stands for its dialect, too.
const OPENAI: &str = "openai";
/// What entries may be for.
const MODES: [&str; 4] = ["chat", "completion", "embedding", "responses"];

/// Prices of the list, by our classes.
const PRICES: [(&str, &str); 5] = [
    ("input", "input_cost_per_token"),
    ("output", "output_cost_per_token"),
    ("cached_read", "cache_read_input_token_cost"),
    ("cache_write", "cache_creation_input_token_cost"),
    ("reasoning", "output_cost_per_reasoning_token"),
];

/// A model as an entry names it.
pub(super) struct Named<'a> {
    pub(super) kind: &'static dyn Kind,
    /// Its name there, or that of its deployment.
    pub(super) model: &'a str,
}

impl<'a> Import<'a> {
    /// The whole list.
    pub(super) fn models(&mut self, items: &'a [Foreign], at: &At, file: &str) -> Result<(), Faults> {
        for (index, item) in items.iter().enumerate() {
            let at = at.index(index, item.line);
            let Some(name) = item.get("model_name").and_then(Foreign::text) else {
                return Err(fault(file, item.line, &format!("{}: has no model_name", at.path)));
            };
            let Some(params) = item.get("litellm_params").filter(|params| !params.members().is_empty())
            else {
                return Err(fault(file, item.line, &format!("{}: has no litellm_params", at.path)));
            };
            for (other, value) in item.members() {
                if !["model_name", "litellm_params", "model_info"].contains(&other.as_str()) {
                    self.unmapped(unmapped::INFO, other, &at.key(other, value.line));
                }
            }
            let reference = params.get("litellm_credential_name").and_then(Foreign::text);
            let credential = self.credentials.iter().find(|(name, _)| Some(*name) == reference);
            let params = Params::new(
                params,
                &at.key("litellm_params", params.line),
                credential.map(|(_, values)| *values),
            );
            let nothing = item.get("model_info").unwrap_or(item);
            let at_info = at.key("model_info", nothing.line);
            let info = item.get("model_info").map(|info| Params::new(info, &at_info, None));
            self.entry(name, params, info, &at);
        }
        Ok(())
    }

    fn entry(&mut self, name: &str, mut params: Params<'a>, mut info: Option<Params<'a>>, at: &At) {
        params.take("litellm_credential_name");
        if let Some(info) = &mut info {
            info.take_all("supports_");
            if let Some(mode) = info.take("mode").filter(|mode| !MODES.contains(&mode.text)) {
                return self.report.lost(
                    &mode.at,
                    format!("the endpoint of {:?} is not offered yet; {name:?} is left out", mode.text),
                );
            }
        }
        let Some(written) = params.take("model") else {
            return self.report.lost(&params.at, "has no model; the entry is left out");
        };
        let Some(named) = self.named(&written, &mut params) else { return };
        if named.model.is_empty() {
            return self.report.lost(&written.at, "names no model; the entry is left out");
        }
        let mut provider = Provider::new(named.kind);
        let model = self.place(&mut provider, &named, &mut params);
        let listed = self.listed(&mut provider, &named, model, info.as_mut());
        self.prices(&mut provider, &listed, &mut params, info.as_mut());
        let order = params.take("order").and_then(|order| order.text.parse().ok()).unwrap_or(ORDER_LAST);
        params.report_rest(self, unmapped::PARAMS);
        if let Some(info) = info {
            info.report_rest(self, unmapped::INFO);
        }
        let provider = self.draft.provider(provider);
        if name.contains('*') || listed.contains('*') {
            return self.report.differs(
                at,
                format!("names with * are not listed: callers write {provider}/MODEL, and any model of that provider is served"),
            );
        }
        if name.len() > 200 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return self
                .report
                .lost(at, "a model's name has no spaces and no other characters than ASCII's; rename it");
        }
        self.offer(name, order, format!("{provider}/{listed}"), at);
    }

    fn offer(&mut self, name: &str, order: u64, target: String, at: &At) {
        match self.groups.iter_mut().find(|group| group.name == name) {
            None => self.groups.push(Group { name: name.to_owned(), targets: vec![(order, target)] }),
            Some(group) if group.targets.iter().any(|(_, known)| *known == target) => {
                self.report.differs(at, format!("{target} serves {name:?} already; it stands there once"));
            }
            Some(group) => {
                group.targets.push((order, target));
                let message =
                    format!("one more for {name:?}: tried when those before it fail; load is not spread yet");
                self.report.differs(at, message);
            }
        }
    }

    /// The kind of provider and the model there.
    fn named(&mut self, written: &Param<'a>, params: &mut Params<'a>) -> Option<Named<'a>> {
        let own = params.take("custom_llm_provider");
        let split = written.text.split_once('/');
        let said = own.as_ref().map(|own| own.text).or(split.map(|(prefix, _)| prefix));
        let model = match split {
            Some((prefix, model)) if Some(prefix) == said => model,
            _ => written.text,
        };
        let kind = match said.and_then(kinds::called) {
            Some(kind) => Some(kind),
            // A name alone, or one whose first part is no provider's.
            None if own.is_none() && owner(written.text).is_some() => {
                return owner(written.text).map(|kind| Named { kind, model: written.text });
            }
            None => None,
        };
        let has_address = address(params).is_some();
        let shown = said.unwrap_or("");
        match (kind, kinds::find(COMPATIBLE)) {
            (Some(kind), Some(compatible)) if kind.name() == OPENAI && is_elsewhere(kind, params) => {
                let message = format!(
                    "the address is not {}'s own: taken as a server that speaks its API",
                    kind.name()
                );
                self.report.differs(&written.at, message);
                Some(Named { kind: compatible, model })
            }
            (Some(kind), _) => Some(Named { kind, model }),
            (None, Some(compatible)) if has_address => {
                let message = format!(
                    "{shown:?} is no kind of provider here: taken as a server that speaks OpenAI's API"
                );
                self.report.differs(&written.at, message);
                Some(Named { kind: compatible, model })
            }
            (None, _) => {
                let message = format!(
                    "there is no kind of provider {shown:?} in this version, so the entry is left out; a server that speaks \
                     OpenAI's API is api: compatible with its base_url"
                );
                self.report.lost(&written.at, message);
                None
            }
        }
    }

    /// The name by which the price list has the model; what it is called there goes to `deployments`.
    fn listed(
        &mut self,
        provider: &mut Provider,
        named: &Named<'a>,
        model: &str,
        info: Option<&mut Params<'a>>,
    ) -> String {
        let takes_names = named.kind.takes().contains(&"deployments");
        let base = info.and_then(|info| info.take("base_model"));
        let base = base
            .filter(|_| takes_names)
            .map(|base| base.text.split_once('/').map_or(base.text, |(_, model)| model));
        if let Some(base) = base.filter(|base| *base != model) {
            provider.deployments.insert(base.to_owned(), model.to_owned());
            return base.to_owned();
        }
        model.to_owned()
    }

    fn prices(
        &mut self,
        provider: &mut Provider,
        model: &str,
        params: &mut Params<'a>,
        mut info: Option<&mut Params<'a>>,
    ) {
        let mut prices = BTreeMap::new();
        let mut first = None;
        for (class, name) in PRICES {
            let Some(written) = params.take(name).or_else(|| info.as_mut()?.take(name)) else { continue };
            match number::per_million(written.text) {
                Some(price) => drop(prices.insert(class, price)),
                None => self.report.lost(&written.at, "is no price that can be read; write it under prices"),
            }
            first.get_or_insert(written.at);
        }
        if !prices.is_empty() {
            for class in ["input", "output"] {
                if !prices.contains_key(class) {
                    let message = format!("no {class} price is written: it costs nothing, here as there");
                    self.report.differs(&params.at, message);
                    prices.insert(class, "0".to_owned());
                }
            }
            provider.prices.insert(model.to_owned(), prices);
            return;
        }
        let Some(kind) = kinds::find(provider.api) else { return };
        let is_priced = PriceBook::default().resolve(kind.name(), "", kind.catalogue_name(model)).is_priced();
        if !is_priced && !provider.self_hosted && !model.contains('*') {
            self.report.ask(
                &params.at,
                format!("the price of {model:?} is not known: write it under prices, or the model's own name under deployments"),
            );
        }
    }
}

/// Whether an address is written that is not at the kind's own host.
fn is_elsewhere(kind: &dyn Kind, params: &Params<'_>) -> bool {
    let host = |address: &str| {
        let behind = address.split_once("://").map_or(address, |(_, behind)| behind);
        behind.split(['/', ':']).next().unwrap_or_default().to_owned()
    };
    // What a variable holds is not known here.
    let written = address(params).filter(|written| super::variable(written).is_none());
    written.is_some_and(|written| kind.base_url().map(host) != Some(host(written)))
}

fn address<'a>(params: &Params<'a>) -> Option<&'a str> {
    params.peek("api_base").or_else(|| params.peek("base_url"))
}

/// The kind whose model a name without a provider surely is.
fn owner(model: &str) -> Option<&'static dyn Kind> {
    let has_prefix = |kind: &&dyn Kind| kind.model_prefixes().iter().any(|prefix| model.starts_with(prefix));
    let lists = |kind: &&dyn Kind| models_of(kind.name()).any(|known| known == model);
    let all = || kinds::ALL.iter().copied().filter(|kind| kind.base_url().is_some());
    all().find(has_prefix).or_else(|| all().find(lists))
}
