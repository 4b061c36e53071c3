//! Tools and the choice among them, written.

use crate::anthropic::check::Losses;
use crate::anthropic::tools_out::input_schema;
use crate::chat::{ChatRequest, Format, RawJson, Tool, ToolChoice};
use crate::json::{Doc, Out, Raw, Strictness};
use bytes::Bytes;
use gatehouse_core::error::Error;

/// A call has to be made.
const REQUIRED: &str = "REQUIRED";
/// No call may be made.
const NONE: &str = "NONE";

/// What is offered to a model.
pub(super) struct Tools<'a> {
    offered: Vec<&'a Tool>,
    choice: Option<&'static str>,
    /// Whether calls must follow the schemas: all tools', or none's.
    strict: bool,
}

// === impl Tools ===

impl<'a> Tools<'a> {
    /// Decides, and names what is left out. There is no word for one tool, or for a few of them: the others are not
    /// offered at all.
    ///
    /// # Errors
    /// `invalid_request` when a call is demanded and nothing is offered.
    pub(super) fn of(request: &'a ChatRequest, losses: &mut Losses) -> Result<Self, Error> {
        let choice = match &request.tool_choice {
            None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => None,
            Some(
                ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. },
            ) => Some(REQUIRED),
            Some(ToolChoice::None) => Some(NONE),
        };
        let mut offered: Vec<&Tool> =
            request.tools.iter().filter(|tool| is_offered(tool, request.tool_choice.as_ref())).collect();
        if choice == Some(NONE) && is_json(request.format.as_ref()) {
            // JSON is not to be had beside tools, and these are not to be called anyway.
            offered.clear();
        }
        if choice == Some(REQUIRED) && offered.is_empty() {
            let why = "tool_choice: demands a call of a tool that is not offered";
            return Err(Error::invalid("tool_choice", why));
        }
        let strict = !offered.is_empty() && offered.iter().all(|tool| can_be_strict(tool));
        let asked = offered.iter().any(|tool| matches!(tool, Tool::Function { strict: Some(true), .. }));
        losses.drop_if(asked && !strict, "strict");
        Ok(Self { offered, choice, strict })
    }

    /// Whether nothing is offered.
    pub(super) fn is_empty(&self) -> bool {
        self.offered.is_empty()
    }

    /// Writes the members, unless nothing is offered.
    pub(super) fn write(&self, out: &mut Out) {
        if self.is_empty() {
            return;
        }
        out.array_field("tools", |out| self.offered.iter().for_each(|tool| function(out, tool)));
        out.field_opt("strict_tools", self.strict.then_some(true));
        out.field_opt("tool_choice", self.choice);
    }
}

fn is_offered(tool: &Tool, choice: Option<&ToolChoice>) -> bool {
    match (tool, choice) {
        (Tool::Hosted { .. }, _) => false,
        (Tool::Function { name, .. }, Some(ToolChoice::Named(only))) => name == only,
        (Tool::Function { name, .. }, Some(ToolChoice::Allowed { names, .. })) => names.contains(name),
        (Tool::Function { .. }, _) => true,
    }
}

/// Whether a format is one of JSON.
pub(super) fn is_json(format: Option<&Format>) -> bool {
    matches!(format, Some(Format::JsonObject | Format::JsonSchema { .. }))
}

/// Strict tools need a parameter that is required. <https://docs.cohere.com/docs/structured-outputs>
fn can_be_strict(tool: &Tool) -> bool {
    let Tool::Function { strict: Some(true), parameters: Some(RawJson(raw)), .. } = tool else {
        return false;
    };
    let parsed = Doc::parse(Bytes::copy_from_slice(raw.as_bytes()), Strictness::Provider);
    parsed.is_ok_and(|doc| doc.root().opt("required").is_some_and(|names| !names.is_empty()))
}

fn function(out: &mut Out, tool: &Tool) {
    let Tool::Function { name, description, parameters, .. } = tool else { return };
    out.object(|out| {
        out.field("type", "function").object_field("function", |out| {
            out.field("name", name);
            out.field_opt("description", description.as_deref().filter(|text| !text.is_empty()));
            out.field("parameters", Raw(&input_schema(parameters.as_ref(), None)));
        });
    });
}
