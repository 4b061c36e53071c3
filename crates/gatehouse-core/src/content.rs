//! Content as bytes that are read in place and edited by splicing, never re-serialised needlessly.

use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// A wire format of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI `POST /v1/chat/completions`
    OpenAiChat,
    /// OpenAI `POST /v1/responses`
    OpenAiResponses,
    /// OpenAI `POST /v1/completions`
    OpenAiCompletions,
    /// Mistral `POST /v1/fim/completions`
    MistralFim,
    /// OpenAI `POST /v1/embeddings`
    OpenAiEmbeddings,
    /// OpenAI `GET /v1/realtime`, events over a WebSocket
    OpenAiRealtime,
    /// Anthropic `POST /v1/messages`
    AnthropicMessages,
    /// Gemini `POST /v1beta/models/{m}:generateContent` and `:streamGenerateContent`
    GeminiGenerate,
    /// Gemini Live `BidiGenerateContent`, messages over a WebSocket
    GeminiLive,
    /// Gemini `POST /v1beta/models/{m}:embedContent` and `:batchEmbedContents`
    GeminiEmbed,
    /// Amazon Bedrock `POST /model/{m}/converse` and `/converse-stream`
    BedrockConverse,
    /// Cohere `POST /v2/chat`
    CohereChat,
    /// Cohere `POST /v2/embed`
    CohereEmbed,
    /// OpenAI `POST /v1/moderations`
    OpenAiModerations,
    /// OpenAI `POST /v1/images/generations`
    OpenAiImages,
    /// OpenAI `POST /v1/images/edits`
    OpenAiImageEdits,
    /// OpenAI `POST /v1/images/variations`
    OpenAiImageVariations,
    /// OpenAI `POST /v1/audio/speech`
    OpenAiSpeech,
    /// OpenAI `POST /v1/audio/transcriptions`
    OpenAiTranscriptions,
    /// OpenAI `POST /v1/audio/translations`
    OpenAiTranslations,
    /// OpenAI `/v1/files`
    OpenAiFiles,
    /// OpenAI `/v1/batches`
    OpenAiBatches,
    /// Whatever a provider of ours offers, in its own words: `/passthrough/{provider}/…`
    Passthrough,
    /// Cohere `POST /v2/rerank`; the same form serves Jina's callers at `/v1/rerank`
    CohereRerank,
    /// Jina `POST /v1/rerank`, which vLLM, llama.cpp and others imitate; spoken towards providers only
    JinaRerank,
    /// Voyage `POST /v1/rerank`; spoken towards providers only
    VoyageRerank,
    /// Hugging Face Text Embeddings Inference `POST /rerank`; spoken towards providers only
    TeiRerank,
    /// Amazon Bedrock `POST /model/{m}/invoke` of models that rank; spoken towards providers only
    BedrockRerank,
    /// Voyage `POST /v1/embeddings`; spoken towards providers only
    VoyageEmbeddings,
    /// Amazon Bedrock `POST /model/{m}/invoke` of Titan's embeddings; spoken towards providers only
    BedrockTitanEmbed,
    /// Amazon Bedrock `POST /model/{m}/invoke` of Cohere's embeddings; spoken towards providers only
    BedrockCohereEmbed,
    /// Vertex AI `POST …/models/{m}:predict` of embeddings; spoken towards providers only
    VertexPredict,
}

/// The family of a dialect: decides how errors look and which headers are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `{"error":{"message","type","param","code"}}`
    OpenAi,
    /// `{"type":"error","error":{"type","message"},"request_id"}`
    Anthropic,
    /// `{"error":{"code","message","status"}}`
    Gemini,
    /// `{"message"}`, the type in the header `x-amzn-errortype`
    Bedrock,
    /// `{"id","message"}`
    Cohere,
}

/// A text inside a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it stands in the raw bytes, inside the JSON string's quotes (so it may hold escapes).
    pub range: Range<usize>,
    /// What kind of text it is.
    pub place: Place,
}

/// What a text is to the conversation; guardrails are bound to places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Instructions of the application.
    System,
    /// Words of the user, text to embed, a question and the documents to rank by it.
    Input,
    /// Words of the model: in an answer, or replayed in a request's history.
    Output,
    /// Arguments of a tool call made by the model.
    ToolArguments,
    /// What a tool answered.
    ToolResult,
    /// Names and descriptions of tools.
    ToolDefinition,
}

/// A change of a body: replace these bytes with those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What to replace.
    pub range: Range<usize>,
    /// The replacement, already escaped for the place it goes to.
    pub with: Bytes,
}

/// Applies `edits` in one pass; without edits the bytes are shared, not copied.
///
/// Edits must be sorted and disjoint. One that is not, or that lies outside `raw`, is a bug of the
/// caller: it is skipped in release builds, never a panic.
#[must_use]
pub fn splice(raw: &Bytes, edits: &[Edit]) -> Bytes {
    if edits.is_empty() {
        return raw.clone();
    }
    let grown: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let mut out = BytesMut::with_capacity(raw.len() + grown);
    let mut at = 0;
    for edit in edits {
        let kept = raw.get(at..edit.range.start);
        debug_assert!(kept.is_some() && edit.range.end <= raw.len(), "edits sorted, disjoint, inside");
        let Some(kept) = kept else { continue };
        out.extend_from_slice(kept);
        out.extend_from_slice(&edit.with);
        at = edit.range.end.max(edit.range.start);
    }
    out.extend_from_slice(raw.get(at..).unwrap_or_default());
    out.freeze()
}

// === impl Dialect ===

impl Dialect {
    /// All of them, to find one by its name.
    pub const ALL: &'static [Self] = &[
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::OpenAiCompletions,
        Self::MistralFim,
        Self::OpenAiEmbeddings,
        Self::OpenAiRealtime,
        Self::AnthropicMessages,
        Self::GeminiGenerate,
        Self::GeminiLive,
        Self::GeminiEmbed,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::CohereEmbed,
        Self::OpenAiModerations,
        Self::OpenAiImages,
        Self::OpenAiImageEdits,
        Self::OpenAiImageVariations,
        Self::OpenAiSpeech,
        Self::OpenAiTranscriptions,
        Self::OpenAiTranslations,
        Self::OpenAiFiles,
        Self::OpenAiBatches,
        Self::Passthrough,
        Self::CohereRerank,
        Self::JinaRerank,
        Self::VoyageRerank,
        Self::TeiRerank,
        Self::BedrockRerank,
        Self::VoyageEmbeddings,
        Self::BedrockTitanEmbed,
        Self::BedrockCohereEmbed,
        Self::VertexPredict,
    ];

    /// Whose error envelope and headers this dialect uses.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::OpenAiChat
            | Self::OpenAiResponses
            | Self::OpenAiCompletions
            | Self::MistralFim
            | Self::OpenAiEmbeddings
            | Self::OpenAiModerations
            | Self::OpenAiImages
            | Self::OpenAiImageEdits
            | Self::OpenAiImageVariations
            | Self::OpenAiSpeech
            | Self::OpenAiTranscriptions
            | Self::OpenAiTranslations
            | Self::OpenAiFiles
            | Self::OpenAiBatches
            | Self::Passthrough
            | Self::OpenAiRealtime
            // They answer with `{"detail"}` or `{"error"}`, which are read as OpenAI's are.
            | Self::JinaRerank
            | Self::VoyageRerank
            | Self::TeiRerank
            | Self::VoyageEmbeddings => Family::OpenAi,
            Self::AnthropicMessages => Family::Anthropic,
            Self::GeminiGenerate | Self::GeminiLive | Self::GeminiEmbed | Self::VertexPredict => {
                Family::Gemini
            }
            Self::BedrockConverse
            | Self::BedrockRerank
            | Self::BedrockTitanEmbed
            | Self::BedrockCohereEmbed => Family::Bedrock,
            Self::CohereChat | Self::CohereEmbed | Self::CohereRerank => Family::Cohere,
        }
    }

    /// Whether callers ask for vectors in it.
    #[must_use]
    pub fn asks_for_vectors(self) -> bool {
        matches!(self, Self::OpenAiEmbeddings | Self::GeminiEmbed | Self::CohereEmbed)
    }

    /// Whether it is served only by providers that speak it themselves: nothing is translated into it or out of it.
    #[must_use]
    pub fn is_untranslated(self) -> bool {
        matches!(
            self,
            Self::OpenAiRealtime
                | Self::GeminiLive
                | Self::OpenAiModerations
                | Self::OpenAiImages
                | Self::OpenAiImageEdits
                | Self::OpenAiImageVariations
                | Self::OpenAiSpeech
                | Self::OpenAiTranscriptions
                | Self::OpenAiTranslations
                | Self::OpenAiFiles
                | Self::OpenAiBatches
                | Self::Passthrough
        )
    }

    /// The name in records, metrics and the matrix in docs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai.chat",
            Self::OpenAiResponses => "openai.responses",
            Self::OpenAiCompletions => "openai.completions",
            Self::MistralFim => "mistral.fim",
            Self::OpenAiEmbeddings => "openai.embeddings",
            Self::OpenAiRealtime => "openai.realtime",
            Self::AnthropicMessages => "anthropic.messages",
            Self::GeminiGenerate => "gemini.generate_content",
            Self::GeminiLive => "gemini.live",
            Self::GeminiEmbed => "gemini.embed_content",
            Self::BedrockConverse => "bedrock.converse",
            Self::CohereChat => "cohere.chat",
            Self::CohereEmbed => "cohere.embed",
            Self::OpenAiModerations => "openai.moderations",
            Self::OpenAiImages => "openai.images.generations",
            Self::OpenAiImageEdits => "openai.images.edits",
            Self::OpenAiImageVariations => "openai.images.variations",
            Self::OpenAiSpeech => "openai.audio.speech",
            Self::OpenAiTranscriptions => "openai.audio.transcriptions",
            Self::OpenAiTranslations => "openai.audio.translations",
            Self::OpenAiFiles => "openai.files",
            Self::OpenAiBatches => "openai.batches",
            Self::Passthrough => "passthrough",
            Self::CohereRerank => "cohere.rerank",
            Self::JinaRerank => "jina.rerank",
            Self::VoyageRerank => "voyage.rerank",
            Self::TeiRerank => "tei.rerank",
            Self::BedrockRerank => "bedrock.rerank",
            Self::VoyageEmbeddings => "voyage.embeddings",
            Self::BedrockTitanEmbed => "bedrock.titan_embed",
            Self::BedrockCohereEmbed => "bedrock.cohere_embed",
            Self::VertexPredict => "vertex.predict",
        }
    }
}

// === impl Place ===

impl Place {
    /// The name in the configuration and in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Input => "input",
            Self::Output => "output",
            Self::ToolArguments => "tool_arguments",
            Self::ToolResult => "tool_result",
            Self::ToolDefinition => "tool_definition",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, Edit, splice};
    use bytes::Bytes;
    use proptest::prelude::*;

    #[test]
    fn dialects_are_told_apart_by_their_names() {
        for dialect in Dialect::ALL {
            let named = Dialect::ALL.iter().filter(|other| other.as_str() == dialect.as_str());
            assert_eq!(named.collect::<Vec<_>>(), [dialect]);
        }
    }

    #[test]
    fn splice_replaces_in_one_pass_and_shares_when_nothing_changes() {
        let raw = Bytes::from_static(br#"{"model":"gpt-4o","x":"call 555-0100 now"}"#);
        let edits = [
            Edit { range: 10..16, with: Bytes::from_static(b"claude") },
            Edit { range: 28..36, with: Bytes::from_static(b"[PHONE]") },
        ];
        assert_eq!(&splice(&raw, &edits)[..], br#"{"model":"claude","x":"call [PHONE] now"}"#);
        assert_eq!(splice(&raw, &[]).as_ptr(), raw.as_ptr());
    }

    proptest! {
        /// Splicing every piece with itself is the identity, wherever the cuts are.
        #[test]
        fn splicing_pieces_with_themselves_changes_nothing(
            raw in proptest::collection::vec(any::<u8>(), 0..200),
            mut cuts in proptest::collection::vec(0usize..200, 0..12),
        ) {
            cuts.iter_mut().for_each(|cut| *cut = (*cut).min(raw.len()));
            cuts.sort_unstable();
            let edits: Vec<Edit> = cuts
                .chunks_exact(2)
                .map(|pair| Edit { range: pair[0]..pair[1], with: Bytes::copy_from_slice(&raw[pair[0]..pair[1]]) })
                .collect();
            let raw = Bytes::from(raw);
            prop_assert_eq!(splice(&raw, &edits), raw);
        }
    }
}
