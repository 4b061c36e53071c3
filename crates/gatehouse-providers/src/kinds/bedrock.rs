//! Amazon Bedrock: the Converse API, and InvokeModel for models that embed or rank.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html>

use crate::auth::{aws, encoded};
use crate::credential::{Credential, Env, Found, set};
use crate::settings::Settings;
use crate::sigv4::{Scope, signed};
use crate::{Action, Addressed, Environment, Outgoing, Provider, Signing, headers, secret_header, uri};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::codec::Quirks;
use http::HeaderMap;

/// Bedrock.
#[derive(Clone, Copy, Debug)]
pub struct Bedrock;

/// Bedrock.
pub static PROVIDER: Bedrock = Bedrock;

static QUIRKS: Quirks = Quirks::NONE;

/// Areas whose inference profiles carry the area before the model's name.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html>
const AREAS: &[&str] = &["us", "us-gov", "eu", "apac", "au", "ca", "jp", "global"];

impl Provider for Bedrock {
    fn name(&self) -> &'static str {
        "bedrock"
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["bedrock_converse"]
    }

    fn convention_name(&self) -> &'static str {
        "aws.bedrock"
    }

    fn base_url(&self) -> Option<&'static str> {
        None
    }

    fn environment(&self) -> Environment {
        Environment { key: Some("AWS_BEARER_TOKEN_BEDROCK"), base_url: None, also: &["AWS_ACCESS_KEY_ID", "AWS_REGION"] }
    }

    fn takes(&self) -> &'static [&'static str] {
        &["aws_region", "deployments", "credentials", "prompt_cache"]
    }

    fn place(&self, settings: &Settings, env: Env<'_>) -> Result<String, String> {
        let region = region(settings, env)
            .ok_or("aws_region: is missing; write one such as eu-central-1, or set AWS_REGION")?;
        let usual = || format!("https://bedrock-runtime.{region}.amazonaws.com");
        Ok(settings.base_url.clone().unwrap_or_else(usual))
    }

    fn settled(&self, mut settings: Settings, env: Env<'_>) -> Settings {
        settings.aws_region = region(&settings, env);
        settings
    }

    fn credentials(&self, settings: &Settings, env: Env<'_>) -> Found {
        aws::find(settings, env)
    }

    fn dialect(&self, front: Dialect, model: &str) -> Option<Dialect> {
        let listed = self.catalogue_name(model);
        match front {
            front if front.asks_for_vectors() && listed.starts_with("amazon.titan-embed-text") => {
                Some(Dialect::BedrockTitanEmbed)
            }
            front if front.asks_for_vectors() && listed.starts_with("cohere.embed-") => {
                Some(Dialect::BedrockCohereEmbed)
            }
            Dialect::CohereRerank if listed.contains(".rerank-") => Some(Dialect::BedrockRerank),
            front if front.asks_for_vectors() => None,
            Dialect::CohereRerank | Dialect::OpenAiRealtime => None,
            _ => Some(Dialect::BedrockConverse),
        }
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

    /// Inference profiles are listed by the model behind them.
    fn catalogue_name<'a>(&self, model: &'a str) -> &'a str {
        match model.split_once('.') {
            Some((area, rest)) if AREAS.contains(&area) => rest,
            _ => model,
        }
    }

    fn example_model(&self) -> Option<&'static str> {
        Some("amazon.nova-lite-v1:0")
    }

    fn address(&self, outgoing: &Outgoing<'_>) -> Result<Addressed, Error> {
        let call = match (outgoing.dialect, outgoing.action) {
            (Dialect::BedrockConverse, Action::Stream) => "converse-stream",
            (Dialect::BedrockConverse, Action::Generate) => "converse",
            (
                Dialect::BedrockRerank | Dialect::BedrockTitanEmbed | Dialect::BedrockCohereEmbed,
                Action::Generate | Action::EmbedMany,
            ) => "invoke",
            _ => {
                return Err(Error::new(Code::Internal, "this provider does not offer the operation"));
            }
        };
        let path = format!("/model/{}/{call}", encoded(outgoing.model));
        let uri = uri(outgoing.base_url, &path)?;
        let mut headers = headers(outgoing.caller, &[]);
        self.sign(&outgoing.signing(&uri), &mut headers)?;
        Ok(Addressed { uri, headers })
    }

    fn sign(&self, signing: &Signing<'_>, headers: &mut HeaderMap) -> Result<(), Error> {
        match signing.credential {
            Some(Credential::Aws(keys)) => {
                let region = signing.settings.aws_region.as_deref().ok_or_else(|| {
                    Error::new(Code::Internal, "a signature of AWS needs a region (aws_region)")
                })?;
                let scope = Scope { region, service: "bedrock", now: signing.now };
                signed(keys, &scope, signing, headers)?;
            }
            Some(Credential::Key(secret) | Credential::Token(secret)) => {
                headers.insert(http::header::AUTHORIZATION, secret_header("Bearer ", secret)?);
            }
            None => {}
        }
        Ok(())
    }
}

fn region(settings: &Settings, env: Env<'_>) -> Option<String> {
    let written = settings.aws_region.clone();
    written.or_else(|| set(env, "AWS_REGION")).or_else(|| set(env, "AWS_DEFAULT_REGION"))
}
