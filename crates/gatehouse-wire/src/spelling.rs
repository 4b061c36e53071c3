//! What a member of a request is called in each dialect, so that a refusal or a loss is named as the caller
//! wrote it and not in the words of the dialect that it was translated to.

use crate::json::{Doc, Node};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// One member in the words of chat, responses, completions, messages, Gemini, Cohere and Converse. Where a dialect has
/// several words for it the first is the usual one; none where it has no such member.
struct Member([&'static [&'static str]; 7]);

const MEMBERS: &[Member] = &[
    Member([
        &["messages", "file_id", "image", "images", "document", "documents", "audio", "video"],
        &["input"],
        &["prompt"],
        &["messages"],
        &["contents"],
        &["messages", "documents"],
        &["messages"],
    ]),
    Member([
        &["messages"],
        &["instructions"],
        &["prompt"],
        &["system"],
        &["systemInstruction"],
        &["messages"],
        &["system"],
    ]),
    Member([&["n"], &[], &["n"], &[], &["generationConfig.candidateCount"], &[], &[]]),
    Member([
        &["max_completion_tokens", "max_tokens"],
        &["max_output_tokens"],
        &["max_tokens"],
        &["max_tokens"],
        &["generationConfig.maxOutputTokens"],
        &["max_tokens"],
        &["inferenceConfig.maxTokens"],
    ]),
    Member([
        &["temperature"],
        &["temperature"],
        &["temperature"],
        &["temperature"],
        &["generationConfig.temperature"],
        &["temperature"],
        &["inferenceConfig.temperature"],
    ]),
    Member([
        &["top_p"],
        &["top_p"],
        &["top_p"],
        &["top_p"],
        &["generationConfig.topP"],
        &["p"],
        &["inferenceConfig.topP"],
    ]),
    Member([
        &["top_k"],
        &[],
        &["top_k"],
        &["top_k"],
        &["generationConfig.topK"],
        &["k"],
        &["additionalModelRequestFields.top_k", "additionalModelRequestFields.inferenceConfig.topK"],
    ]),
    Member([
        &["presence_penalty"],
        &[],
        &["presence_penalty"],
        &[],
        &["generationConfig.presencePenalty"],
        &["presence_penalty"],
        &[],
    ]),
    Member([
        &["frequency_penalty"],
        &[],
        &["frequency_penalty"],
        &[],
        &["generationConfig.frequencyPenalty"],
        &["frequency_penalty"],
        &[],
    ]),
    Member([
        &["seed", "random_seed"],
        &[],
        &["seed", "random_seed"],
        &[],
        &["generationConfig.seed"],
        &["seed"],
        &[],
    ]),
    Member([
        &["stop"],
        &[],
        &["stop"],
        &["stop_sequences"],
        &["generationConfig.stopSequences"],
        &["stop_sequences"],
        &["inferenceConfig.stopSequences"],
    ]),
    Member([
        &["response_format"],
        &["text.format"],
        &[],
        &["output_config.format", "output_format"],
        &[
            "generationConfig.responseSchema",
            "generationConfig.responseJsonSchema",
            "generationConfig.responseMimeType",
        ],
        &["response_format"],
        &["outputConfig.textFormat"],
    ]),
    Member([
        &["reasoning_effort", "reasoning", "thinking"],
        &["reasoning", "reasoning.effort"],
        &[],
        &["thinking", "output_config.effort"],
        &["generationConfig.thinkingConfig"],
        &["thinking"],
        &[
            "additionalModelRequestFields.thinking",
            "additionalModelRequestFields.reasoning_effort",
            "additionalModelRequestFields.reasoningConfig",
            "additionalModelRequestFields.output_config.effort",
            "outputConfig.effort",
        ],
    ]),
    Member([
        &["logprobs"],
        &["top_logprobs"],
        &["logprobs"],
        &[],
        &["generationConfig.responseLogprobs"],
        &["logprobs"],
        &[],
    ]),
    Member([&["top_logprobs"], &["top_logprobs"], &[], &[], &["generationConfig.logprobs"], &[], &[]]),
    Member([
        &["tools", "functions"],
        &["tools"],
        &[],
        &["tools"],
        &["tools"],
        &["tools"],
        &["toolConfig.tools"],
    ]),
    Member([
        &["tool_choice", "function_call"],
        &["tool_choice"],
        &[],
        &["tool_choice"],
        &["toolConfig.functionCallingConfig"],
        &["tool_choice"],
        &["toolConfig.toolChoice"],
    ]),
    Member([
        &["parallel_tool_calls"],
        &["parallel_tool_calls"],
        &[],
        &["tool_choice.disable_parallel_tool_use"],
        &[],
        &[],
        &[],
    ]),
    Member([
        &["service_tier"],
        &["service_tier"],
        &["service_tier"],
        &["service_tier"],
        &["serviceTier"],
        &[],
        &["serviceTier"],
    ]),
    Member([
        &["user", "safety_identifier"],
        &["user", "safety_identifier"],
        &["user"],
        &["metadata.user_id"],
        &[],
        &[],
        &[],
    ]),
    Member([&["metadata"], &["metadata"], &[], &["metadata"], &[], &[], &["requestMetadata"]]),
];

/// A refusal, naming the member as the caller of `front` wrote it. Dialects whose errors have no place for
/// the member find it in the message.
#[must_use]
pub fn refused(front: Dialect, doc: &Doc, error: Error) -> Error {
    let Some(old) = error.param.clone() else { return error };
    let new = word(front, doc.root(), &old);
    let message = match error.message.strip_prefix(&old) {
        Some(rest) if rest.starts_with([':', ' ']) => format!("{new}{rest}"),
        _ => match error.message.strip_suffix(&old) {
            Some(rest) if rest.ends_with(' ') => format!("{rest}{new}"),
            _ => error.message.clone(),
        },
    };
    let message = if message.contains(&new) { message } else { format!("{new}: {message}") };
    Error { message, param: Some(new), ..error }
}

/// What was left out, named as the caller of `front` wrote it, each thing once.
#[must_use]
pub fn dropped(front: Dialect, doc: &Doc, names: Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names.into_iter().map(|name| word(front, doc.root(), &name)) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

fn word(front: Dialect, root: Node<'_>, name: &str) -> String {
    let column = match front {
        Dialect::OpenAiChat => 0,
        Dialect::OpenAiResponses => 1,
        Dialect::OpenAiCompletions | Dialect::MistralFim => 2,
        Dialect::AnthropicMessages => 3,
        Dialect::GeminiGenerate => 4,
        Dialect::CohereChat => 5,
        Dialect::BedrockConverse => 6,
        _ => return name.to_owned(),
    };
    if is_there(root, name) {
        return name.to_owned();
    }
    if let Some((at, member)) = name.strip_prefix("tools[").and_then(|rest| rest.split_once("].")) {
        return match (front, member) {
            (Dialect::OpenAiChat | Dialect::CohereChat, "name") => format!("tools[{at}].function.name"),
            // Its lists of functions stand inside of its list of tools.
            (Dialect::GeminiGenerate, "name") => "tools".to_owned(),
            // Marks of the cache stand among them.
            (Dialect::BedrockConverse, "name") => "toolConfig.tools".to_owned(),
            _ => name.to_owned(),
        };
    }
    let own = |member: &Member| member.0.get(column).copied().unwrap_or_default();
    let means = |member: &&Member| member.0.iter().any(|words| words.contains(&name));
    let meant: Vec<&str> = MEMBERS.iter().filter(means).flat_map(own).copied().collect();
    let written = meant.iter().find(|word| is_there(root, word));
    written.or(meant.first()).map_or(name, |word| *word).to_owned()
}

/// Whether the caller wrote this member. Gemini's have two spellings.
fn is_there(root: Node<'_>, path: &str) -> bool {
    let step = |node, name: &str| crate::gemini::member::get(node, name);
    path.split('.').try_fold(root, step).is_some()
}

#[cfg(test)]
mod tests {
    use super::{dropped, refused};
    use crate::chat::ChatRequest;
    use crate::codec::{Codec, Quirks, Target};
    use crate::json::{Doc, Strictness};
    use crate::{
        anthropic::Messages, bedrock::Converse, cohere::CohereChat, completions::Completions, gemini::Gemini,
    };
    use crate::{openai_chat::OpenAiChat, openai_responses::OpenAiResponses};
    use bytes::Bytes;
    use gatehouse_core::content::Dialect;
    use gatehouse_core::deployment::Capabilities;
    use gatehouse_core::error::Error;

    const FRONTS: [(Dialect, &dyn Codec, &str); 7] = [
        (
            Dialect::OpenAiChat,
            &OpenAiChat,
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":5,"temperature":1,"top_p":1,
            "top_k":2,"seed":1,"stop":["a","b","c","d","e","f"],"n":2,"presence_penalty":1,"reasoning_effort":"low",
            "response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}},"user":"u",
            "tools":[{"type":"function","function":{"name":"a.b"}}],"tool_choice":"required","service_tier":"odd"}"#,
        ),
        (
            Dialect::OpenAiResponses,
            &OpenAiResponses,
            r#"{"model":"m","input":"x","max_output_tokens":5,"temperature":1,"top_p":1,"reasoning":{"effort":"low"},
            "text":{"format":{"type":"json_schema","name":"a","schema":{}}},"user":"u","store":false,
            "tools":[{"type":"function","name":"a.b"}],"tool_choice":"required","service_tier":"odd"}"#,
        ),
        (
            Dialect::OpenAiCompletions,
            &Completions,
            r#"{"model":"m","prompt":"x","max_tokens":5,"temperature":1,"top_p":1,"seed":1,
            "stop":["a","b","c","d","e","f"],"presence_penalty":1,"user":"u","service_tier":"odd"}"#,
        ),
        (
            Dialect::AnthropicMessages,
            &Messages,
            r#"{"model":"m","max_tokens":2000,"messages":[{"role":"user","content":"x"}],"temperature":1,"top_p":1,
            "top_k":2,"stop_sequences":["a","b","c","d","e","f"],"thinking":{"type":"enabled","budget_tokens":1024},
            "output_config":{"format":{"type":"json_schema","schema":{}}},"metadata":{"user_id":"u"},
            "tools":[{"name":"a.b","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},"service_tier":"auto"}"#,
        ),
        (
            Dialect::GeminiGenerate,
            &Gemini,
            r#"{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":5,
            "temperature":1,"topP":1,"topK":2,"seed":1,"stop_sequences":["a","b","c","d","e","f"],"candidateCount":2,
            "presencePenalty":1,"responseSchema":{"type":"OBJECT"},"responseMimeType":"application/json",
            "thinkingConfig":{"thinkingBudget":5}},"tools":[{"functionDeclarations":[{"name":"a.b"}]}],
            "toolConfig":{"functionCallingConfig":{"mode":"ANY"}},"serviceTier":"odd"}"#,
        ),
        (
            Dialect::CohereChat,
            &CohereChat,
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":5,"temperature":1,"p":1,"k":2,"seed":1,
            "stop_sequences":["a","b","c","d","e","f"],"presence_penalty":1,"thinking":{"type":"enabled","token_budget":5},
            "response_format":{"type":"json_object","json_schema":{}},"tool_choice":"REQUIRED",
            "tools":[{"type":"function","function":{"name":"a.b"}}]}"#,
        ),
        (
            Dialect::BedrockConverse,
            &Converse,
            r#"{"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":2000,"temperature":1,
            "topP":1,"stopSequences":["a","b","c","d","e","f"]},"additionalModelRequestFields":{"top_k":2,"thinking":
            {"type":"enabled","budget_tokens":1024}},"outputConfig":{"textFormat":{"type":"json_schema","structure":
            {"jsonSchema":{"schema":"{}"}}}},"requestMetadata":{"a":"b"},"serviceTier":{"type":"odd"},"toolConfig":
            {"tools":[{"toolSpec":{"name":"a.b","inputSchema":{"json":{}}}}],"toolChoice":{"any":{}}}}"#,
        ),
    ];

    fn doc(text: &str) -> Doc {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
    }

    /// Takes out of a request what a refusal named, so that the next can be heard.
    fn without(mut request: ChatRequest, canonical: &str) -> ChatRequest {
        match canonical {
            "n" => request.candidates = None,
            "stop" => request.stop.clear(),
            "response_format" => request.format = None,
            "messages" | "prompt" => request.turns.truncate(1),
            "top_k" => request.top_k = None,
            "seed" => request.seed = None,
            "temperature" => request.temperature = None,
            name if name.starts_with("tools") || name == "tool_choice" => {
                request.tools.clear();
                request.tool_choice = None;
            }
            other => panic!("{other} is not known to the test"),
        }
        request
    }

    fn stands(doc: &Doc, path: &str) -> bool {
        super::is_there(doc.root(), path.split('[').next().unwrap())
    }

    /// Every refusal and every loss on every way from a front to another dialect's provider names a member
    /// that stands in the caller's request.
    #[test]
    fn every_name_is_one_that_the_caller_wrote() {
        let refuse = Quirks {
            refuse: &[
                "temperature",
                "top_k",
                "seed",
                "generationConfig.topK",
                "generationConfig.temperature",
            ],
            json_schema: false,
            ..Quirks::COMPATIBLE
        };
        let poor = Capabilities { tools: Some(false), structured: Some(false), ..Capabilities::default() };
        let plain = Capabilities { sampling: Some(false), reasoning: Some(false), ..Capabilities::default() };
        let mut heard = 0;
        for (front, codec, body) in FRONTS {
            let doc = doc(body);
            for (to, target_codec, _) in FRONTS.into_iter().filter(|(to, ..)| *to != front) {
                for (capabilities, quirks) in
                    [(poor, &refuse), (plain, &Quirks::NONE), (plain, &Quirks::COMPATIBLE)]
                {
                    let target = Target { model: "gemini-3-pro", capabilities, quirks };
                    let mut request = codec.decode_request(&doc).unwrap();
                    let encoded = loop {
                        let error = match target_codec.encode_request(&request, &target) {
                            Ok(encoded) => break encoded,
                            Err(error) => error,
                        };
                        let told = refused(front, &doc, error.clone());
                        let param = told.param.unwrap();
                        assert!(stands(&doc, &param), "{front:?} to {to:?}: {param}: {}", told.message);
                        assert!(
                            told.message.contains(&param),
                            "{front:?} to {to:?}: {param}: {}",
                            told.message
                        );
                        heard += 1;
                        let canonical = error.param.unwrap();
                        let canonical =
                            canonical.strip_prefix("generationConfig.").map_or(canonical.as_str(), |name| {
                                if name == "topK" { "top_k" } else { name }
                            });
                        request = without(request, canonical);
                    };
                    for name in dropped(front, &doc, encoded.dropped) {
                        let in_words = name.contains(' ');
                        assert!(in_words || stands(&doc, &name), "{front:?} to {to:?}: dropped {name}");
                    }
                }
            }
        }
        assert!(heard > 20, "{heard}");
    }

    #[test]
    fn a_name_is_told_where_the_caller_has_it() {
        for (front, body, old, message, new, told) in [
            (
                Dialect::GeminiGenerate,
                "{}",
                "top_k",
                "top_k: no",
                "generationConfig.topK",
                "generationConfig.topK: no",
            ),
            (
                Dialect::AnthropicMessages,
                "{}",
                "stop",
                "Gemini takes at most 5 stop texts",
                "stop_sequences",
                "stop_sequences: Gemini takes at most 5 stop texts",
            ),
            (
                Dialect::OpenAiResponses,
                "{}",
                "response_format",
                "the provider of this model does not support response_format",
                "text.format",
                "the provider of this model does not support text.format",
            ),
            (
                Dialect::OpenAiChat,
                r#"{"thinking":1}"#,
                "thinking",
                "thinking: no",
                "thinking",
                "thinking: no",
            ),
            (
                Dialect::OpenAiChat,
                r#"{"max_tokens":1}"#,
                "max_output_tokens",
                "x",
                "max_tokens",
                "max_tokens: x",
            ),
        ] {
            let error = refused(front, &doc(body), Error::unsupported(old, message));
            assert_eq!((error.param.as_deref(), error.message.as_str()), (Some(new), told));
        }
    }
}
