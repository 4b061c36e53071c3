//! Reading a request to translate it.

use super::input::Turns;
use super::tools::{decode as decode_tools, decode_choice};
use super::view::labels;
use super::{ROOT, extension};
use crate::chat::{ChatRequest, Effort, Format, RawJson, Reasoning, Weight};
use crate::json::{Doc, Node};
use gatehouse_core::error::Error;

/// What `include` asks for to get reasoning back in the next turn.
pub(super) const ENCRYPTED_REASONING: &str = "reasoning.encrypted_content";

/// See [`crate::codec::Codec::decode_request`].
pub(super) fn decode(doc: &Doc) -> Result<ChatRequest, Error> {
    let root = doc.root().want_object()?;
    root.refuse_case_variants(ROOT)?;
    refuse_state(root)?;
    let mut request = ChatRequest { include_usage: true, ..ChatRequest::default() };
    root.need("model")?;
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        // The newer name for `user`; both are given by callers that serve old and new models.
        if name == "safety_identifier" && root.opt("user").is_none() {
            request.user = Some(value.want_str()?.into_owned());
        } else {
            member(&mut request, &name, value)?;
        }
    }
    let mut turns = Turns::default();
    if let Some(instructions) = root.opt("instructions") {
        turns.instruct(&instructions.want_str()?);
    }
    if let Some(input) = root.opt("input") {
        turns.read(input)?;
    }
    request.turns = turns.finish();
    if request.turns.is_empty() {
        root.need("input")?;
    }
    request.reasoning = request.reasoning.filter(|reasoning| *reasoning != Reasoning::default());
    Ok(request)
}

/// Whatever refers to something that is not in the request: it has to be put into it before
/// ([`super::kept::whole`]).
fn refuse_state(root: Node<'_>) -> Result<(), Error> {
    for name in ["previous_response_id", "conversation"] {
        if root.opt(name).is_some() {
            let message = format!("{name}: nothing is kept here; send the whole conversation in \"input\"");
            return Err(Error::unsupported(name, message));
        }
    }
    if root.opt("background").map(|background| background.want_bool()).transpose()? == Some(true) {
        let message = "background: nothing is kept here; leave it out and stream the answer";
        return Err(Error::unsupported("background", message));
    }
    Ok(())
}

fn member(request: &mut ChatRequest, name: &str, value: Node<'_>) -> Result<(), Error> {
    let number = || Ok::<_, Error>(Some(RawJson(value.want_number()?.to_owned())));
    let text = || value.want_str().map(std::borrow::Cow::into_owned);
    match name {
        "model" => request.model = text()?,
        // Read by `decode`, or refused by `refuse_state`, or not for the model.
        "instructions" | "input" | "store" | "background" => {}
        "stream" => request.stream = value.want_bool()?,
        "tools" => decode_tools(value, request)?,
        "tool_choice" => decode_choice(value, request)?,
        "parallel_tool_calls" => request.parallel_tool_calls = Some(value.want_bool()?),
        "max_output_tokens" => request.max_output_tokens = Some(value.want_u64()?),
        "temperature" => request.temperature = number()?,
        "top_p" => request.top_p = number()?,
        "presence_penalty" => request.presence_penalty = number()?,
        "frequency_penalty" => request.frequency_penalty = number()?,
        "text" => text_options(request, value.want_object()?)?,
        "reasoning" => reasoning(request, value.want_object()?)?,
        "include" => value.want_array()?.items().try_for_each(|one| include(request, one))?,
        "user" => request.user = Some(text()?),
        "metadata" => request.metadata = labels(value)?,
        "service_tier" => request.service_tier = Some(text()?),
        "truncation" if text()? == "disabled" => {}
        "top_logprobs" => {
            let weight = if value.want_u64()? > 0 { Weight::Meaning } else { Weight::Hint };
            request.extensions.push(extension(name, value, weight));
        }
        "prompt" | "moderation" => request.extensions.push(extension(name, value, Weight::Meaning)),
        _ => request.extensions.push(extension(name, value, Weight::Hint)),
    }
    Ok(())
}

/// `text`: the format of the answer, and how wordy it is to be.
fn text_options(request: &mut ChatRequest, text: Node<'_>) -> Result<(), Error> {
    for (name, value) in text.members().filter(|(_, value)| !value.is_null()) {
        if name == "format" {
            request.format = Some(format(value.want_object()?)?);
        } else {
            request.extensions.push(extension(format!("text.{name}"), value, Weight::Hint));
        }
    }
    Ok(())
}

fn format(format: Node<'_>) -> Result<Format, Error> {
    let kind = format.need("type")?;
    let text = |name: &str| format.opt(name).map(|node| node.want_str()).transpose();
    match kind.want_str()?.as_ref() {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::JsonObject),
        "json_schema" => Ok(Format::JsonSchema {
            name: text("name")?.map(std::borrow::Cow::into_owned),
            description: text("description")?.map(std::borrow::Cow::into_owned),
            schema: RawJson(format.need("schema")?.want_object()?.raw().to_owned()),
            strict: format.opt("strict").map(|strict| strict.want_bool()).transpose()?,
        }),
        other => Err(Error::unsupported(kind.name(), format!("{}: {other:?} is not known", kind.name()))),
    }
}

fn reasoning(request: &mut ChatRequest, options: Node<'_>) -> Result<(), Error> {
    let mut reasoning = request.reasoning.take().unwrap_or_default();
    for (name, value) in options.members().filter(|(_, value)| !value.is_null()) {
        match name.as_ref() {
            "effort" => {
                let unknown = || value.wrong("must be none, minimal, low, medium, high, xhigh or max");
                reasoning.effort = Some(Effort::parse(&value.want_str()?).ok_or_else(unknown)?);
            }
            "summary" | "generate_summary" => {
                reasoning.visible = true;
                if name != "summary" || value.want_str()? != "auto" {
                    request.extensions.push(extension(format!("reasoning.{name}"), value, Weight::Hint));
                }
            }
            _ => request.extensions.push(extension(format!("reasoning.{name}"), value, Weight::Hint)),
        }
    }
    request.reasoning = Some(reasoning);
    Ok(())
}

/// One thing that the answer is to hold. Most are details of hosted tools; probabilities are an answer of
/// their own.
fn include(request: &mut ChatRequest, one: Node<'_>) -> Result<(), Error> {
    let what = one.want_str()?;
    if what == ENCRYPTED_REASONING {
        request.reasoning.get_or_insert_default().sealed = true;
    } else {
        let weight = if what.ends_with("logprobs") { Weight::Meaning } else { Weight::Hint };
        request.extensions.push(extension("include", one, weight));
    }
    Ok(())
}
