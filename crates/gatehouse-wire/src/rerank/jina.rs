//! Jina's `POST /v1/rerank`, which vLLM, llama.cpp, Together and others imitate.
//! <https://api.jina.ai/docs#/Search%20Foundation%20Models/rerank_v1_rerank_post>

use super::{Billing, RerankAnswer, RerankCodec, RerankEncoded, RerankRequest, form};
use crate::codec::Target;
use crate::json::{Doc, Out};
use gatehouse_core::content::Family;
use gatehouse_core::error::Error;

/// Members of Cohere's that nobody here knows.
const COHERES: &[&str] = &["max_chunks_per_doc", "rank_fields"];

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct JinaRerank;

// === impl JinaRerank ===

impl RerankCodec for JinaRerank {
    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn encode_request(&self, request: &RerankRequest, target: &Target<'_>) -> Result<RerankEncoded, Error> {
        let mut dropped = Vec::new();
        if request.max_tokens_per_doc.is_some() {
            dropped.push("max_tokens_per_doc".to_owned());
        }
        // The caller's form is this one: what is not known to be Cohere's may be one of the many servers' own.
        let kept = form::kept(request, |name| !COHERES.contains(&name), &mut dropped)?;
        let mut out = Out::new();
        out.object(|out| {
            form::question(out, Some(target.model), request, "documents");
            out.field_opt("top_n", request.top_n);
            // Jina's default is to send them all back.
            out.field("return_documents", false);
            form::extend(out, &kept);
        });
        Ok(RerankEncoded { body: out.into_bytes(), dropped })
    }

    fn decode_answer(&self, doc: &Doc) -> Result<RerankAnswer, Error> {
        form::answer(Family::OpenAi, doc)
    }
}
