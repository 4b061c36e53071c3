//! Hugging Face Text Embeddings Inference: embeddings and rankings of the one model that it runs. Its address is that
//! with the version, `http://…/v1`. <https://huggingface.github.io/text-embeddings-inference/>

use crate::Environment;
use crate::compatible::{Compatible, Key};
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// Hugging Face Text Embeddings Inference.
pub static PROVIDER: Compatible = Compatible {
    name: "tei",
    environment: Environment { key: None, base_url: Some("TEI_BASE_URL"), also: &[] },
    chat: false,
    also: &[Dialect::OpenAiEmbeddings, Dialect::TeiRerank],
    key: Key::Optional,
    quirks: Quirks::COMPATIBLE,
    ..Compatible::BASE
};
