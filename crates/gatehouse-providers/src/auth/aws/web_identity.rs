//! A role that is taken on with a token of the cluster's (`AssumeRoleWithWebIdentity`).
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>

use crate::auth::{good, post};
use crate::credential::{AwsKeys, Credential, Env, Fresh, Later, Outside, Source, refused, set, unbuildable};
use gatehouse_core::error::Error;

/// The role, and the file in which the cluster keeps a fresh token.
#[derive(Debug)]
pub(super) struct WebIdentity {
    endpoint: String,
    role: String,
    session: String,
    token_file: String,
}

/// Set by the cluster.
pub(super) fn find(region: Option<&str>, env: Env<'_>) -> Option<WebIdentity> {
    let token_file = set(env, "AWS_WEB_IDENTITY_TOKEN_FILE")?;
    let role = set(env, "AWS_ROLE_ARN")?;
    let region = region.map(ToOwned::to_owned).or_else(|| set(env, "AWS_REGION"));
    let usual = || match region {
        Some(region) => format!("https://sts.{region}.amazonaws.com"),
        None => "https://sts.amazonaws.com".to_owned(),
    };
    Some(WebIdentity {
        endpoint: set(env, "AWS_ENDPOINT_URL_STS").unwrap_or_else(usual),
        role,
        session: set(env, "AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "gatehouse".to_owned()),
        token_file,
    })
}

/// The text of an element without children. STS answers in XML, of which these are the leaves.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let after = xml.split_once(&format!("<{name}>"))?.1;
    Some(after.split_once(&format!("</{name}>"))?.0.trim())
}

// === impl WebIdentity ===

impl WebIdentity {
    async fn ask(&self, outside: &dyn Outside) -> Result<Fresh, Error> {
        let token = std::fs::read_to_string(&self.token_file)
            .map_err(|error| refused(self.name(), format!("{}: {error}", self.token_file)))?;
        let fields = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", self.role.as_str()),
            ("RoleSessionName", self.session.as_str()),
            ("WebIdentityToken", token.trim()),
        ];
        let mut request = post(&format!("{}/", self.endpoint.trim_end_matches('/')), &fields)
            .map_err(unbuildable(self.name()))?;
        request.headers_mut().remove("accept");
        let answer = good(self.name(), outside.ask(request).await?)?;
        let xml = String::from_utf8_lossy(answer.body());
        let part = |name: &str| {
            element(&xml, name).ok_or_else(|| refused(self.name(), format!("its answer has no {name}")))
        };
        let expires = part("Expiration")?.parse::<jiff::Timestamp>();
        let expires = expires.map_err(|error| refused(self.name(), error.to_string()))?;
        let keys = AwsKeys {
            id: part("AccessKeyId")?.to_owned(),
            secret: part("SecretAccessKey")?.to_owned().into(),
            session: Some(part("SessionToken")?.to_owned().into()),
        };
        Ok(Fresh { credential: Credential::Aws(keys), expires_at: u64::try_from(expires.as_second()).ok() })
    }
}

impl Source for WebIdentity {
    fn name(&self) -> &'static str {
        "AWS' security token service"
    }

    fn fetch<'a>(&'a self, outside: &'a dyn Outside) -> Later<'a, Fresh> {
        Box::pin(self.ask(outside))
    }
}
