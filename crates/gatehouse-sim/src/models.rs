//! The lists of models. They name a few; every other name is answered too.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::dialect::Dialect;
use crate::directive::Directives;
use crate::fault::Checked;
use crate::{anthropic, gemini, openai_chat};

/// When all simulated models were made: 2026-01-01.
const CREATED: u64 = 1_767_225_600;
const CREATED_RFC3339: &str = "2026-01-01T00:00:00Z";

/// All models, or one of them. Bedrock's runtime lists none, so nobody asks it.
pub(crate) fn models(dialect: Dialect, one: Option<&str>, names: &[String]) -> Checked<Answer> {
    let Some(name) = one else { return Ok(Answer::ok(&list(dialect, names))) };
    if Directives::of(name).missing {
        return Err(match dialect {
            Dialect::OpenAi | Dialect::Bedrock | Dialect::Cohere => openai_chat::no_such_model(name),
            Dialect::Anthropic => anthropic::no_such_model(name),
            Dialect::Gemini => gemini::no_such_model(name, "v1beta", "getModel"),
        });
    }
    Ok(Answer::ok(&model(dialect, name)))
}

fn list(dialect: Dialect, names: &[String]) -> Value {
    let models: Vec<Value> = names.iter().map(|name| model(dialect, name)).collect();
    match dialect {
        Dialect::OpenAi | Dialect::Bedrock | Dialect::Cohere => json!({"object": "list", "data": models}),
        Dialect::Anthropic => {
            json!({"data": models, "has_more": false, "first_id": names.first(), "last_id": names.last()})
        }
        Dialect::Gemini => json!({ "models": models }),
    }
}

fn model(dialect: Dialect, name: &str) -> Value {
    match dialect {
        Dialect::OpenAi | Dialect::Bedrock | Dialect::Cohere => {
            json!({"id": name, "object": "model", "created": CREATED, "owned_by": "sim"})
        }
        Dialect::Anthropic => {
            json!({"type": "model", "id": name, "display_name": name, "created_at": CREATED_RFC3339})
        }
        Dialect::Gemini => json!({"name": format!("models/{name}"), "version": "001", "displayName": name,
            "description": "A simulated model.", "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
            "temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2, "thinking": true}),
    }
}
