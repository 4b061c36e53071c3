//! A configuration from nothing but the environment: the providers whose variables are set.

use crate::check::{self, Known};
use crate::fault::{Fault, Faults, Severity};
use crate::file::{Config, Ordered, Provider};
use crate::loaded::{Loaded, digest};
use crate::secret::Secret;
use secrecy::SecretString;
use std::fmt::Write as _;

/// Where calls arrive, instead of `listen`.
pub const LISTEN_VARIABLE: &str = "GATEHOUSE_LISTEN";
/// The administration side, instead of `admin.listen`.
pub const ADMIN_LISTEN_VARIABLE: &str = "GATEHOUSE_ADMIN_LISTEN";
/// Where Ollama is; of all the variables for addresses, the only one whose value is often no URL.
const OLLAMA_VARIABLE: &str = "OLLAMA_HOST";
/// Ollama's port, where none is given.
const OLLAMA_PORT: &str = "11434";

/// What a start without a file uses: the providers whose variables are set, else the simulated one.
///
/// # Errors
/// Values that cannot be used.
pub fn from_environment(env: &dyn Fn(&str) -> Option<String>, known: &Known<'_>) -> Result<Loaded, Faults> {
    let mut config = Config { providers: providers(env, known), ..Config::default() };
    listen_where_told(&mut config, env);
    let (faults, warnings): (Vec<Fault>, Vec<Fault>) = check::without_places(&config, known)
        .into_iter()
        .partition(|fault| fault.severity == Severity::Error);
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    Ok(Loaded { version: digest(&canonical(&config)), config, warnings })
}

/// The providers of the environment, in the order of the kinds.
pub(crate) fn providers(env: &dyn Fn(&str) -> Option<String>, known: &Known<'_>) -> Ordered<Provider> {
    let set = |name: Option<&str>| name.and_then(env).filter(|value| !value.trim().is_empty());
    let mut all = Vec::new();
    for kind in known.kinds {
        let (key, address) = (set(kind.key_variable), set(kind.base_url_variable));
        let also = !kind.also_variables.is_empty()
            && kind.also_variables.iter().all(|name| set(Some(name)).is_some());
        let offered = if kind.key_variable.is_some() { key.is_some() || also } else { address.is_some() };
        // A resource of one's own cannot be guessed from its key.
        let is_placed = kind.base_url.is_some() || kind.base_url_variable.is_none() || address.is_some();
        if !offered || !is_placed {
            continue;
        }
        let base_url = address.map(|address| match kind.base_url_variable {
            Some(OLLAMA_VARIABLE) => ollama(&address),
            _ => address.trim().to_owned(),
        });
        let provider = Provider {
            api: kind.name.to_owned(),
            api_key: key.map(|key| Secret(SecretString::from(key.trim().to_owned()))),
            base_url,
            self_hosted: kind.key_variable.is_none(),
            ..Provider::default()
        };
        all.push((kind.name.to_owned(), provider));
    }
    if all.is_empty() {
        let simulated = known.kinds.iter().filter(|kind| kind.built_in);
        all.extend(simulated.map(|kind| {
            (kind.name.to_owned(), Provider { api: kind.name.to_owned(), ..Provider::default() })
        }));
    }
    Ordered(all)
}

/// The two addresses that containers set from outside.
pub(crate) fn listen_where_told(config: &mut Config, env: &dyn Fn(&str) -> Option<String>) {
    if let Some(listen) = env(LISTEN_VARIABLE).filter(|listen| !listen.is_empty()) {
        config.listen = listen;
    }
    if let Some(listen) = env(ADMIN_LISTEN_VARIABLE).filter(|listen| !listen.is_empty()) {
        config.admin.listen = listen;
    }
}

/// `OLLAMA_HOST` as Ollama's own programs read it: scheme and port may be missing, and the address that it
/// listens on may be all of them. <https://docs.ollama.com/faq>
fn ollama(written: &str) -> String {
    let written = written.trim().trim_end_matches('/');
    let (scheme, rest) = written.split_once("://").unwrap_or(("http", written));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, "v1"));
    let authority = authority.replace("0.0.0.0", "127.0.0.1");
    let authority = authority.strip_prefix(':').map_or(authority.clone(), |port| format!("127.0.0.1:{port}"));
    let behind_host = authority.rsplit_once(']').map_or(authority.as_str(), |(_, behind)| behind);
    match (behind_host.contains(':'), scheme) {
        (false, "http") if written.starts_with("http://") => format!("{scheme}://{authority}/{path}"),
        (false, "http") => format!("{scheme}://{authority}:{OLLAMA_PORT}/{path}"),
        _ => format!("{scheme}://{authority}/{path}"),
    }
}

/// What the environment amounts to, without secrets: which providers, and where.
fn canonical(config: &Config) -> String {
    let mut text = format!("environment\nlisten {}\nadmin {}\n", config.listen, config.admin.listen);
    for (name, provider) in config.providers.iter() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "provider {name} {}", provider.base_url.as_deref().unwrap_or("-"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{from_environment, ollama};
    use crate::check::tests::KNOWN;
    use secrecy::ExposeSecret as _;

    #[test]
    fn without_keys_there_is_the_simulated_provider() {
        let loaded = from_environment(&|_| None, &KNOWN).unwrap();
        let names: Vec<&str> = loaded.config.providers.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["sim"]);
    }

    #[test]
    fn keys_and_addresses_make_providers() {
        let env = |name: &str| match name {
            "OPENAI_API_KEY" => Some("sk-1".to_owned()),
            "ANTHROPIC_API_KEY" => Some(String::new()),
            "OPENAI_BASE_URL" => Some("https://eu.api.openai.com/v1".to_owned()),
            "OLLAMA_HOST" => Some("127.0.0.1:11434".to_owned()),
            "GATEHOUSE_LISTEN" => Some("127.0.0.1:9999".to_owned()),
            _ => None,
        };
        let loaded = from_environment(&env, &KNOWN).unwrap();
        let names: Vec<&str> = loaded.config.providers.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["openai", "ollama"]);
        let openai = loaded.config.providers.get("openai").unwrap();
        assert_eq!(openai.api_key.as_ref().unwrap().0.expose_secret(), "sk-1");
        assert_eq!(openai.base_url.as_deref(), Some("https://eu.api.openai.com/v1"));
        assert_eq!(
            loaded.config.providers.get("ollama").unwrap().base_url.as_deref(),
            Some("http://127.0.0.1:11434/v1")
        );
        assert_eq!(loaded.config.listen, "127.0.0.1:9999");
    }

    #[test]
    fn the_version_follows_what_is_offered_and_not_the_secret() {
        let with = |key: &'static str| move |name: &str| (name == "OPENAI_API_KEY").then(|| key.to_owned());
        let version = |key: &'static str| from_environment(&with(key), &KNOWN).unwrap().version;
        assert_eq!(version("a"), version("b"));
        assert_ne!(version("a"), from_environment(&|_| None, &KNOWN).unwrap().version);
    }

    #[test]
    fn ollamas_address_is_read_as_ollama_does() {
        for (written, url) in [
            ("127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
            ("http://gpu.internal:8000/", "http://gpu.internal:8000/v1"),
            ("https://ollama.example", "https://ollama.example/v1"),
            ("http://ollama.example", "http://ollama.example/v1"),
            ("http://gateway:80/ollama/v1", "http://gateway:80/ollama/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            (":8080", "http://127.0.0.1:8080/v1"),
            ("[::1]", "http://[::1]:11434/v1"),
            ("gpu", "http://gpu:11434/v1"),
        ] {
            assert_eq!(ollama(written), url, "{written}");
        }
    }
}
