//! Keys of AWS: from the environment, the shared files, a web identity, the container or the machine, in the
//! order of AWS' own libraries.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>

mod machine;
mod profile;
mod web_identity;

use crate::credential::{AwsKeys, Credential, Env, Found, Fresh, Later, Outside, Source, set};
use crate::settings::Settings;
use gatehouse_core::error::Error;
use secrecy::SecretString;
use serde::Deserialize;
use std::sync::Arc;

/// Keys that stand in the environment or in a file. They do not expire, or nobody would know.
#[derive(Debug)]
struct Written(AwsKeys);

/// Keys as the container's and the machine's services give them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeysAnswer {
    access_key_id: String,
    secret_access_key: SecretString,
    #[serde(default)]
    token: Option<SecretString>,
    #[serde(default)]
    expiration: Option<jiff::Timestamp>,
}

/// Where Bedrock's credentials come from, when no key of its own is given.
pub(crate) fn find(settings: &Settings, env: Env<'_>) -> Found {
    if let Some(name) = &settings.credentials.profile {
        return profile::find(name, env)?.map(Some).ok_or_else(|| {
            format!("credentials.profile: there is no profile {name:?} with keys in the shared files")
        });
    }
    if let (Some(id), Some(secret)) = (set(env, "AWS_ACCESS_KEY_ID"), set(env, "AWS_SECRET_ACCESS_KEY")) {
        let session = set(env, "AWS_SESSION_TOKEN").map(Into::into);
        return Ok(Some(Arc::new(Written(AwsKeys { id, secret: secret.into(), session }))));
    }
    if let Some(found) = web_identity::find(settings.aws_region.as_deref(), env) {
        return Ok(Some(Arc::new(found)));
    }
    let name = set(env, "AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    if let Some(found) = profile::find(&name, env)? {
        return Ok(Some(found));
    }
    machine::find(env)
}

// === impl Written ===

impl Source for Written {
    fn name(&self) -> &'static str {
        "the environment"
    }

    fn fetch<'a>(&'a self, _: &'a dyn Outside) -> Later<'a, Fresh> {
        let credential = Credential::Aws(self.0.clone());
        Box::pin(async move { Ok::<_, Error>(Fresh { credential, expires_at: None }) })
    }
}

// === impl KeysAnswer ===

impl KeysAnswer {
    fn fresh(self) -> Fresh {
        let keys = AwsKeys { id: self.access_key_id, secret: self.secret_access_key, session: self.token };
        Fresh {
            credential: Credential::Aws(keys),
            expires_at: self.expiration.and_then(|time| u64::try_from(time.as_second()).ok()),
        }
    }
}
