//! The simulated provider that comes with the gateway: every dialect, no bill, answers that can be
//! foreseen. The composition root starts it on a loopback port and gives its address.

use crate::compatible::native_path;
use crate::auth::encoded;
use crate::kinds::{anthropic, bedrock, cohere, gemini};
use crate::settings::Settings;
use crate::{Action, Addressed, Environment, Outgoing, Provider, headers, uri};
use gatehouse_core::content::{Dialect, Family};
use gatehouse_core::error::Error;
use gatehouse_wire::codec::Quirks;

/// The simulated provider.
#[derive(Clone, Copy, Debug)]
pub struct Sim {
    pub(crate) name: &'static str,
    pub(crate) quirks: Quirks,
}

/// The simulated provider.
pub static PROVIDER: Sim = Sim { name: "sim", quirks: Quirks::NONE };

impl Provider for Sim {
    fn name(&self) -> &'static str {
        self.name
    }

    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn environment(&self) -> Environment {
        Environment::default()
    }

    fn dialect(&self, front: Dialect, _: &str) -> Option<Dialect> {
        Some(front)
    }

    fn session_model(&self, dialect: Dialect, settings: &Settings, model: &str) -> String {
        if dialect == Dialect::GeminiLive {
            return gemini::PROVIDER.session_model(dialect, settings, model);
        }
        model.to_owned()
    }

    fn counts_tokens(&self, dialect: Dialect) -> bool {
        matches!(dialect, Dialect::AnthropicMessages | Dialect::GeminiGenerate | Dialect::OpenAiResponses)
    }

    fn quirks(&'static self, _: &str) -> &'static Quirks {
        &self.quirks
    }

    fn needs_credential(&self) -> bool {
        false
    }

    fn example_model(&self) -> Option<&'static str> {
        Some("small")
    }

    fn address(&self, outgoing: &Outgoing<'_>) -> Result<Addressed, Error> {
        match outgoing.dialect.family() {
            Family::Anthropic => anthropic::PROVIDER.address(outgoing),
            Family::Gemini => gemini::PROVIDER.address(outgoing),
            Family::Cohere => cohere::PROVIDER.address(outgoing),
            Family::Bedrock => bedrock::PROVIDER.address(outgoing),
            Family::OpenAi => {
                let path = match outgoing.dialect {
                    Dialect::OpenAiResponses if outgoing.action == Action::CountTokens => {
                        "/responses/input_tokens".to_owned()
                    }
                    Dialect::OpenAiResponses => "/responses".to_owned(),
                    Dialect::OpenAiCompletions => "/completions".to_owned(),
                    Dialect::MistralFim => "/fim/completions".to_owned(),
                    Dialect::OpenAiEmbeddings => "/embeddings".to_owned(),
                    Dialect::OpenAiRealtime => format!("/realtime?model={}", encoded(outgoing.model)),
                    other => native_path(other).unwrap_or("/chat/completions").to_owned(),
                };
                let path = format!("/v1{path}");
                Ok(Addressed {
                    uri: uri(outgoing.base_url, &path)?,
                    headers: headers(outgoing.caller, &["openai-beta"]),
                })
            }
        }
    }
}
