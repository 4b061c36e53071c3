//! Reading a whole request, for a provider of another dialect.

use super::view::{KNOWN, Prompt, metadata, stop, view, wants_usage};
use crate::chat::{ChatRequest, Extension, Part, RawJson, Turn, Weight};
use crate::json::Node;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// What makes words more or less likely.
const LOGIT_BIAS: &str = "logit_bias";
/// The text behind the answer.
const SUFFIX: &str = "suffix";

pub(super) fn decode(root: Node<'_>) -> Result<ChatRequest, Error> {
    // The same checks as on the way of the bytes: both ways refuse the same requests.
    let seen = view(root)?;
    refuse_what_chat_cannot(root)?;
    let text = match Prompt::read(root)? {
        Prompt::Text(text) if text.is_empty() => {
            return Err(unsupported(root.need("prompt")?, "must not be empty for this model"));
        }
        Prompt::Text(text) => text.want_str()?.into_owned(),
        Prompt::Texts(node) => return Err(unsupported(node, "only one prompt can be sent to this model")),
        Prompt::Tokens => return Err(unsupported(root.need("prompt")?, "token ids are of another model")),
    };
    let number = |name: &str| -> Result<Option<RawJson>, Error> {
        let text = root.opt(name).map(|node| node.want_number()).transpose()?;
        Ok(text.map(|text| RawJson(text.to_owned())))
    };
    Ok(ChatRequest {
        model: seen.model.map(|(name, _)| name).unwrap_or_default(),
        turns: vec![Turn::User(vec![Part::text(text)])],
        max_output_tokens: seen.max_output_tokens,
        temperature: number("temperature")?,
        top_p: number("top_p")?,
        top_k: root.opt("top_k").map(|node| node.want_u64()).transpose()?,
        presence_penalty: number("presence_penalty")?,
        frequency_penalty: number("frequency_penalty")?,
        seed: number("seed")?,
        stop: stop(root)?,
        stream: seen.stream,
        include_usage: wants_usage(root)?,
        user: seen.user,
        metadata: metadata(root)?,
        service_tier: seen.service_tier,
        extensions: extensions(root),
        ..ChatRequest::default()
    })
}

/// What changes the answer in a way that no conversation can.
fn refuse_what_chat_cannot(root: Node<'_>) -> Result<(), Error> {
    let more_than_one = |node: &Node<'_>| node.u64().is_some_and(|count| count > 1);
    for name in ["n", "best_of"] {
        if let Some(node) = root.opt(name).filter(more_than_one) {
            return Err(unsupported(node, "this model gives one answer to a call"));
        }
    }
    if let Some(node) = root.opt("echo").filter(|node| node.bool() == Some(true)) {
        return Err(unsupported(node, "this model does not repeat the prompt"));
    }
    if let Some(node) = root.opt("logprobs") {
        return Err(unsupported(node, "this model does not say how likely its words are"));
    }
    Ok(())
}

fn unsupported(node: Node<'_>, message: &str) -> Error {
    let name = node.name();
    Error::unsupported(name.clone(), format!("{name}: {message}"))
}

/// What has no place of its own: hints, but for the text that the answer has to lead to. Everything else that changes
/// the meaning was refused.
fn extensions(root: Node<'_>) -> Vec<Extension> {
    root.members()
        .filter(|(name, value)| {
            let elsewhere = KNOWN.contains(&name.as_ref()) && ![LOGIT_BIAS, SUFFIX].contains(&name.as_ref());
            let says = value.is_object() || name == SUFFIX;
            let nothing = value.is_null() || (says && value.is_empty());
            !elsewhere && !nothing
        })
        .map(|(name, value)| Extension {
            weight: if name == SUFFIX { Weight::Meaning } else { Weight::Hint },
            path: name.into_owned(),
            value: RawJson(value.raw().to_owned()),
            origin: Dialect::OpenAiCompletions,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::chat::{Part, RawJson, Turn};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::error::Code;

    fn doc(text: &str) -> Doc {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn the_prompt_is_one_turn_and_numbers_keep_their_digits() {
        let doc = doc(r#"{"model":"m","prompt":["once\n"],"temperature":0.70,"stop":"x","top_k":3,"n":1,
                          "best_of":1,"echo":false,"suffix":"","logprobs":null,"logit_bias":{},"min_p":0.1}"#);
        let request = decode(doc.root()).unwrap();
        assert_eq!(request.turns, [Turn::User(vec![Part::text("once\n")])]);
        assert_eq!(request.temperature, Some(RawJson("0.70".to_owned())));
        assert_eq!((request.top_k, request.stop.as_slice()), (Some(3), ["x".to_owned()].as_slice()));
        let names: Vec<_> = request.extensions.iter().map(|extension| extension.path.as_str()).collect();
        assert_eq!(names, ["min_p"]);
    }

    #[test]
    fn what_chat_cannot_do_is_refused_by_name() {
        for (member, param) in [
            (r#""prompt":["a","b"]"#, "prompt"),
            (r#""prompt":[1,2]"#, "prompt"),
            (r#""prompt":"""#, "prompt"),
            (r#""prompt":"a","echo":true"#, "echo"),
            (r#""prompt":"a","best_of":2"#, "best_of"),
            (r#""prompt":"a","n":2"#, "n"),
            (r#""prompt":"a","logprobs":0"#, "logprobs"),
        ] {
            let doc = doc(&format!(r#"{{"model":"m",{member}}}"#));
            let error = decode(doc.root()).unwrap_err();
            assert_eq!((error.code, error.param.as_deref()), (Code::UnsupportedParameter, Some(param)));
        }
    }
}
