//! A whole request, read into the canonical conversation.

use super::parts::opaque;
use super::{members, messages, tools, view};
use crate::chat::{ChatRequest, RawJson, Weight};
use crate::json::{Doc, Node};
use gatehouse_core::error::Error;

/// The extension that marks a caller of the legacy `functions`: its answers are written in that form.
pub(super) const LEGACY_FUNCTIONS: &str = "functions";

/// Reads a request.
pub(super) fn decode(doc: &Doc) -> Result<ChatRequest, Error> {
    let root = doc.root().want_object()?;
    let text = |name: &str| root.opt(name).map(|node| node.want_str()).transpose();
    let number = |name: &str| {
        let node = root.opt(name).map(|node| node.want_number()).transpose();
        node.map(|number| number.map(|digits| RawJson(digits.to_owned())))
    };
    let whole = |name: &str| root.opt(name).map(|node| node.want_u64()).transpose();
    let truth = |name: &str| root.opt(name).map(|node| node.want_bool()).transpose();
    let mut request = ChatRequest {
        model: root.need("model")?.want_str()?.into_owned(),
        turns: messages::read(root.need("messages")?)?,
        parallel_tool_calls: truth("parallel_tool_calls")?,
        max_output_tokens: whole("max_completion_tokens")?.or(whole("max_tokens")?),
        temperature: number("temperature")?,
        top_p: number("top_p")?,
        top_k: whole("top_k")?,
        presence_penalty: number("presence_penalty")?,
        frequency_penalty: number("frequency_penalty")?,
        seed: number("seed")?.or(number("random_seed")?),
        stop: stop(root)?,
        candidates: whole("n")?.filter(|answers| *answers != 1),
        reasoning: tools::reasoning(root)?,
        stream: truth("stream")?.unwrap_or(false),
        include_usage: root.opt("stream_options").map_or(Ok(false), view::wants_usage)?,
        user: text("user")?.or(text("safety_identifier")?).map(Into::into),
        metadata: root.opt("metadata").map_or(Ok(Vec::new()), view::labels)?,
        service_tier: text("service_tier")?.map(Into::into),
        ..ChatRequest::default()
    };
    read_tools(root, &mut request)?;
    if let Some(node) = root.opt("response_format") {
        request.format = tools::format(node)?;
        if request.format.is_none() {
            request.extensions.push(opaque(node, Weight::Meaning));
        }
    }
    read_extensions(root, &mut request);
    Ok(request)
}

fn stop(root: Node<'_>) -> Result<Vec<String>, Error> {
    let Some(stop) = root.opt("stop") else { return Ok(Vec::new()) };
    match stop.str() {
        Some(one) => Ok(vec![one.into_owned()]),
        None => stop.want_array()?.items().map(|one| Ok(one.want_str()?.into_owned())).collect(),
    }
}

fn read_tools(root: Node<'_>, request: &mut ChatRequest) -> Result<(), Error> {
    if let Some(tools) = root.opt("tools") {
        request.tools = tools.want_array()?.items().map(tools::tool).collect::<Result<_, _>>()?;
        let grammars = tools.items().filter_map(|tool| tool.path(&["custom", "format", "grammar"]));
        request.extensions.extend(grammars.map(|grammar| opaque(grammar, Weight::Hint)));
    }
    request.tool_choice = root.opt("tool_choice").map(tools::choice).transpose()?;
    if let Some(functions) = root.opt(LEGACY_FUNCTIONS) {
        for function in functions.want_array()?.items() {
            request.tools.push(tools::function(function)?);
        }
        if let Some(choice) = root.opt("function_call") {
            request.tool_choice = Some(tools::choice(choice)?);
        }
        let mut mark = opaque(functions, Weight::Hint);
        mark.value = RawJson("true".to_owned());
        request.extensions.push(mark);
    }
    Ok(())
}

/// Everything that has no place of its own, and the parts of `stream_options` that are not about usage.
fn read_extensions(root: Node<'_>, request: &mut ChatRequest) {
    let both_users = root.opt("user").and(root.opt("safety_identifier"));
    request.extensions.extend(both_users.map(|node| opaque(node, Weight::Hint)));
    for name in ["reasoning_effort", "thinking"] {
        let unread = root.opt(name).filter(|_| request.reasoning.is_none());
        request.extensions.extend(unread.map(|node| opaque(node, Weight::Hint)));
    }
    let options = root.opt("stream_options").into_iter().flat_map(|options| options.members());
    for (_, value) in options.filter(|(name, value)| name != "include_usage" && !value.is_null()) {
        request.extensions.push(opaque(value, Weight::Hint));
    }
    for (name, value) in root.members() {
        if !value.is_null() && !members::CANONICAL.contains(&name.as_ref()) {
            request.extensions.extend(weigh(&name, value).map(|weight| opaque(value, weight)));
        }
    }
}

/// What leaving a member out would do; `None` when it says nothing.
fn weigh(name: &str, value: Node<'_>) -> Option<Weight> {
    let is_plain_text = || {
        let mut wanted = value.items();
        value.is_array() && wanted.all(|one| one.str().is_some_and(|one| one == "text"))
    };
    match name {
        "logprobs" if value.bool() == Some(false) => None,
        "modalities" if is_plain_text() => None,
        name if members::MEANINGS.contains(&name) => Some(Weight::Meaning),
        _ => Some(Weight::Hint),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::chat::{ChatRequest, Tool, Weight};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;

    fn of(text: &'static str) -> ChatRequest {
        decode(&Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Caller).unwrap()).unwrap()
    }

    #[test]
    fn what_has_no_place_is_an_extension_of_the_right_weight() {
        let request = of(r#"{"model":"m","messages":[{"role":"user","content":"x"}],"n":1,"logprobs":false,
            "modalities":["text"],"top_logprobs":3,"verbosity":"low","guided_regex":"a+","store":null,
            "response_format":{"type":"grammar"},"temperature":0.70,"stop":"END",
            "stream_options":{"include_usage":true,"include_obfuscation":false}}"#);
        let found: Vec<_> = request.extensions.iter().map(|own| (own.path.as_str(), own.weight)).collect();
        let expected = [
            ("response_format", Weight::Meaning),
            ("stream_options.include_obfuscation", Weight::Hint),
            ("top_logprobs", Weight::Meaning),
            ("verbosity", Weight::Hint),
            ("guided_regex", Weight::Hint),
        ];
        assert_eq!(found, expected);
        assert_eq!((request.candidates, request.include_usage), (None, true));
        assert_eq!(request.temperature.unwrap().0, "0.70");
        assert_eq!(request.stop, ["END"]);
    }

    #[test]
    fn legacy_functions_are_tools() {
        let request = of(r#"{"model":"m","messages":[{"role":"user","content":"x"}],
            "functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}}"#);
        assert!(matches!(&request.tools[0], Tool::Function { name, .. } if name == "f"));
        assert_eq!(request.extensions[0].path, "functions");
    }
}
