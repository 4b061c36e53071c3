//! Jina: embeddings and rankings. <https://api.jina.ai/docs>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// Jina.
pub static PROVIDER: Compatible = Compatible {
    name: "jina",
    base_url: Some("https://api.jina.ai/v1"),
    environment: Environment { key: Some("JINA_API_KEY"), base_url: Some("JINA_BASE_URL"), also: &[] },
    chat: false,
    also: &[Dialect::OpenAiEmbeddings, Dialect::JinaRerank],
    // Its word for the form of vectors is `embedding_type`; without it they come as numbers, which OpenAI's own
    // clients read as well.
    quirks: Quirks { drop: &["user", "encoding_format"], ..Quirks::COMPATIBLE },
    model_prefixes: &["jina-"],
    ..Compatible::BASE
};
