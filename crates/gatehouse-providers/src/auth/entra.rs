//! Access tokens of Microsoft Entra ID: for an application by its secret or by a federated token (workload
//! identity), on Azure's own machines by a managed identity.
//!
//! Found as Azure's libraries do it: what the configuration gives, then `AZURE_CLIENT_SECRET` or
//! `AZURE_FEDERATED_TOKEN_FILE` with `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`, then the managed identity.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use super::{TokenAnswer, ask, encoded, get, post};
use crate::credential::{Env, Found, Fresh, Later, Outside, Source, refused, set, unbuildable};
use crate::settings::Settings;
use gatehouse_core::error::Error;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;

/// What Azure OpenAI's tokens are for.
const RESOURCE: &str = "https://cognitiveservices.azure.com";
/// Where Entra ID is, for the public cloud.
const AUTHORITY: &str = "https://login.microsoftonline.com";
/// The instance metadata service, at every virtual machine.
const IMDS: &str = "http://169.254.169.254";
/// RFC 7523.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An application that proves who it is.
#[derive(Debug)]
struct Application {
    authority: String,
    tenant: String,
    client_id: String,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    Secret(SecretString),
    /// The file in which the cluster keeps a fresh token.
    TokenFile(String),
}

/// The identity of the machine.
#[derive(Debug)]
struct Managed {
    /// Everything but the identity's id.
    address: String,
    header: (&'static str, SecretString),
    client_id: Option<String>,
}

/// Where Azure OpenAI's credentials come from, when no key is given.
pub(crate) fn find(settings: &Settings, env: Env<'_>) -> Found {
    let written = &settings.credentials;
    let client_id = written.client_id.clone().or_else(|| set(env, "AZURE_CLIENT_ID"));
    let tenant = written.tenant.clone().or_else(|| set(env, "AZURE_TENANT_ID"));
    let secret = written.client_secret.clone().or_else(|| set(env, "AZURE_CLIENT_SECRET").map(Into::into));
    let file = set(env, "AZURE_FEDERATED_TOKEN_FILE");
    let authority = set(env, "AZURE_AUTHORITY_HOST").unwrap_or_else(|| AUTHORITY.to_owned());
    let proof = secret.map(Proof::Secret).or(file.map(Proof::TokenFile));
    match (tenant, client_id, proof) {
        (Some(tenant), Some(client_id), Some(proof)) => {
            let authority = authority.trim_end_matches('/').to_owned();
            Ok(Some(Arc::new(Application { authority, tenant, client_id, proof })))
        }
        (tenant, client_id, Some(Proof::Secret(_))) => {
            let missing = if tenant.is_none() { "tenant" } else { "client_id" };
            debug_assert!(tenant.is_none() || client_id.is_none(), "one of them is missing");
            Err(format!("credentials.{missing}: is missing beside the client_secret"))
        }
        (_, client_id, _) => Ok(Some(Arc::new(managed(client_id, env)))),
    }
}

/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>, and
/// <https://learn.microsoft.com/azure/app-service/overview-managed-identity> where that is set.
fn managed(client_id: Option<String>, env: Env<'_>) -> Managed {
    if let (Some(endpoint), Some(header)) = (set(env, "IDENTITY_ENDPOINT"), set(env, "IDENTITY_HEADER")) {
        let address = format!("{endpoint}?api-version=2019-08-01&resource={}", encoded(RESOURCE));
        return Managed { address, header: ("x-identity-header", header.into()), client_id };
    }
    let host = set(env, "AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| IMDS.to_owned());
    let host = host.trim_end_matches('/');
    let path = "/metadata/identity/oauth2/token?api-version=2018-02-01";
    let address = format!("{host}{path}&resource={}", encoded(RESOURCE));
    Managed { address, header: ("metadata", "true".to_owned().into()), client_id }
}

// === impl Application ===

impl Application {
    async fn ask(&self, outside: &dyn Outside) -> Result<Fresh, Error> {
        let address = format!("{}/{}/oauth2/v2.0/token", self.authority, encoded(&self.tenant));
        let scope = format!("{RESOURCE}/.default");
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("scope", scope.as_str()),
        ];
        let federated = match &self.proof {
            Proof::Secret(secret) => {
                fields.push(("client_secret", secret.expose_secret()));
                None
            }
            // Read each time: the cluster writes a new one before the old one expires.
            Proof::TokenFile(path) => Some(
                std::fs::read_to_string(path)
                    .map_err(|error| refused(self.name(), format!("{path}: {error}")))?,
            ),
        };
        if let Some(federated) = &federated {
            fields.push(("client_assertion_type", ASSERTION));
            fields.push(("client_assertion", federated.trim()));
        }
        let request = post(&address, &fields).map_err(unbuildable(self.name()))?;
        Ok(ask::<TokenAnswer>(self.name(), outside, request).await?.at(outside.now()))
    }
}

impl Source for Application {
    fn name(&self) -> &'static str {
        "Entra ID"
    }

    fn fetch<'a>(&'a self, outside: &'a dyn Outside) -> Later<'a, Fresh> {
        Box::pin(self.ask(outside))
    }
}

// === impl Managed ===

impl Source for Managed {
    fn name(&self) -> &'static str {
        "the managed identity"
    }

    fn fetch<'a>(&'a self, outside: &'a dyn Outside) -> Later<'a, Fresh> {
        Box::pin(async move {
            let mut address = self.address.clone();
            if let Some(id) = &self.client_id {
                address.push_str(&format!("&client_id={}", encoded(id)));
            }
            let (name, value) = &self.header;
            let request =
                get(&address, &[(name, value.expose_secret())]).map_err(unbuildable(self.name()))?;
            Ok(ask::<TokenAnswer>(self.name(), outside, request).await?.at(outside.now()))
        })
    }
}
