//! What the configuration says of a provider, apart from its keys, its limits and its prices.

use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;

/// Settings of one provider. Each kind takes some of them.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where it is.
    pub base_url: Option<String>,
    /// Azure: `api-version` of the paths by deployment.
    pub api_version: Option<String>,
    /// Bedrock: the region, such as `eu-central-1`.
    pub aws_region: Option<String>,
    /// Vertex AI: the project's id.
    pub project: Option<String>,
    /// Vertex AI: the location, such as `europe-west4`, `eu` or `global`.
    pub location: Option<String>,
    /// Cloudflare: the account's id.
    pub account: Option<String>,
    /// What models are called there, by the name that the catalogue has for them.
    pub deployments: BTreeMap<String, String>,
    /// How to get a credential, where it is fetched.
    pub credentials: Credentials,
}

/// How to get a credential.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Entra ID: the tenant's id.
    pub tenant: Option<String>,
    /// Entra ID: the application's id, or the id of a managed identity of the user's.
    pub client_id: Option<String>,
    /// Entra ID: the application's secret.
    pub client_secret: Option<SecretString>,
    /// Google: the service account's key file, its text.
    pub service_account: Option<SecretString>,
    /// AWS: the profile in the shared files.
    pub profile: Option<String>,
}

// === impl Settings ===

impl Settings {
    /// All that is written, secrets among it: only to see whether two are the same.
    #[must_use]
    pub fn words(&self) -> Vec<Option<String>> {
        let Self { base_url, api_version, aws_region, project, location, account, deployments, credentials } =
            self;
        let Credentials { tenant, client_id, client_secret, service_account, profile } = credentials;
        let told = |secret: &Option<SecretString>| secret.as_ref().map(|one| one.expose_secret().to_owned());
        let plain =
            [base_url, api_version, aws_region, project, location, account, tenant, client_id, profile];
        let named = deployments.iter().flat_map(|(model, name)| [Some(model.clone()), Some(name.clone())]);
        plain.into_iter().cloned().chain([told(client_secret), told(service_account)]).chain(named).collect()
    }

    /// What the model is called there.
    #[must_use]
    pub fn deployment<'a>(&'a self, model: &'a str) -> &'a str {
        self.deployments.get(model).map_or(model, String::as_str)
    }
}
