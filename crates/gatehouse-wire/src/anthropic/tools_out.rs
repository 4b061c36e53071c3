//! Tools and the choice among them, written.

use super::content_out::is_object;
use super::words::write_mark;
use super::{DIALECT, schema};
use crate::chat::{Block, CacheMark, ChatRequest, Part, RawJson, Tool, ToolChoice, Turn};
use crate::json::{Doc, Out, Raw, Strictness};
use bytes::Bytes;

/// The schema of a tool without parameters: Anthropic demands one.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// Writes `tools` and `tool_choice`. `mark` decides which cache marks are kept.
pub(super) fn write(
    out: &mut Out,
    request: &ChatRequest,
    mark: impl Fn(Option<CacheMark>) -> Option<CacheMark>,
) {
    let kept: Vec<(usize, &Tool)> =
        request.tools.iter().enumerate().filter(|(_, tool)| is_kept(tool, request)).collect();
    if kept.is_empty() {
        return;
    }
    out.array_field("tools", |out| {
        for (at, tool) in kept {
            write_tool(out, at, tool, request, &mark);
        }
    });
    write_choice(out, request);
}

/// Whether the caller insists on a call: that and thinking exclude each other.
pub(crate) fn forces_a_call(request: &ChatRequest) -> bool {
    let forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. })
    );
    forced && !request.tools.is_empty()
}

/// How many cache marks a request holds.
pub(crate) fn count_marks(request: &ChatRequest) -> usize {
    let of_part = |part: &Part| match part {
        Part::Text { cache, .. } => usize::from(cache.is_some()),
        Part::Media(media) => usize::from(media.cache.is_some()),
        Part::Opaque(_) => 0,
    };
    let of_parts = |parts: &[Part]| parts.iter().map(of_part).sum::<usize>();
    let of_block = |block: &Block| match block {
        Block::Text { cache, .. } => usize::from(cache.is_some()),
        Block::ToolCall(call) => usize::from(call.cache.is_some()),
        Block::Thought(_) | Block::Refusal(_) | Block::Citations(_) | Block::Opaque(_) => 0,
    };
    let of_turn = |turn: &Turn| match turn {
        Turn::System(parts) | Turn::User(parts) => of_parts(parts),
        Turn::Assistant(blocks) => blocks.iter().map(of_block).sum(),
        Turn::ToolResults(results) => {
            results.iter().map(|one| usize::from(one.cache.is_some()) + of_parts(&one.parts)).sum()
        }
    };
    let of_tool = |tool: &Tool| match tool {
        Tool::Function { cache, .. } => usize::from(cache.is_some()),
        Tool::Hosted { .. } => 0,
    };
    request.tools.iter().map(of_tool).sum::<usize>() + request.turns.iter().map(of_turn).sum::<usize>()
}

/// Anthropic has no list of allowed tools: the others are not offered at all.
fn is_kept(tool: &Tool, request: &ChatRequest) -> bool {
    match (tool, &request.tool_choice) {
        (Tool::Hosted { definition, .. }, _) => definition.origin == DIALECT,
        (Tool::Function { name, .. }, Some(ToolChoice::Allowed { names, .. })) => names.contains(name),
        (Tool::Function { .. }, _) => true,
    }
}

fn write_tool(
    out: &mut Out,
    at: usize,
    tool: &Tool,
    request: &ChatRequest,
    mark: &impl Fn(Option<CacheMark>) -> Option<CacheMark>,
) {
    match tool {
        Tool::Hosted { definition, .. } => {
            out.item(Raw(&definition.value.0));
        }
        Tool::Function { name, description, parameters, strict, cache } => {
            out.object(|out| {
                out.field("name", name).field_opt("description", description.as_deref());
                out.field("input_schema", Raw(&input_schema(parameters.as_ref(), *strict)));
                out.field_opt("strict", *strict);
                let prefix = format!("tools[{at}].");
                for extension in request.extensions.iter().filter(|one| one.origin == DIALECT) {
                    if let Some(member) = extension.path.strip_prefix(&prefix) {
                        out.field(member, Raw(&extension.value.0));
                    }
                }
                write_mark(out, mark(*cache));
            });
        }
    }
}

/// The schema of a tool's input, which must say that it is an object.
pub(crate) fn input_schema(parameters: Option<&RawJson>, strict: Option<bool>) -> String {
    let Some(RawJson(raw)) = parameters else { return NO_PARAMETERS.to_owned() };
    if strict == Some(true) {
        return schema::fit(raw);
    }
    let parsed = Doc::parse(Bytes::copy_from_slice(raw.as_bytes()), Strictness::Provider);
    let Ok(doc) = parsed else { return NO_PARAMETERS.to_owned() };
    if !is_object(raw) || doc.root().is_empty() {
        return NO_PARAMETERS.to_owned();
    }
    if doc.root().opt("type").is_some() {
        return raw.clone();
    }
    let mut out = Out::new();
    out.object(|out| {
        out.field("type", "object");
        for (name, value) in doc.root().members() {
            if name != "type" {
                out.field(&name, Raw(value.raw()));
            }
        }
    });
    out.as_str().to_owned()
}

fn write_choice(out: &mut Out, request: &ChatRequest) {
    let serial = request.parallel_tool_calls.map(|parallel| !parallel);
    let (kind, name) = match &request.tool_choice {
        None if serial.is_none() => return,
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => ("auto", None),
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(name)),
        Some(ToolChoice::None) => ("none", None),
    };
    out.object_field("tool_choice", |out| {
        out.field("type", kind).field_opt("name", name);
        if kind != "none" {
            out.field_opt("disable_parallel_tool_use", serial);
        }
    });
}
