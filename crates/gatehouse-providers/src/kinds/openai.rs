//! OpenAI. <https://platform.openai.com/docs/api-reference>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// OpenAI.
pub static PROVIDER: Compatible = Compatible {
    name: "openai",
    also_called: &["text-completion-openai"],
    base_url: Some("https://api.openai.com/v1"),
    environment: Environment { key: Some("OPENAI_API_KEY"), base_url: Some("OPENAI_BASE_URL"), also: &[] },
    also: &[
        Dialect::OpenAiResponses,
        Dialect::OpenAiCompletions,
        Dialect::OpenAiEmbeddings,
        Dialect::OpenAiModerations,
        Dialect::OpenAiImages,
        Dialect::OpenAiImageEdits,
        Dialect::OpenAiImageVariations,
        Dialect::OpenAiSpeech,
        Dialect::OpenAiTranscriptions,
        Dialect::OpenAiTranslations,
        Dialect::OpenAiRealtime,
        Dialect::OpenAiFiles,
        Dialect::OpenAiBatches,
    ],
    counts: true,
    // It refuses members of requests and messages that only others know.
    quirks: Quirks { drop: &["top_k", "reasoning_content"], ..Quirks::NONE },
    model_prefixes: &["gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-", "codex-", "dall-e-", "tts-", "whisper-", "omni-moderation-", "text-moderation-"],
    example_model: Some("gpt-5-mini"),
    ..Compatible::BASE
};
