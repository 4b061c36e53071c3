//! Anthropic's Messages API. <https://docs.anthropic.com/en/api/messages>

use crate::{Action, Addressed, Environment, Outgoing, Provider, Signing, headers, secret_header, uri};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;
use gatehouse_wire::codec::Quirks;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Anthropic.
#[derive(Clone, Copy, Debug)]
pub struct Anthropic {
    pub(crate) name: &'static str,
    pub(crate) quirks: Quirks,
}

/// Anthropic.
pub static PROVIDER: Anthropic = Anthropic { name: "anthropic", quirks: Quirks::NONE };

/// The version that the gateway's own requests are written for.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        self.name
    }

    fn base_url(&self) -> Option<&'static str> {
        Some("https://api.anthropic.com")
    }

    fn takes(&self) -> &'static [&'static str] {
        &["prompt_cache"]
    }

    fn environment(&self) -> Environment {
        Environment { key: Some("ANTHROPIC_API_KEY"), base_url: Some("ANTHROPIC_BASE_URL"), also: &[] }
    }

    fn dialect(&self, front: Dialect, _: &str) -> Option<Dialect> {
        match front {
            front if front.asks_for_vectors() => None,
            Dialect::CohereRerank | Dialect::OpenAiRealtime => None,
            _ => Some(Dialect::AnthropicMessages),
        }
    }

    fn counts_tokens(&self, dialect: Dialect) -> bool {
        dialect == Dialect::AnthropicMessages
    }

    fn quirks(&'static self, _: &str) -> &'static Quirks {
        &self.quirks
    }

    fn model_prefixes(&self) -> &'static [&'static str] {
        &["claude-"]
    }

    fn example_model(&self) -> Option<&'static str> {
        Some("claude-haiku-4-5")
    }

    fn address(&self, outgoing: &Outgoing<'_>) -> Result<Addressed, Error> {
        // People set the address with and without the version; both mean the same.
        let base = outgoing.base_url.trim_end_matches('/').trim_end_matches("/v1");
        let path = match outgoing.action {
            Action::CountTokens => "/v1/messages/count_tokens",
            Action::Generate | Action::Stream | Action::EmbedMany => "/v1/messages",
        };
        let mut headers = headers(outgoing.caller, &["anthropic-beta", "anthropic-version"]);
        let uri = uri(base, path)?;
        self.sign(&outgoing.signing(&uri), &mut headers)?;
        Ok(Addressed { uri, headers })
    }

    fn sign(&self, signing: &Signing<'_>, headers: &mut HeaderMap) -> Result<(), Error> {
        headers.entry(HeaderName::from_static("anthropic-version")).or_insert(VERSION);
        if let Some(credential) = signing.credential {
            headers.insert(HeaderName::from_static("x-api-key"), secret_header("", credential.secret()?)?);
        }
        Ok(())
    }
}
