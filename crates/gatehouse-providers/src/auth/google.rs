//! Access tokens of Google: for a service account by its key, for a person by a refresh token, on Google's own
//! machines by the metadata server.
//!
//! Found as Google's libraries do it (<https://docs.cloud.google.com/docs/authentication/application-default-credentials>):
//! what the configuration gives, then the file in `GOOGLE_APPLICATION_CREDENTIALS`, then the file that
//! `gcloud auth application-default login` leaves, then the metadata server.

use super::{TokenAnswer, ask, get, post};
use crate::credential::{Env, Found, Fresh, Later, Outside, Source, refused, set, unbuildable};
use crate::settings::Settings;
use gatehouse_core::error::Error;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything on Google Cloud that the account may use.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long an assertion is good: it is used at once.
const ASSERTION_SECONDS: u64 = 600;
/// Google's own address for tokens, where a file names none.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The file of a service account, or of a person.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum File {
    #[serde(rename = "service_account")]
    ServiceAccount(ServiceAccount),
    #[serde(rename = "authorized_user")]
    Person(Person),
    #[serde(other)]
    Other,
}

/// <https://developers.google.com/identity/protocols/oauth2/service-account>
#[derive(Debug, Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: SecretString,
    #[serde(default)]
    private_key_id: Option<String>,
    #[serde(default = "token_uri")]
    token_uri: String,
}

#[derive(Debug, Deserialize)]
struct Person {
    client_id: String,
    client_secret: SecretString,
    refresh_token: SecretString,
    #[serde(default = "token_uri")]
    token_uri: String,
}

/// The metadata server of the machine.
#[derive(Debug)]
struct Metadata {
    host: String,
}

/// What a service account says of itself.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

fn token_uri() -> String {
    TOKEN_URI.to_owned()
}

/// Where Vertex AI's credentials come from.
pub(crate) fn find(settings: &Settings, env: Env<'_>) -> Found {
    if let Some(written) = &settings.credentials.service_account {
        return read(written.expose_secret(), "credentials.service_account").map(Some);
    }
    if let Some(path) = set(env, "GOOGLE_APPLICATION_CREDENTIALS") {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("GOOGLE_APPLICATION_CREDENTIALS names {path:?}: {error}"))?;
        return read(&text, &path).map(Some);
    }
    let home = set(env, "HOME").unwrap_or_default();
    let own = format!("{home}/.config/gcloud/application_default_credentials.json");
    if let Ok(text) = std::fs::read_to_string(&own) {
        return read(&text, &own).map(Some);
    }
    let host = set(env, "GCE_METADATA_HOST").unwrap_or_else(|| "metadata.google.internal".to_owned());
    Ok(Some(Arc::new(Metadata { host })))
}

fn read(text: &str, from: &str) -> Result<Arc<dyn Source>, String> {
    // What serde says of it could quote it.
    let unreadable = |_| format!("{from}: is no key file of Google's");
    match serde_json::from_str(text).map_err(unreadable)? {
        File::ServiceAccount(account) => {
            account.key().map_err(|_| format!("{from}: its private_key cannot be read"))?;
            Ok(Arc::new(account))
        }
        File::Person(person) => Ok(Arc::new(person)),
        File::Other => {
            Err(format!("{from}: only files of the types service_account and authorized_user can be used"))
        }
    }
}

// === impl ServiceAccount ===

impl ServiceAccount {
    fn key(&self) -> Result<EncodingKey, jsonwebtoken::errors::Error> {
        EncodingKey::from_rsa_pem(self.private_key.expose_secret().as_bytes())
    }

    fn assertion(&self, now: u64) -> Result<String, Error> {
        let claims = Claims {
            iss: &self.client_email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat: now,
            exp: now.saturating_add(ASSERTION_SECONDS),
        };
        let header = Header { kid: self.private_key_id.clone(), ..Header::new(Algorithm::RS256) };
        self.key()
            .and_then(|key| jsonwebtoken::encode(&header, &claims, &key))
            .map_err(|error| refused(self.name(), error.to_string()))
    }
}

impl Source for ServiceAccount {
    fn name(&self) -> &'static str {
        "Google's token service"
    }

    fn fetch<'a>(&'a self, outside: &'a dyn Outside) -> Later<'a, Fresh> {
        Box::pin(async move {
            let assertion = self.assertion(outside.now())?;
            let fields = [("grant_type", JWT_BEARER), ("assertion", &assertion)];
            let request = post(&self.token_uri, &fields).map_err(unbuildable(self.name()))?;
            Ok(ask::<TokenAnswer>(self.name(), outside, request).await?.at(outside.now()))
        })
    }
}

// === impl Person ===

impl Source for Person {
    fn name(&self) -> &'static str {
        "Google's token service"
    }

    fn fetch<'a>(&'a self, outside: &'a dyn Outside) -> Later<'a, Fresh> {
        Box::pin(async move {
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", &self.client_id),
                ("client_secret", self.client_secret.expose_secret()),
                ("refresh_token", self.refresh_token.expose_secret()),
            ];
            let request = post(&self.token_uri, &fields).map_err(unbuildable(self.name()))?;
            Ok(ask::<TokenAnswer>(self.name(), outside, request).await?.at(outside.now()))
        })
    }
}

// === impl Metadata ===

impl Source for Metadata {
    fn name(&self) -> &'static str {
        "Google's metadata server"
    }

    fn fetch<'a>(&'a self, outside: &'a dyn Outside) -> Later<'a, Fresh> {
        Box::pin(async move {
            let path = "/computeMetadata/v1/instance/service-accounts/default/token";
            let request = get(&format!("http://{}{path}", self.host), &[("metadata-flavor", "Google")])
                .map_err(unbuildable(self.name()))?;
            Ok(ask::<TokenAnswer>(self.name(), outside, request).await?.at(outside.now()))
        })
    }
}
