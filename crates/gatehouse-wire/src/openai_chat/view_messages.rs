//! The conversation in a request: its texts, its media, its form.

use super::members;
use super::view::texts_below;
use crate::codec::View;
use crate::json::Node;
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::Error;

/// Reads `messages`.
pub(super) fn messages(list: Node<'_>, view: &mut View) -> Result<(), Error> {
    if list.want_array()?.is_empty() {
        return Err(list.wrong("must not be empty"));
    }
    list.items().try_for_each(|one| message(one, view))
}

fn message(message: Node<'_>, view: &mut View) -> Result<(), Error> {
    let message = message.want_object()?;
    let (mut role, mut body, mut all_known) = (None, None, true);
    for (name, value) in message.members() {
        match name.as_ref() {
            "role" => role = Some(value),
            "content" => body = Some(value).filter(|body| !body.is_null()),
            name => all_known &= members::MESSAGE.contains(&name) || members::MESSAGE_EXTRA.contains(&name),
        }
    }
    if !all_known {
        message.refuse_case_variants(members::MESSAGE)?;
        message.refuse_case_variants(members::MESSAGE_EXTRA)?;
    }
    let Some(role) = role else { return message.need("role").map(drop) };
    let word = role.want_str()?;
    match word.as_ref() {
        "system" | "developer" => content(need(message, body)?, Place::System, view),
        "user" => content(need(message, body)?, Place::Input, view),
        "tool" => {
            message.need("tool_call_id")?.want_str()?;
            content(need(message, body)?, Place::ToolResult, view)
        }
        "function" => {
            message.need("name")?.want_str()?;
            body.map_or(Ok(()), |body| content(body, Place::ToolResult, view))
        }
        "assistant" => {
            if let Some(body) = body {
                content(body, Place::Output, view)?;
            }
            assistant(message, view)
        }
        _ => Err(role.wrong("must be one of system, developer, user, assistant, tool, function")),
    }
}

fn need<'a>(message: Node<'a>, body: Option<Node<'a>>) -> Result<Node<'a>, Error> {
    body.map_or_else(|| message.need("content"), Ok)
}

/// What a model said beside its content: reasoning, a refusal, calls.
fn assistant(message: Node<'_>, view: &mut View) -> Result<(), Error> {
    for (name, value) in message.members().filter(|(_, value)| !value.is_null()) {
        match name.as_ref() {
            "refusal" | "reasoning_content" | "reasoning" => {
                value.want_str()?;
                view.spans.push(Span { range: value.inner_range(), place: Place::Output });
            }
            "thinking_blocks" | "reasoning_details" => {
                reasoning_texts(value.want_array()?, &mut view.spans);
            }
            "tool_calls" => {
                for call in value.want_array()?.items() {
                    tool_call(call, &mut view.spans)?;
                }
            }
            "function_call" => called(value, &mut view.spans)?,
            _ => {}
        }
    }
    Ok(())
}

/// The readable texts of sealed reasoning.
pub(super) fn reasoning_texts(list: Node<'_>, spans: &mut Vec<Span>) {
    for entry in list.items() {
        let texts = ["thinking", "text", "summary"].iter().filter_map(|name| entry.opt(name));
        spans.extend(
            texts
                .filter(|text| text.is_str() && !text.is_empty())
                .map(|text| Span { range: text.inner_range(), place: Place::Output }),
        );
    }
}

fn tool_call(call: Node<'_>, spans: &mut Vec<Span>) -> Result<(), Error> {
    let call = call.want_object()?;
    call.refuse_case_variants(members::TOOL_CALL)?;
    call.need("id")?.want_str()?;
    match call.opt("custom") {
        Some(custom) => called(custom, spans),
        None => called(call.need("function")?, spans),
    }
}

fn called(function: Node<'_>, spans: &mut Vec<Span>) -> Result<(), Error> {
    let function = function.want_object()?;
    function.refuse_case_variants(members::FUNCTION)?;
    function.need("name")?.want_str()?;
    if let Some(arguments) = function.opt("arguments").or_else(|| function.opt("input")) {
        arguments.want_str()?;
        spans.push(Span { range: arguments.inner_range(), place: Place::ToolArguments });
    }
    Ok(())
}

/// The content of a message: a text or parts.
fn content(body: Node<'_>, place: Place, view: &mut View) -> Result<(), Error> {
    if body.is_str() {
        view.spans.push(Span { range: body.inner_range(), place });
        return Ok(());
    }
    if !body.is_array() {
        return Err(body.wrong("must be a string or an array of content parts"));
    }
    body.items().try_for_each(|one| part(one, place, view))
}

fn part(part: Node<'_>, place: Place, view: &mut View) -> Result<(), Error> {
    let part = part.want_object()?;
    part.refuse_case_variants(members::PART)?;
    match part.need("type")?.want_str()?.as_ref() {
        kind @ ("text" | "refusal") => {
            let text = part.need(kind)?;
            text.want_str()?;
            view.spans.push(Span { range: text.inner_range(), place });
        }
        "image_url" => {
            address(part.need("image_url")?)?;
            (view.needs.images, view.media) = (true, view.media.saturating_add(1));
        }
        "input_audio" => {
            part.need("input_audio")?;
            (view.needs.audio, view.media) = (true, view.media.saturating_add(1));
        }
        "file" => {
            if let Some(name) = part.need("file")?.want_object()?.opt("filename") {
                name.want_str()?;
                view.spans.push(Span { range: name.inner_range(), place });
            }
            (view.needs.documents, view.media) = (true, view.media.saturating_add(1));
        }
        "document_url" => {
            address(part.need("document_url")?)?;
            (view.needs.documents, view.media) = (true, view.media.saturating_add(1));
        }
        "video_url" => {
            address(part.need("video_url")?)?;
            view.media = view.media.saturating_add(1);
        }
        // What we do not know may still be words to the model.
        _ => texts_below(part, place, &mut view.spans),
    }
    Ok(())
}

/// `{url}`, or the bare address (Mistral).
fn address(node: Node<'_>) -> Result<(), Error> {
    if node.is_str() {
        return Ok(());
    }
    node.want_object()?.refuse_case_variants(&["url", "detail"])?;
    node.need("url")?.want_str().map(drop)
}
