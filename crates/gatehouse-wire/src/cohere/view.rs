//! What the pipeline needs of a caller's request, in one walk, and whether it is well formed.

use crate::anthropic::spans::{add, add_all, add_words};
use crate::codec::View;
use crate::json::{Doc, Node};
use gatehouse_core::content::Place;
use gatehouse_core::error::Error;

/// Members of a request that have a place in the canonical conversation.
pub(super) const ROOT: &[&str] = &[
    "model",
    "messages",
    "stream",
    "tools",
    "strict_tools",
    "tool_choice",
    "documents",
    "response_format",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "k",
    "p",
    "thinking",
];
/// Members that only Cohere's models know.
pub(super) const OWN: &[&str] = &["citation_options", "safety_mode", "logprobs", "priority", "raw_prompting"];
/// Members of a message that have a place.
pub(super) const MESSAGE: &[&str] = &["role", "content", "tool_calls", "tool_plan", "tool_call_id"];
const PART: &[&str] = &["type", "text", "thinking", "image_url", "document"];
const TOOL: &[&str] = &["type", "function"];
const FUNCTION: &[&str] = &["name", "description", "parameters", "arguments"];
const CALL: &[&str] = &["id", "type", "function"];

/// Reads a request.
pub(super) fn view(doc: &Doc) -> Result<View, Error> {
    let root = doc.root().want_object()?;
    root.refuse_case_variants(ROOT)?;
    root.refuse_case_variants(OWN)?;
    let model = root.need("model")?;
    if model.want_str()?.is_empty() {
        return Err(model.wrong("must name a model"));
    }
    let mut view = View { wants_usage: true, ..View::default() };
    view.model = Some((model.want_str()?.into_owned(), model.range()));
    messages(root.need("messages")?, &mut view)?;
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        member(&name, value, &mut view)?;
    }
    view.spans.sort_by_key(|span| span.range.start);
    Ok(view)
}

fn member(name: &str, value: Node<'_>, view: &mut View) -> Result<(), Error> {
    match name {
        "stream" => view.stream = value.want_bool()?,
        "max_tokens" => view.max_output_tokens = Some(value.want_u64()?),
        "strict_tools" | "logprobs" => drop(value.want_bool()?),
        "k" => drop(value.want_u64()?),
        "temperature" | "p" | "seed" | "frequency_penalty" | "presence_penalty" => drop(value.want_number()?),
        "safety_mode" => drop(value.want_str()?),
        "stop_sequences" => value.want_array()?.items().try_for_each(|one| one.want_str().map(drop))?,
        "tool_choice" => match value.want_str()?.as_ref() {
            "REQUIRED" | "NONE" => {}
            _ => return Err(value.wrong("must be REQUIRED or NONE")),
        },
        "thinking" => {
            value.want_object()?.refuse_case_variants(&["type", "token_budget"])?;
            let kind = value.need("type")?;
            match kind.want_str()?.as_ref() {
                "enabled" => view.needs.reasoning = true,
                "disabled" => {}
                _ => return Err(kind.wrong("must be enabled or disabled")),
            }
            value.opt("token_budget").map(|budget| budget.want_u64()).transpose()?;
        }
        "response_format" => {
            value.want_object()?.refuse_case_variants(&["type", "json_schema"])?;
            value.need("type")?.want_str()?;
            let schema = value.opt("json_schema").map(Node::want_object).transpose()?;
            view.needs.structured |= schema.is_some();
        }
        "tools" => {
            for one in value.want_array()?.items() {
                view.needs.tools = true;
                tool(one, view)?;
            }
        }
        "documents" => value.want_array()?.items().try_for_each(|one| document(one, Place::Input, view))?,
        _ => {}
    }
    Ok(())
}

fn tool(tool: Node<'_>, view: &mut View) -> Result<(), Error> {
    tool.want_object()?.refuse_case_variants(TOOL)?;
    let function = tool.need("function")?.want_object()?;
    function.refuse_case_variants(FUNCTION)?;
    let name = function.need("name")?;
    for text in [Some(name), function.opt("description")].into_iter().flatten() {
        text.want_str()?;
        add(text, Place::ToolDefinition, &mut view.spans);
    }
    function.opt("parameters").map(Node::want_object).transpose()?;
    Ok(())
}

/// A text, or an object whose members all are words to the model.
fn document(document: Node<'_>, place: Place, view: &mut View) -> Result<(), Error> {
    if document.is_str() {
        add(document, place, &mut view.spans);
        return Ok(());
    }
    if !document.is_object() {
        return Err(document.wrong("must be a string, or an object with \"data\""));
    }
    document.refuse_case_variants(&["id", "data"])?;
    document.opt("id").map(|id| id.want_str()).transpose()?;
    add_all(document.need("data")?, place, &mut view.spans);
    Ok(())
}

fn messages(list: Node<'_>, view: &mut View) -> Result<(), Error> {
    if list.want_array()?.is_empty() {
        return Err(list.wrong("must hold at least one message"));
    }
    for message in list.items() {
        message.want_object()?.refuse_case_variants(MESSAGE)?;
        let role = message.need("role")?;
        match role.want_str()?.as_ref() {
            "system" => content(message.need("content")?, Place::System, view)?,
            "user" => content(message.need("content")?, Place::Input, view)?,
            "assistant" => assistant(message, view)?,
            "tool" => {
                message.need("tool_call_id")?.want_str()?;
                content(message.need("content")?, Place::ToolResult, view)?;
            }
            _ => return Err(role.wrong("must be one of system, user, assistant, tool")),
        }
    }
    Ok(())
}

fn assistant(message: Node<'_>, view: &mut View) -> Result<(), Error> {
    message.opt("content").map_or(Ok(()), |body| content(body, Place::Output, view))?;
    if let Some(plan) = message.opt("tool_plan") {
        plan.want_str()?;
        add(plan, Place::Output, &mut view.spans);
    }
    let calls = message.opt("tool_calls").map(Node::want_array).transpose()?;
    for call in calls.into_iter().flat_map(|calls| calls.items()) {
        call.want_object()?.refuse_case_variants(CALL)?;
        call.need("id")?.want_str()?;
        let function = call.need("function")?.want_object()?;
        function.refuse_case_variants(FUNCTION)?;
        function.need("name")?.want_str()?;
        if let Some(arguments) = function.opt("arguments") {
            arguments.want_str()?;
            add(arguments, Place::ToolArguments, &mut view.spans);
        }
    }
    if let Some(cited) = message.opt("citations") {
        cited.items().for_each(|one| add_words(one, Place::ToolResult, &mut view.spans));
    }
    Ok(())
}

fn content(body: Node<'_>, place: Place, view: &mut View) -> Result<(), Error> {
    if body.is_str() {
        add(body, place, &mut view.spans);
        return Ok(());
    }
    if !body.is_array() {
        return Err(body.wrong("must be a string or an array of content"));
    }
    body.items().try_for_each(|one| part(one, place, view))
}

fn part(part: Node<'_>, place: Place, view: &mut View) -> Result<(), Error> {
    part.want_object()?.refuse_case_variants(PART)?;
    let kind = part.need("type")?;
    match kind.want_str()?.as_ref() {
        name @ ("text" | "thinking") => {
            let text = part.need(name)?;
            text.want_str()?;
            add(text, place, &mut view.spans);
        }
        "image_url" => {
            let image = part.need("image_url")?.want_object()?;
            image.refuse_case_variants(&["url", "detail"])?;
            image.need("url")?.want_str()?;
            (view.needs.images, view.media) = (true, view.media.saturating_add(1));
        }
        "document" => document(part.need("document")?, place, view)?,
        // What we do not know may still be words to the model.
        _ => add_words(part, place, &mut view.spans),
    }
    Ok(())
}
