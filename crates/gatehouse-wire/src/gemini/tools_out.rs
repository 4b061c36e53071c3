//! `tools` and `toolConfig`, written.

use super::request_out::{Dropped, inside};
use crate::chat::{ChatRequest, Extension, Tool, ToolChoice};
use crate::codec::Target;
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// Both members as JSON text, where there is something to say.
pub(super) struct Tools {
    pub(super) tools: Option<String>,
    pub(super) config: Option<String>,
}

/// Writes both.
pub(super) fn write(
    request: &ChatRequest,
    target: &Target<'_>,
    extensions: &[&Extension],
    dropped: &mut Dropped,
) -> Result<Tools, Error> {
    if request.parallel_tool_calls == Some(false) {
        dropped.name("parallel_tool_calls");
    }
    Ok(Tools { tools: tools(request, target, dropped)?, config: config(request, extensions) })
}

fn tools(request: &ChatRequest, target: &Target<'_>, dropped: &mut Dropped) -> Result<Option<String>, Error> {
    if request.tools.is_empty() {
        return Ok(None);
    }
    if target.capabilities.tools == Some(false) {
        return Err(Error::unsupported("tools", format!("{} does not call tools", target.model)));
    }
    for tool in &request.tools {
        match tool {
            Tool::Hosted { definition, .. } if definition.origin != Dialect::GeminiGenerate => {
                let message = format!("{} is a tool that Gemini does not have", definition.path);
                return Err(Error::unsupported(definition.path.clone(), message));
            }
            Tool::Function { cache: Some(_), .. } => dropped.name("cache marks"),
            Tool::Function { .. } | Tool::Hosted { .. } => {}
        }
    }
    let mut out = Out::new();
    out.array(|out| {
        let mut declared = false;
        for tool in &request.tools {
            if let Tool::Hosted { name, definition } = tool {
                out.object(|out| {
                    out.field(name, Raw(&definition.value.0));
                });
            } else if !std::mem::replace(&mut declared, true) {
                // All functions in one tool: Google refuses several on some models.
                out.object(|out| {
                    out.array_field("functionDeclarations", |out| {
                        request.tools.iter().for_each(|tool| declaration(out, tool));
                    });
                });
            }
        }
    });
    Ok(Some(out.as_str().to_owned()))
}

fn declaration(out: &mut Out, tool: &Tool) {
    if let Tool::Function { name, description, parameters, .. } = tool {
        out.object(|out| {
            out.field("name", name).field_opt("description", description.as_ref());
            out.field_opt("parametersJsonSchema", parameters.as_ref().map(|schema| Raw(&schema.0)));
        });
    }
}

fn config(request: &ChatRequest, extensions: &[&Extension]) -> Option<String> {
    let strict = request.tools.iter().any(|tool| matches!(tool, Tool::Function { strict: Some(true), .. }));
    let (mode, names): (Option<&str>, &[String]) = match &request.tool_choice {
        None if strict => (Some("VALIDATED"), &[]),
        None => (None, &[]),
        Some(ToolChoice::Auto) if strict => (Some("VALIDATED"), &[]),
        Some(ToolChoice::Auto) => (Some("AUTO"), &[]),
        Some(ToolChoice::None) => (Some("NONE"), &[]),
        Some(ToolChoice::Required) => (Some("ANY"), &[]),
        Some(ToolChoice::Named(name)) => (Some("ANY"), std::slice::from_ref(name)),
        Some(ToolChoice::Allowed { names, required: true }) => (Some("ANY"), names),
        // The one mode that takes names without forcing a call.
        Some(ToolChoice::Allowed { names, required: false }) => (Some("VALIDATED"), names),
    };
    let mut calling = Out::new();
    calling.object(|out| {
        out.field_opt("mode", mode);
        if !names.is_empty() {
            out.array_field("allowedFunctionNames", |out| {
                names.iter().for_each(|name| {
                    out.item(name);
                });
            });
        }
        extras(out, extensions, "toolConfig.functionCallingConfig");
    });
    let mut out = Out::new();
    out.object(|out| {
        if calling.as_str() != "{}" {
            out.field("functionCallingConfig", Raw(calling.as_str()));
        }
        extras(out, extensions, "toolConfig");
    });
    Some(out.as_str().to_owned()).filter(|text| text != "{}")
}

fn extras(out: &mut Out, extensions: &[&Extension], container: &str) {
    for extension in inside(extensions, container) {
        let name = extension.path.rsplit('.').next().unwrap_or_default();
        out.field(name, Raw(&extension.value.0));
    }
}
