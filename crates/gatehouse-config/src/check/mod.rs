//! What the types of the file cannot say: that names refer to something, that numbers are sane, that
//! secrets are there. Each fault at its place.

mod address;
mod anchor;
mod limit;
mod policy;
mod provider;
mod record;
mod retention;
mod sink;

use crate::fault::{FAULTS_MAX, Fault, Severity};
use crate::file::{Catalogue, Config};
use crate::path::Path;
use crate::tree::Node;
use crate::unbuilt;

/// What the rest of the gateway knows and a configuration may refer to.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The kinds of provider, in the order in which a start without a file offers them.
    pub kinds: &'a [Kind],
}

/// A kind of provider: what `api:` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// Whether it needs a credential.
    pub needs_credential: bool,
    /// Where it is; `None` when `base_url` must say so.
    pub base_url: Option<&'static str>,
    /// Whether it comes with the gateway and needs no address.
    pub built_in: bool,
    /// The variable that holds its credential.
    pub key_variable: Option<&'static str>,
    /// The variable that says where it is.
    pub base_url_variable: Option<&'static str>,
    /// Others which, all set, show that it is to be offered, too.
    pub also_variables: &'static [&'static str],
    /// Settings that not every kind takes, by name. With `aws_region` or `project`, its address follows from these.
    pub takes: &'static [&'static str],
}

/// Takes faults down, with their places.
pub(crate) struct Report<'a> {
    file: &'a str,
    root: &'a Node,
    faults: Vec<Fault>,
}

/// Checks a configuration.
pub(crate) fn check(config: &Config, known: &Known<'_>, report: &mut Report<'_>) {
    if config.version != 1 {
        report.error(&Path::of("version"), "this gateway reads version 1");
    }
    store(&config.store, report);
    address::listen(config, report);
    provider::check(config, known, report);
    policy::models(config, report);
    policy::guards(config, report);
    policy::teams(config, report);
    limit::check(config, report);
    record::check(config, report);
    sink::check(&config.record.sinks, report);
    retention::check(config, report);
    anchor::check(config, report);
    catalogue(&config.catalogue, report);
    if config.telemetry.otlp.as_deref().is_some_and(|otlp| address::Url::parse(otlp).is_err()) {
        let message = "is no address of a collector; write one such as http://localhost:4318";
        report.error(&Path::of("telemetry").key("otlp"), message);
    }
}

/// Checks a configuration that has no file.
pub(crate) fn without_places(config: &Config, known: &Known<'_>) -> Vec<Fault> {
    let root = Node::nowhere();
    let mut report = Report::new("environment", &root);
    check(config, known, &mut report);
    report.into_faults()
}

fn catalogue(catalogue: &Catalogue, report: &mut Report<'_>) {
    let at = Path::of("catalogue");
    let Catalogue { file, url, sha256 } = catalogue;
    if file.is_some() && url.is_some() {
        report.error(&at.key("url"), "stands beside file; write one of the two");
    }
    if url.as_deref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
        report.error(&at.key("url"), "is no address; write one such as https://example.com/catalogue.jsonl");
    }
    let is_hash = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match sha256 {
        Some(hash) if !is_hash(hash) => report.error(&at.key("sha256"), "expected 64 hexadecimal digits"),
        None if file.is_some() || url.is_some() => {
            report.error(
                &at.key("sha256"),
                "is missing; a catalogue is only taken if its hash is the one that is told",
            );
        }
        _ => {}
    }
}

fn store(store: &str, report: &mut Report<'_>) {
    let at = Path::of("store");
    match store {
        "sqlite" => {}
        "postgres" => report.error(&at, &unbuilt::message("postgres")),
        _ if store.contains("://") => {
            report.error(&at, "this version has no other store than \"sqlite\" yet and cannot honour it");
        }
        _ => report.error(&at, "expected \"sqlite\""),
    }
}

// === impl Known ===

impl Known<'_> {
    pub(crate) fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

// === impl Report ===

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, root: &'a Node) -> Self {
        Self { file, root, faults: Vec::new() }
    }

    pub(crate) fn error(&mut self, path: &Path, message: &str) {
        self.add(path, message, None, Severity::Error);
    }

    /// An error and the word that was probably meant.
    pub(crate) fn unknown(&mut self, path: &Path, message: &str, meant: Option<String>) {
        self.add(path, message, meant, Severity::Error);
    }

    pub(crate) fn warning(&mut self, path: &Path, message: &str) {
        self.add(path, message, None, Severity::Warning);
    }

    /// Whether what the path leads to could not be read, or part of it: what is said about it then only
    /// follows from the fault that was told already.
    pub(crate) fn is_spoiled(&self, path: &Path) -> bool {
        self.root.is_spoiled(&self.root.as_written(path))
    }

    /// Whether the value itself could not be read.
    pub(crate) fn is_unreadable(&self, path: &Path) -> bool {
        self.root.is_unreadable(path)
    }

    fn add(&mut self, path: &Path, message: &str, suggestion: Option<String>, severity: Severity) {
        if self.faults.len() >= FAULTS_MAX {
            return;
        }
        let path = self.root.as_written(path);
        if self.root.is_spoiled(&path) {
            return;
        }
        let mut fault = Fault::at(self.file, self.root.locate(&path), path.to_string(), message.to_owned());
        fault.suggestion = suggestion;
        fault.severity = severity;
        self.faults.push(fault);
    }

    pub(crate) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Kind, Known};

    const OPENAI: Kind = Kind {
        name: "openai",
        needs_credential: true,
        base_url: Some("https://api.openai.com/v1"),
        built_in: false,
        key_variable: Some("OPENAI_API_KEY"),
        base_url_variable: Some("OPENAI_BASE_URL"),
        also_variables: &[],
        takes: &[],
    };

    /// Four kinds that stand for all.
    pub(crate) const KNOWN: Known<'static> = Known {
        kinds: &[
            OPENAI,
            Kind {
                name: "anthropic",
                base_url: Some("https://api.anthropic.com"),
                key_variable: Some("ANTHROPIC_API_KEY"),
                base_url_variable: Some("ANTHROPIC_BASE_URL"),
                ..OPENAI
            },
            Kind {
                name: "ollama",
                needs_credential: false,
                base_url: None,
                key_variable: None,
                base_url_variable: Some("OLLAMA_HOST"),
                ..OPENAI
            },
            Kind {
                name: "sim",
                needs_credential: false,
                base_url: None,
                built_in: true,
                key_variable: None,
                base_url_variable: None,
                ..OPENAI
            },
        ],
    };
}
