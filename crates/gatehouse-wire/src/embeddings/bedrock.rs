//! Models that embed at Amazon Bedrock, through `InvokeModel`: each maker's has a form of its own.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html>

use super::cohere;
use super::task::{self, INPUT_TYPE};
use super::thin::Thin;
use super::{EmbedAnswer, EmbedEncoded, EmbedProviderCodec, EmbedRequest, Vector};
use crate::codec::{Summary, Target};
use crate::error::from_stream;
use crate::json::{Node, Out, Raw};
use bytes::Bytes;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;

/// Titan's dialect: one text a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct BedrockTitanEmbed;

/// Cohere's dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct BedrockCohereEmbed;

// === impl BedrockTitanEmbed ===

impl EmbedProviderCodec for BedrockTitanEmbed {
    fn texts_max(&self, _: &str) -> Option<usize> {
        Some(1)
    }

    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<EmbedEncoded, Error> {
        let mut dropped = Vec::new();
        task::word(request, &[], &mut dropped);
        let kept = task::rest(request, &["normalize"], &mut dropped)?;
        let texts = task::texts(request)?;
        let [text] = texts.as_slice() else {
            return Err(Error::unsupported("input", "this model takes one text at a time"));
        };
        if request.dimensions.is_some() && target.model.contains("-v1") {
            return Err(Error::unsupported("dimensions", "dimensions cannot be chosen with this model"));
        }
        let mut out = Out::new();
        out.object(|out| {
            out.field("inputText", *text);
            out.field_opt("dimensions", request.dimensions);
            for extension in kept {
                out.field(&extension.path, Raw(&extension.value.0));
            }
        });
        Ok(EmbedEncoded { body: out.into_bytes(), dropped, batch: request.batch })
    }

    fn summary(&self, body: &Bytes) -> Summary {
        summary(body)
    }

    fn decode_answer(&self, body: &Bytes) -> Result<EmbedAnswer, Error> {
        let thin = Thin::parse(body)?;
        let vector = thin.doc.root().opt("embedding").and_then(|one| vector(&thin, one));
        answer(&thin, vector.map(|one| vec![one]))
    }
}

// === impl BedrockCohereEmbed ===

impl EmbedProviderCodec for BedrockCohereEmbed {
    fn texts_max(&self, _: &str) -> Option<usize> {
        Some(cohere::TEXTS_MAX)
    }

    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<EmbedEncoded, Error> {
        let mut dropped = Vec::new();
        let word = task::word(request, cohere::TASKS, &mut dropped);
        let kept = task::rest(request, &[INPUT_TYPE, "truncate"], &mut dropped)?;
        let texts = task::texts(request)?;
        cohere::check_length(request, target.model)?;
        let mut out = Out::new();
        out.object(|out| {
            out.array_field("texts", |out| {
                texts.iter().for_each(|text| {
                    out.item(*text);
                });
            });
            if !kept.iter().any(|extension| extension.path == INPUT_TYPE) {
                out.field(INPUT_TYPE, word.unwrap_or(cohere::TASK));
            }
            out.field_opt("output_dimension", request.dimensions);
            for extension in kept {
                out.field(&extension.path, Raw(&extension.value.0));
            }
        });
        Ok(EmbedEncoded { body: out.into_bytes(), dropped, batch: request.batch })
    }

    fn summary(&self, body: &Bytes) -> Summary {
        summary(body)
    }

    /// A list of vectors, or lists by the type of their numbers.
    fn decode_answer(&self, body: &Bytes) -> Result<EmbedAnswer, Error> {
        let thin = Thin::parse(body)?;
        let found = thin.doc.root().opt("embeddings");
        let list = found.and_then(|found| found.opt("float")).or(found).filter(Node::is_array);
        let vectors = list.and_then(|list| list.items().map(|one| vector(&thin, one)).collect());
        answer(&thin, vectors)
    }
}

fn vector(thin: &Thin, one: Node<'_>) -> Option<Vector> {
    one.u64().and_then(|index| thin.list(index)).map(|list| Vector::Numbers(list.to_owned()))
}

fn answer(thin: &Thin, vectors: Option<Vec<Vector>>) -> Result<EmbedAnswer, Error> {
    let vectors = vectors.filter(|vectors| !vectors.is_empty()).ok_or_else(|| {
        let nothing = || Error::new(Code::UpstreamBadResponse, "the provider's answer holds no vectors");
        from_stream(Family::Bedrock, &thin.doc).unwrap_or_else(nothing)
    })?;
    Ok(EmbedAnswer { vectors, usage: used(thin), ..EmbedAnswer::default() })
}

/// Titan counts in the body; for others a header says it.
fn used(thin: &Thin) -> Option<Usage> {
    let count = thin.doc.root().opt("inputTextTokenCount").and_then(|count| count.u64());
    count.map(|input_tokens| Usage { input_tokens, ..Usage::default() })
}

fn summary(body: &Bytes) -> Summary {
    match Thin::parse(body) {
        Ok(thin) => Summary {
            usage: used(&thin),
            error: from_stream(Family::Bedrock, &thin.doc),
            ..Summary::default()
        },
        Err(error) => Summary { error: Some(error), ..Summary::default() },
    }
}
