//! Where a provider is and how it is reached: address, credential, region, time limits.

use super::deployment::Named;
use super::params::{Param, Params};
use super::{Import, number, variable};
use crate::command::import::draft::{Provider, Text};
use gatehouse_config::file::Timeouts;
use gatehouse_providers::Provider as Kind;
use std::collections::BTreeMap;

/// What stands in the place of a key where none is needed.
const PLACEHOLDERS: [&str; 9] =
    ["none", "empty", "dummy", "fake", "fake-key", "not-needed", "not-required", "anything", "na"];
/// Ways to reach a model that stand before its name.
const ROUTES: [&str; 4] = ["converse/", "invoke/", "converse_like/", "responses/"];
/// Paths that come after the address of a provider.
const CALLS: [&str; 3] = ["/chat/completions", "/completions", "/embeddings"];

/// The kind whose address the other program writes without the version in its path: it uses another API of it.
const WITHOUT_VERSION: &str = "ollama";
const VERSION_ADDED: &str = "the address has the version in its path here: /v1 was added";
/// How the paths begin that follow the address of a cloud's.
const PATHS: [&str; 3] = ["/openai", "/v1/projects", "/v1beta1/projects"];

/// Our settings and the other's, where a kind takes them.
const SETTINGS: [(&str, &str); 4] = [
    ("api_version", "api_version"),
    ("aws_region", "aws_region_name"),
    ("project", "vertex_project"),
    ("location", "vertex_location"),
];
/// The same for credentials that are fetched.
const CREDENTIALS: [(&str, &str); 3] =
    [("tenant", "tenant_id"), ("client_id", "client_id"), ("profile", "aws_profile_name")];
/// Keys that are looked for in the environment, in variables of these names.
const IN_ENVIRONMENT: [(&str, &str); 3] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
];

impl<'a> Import<'a> {
    /// Fills in how the provider is reached, and gives the model's name there.
    pub(super) fn place(
        &mut self,
        provider: &mut Provider,
        named: &Named<'a>,
        params: &mut Params<'a>,
    ) -> &'a str {
        let kind = named.kind;
        let mut model = named.model;
        for route in ROUTES {
            model = model.strip_prefix(route).unwrap_or(model);
        }
        for (own, other) in SETTINGS.iter().filter(|(own, _)| kind.takes().contains(own)) {
            if let Some(written) = params.take(other) {
                provider.settings.insert(own, text(&written));
            }
        }
        if kind.takes().contains(&"aws_region")
            && let Some((region, rest)) = model.split_once('/').filter(|(region, _)| is_region(region))
        {
            provider.settings.insert("aws_region", Text::literal(region));
            model = rest;
        }
        self.key(provider, kind, params);
        self.fetched(provider, kind, params);
        self.address(provider, kind, params);
        self.missing(provider, kind, params);
        provider.self_hosted = is_own_server(kind) && kind.environment().base_url.is_some();
        let total = params.take("timeout").and_then(|time| self.time(&time));
        let first = params.take("stream_timeout").and_then(|time| self.time(&time));
        limit_times(&mut provider.timeouts, total, first);
        model
    }

    fn key(&mut self, provider: &mut Provider, kind: &dyn Kind, params: &mut Params<'a>) {
        let Some(written) = params.take("api_key") else {
            if kind.needs_credential() {
                let variable = key_variable(kind);
                let message = format!("no key is written: {variable} is referred to; set it");
                self.report.ask(&params.at, message);
                provider.settings.insert("api_key", Text::variable(&variable));
            }
            return;
        };
        let is_placeholder = PLACEHOLDERS.contains(&written.text.to_ascii_lowercase().as_str());
        if is_placeholder && !kind.needs_credential() {
            return self.report.differs(&written.at, "a placeholder where no key is needed: left out");
        }
        let secret = self.secret(&written, &key_variable(kind));
        provider.settings.insert("api_key", secret);
    }

    /// A secret: the reference that it was, or one that keeps it out.
    fn secret(&mut self, written: &Param<'a>, wanted: &str) -> Text {
        match variable(written.text) {
            Some(name) => Text::variable(name),
            None => self.secrets.kept_out(written.text, wanted, &written.at, &mut self.report),
        }
    }

    /// Credentials that the gateway fetches itself.
    fn fetched(&mut self, provider: &mut Provider, kind: &dyn Kind, params: &mut Params<'a>) {
        let has_key = provider.settings.contains_key("api_key");
        if !kind.takes().contains(&"credentials") || has_key {
            return;
        }
        for (own, other) in CREDENTIALS {
            if let Some(written) = params.take(other) {
                provider.credentials.insert(own, text(&written));
            }
        }
        if let Some(written) = params.take("client_secret") {
            let secret = self.secret(&written, "CLIENT_SECRET");
            provider.credentials.insert("client_secret", secret);
        }
        if let Some(written) = params.take("vertex_credentials") {
            let account = match variable(written.text) {
                Some(name) => {
                    let message = format!(
                        "the variable {name} has to hold the key file itself; for a path write ${{file:PATH}}"
                    );
                    self.report.ask(&written.at, message);
                    Text::variable(name)
                }
                None if written.text.trim_start().starts_with('{') => {
                    self.secret(&written, "SERVICE_ACCOUNT")
                }
                None => {
                    let message = format!("the file {} has to be there where the gateway runs", written.text);
                    self.report.ask(&written.at, message);
                    Text::file(written.text)
                }
            };
            provider.credentials.insert("service_account", account);
        }
        for (member, name) in IN_ENVIRONMENT {
            // Under its usual name it is found anyhow; under another one it is reported with the rest.
            if params.peek(member).and_then(variable) == Some(name) {
                params.take(member);
            }
        }
    }

    fn address(&mut self, provider: &mut Provider, kind: &dyn Kind, params: &mut Params<'a>) {
        let names = ["api_base", "base_url", "aws_bedrock_runtime_endpoint"];
        let Some(written) = names.iter().find_map(|name| params.take(name)) else { return };
        let takes_endpoint = kind.takes().contains(&"endpoint");
        let setting = if takes_endpoint { "endpoint" } else { "base_url" };
        let lacks_version = kind.name() == WITHOUT_VERSION;
        let address = match variable(written.text) {
            Some(name) if lacks_version => {
                self.report.differs(&written.at, VERSION_ADDED);
                Text::variable(name).and("/v1")
            }
            Some(name) => Text::variable(name),
            None if written.text.contains(['@', '?', '#']) => {
                let message = "has a credential or a query in it, which an address cannot have here";
                self.report.lost(&written.at, message);
                let wanted = format!("{}_BASE_URL", kind.name().to_ascii_uppercase());
                self.secrets.kept_out(written.text, &wanted, &written.at, &mut self.report)
            }
            None => {
                let mut address = written.text.trim_end_matches('/');
                for call in CALLS {
                    address = address.strip_suffix(call).unwrap_or(address);
                }
                // Addresses are often copied with the path of a call.
                for path in PATHS {
                    let cut = takes_endpoint || kind.takes().contains(&"project");
                    address = address.split_once(path).filter(|_| cut).map_or(address, |(before, _)| before);
                }
                let has_path = address.split_once("://").is_some_and(|(_, behind)| behind.contains('/'));
                if lacks_version && !has_path {
                    self.report.differs(&written.at, VERSION_ADDED);
                    Text::literal(address).and("/v1")
                } else {
                    Text::literal(address)
                }
            }
        };
        // The usual address needs not be said.
        if kind.base_url().is_none_or(|usual| usual != address.written()) {
            provider.settings.insert(setting, address);
        }
    }

    /// What the kind cannot do without, and the other program found in the environment.
    fn missing(&mut self, provider: &mut Provider, kind: &dyn Kind, params: &Params<'a>) {
        let takes = |name: &str| kind.takes().contains(&name);
        let variable = |name: Option<&str>| name.map_or_else(|| base_variable(kind), ToOwned::to_owned);
        let wanted = if takes("endpoint") {
            Some(("endpoint", variable(kind.environment().base_url)))
        } else if takes("aws_region") {
            Some(("aws_region", "AWS_REGION".to_owned()))
        } else if takes("project") {
            Some(("project", "GOOGLE_CLOUD_PROJECT".to_owned()))
        } else if kind.base_url().is_none() && kind.name() != "sim" {
            Some(("base_url", base_variable(kind)))
        } else {
            None
        };
        if let Some((setting, variable)) =
            wanted.filter(|(setting, _)| !provider.settings.contains_key(setting))
        {
            let message = format!("no {setting} is written: {variable} is referred to; set it");
            self.report.ask(&params.at, message);
            provider.settings.insert(setting, Text::variable(&variable));
        }
        if takes("location") && !provider.settings.contains_key("location") {
            self.report.differs(&params.at, "no location is written: here that means global");
        }
        if takes("credentials")
            && !provider.settings.contains_key("api_key")
            && provider.credentials.is_empty()
        {
            let message = "no credential is written: it is looked for as the cloud's own libraries do";
            self.report.differs(&params.at, message);
        }
    }

    /// A length of time in milliseconds.
    pub(super) fn time(&mut self, written: &Param<'a>) -> Option<u64> {
        let time = number::millis(written.text).filter(|millis| *millis > 0);
        if time.is_none() {
            self.report.lost(&written.at, "is no number of seconds; write it under timeouts");
        }
        time
    }
}

/// Time limits that do not contradict each other, nor those that are usual.
pub(super) fn limit_times(
    timeouts: &mut BTreeMap<&'static str, Text>,
    total: Option<u64>,
    first: Option<u64>,
) {
    let usual = Timeouts::default();
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let longest =
        total.unwrap_or_else(|| millis(usual.total.0)).min(millis(std::time::Duration::from_secs(86_400)));
    let within = |time: u64| Text::literal(&number::duration(time.min(longest)));
    if total.is_some() {
        timeouts.insert("total", within(longest));
    }
    if let Some(first) = first {
        timeouts.insert("first_token", within(first));
    } else if longest < millis(usual.first_token.0) {
        timeouts.insert("first_token", within(longest));
    }
    if longest < millis(usual.connect.0) {
        timeouts.insert("connect", within(longest));
    }
}

fn text(written: &Param<'_>) -> Text {
    variable(written.text).map_or_else(|| Text::literal(written.text), Text::variable)
}

/// Whether its address is up to its owner.
fn is_own_server(kind: &dyn Kind) -> bool {
    kind.base_url().is_none() && kind.takes().is_empty()
}

fn key_variable(kind: &dyn Kind) -> String {
    let own = || format!("{}_API_KEY", kind.name().to_ascii_uppercase());
    kind.environment().key.map_or_else(own, ToOwned::to_owned)
}

fn base_variable(kind: &dyn Kind) -> String {
    format!("{}_BASE_URL", kind.name().to_ascii_uppercase())
}

/// Whether a text is a region of AWS, such as `eu-central-1`.
fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number =
        parts.next().is_some_and(|last| last.len() == 1 && last.bytes().all(|byte| byte.is_ascii_digit()));
    number
        && (2..=3).contains(&parts.clone().count())
        && parts.all(|part| part.bytes().all(|byte| byte.is_ascii_lowercase()))
}
