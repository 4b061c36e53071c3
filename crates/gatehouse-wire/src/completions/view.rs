//! What the pipeline needs of a request, and what is malformed in it.

use crate::codec::View;
use crate::json::Node;
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::Error;

/// The members that this dialect knows by this spelling. Source: OpenAI's API reference, and what
/// compatible servers and the SDKs add.
pub(super) const KNOWN: &[&str] = &[
    "model",
    "prompt",
    "suffix",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "n",
    "best_of",
    "stream",
    "stream_options",
    "logprobs",
    "echo",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "seed",
    "user",
    "safety_identifier",
    "metadata",
    "service_tier",
];

/// What a prompt is.
#[derive(Clone, Copy)]
pub(super) enum Prompt<'a> {
    /// One text; also a list that holds one.
    Text(Node<'a>),
    /// Several texts: an answer for each.
    Texts(Node<'a>),
    /// Token ids, one list or several: nothing that anybody but the model can read.
    Tokens,
}

pub(super) fn view(root: Node<'_>) -> Result<View, Error> {
    let root = root.want_object()?;
    root.refuse_case_variants(KNOWN)?;
    check_types(root)?;
    let model = root.need("model")?;
    let mut view = View {
        model: Some((model.want_str()?.into_owned(), model.range())),
        stream: root.opt("stream").map(|node| node.want_bool()).transpose()?.unwrap_or(false),
        max_output_tokens: root.opt("max_tokens").map(|node| node.want_u64()).transpose()?,
        wants_usage: wants_usage(root)?,
        ..View::default()
    };
    for name in ["user", "safety_identifier"] {
        let own = root.opt(name).map(|node| node.want_str()).transpose()?;
        view.user = view.user.or(own.map(Into::into));
    }
    view.service_tier = root.opt("service_tier").map(|node| node.want_str()).transpose()?.map(Into::into);
    view.metadata = metadata(root)?;
    view.choices = choices(root);
    match Prompt::read(root)? {
        Prompt::Text(text) => view.spans.push(input(text)),
        Prompt::Texts(texts) => view.spans.extend(texts.items().map(input)),
        Prompt::Tokens => view.unreadable = Some("prompt"),
    }
    view.spans.extend(root.opt("suffix").map(input));
    view.spans.sort_by_key(|span| span.range.start);
    Ok(view)
}

/// How many answers are made: so many for each prompt, and `best_of` is made however few are given.
fn choices(root: Node<'_>) -> u64 {
    let number = |name: &str| root.opt(name).and_then(|node| node.u64()).unwrap_or(1).max(1);
    let many = |prompt: &Node<'_>| prompt.items().all(|one| one.is_str() || one.is_array());
    let prompts = root.opt("prompt").filter(many).map_or(1, |prompt| prompt.items().count().max(1));
    number("n").max(number("best_of")).saturating_mul(u64::try_from(prompts).unwrap_or(u64::MAX))
}

fn input(text: Node<'_>) -> Span {
    Span { range: text.inner_range(), place: Place::Input }
}

/// The types of the members that are not read here, so that nobody behind us reads something else.
fn check_types(root: Node<'_>) -> Result<(), Error> {
    for name in ["temperature", "top_p", "presence_penalty", "frequency_penalty", "seed"] {
        root.opt(name).map(|node| node.want_number()).transpose()?;
    }
    for name in ["n", "best_of", "logprobs", "top_k"] {
        root.opt(name).map(|node| node.want_u64()).transpose()?;
    }
    root.opt("echo").map(|node| node.want_bool()).transpose()?;
    root.opt("suffix").map(|node| node.want_str()).transpose()?;
    root.opt("logit_bias").map(Node::want_object).transpose()?;
    stop(root)?;
    Ok(())
}

/// `stop`: a text or a list of texts.
pub(super) fn stop(root: Node<'_>) -> Result<Vec<String>, Error> {
    let Some(stop) = root.opt("stop") else { return Ok(Vec::new()) };
    if let Some(one) = stop.str() {
        return Ok(vec![one.into_owned()]);
    }
    let many = stop.want_array().map_err(|_| stop.wrong("must be a string or an array of strings"))?;
    many.items().map(|item| item.want_str().map(Into::into)).collect()
}

/// `metadata`: texts by name.
pub(super) fn metadata(root: Node<'_>) -> Result<Vec<(String, String)>, Error> {
    let Some(metadata) = root.opt("metadata") else { return Ok(Vec::new()) };
    metadata
        .want_object()?
        .members()
        .map(|(name, value)| Ok((name.into_owned(), value.want_str()?.into_owned())))
        .collect()
}

pub(super) fn wants_usage(root: Node<'_>) -> Result<bool, Error> {
    let Some(options) = root.opt("stream_options") else { return Ok(false) };
    let options = options.want_object()?;
    options.refuse_case_variants(&["include_usage"])?;
    options.opt("include_usage").map_or(Ok(false), |node| node.want_bool())
}

// === impl Prompt ===

impl<'a> Prompt<'a> {
    /// Reads and checks the prompt.
    pub(super) fn read(root: Node<'a>) -> Result<Self, Error> {
        let prompt = root.need("prompt")?;
        if prompt.is_str() {
            return Ok(Self::Text(prompt));
        }
        let wrong = || prompt.wrong("must be a string, an array of strings, or token ids");
        let first = prompt.want_array().map_err(|_| wrong())?.items().next().ok_or_else(wrong)?;
        if first.is_str() {
            prompt.items().try_for_each(|item| item.want_str().map(|_| ()))?;
            return Ok(if prompt.items().nth(1).is_none() { Self::Text(first) } else { Self::Texts(prompt) });
        }
        if first.is_array() {
            prompt.items().try_for_each(|list| token_ids(list.want_array()?))?;
        } else {
            token_ids(prompt)?;
        }
        Ok(Self::Tokens)
    }
}

fn token_ids(list: Node<'_>) -> Result<(), Error> {
    list.items().try_for_each(|id| id.want_u64().map(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::view;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::Place;

    fn doc(text: &str) -> Doc {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn reads_model_texts_limit_and_user() {
        let doc = doc(r#"{"suffix":"!","model":"m\/1","prompt":["a","b"],"max_tokens":9,"user":"u",
                          "stream":true,"stream_options":{"include_usage":true},"extra":{"x":null}}"#);
        let view = view(doc.root()).unwrap();
        let (name, range) = view.model.unwrap();
        assert_eq!((name.as_str(), doc.slice(range)), ("m/1", r#""m\/1""#));
        let texts: Vec<_> = view.spans.iter().map(|span| doc.slice(span.range.clone())).collect();
        assert_eq!(texts, ["!", "a", "b"]);
        assert!(view.spans.iter().all(|span| span.place == Place::Input));
        assert_eq!((view.max_output_tokens, view.user.as_deref()), (Some(9), Some("u")));
        assert!(view.stream && view.wants_usage);
    }

    #[test]
    fn token_ids_pass_and_have_no_text() {
        for prompt in ["[1,2]", "[[1],[2,3]]"] {
            let doc = doc(&format!(r#"{{"model":"m","prompt":{prompt}}}"#));
            assert!(view(doc.root()).unwrap().spans.is_empty());
        }
    }

    #[test]
    fn what_is_malformed_is_named() {
        for (body, param) in [
            ("[]", ""),
            (r#"{"prompt":"a"}"#, "model"),
            (r#"{"model":1,"prompt":"a"}"#, "model"),
            (r#"{"model":"m"}"#, "prompt"),
            (r#"{"model":"m","prompt":null}"#, "prompt"),
            (r#"{"model":"m","prompt":[]}"#, "prompt"),
            (r#"{"model":"m","prompt":{}}"#, "prompt"),
            (r#"{"model":"m","prompt":["a",1]}"#, "prompt[1]"),
            (r#"{"model":"m","prompt":["a",null]}"#, "prompt[1]"),
            (r#"{"model":"m","prompt":[[1],"a"]}"#, "prompt[1]"),
            (r#"{"model":"m","prompt":[1,-2]}"#, "prompt[1]"),
            (r#"{"model":"m","Prompt":"a"}"#, "Prompt"),
            (r#"{"model":"m","prompt":"a","stop":[1]}"#, "stop[0]"),
            (r#"{"model":"m","prompt":"a","stop":1}"#, "stop"),
            (r#"{"model":"m","prompt":"a","stream":"yes"}"#, "stream"),
            (
                r#"{"model":"m","prompt":"a","stream_options":{"Include_Usage":true}}"#,
                "stream_options.Include_Usage",
            ),
            (r#"{"model":"m","prompt":"a","n":0.5}"#, "n"),
            (r#"{"model":"m","prompt":"a","echo":1}"#, "echo"),
            (r#"{"model":"m","prompt":"a","metadata":{"k":1}}"#, "metadata.k"),
        ] {
            let doc = doc(body);
            assert_eq!(view(doc.root()).unwrap_err().param.as_deref(), Some(param), "{body}");
        }
    }
}
