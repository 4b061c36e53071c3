//! Voyage: embeddings and rankings. <https://docs.voyageai.com/reference>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// Voyage.
pub static PROVIDER: Compatible = Compatible {
    name: "voyage",
    base_url: Some("https://api.voyageai.com/v1"),
    environment: Environment { key: Some("VOYAGE_API_KEY"), base_url: Some("VOYAGE_BASE_URL"), also: &[] },
    chat: false,
    also: &[Dialect::VoyageEmbeddings, Dialect::VoyageRerank],
    quirks: Quirks::COMPATIBLE,
    model_prefixes: &["voyage-"],
    ..Compatible::BASE
};
