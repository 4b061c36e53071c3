//! A file of variables (`.env`) as a draft: the providers that a start without configuration would offer, each
//! credential by reference. The variables are those of the gateway's own start, and some that SDKs know beside them.

use super::Imported;
use super::draft::{Draft, Provider, Text};
use super::report::{At, Report};
use crate::settings::known_kinds;
use gatehouse_config::{Fault, Faults, Known, from_environment};
use gatehouse_providers::{Provider as Kind, kinds};

/// Other names of variables, and ours.
const ALSO: &[(&str, &str)] = &[
    ("OPENAI_API_BASE", "OPENAI_BASE_URL"),
    ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
    ("AZURE_OPENAI_KEY", "AZURE_OPENAI_API_KEY"),
    ("AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"),
    ("AZURE_OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"),
    ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    ("AWS_REGION_NAME", "AWS_REGION"),
    ("AWS_DEFAULT_REGION", "AWS_REGION"),
];
/// Where applications say the version of a dated API.
const API_VERSIONS: [&str; 3] = ["AZURE_OPENAI_API_VERSION", "AZURE_API_VERSION", "OPENAI_API_VERSION"];
/// Variables that cannot go over: how they end, what to do instead.
const ENDS: &[(&str, &str)] = &[
    (
        "_API_KEY",
        "no kind of provider in this version is known by it; one that speaks OpenAI's API is api: compatible",
    ),
    (
        "_BASE_URL",
        "no kind of provider in this version is known by it; one that speaks OpenAI's API is api: compatible",
    ),
    ("_ORG_ID", "make the key for that organisation; no such header is sent"),
    ("_ORGANIZATION", "make the key for that organisation; no such header is sent"),
    ("_PROJECT_ID", "make the key for that project; no such header is sent"),
    ("_MODEL", "callers name the model: provider/model, or a name under models"),
    ("_DEPLOYMENT", "callers name it: provider/deployment; write the model's name for it under deployments"),
    (
        "_DEPLOYMENT_NAME",
        "callers name it: provider/deployment; write the model's name for it under deployments",
    ),
    ("_PROXY", "providers are reached directly"),
];

/// A variable that is set.
struct Variable<'a> {
    name: &'a str,
    value: &'a str,
    line: usize,
}

/// Maps a file.
///
/// # Errors
/// A line that is none of `NAME=value`, values that cannot be used, or no provider at all.
pub(super) fn import(text: &str, file: &str) -> Result<Imported, Faults> {
    let variables = variables(text, file)?;
    // The last of several lines counts, as it does where such files are loaded.
    let own = |name: &str| {
        variables.iter().rev().find(|variable| variable.name == name && !variable.value.is_empty())
    };
    let find = |name: &str| {
        own(name).or_else(|| ALSO.iter().filter(|(_, ours)| *ours == name).find_map(|(other, _)| own(other)))
    };
    let known_kinds = known_kinds();
    let env =
        |name: &str| find(name).filter(|_| !name.starts_with("GATEHOUSE_")).map(|one| one.value.to_owned());
    let loaded =
        from_environment(&env, &Known { kinds: &known_kinds }).map_err(|faults| of_file(faults, file))?;
    let (mut draft, mut report) = (Draft::default(), Report::default());
    let mut seen: Vec<&str> = API_VERSIONS.to_vec();
    for (name, provider) in loaded.config.providers.iter() {
        let Some(kind) = kinds::find(&provider.api) else { continue };
        let environment = kind.environment();
        let named = [environment.key, environment.base_url];
        if !named.iter().flatten().chain(environment.also).any(|name| find(name).is_some()) {
            continue;
        }
        seen.extend(named.iter().flatten().chain(environment.also).filter_map(|name| Some(find(name)?.name)));
        let mut made = Provider { self_hosted: provider.self_hosted, ..Provider::new(kind) };
        if let Some(key) = environment.key.and_then(find) {
            made.settings.insert("api_key", Text::variable(key.name));
            told_to_callers(kind, key, &mut report);
        }
        place(&mut made, kind, provider.base_url.as_deref(), find);
        draft.providers.push((name.to_owned(), made));
    }
    if draft.providers.is_empty() {
        let known: Vec<&str> = kinds::ALL.iter().filter_map(|kind| kind.environment().key).collect();
        let message = format!("sets none of the variables of a provider: {}", known.join(", "));
        return Err(Faults(vec![Fault::of_file(file, message)]));
    }
    left_over(&variables, &seen, &mut report);
    let heading = format!(
        "# Imported from {file}. Secrets stand here by reference only: load that file where the gateway runs.\n"
    );
    Ok(Imported { draft, report, heading })
}

fn place<'a>(
    made: &mut Provider,
    kind: &dyn Kind,
    address: Option<&str>,
    find: impl Fn(&str) -> Option<&'a Variable<'a>>,
) {
    let takes = |name: &str| kind.takes().contains(&name);
    if let Some(address) = address.filter(|address| kind.base_url() != Some(address)) {
        let setting = if takes("endpoint") { "endpoint" } else { "base_url" };
        made.settings.insert(setting, Text::literal(address));
    }
    let version = API_VERSIONS.iter().find_map(|name| find(name));
    if let Some(version) = version.filter(|_| takes("api_version")) {
        made.settings.insert("api_version", Text::literal(version.value));
    }
    if let Some(region) = find("AWS_REGION").filter(|_| takes("aws_region")) {
        made.settings.insert("aws_region", Text::literal(region.value));
    }
}

/// Applications change two of their variables: that is all that a gateway asks of them.
fn told_to_callers(kind: &dyn Kind, key: &Variable<'_>, report: &mut Report) {
    if let Some(address) = kind.environment().base_url {
        let message = format!(
            "keep it where the gateway runs; in applications it becomes a caller key (gatehouse key create), and {address} the \
             gateway's address"
        );
        report.ask(&At::default().key(key.name, key.line), message);
    }
}

/// What is no variable of a provider that was found.
fn left_over(variables: &[Variable<'_>], seen: &[&str], report: &mut Report) {
    let rest =
        variables.iter().filter(|variable| !seen.contains(&variable.name) && !variable.value.is_empty());
    let is_ours = |name: &str| {
        let own = |kind: &&'static dyn Kind| {
            let environment = kind.environment();
            [environment.key, environment.base_url].contains(&Some(name)) || environment.also.contains(&name)
        };
        name.starts_with("GATEHOUSE_")
            || kinds::ALL.iter().any(own)
            || ALSO.iter().any(|(other, _)| *other == name)
    };
    for variable in rest {
        let at = At::default().key(variable.name, variable.line);
        if let Some((_, message)) =
            ENDS.iter().find(|(end, _)| variable.name.ends_with(end) && !is_ours(variable.name))
        {
            report.lost(&at, *message);
        } else if is_ours(variable.name) && !variable.name.starts_with("GATEHOUSE_") {
            report.lost(&at, "says where or who a provider is whose other variables are not set, or stands behind another one");
        }
    }
}

/// The lines `NAME=value`, `export NAME=value`, with or without quotes.
fn variables<'a>(text: &'a str, file: &str) -> Result<Vec<Variable<'a>>, Faults> {
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, written) in text.lines().enumerate() {
        let line = index + 1;
        let written = written.trim();
        if written.is_empty() || written.starts_with('#') {
            continue;
        }
        let written = written.strip_prefix("export ").unwrap_or(written);
        match written.split_once('=').map(|(name, value)| (name.trim(), unquoted(value.trim()))) {
            Some((name, Some(value))) if is_name(name) => all.push(Variable { name, value, line }),
            _ => {
                // The line itself may be a secret.
                let mut fault = Fault::of_file(file, "expected NAME=value");
                (fault.line, fault.column) = (line, 1);
                faults.push(fault);
            }
        }
    }
    if faults.is_empty() { Ok(all) } else { Err(Faults(faults)) }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A value without its quotes, or without the comment behind it. `None` when a quote does not end.
fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            return quoted.split_once(quote).map(|(value, _)| value);
        }
    }
    Some(value.split(" #").next().unwrap_or(value).trim_end())
}

fn of_file(mut faults: Faults, file: &str) -> Faults {
    faults.0.iter_mut().for_each(|fault| file.clone_into(&mut fault.file));
    faults
}

#[cfg(test)]
mod tests {
    use super::import;

    #[test]
    fn providers_are_found_and_secrets_stay_behind() {
        let text = "# keys\nexport OPENAI_API_KEY=\"sk-canary\"\nAZURE_API_KEY=az-canary # new\n\
                    AZURE_API_BASE='https://acme.openai.azure.com'\nOPENAI_API_VERSION=2024-10-21\n\
                    NOVEL_API_KEY=x-canary\nDATABASE_URL=postgres://u:p@h/d\nOPENAI_MODEL=gpt-4o\n";
        let imported = import(text, ".env").unwrap();
        let written = imported.draft.written(&imported.heading);
        assert!(
            written.contains("  openai:\n    api: openai\n    api_key: \"${OPENAI_API_KEY}\"\n"),
            "{written}"
        );
        assert!(written.contains("    endpoint: https://acme.openai.azure.com\n"), "{written}");
        assert!(
            written.contains("api_key: \"${AZURE_API_KEY}\"\n    api_version: \"2024-10-21\""),
            "{written}"
        );
        let report = format!("{:?}", imported.report);
        assert!(!written.contains("canary") && !report.contains("canary"), "{report}");
        assert!(
            report.contains("NOVEL_API_KEY")
                && report.contains("OPENAI_MODEL")
                && !report.contains("DATABASE_URL")
        );
    }

    #[test]
    fn what_is_no_variable_has_its_line_and_is_not_shown() {
        let faults = import("OPENAI_API_KEY=x\nsk-canary\nA='x\n", ".env").err().unwrap().to_string();
        assert!(faults.starts_with(".env:2:1: expected NAME=value\n.env:3:1"), "{faults}");
        assert!(!faults.contains("canary"));
        assert!(import("A=b\n", ".env").err().unwrap().to_string().contains("OPENAI_API_KEY"));
    }
}
