//! Tools and the choice among them, written.

use super::content_out;
use super::model::Maker;
use crate::anthropic::check::Losses;
use crate::anthropic::tools_out::input_schema;
use crate::chat::{Block, CacheMark, ChatRequest, Tool, ToolChoice, Turn};
use crate::json::{Out, Raw};
use std::collections::BTreeSet;

/// Writes `toolConfig`, which is demanded wherever the conversation holds calls, tools or not: a call of a
/// tool that is not offered any more stands for its declaration then. `mark` decides which cache marks are
/// kept.
pub(super) fn write(
    out: &mut Out,
    request: &ChatRequest,
    maker: Maker,
    mark: impl Fn(Option<CacheMark>) -> Option<CacheMark>,
    losses: &mut Losses,
) {
    let called = called(request);
    let forbidden = request.tool_choice == Some(ToolChoice::None);
    if forbidden && called.is_empty() {
        return;
    }
    // There is no word for "none": with calls behind it the model cannot be kept from the next.
    losses.drop_if(forbidden && !request.tools.is_empty(), "tool_choice");
    let kept: Vec<&Tool> = request.tools.iter().filter(|tool| is_kept(tool, request)).collect();
    if kept.is_empty() && called.is_empty() {
        return;
    }
    out.object_field("toolConfig", |out| {
        out.array_field("tools", |out| {
            for tool in &kept {
                function(out, tool, maker, &mark, losses);
            }
            if kept.is_empty() {
                called.iter().for_each(|name| declaration(out, name));
            }
        });
        if !kept.is_empty() {
            choice(out, request.tool_choice.as_ref());
        }
    });
}

/// The names of the tools that were called in the conversation.
fn called(request: &ChatRequest) -> BTreeSet<&str> {
    let blocks = request.turns.iter().flat_map(|turn| match turn {
        Turn::Assistant(blocks) => blocks.as_slice(),
        Turn::System(_) | Turn::User(_) | Turn::ToolResults(_) => &[],
    });
    let names = blocks.filter_map(|block| match block {
        Block::ToolCall(call) => Some(call.name.as_str()),
        _ => None,
    });
    names.collect()
}

/// Converse has no list of allowed tools: the others are not offered at all.
fn is_kept(tool: &Tool, request: &ChatRequest) -> bool {
    match (tool, &request.tool_choice) {
        (Tool::Hosted { .. }, _) => false,
        (Tool::Function { name, .. }, Some(ToolChoice::Allowed { names, .. })) => names.contains(name),
        (Tool::Function { .. }, _) => true,
    }
}

fn function(
    out: &mut Out,
    tool: &Tool,
    maker: Maker,
    mark: &impl Fn(Option<CacheMark>) -> Option<CacheMark>,
    losses: &mut Losses,
) {
    let Tool::Function { name, description, parameters, strict, cache } = tool else { return };
    // Those of other makers refuse the member.
    losses.drop_if(*strict == Some(true) && maker != Maker::Anthropic, "strict");
    let strict = strict.filter(|strict| *strict && maker == Maker::Anthropic);
    out.object(|out| {
        out.object_field("toolSpec", |out| {
            out.field("name", name);
            out.field_opt("description", description.as_deref().filter(|text| !text.is_empty()));
            out.object_field("inputSchema", |out| {
                out.field("json", Raw(&input_schema(parameters.as_ref(), strict)));
            });
            out.field_opt("strict", strict);
        });
    });
    if let Some(kept) = mark(*cache) {
        if maker == Maker::Anthropic {
            content_out::cache_point(out, kept);
        } else {
            losses.drop("cache_control");
        }
    }
}

/// What stands for a tool of which only its calls are known.
fn declaration(out: &mut Out, name: &str) {
    out.object(|out| {
        out.object_field("toolSpec", |out| {
            out.field("name", name);
            out.object_field("inputSchema", |out| {
                out.field("json", Raw(&input_schema(None, None)));
            });
        });
    });
}

fn choice(out: &mut Out, choice: Option<&ToolChoice>) {
    let (member, name) = match choice {
        None | Some(ToolChoice::None) => return,
        Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => ("auto", None),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(name)),
    };
    out.object_field("toolChoice", |out| {
        out.object_field(member, |out| {
            out.field_opt("name", name);
        });
    });
}
