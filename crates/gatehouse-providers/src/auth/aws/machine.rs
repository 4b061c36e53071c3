//! Keys of the container or the machine that this runs on.
//!
//! Containers: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>. Machines, by
//! the second version of the instance metadata service only:
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>.

use super::KeysAnswer;
use crate::auth::{ask, get, good, request};
use crate::credential::{Env, Found, Fresh, Later, Outside, Source, refused, set, unbuildable};
use bytes::Bytes;
use gatehouse_core::error::Error;
use http::Method;
use std::sync::Arc;

/// Where containers ask.
const CONTAINER_HOST: &str = "http://169.254.170.2";
/// Where machines ask.
const MACHINE_HOST: &str = "http://169.254.169.254";
/// How long a session with the metadata service may live: it is used at once.
const SESSION_SECONDS: &str = "60";

/// The service beside a container.
#[derive(Debug)]
struct Container {
    address: String,
    token: Option<secrecy::SecretString>,
    token_file: Option<String>,
}

/// The instance metadata service.
#[derive(Debug)]
struct Machine {
    host: String,
}

/// The service that the environment names, else the machine's.
pub(super) fn find(env: Env<'_>) -> Found {
    let relative = set(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let relative = relative.map(|path| format!("{CONTAINER_HOST}{path}"));
    if let Some(address) = relative.or_else(|| set(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        if !is_trusted(&address) {
            return Err(format!(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI: {address:?} is neither https nor of this machine"
            ));
        }
        return Ok(Some(Arc::new(Container {
            address,
            token: set(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Into::into),
            token_file: set(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        })));
    }
    if set(env, "AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err("no keys of AWS were found, and AWS_EC2_METADATA_DISABLED is set".to_owned());
    }
    let host = set(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| MACHINE_HOST.to_owned());
    Ok(Some(Arc::new(Machine { host: host.trim_end_matches('/').to_owned() })))
}

/// Whether keys may be asked for there, as AWS' libraries have it: encrypted, or not over a network.
fn is_trusted(address: &str) -> bool {
    let Ok(uri) = address.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() == Some("https")
        || is_loopback
        || matches!(host, "localhost" | "169.254.170.2" | "169.254.170.23" | "fd00:ec2::23")
}

// === impl Container ===

impl Source for Container {
    fn name(&self) -> &'static str {
        "the container's service of AWS"
    }

    fn fetch<'a>(&'a self, outside: &'a dyn Outside) -> Later<'a, Fresh> {
        Box::pin(async move {
            use secrecy::ExposeSecret as _;
            let from_file = match &self.token_file {
                Some(path) => Some(
                    std::fs::read_to_string(path)
                        .map_err(|error| refused(self.name(), format!("{path}: {error}")))?,
                ),
                None => None,
            };
            let token = from_file.as_deref().or(self.token.as_ref().map(|token| token.expose_secret()));
            let headers: Vec<(&str, &str)> =
                token.iter().map(|token| ("authorization", token.trim())).collect();
            let request = get(&self.address, &headers).map_err(unbuildable(self.name()))?;
            Ok(ask::<KeysAnswer>(self.name(), outside, request).await?.fresh())
        })
    }
}

// === impl Machine ===

impl Machine {
    async fn ask(&self, outside: &dyn Outside) -> Result<Fresh, Error> {
        let session = request(
            Method::PUT,
            &format!("{}/latest/api/token", self.host),
            &[("x-aws-ec2-metadata-token-ttl-seconds", SESSION_SECONDS)],
            Bytes::new(),
        );
        let session = session.map_err(unbuildable(self.name()))?;
        let session = good(self.name(), outside.ask(session).await?)?;
        let session = String::from_utf8_lossy(session.body()).into_owned();
        let headers = [("x-aws-ec2-metadata-token", session.as_str())];
        let roles = format!("{}/latest/meta-data/iam/security-credentials/", self.host);
        let role = get(&roles, &headers).map_err(unbuildable(self.name()))?;
        let role = good(self.name(), outside.ask(role).await?)?;
        let role = String::from_utf8_lossy(role.body());
        let role = role.lines().next().unwrap_or_default().trim();
        if role.is_empty() {
            return Err(refused(self.name(), "the machine has no role"));
        }
        let keys = get(&format!("{roles}{role}"), &headers).map_err(unbuildable(self.name()))?;
        Ok(ask::<KeysAnswer>(self.name(), outside, keys).await?.fresh())
    }
}

impl Source for Machine {
    fn name(&self) -> &'static str {
        "the machine's metadata service of AWS"
    }

    fn fetch<'a>(&'a self, outside: &'a dyn Outside) -> Later<'a, Fresh> {
        Box::pin(self.ask(outside))
    }
}
