//! Hugging Face Text Generation Inference. <https://huggingface.co/docs/text-generation-inference/messages_api>

use crate::Environment;
use crate::compatible::{Compatible, Key};
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// Hugging Face Text Generation Inference.
pub static PROVIDER: Compatible = Compatible {
    name: "tgi",
    environment: Environment { key: None, base_url: Some("TGI_BASE_URL"), also: &[] },
    also: &[Dialect::OpenAiCompletions],
    key: Key::Optional,
    quirks: Quirks { drop: &["user", "metadata", "store", "service_tier", "safety_identifier"], ..Quirks::COMPATIBLE },
    ..Compatible::BASE
};
