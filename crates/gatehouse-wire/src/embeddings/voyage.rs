//! Voyage's `POST /v1/embeddings`: OpenAI's but for the names of two members.
//! <https://docs.voyageai.com/reference/embeddings-api>

use super::openai::OpenAiEmbeddings;
use super::task::{self, INPUT_TYPE};
use super::{EmbedAnswer, EmbedEncoded, EmbedProviderCodec, EmbedRequest, Encoding};
use crate::codec::{Summary, Target};
use crate::json::{Out, Raw};
use bytes::Bytes;
use gatehouse_core::error::Error;

/// Members of its own that a caller may add to OpenAI's.
const ALSO: &[&str] = &[INPUT_TYPE, "truncation", "output_dtype"];
/// Its words for Gemini's.
const TASKS: &[(&str, &str)] = &[("RETRIEVAL_QUERY", "query"), ("RETRIEVAL_DOCUMENT", "document")];

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoyageEmbeddings;

// === impl VoyageEmbeddings ===

impl EmbedProviderCodec for VoyageEmbeddings {
    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<EmbedEncoded, Error> {
        let mut dropped = Vec::new();
        let word = task::word(request, TASKS, &mut dropped);
        let kept = task::rest(request, ALSO, &mut dropped)?;
        let texts = task::texts(request)?;
        let mut out = Out::new();
        out.object(|out| {
            out.field("model", target.model);
            out.array_field("input", |out| {
                texts.iter().for_each(|text| {
                    out.item(*text);
                });
            });
            out.field_opt(INPUT_TYPE, word);
            out.field_opt("output_dimension", request.dimensions);
            out.field_opt("encoding_format", (request.encoding == Encoding::Base64).then_some("base64"));
            for extension in kept {
                out.field(&extension.path, Raw(&extension.value.0));
            }
        });
        Ok(EmbedEncoded { body: out.into_bytes(), dropped, batch: request.batch })
    }

    fn summary(&self, body: &Bytes) -> Summary {
        OpenAiEmbeddings.summary(body)
    }

    fn decode_answer(&self, body: &Bytes) -> Result<EmbedAnswer, Error> {
        OpenAiEmbeddings.decode_answer(body)
    }
}
