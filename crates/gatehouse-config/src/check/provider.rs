//! Providers: kinds that exist, addresses, credentials, prices.

use super::address::Url;
use super::{Kind, Known, Report, limit};
use crate::file::{At, Config, Price, PromptCache, Provider};
use crate::nearest::nearest;
use crate::path::Path;
use crate::secret::Secret;
use crate::unbuilt;

/// Checks the providers.
pub(super) fn check(config: &Config, known: &Known<'_>, report: &mut Report<'_>) {
    let all = Path::of("providers");
    for (name, provider) in config.providers.iter() {
        let at = all.key(name);
        if !is_name(name) {
            report.error(&at, "a provider's name has letters, digits, \"-\", \"_\" and \".\" only");
        }
        if let Some(kind) = kind(provider, known, &at, report) {
            address(provider, kind, &at, report);
            credentials(provider, kind, &at, report);
            settings(provider, kind, &at, report);
        }
        prices(provider, &at, report);
        if provider.models.iter().any(|model| model.trim().is_empty()) {
            report.error(&at.key("models"), "has an empty name in it");
        }
        if provider.region_evidence.is_some() && provider.region.is_none() {
            report
                .warning(&at.key("region_evidence"), "proves nothing without a region; write region as well");
        }
        if provider.passthrough && config.guards.iter().any(|guard| guard.at.contains(&At::Output)) {
            let message = "answers of paths that the gateway does not know are judged only where they are JSON in one \
                           piece; others are refused to accounts with a guardrail at output";
            report.warning(&at.key("passthrough"), message);
        }
        if let Some(timeouts) = &provider.timeouts {
            limit::timeouts(timeouts, &at.key("timeouts"), report);
        }
    }
}

/// Names of providers and guardrails stand in headers and before a slash.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

fn kind<'a>(
    provider: &Provider,
    known: &'a Known<'_>,
    at: &Path,
    report: &mut Report<'_>,
) -> Option<&'a Kind> {
    let found = known.kind(&provider.api);
    if found.is_none() {
        let at = at.key("api");
        let names: Vec<&str> = known.kinds.iter().map(|kind| kind.name).collect();
        let all = names.join(", ");
        if provider.api.is_empty() {
            report.error(&at, &format!("is missing; say what the provider speaks: {all}"));
        } else if unbuilt::knows(&at, &provider.api) {
            report.error(&at, &unbuilt::message(&provider.api));
        } else {
            let meant = nearest(&provider.api, names);
            report.unknown(&at, &format!("there is no such kind of provider; there are: {all}"), meant);
        }
    }
    found
}

fn address(provider: &Provider, kind: &Kind, at: &Path, report: &mut Report<'_>) {
    let follows = kind.takes.iter().any(|name| matches!(*name, "aws_region" | "project" | "account"));
    if provider.base_url.is_some() && provider.endpoint.is_some() {
        report.error(&at.key("endpoint"), "stands beside base_url; write one of the two");
    }
    let (at, written) = match &provider.endpoint {
        Some(written) => (at.key("endpoint"), Some(written)),
        None => (at.key("base_url"), provider.base_url.as_ref()),
    };
    let Some(written) = written else {
        if kind.base_url.is_none() && !kind.built_in && !follows {
            let name = if kind.takes.contains(&"endpoint") { "endpoint: " } else { "" };
            report.error(&at, &format!("{name}is missing; this kind of provider has no address of its own"));
        }
        return;
    };
    match Url::parse(written) {
        Err(message) => report.error(&at, message),
        Ok(url) if url.is_exposed() && (provider.api_key.is_some() || !provider.api_keys.is_empty()) => {
            report.warning(&at, "the credential is sent there unencrypted; https:// would protect it");
        }
        Ok(_) => {}
    }
}

/// Settings of other kinds would do nothing here.
fn settings(provider: &Provider, kind: &Kind, at: &Path, report: &mut Report<'_>) {
    let written = [
        ("endpoint", provider.endpoint.is_some()),
        ("api_version", provider.api_version.is_some()),
        ("aws_region", provider.aws_region.is_some()),
        ("project", provider.project.is_some()),
        ("location", provider.location.is_some()),
        ("account", provider.account.is_some()),
        ("credentials", provider.credentials.is_some()),
        ("deployments", !provider.deployments.is_empty()),
        ("prompt_cache", provider.prompt_cache != PromptCache::default()),
    ];
    for (name, _) in written.into_iter().filter(|(name, is)| *is && !kind.takes.contains(name)) {
        report.error(&at.key(name), &format!("is no setting of {}; take it out", kind.name));
    }
    let has_key = provider.api_key.is_some() || !provider.api_keys.is_empty();
    if provider.credentials.is_some() && has_key {
        report.error(&at.key("credentials"), "stand beside api_key; write one of the two");
    }
    if provider.deployments.iter().any(|(model, name)| model.trim().is_empty() || name.trim().is_empty()) {
        report.error(&at.key("deployments"), "have an empty name among them");
    }
}

fn credentials(provider: &Provider, kind: &Kind, at: &Path, report: &mut Report<'_>) {
    let several = at.key("api_keys");
    let one = at.key("api_key");
    if provider.api_key.is_none() && provider.api_keys.is_empty() {
        if kind.needs_credential && !report.is_spoiled(&several) {
            let variable = kind.key_variable.unwrap_or("API_KEY");
            report.error(&one, &format!("is missing; write \"${{{variable}}}\" and set that variable"));
        }
        return;
    }
    if provider.api_key.is_some() && !provider.api_keys.is_empty() {
        report.error(&several, "stands beside api_key; write one of the two");
    }
    let listed = provider.api_keys.iter().enumerate().map(|(index, secret)| (several.index(index), secret));
    for (at, secret) in provider.api_key.iter().map(|secret| (one.clone(), secret)).chain(listed) {
        credential(secret, &at, report);
    }
}

pub(super) fn credential(secret: &Secret, at: &Path, report: &mut Report<'_>) {
    if secret.is_empty() {
        report.error(at, "is empty: what it refers to is set to nothing");
    } else if !secret.fits_a_header() {
        report.error(at, "has a line end or another control character in it; no header can carry that");
    }
}

fn prices(provider: &Provider, at: &Path, report: &mut Report<'_>) {
    for (model, price) in &provider.prices {
        let Price {
            input,
            output,
            cached_read,
            cache_write,
            cache_write_long,
            reasoning,
            character,
            image,
            audio_hour,
            search_unit,
        } = price;
        let tokens = [input, output, cached_read, cache_write, cache_write_long, reasoning];
        let units = [character, image, audio_hour, search_unit];
        if tokens.iter().chain(&units).all(|part| part.is_none()) {
            report.error(&at.key("prices").key(model), "says no price; write input and output");
        }
    }
}
