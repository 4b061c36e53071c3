//! Who asks for what, on whose account: the same for every protocol.

use std::fmt;
use std::sync::Arc;

/// Identity of one call in headers, traces, ledger and audit log (a UUIDv7, so ids sort by time).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(uuid::Uuid);

/// The kinds of call, named after OpenTelemetry's `gen_ai.operation.name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// A conversation with a model, in whatever dialect.
    Chat,
    /// A prompt to be continued (OpenAI's `/v1/completions`).
    TextCompletion,
    /// Vectors for texts.
    Embeddings,
    /// The order of texts by how well they answer a question.
    Rerank,
    /// How many tokens a conversation would take.
    CountTokens,
    /// The models that the caller may use.
    ListModels,
    /// Whether a text or an image is harmful.
    Moderation,
    /// Images made or changed after a description.
    ImageGeneration,
    /// A text read aloud.
    Speech,
    /// A recording written down, in its own language or in English.
    Transcription,
    /// A session in which both sides speak at any time (OpenAI's `/v1/realtime`, Gemini Live).
    Realtime,
    /// An answer that was kept, once more (`GET /v1/responses/{id}`).
    RetrieveResponse,
    /// An answer that was kept, to be kept no longer.
    DeleteResponse,
    /// An answer that is being made in the background, to be made no longer.
    CancelResponse,
    /// What an answer that was kept was made of.
    ListInputItems,
    /// A file for a provider (`POST /v1/files`).
    CreateFile,
    /// The caller's files.
    ListFiles,
    /// What is known of a file.
    RetrieveFile,
    /// What is in a file.
    FileContent,
    /// A file, to be kept no longer.
    DeleteFile,
    /// A file of requests, to be answered within a day (`POST /v1/batches`).
    CreateBatch,
    /// The caller's batches.
    ListBatches,
    /// How far a batch is.
    RetrieveBatch,
    /// The proof that a call is in the record (`GET /v1/receipts/{record}`).
    RetrieveReceipt,
    /// A batch, to be worked on no longer.
    CancelBatch,
    /// Whatever a provider offers at a path of its own (`/passthrough/{provider}/…`).
    Passthrough,
}

/// The authenticated party: a caller key, or whatever else identity learns to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The public part of the credential, safe to show and to record (`ghk_…` without the secret).
    pub key_id: Arc<str>,
    /// What the key's owner calls it.
    pub key_name: Arc<str>,
    /// Models this caller may use; empty means every model. A trailing `*` matches any rest.
    pub models: Arc<[Arc<str>]>,
    /// The account that the key is bound to. A caller may fill what is empty, never change what is set.
    pub bound: Scope,
}

/// On whose account a call is: every cost and every record carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The organisation.
    pub org: Arc<str>,
    /// The team that pays.
    pub team: Arc<str>,
    /// The application that calls.
    pub app: Arc<str>,
    /// The use case that the application serves.
    pub use_case: Arc<str>,
    /// The end user, as the application names them.
    pub user: Arc<str>,
    /// The agent run or conversation that this call is a step of.
    pub run: Arc<str>,
    /// The step of the run.
    pub step: Arc<str>,
    /// Free labels, sorted by name, each name once.
    pub tags: Tags,
}

/// Names and values.
pub type Tags = Vec<(Arc<str>, Arc<str>)>;

// === impl CallId ===

impl CallId {
    /// Wraps a UUIDv7 made where the clock and the randomness are.
    #[must_use]
    pub fn new(id: uuid::Uuid) -> Self {
        Self(id)
    }

    /// The id of these sixteen bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads the hyphenated form that headers and records show.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// === impl Operation ===

impl Operation {
    /// All of them, to find one by its name.
    pub const ALL: &'static [Self] = &[
        Self::Chat,
        Self::TextCompletion,
        Self::Embeddings,
        Self::Rerank,
        Self::CountTokens,
        Self::ListModels,
        Self::Realtime,
        Self::Moderation,
        Self::ImageGeneration,
        Self::Speech,
        Self::Transcription,
        Self::RetrieveResponse,
        Self::DeleteResponse,
        Self::CancelResponse,
        Self::ListInputItems,
        Self::CreateFile,
        Self::ListFiles,
        Self::RetrieveFile,
        Self::FileContent,
        Self::DeleteFile,
        Self::CreateBatch,
        Self::ListBatches,
        Self::RetrieveBatch,
        Self::RetrieveReceipt,
        Self::CancelBatch,
        Self::Passthrough,
    ];

    /// The name in telemetry and in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
            Self::CountTokens => "count_tokens",
            Self::ListModels => "list_models",
            Self::Moderation => "moderation",
            Self::ImageGeneration => "image_generation",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Realtime => "realtime",
            Self::RetrieveResponse => "retrieve_response",
            Self::DeleteResponse => "delete_response",
            Self::CancelResponse => "cancel_response",
            Self::ListInputItems => "list_input_items",
            Self::CreateFile => "create_file",
            Self::ListFiles => "list_files",
            Self::RetrieveFile => "retrieve_file",
            Self::FileContent => "file_content",
            Self::DeleteFile => "delete_file",
            Self::CreateBatch => "create_batch",
            Self::ListBatches => "list_batches",
            Self::RetrieveBatch => "retrieve_batch",
            Self::RetrieveReceipt => "retrieve_receipt",
            Self::CancelBatch => "cancel_batch",
            Self::Passthrough => "passthrough",
        }
    }
}

// === impl Caller ===

impl Caller {
    /// Whether this caller may use the model of this name.
    #[must_use]
    pub fn may_use(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| is_meant(pattern, model))
    }
}

/// Whether a model is meant: by its name, or, before `*`, by how it begins.
#[must_use]
pub fn is_meant(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, Operation, Scope};

    #[test]
    fn operations_are_told_apart_by_their_names() {
        for operation in Operation::ALL {
            let named = Operation::ALL.iter().filter(|other| other.as_str() == operation.as_str());
            assert_eq!(named.collect::<Vec<_>>(), [operation]);
        }
    }

    #[test]
    fn an_empty_list_allows_all_and_a_star_matches_the_rest() {
        let mut caller =
            Caller { key_id: "k".into(), key_name: "n".into(), models: [].into(), bound: Scope::default() };
        assert!(caller.may_use("anything"));
        caller.models = ["fast".into(), "openai/*".into()].into();
        assert!(caller.may_use("fast") && caller.may_use("openai/gpt-5"));
        assert!(!caller.may_use("faster") && !caller.may_use("openaix/gpt"));
    }
}
