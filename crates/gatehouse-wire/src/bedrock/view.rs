//! What the pipeline needs of a caller's request, in one walk, and whether it is well formed.

use crate::anthropic::spans::{add, add_all, add_words};
use crate::codec::View;
use crate::json::{Doc, Node, Strictness};
use bytes::Bytes;
use gatehouse_core::content::Place;
use gatehouse_core::error::Error;

/// Members of a request that have a place in the canonical conversation.
pub(super) const ROOT: &[&str] = &[
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "outputConfig",
    "serviceTier",
    "requestMetadata",
    "additionalModelRequestFields",
];
/// Members that only Bedrock knows.
const OWN: &[&str] =
    &["guardrailConfig", "promptVariables", "additionalModelResponseFieldPaths", "performanceConfig"];
/// What a block may be.
const BLOCK: &[&str] = &[
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
    "toolAddition",
    "toolRemoval",
    "json",
];
const INFERENCE: &[&str] = &["maxTokens", "temperature", "topP", "stopSequences"];
const TOOL: &[&str] = &["toolSpec", "systemTool", "cachePoint"];
const SPEC: &[&str] = &["name", "description", "inputSchema", "strict"];

/// Reads a request.
pub(super) fn view(doc: &Doc) -> Result<View, Error> {
    let root = doc.root().want_object()?;
    root.refuse_case_variants(ROOT)?;
    root.refuse_case_variants(OWN)?;
    let mut view = View { wants_usage: true, ..View::default() };
    messages(root.need("messages")?, &mut view)?;
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        member(&name, value, &mut view)?;
    }
    view.spans.sort_by_key(|span| span.range.start);
    Ok(view)
}

/// Members of `additionalModelRequestFields` that set how a model thinks, in words of its maker's.
const SETTINGS: [&str; 5] =
    ["thinking", "reasoning_config", "reasoningConfig", "reasoning_effort", "output_config"];

fn member(name: &str, value: Node<'_>, view: &mut View) -> Result<(), Error> {
    match name {
        "system" => value.want_array()?.items().try_for_each(|one| block(one, Place::System, view))?,
        "inferenceConfig" => inference(value.want_object()?, view)?,
        "toolConfig" => tools(value.want_object()?, view)?,
        "outputConfig" => output(value.want_object()?, view)?,
        "serviceTier" => {
            value.want_object()?.refuse_case_variants(&["type"])?;
            view.service_tier = Some(value.need("type")?.want_str()?.into_owned());
        }
        "requestMetadata" => {
            for (name, label) in value.want_object()?.members() {
                view.metadata.push((name.into_owned(), label.want_str()?.into_owned()));
            }
        }
        "additionalModelRequestFields" => {
            // Whatever its model takes: instructions and tools among it.
            let said = value.want_object()?.members().filter(|(name, _)| !SETTINGS.contains(&name.as_ref()));
            said.for_each(|(_, one)| add_all(one, Place::Input, &mut view.spans));
            view.needs.reasoning |= super::additional::reasoning(value).is_some_and(|how| how.is_on());
        }
        // Texts of a stored prompt.
        "promptVariables" => add_all(value.want_object()?, Place::Input, &mut view.spans),
        "guardrailConfig" | "performanceConfig" => drop(value.want_object()?),
        _ => {}
    }
    Ok(())
}

fn inference(config: Node<'_>, view: &mut View) -> Result<(), Error> {
    config.refuse_case_variants(INFERENCE)?;
    if let Some(limit) = config.opt("maxTokens") {
        view.max_output_tokens = Some(limit.want_u64()?);
    }
    for number in ["temperature", "topP"].into_iter().filter_map(|name| config.opt(name)) {
        number.want_number()?;
    }
    let stop = config.opt("stopSequences").map(Node::want_array).transpose()?;
    stop.into_iter().flat_map(|stop| stop.items()).try_for_each(|one| one.want_str().map(drop))
}

fn output(config: Node<'_>, view: &mut View) -> Result<(), Error> {
    config.refuse_case_variants(&["textFormat", "effort"])?;
    config.opt("effort").map(|effort| effort.want_str()).transpose()?;
    let Some(format) = config.opt("textFormat") else { return Ok(()) };
    format.want_object()?.refuse_case_variants(&["type", "structure"])?;
    let schema = format.need("structure")?.need("jsonSchema")?.want_object()?.need("schema")?;
    let text = schema.want_str()?.into_owned();
    if Doc::parse(Bytes::from(text), Strictness::Provider).is_err() {
        return Err(schema.wrong("must be a schema, written as a string of JSON"));
    }
    view.needs.structured = true;
    Ok(())
}

fn tools(config: Node<'_>, view: &mut View) -> Result<(), Error> {
    config.refuse_case_variants(&["tools", "toolChoice"])?;
    for tool in config.need("tools")?.want_array()?.items() {
        tool.want_object()?.refuse_case_variants(TOOL)?;
        if let Some(spec) = tool.opt("toolSpec") {
            view.needs.tools = true;
            spec.want_object()?.refuse_case_variants(SPEC)?;
            for text in [Some(spec.need("name")?), spec.opt("description")].into_iter().flatten() {
                text.want_str()?;
                add(text, Place::ToolDefinition, &mut view.spans);
            }
            spec.need("inputSchema")?.want_object()?.need("json")?.want_object()?;
            spec.opt("strict").map(|strict| strict.want_bool()).transpose()?;
        } else if let Some(system) = tool.opt("systemTool") {
            view.needs.tools = true;
            system.want_object()?.need("name")?.want_str()?;
        } else if let Some(mark) = tool.opt("cachePoint") {
            cache_point(mark)?;
        } else {
            return Err(tool.wrong("must be one of toolSpec, systemTool, cachePoint"));
        }
    }
    let Some(choice) = config.opt("toolChoice") else { return Ok(()) };
    choice.want_object()?.refuse_case_variants(&["auto", "any", "tool"])?;
    match choice.opt("tool") {
        Some(named) => named.want_object()?.need("name")?.want_str().map(drop),
        None if choice.opt("auto").or_else(|| choice.opt("any")).is_some() => Ok(()),
        None => Err(choice.wrong("must be one of auto, any, tool")),
    }
}

fn messages(list: Node<'_>, view: &mut View) -> Result<(), Error> {
    if list.want_array()?.is_empty() {
        return Err(list.wrong("must hold at least one message"));
    }
    for message in list.items() {
        message.want_object()?.refuse_case_variants(&["role", "content"])?;
        let role = message.need("role")?;
        let place = match role.want_str()?.as_ref() {
            "user" => Place::Input,
            "assistant" => Place::Output,
            "system" => Place::System,
            _ => return Err(role.wrong("must be one of user, assistant, system")),
        };
        message.need("content")?.want_array()?.items().try_for_each(|one| block(one, place, view))?;
    }
    Ok(())
}

fn block(block: Node<'_>, place: Place, view: &mut View) -> Result<(), Error> {
    block.want_object()?.refuse_case_variants(BLOCK)?;
    let Some((name, value)) = block.members().find(|(_, value)| !value.is_null()) else {
        return Err(block.wrong("must say what it is: text, image, toolUse, …"));
    };
    // A union: of two readers each could believe another member.
    if let Some((other, _)) = block.members().find(|(other, value)| !value.is_null() && *other != name) {
        return Err(block.wrong(&format!("must be one thing, and is {name} and {other}")));
    }
    match name.as_ref() {
        "text" => {
            value.want_str()?;
            add(value, place, &mut view.spans);
        }
        "image" => {
            (view.needs.images, view.media) = (true, view.media.saturating_add(1));
            media(value, true)?;
        }
        "video" => media(value, true)?,
        "audio" => {
            view.needs.audio = true;
            media(value, true)?;
        }
        "document" => document(value, place, view)?,
        "toolUse" => {
            for text in [value.want_object()?.need("toolUseId")?, value.need("name")?] {
                text.want_str()?;
            }
            add_all(value.need("input")?, Place::ToolArguments, &mut view.spans);
        }
        "toolResult" => {
            value.want_object()?.refuse_case_variants(&["toolUseId", "content", "status", "type"])?;
            value.need("toolUseId")?.want_str()?;
            value.opt("status").map(|status| status.want_str()).transpose()?;
            let content = value.need("content")?.want_array()?;
            content.items().try_for_each(|one| self::block(one, Place::ToolResult, view))?;
        }
        "json" => add_all(value, place, &mut view.spans),
        "reasoningContent" => {
            value.want_object()?.refuse_case_variants(&["reasoningText", "redactedContent"])?;
            value.opt("redactedContent").map(|sealed| sealed.want_str()).transpose()?;
            if let Some(shown) = value.opt("reasoningText") {
                let text = shown.want_object()?.need("text")?;
                text.want_str()?;
                shown.opt("signature").map(|signature| signature.want_str()).transpose()?;
                add(text, Place::Output, &mut view.spans);
            }
        }
        "guardContent" => match value.want_object()?.path(&["text", "text"]) {
            Some(text) => {
                text.want_str()?;
                add(text, place, &mut view.spans);
            }
            None => {
                (view.needs.images, view.media) = (true, view.media.saturating_add(1));
                media(value.need("image")?, true)?;
            }
        },
        "cachePoint" => cache_point(value)?,
        // What we do not know may still be words to the model.
        _ => add_words(block, place, &mut view.spans),
    }
    Ok(())
}

fn media(media: Node<'_>, has_format: bool) -> Result<(), Error> {
    media.want_object()?.refuse_case_variants(&["format", "source", "name", "context", "citations"])?;
    if has_format {
        media.need("format")?.want_str()?;
    }
    let source = media.need("source")?.want_object()?;
    source.refuse_case_variants(&["bytes", "s3Location", "text", "content"])?;
    source.opt("bytes").map(|bytes| bytes.want_str()).transpose()?;
    if let Some(place) = source.opt("s3Location") {
        place.want_object()?.need("uri")?.want_str()?;
    }
    Ok(())
}

fn document(document: Node<'_>, place: Place, view: &mut View) -> Result<(), Error> {
    media(document, false)?;
    view.needs.documents = true;
    view.media = view.media.saturating_add(1);
    let name = document.need("name")?;
    name.want_str()?;
    let texts = [Some(name), document.opt("context"), document.path(&["source", "text"])];
    for text in texts.into_iter().flatten() {
        text.want_str()?;
        add(text, place, &mut view.spans);
    }
    if let Some(content) = document.path(&["source", "content"]) {
        for piece in content.want_array()?.items() {
            let text = piece.want_object()?.need("text")?;
            text.want_str()?;
            add(text, place, &mut view.spans);
        }
    }
    Ok(())
}

fn cache_point(mark: Node<'_>) -> Result<(), Error> {
    mark.want_object()?.refuse_case_variants(&["type", "ttl"])?;
    mark.opt("ttl").map(|ttl| ttl.want_str()).transpose().map(drop)
}
