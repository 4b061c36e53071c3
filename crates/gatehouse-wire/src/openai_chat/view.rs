//! What the pipeline needs of a request, in one walk, and whether it is well formed.

use super::members;
use super::view_messages::messages;
use crate::codec::View;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::Error;

/// Reads a request.
pub(super) fn view(doc: &Doc) -> Result<View, Error> {
    let root = doc.root().want_object()?;
    let mut view = View::default();
    let (mut messages_node, mut safety_identifier) = (None, None);
    let mut all_known = true;
    for (name, value) in root.members() {
        all_known &= members::is_root(&name);
        if value.is_null() {
            continue;
        }
        match name.as_ref() {
            "model" => view.model = Some((model(value)?, value.range())),
            "messages" => messages_node = Some(value),
            "stream" => view.stream = value.want_bool()?,
            "stream_options" => view.wants_usage = wants_usage(value)?,
            "n" => view.choices = value.want_u64()?,
            "max_completion_tokens" => view.max_output_tokens = Some(value.want_u64()?),
            "max_tokens" => {
                let limit = value.want_u64()?;
                view.max_output_tokens = view.max_output_tokens.or(Some(limit));
            }
            "user" => view.user = Some(value.want_str()?.into_owned()),
            "safety_identifier" => safety_identifier = Some(value.want_str()?.into_owned()),
            "metadata" => view.metadata = labels(value)?,
            "service_tier" => view.service_tier = Some(value.want_str()?.into_owned()),
            _ => member(&name, value, &mut view)?,
        }
    }
    if !all_known {
        for known in [members::CANONICAL, members::HINTS, members::MEANINGS] {
            root.refuse_case_variants(known)?;
        }
    }
    view.user = view.user.or(safety_identifier);
    if view.model.is_none() {
        root.need("model")?;
    }
    match messages_node {
        Some(node) => messages(node, &mut view)?,
        None => drop(root.need("messages")?),
    }
    Ok(view)
}

/// A model is named by a text that is not empty.
fn model(value: Node<'_>) -> Result<String, Error> {
    let name = value.want_str()?;
    if name.is_empty() { Err(value.wrong("must not be empty")) } else { Ok(name.into_owned()) }
}

/// Whether the caller wants the usage in the stream.
pub(super) fn wants_usage(options: Node<'_>) -> Result<bool, Error> {
    let options = options.want_object()?;
    options.refuse_case_variants(&["include_usage"])?;
    options.opt("include_usage").map_or(Ok(false), |value| value.want_bool())
}

/// The caller's labels.
pub(super) fn labels(value: Node<'_>) -> Result<Vec<(String, String)>, Error> {
    let pairs = value.want_object()?.members();
    pairs.map(|(name, value)| Ok((name.into_owned(), value.want_str()?.into_owned()))).collect()
}

/// The members that say what is needed of the model, and those whose type alone matters.
fn member(name: &str, value: Node<'_>, view: &mut View) -> Result<(), Error> {
    match name {
        "tools" => {
            for tool in value.want_array()?.items() {
                view.needs.tools = true;
                self::tool(tool, &mut view.spans)?;
            }
        }
        "functions" => {
            for function in value.want_array()?.items() {
                view.needs.tools = true;
                self::function(function, &mut view.spans)?;
            }
        }
        "response_format" => {
            let format = value.want_object()?;
            format.refuse_case_variants(&["type", "json_schema", "schema"])?;
            let kind = format.need("type")?.want_str()?;
            view.needs.structured |= kind == "json_schema" || format.opt("schema").is_some();
        }
        "modalities" => {
            let mut wanted = value.want_array()?.items();
            view.needs.audio |= wanted.any(|one| one.str().is_some_and(|one| one == "audio"));
        }
        "prediction" => {
            if let Some(content) = value.want_object()?.opt("content") {
                texts_below(content, Place::Input, &mut view.spans);
            }
        }
        "reasoning_effort" => view.needs.reasoning |= value.want_str()? != "none",
        "reasoning" | "thinking" => {
            let kind = value.want_object()?.opt("type").and_then(|kind| kind.str());
            view.needs.reasoning |= kind.is_none_or(|kind| kind != "disabled");
        }
        "temperature" | "top_p" | "presence_penalty" | "frequency_penalty" | "seed" | "random_seed" => {
            value.want_number()?;
        }
        "n" | "top_k" | "top_logprobs" => drop(value.want_u64()?),
        "parallel_tool_calls" | "logprobs" | "store" => drop(value.want_bool()?),
        "stop" if value.is_array() => value.items().try_for_each(|one| one.want_str().map(drop))?,
        "stop" => drop(value.want_str().map_err(|_| value.wrong("must be a string or an array of strings"))?),
        "tool_choice" | "function_call" if !value.is_str() && !value.is_object() => {
            return Err(value.wrong("must be a string or an object"));
        }
        _ => {}
    }
    Ok(())
}

fn tool(tool: Node<'_>, spans: &mut Vec<Span>) -> Result<(), Error> {
    let tool = tool.want_object()?;
    tool.refuse_case_variants(members::TOOL)?;
    if let Some(kind) = tool.opt("type") {
        kind.want_str()?;
    }
    match tool.opt("function").or_else(|| tool.opt("custom")) {
        Some(function) => self::function(function, spans),
        // A hosted tool is named by its type. Only functions may come without one (Mistral).
        None => match tool.need("type")?.want_str()?.as_ref() {
            "function" | "custom" => tool.need("function").map(drop),
            _ => Ok(()),
        },
    }
}

fn function(function: Node<'_>, spans: &mut Vec<Span>) -> Result<(), Error> {
    let function = function.want_object()?;
    function.refuse_case_variants(members::FUNCTION)?;
    let name = function.need("name")?;
    name.want_str()?;
    spans.push(Span { range: name.inner_range(), place: Place::ToolDefinition });
    if let Some(description) = function.opt("description") {
        description.want_str()?;
        spans.push(Span { range: description.inner_range(), place: Place::ToolDefinition });
    }
    if let Some(parameters) = function.opt("parameters") {
        parameters.want_object()?;
    }
    Ok(())
}

/// Every text at or below `node`: for what only the provider understands.
pub(super) fn texts_below(node: Node<'_>, place: Place, spans: &mut Vec<Span>) {
    if node.is_str() {
        spans.push(Span { range: node.inner_range(), place });
    }
    node.items().for_each(|item| texts_below(item, place, spans));
    for (name, value) in node.members() {
        if name != "type" && name != "id" {
            texts_below(value, place, spans);
        }
    }
}
