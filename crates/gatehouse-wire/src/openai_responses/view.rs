//! What the pipeline needs to know of a request, in one walk, and what is wrong with it.

use super::texts::{place_of, search};
use super::{ITEM, PART, ROOT, TOOL, item_type};
use crate::codec::View;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::Error;

/// See [`crate::codec::Codec::view`].
pub(super) fn view(doc: &Doc) -> Result<View, Error> {
    let root = doc.root().want_object()?;
    root.refuse_case_variants(ROOT)?;
    let mut view = View { wants_usage: true, ..View::default() };
    for (name, value) in root.members() {
        if !value.is_null() {
            member(&mut view, &name, value)?;
        }
    }
    if view.model.is_none() {
        root.need("model")?;
    }
    let elsewhere = ["previous_response_id", "conversation", "prompt"];
    if root.opt("input").is_none() && !elsewhere.iter().any(|name| root.opt(name).is_some()) {
        root.need("input")?;
    }
    if root.opt("input").is_some_and(|input| input.is_array() && input.is_empty())
        && !elsewhere.iter().any(|name| root.opt(name).is_some())
    {
        return Err(Error::invalid("input", "input: must hold at least one item"));
    }
    view.spans.sort_unstable_by_key(|span| span.range.start);
    Ok(view)
}

fn member(view: &mut View, name: &str, value: Node<'_>) -> Result<(), Error> {
    match name {
        "model" => {
            let model = value.want_str()?;
            if model.is_empty() {
                return Err(value.wrong("must not be empty"));
            }
            view.model = Some((model.into_owned(), value.range()));
        }
        "stream" => view.stream = value.want_bool()?,
        "max_output_tokens" => view.max_output_tokens = Some(value.want_u64()?),
        "instructions" => {
            value.want_str()?;
            span(view, value, Place::System);
        }
        "input" if value.is_str() => span(view, value, Place::Input),
        "input" => {
            if !value.is_array() {
                return Err(value.wrong("must be a string or an array of items"));
            }
            value.items().try_for_each(|one| item(view, one))?;
        }
        "tools" => {
            view.needs.tools = !value.want_array()?.is_empty();
            value.items().try_for_each(|one| tool(view, one))?;
        }
        "text" => text(view, value.want_object()?)?,
        "reasoning" => {
            let effort = value.want_object()?.opt("effort").map(|word| word.want_str()).transpose()?;
            view.needs.reasoning = effort.is_some_and(|word| word != "none");
        }
        "prompt" => {
            let variables = value.want_object()?.opt("variables");
            variables.into_iter().for_each(|all| search(all, &mut |text| span(view, text, Place::Input)));
        }
        "user" => view.user = Some(value.want_str()?.into_owned()),
        "safety_identifier" => {
            let user = value.want_str()?.into_owned();
            view.user.get_or_insert(user);
        }
        "metadata" => view.metadata = labels(value)?,
        "service_tier" => view.service_tier = Some(value.want_str()?.into_owned()),
        "temperature" | "top_p" => {
            value.want_number()?;
        }
        "store" | "background" | "parallel_tool_calls" => {
            value.want_bool()?;
        }
        "previous_response_id" | "truncation" => {
            value.want_str()?;
        }
        "include" => {
            value.want_array()?;
        }
        _ => {}
    }
    Ok(())
}

/// `metadata`: names and texts.
pub(super) fn labels(value: Node<'_>) -> Result<Vec<(String, String)>, Error> {
    let members = value.want_object()?.members();
    members.map(|(name, text)| Ok((name.into_owned(), text.want_str()?.into_owned()))).collect()
}

fn text(view: &mut View, text: Node<'_>) -> Result<(), Error> {
    let Some(format) = text.opt("format") else { return Ok(()) };
    let kind = format.want_object()?.need("type")?.want_str()?;
    if kind == "json_schema" {
        view.needs.structured = true;
        format.need("schema")?.want_object()?;
    }
    if let Some(description) = format.opt("description") {
        description.want_str()?;
        span(view, description, Place::ToolDefinition);
    }
    Ok(())
}

fn item(view: &mut View, item: Node<'_>) -> Result<(), Error> {
    item.want_object()?.refuse_case_variants(ITEM)?;
    let kind = item_type(item)?;
    match kind.as_ref() {
        "message" => {
            let place = place(item.need("role")?)?;
            content(view, item.need("content")?, place)
        }
        "function_call" | "custom_tool_call" => {
            item.need("call_id")?.want_str()?;
            item.need("name")?.want_str()?;
            let member = if kind == "function_call" { "arguments" } else { "input" };
            let arguments = item.need(member)?;
            arguments.want_str()?;
            span(view, arguments, Place::ToolArguments);
            Ok(())
        }
        "function_call_output" | "custom_tool_call_output" => {
            item.need("call_id")?.want_str()?;
            content(view, item.need("output")?, Place::ToolResult)
        }
        "reasoning" => {
            let lists = ["summary", "content"].into_iter().filter_map(|name| item.opt(name));
            for list in lists {
                list.want_array()?.items().try_for_each(|one| part(view, one, Place::Output))?;
            }
            Ok(())
        }
        other => {
            let place = place_of(other);
            search(item, &mut |text| span(view, text, place));
            Ok(())
        }
    }
}

/// What the words of a role are.
fn place(role: Node<'_>) -> Result<Place, Error> {
    match role.want_str()?.as_ref() {
        "user" => Ok(Place::Input),
        "assistant" => Ok(Place::Output),
        "system" | "developer" => Ok(Place::System),
        _ => Err(role.wrong("must be \"user\", \"assistant\", \"system\" or \"developer\"")),
    }
}

/// A text, or a list of parts.
fn content(view: &mut View, content: Node<'_>, place: Place) -> Result<(), Error> {
    if content.is_str() {
        span(view, content, place);
        return Ok(());
    }
    if !content.is_array() {
        return Err(content.wrong("must be a string or an array of parts"));
    }
    content.items().try_for_each(|one| part(view, one, place))
}

fn part(view: &mut View, part: Node<'_>, place: Place) -> Result<(), Error> {
    part.want_object()?.refuse_case_variants(PART)?;
    let kind = part.need("type")?.want_str()?;
    match kind.as_ref() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" | "refusal" => {
            let text = part.need(if kind == "refusal" { "refusal" } else { "text" })?;
            text.want_str()?;
            span(view, text, place);
        }
        "input_image" => {
            view.needs.images = true;
            view.media += 1;
            one_of(part, &["image_url", "file_id"])?;
        }
        "input_file" => {
            view.needs.documents = true;
            view.media += 1;
            one_of(part, &["file_data", "file_url", "file_id"])?;
            if let Some(name) = part.opt("filename") {
                name.want_str()?;
                span(view, name, place);
            }
        }
        "input_audio" => {
            view.needs.audio = true;
            view.media += 1;
            part.need("input_audio")?.want_object()?.need("data")?.want_str()?;
        }
        _ => search(part, &mut |text| span(view, text, place)),
    }
    Ok(())
}

/// A medium has to be somewhere.
fn one_of(part: Node<'_>, names: &[&str]) -> Result<(), Error> {
    let mut given = names.iter().filter_map(|name| part.opt(name)).peekable();
    if given.peek().is_none() {
        return Err(part.wrong(&format!("needs one of {}", names.join(", "))));
    }
    given.try_for_each(|source| source.want_str().map(drop))
}

fn tool(view: &mut View, tool: Node<'_>) -> Result<(), Error> {
    tool.want_object()?.refuse_case_variants(TOOL)?;
    let kind = tool.need("type")?.want_str()?;
    match kind.as_ref() {
        "function" | "custom" | "namespace" => {
            let name = tool.need("name")?;
            name.want_str()?;
            span(view, name, Place::ToolDefinition);
            if let Some(description) = tool.opt("description") {
                description.want_str()?;
                span(view, description, Place::ToolDefinition);
            }
            if let Some(parameters) = tool.opt("parameters") {
                parameters.want_object()?;
            }
            if let Some(grammar) = tool.path(&["format", "definition"]).filter(Node::is_str) {
                span(view, grammar, Place::ToolDefinition);
            }
            if kind == "namespace" {
                let inner = tool.need("tools")?.want_array()?;
                return inner.items().try_for_each(|one| self::tool(view, one));
            }
        }
        _ => search(tool, &mut |text| span(view, text, Place::ToolDefinition)),
    }
    Ok(())
}

fn span(view: &mut View, text: Node<'_>, place: Place) {
    view.spans.push(Span { range: text.inner_range(), place });
}
