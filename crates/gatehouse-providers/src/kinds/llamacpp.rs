//! The server of llama.cpp. <https://github.com/ggml-org/llama.cpp/tree/master/tools/server>

use crate::Environment;
use crate::compatible::{Compatible, Key};
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// The server of llama.cpp.
pub static PROVIDER: Compatible = Compatible {
    name: "llamacpp",
    environment: Environment { key: None, base_url: Some("LLAMACPP_BASE_URL"), also: &[] },
    also: &[Dialect::OpenAiCompletions, Dialect::OpenAiEmbeddings, Dialect::JinaRerank],
    key: Key::Optional,
    quirks: Quirks::COMPATIBLE,
    ..Compatible::BASE
};
