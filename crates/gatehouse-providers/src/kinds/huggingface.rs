//! Hugging Face's router to many providers; models are called `organisation/model`, with `:provider` behind it to
//! choose one. <https://huggingface.co/docs/inference-providers/tasks/chat-completion>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_wire::codec::Quirks;

/// Hugging Face's router.
pub static PROVIDER: Compatible = Compatible {
    name: "huggingface",
    base_url: Some("https://router.huggingface.co/v1"),
    environment: Environment { key: Some("HF_TOKEN"), base_url: Some("HUGGINGFACE_BASE_URL"), also: &[] },
    also: &[],
    quirks: Quirks { drop: &["user", "metadata", "store", "service_tier", "safety_identifier"], ..Quirks::COMPATIBLE },
    ..Compatible::BASE
};
