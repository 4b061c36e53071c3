//! Hugging Face Text Embeddings Inference, `POST /rerank`: one model, `texts`, and a bare list as the answer, which
//! holds every document. <https://huggingface.github.io/text-embeddings-inference/>

use super::{Billing, RerankAnswer, RerankCodec, RerankEncoded, RerankRequest, form};
use crate::codec::Target;
use crate::json::{Doc, Out};
use gatehouse_core::content::Family;
use gatehouse_core::error::Error;

/// What it knows beside what all know.
const ALSO: &[&str] = &["truncate", "truncation_direction", "raw_scores"];

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct TeiRerank;

// === impl TeiRerank ===

impl RerankCodec for TeiRerank {
    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn encode_request(&self, request: &RerankRequest, _: &Target<'_>) -> Result<RerankEncoded, Error> {
        let mut dropped = Vec::new();
        if request.max_tokens_per_doc.is_some() {
            dropped.push("max_tokens_per_doc".to_owned());
        }
        let kept = form::kept(request, |name| ALSO.contains(&name), &mut dropped)?;
        let mut out = Out::new();
        out.object(|out| {
            form::question(out, None, request, "texts");
            form::extend(out, &kept);
        });
        Ok(RerankEncoded { body: out.into_bytes(), dropped })
    }

    fn decode_answer(&self, doc: &Doc) -> Result<RerankAnswer, Error> {
        form::answer(Family::OpenAi, doc)
    }
}
