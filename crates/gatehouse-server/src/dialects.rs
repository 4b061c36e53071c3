//! Which code speaks which dialect: the one place where the server asks.

use crate::front::Front;
use gatehouse_core::call::Operation;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::codec::{Codec, ProviderCodec, View};
use gatehouse_wire::embeddings::{EmbedCodec, GeminiEmbeddings, OpenAiEmbeddings};
use gatehouse_wire::json::Doc;
use gatehouse_wire::{anthropic, bedrock, completions, gemini, openai_chat, openai_responses};

/// The codec of a dialect of conversations in which a provider is asked.
///
/// # Errors
/// `internal_error` for dialects that are none.
pub fn provider_codec(dialect: Dialect) -> Result<&'static dyn ProviderCodec, Error> {
    Ok(match dialect {
        Dialect::BedrockConverse => &bedrock::Converse,
        spoken => codec(spoken)?,
    })
}

/// The codec of a dialect of conversations in which callers ask.
///
/// # Errors
/// `internal_error` for dialects that are none.
pub fn codec(dialect: Dialect) -> Result<&'static dyn Codec, Error> {
    Ok(match dialect {
        Dialect::OpenAiChat => &openai_chat::OpenAiChat,
        Dialect::OpenAiResponses => &openai_responses::OpenAiResponses,
        Dialect::OpenAiCompletions => &completions::Completions,
        Dialect::AnthropicMessages => &anthropic::Messages,
        Dialect::GeminiGenerate => &gemini::Gemini,
        other => return Err(Error::new(Code::Internal, format!("{} is no conversation", other.as_str()))),
    })
}

/// The codec of a dialect of embeddings.
#[must_use]
pub fn embeddings(dialect: Dialect) -> &'static dyn EmbedCodec {
    match dialect {
        Dialect::GeminiEmbed => &GeminiEmbeddings,
        _ => &OpenAiEmbeddings,
    }
}

/// What the pipeline needs of a body.
///
/// # Errors
/// `invalid_request` naming the member that is malformed.
pub fn view(front: &Front, doc: &Doc) -> Result<View, Error> {
    match (front.operation, front.dialect) {
        (Operation::ListModels | Operation::Realtime, _) => Ok(View::default()),
        (Operation::CountTokens, Dialect::AnthropicMessages) => codec(Dialect::AnthropicMessages)?.view(doc),
        (Operation::CountTokens, _) => gemini::count::view(doc),
        (Operation::Embeddings, dialect) => embeddings(dialect).view(doc),
        (_, dialect) => codec(dialect)?.view(doc),
    }
}
