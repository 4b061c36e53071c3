//! What a request is signed with, and where it comes from when it is not written down.
//!
//! Clouds give out credentials for an hour: a [`Source`] knows whom to ask for one. It asks through
//! [`Outside`], so that it can be tested without a network; who keeps what it brings, and when it asks again,
//! is the server's business.

use bytes::Bytes;
use gatehouse_core::error::{Code, Error};
use http::{Request, Response};
use secrecy::SecretString;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

/// What a request is signed with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A key of the provider's own.
    Key(SecretString),
    /// An access token of OAuth 2.0.
    Token(SecretString),
    /// Keys for AWS' Signature Version 4.
    Aws(AwsKeys),
}

/// Keys of AWS.
#[derive(Clone, Debug)]
pub struct AwsKeys {
    /// The access key's id, which is no secret.
    pub id: String,
    /// The secret access key.
    pub secret: SecretString,
    /// The session token of temporary keys.
    pub session: Option<SecretString>,
}

/// A credential that was fetched.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The credential.
    pub credential: Credential,
    /// Until when it is good, in Unix seconds; `None` when it does not expire.
    pub expires_at: Option<u64>,
}

/// A future that can be kept.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// What fetching a credential needs of the outside.
pub trait Outside: Send + Sync {
    /// Sends a request with a whole address and reads the whole answer, whatever its status. Neither is large.
    fn ask(&self, request: Request<Bytes>) -> Later<'_, Response<Bytes>>;

    /// The time, in Unix seconds.
    fn now(&self) -> u64;
}

/// Whom to ask for a credential.
pub trait Source: Debug + Send + Sync {
    /// What it is called in messages.
    fn name(&self) -> &'static str;

    /// Fetches a credential.
    ///
    /// # Errors
    /// `upstream_auth_failed` when it is refused, saying by whom; what [`Outside::ask`] says when nobody answers.
    fn fetch<'a>(&'a self, outside: &'a dyn Outside) -> Later<'a, Fresh>;
}

/// The environment of the process, by name of the variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where a provider's credentials come from.
pub type Found = Result<Option<Arc<dyn Source>>, String>;

// === impl Credential ===

impl Credential {
    /// The key or token.
    ///
    /// # Errors
    /// `internal_error` for keys of AWS, which never stand in a header themselves.
    pub fn secret(&self) -> Result<&SecretString, Error> {
        match self {
            Self::Key(secret) | Self::Token(secret) => Ok(secret),
            Self::Aws(_) => {
                Err(Error::new(Code::Internal, "this provider is not asked with a signature of AWS"))
            }
        }
    }
}

// === for the sources ===

/// An environment that takes an empty variable for none.
pub(crate) fn set(env: Env<'_>, name: &str) -> Option<String> {
    env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What to say when somebody who gives out credentials refuses.
pub(crate) fn refused(who: &str, detail: impl Into<String>) -> Error {
    Error::new(Code::UpstreamAuthFailed, format!("no credential for the provider: {who} gave none"))
        .detail(detail.into())
}

/// What a request that cannot be built says: its parts come from the configuration.
pub(crate) fn unbuildable(who: &str) -> impl Fn(http::Error) -> Error + '_ {
    move |error| refused(who, error.to_string())
}
