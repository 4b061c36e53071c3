//! From a path to what it asks for, and in which dialect errors are answered.

mod cloud;
pub mod passthrough;
mod resource;

use crate::headers::{ANTHROPIC_VERSION, GOOGLE_KEY};
use gatehouse_core::call::Operation;
use gatehouse_core::content::{Dialect, Family};
use http::{HeaderMap, Method};

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// The kind of call.
    pub operation: Operation,
    /// The wire format of the body and of the answer.
    pub dialect: Dialect,
    /// The model, for dialects that have it in the path.
    pub model: Option<String>,
    /// How the answer is framed, for dialects that say so in the path.
    pub framing: Framing,
    /// The method, or one that the path takes if it does not take the request's.
    pub method: Method,
    /// Which one is meant, where the path names a thing that is kept.
    pub id: Option<String>,
    /// Whether several texts are embedded at once (Gemini's `batchEmbedContents`).
    pub batch: bool,
    /// Whether the body is a form with files, and no JSON.
    pub is_form: bool,
    /// The provider whose own path it is, where the caller passes through to one.
    pub through: Option<Through>,
    /// The cloud whose clients frame the dialect in this way, where it is not the dialect's own.
    pub cloud: Option<Cloud>,
}

/// A path of a provider's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Through {
    /// The provider, as the configuration names it.
    pub provider: String,
    /// The path there, as it came.
    pub path: String,
    /// Whether it is one that is known here, written so that only the provider would see it.
    pub disguised: bool,
}

/// A cloud that serves other makers' models in their dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon Bedrock: `/model/{m}/invoke`
    Bedrock,
    /// Vertex AI: `…/publishers/{maker}/models/{m}:rawPredict`
    Vertex,
}

/// How an answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As the body says.
    FromBody,
    /// In one piece.
    Whole,
    /// Server-sent events.
    Events,
    /// One JSON array, element by element (Gemini without `alt=sse`).
    Array,
    /// Amazon's event stream, each event in a `chunk`.
    Chunks,
    /// Amazon's event stream, as the dialect writes it.
    Messages,
}

// === impl Front ===

impl Front {
    /// Whether a request of this kind says what it wants in its body.
    #[must_use]
    pub fn has_body(&self) -> bool {
        let reads = self.operation == Operation::Passthrough && self.method == Method::GET;
        let says_all = self.operation == Operation::ListModels
            || self.operation == Operation::Realtime && !self.is_told();
        !says_all && !self.is_about_kept() && !reads
    }

    /// Whether what it asks for is told in the first message of a session, and not in the request.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.dialect == Dialect::GeminiLive
    }

    /// Whether a request of this kind is for a model.
    #[must_use]
    pub fn wants_model(&self) -> bool {
        use Operation as O;
        let none = matches!(self.operation, O::ListModels | O::CreateFile | O::CreateBatch | O::Passthrough);
        !none && !self.is_about_kept()
    }

    /// Whether it asks for something that is kept, and sends nothing.
    #[must_use]
    pub fn is_about_kept(&self) -> bool {
        use Operation as O;
        matches!(
            self.operation,
            O::RetrieveResponse
                | O::DeleteResponse
                | O::CancelResponse
                | O::ListInputItems
                | O::ListFiles
                | O::RetrieveFile
                | O::FileContent
                | O::DeleteFile
                | O::ListBatches
                | O::RetrieveBatch
                | O::RetrieveReceipt
                | O::CancelBatch
        )
    }
}

/// What a path asks for; `None` when it is no path of ours.
#[must_use]
pub fn find(path: &str, query: Option<&str>, headers: &HeaderMap, method: &Method) -> Option<Front> {
    if let Some(front) = passthrough::find(path, query, headers, method) {
        return Some(front);
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    realtime(path, query)
        .or_else(|| live(path))
        .or_else(|| azure(path))
        .or_else(|| resource::find(path, method))
        .or_else(|| ranking(path))
        .or_else(|| cohere(path))
        .or_else(|| openai(path, headers))
        .or_else(|| anthropic(path))
        .or_else(|| cloud::find(path))
        .or_else(|| gemini(path, query))
}

/// In which dialect to answer a request whose path or credential is not understood.
#[must_use]
pub fn family(path: &str, headers: &HeaderMap) -> Family {
    if let Some((_, path)) = passthrough::parts(path) {
        return family(path, headers);
    }
    if cloud::is_bedrock(path) {
        Family::Bedrock
    } else if path.starts_with("/v1beta")
        || live(path).is_some()
        || headers.contains_key(GOOGLE_KEY)
        || path.contains("/models/") && path.contains(':')
    {
        Family::Gemini
    } else if path.starts_with("/v2/") || ranking(path).is_some() {
        Family::Cohere
    } else if path.starts_with("/v1/messages") || headers.contains_key(ANTHROPIC_VERSION) {
        Family::Anthropic
    } else {
        Family::OpenAi
    }
}

fn front(operation: Operation, dialect: Dialect) -> Front {
    Front {
        operation,
        dialect,
        model: None,
        framing: Framing::FromBody,
        method: Method::POST,
        id: None,
        batch: false,
        is_form: false,
        through: None,
        cloud: None,
    }
}

/// A realtime session. The model is in the query, under Azure's name for it where the path is Azure's.
fn realtime(path: &str, query: Option<&str>) -> Option<Front> {
    if !["/v1/realtime", "/realtime", "/openai/v1/realtime", "/openai/realtime"].contains(&path) {
        return None;
    }
    let model = query_value(query, "model").or_else(|| query_value(query, "deployment"));
    Some(Front { model, method: Method::GET, ..front(Operation::Realtime, Dialect::OpenAiRealtime) })
}

/// A session of Gemini Live, by the names that its service has at Google and at Vertex AI.
fn live(path: &str) -> Option<Front> {
    // Clients put it behind their base address, whose end may be a slash.
    let path = path.strip_prefix('/').filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let service = path.strip_prefix("/ws/google.")?;
    let named = [
        "ai.generativelanguage.v1.GenerativeService.BidiGenerateContent",
        "ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        "ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent",
        "cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent",
        "cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent",
    ];
    let live = Front { method: Method::GET, ..front(Operation::Realtime, Dialect::GeminiLive) };
    named.contains(&service).then_some(live)
}

/// Azure OpenAI's paths by deployment: the deployment is a model's name here, slashes and all. The `api-version` says
/// nothing that matters: these calls have the same form in all of them.
fn azure(path: &str) -> Option<Front> {
    let rest = path.strip_prefix("/openai/deployments/")?;
    // The longer endings first: one ends as another does.
    let calls = [
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/images/generations",
        "/images/edits",
        "/audio/speech",
        "/audio/transcriptions",
        "/audio/translations",
    ];
    let (deployment, call) = calls.iter().find_map(|call| Some((rest.strip_suffix(call)?, call)))?;
    let model = Some(decoded(deployment)).filter(|model| !model.is_empty())?;
    Some(Front { model: Some(model), ..openai_call(call)? })
}

fn form(operation: Operation, dialect: Dialect) -> Front {
    Front { is_form: true, ..front(operation, dialect) }
}

/// Cohere's conversations and embeddings. Rankings have paths of others, too.
fn cohere(path: &str) -> Option<Front> {
    match path {
        "/v2/chat" => Some(front(Operation::Chat, Dialect::CohereChat)),
        "/v2/embed" => Some(front(Operation::Embeddings, Dialect::CohereEmbed)),
        _ => None,
    }
}

/// Cohere's path and Jina's, which Voyage's clients use, too.
fn ranking(path: &str) -> Option<Front> {
    let known = ["/v2/rerank", "/v1/rerank", "/rerank"];
    known.contains(&path).then(|| front(Operation::Rerank, Dialect::CohereRerank))
}

fn openai_call(path: &str) -> Option<Front> {
    use Operation::{ImageGeneration, Transcription};
    Some(match path {
        "/chat/completions" => front(Operation::Chat, Dialect::OpenAiChat),
        "/responses" => front(Operation::Chat, Dialect::OpenAiResponses),
        "/responses/input_tokens" => front(Operation::CountTokens, Dialect::OpenAiResponses),
        "/completions" => front(Operation::TextCompletion, Dialect::OpenAiCompletions),
        "/fim/completions" => front(Operation::TextCompletion, Dialect::MistralFim),
        "/embeddings" => front(Operation::Embeddings, Dialect::OpenAiEmbeddings),
        "/moderations" => front(Operation::Moderation, Dialect::OpenAiModerations),
        "/images/generations" => front(ImageGeneration, Dialect::OpenAiImages),
        "/images/edits" => form(ImageGeneration, Dialect::OpenAiImageEdits),
        "/images/variations" => form(ImageGeneration, Dialect::OpenAiImageVariations),
        "/audio/speech" => front(Operation::Speech, Dialect::OpenAiSpeech),
        "/audio/transcriptions" => form(Transcription, Dialect::OpenAiTranscriptions),
        "/audio/translations" => form(Transcription, Dialect::OpenAiTranslations),
        _ => return None,
    })
}

/// An OpenAI path without its beginning: SDKs put the version in their base address; some people leave it out, Azure's
/// and Groq's differ.
fn unversioned(path: &str) -> &str {
    let prefixes = ["/openai/v1", "/openai", "/v1"];
    prefixes.iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path)
}

fn openai(path: &str, headers: &HeaderMap) -> Option<Front> {
    let rest = unversioned(path);
    Some(match openai_call(rest) {
        Some(front) => front,
        None => {
            let model = rest.strip_prefix("/models")?;
            if path.starts_with("/models")
                || model.contains(':') && !model.contains("ft:") && is_gemini_call(model)
            {
                return None;
            }
            let name = match model.strip_prefix('/') {
                Some(name) if !name.is_empty() => Some(decoded(name)),
                Some(_) => return None,
                None if model.is_empty() => None,
                None => return None,
            };
            let asked = |name: &str| headers.contains_key(name);
            let dialect = if asked("anthropic-version") {
                Dialect::AnthropicMessages
            } else if asked("x-goog-api-key") {
                Dialect::GeminiGenerate
            } else {
                Dialect::OpenAiChat
            };
            Front { model: name, method: Method::GET, ..front(Operation::ListModels, dialect) }
        }
    })
}

fn anthropic(path: &str) -> Option<Front> {
    match path {
        "/v1/messages" => Some(front(Operation::Chat, Dialect::AnthropicMessages)),
        "/v1/messages/count_tokens" => Some(front(Operation::CountTokens, Dialect::AnthropicMessages)),
        _ => None,
    }
}

const GEMINI_CALLS: [&str; 5] =
    ["generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"];

fn is_gemini_call(model: &str) -> bool {
    model.rsplit_once(':').is_some_and(|(_, call)| GEMINI_CALLS.contains(&call))
}

fn gemini(path: &str, query: Option<&str>) -> Option<Front> {
    let versioned = ["/v1beta/", "/v1beta1/", "/v1/"].iter().find_map(|prefix| path.strip_prefix(prefix))?;
    // Vertex's long paths end the same way.
    let rest = match versioned.strip_prefix("projects/") {
        Some(long) => long.split_once("/publishers/google/")?.1,
        None => versioned,
    };
    let rest = rest.strip_prefix("models")?;
    if rest.is_empty() {
        return Some(Front { method: Method::GET, ..front(Operation::ListModels, Dialect::GeminiGenerate) });
    }
    let rest = rest.strip_prefix('/')?;
    let Some((model, call)) = rest.rsplit_once(':').filter(|(_, call)| GEMINI_CALLS.contains(call)) else {
        let list = front(Operation::ListModels, Dialect::GeminiGenerate);
        return Some(Front { model: Some(decoded(rest)), method: Method::GET, ..list });
    };
    let (operation, dialect) = match call {
        "countTokens" => (Operation::CountTokens, Dialect::GeminiGenerate),
        "embedContent" | "batchEmbedContents" => (Operation::Embeddings, Dialect::GeminiEmbed),
        _ => (Operation::Chat, Dialect::GeminiGenerate),
    };
    let events = query.unwrap_or_default().split('&').any(|pair| pair == "alt=sse");
    let framing = match (call, events) {
        ("streamGenerateContent", true) => Framing::Events,
        ("streamGenerateContent", false) => Framing::Array,
        _ => Framing::Whole,
    };
    let batch = call == "batchEmbedContents";
    Some(Front { model: Some(decoded(model)), framing, batch, ..front(operation, dialect) })
}

/// The value of a name in a query.
#[must_use]
pub fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(decoded)
}

/// Percent-decodes a path segment; what does not decode stays as it is and will be no model's name.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match pair.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| segment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Framing, find};
    use gatehouse_core::call::Operation;
    use gatehouse_core::content::Dialect;
    use http::{HeaderMap, HeaderValue, Method};

    #[test]
    fn azures_deployments_are_models() {
        use Dialect::{OpenAiChat, OpenAiCompletions, OpenAiResponses};
        let model = |path: &str| {
            look(path, Some("api-version=2024-10-21")).map(|(_, dialect, model, _)| (dialect, model))
        };
        let named = |name: &str| Some(name.to_owned());
        let deployments = "/openai/deployments";
        for (path, found) in [
            (format!("{deployments}/fast/chat/completions"), Some((OpenAiChat, named("fast")))),
            (format!("{deployments}/fast/completions"), Some((OpenAiCompletions, named("fast")))),
            (
                format!("{deployments}/openai/gpt-5.2/chat/completions"),
                Some((OpenAiChat, named("openai/gpt-5.2"))),
            ),
            (format!("{deployments}/a%2Fb/chat/completions"), Some((OpenAiChat, named("a/b")))),
            (format!("{deployments}//chat/completions"), None),
            (format!("{deployments}/fast/nothing"), None),
            ("/openai/responses".to_owned(), Some((OpenAiResponses, None))),
        ] {
            assert_eq!(model(&path), found, "{path}");
        }
    }

    #[test]
    fn a_sessions_model_is_in_the_query() {
        let model = |path: &str, query| {
            let found = look(path, query).filter(|found| found.0 == Operation::Realtime)?;
            Some(found.2.unwrap_or_default())
        };
        let named = Some("sim/small".to_owned());
        assert_eq!(model("/v1/realtime", Some("x=1&model=sim%2Fsmall")), named);
        assert_eq!(model("/openai/v1/realtime", Some("model=sim/small")), named);
        let azure = Some("api-version=2025-04-01-preview&deployment=sim%2Fsmall");
        assert_eq!(model("/openai/realtime", azure), named);
        assert_eq!(model("/v1/realtime", None), Some(String::new()));
        assert_eq!(model("/v1/realtime/calls", None), None);
        // Or in the first message.
        let live = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
        assert_eq!(model(live, None), Some(String::new()));
        assert_eq!(model(&format!("/{live}"), None), Some(String::new()));
        assert_eq!(model(&format!("//{live}"), None), None);
        assert_eq!(model(&live.replace("v1beta", "v2"), None), None);
    }

    fn look(path: &str, query: Option<&str>) -> Option<(Operation, Dialect, Option<String>, Framing)> {
        find(path, query, &HeaderMap::new(), &Method::POST)
            .map(|front| (front.operation, front.dialect, front.model, front.framing))
    }

    #[test]
    fn paths_say_what_they_ask_for() {
        use Dialect::{AnthropicMessages, GeminiEmbed, GeminiGenerate, OpenAiChat, OpenAiResponses};
        let chat = Some((Operation::Chat, OpenAiChat, None, Framing::FromBody));
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "/openai/v1/chat/completions",
            "/v1/chat/completions/",
        ] {
            assert_eq!(look(path, None), chat, "{path}");
        }
        assert_eq!(look("/v1/responses", None).unwrap().1, OpenAiResponses);
        for path in ["/v2/rerank", "/v1/rerank", "/v1/rerank/", "/rerank"] {
            let front = look(path, None).unwrap();
            assert_eq!((front.0, front.1), (Operation::Rerank, Dialect::CohereRerank), "{path}");
        }
        assert_eq!(look("/v1/messages/count_tokens", None).unwrap().0, Operation::CountTokens);
        assert_eq!(look("/v1/messages", Some("beta=true")).unwrap().1, AnthropicMessages);
        for version in ["v1", "v1beta", "v1beta1"] {
            let got =
                look(&format!("/{version}/models/gemini-2.5-pro:streamGenerateContent"), Some("alt=sse"));
            assert_eq!(
                got,
                Some((Operation::Chat, GeminiGenerate, Some("gemini-2.5-pro".to_owned()), Framing::Events))
            );
        }
        let array = look("/v1beta/models/x:streamGenerateContent", Some("key=k"));
        assert_eq!(array.unwrap().3, Framing::Array);
        let long = look("/v1/projects/p/locations/eu/publishers/google/models/m:embedContent", None).unwrap();
        assert_eq!((long.1, long.2.as_deref()), (GeminiEmbed, Some("m")));
        assert_eq!(look("/v1/models/openai/gpt-5", None).unwrap().2.as_deref(), Some("openai/gpt-5"));
        assert_eq!(look("/v1/models/claude%2Fx:y", None).unwrap().2.as_deref(), Some("claude/x:y"));
        assert_eq!(look("/v1/models", None).unwrap().1, OpenAiChat);
        let cohere = |path: &str| look(path, None).map(|found| (found.0, found.1));
        assert_eq!(cohere("/v2/chat"), Some((Operation::Chat, Dialect::CohereChat)));
        assert_eq!(cohere("/v2/embed"), Some((Operation::Embeddings, Dialect::CohereEmbed)));
        for nothing in ["/", "/v1", "/v1/unknown", "/v1/chat", "/v1/modelsx", "/v2/models"] {
            assert_eq!(look(nothing, None), None, "{nothing}");
        }
    }

    #[test]
    fn the_list_of_models_follows_the_caller() {
        let mut headers = HeaderMap::new();
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        assert_eq!(
            find("/v1/models", None, &headers, &Method::GET).unwrap().dialect,
            Dialect::AnthropicMessages
        );
    }
}
