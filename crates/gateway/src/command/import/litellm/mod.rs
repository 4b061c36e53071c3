//! LiteLLM's `config.yaml` as a draft of ours. Pure: a document in, a draft and a report out.
//!
//! The format: <https://docs.litellm.ai/docs/proxy/configs>. Every member is either mapped or has a line in the
//! report; what is not known by name, too.

mod deployment;
mod guards;
mod number;
mod params;
mod place;
mod routing;
mod settings;
mod unmapped;

use super::Imported;
use super::draft::Draft;
use super::report::{At, Report};
use super::secrets::Secrets;
use gatehouse_config::foreign::{Content, Foreign};
use gatehouse_config::{Fault, Faults};
use routing::Fallback;

/// How a value refers to a variable.
const VARIABLE: &str = "os.environ/";
/// What a configuration of LiteLLM has at least one of.
const SECTIONS: [&str; 5] =
    ["model_list", "litellm_settings", "router_settings", "general_settings", "guardrails"];

/// An import under way.
#[derive(Default)]
struct Import<'a> {
    draft: Draft,
    report: Report,
    secrets: Secrets,
    /// Named credentials that entries of the model list refer to.
    credentials: Vec<(&'a str, &'a Foreign)>,
    /// The names that callers use, each with its targets and their order.
    groups: Vec<Group>,
    fallbacks: Vec<Fallback>,
    /// The name, what it stands for, where.
    aliases: Vec<(String, String, At)>,
}

/// A name that callers use.
struct Group {
    name: String,
    targets: Vec<(u64, String)>,
}

/// Maps a document.
///
/// # Errors
/// It is none of LiteLLM's, or a part of it is not what it has to be.
pub(super) fn import(document: &Foreign, file: &str) -> Result<Imported, Faults> {
    let is_known = |name: &&str| document.get(name).is_some();
    if !SECTIONS.iter().any(is_known) {
        let message = format!("this is no configuration of LiteLLM: it has none of {}", SECTIONS.join(", "));
        return Err(fault(file, document.line, &message));
    }
    let used = document.texts().into_iter().filter_map(|text| text.strip_prefix(VARIABLE));
    let mut import = Import { secrets: Secrets::new(used), ..Import::default() };
    // What others refer to comes first.
    for (name, value) in document.members() {
        if name == "credential_list" {
            import.credentials = credentials(value);
        }
    }
    for (name, value) in document.members() {
        section(&mut import, name, value, file)?;
    }
    import.route();
    let heading = format!("# Imported from {file}. Secrets stand here by reference only.\n");
    Ok(Imported { draft: import.draft, report: import.report, heading })
}

fn section<'a>(import: &mut Import<'a>, name: &str, value: &'a Foreign, file: &str) -> Result<(), Faults> {
    let at = At::default().key(name, value.line);
    match (name, &value.content) {
        (_, Content::Nothing) | ("credential_list", _) => {}
        ("model_list", Content::List(items)) => import.models(items, &at, file)?,
        ("guardrails", Content::List(items)) => import.guards(items, &at),
        ("litellm_settings", Content::Section(_)) => import.litellm_settings(value, &at),
        ("router_settings", Content::Section(_)) => import.router_settings(value, &at),
        ("general_settings", Content::Section(_)) => import.general_settings(value, &at),
        ("environment_variables", Content::Section(variables)) => {
            for (name, value) in variables {
                let message =
                    format!("set the variable {name} where the gateway runs; its value was not copied");
                import.report.ask(&at.key(name, value.line), message);
            }
        }
        ("model_list" | "guardrails", _) => {
            return Err(fault(file, value.line, &format!("{name}: expected a list")));
        }
        (name, _) if SECTIONS.contains(&name) || name == "environment_variables" => {
            return Err(fault(file, value.line, &format!("{name}: expected a section")));
        }
        (name, _) => import.unmapped(unmapped::TOP, name, &at),
    }
    Ok(())
}

fn credentials(list: &Foreign) -> Vec<(&str, &Foreign)> {
    let named = |item: &'_ Foreign| item.get("credential_name").and_then(Foreign::text).is_some();
    let pair = |item| {
        let item: &Foreign = item;
        Some((item.get("credential_name")?.text()?, item.get("credential_values")?))
    };
    list.items().iter().filter(|item| named(item)).filter_map(pair).collect()
}

fn fault(file: &str, line: usize, message: &str) -> Faults {
    let mut fault = Fault::of_file(file, message);
    fault.line = line;
    fault.column = 1;
    Faults(vec![fault])
}

/// The variable that a text refers to, if it is such a reference.
fn variable(text: &str) -> Option<&str> {
    text.strip_prefix(VARIABLE)
}

// === impl Import ===

impl Import<'_> {
    /// Says what becomes of a member that has no place of its own in our configuration.
    fn unmapped(&mut self, table: &[unmapped::Row], name: &str, at: &At) {
        match table.iter().find(|(names, ..)| names.contains(&name)) {
            Some((_, unmapped::Fate::Lost, message)) => self.report.lost(at, *message),
            Some((_, unmapped::Fate::Differs, message)) => self.report.differs(at, *message),
            Some((_, unmapped::Fate::Needless, _)) => {}
            None => self.report.lost(at, "this version has nothing of the kind"),
        }
    }
}

#[cfg(test)]
mod tests;
