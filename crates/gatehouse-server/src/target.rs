//! A provider as configured, and a model at it.

use crate::upstream::Upstream;
use crate::vault::{Keeper, Network, Slot};
use gatehouse_config::file;
use gatehouse_config::secret::Secret;
use gatehouse_core::content::Dialect;
use gatehouse_core::deployment::{Capabilities, Deployment};
use gatehouse_ledger::{Catalogue, Facts, ModelPrices, PriceBook};
use gatehouse_providers::credential::Credential;
use gatehouse_providers::settings::{Credentials, Settings};
use gatehouse_providers::{Provider as Kind, kinds};
use gatehouse_route::plan::Candidate;
use gatehouse_route::retry;
use gatehouse_route::rotation::Rotation;
use gatehouse_wire::codec;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use std::time::Duration;

/// A provider as configured.
pub struct Provider {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// What it is.
    pub kind: &'static dyn Kind,
    /// Where it is.
    pub base_url: String,
    /// What else its configuration says.
    pub settings: Settings,
    /// Its credentials.
    pub credentials: Vec<Slot>,
    /// Which of them is next.
    pub rotation: Rotation,
    /// The retries that it has earned.
    pub retries: retry::Budget,
    /// Limits of time.
    pub timeouts: Timeouts,
    /// The connections to it.
    pub upstream: Upstream,
    /// Whether callers pass through to whatever it offers.
    pub passes_through: bool,
    /// Whether marks of the prompt cache are set for callers who set none.
    pub marks_cache: bool,
    region: Arc<str>,
    models: Vec<String>,
    /// Its keys as they were written.
    keys: Vec<SecretString>,
}

/// Limits of time towards a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect.
    pub connect: Duration,
    /// To the first piece of a stream.
    pub first_token: Duration,
    /// Between two pieces.
    pub idle: Duration,
    /// For the whole call.
    pub total: Duration,
}

/// A model at a provider.
pub struct Target {
    /// What records call it: `provider/model`.
    pub name: Arc<str>,
    /// The provider.
    pub provider: Arc<Provider>,
    /// The model at the provider.
    pub deployment: Arc<Deployment>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What it costs.
    pub prices: ModelPrices,
}

/// Every front that a call may come in by.
const FRONTS: [Dialect; 21] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::OpenAiCompletions,
    Dialect::MistralFim,
    Dialect::OpenAiEmbeddings,
    Dialect::OpenAiRealtime,
    Dialect::AnthropicMessages,
    Dialect::GeminiGenerate,
    Dialect::GeminiLive,
    Dialect::GeminiEmbed,
    Dialect::OpenAiModerations,
    Dialect::OpenAiImages,
    Dialect::OpenAiImageEdits,
    Dialect::OpenAiImageVariations,
    Dialect::OpenAiSpeech,
    Dialect::OpenAiTranscriptions,
    Dialect::OpenAiTranslations,
    Dialect::CohereChat,
    Dialect::CohereEmbed,
    Dialect::CohereRerank,
    Dialect::BedrockConverse,
];

/// What the configuration says, as the kinds of provider see it.
fn settings(written: &file::Provider) -> Settings {
    let fetched = written.credentials.clone().unwrap_or_default();
    let secret = |secret: Option<Secret>| secret.map(|one| one.0);
    Settings {
        base_url: written.base_url.clone().or_else(|| written.endpoint.clone()),
        api_version: written.api_version.clone(),
        aws_region: written.aws_region.clone(),
        project: written.project.clone(),
        location: written.location.clone(),
        account: written.account.clone(),
        deployments: written.deployments.clone(),
        credentials: Credentials {
            tenant: fetched.tenant,
            client_id: fetched.client_id,
            client_secret: secret(fetched.client_secret),
            service_account: secret(fetched.service_account),
            profile: fetched.profile,
        },
    }
}

/// The keys that are written, else whatever the kind finds.
fn credentials(
    kind: &dyn Kind,
    keys: &[SecretString],
    settings: &Settings,
    connect: Duration,
) -> Result<Vec<Slot>, String> {
    if !keys.is_empty() {
        let written = |key: &SecretString| Slot::written(Credential::Key(key.clone()));
        return Ok(keys.iter().map(written).collect());
    }
    let found = kind.credentials(settings, &environment)?;
    let kept = |source| Slot::fetched(Keeper::new(source, Network::new(connect)));
    Ok(found.into_iter().map(kept).collect())
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

// === impl Provider ===

impl Provider {
    /// Compiles a provider; `sim` is the address of the simulated one.
    ///
    /// # Errors
    /// What is missing, in words for the one who wrote it.
    pub fn compile(
        name: &str,
        written: &file::Provider,
        general: &file::Timeouts,
        sim: Option<&str>,
    ) -> Result<Self, String> {
        let kind = kinds::find(&written.api)
            .ok_or_else(|| format!("api: there is no provider kind {:?}", written.api))?;
        let mut settings = kind.settled(settings(written), &environment);
        if kind.name() == "sim" && settings.base_url.is_none() {
            settings.base_url = sim.map(ToOwned::to_owned);
        }
        let base_url = kind.place(&settings, &environment)?.trim_end_matches('/').to_owned();
        base_url.parse::<http::Uri>().map_err(|error| format!("base_url: {error}"))?;
        let keys: Vec<SecretString> =
            written.api_key.iter().chain(&written.api_keys).map(|secret| secret.0.clone()).collect();
        if keys.is_empty() && kind.needs_credential() {
            return Err("api_key: is required for this kind of provider".to_owned());
        }
        let timeouts = written.timeouts.as_ref().unwrap_or(general);
        let timeouts = Timeouts {
            connect: timeouts.connect.0,
            first_token: timeouts.first_token.0,
            idle: timeouts.idle.0,
            total: timeouts.total.0,
        };
        let credentials = credentials(kind, &keys, &settings, timeouts.connect)?;
        Ok(Self {
            name: name.into(),
            kind,
            base_url,
            settings,
            rotation: Rotation::new(credentials.len()),
            credentials,
            keys,
            retries: retry::Budget::default(),
            upstream: Upstream::new(timeouts.connect),
            timeouts,
            marks_cache: written.prompt_cache == file::PromptCache::Auto,
            passes_through: written.passthrough,
            region: written.region.as_deref().unwrap_or_default().into(),
            models: written.models.clone(),
        })
    }

    /// Whether both were compiled from the same words: then the older one may stay in use, with its
    /// connections, its credentials' rests and the retries that it has earned.
    #[must_use]
    pub fn is_written_as(&self, other: &Self) -> bool {
        // Whoever adds a member decides here whether it is written or comes about in use.
        let Self {
            name,
            kind,
            base_url,
            settings,
            credentials: _,
            rotation: _,
            retries: _,
            timeouts,
            upstream: _,
            marks_cache,
            passes_through,
            region,
            models,
            keys,
        } = self;
        let same = |own: &[SecretString], other: &[SecretString]| {
            own.iter().map(|one| one.expose_secret()).eq(other.iter().map(|one| one.expose_secret()))
        };
        *name == other.name
            && kind.name() == other.kind.name()
            && *base_url == other.base_url
            && settings.words() == other.settings.words()
            && same(keys, &other.keys)
            && *timeouts == other.timeouts
            && *marks_cache == other.marks_cache
            && *passes_through == other.passes_through
            && *region == other.region
            && *models == other.models
    }

    /// Whether it has this operation of one dialect only, and speaks it itself.
    #[must_use]
    pub fn has(&self, front: Dialect) -> bool {
        self.kind.dialect(front, "") == Some(front)
    }

    /// Whether what it is given stays there; where nobody said, it is not known to.
    #[must_use]
    pub fn is_in(&self, region: &str) -> bool {
        self.region.eq_ignore_ascii_case(region)
    }

    /// Whether a bare model name is surely this provider's.
    #[must_use]
    pub fn surely_has(&self, model: &str, catalogue: &Catalogue) -> bool {
        self.models.iter().any(|own| own == model)
            || self.kind.model_prefixes().iter().any(|prefix| model.starts_with(prefix))
            || catalogue.lists_model(self.kind.name(), model)
    }

    /// The models to offer in lists.
    #[must_use]
    pub fn listed_models(&self, catalogue: &Catalogue) -> Vec<String> {
        let mut all = self.models.clone();
        for model in catalogue.models_of(self.kind.name()) {
            if !all.iter().any(|own| own == model) {
                all.push(model.to_owned());
            }
        }
        all
    }
}

// === impl Target ===

impl Target {
    /// A model at a provider.
    #[must_use]
    pub fn new(provider: &Arc<Provider>, model: &str, prices: &PriceBook) -> Self {
        let deployment = Deployment {
            provider: Arc::clone(&provider.name),
            model: model.into(),
            region: Arc::clone(&provider.region),
        };
        let listed = provider.kind.catalogue_name(model);
        let facts = prices.catalogue().facts(provider.kind.name(), listed);
        Self {
            name: deployment.to_string().into(),
            provider: Arc::clone(provider),
            deployment: Arc::new(deployment),
            capabilities: facts.map(|facts| facts.capabilities).unwrap_or_default(),
            prices: prices.resolve(provider.kind.name(), &provider.name, listed),
        }
    }

    /// What the catalogue knows of the model.
    #[must_use]
    pub fn facts(&self, catalogue: &Catalogue) -> Option<Facts> {
        let kind = self.provider.kind;
        catalogue.facts(kind.name(), kind.catalogue_name(&self.deployment.model))
    }

    /// What the model is called at the provider.
    #[must_use]
    pub fn model(&self) -> &str {
        self.provider.settings.deployment(&self.deployment.model)
    }

    /// What the model is called in the messages of a session.
    #[must_use]
    pub fn session_model(&self, dialect: Dialect) -> String {
        self.provider.kind.session_model(dialect, &self.provider.settings, self.model())
    }

    /// The wire format in which it serves callers of `front`; none when it has nothing of the kind.
    #[must_use]
    pub fn dialect(&self, front: Dialect) -> Option<Dialect> {
        let spoken = self.provider.kind.dialect(front, &self.deployment.model);
        spoken.filter(|dialect| *dialect == front || !front.is_untranslated())
    }

    /// As the planner sees it.
    #[must_use]
    pub fn candidate(&self) -> Candidate {
        Candidate {
            deployment: Arc::clone(&self.deployment),
            capabilities: self.capabilities,
            fronts: FRONTS.into_iter().filter(|front| self.dialect(*front).is_some()).collect(),
        }
    }

    /// As the dialects see it.
    #[must_use]
    pub fn wire(&self) -> codec::Target<'_> {
        codec::Target {
            model: self.model(),
            capabilities: self.capabilities,
            quirks: self.provider.kind.quirks(&self.deployment.model),
        }
    }
}
