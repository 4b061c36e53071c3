//! Mistral's `POST /v1/fim/completions`: what stands between a prompt and a suffix. It is asked as a completion is, with
//! fewer members, and answers as a chat does. <https://docs.mistral.ai/api/endpoint/fim>
//!
//! Callers of it are read as those of completions are; who has no call of this kind is asked for a completion.

use super::{request, request_out, view};
use crate::chat::{ChatRequest, ChatResponse, RawJson};
use crate::codec::{
    Codec, Encoded, ProviderCodec, Quirks, ReplyContext, Rewrite, StreamDecoder, StreamEncoder, Summary,
    Target, View,
};
use crate::json::Doc;
use crate::members::fitted;
use crate::openai_chat::OpenAiChat;
use gatehouse_core::content::Span;
use gatehouse_core::error::Error;

/// What it does not take, of what completions have: any member that it does not know fails the call.
const QUIRKS: Quirks = Quirks {
    stream_options: false,
    seed: SEED,
    drop: &["presence_penalty", "frequency_penalty", "top_k", "user"],
    refuse: &["logit_bias"],
    ..Quirks::COMPATIBLE
};

/// Its name for the seed.
const SEED: &str = "random_seed";

/// The dialect.
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

impl Codec for MistralFim {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        let root = doc.root().want_object()?;
        root.refuse_case_variants(&[SEED])?;
        root.opt(SEED).map(|seed| seed.want_number()).transpose()?;
        Ok(View { wants_usage: true, ..view::view(root)? })
    }

    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        fitted(doc, view, target)
    }

    fn decode_request(&self, doc: &Doc) -> Result<ChatRequest, Error> {
        self.view(doc)?;
        let root = doc.root();
        let mut request = request::decode(root)?;
        request.seed = root.opt(SEED).map(|seed| RawJson(seed.raw().to_owned())).or(request.seed);
        request.extensions.retain(|extension| extension.path != SEED);
        request.include_usage = true;
        Ok(request)
    }

    fn encode_answer(&self, answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
        OpenAiChat.encode_answer(answer, context)
    }

    fn encoder(&self, context: ReplyContext) -> Box<dyn StreamEncoder> {
        OpenAiChat.encoder(context)
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
    fn a_caller_is_read_as_one_of_completions() {
        let doc =
            doc(r#"{"model":"m","prompt":"a","suffix":"b","random_seed":3,"max_tokens":9,"stop":["x"]}"#);
        let view = MistralFim.view(&doc).unwrap();
        assert_eq!((view.max_output_tokens, view.spans.len(), view.wants_usage), (Some(9), 2, true));
        let request = MistralFim.decode_request(&doc).unwrap();
        let target = Target { model: "x", capabilities: Capabilities::default(), quirks: &Quirks::NONE };
        let written = |codec: &dyn ProviderCodec| {
            String::from_utf8(codec.encode_request(&request, &target).unwrap().body).unwrap()
        };
        assert!(written(&MistralFim).contains(r#""random_seed":3"#), "{}", written(&MistralFim));
        let completion = written(&Completions);
        assert!(completion.contains(r#""seed":3"#) && completion.contains(r#""suffix":"b""#), "{completion}");
        let rewrite = MistralFim.rewrite(&doc, &view, &target).unwrap();
        assert_eq!((rewrite.edits.len(), rewrite.edits[0].with.as_ref()), (1, b"\"x\"".as_slice()));
        for body in [r#"{"model":"m"}"#, r#"{"model":"m","prompt":"a","random_seed":"3"}"#] {
            assert!(MistralFim.view(&self::doc(body)).is_err(), "{body}");
        }
    }

    #[test]
    fn an_empty_suffix_inserts_nothing() {
        for body in [r#"{"suffix":""}"#, r#"{"suffix":null}"#, "{}"] {
            assert!(!inserts(&doc(body)), "{body}");
        }
    }
}
