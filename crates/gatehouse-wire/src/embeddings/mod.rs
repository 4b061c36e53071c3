//! Embeddings: texts to vectors, in OpenAI's dialect, in Gemini's and in Cohere's, and towards providers in those of
//! Voyage, of two families at Amazon Bedrock, and of Vertex AI.
//!
//! Like the chat dialects these go through one form. Numbers are never read where they
//! only pass through: a vector is the text or the base64 that came ([`Vector`]).

mod bedrock;
mod cohere;
mod gemini;
mod openai;
mod task;
mod thin;
mod vector;
mod vertex;
mod voyage;

#[cfg(test)]
mod tests;

pub use bedrock::{BedrockCohereEmbed, BedrockTitanEmbed};
pub use cohere::CohereEmbed;
pub use gemini::GeminiEmbeddings;
pub use openai::{OpenAiEmbeddings, identified};
pub use vector::Vector;
pub use vertex::VertexPredict;
pub use voyage::VoyageEmbeddings;

use crate::chat::Extension;
use crate::codec::{Rewrite, Summary, Target, View};
use crate::json::Doc;
use bytes::Bytes;
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;

/// What a caller wants embedded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedRequest {
    /// The model as the caller named it. Empty when the dialect has it in the path.
    pub model: String,
    /// The texts, in order.
    pub inputs: Vec<EmbedInput>,
    /// Whether the caller used the form for several texts, which decides the form of the answer.
    pub batch: bool,
    /// How long the vectors shall be.
    pub dimensions: Option<u64>,
    /// How the vectors shall be written.
    pub encoding: Encoding,
    /// The caller's name for its end user.
    pub user: Option<String>,
    /// What the vectors are for, in Gemini's words (`taskType`).
    pub task_type: Option<String>,
    /// The caller's member that says so, where it is not Gemini's.
    pub task_member: Option<&'static str>,
    /// Gemini's `title` of the document.
    pub title: Option<String>,
    /// What only some dialects know.
    pub extensions: Vec<Extension>,
}

/// One text to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbedInput {
    /// As text.
    Text(String),
    /// As ids of tokens, which only the model's own provider can read.
    Tokens(Vec<u64>),
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As a list of numbers.
    #[default]
    Float,
    /// As base64 of little-endian 32-bit floats.
    Base64,
}

/// The vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedAnswer {
    /// The provider's id of it; empty where it has none.
    pub id: String,
    /// The model as the provider names it; empty when it does not.
    pub model: String,
    /// In the order of the texts.
    pub vectors: Vec<Vector>,
    /// What it used. Older Gemini models do not say.
    pub usage: Option<Usage>,
}

/// A request written for a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedEncoded {
    /// The body.
    pub body: Vec<u8>,
    /// What was left out, by path.
    pub dropped: Vec<String>,
    /// Whether it has the form for several texts: Gemini has a path of its own for it.
    pub batch: bool,
}

/// A text in JSON that holds vectors, with a number in the place of each: more numbers than a document may have do no
/// harm.
///
/// # Errors
/// `upstream_bad_response` when it is no JSON.
pub fn without_vectors(body: &Bytes) -> Result<Doc, Error> {
    thin::Thin::parse(body).map(|thin| thin.doc)
}

/// How a provider is asked for vectors. What is said of [`Codec`](crate::codec::Codec)'s methods holds here.
pub trait EmbedProviderCodec: Send + Sync {
    /// How many texts the provider takes at once with this model; `None` where that is its own affair.
    fn texts_max(&self, _model: &str) -> Option<usize> {
        None
    }

    /// Writes a request that was read in another dialect.
    ///
    /// # Errors
    /// `unsupported_parameter` for what cannot be said here.
    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<EmbedEncoded, Error>;

    /// Reads what accounting needs of an answer. Answers are read from their bytes, as they may hold more
    /// numbers than a [`Doc`] may.
    fn summary(&self, body: &Bytes) -> Summary;

    /// Reads a whole answer.
    ///
    /// # Errors
    /// `upstream_bad_response` when it is not one, and what the provider reports.
    fn decode_answer(&self, body: &Bytes) -> Result<EmbedAnswer, Error>;
}

/// A dialect in which callers ask for vectors, too.
pub trait EmbedCodec: EmbedProviderCodec {
    /// Reads what the pipeline needs of a request, and refuses what is malformed in it.
    ///
    /// # Errors
    /// `invalid_request` naming the member.
    fn view(&self, doc: &Doc) -> Result<View, Error>;

    /// Makes a request of this dialect fit for a target that speaks it too.
    ///
    /// # Errors
    /// `unsupported_parameter` for what the target cannot honour.
    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error>;

    /// Reads a whole request.
    ///
    /// # Errors
    /// `invalid_request` naming the member, `unsupported_parameter` for what has no place in
    /// [`EmbedRequest`].
    fn decode_request(&self, doc: &Doc) -> Result<EmbedRequest, Error>;

    /// Writes an answer to `request`, with `model` as the caller named it.
    ///
    /// # Errors
    /// `upstream_bad_response` when the vectors are not as many as the texts, or cannot be written as asked.
    fn encode_answer(
        &self,
        answer: &EmbedAnswer,
        request: &EmbedRequest,
        model: &str,
    ) -> Result<Vec<u8>, Error>;
}
