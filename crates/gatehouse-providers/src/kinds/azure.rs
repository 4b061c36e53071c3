//! Azure OpenAI: OpenAI's dialects under the address of a resource, with a deployment in the place of the model.
//! <https://learn.microsoft.com/azure/ai-foundry/openai/reference>

use crate::auth::{encoded, entra};
use crate::compatible::native_path;
use crate::credential::{Env, Found};
use crate::settings::Settings;
use crate::{Action, Addressed, Environment, Outgoing, Provider, Signing, headers, key_or_token, uri};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::codec::Quirks;
use http::HeaderMap;

/// Azure OpenAI.
#[derive(Clone, Copy, Debug)]
pub struct Azure;

/// Azure OpenAI.
pub static PROVIDER: Azure = Azure;

static QUIRKS: Quirks = Quirks::NONE;

impl Provider for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["azure_text"]
    }

    fn convention_name(&self) -> &'static str {
        "azure.ai.openai"
    }

    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn environment(&self) -> Environment {
        Environment {
            key: Some("AZURE_OPENAI_API_KEY"),
            base_url: Some("AZURE_OPENAI_ENDPOINT"),
            also: &[],
        }
    }

    fn takes(&self) -> &'static [&'static str] {
        &["endpoint", "api_version", "deployments", "credentials"]
    }

    fn credentials(&self, settings: &Settings, env: Env<'_>) -> Found {
        entra::find(settings, env)
    }

    fn dialect(&self, front: Dialect, _: &str) -> Option<Dialect> {
        Some(match front {
            Dialect::OpenAiResponses
            | Dialect::OpenAiCompletions
            | Dialect::OpenAiRealtime => front,
            front if front.asks_for_vectors() => Dialect::OpenAiEmbeddings,
            // No variations and no moderation of their own.
            Dialect::OpenAiModerations
            | Dialect::OpenAiImageVariations
            | Dialect::CohereRerank
            | Dialect::GeminiLive => return None,
            front if front.is_untranslated() => front,
            _ => Dialect::OpenAiChat,
        })
    }

    fn counts_tokens(&self, _: Dialect) -> bool {
        false
    }

    fn quirks(&'static self, _: &str) -> &'static Quirks {
        &QUIRKS
    }

    fn needs_credential(&self) -> bool {
        false
    }

    fn address(&self, outgoing: &Outgoing<'_>) -> Result<Addressed, Error> {
        let operation = match (outgoing.action, outgoing.dialect) {
            (Action::CountTokens, _) => None,
            (_, Dialect::OpenAiChat) => Some("chat/completions"),
            (_, Dialect::OpenAiResponses) => Some("responses"),
            (_, Dialect::OpenAiCompletions) => Some("completions"),
            (_, Dialect::OpenAiEmbeddings) => Some("embeddings"),
            (_, Dialect::OpenAiRealtime) => Some("realtime"),
            (_, other) => native_path(other).map(|path| path.trim_start_matches('/')),
        };
        let operation = operation
            .ok_or_else(|| Error::new(Code::Internal, "this provider does not speak the dialect"))?;
        let path = match &outgoing.settings.api_version {
            None if outgoing.dialect == Dialect::OpenAiRealtime => {
                format!("/openai/v1/realtime?model={}", encoded(outgoing.model))
            }
            Some(version) if outgoing.dialect == Dialect::OpenAiRealtime => {
                let (deployment, version) = (encoded(outgoing.model), encoded(version));
                format!("/openai/realtime?api-version={version}&deployment={deployment}")
            }
            None => format!("/openai/v1/{operation}"),
            // These never had a deployment in their path.
            Some(version)
                if matches!(
                    outgoing.dialect,
                    Dialect::OpenAiResponses | Dialect::OpenAiFiles | Dialect::OpenAiBatches
                ) =>
            {
                format!("/openai/{operation}?api-version={}", encoded(version))
            }
            Some(version) => {
                let (deployment, version) = (encoded(outgoing.model), encoded(version));
                format!("/openai/deployments/{deployment}/{operation}?api-version={version}")
            }
        };
        // People copy the address with more or less of the path.
        let base = outgoing.base_url.trim_end_matches('/');
        let base = base.trim_end_matches("/v1").trim_end_matches("/openai");
        let mut headers = headers(outgoing.caller, &["openai-beta"]);
        let uri = uri(base, &path)?;
        self.sign(&outgoing.signing(&uri), &mut headers)?;
        Ok(Addressed { uri, headers })
    }

    fn sign(&self, signing: &Signing<'_>, headers: &mut HeaderMap) -> Result<(), Error> {
        key_or_token(headers, "api-key", signing.credential)
    }
}
