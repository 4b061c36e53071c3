//! The configuration of this gateway: from the file that was named, from `gatehouse.yaml` here, or from
//! the environment.

mod reload;

use crate::cli::Place;
use anyhow::{Context as _, Result};
use gatehouse_config::file::{Config, Provider};
use gatehouse_config::{Fault, Faults, Kind, Known, Loaded};
use gatehouse_providers::kinds;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;

pub(crate) use reload::reload_on_change;

/// The file that is looked for where none is named.
const DEFAULT_FILE: &str = "gatehouse.yaml";
/// The kind of provider that comes with the gateway.
const SIMULATED: &str = "sim";

/// The configuration and where it comes from.
pub(crate) struct Settings {
    /// What the gateway shall do.
    pub(crate) config: Config,
    /// Hex SHA-256 of the document, or of what the environment amounts to.
    pub(crate) version: String,
    /// The name of where it comes from, for people.
    pub(crate) source: String,
    /// Where it comes from.
    origin: Source,
    /// What probably does not do what was meant.
    pub(crate) warnings: Vec<Fault>,
}

/// Where a configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// The variables of the environment.
    Environment,
    /// The program itself, such as the demonstration's: it does not change.
    BuiltIn {
        /// Its name.
        name: String,
        /// The document.
        text: String,
    },
}

// === impl Source ===

impl Source {
    /// The source for this place: a file that was named must be there, the default one may be.
    pub(crate) fn of(place: &Place) -> Self {
        place.config.clone().map_or_else(Self::unnamed, Self::File)
    }

    /// The source where no file was named.
    fn unnamed() -> Self {
        if Path::new(DEFAULT_FILE).exists() { Self::File(DEFAULT_FILE.into()) } else { Self::Environment }
    }

    /// Its name for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Environment => "environment".to_owned(),
            Self::BuiltIn { name, .. } => name.clone(),
        }
    }

    /// Reads and checks it.
    pub(crate) fn read(&self) -> Result<Settings, Faults> {
        let env = |name: &str| std::env::var(name).ok();
        let kinds = known_kinds();
        let known = Known { kinds: &kinds };
        let Loaded { config, version, warnings } = match self {
            Self::File(path) => gatehouse_config::load(path, &env, &known)?,
            Self::Environment => gatehouse_config::from_environment(&env, &known)?,
            Self::BuiltIn { name, text } => gatehouse_config::parse(text, name, &env, &known)?,
        };
        Ok(Settings { config, version, source: self.name(), origin: self.clone(), warnings })
    }
}

// === impl Settings ===

impl Settings {
    /// The configuration for this place. Warnings go to the log.
    pub(crate) fn load(place: &Place) -> Result<Self> {
        let settings = Source::of(place).read().context("the configuration cannot be used")?;
        settings.log_warnings();
        Ok(settings)
    }

    /// A configuration of the program's own, such as the demonstration's.
    pub(crate) fn from_text(text: &str, name: &str) -> Result<Self> {
        let source = Source::BuiltIn { name: name.to_owned(), text: text.to_owned() };
        source.read().context("the configuration cannot be used")
    }

    /// Whether nobody answers but the simulated provider.
    pub(crate) fn only_simulated(&self) -> bool {
        self.config.providers.iter().all(|(_, provider)| provider.api == SIMULATED)
    }

    /// A model that a first call can name.
    pub(crate) fn example_model(&self) -> String {
        if let Some((name, _)) = self.config.models.iter().next() {
            return name.to_owned();
        }
        let of =
            |(name, provider): (&str, &Provider)| example_of(provider).map(|model| format!("{name}/{model}"));
        self.config.providers.iter().find_map(of).unwrap_or_else(|| "provider/model".to_owned())
    }

    fn log_warnings(&self) {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
    }
}

fn example_of(provider: &Provider) -> Option<&str> {
    let listed = provider.models.first().map(String::as_str);
    listed.or_else(|| kinds::find(&provider.api)?.example_model())
}

/// The kinds of provider, as the configuration knows them.
pub(crate) fn known_kinds() -> Vec<Kind> {
    let kind = |kind: &&'static dyn gatehouse_providers::Provider| {
        let environment = kind.environment();
        Kind {
            name: kind.name(),
            needs_credential: kind.needs_credential(),
            base_url: kind.base_url(),
            built_in: kind.name() == SIMULATED,
            key_variable: environment.key,
            base_url_variable: environment.base_url,
            also_variables: environment.also,
            takes: kind.takes(),
        }
    };
    kinds::ALL.iter().map(kind).collect()
}

/// Starts the simulated provider if the configuration has one without an address, and gives its address.
/// It runs until the process ends.
pub(crate) async fn start_sim(config: &Config) -> Result<Option<String>> {
    let is_wanted =
        |(_, provider): (&str, &Provider)| provider.api == SIMULATED && provider.base_url.is_none();
    if !config.providers.iter().any(is_wanted) {
        return Ok(None);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.context("the simulated provider cannot listen")?;
    let address = listener.local_addr().context("the simulated provider cannot listen")?;
    let options = gatehouse_sim::Options { require_key: false, control: false, ..Default::default() };
    tokio::spawn(gatehouse_sim::serve(listener, options, std::future::pending::<()>()));
    Ok(Some(format!("http://{address}")))
}

#[cfg(test)]
mod tests {
    use super::{Settings, Source, known_kinds};
    use gatehouse_config::{Known, from_environment};
    use gatehouse_providers::kinds;

    fn with(variable: &'static str) -> Settings {
        let env = |name: &str| (name == variable).then(|| "x".to_owned());
        let loaded = from_environment(&env, &Known { kinds: &known_kinds() }).unwrap();
        Settings {
            config: loaded.config,
            version: loaded.version,
            source: Source::Environment.name(),
            origin: Source::Environment,
            warnings: loaded.warnings,
        }
    }

    #[test]
    fn without_keys_answers_are_simulated() {
        let settings = with("NONE");
        assert!(settings.only_simulated());
        assert_eq!(settings.example_model(), "sim/small");
    }

    #[test]
    fn every_key_that_is_documented_makes_its_provider() {
        for (variable, provider) in [
            ("OPENAI_API_KEY", "openai"),
            ("ANTHROPIC_API_KEY", "anthropic"),
            ("GEMINI_API_KEY", "gemini"),
            ("MISTRAL_API_KEY", "mistral"),
            ("GROQ_API_KEY", "groq"),
            ("DEEPSEEK_API_KEY", "deepseek"),
            ("XAI_API_KEY", "xai"),
            ("TOGETHER_API_KEY", "together"),
            ("OPENROUTER_API_KEY", "openrouter"),
            ("FIREWORKS_API_KEY", "fireworks"),
            ("PERPLEXITY_API_KEY", "perplexity"),
            ("OLLAMA_HOST", "ollama"),
        ] {
            let settings = with(variable);
            let names: Vec<&str> = settings.config.providers.iter().map(|(name, _)| name).collect();
            assert_eq!(names, [provider], "{variable}");
            assert!(!settings.only_simulated());
        }
    }

    #[test]
    fn the_examples_are_models_with_a_price() {
        for kind in kinds::ALL.iter() {
            let (name, example) = (kind.name(), kind.example_model());
            let has_price = |model| gatehouse_ledger::models_of(name).any(|known| known == model);
            assert!(example.is_none_or(has_price), "{name}/{example:?}");
            let chats = kind.dialect(gatehouse_core::content::Dialect::OpenAiChat, "m").is_some();
            let is_listed = gatehouse_ledger::models_of(name).next().is_some();
            let needs_one = chats && is_listed && kind.base_url().is_some();
            assert!(example.is_some() || !needs_one, "{name} is not a server of one's own");
        }
    }
}
