//! Voyage's `POST /v1/rerank`: `top_k`, and the list in `data`.
//! <https://docs.voyageai.com/reference/reranker-api>

use super::{Billing, RerankAnswer, RerankCodec, RerankEncoded, RerankRequest, form};
use crate::codec::Target;
use crate::json::{Doc, Out};
use gatehouse_core::content::Family;
use gatehouse_core::error::Error;

/// What it knows beside what all know.
const ALSO: &[&str] = &["truncation"];

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoyageRerank;

// === impl VoyageRerank ===

impl RerankCodec for VoyageRerank {
    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn encode_request(&self, request: &RerankRequest, target: &Target<'_>) -> Result<RerankEncoded, Error> {
        let mut dropped = Vec::new();
        if request.max_tokens_per_doc.is_some() {
            dropped.push("max_tokens_per_doc".to_owned());
        }
        let kept = form::kept(request, |name| ALSO.contains(&name), &mut dropped)?;
        let mut out = Out::new();
        out.object(|out| {
            form::question(out, Some(target.model), request, "documents");
            out.field_opt("top_k", request.top_n);
            form::extend(out, &kept);
        });
        Ok(RerankEncoded { body: out.into_bytes(), dropped })
    }

    fn decode_answer(&self, doc: &Doc) -> Result<RerankAnswer, Error> {
        form::answer(Family::OpenAi, doc)
    }
}
