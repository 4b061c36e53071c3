//! Mistral's `POST /v1/fim/completions`: what stands between a prompt and a suffix. It is asked as a completion is, with
//! fewer members, and answers as a chat does. <https://docs.mistral.ai/api/endpoint/fim>

use super::request_out;
use crate::chat::{ChatRequest, ChatResponse};
use crate::codec::{Encoded, ProviderCodec, Quirks, StreamDecoder, Summary, Target};
use crate::json::Doc;
use crate::openai_chat::OpenAiChat;
use gatehouse_core::content::Span;
use gatehouse_core::error::Error;

/// What it does not take, of what completions have: any member that it does not know fails the call.
const QUIRKS: Quirks = Quirks {
    stream_options: false,
    seed: "random_seed",
    drop: &["presence_penalty", "frequency_penalty", "top_k", "user"],
    refuse: &["logit_bias"],
    ..Quirks::COMPATIBLE
};

/// The dialect, towards providers only.
#[derive(Clone, Copy, Debug, Default)]
pub struct MistralFim;

/// Whether a completion is one between two texts: its `suffix` says something.
#[must_use]
pub fn inserts(doc: &Doc) -> bool {
    doc.root().opt("suffix").is_some_and(|suffix| suffix.is_str() && !suffix.is_empty())
}

// === impl MistralFim ===

impl ProviderCodec for MistralFim {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        request_out::encode(request, &Target { quirks: &QUIRKS, ..*target })
    }

    fn summary(&self, doc: &Doc) -> Summary {
        OpenAiChat.summary(doc)
    }

    fn answer_spans(&self, doc: &Doc) -> Vec<Span> {
        OpenAiChat.answer_spans(doc)
    }

    fn decode_answer(&self, doc: &Doc) -> Result<ChatResponse, Error> {
        OpenAiChat.decode_answer(doc)
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        OpenAiChat.decoder()
    }
}

#[cfg(test)]
mod tests {
    use super::{MistralFim, inserts};
    use crate::codec::{Codec, ProviderCodec, Quirks, Target};
    use crate::completions::Completions;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::deployment::Capabilities;

    fn doc(text: &'static str) -> Doc {
        Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn a_completion_with_a_suffix_is_written_with_what_it_takes() {
        let doc = doc(
            r#"{"model":"m","prompt":"def f(","suffix":"return \u0061","max_tokens":9,"seed":3,"stop":"x",
                          "user":"u","top_p":0.50,"stream":true,"stream_options":{"include_usage":true}}"#,
        );
        assert!(inserts(&doc));
        let request = Completions.decode_request(&doc).unwrap();
        let target =
            Target { model: "codestral", capabilities: Capabilities::default(), quirks: &Quirks::NONE };
        let encoded = MistralFim.encode_request(&request, &target).unwrap();
        assert_eq!(
            String::from_utf8(encoded.body).unwrap(),
            r#"{"model":"codestral","prompt":"def f(","max_tokens":9,"top_p":0.50,"random_seed":3,"stop":["x"],"stream":true,"suffix":"return \u0061"}"#
        );
        assert_eq!(encoded.dropped, ["user"]);
    }

    #[test]
    fn an_empty_suffix_inserts_nothing() {
        for body in [r#"{"suffix":""}"#, r#"{"suffix":null}"#, "{}"] {
            assert!(!inserts(&doc(body)), "{body}");
        }
    }
}
