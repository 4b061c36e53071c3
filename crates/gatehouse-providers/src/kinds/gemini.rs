//! Google's Gemini API with an API key. <https://ai.google.dev/api/generate-content>

use crate::auth::encoded;
use crate::{Action, Addressed, Environment, Outgoing, Provider, Signing, headers, secret_header, uri};
use crate::settings::Settings;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;
use gatehouse_wire::codec::Quirks;
use http::{HeaderMap, HeaderName};

/// Sessions. The first message names the model.
const LIVE: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

/// Gemini.
#[derive(Clone, Copy, Debug)]
pub struct Gemini {
    pub(crate) name: &'static str,
    pub(crate) quirks: Quirks,
}

/// Gemini.
pub static PROVIDER: Gemini = Gemini { name: "gemini", quirks: Quirks::NONE };

impl Provider for Gemini {
    fn name(&self) -> &'static str {
        self.name
    }

    fn convention_name(&self) -> &'static str {
        "gcp.gemini"
    }

    fn base_url(&self) -> Option<&'static str> {
        Some("https://generativelanguage.googleapis.com")
    }

    fn environment(&self) -> Environment {
        Environment { key: Some("GEMINI_API_KEY"), base_url: Some("GEMINI_BASE_URL"), also: &[] }
    }

    fn dialect(&self, front: Dialect, _: &str) -> Option<Dialect> {
        Some(match front {
            // Sessions are not translated.
            Dialect::OpenAiRealtime => return None,
            Dialect::GeminiLive => Dialect::GeminiLive,
            front if front.asks_for_vectors() => Dialect::GeminiEmbed,
            Dialect::CohereRerank => return None,
            _ => Dialect::GeminiGenerate,
        })
    }

    fn session_model(&self, _: Dialect, _: &Settings, model: &str) -> String {
        format!("models/{}", model.trim_start_matches("models/"))
    }

    fn counts_tokens(&self, dialect: Dialect) -> bool {
        dialect == Dialect::GeminiGenerate
    }

    fn quirks(&'static self, _: &str) -> &'static Quirks {
        &self.quirks
    }

    fn model_prefixes(&self) -> &'static [&'static str] {
        &["gemini-", "gemma-"]
    }

    fn example_model(&self) -> Option<&'static str> {
        Some("gemini-2.5-flash")
    }

    fn address(&self, outgoing: &Outgoing<'_>) -> Result<Addressed, Error> {
        let base = outgoing.base_url.trim_end_matches('/');
        let base = base.trim_end_matches("/v1beta").trim_end_matches("/v1");
        let call = match (outgoing.dialect, outgoing.action) {
            (_, Action::CountTokens) => "countTokens",
            (Dialect::GeminiEmbed, Action::EmbedMany) => "batchEmbedContents",
            (Dialect::GeminiEmbed, _) => "embedContent",
            (_, Action::Stream) => "streamGenerateContent?alt=sse",
            (_, Action::Generate | Action::EmbedMany) => "generateContent",
        };
        let model = encoded(outgoing.model.trim_start_matches("models/"));
        let mut headers = headers(outgoing.caller, &[]);
        let uri = if outgoing.dialect == Dialect::GeminiLive {
            uri(base, LIVE)?
        } else {
            uri(base, &format!("/v1beta/models/{model}:{call}"))?
        };
        self.sign(&outgoing.signing(&uri), &mut headers)?;
        Ok(Addressed { uri, headers })
    }

    fn sign(&self, signing: &Signing<'_>, headers: &mut HeaderMap) -> Result<(), Error> {
        if let Some(credential) = signing.credential {
            headers.insert(HeaderName::from_static("x-goog-api-key"), secret_header("", credential.secret()?)?);
        }
        Ok(())
    }
}
