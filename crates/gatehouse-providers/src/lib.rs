//! Who answers: each provider's address, signature and quirks.
//!
//! A [`Provider`] is a set of pure functions: it turns a finished body into a signed HTTP request and never
//! touches the network. Most providers speak OpenAI's dialects with small differences, so they are values
//! of [`compatible::Compatible`], twenty lines each. To add one: a file in `kinds/` and its word in the
//! list of [`kinds`].
//!
//! What it does *not* know: policies, prices, the caller.

mod auth;
pub mod bucket;
pub mod compatible;
pub mod credential;
pub mod kinds;
pub mod settings;
mod sigv4;

use credential::{Credential, Env, Found};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::codec::Quirks;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use secrecy::{ExposeSecret, SecretString};
use settings::Settings;

/// What is to be sent, apart from the body.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The wire format of the body.
    pub dialect: Dialect,
    /// Which of the dialect's calls.
    pub action: Action,
    /// The model's name at the provider, for those that have it in the path.
    pub model: &'a str,
    /// Where the provider is, without a trailing slash.
    pub base_url: &'a str,
    /// The credential, where one is needed.
    pub credential: Option<&'a Credential>,
    /// What the configuration says of the provider.
    pub settings: &'a Settings,
    /// The body, for signatures over it.
    pub body: &'a [u8],
    /// The time, in Unix seconds, for signatures that name it.
    pub now: u64,
    /// The caller's own headers, for the few that a provider of the same dialect understands.
    pub caller: &'a HeaderMap,
}

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// The method.
    pub method: &'a Method,
    /// The whole address.
    pub uri: &'a Uri,
    /// The credential, where one is needed.
    pub credential: Option<&'a Credential>,
    /// What the configuration says of the provider.
    pub settings: &'a Settings,
    /// The body, for signatures over it.
    pub body: &'a [u8],
    /// The time, in Unix seconds, for signatures that name it.
    pub now: u64,
}

/// Which call of a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// An answer in one piece.
    Generate,
    /// An answer as a stream.
    Stream,
    /// The number of tokens of a request.
    CountTokens,
    /// The vectors of several texts (Gemini has a path of its own for one text).
    EmbedMany,
}

/// Where a request goes and what it carries.
#[derive(Debug)]
pub struct Addressed {
    /// The address.
    pub uri: Uri,
    /// The headers, the credential among them.
    pub headers: HeaderMap,
}

/// A kind of provider: what `api:` in the configuration names.
pub trait Provider: Send + Sync {
    /// Its name in the configuration and in the price list.
    fn name(&self) -> &'static str;

    /// Its `gen_ai.provider.name` in traces and metrics, where OpenTelemetry's conventions have a word for it.
    fn convention_name(&self) -> &'static str {
        self.name()
    }

    /// What configurations of other programs call it, for those who move from them.
    fn also_called(&self) -> &'static [&'static str] {
        &[]
    }

    /// Where it is unless configured otherwise. `None` for servers of one's own, and where the address follows
    /// from other settings.
    fn base_url(&self) -> Option<&'static str>;

    /// Settings of the configuration that not every kind takes, by name.
    fn takes(&self) -> &'static [&'static str] {
        &[]
    }

    /// The settings with those that the environment adds.
    fn settled(&self, settings: Settings, _: Env<'_>) -> Settings {
        settings
    }

    /// Where it is, by its settings.
    ///
    /// # Errors
    /// What is missing, in words for the one who wrote them.
    fn place(&self, settings: &Settings, _: Env<'_>) -> Result<String, String> {
        let own = || self.base_url().map(ToOwned::to_owned);
        settings
            .base_url
            .clone()
            .or_else(own)
            .ok_or_else(|| "base_url: is required for this kind of provider".to_owned())
    }

    /// Where its credentials come from when no key is written; none where only keys are known.
    ///
    /// # Errors
    /// What is missing or unreadable, in words for the one who runs it.
    fn credentials(&self, _: &Settings, _: Env<'_>) -> Found {
        Ok(None)
    }

    /// The variables that a start without configuration looks for.
    fn environment(&self) -> Environment;

    /// The wire format in which it serves `front` with this model: the same where it can, else the one to translate to.
    /// `None` when it has nothing of the kind (embeddings at Anthropic).
    fn dialect(&self, front: Dialect, model: &str) -> Option<Dialect>;

    /// What the model is called in the messages of a session.
    fn session_model(&self, _: Dialect, _: &Settings, model: &str) -> String {
        model.to_owned()
    }

    /// Whether it counts tokens itself for callers of this dialect.
    fn counts_tokens(&self, dialect: Dialect) -> bool;

    /// How it differs from the dialect in which it serves a model.
    fn quirks(&'static self, model: &str) -> &'static Quirks;

    /// The name that prices and capabilities are listed under.
    fn catalogue_name<'a>(&self, model: &'a str) -> &'a str {
        model
    }

    /// Whether it needs a credential.
    fn needs_credential(&self) -> bool {
        true
    }

    /// Prefixes of model names that are surely its own, for names without a provider.
    fn model_prefixes(&self) -> &'static [&'static str] {
        &[]
    }

    /// A small model of it that has a price, for the example that a newcomer is shown. `None` for servers of
    /// one's own: which models they have is up to their owner.
    fn example_model(&self) -> Option<&'static str> {
        None
    }

    /// Puts the credential into a request, whatever it is for.
    ///
    /// # Errors
    /// When the credential cannot be put into a request.
    fn sign(&self, signing: &Signing<'_>, headers: &mut HeaderMap) -> Result<(), Error> {
        if let Some(credential) = signing.credential {
            headers.insert(http::header::AUTHORIZATION, secret_header("Bearer ", credential.secret()?)?);
        }
        Ok(())
    }

    /// Addresses and signs a request.
    ///
    /// # Errors
    /// When the address or the credential cannot be put into a request.
    fn address(&self, outgoing: &Outgoing<'_>) -> Result<Addressed, Error>;
}

/// Variables of the environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Holds the credential.
    pub key: Option<&'static str>,
    /// Overrides the address.
    pub base_url: Option<&'static str>,
    /// Others which, all set, show that it is to be offered, too: its credential is found by
    /// [`Provider::credentials`].
    pub also: &'static [&'static str],
}

/// Request headers of a caller that reach a provider of the same family.
const FORWARDED: &[&str] = &["anthropic-beta", "anthropic-version", "openai-beta"];

// === for the providers ===

// === impl Outgoing ===

impl<'a> Outgoing<'a> {
    /// What is to be signed of it. All of these are posted.
    #[must_use]
    pub fn signing(&self, uri: &'a Uri) -> Signing<'a> {
        Signing {
            method: &Method::POST,
            uri,
            credential: self.credential,
            settings: self.settings,
            body: self.body,
            now: self.now,
        }
    }
}

/// Joins base, path and query into an address.
///
/// # Errors
/// `internal_error` when they do not make one: the configuration is checked before.
pub fn uri(base_url: &str, path: &str) -> Result<Uri, Error> {
    format!("{}{path}", base_url.trim_end_matches('/')).parse().map_err(|error| {
        Error::new(Code::Internal, "the provider's address is not valid").detail(format!("{error}"))
    })
}

/// The headers of every request, with the caller's that are passed on.
#[must_use]
pub fn headers(caller: &HeaderMap, forward: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(http::header::USER_AGENT, USER_AGENT);
    for name in FORWARDED.iter().filter(|name| forward.contains(name)) {
        for value in caller.get_all(*name) {
            headers.append(HeaderName::from_static(name), value.clone());
        }
    }
    headers
}

/// What we call ourselves towards providers.
pub const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("gatehouse/", env!("CARGO_PKG_VERSION")));

/// A header that holds a credential; it prints as `Sensitive`.
///
/// # Errors
/// `internal_error` when the credential has characters that no header can hold.
pub fn secret_header(prefix: &str, secret: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("{prefix}{}", secret.expose_secret()))
        .map_err(|_| Error::new(Code::Internal, "the provider's credential cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Puts a credential where a cloud looks for it: a key of its own into this header, a token where tokens stand.
///
/// # Errors
/// As [`secret_header`]'s, and for keys of AWS.
pub(crate) fn key_or_token(
    headers: &mut HeaderMap,
    name: &'static str,
    credential: Option<&Credential>,
) -> Result<(), Error> {
    match credential {
        Some(Credential::Key(key)) => headers.insert(HeaderName::from_static(name), secret_header("", key)?),
        Some(other) => {
            headers.insert(http::header::AUTHORIZATION, secret_header("Bearer ", other.secret()?)?)
        }
        None => None,
    };
    Ok(())
}
