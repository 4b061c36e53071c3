//! The configuration that an import makes: its parts as they come to be known, and the file they end as.

use super::yaml;
use gatehouse_providers::Provider as Kind;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A configuration in the making.
#[derive(Default)]
pub(super) struct Draft {
    /// By name, in the order in which they were met.
    pub(super) providers: Vec<(String, Provider)>,
    /// Names that callers use, with their targets.
    pub(super) models: Vec<(String, Vec<String>)>,
    pub(super) guards: Vec<Guard>,
    /// Sections of plain settings: `timeouts`, `retry`, `limits`.
    pub(super) sections: BTreeMap<&'static str, BTreeMap<&'static str, Text>>,
}

/// A value in the words of our configuration: `${` stands for a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(String);

/// A provider in the making.
#[derive(Clone, Default)]
pub(super) struct Provider {
    pub(super) api: &'static str,
    /// Its credential, address and place.
    pub(super) settings: BTreeMap<&'static str, Text>,
    /// Whom to ask for a credential.
    pub(super) credentials: BTreeMap<&'static str, Text>,
    pub(super) timeouts: BTreeMap<&'static str, Text>,
    /// What models are called there.
    pub(super) deployments: BTreeMap<String, String>,
    /// By model, each class in dollars for a million tokens.
    pub(super) prices: BTreeMap<String, BTreeMap<&'static str, String>>,
    pub(super) self_hosted: bool,
}

/// A guardrail of words.
pub(super) struct Guard {
    pub(super) name: String,
    pub(super) words: Vec<String>,
    pub(super) at: Vec<&'static str>,
    pub(super) action: &'static str,
}

// === impl Text ===

impl Text {
    /// A text that means itself.
    pub(super) fn literal(text: &str) -> Self {
        Self(text.replace("${", "$${"))
    }

    /// What a variable holds.
    pub(super) fn variable(name: &str) -> Self {
        Self(format!("${{{name}}}"))
    }

    /// What a file holds.
    pub(super) fn file(path: &str) -> Self {
        Self(format!("${{file:{path}}}"))
    }

    /// The same with a literal end.
    pub(super) fn and(self, end: &str) -> Self {
        Self(self.0 + &end.replace("${", "$${"))
    }

    /// As it is written in the file.
    pub(super) fn written(&self) -> &str {
        &self.0
    }
}

// === impl Provider ===

impl Provider {
    pub(super) fn new(kind: &dyn Kind) -> Self {
        Self { api: kind.name(), ..Self::default() }
    }

    /// Takes in what the other has more, if both are the same place reached in the same way and what they say of
    /// models does not contradict.
    fn absorb(&mut self, other: &Self) -> bool {
        let same_place = (self.api, &self.settings, &self.credentials, &self.timeouts)
            == (other.api, &other.settings, &other.credentials, &other.timeouts);
        let agree = agrees(&self.deployments, &other.deployments) && agrees(&self.prices, &other.prices);
        if same_place && agree {
            self.deployments.extend(other.deployments.clone());
            self.prices.extend(other.prices.clone());
        }
        same_place && agree
    }

    fn value(&self) -> Value {
        let mut all = Map::new();
        all.insert("api".to_owned(), json!(self.api));
        all.extend(texts(&self.settings));
        if self.self_hosted {
            all.insert("self_hosted".to_owned(), json!(true));
        }
        let deployments =
            self.deployments.iter().map(|(model, name)| (model.clone(), json!(Text::literal(name).0)));
        let sections = [
            ("credentials", Value::Object(texts(&self.credentials))),
            ("deployments", Value::Object(deployments.collect())),
            ("prices", json!(self.prices)),
            ("timeouts", Value::Object(texts(&self.timeouts))),
        ];
        all.extend(sections.into_iter().filter(|(_, value)| !is_empty(value)).map(named));
        Value::Object(all)
    }
}

// === impl Draft ===

impl Draft {
    /// The name of this provider: of the one that is there already, or a new one.
    pub(super) fn provider(&mut self, provider: Provider) -> String {
        for (name, known) in &mut self.providers {
            if known.absorb(&provider) {
                return name.clone();
            }
        }
        let same = self.providers.iter().filter(|(_, known)| known.api == provider.api).count();
        let name = if same == 0 { provider.api.to_owned() } else { format!("{}-{}", provider.api, same + 1) };
        self.providers.push((name.clone(), provider));
        name
    }

    /// The targets of a name.
    pub(super) fn targets(&self, model: &str) -> Option<&[String]> {
        self.models.iter().find(|(name, _)| name == model).map(|(_, targets)| targets.as_slice())
    }

    /// Writes a plain setting.
    pub(super) fn set(&mut self, section: &'static str, name: &'static str, value: Text) {
        self.sections.entry(section).or_default().insert(name, value);
    }

    /// The file, below some lines of comment.
    pub(super) fn written(&self, heading: &str) -> String {
        let providers: Map<String, Value> =
            self.providers.iter().map(|(name, provider)| (name.clone(), provider.value())).collect();
        let models: Map<String, Value> = self
            .models
            .iter()
            .map(|(name, targets)| (name.clone(), json!({ "targets": literals(targets) })))
            .collect();
        let guards: Vec<Value> = self.guards.iter().map(Guard::value).collect();
        let mut all = Map::new();
        let parts = [
            ("providers", Value::Object(providers)),
            ("models", Value::Object(models)),
            ("guards", json!(guards)),
        ];
        all.extend(parts.into_iter().filter(|(_, value)| !is_empty(value)).map(named));
        all.extend(
            self.sections.iter().map(|(name, section)| ((*name).to_owned(), Value::Object(texts(section)))),
        );
        format!("{heading}version: 1\n\n{}", yaml::written(&all))
    }
}

// === impl Guard ===

impl Guard {
    fn value(&self) -> Value {
        json!({ "name": self.name, "detect": "words", "words": literals(&self.words), "at": self.at, "do": self.action })
    }
}

fn literals(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| Text::literal(text).0).collect()
}

fn named((name, value): (&str, Value)) -> (String, Value) {
    (name.to_owned(), value)
}

fn texts(all: &BTreeMap<&'static str, Text>) -> Map<String, Value> {
    all.iter().map(|(name, text)| ((*name).to_owned(), json!(text.0))).collect()
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Whether two maps say the same wherever both say something.
fn agrees<V: PartialEq>(one: &BTreeMap<String, V>, other: &BTreeMap<String, V>) -> bool {
    one.iter().all(|(name, value)| other.get(name).is_none_or(|own| own == value))
}

#[cfg(test)]
mod tests {
    use super::{Draft, Provider, Text};

    fn at(address: &str) -> Provider {
        let settings = [("base_url", Text::literal(address))].into();
        Provider { api: "compatible", settings, ..Provider::default() }
    }

    #[test]
    fn the_same_place_is_one_provider_unless_models_contradict() {
        let mut draft = Draft::default();
        let mut first = at("http://a/v1");
        first.deployments.insert("m".to_owned(), "one".to_owned());
        assert_eq!(draft.provider(first.clone()), "compatible");
        assert_eq!(draft.provider(at("http://b/v1")), "compatible-2");
        assert_eq!(draft.provider(at("http://a/v1")), "compatible");
        first.deployments.insert("m".to_owned(), "two".to_owned());
        assert_eq!(draft.provider(first), "compatible-3");
    }

    #[test]
    fn a_literal_stays_one() {
        assert_eq!(Text::literal("a ${b}").written(), "a $${b}");
        assert_eq!(Text::variable("B").and("/v1").written(), "${B}/v1");
    }
}
