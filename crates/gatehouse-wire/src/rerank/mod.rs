//! Rankings: which of these documents answer this question best.
//!
//! Callers ask in one form, [`CohereRerank`]: Cohere's and Jina's differ in nothing that a request says. Providers are
//! asked in theirs, each a [`RerankCodec`]. No provider is asked to send documents back: whoever wants to see them in
//! the answer gets them from his own request, as it was sent.

mod bedrock;
mod cohere;
mod form;
mod jina;
mod tei;
mod units;
mod voyage;

#[cfg(test)]
mod tests;

pub use bedrock::BedrockRerank;
pub use cohere::{CohereRerank, decode_request, encode_answer, rewrite, view};
pub use jina::JinaRerank;
pub use tei::TeiRerank;
pub use units::search_units;
pub use voyage::VoyageRerank;

use crate::chat::Extension;
use crate::codec::Target;
use crate::json::Doc;
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;

/// What a caller wants ranked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RerankRequest {
    /// The model as the caller named it.
    pub model: String,
    /// The question.
    pub query: String,
    /// The documents, in the caller's order.
    pub documents: Vec<String>,
    /// How many of the best to tell; all when absent.
    pub top_n: Option<u64>,
    /// Whether the answer shall hold the documents.
    pub return_documents: bool,
    /// Where the reading of a document ends, in tokens.
    pub max_tokens_per_doc: Option<u64>,
    /// What only some providers know.
    pub extensions: Vec<Extension>,
}

/// A place in the ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Which document, counted from 0 in the order of the request.
    pub index: u64,
    /// How well it answers the question: a JSON number, digits untouched.
    pub score: String,
}

/// The ranking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RerankAnswer {
    /// The provider's name for the answer; empty when it has none.
    pub id: String,
    /// The best first.
    pub results: Vec<Ranked>,
    /// What it used, where the provider says.
    pub usage: Option<Usage>,
}

/// A request written for a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RerankEncoded {
    /// The body.
    pub body: Vec<u8>,
    /// What was left out, by path.
    pub dropped: Vec<String>,
}

/// What a provider bills rankings by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Billing {
    /// Tokens, those of the question once for each document.
    Tokens,
    /// Search units.
    Units,
}

/// How a provider is asked for a ranking.
pub trait RerankCodec: Send + Sync {
    /// What it bills.
    fn billing(&self) -> Billing;

    /// Writes a request.
    ///
    /// # Errors
    /// `unsupported_parameter` for what cannot be said here.
    fn encode_request(&self, request: &RerankRequest, target: &Target<'_>) -> Result<RerankEncoded, Error>;

    /// Reads an answer.
    ///
    /// # Errors
    /// `upstream_bad_response` when it is none, and what the provider reports.
    fn decode_answer(&self, doc: &Doc) -> Result<RerankAnswer, Error>;
}

// === impl RerankAnswer ===

impl RerankAnswer {
    /// Holds the answer against its request: as many places as were asked for, each for a document that there is.
    ///
    /// # Errors
    /// `upstream_bad_response` for a place of a document that there is not.
    pub fn fitted(mut self, request: &RerankRequest) -> Result<Self, Error> {
        let documents = u64::try_from(request.documents.len()).unwrap_or(u64::MAX);
        if let Some(stray) = self.results.iter().find(|ranked| ranked.index >= documents) {
            let why = format!("place {} of {documents} documents", stray.index);
            return Err(form::unreadable().detail(why));
        }
        if let Some(most) = request.top_n {
            self.results.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        Ok(self)
    }
}
