//! Writing a request for a provider that has nothing but this dialect: one text of a user.

use crate::chat::{ChatRequest, Format, Part, RawJson, ToolChoice, Turn, Weight};
use crate::codec::{Encoded, Target};
use crate::json::{Out, Raw, ToJson};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// The request as it is written, and what was left out.
struct Writer<'a> {
    out: &'a mut Out,
    dropped: &'a mut Vec<String>,
    target: &'a Target<'a>,
    /// A member that the target cannot honour.
    refused: Option<String>,
}

/// A list of texts.
struct Texts<'a>(&'a [String]);

pub(super) fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let (text, cached) = only_text(request)?;
    refuse_what_text_cannot(request)?;
    let mut out = Out::new();
    let (mut dropped, mut refused) = (Vec::new(), None);
    out.object(|out| {
        out.field("model", target.model).field("prompt", text);
        let mut writer = Writer { out, dropped: &mut dropped, target, refused: None };
        writer.settings(request);
        writer.hints(request, cached);
        refused = writer.refused;
    });
    if let Some(name) = refused {
        return Err(cannot(&name));
    }
    Ok(Encoded { body: out.into_bytes(), dropped })
}

/// The one text, and whether it carries a cache mark.
fn only_text(request: &ChatRequest) -> Result<(&str, bool), Error> {
    let wrong = || {
        Error::unsupported("messages", "messages: this model continues one text and knows no conversation")
    };
    let [Turn::User(parts)] = request.turns.as_slice() else { return Err(wrong()) };
    match parts.as_slice() {
        [Part::Text { text, cache }] => Ok((text, cache.is_some())),
        _ => Err(wrong()),
    }
}

fn refuse_what_text_cannot(request: &ChatRequest) -> Result<(), Error> {
    let forced = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. })
    );
    if !request.tools.is_empty() || forced {
        return Err(Error::unsupported("tools", "tools: this model does not call tools"));
    }
    if matches!(request.format, Some(Format::JsonObject | Format::JsonSchema { .. })) {
        return Err(Error::unsupported("response_format", "response_format: this model writes plain text"));
    }
    if request.candidates.is_some_and(|count| count > 1) {
        return Err(Error::unsupported("n", "n: only one answer can be had of this model"));
    }
    match request.extensions.iter().find(|one| one.weight == Weight::Meaning && !is_own(one.origin)) {
        Some(one) => Err(cannot(&one.path)),
        None => Ok(()),
    }
}

/// What a target cannot honour.
pub(super) fn cannot(path: &str) -> Error {
    Error::unsupported(path, format!("the provider of this model does not support {path}"))
}

fn is_own(origin: Dialect) -> bool {
    origin == Dialect::OpenAiCompletions
}

// === impl Writer ===

impl Writer<'_> {
    /// A member that the target takes; else it is named.
    fn put(&mut self, name: &str, value: Option<impl ToJson>) {
        let Some(value) = value else { return };
        if self.target.quirks.drop.contains(&name) {
            self.dropped.push(name.to_owned());
        } else if self.target.quirks.refuse.contains(&name) {
            self.refused = Some(name.to_owned());
        } else {
            self.out.field(name, value);
        }
    }

    fn settings(&mut self, request: &ChatRequest) {
        fn raw(number: Option<&RawJson>) -> Option<Raw<'_>> {
            number.map(|number| Raw(&number.0))
        }
        self.put("max_tokens", request.max_output_tokens);
        if self.target.capabilities.sampling == Some(false) {
            self.drop_if("temperature", request.temperature.is_some());
            self.drop_if("top_p", request.top_p.is_some());
            self.drop_if("top_k", request.top_k.is_some());
        } else {
            self.put("temperature", raw(request.temperature.as_ref()));
            self.put("top_p", raw(request.top_p.as_ref()));
            self.put("top_k", request.top_k);
        }
        self.put("presence_penalty", raw(request.presence_penalty.as_ref()));
        self.put("frequency_penalty", raw(request.frequency_penalty.as_ref()));
        self.put(self.target.quirks.seed, raw(request.seed.as_ref()));
        self.put("stop", Some(Texts(&request.stop)).filter(|texts| !texts.0.is_empty()));
        self.put("user", request.user.as_ref());
        if request.stream {
            self.out.field("stream", true);
            if self.target.quirks.stream_options {
                // Always, as every stream is priced; whether the caller sees it is for the encoder.
                self.out.object_field("stream_options", |out| {
                    out.field("include_usage", true);
                });
            }
        }
    }

    /// What may be left out, named by the member that a caller would know it by.
    fn hints(&mut self, request: &ChatRequest, cached: bool) {
        self.drop_if("cache_control", cached);
        self.drop_if("metadata", !request.metadata.is_empty());
        self.drop_if("service_tier", request.service_tier.is_some());
        self.drop_if("reasoning_effort", request.reasoning.is_some());
        self.drop_if("parallel_tool_calls", request.parallel_tool_calls.is_some());
        for extension in &request.extensions {
            let at_root = !extension.path.contains(['.', '[']);
            if is_own(extension.origin) && at_root {
                self.put(&extension.path, Some(Raw(&extension.value.0)));
            } else {
                self.dropped.push(extension.path.clone());
            }
        }
    }

    fn drop_if(&mut self, name: &str, present: bool) {
        if present {
            self.dropped.push(name.to_owned());
        }
    }
}

// === impl Texts ===

impl ToJson for Texts<'_> {
    fn write(&self, bytes: &mut Vec<u8>) {
        let mut out = Out::new();
        out.array(|out| {
            for text in self.0 {
                out.item(text);
            }
        });
        bytes.extend_from_slice(&out.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Completions;
    use super::encode;
    use crate::chat::{ChatRequest, Part, RawJson, Reasoning, Tool, Turn};
    use crate::codec::{Codec, Quirks, Target};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::deployment::Capabilities;
    use proptest::prelude::*;

    fn target() -> Target<'static> {
        Target { model: "base", capabilities: Capabilities::default(), quirks: &Quirks::NONE }
    }

    fn asking(text: &str) -> ChatRequest {
        ChatRequest { turns: vec![Turn::User(vec![Part::text(text)])], ..ChatRequest::default() }
    }

    #[test]
    fn hints_are_named_and_meaning_is_refused() {
        let request = ChatRequest {
            reasoning: Some(Reasoning::default()),
            metadata: vec![("k".to_owned(), "v".to_owned())],
            ..asking("hi")
        };
        let encoded = encode(&request, &target()).unwrap();
        assert_eq!(encoded.body, br#"{"model":"base","prompt":"hi"}"#);
        assert_eq!(encoded.dropped, ["metadata", "reasoning_effort"]);

        let tool = Tool::Function {
            name: "f".to_owned(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
        };
        let with_tools = ChatRequest { tools: vec![tool], ..asking("hi") };
        assert_eq!(encode(&with_tools, &target()).unwrap_err().param.as_deref(), Some("tools"));
        let two = ChatRequest { candidates: Some(2), ..asking("hi") };
        assert_eq!(encode(&two, &target()).unwrap_err().param.as_deref(), Some("n"));
        let mut talk = asking("hi");
        talk.turns.insert(0, Turn::System(vec![Part::text("be kind")]));
        assert_eq!(encode(&talk, &target()).unwrap_err().param.as_deref(), Some("messages"));
    }

    #[test]
    fn sampling_that_the_model_does_not_take_is_named() {
        let request =
            ChatRequest { temperature: Some(RawJson("1".to_owned())), top_k: Some(2), ..asking("x") };
        let capabilities = Capabilities { sampling: Some(false), ..Capabilities::default() };
        let encoded = encode(&request, &Target { capabilities, ..target() }).unwrap();
        assert_eq!(encoded.dropped, ["temperature", "top_k"]);
        let quirks = Quirks { drop: &["temperature"], refuse: &["top_k"], ..Quirks::NONE };
        let error = encode(&request, &Target { quirks: &quirks, ..target() }).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("top_k"));
    }

    proptest! {
        /// What is written is read again as it was.
        #[test]
        fn there_and_back(
            text in ".{1,30}", limit in proptest::option::of(1u64..9), top_k in proptest::option::of(1u64..9),
            stop in proptest::collection::vec(".{0,5}", 0..3), stream in any::<bool>(), warm in any::<bool>(),
            user in proptest::option::of("[a-z]{1,9}"),
        ) {
            let request = ChatRequest {
                model: "base".to_owned(),
                max_output_tokens: limit,
                top_k,
                temperature: warm.then(|| RawJson("0.50".to_owned())),
                stop,
                stream,
                include_usage: stream,
                user,
                ..asking(&text)
            };
            let encoded = encode(&request, &target()).unwrap();
            prop_assert!(encoded.dropped.is_empty());
            let doc = Doc::parse(Bytes::from(encoded.body), Strictness::Caller).unwrap();
            prop_assert_eq!(Completions.decode_request(&doc).unwrap(), request);
        }
    }
}
