//! `tools` and `toolConfig`, read.

use super::config::extension;
use super::member::{each, get, spells, text};
use super::schema;
use crate::chat::{ChatRequest, Extension, RawJson, Tool, ToolChoice, Weight};
use crate::json::Node;
use gatehouse_core::content::Dialect;

/// Reads both, whose shapes the view has checked.
pub(super) fn read(root: Node<'_>, request: &mut ChatRequest) {
    for tool in each(get(root, "tools")) {
        for (name, value) in tool.members().filter(|(_, value)| !value.is_null()) {
            if spells(&name, "functionDeclarations") {
                each(Some(value)).for_each(|declaration| function(declaration, request));
            } else {
                // Google Search, code execution, URL context, …: Google runs them.
                let definition = Extension {
                    path: value.name(),
                    value: RawJson(value.raw().to_owned()),
                    origin: Dialect::GeminiGenerate,
                    weight: Weight::Meaning,
                };
                request.tools.push(Tool::Hosted { name: name.into_owned(), definition });
            }
        }
    }
    if let Some(config) = get(root, "toolConfig") {
        tool_config(config, request);
    }
}

fn function(declaration: Node<'_>, request: &mut ChatRequest) {
    let own = |name| get(declaration, name).map(|schema| RawJson(schema.raw().to_owned()));
    let parameters =
        own("parametersJsonSchema").or_else(|| get(declaration, "parameters").map(schema::normalised));
    request.tools.push(Tool::Function {
        name: text(declaration, "name").unwrap_or_default(),
        description: text(declaration, "description"),
        parameters,
        strict: None,
        cache: None,
    });
    const PLACED: &[&str] = &["name", "description", "parameters", "parametersJsonSchema"];
    for (name, value) in declaration.members().filter(|(_, value)| !value.is_null()) {
        if !PLACED.iter().any(|placed| spells(&name, placed)) {
            request.extensions.push(extension("", &value.name(), value, Weight::Hint));
        }
    }
}

fn tool_config(config: Node<'_>, request: &mut ChatRequest) {
    for (name, value) in config.members().filter(|(_, value)| !value.is_null()) {
        if !spells(&name, "functionCallingConfig") {
            request.extensions.push(extension("toolConfig", &name, value, Weight::Hint));
            continue;
        }
        for (name, value) in value.members().filter(|(_, value)| !value.is_null()) {
            if !["mode", "allowedFunctionNames"].iter().any(|placed| spells(&name, placed)) {
                let path = "toolConfig.functionCallingConfig";
                request.extensions.push(extension(path, &name, value, Weight::Hint));
            }
        }
        choice(value, request);
    }
}

/// `VALIDATED` is `AUTO` with arguments that follow their schemas, or any of the names that it allows.
fn choice(calling: Node<'_>, request: &mut ChatRequest) {
    let mode = text(calling, "mode").unwrap_or_default().to_ascii_uppercase();
    let names: Vec<String> =
        each(get(calling, "allowedFunctionNames")).filter_map(|name| name.str()).map(Into::into).collect();
    request.tool_choice = match (mode.as_str(), names.as_slice()) {
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY", []) => Some(ToolChoice::Required),
        ("ANY", [name]) => Some(ToolChoice::Named(name.clone())),
        ("ANY", _) => Some(ToolChoice::Allowed { names, required: true }),
        ("AUTO" | "VALIDATED", []) => Some(ToolChoice::Auto),
        (_, []) => None,
        _ => Some(ToolChoice::Allowed { names, required: false }),
    };
    if mode == "VALIDATED" && request.tool_choice == Some(ToolChoice::Auto) {
        for tool in &mut request.tools {
            if let Tool::Function { strict, .. } = tool {
                *strict = Some(true);
            }
        }
    }
}
