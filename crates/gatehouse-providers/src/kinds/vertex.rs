//! Google's Vertex AI: Gemini, and Anthropic's models, in a project and a location.
//! <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>,
//! <https://platform.claude.com/docs/en/api/claude-on-vertex-ai>

use crate::auth::{encoded, google};
use crate::credential::{Env, Found, set};
use crate::settings::Settings;
use crate::{Action, Addressed, Environment, Outgoing, Provider, Signing, headers, key_or_token, uri};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::codec::Quirks;
use http::HeaderMap;

/// Vertex AI.
#[derive(Clone, Copy, Debug)]
pub struct Vertex;

/// Vertex AI.
pub static PROVIDER: Vertex = Vertex;

/// Sessions. The first message names the model, the project and the location.
const LIVE: &str = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent";

static GEMINI: Quirks = Quirks::NONE;

/// Anthropic's models have their name in the path, and the version in its place.
static CLAUDE: Quirks =
    Quirks { instead_of_model: Some(("anthropic_version", "vertex-2023-10-16")), ..Quirks::NONE };

/// Locations that span several regions have hosts of their own.
fn host(location: &str) -> String {
    match location {
        "global" => "https://aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("https://aiplatform.{location}.rep.googleapis.com"),
        region => format!("https://{region}-aiplatform.googleapis.com"),
    }
}

fn is_claude(model: &str) -> bool {
    model.starts_with("claude")
}

impl Provider for Vertex {
    fn name(&self) -> &'static str {
        "vertex"
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["vertex_ai", "vertex_ai_beta"]
    }

    fn convention_name(&self) -> &'static str {
        "gcp.vertex_ai"
    }

    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn environment(&self) -> Environment {
        Environment::default()
    }

    fn takes(&self) -> &'static [&'static str] {
        &["project", "location", "deployments", "credentials", "prompt_cache"]
    }

    fn place(&self, settings: &Settings, env: Env<'_>) -> Result<String, String> {
        let settled = self.settled(settings.clone(), env);
        if settled.project.is_none() {
            return Err("project: is missing; write the id of the project".to_owned());
        }
        Ok(settled.base_url.unwrap_or_else(|| host(settled.location.as_deref().unwrap_or("global"))))
    }

    fn settled(&self, mut settings: Settings, env: Env<'_>) -> Settings {
        settings.project = settings.project.or_else(|| set(env, "GOOGLE_CLOUD_PROJECT"));
        settings.location = settings.location.or_else(|| set(env, "GOOGLE_CLOUD_LOCATION"));
        settings
    }

    fn credentials(&self, settings: &Settings, env: Env<'_>) -> Found {
        google::find(settings, env)
    }

    fn dialect(&self, front: Dialect, model: &str) -> Option<Dialect> {
        match front {
            front if front.asks_for_vectors() => (!is_claude(model)).then_some(Dialect::VertexPredict),
            Dialect::CohereRerank | Dialect::OpenAiRealtime => None,
            Dialect::GeminiLive => (!is_claude(model)).then_some(Dialect::GeminiLive),
            _ if is_claude(model) => Some(Dialect::AnthropicMessages),
            _ => Some(Dialect::GeminiGenerate),
        }
    }

    fn session_model(&self, _: Dialect, settings: &Settings, model: &str) -> String {
        let project = settings.project.as_deref().unwrap_or_default();
        let location = settings.location.as_deref().unwrap_or("global");
        format!("projects/{project}/locations/{location}/publishers/google/models/{model}")
    }

    fn counts_tokens(&self, dialect: Dialect) -> bool {
        dialect == Dialect::GeminiGenerate
    }

    fn quirks(&'static self, model: &str) -> &'static Quirks {
        if is_claude(model) { &CLAUDE } else { &GEMINI }
    }

    fn needs_credential(&self) -> bool {
        false
    }

    fn address(&self, outgoing: &Outgoing<'_>) -> Result<Addressed, Error> {
        if outgoing.dialect == Dialect::GeminiLive {
            let mut headers = headers(outgoing.caller, &[]);
            let uri = uri(outgoing.base_url, LIVE)?;
            self.sign(&outgoing.signing(&uri), &mut headers)?;
            return Ok(Addressed { uri, headers });
        }
        let Settings { project, location, .. } = outgoing.settings;
        let project = project.as_deref().unwrap_or_default();
        let location = location.as_deref().unwrap_or("global");
        let (publisher, call) = match (outgoing.dialect, outgoing.action) {
            (Dialect::AnthropicMessages, Action::Stream) => ("anthropic", "streamRawPredict"),
            (Dialect::AnthropicMessages, Action::Generate) => ("anthropic", "rawPredict"),
            (Dialect::GeminiGenerate, Action::Stream) => ("google", "streamGenerateContent?alt=sse"),
            (Dialect::GeminiGenerate, Action::Generate) => ("google", "generateContent"),
            (Dialect::GeminiGenerate, Action::CountTokens) => ("google", "countTokens"),
            (Dialect::VertexPredict, Action::Generate | Action::EmbedMany) => ("google", "predict"),
            _ => return Err(Error::new(Code::Internal, "this provider does not speak the dialect")),
        };
        let path = format!(
            "/v1beta1/projects/{}/locations/{}/publishers/{publisher}/models/{}:{call}",
            encoded(project),
            encoded(location),
            vertex_model(outgoing.model),
        );
        let mut headers = headers(outgoing.caller, &["anthropic-beta"]);
        let uri = uri(outgoing.base_url, &path)?;
        self.sign(&outgoing.signing(&uri), &mut headers)?;
        Ok(Addressed { uri, headers })
    }

    fn sign(&self, signing: &Signing<'_>, headers: &mut HeaderMap) -> Result<(), Error> {
        key_or_token(headers, "x-goog-api-key", signing.credential)
    }
}

/// A model's name in the path; its version stands behind an `@` there.
fn vertex_model(model: &str) -> String {
    encoded(model).replace("%40", "@")
}
