//! Which code speaks which dialect: the one place where the server asks.

use crate::front::Front;
use gatehouse_core::call::Operation;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::anything;
use gatehouse_wire::codec::{Codec, ProviderCodec, View};
use gatehouse_wire::embeddings::{
    BedrockCohereEmbed, BedrockTitanEmbed, CohereEmbed, EmbedCodec, EmbedProviderCodec, GeminiEmbeddings,
    OpenAiEmbeddings, VertexPredict, VoyageEmbeddings,
};
use gatehouse_wire::json::Doc;
use gatehouse_wire::live::{self, GeminiLive};
use gatehouse_wire::native::NativeCodec;
use gatehouse_wire::realtime::{OpenAiRealtime, SessionCodec};
use gatehouse_wire::rerank::{
    self, BedrockRerank, CohereRerank, JinaRerank, RerankCodec, TeiRerank, VoyageRerank,
};
use gatehouse_wire::{
    anthropic, bedrock, cohere, completions, gemini, native, openai_chat, openai_responses,
};

/// The codec of a dialect of conversations in which a provider is asked: callers may ask in all of them.
///
/// # Errors
/// `internal_error` for dialects that are none.
pub fn provider_codec(dialect: Dialect) -> Result<&'static dyn ProviderCodec, Error> {
    let codec: &'static dyn ProviderCodec = codec(dialect)?;
    Ok(codec)
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
        Dialect::MistralFim => &completions::MistralFim,
        Dialect::AnthropicMessages => &anthropic::Messages,
        Dialect::GeminiGenerate => &gemini::Gemini,
        Dialect::CohereChat => &cohere::CohereChat,
        Dialect::BedrockConverse => &bedrock::Converse,
        other => return Err(Error::new(Code::Internal, format!("{} is no conversation", other.as_str()))),
    })
}

/// The codec of a dialect that is not translated.
///
/// # Errors
/// `internal_error` for dialects that are.
pub fn native(dialect: Dialect) -> Result<&'static dyn NativeCodec, Error> {
    native::codec(dialect)
        .ok_or_else(|| Error::new(Code::Internal, format!("{} is translated", dialect.as_str())))
}

/// The codec of a dialect of embeddings in which a provider is asked.
#[must_use]
pub fn asked_embeddings(dialect: Dialect) -> &'static dyn EmbedProviderCodec {
    match dialect {
        Dialect::VoyageEmbeddings => &VoyageEmbeddings,
        Dialect::BedrockTitanEmbed => &BedrockTitanEmbed,
        Dialect::BedrockCohereEmbed => &BedrockCohereEmbed,
        Dialect::VertexPredict => &VertexPredict,
        Dialect::CohereEmbed => &CohereEmbed,
        Dialect::GeminiEmbed => &GeminiEmbeddings,
        _ => &OpenAiEmbeddings,
    }
}

/// The codec of a dialect of embeddings in which callers ask.
#[must_use]
pub fn embeddings(dialect: Dialect) -> &'static dyn EmbedCodec {
    match dialect {
        Dialect::CohereEmbed => &CohereEmbed,
        Dialect::GeminiEmbed => &GeminiEmbeddings,
        _ => &OpenAiEmbeddings,
    }
}

/// The codec of a dialect of rankings, in which a provider is asked.
///
/// # Errors
/// `internal_error` for dialects that are none.
pub fn ranking(dialect: Dialect) -> Result<&'static dyn RerankCodec, Error> {
    Ok(match dialect {
        Dialect::CohereRerank => &CohereRerank,
        Dialect::JinaRerank => &JinaRerank,
        Dialect::VoyageRerank => &VoyageRerank,
        Dialect::TeiRerank => &TeiRerank,
        Dialect::BedrockRerank => &BedrockRerank,
        other => return Err(Error::new(Code::Internal, format!("{} is no ranking", other.as_str()))),
    })
}

/// The codec of a dialect of sessions.
///
/// # Errors
/// `internal_error` for dialects that are none.
pub fn session(dialect: Dialect) -> Result<&'static dyn SessionCodec, Error> {
    Ok(match dialect {
        Dialect::OpenAiRealtime => &OpenAiRealtime,
        Dialect::GeminiLive => &GeminiLive,
        other => return Err(Error::new(Code::Internal, format!("{} has no sessions", other.as_str()))),
    })
}

/// What the pipeline needs of a body.
///
/// # Errors
/// `invalid_request` naming the member that is malformed.
pub fn view(front: &Front, doc: &Doc) -> Result<View, Error> {
    match (front.operation, front.dialect) {
        _ if !front.has_body() => Ok(View::default()),
        (Operation::Passthrough, _) => Ok(anything::view(doc)),
        (Operation::CreateFile | Operation::CreateBatch, _) => Ok(View::default()),
        (_, Dialect::GeminiLive) => live::view(doc),
        (_, dialect) if dialect.is_untranslated() => native(dialect)?.view(doc),
        (Operation::CountTokens, Dialect::GeminiGenerate) => gemini::count::view(doc),
        (Operation::Embeddings, dialect) => embeddings(dialect).view(doc),
        (Operation::Rerank, _) => rerank::view(doc),
        (_, dialect) => codec(dialect)?.view(doc),
    }
}
