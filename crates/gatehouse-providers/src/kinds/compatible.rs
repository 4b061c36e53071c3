//! Any other server that speaks OpenAI's chat dialect: only the address is needed. <https://platform.openai.com/docs/api-reference/chat>

use crate::compatible::{Compatible, Key};
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// Any other server that speaks OpenAI's chat dialect.
pub static PROVIDER: Compatible = Compatible {
    name: "compatible",
    also_called: &["openai_like", "custom_openai", "litellm_proxy", "lm_studio", "llamafile"],
    also: &[Dialect::OpenAiCompletions, Dialect::OpenAiEmbeddings, Dialect::JinaRerank],
    key: Key::Optional,
    quirks: Quirks::COMPATIBLE,
    ..Compatible::BASE
};
