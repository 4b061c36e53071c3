//! Models that rank at Amazon Bedrock, through `InvokeModel`. Answers say nothing of what was used.
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/rerank-supported.html>

use super::{Billing, RerankAnswer, RerankCodec, RerankEncoded, RerankRequest, form};
use crate::codec::Target;
use crate::json::{Doc, Out};
use gatehouse_core::content::Family;
use gatehouse_core::error::Error;

/// The version of Cohere's form, which Cohere's models ask for.
const COHERE_VERSION: u64 = 2;

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct BedrockRerank;

// === impl BedrockRerank ===

impl RerankCodec for BedrockRerank {
    fn billing(&self) -> Billing {
        Billing::Units
    }

    fn encode_request(&self, request: &RerankRequest, target: &Target<'_>) -> Result<RerankEncoded, Error> {
        let of_cohere = target.model.contains("cohere.");
        let mut dropped = Vec::new();
        if request.max_tokens_per_doc.is_some() && !of_cohere {
            dropped.push("max_tokens_per_doc".to_owned());
        }
        form::kept(request, |_| false, &mut dropped)?;
        let mut out = Out::new();
        out.object(|out| {
            form::question(out, None, request, "documents");
            out.field_opt("top_n", request.top_n);
            if of_cohere {
                out.field("api_version", COHERE_VERSION);
                out.field_opt("max_tokens_per_doc", request.max_tokens_per_doc);
            }
        });
        Ok(RerankEncoded { body: out.into_bytes(), dropped })
    }

    fn decode_answer(&self, doc: &Doc) -> Result<RerankAnswer, Error> {
        form::answer(Family::Bedrock, doc)
    }
}
