//! Vertex AI's `:predict` of models that embed: instances in, predictions out.
//! <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>

use super::task;
use super::thin::Thin;
use super::{EmbedAnswer, EmbedEncoded, EmbedProviderCodec, EmbedRequest, Vector};
use crate::codec::{Summary, Target};
use crate::error::from_stream;
use crate::json::{Node, Out, Raw};
use bytes::Bytes;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;

/// Texts that most models take at once.
const TEXTS_MAX: usize = 250;
/// Models of this name take one at a time.
const SINGLE: &str = "gemini-embedding-";

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct VertexPredict;

// === impl VertexPredict ===

impl EmbedProviderCodec for VertexPredict {
    fn texts_max(&self, model: &str) -> Option<usize> {
        Some(if model.starts_with(SINGLE) { 1 } else { TEXTS_MAX })
    }

    fn encode_request(&self, request: &EmbedRequest, _: &Target<'_>) -> Result<EmbedEncoded, Error> {
        let mut dropped = Vec::new();
        // The title is this dialect's own, too.
        let untitled = EmbedRequest { title: None, ..request.clone() };
        let kept = task::rest(&untitled, &["task_type", "autoTruncate"], &mut dropped)?;
        let (tasks, parameters): (Vec<_>, Vec<_>) =
            kept.into_iter().partition(|extension| extension.path == "task_type");
        let texts = task::texts(request)?;
        let mut out = Out::new();
        out.object(|out| {
            out.array_field("instances", |out| {
                for text in &texts {
                    out.object(|out| {
                        out.field("content", *text);
                        match tasks.first() {
                            Some(own) => out.field("task_type", Raw(&own.value.0)),
                            None => out.field_opt("task_type", request.task_type.as_deref()),
                        };
                        out.field_opt("title", request.title.as_deref());
                    });
                }
            });
            if request.dimensions.is_some() || !parameters.is_empty() {
                out.object_field("parameters", |out| {
                    out.field_opt("outputDimensionality", request.dimensions);
                    for extension in &parameters {
                        out.field(&extension.path, Raw(&extension.value.0));
                    }
                });
            }
        });
        Ok(EmbedEncoded { body: out.into_bytes(), dropped, batch: request.batch })
    }

    fn summary(&self, body: &Bytes) -> Summary {
        match Thin::parse(body) {
            Ok(thin) => Summary {
                usage: used(thin.doc.root()),
                error: from_stream(Family::Gemini, &thin.doc),
                ..Summary::default()
            },
            Err(error) => Summary { error: Some(error), ..Summary::default() },
        }
    }

    fn decode_answer(&self, body: &Bytes) -> Result<EmbedAnswer, Error> {
        let thin = Thin::parse(body)?;
        let root = thin.doc.root();
        let vector = |one: Node<'_>| {
            let index = one.path(&["embeddings", "values"])?.u64()?;
            Some(Vector::Numbers(thin.list(index)?.to_owned()))
        };
        let found: Option<Vec<_>> =
            root.opt("predictions").and_then(|list| list.items().map(vector).collect());
        let vectors = found.filter(|vectors| !vectors.is_empty()).ok_or_else(|| {
            let nothing = || Error::new(Code::UpstreamBadResponse, "the provider's answer holds no vectors");
            from_stream(Family::Gemini, &thin.doc).unwrap_or_else(nothing)
        })?;
        Ok(EmbedAnswer { vectors, usage: used(root), ..EmbedAnswer::default() })
    }
}

/// The tokens of all texts, each counted by itself.
fn used(root: Node<'_>) -> Option<Usage> {
    let count = |one: Node<'_>| one.path(&["embeddings", "statistics", "token_count"])?.u64();
    let counts: Option<Vec<u64>> = root.opt("predictions")?.items().map(count).collect();
    let input_tokens = counts?.into_iter().fold(0, u64::saturating_add);
    Some(Usage { input_tokens, ..Usage::default() })
}
