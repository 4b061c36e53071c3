//! From method and path to what is asked.

use http::{HeaderMap, Method};

use crate::cabinet::Task as Kept;
use crate::dialect::Dialect;
use crate::gemini::Streaming;
use crate::media::Task;
use crate::rerank::Form;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `GET` or `HEAD /`: is anyone there?
    Root,
    /// The control API.
    Control,
    /// OpenAI's chat.
    Chat,
    /// OpenAI's old completions.
    Completions,
    /// Mistral's completions between two texts.
    Fim,
    /// OpenAI's embeddings.
    Embeddings,
    /// OpenAI's moderation, images and audio.
    Media(Task),
    /// OpenAI's files and batches.
    Kept(Kept),
    /// OpenAI's Responses.
    Responses,
    /// OpenAI's token count.
    InputTokens,
    /// A stored response.
    StoredResponse(String),
    /// OpenAI's realtime sessions.
    Realtime {
        /// The model.
        model: String,
    },
    /// Anthropic's messages.
    Messages,
    /// Anthropic's token count.
    CountTokens,
    /// Anthropic's messages at Vertex AI, where the path says which model, and whether as a stream.
    RawPredict {
        /// The model.
        model: String,
        /// Whether it is to be streamed.
        stream: bool,
    },
    /// A session of Gemini Live; whether by the name of its service at Vertex AI.
    Live {
        /// Whether the model is named by its whole path.
        by_path: bool,
    },
    /// A call on a Gemini model.
    Gemini {
        /// `v1` or `v1beta`.
        version: String,
        /// The model.
        model: String,
        /// What is asked of it.
        verb: Verb,
    },
    /// Bedrock's Converse.
    Converse {
        /// The model.
        model: String,
        /// Whether the answer is streamed.
        stream: bool,
    },
    /// Bedrock's InvokeModel.
    Invoke {
        /// The model.
        model: String,
    },
    /// Cohere's chat.
    CohereChat,
    /// Cohere's embeddings.
    CohereEmbed,
    /// A ranking.
    Rerank(Form),
    /// Voyage's embeddings.
    VoyageEmbeddings,
    /// A list of models, or one of them, in the dialect's shape.
    Models(Dialect, Option<String>),
    /// Nothing is there, or not with this method.
    Nothing(Dialect, u16),
}

/// What is asked of a Gemini model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Content, at once or streamed.
    Generate(Streaming),
    /// A token count.
    CountTokens,
    /// One embedding.
    Embed,
    /// Several.
    BatchEmbed,
    /// Several, at Vertex AI.
    Predict,
}

// === impl Route ===

impl Route {
    /// Reads it. OpenAI's paths may have anything before them, as the bases of compatible providers do.
    pub(crate) fn of(method: &Method, path: &str, query: Option<&str>, headers: &HeaderMap) -> Self {
        if path == "/_sim" || path.starts_with("/_sim/") {
            return Self::Control;
        }
        if path == "/" {
            return Self::Root;
        }
        if let Some(task) = Kept::of(method, path) {
            return Self::Kept(task);
        }
        let dialect = dialect_of(path, query, headers);
        match *method {
            Method::POST => Self::post(path, query),
            Method::GET if path.ends_with("/realtime") => {
                Some(Self::Realtime { model: session_model(query) })
            }
            Method::GET if path.ends_with(".GenerativeService.BidiGenerateContent") => {
                Some(Self::Live { by_path: false })
            }
            Method::GET if path.ends_with(".LlmBidiService/BidiGenerateContent") => {
                Some(Self::Live { by_path: true })
            }
            Method::GET => Self::get(path, dialect),
            Method::DELETE => stored(path),
            _ => None,
        }
        .unwrap_or_else(|| {
            let known = Self::post(path, query).is_some() || Self::get(path, dialect).is_some();
            Self::Nothing(dialect, if known { 405 } else { 404 })
        })
    }

    fn post(path: &str, query: Option<&str>) -> Option<Self> {
        if let Some(call) = gemini(path, query).or_else(|| raw_predict(path)) {
            return Some(call);
        }
        if let Some(call) = converse(path).or_else(|| ranking(path)) {
            return Some(call);
        }
        if let Some(task) = Task::of(path) {
            return Some(Self::Media(task));
        }
        let endings = [
            ("/chat/completions", Self::Chat),
            ("/fim/completions", Self::Fim),
            ("/completions", Self::Completions),
            ("/voyage/v1/embeddings", Self::VoyageEmbeddings),
            ("/embeddings", Self::Embeddings),
            ("/v2/chat", Self::CohereChat),
            ("/v2/embed", Self::CohereEmbed),
            ("/responses", Self::Responses),
            ("/responses/input_tokens", Self::InputTokens),
            ("/messages", Self::Messages),
            ("/messages/count_tokens", Self::CountTokens),
        ];
        endings.into_iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, route)| route)
    }

    fn get(path: &str, dialect: Dialect) -> Option<Self> {
        if path.ends_with("/models") {
            return Some(Self::Models(dialect, None));
        }
        // A model's name may itself have slashes.
        if let Some((_, model)) = path.split_once("/models/") {
            return Some(Self::Models(dialect, Some(decoded(model))));
        }
        stored(path)
    }

    /// Whose errors and headers it gets.
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Messages | Self::CountTokens | Self::RawPredict { .. } => Dialect::Anthropic,
            Self::Gemini { .. } | Self::Live { .. } => Dialect::Gemini,
            Self::Converse { .. } | Self::Invoke { .. } => Dialect::Bedrock,
            Self::Rerank(Form::Cohere) | Self::CohereChat | Self::CohereEmbed => Dialect::Cohere,
            Self::Models(dialect, _) | Self::Nothing(dialect, _) => *dialect,
            _ => Dialect::OpenAi,
        }
    }
}

/// Whose form a ranking has is to be seen from its path.
fn ranking(path: &str) -> Option<Route> {
    Some(Route::Rerank(match path.strip_suffix("/rerank")? {
        "" => Form::Tei,
        before if before.ends_with("/v2") => Form::Cohere,
        before if before.ends_with("/voyage/v1") => Form::Voyage,
        _ => Form::Jina,
    }))
}

/// `/model/{id}/converse`, `/model/{id}/converse-stream` and `/model/{id}/invoke`.
fn converse(path: &str) -> Option<Route> {
    let (model, verb) = path.split_once("/model/")?.1.rsplit_once('/')?;
    let stream = match verb {
        "converse" => false,
        "converse-stream" => true,
        "invoke" => return Some(Route::Invoke { model: decoded(model) }),
        _ => return None,
    };
    Some(Route::Converse { model: decoded(model), stream })
}

fn stored(path: &str) -> Option<Route> {
    let (_, id) = path.split_once("/responses/")?;
    Some(Route::StoredResponse(id.to_owned()))
}

/// A path segment with its percent-encoding undone; as it came where it does not decode.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
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

/// `…/publishers/anthropic/models/{model}:{verb}`.
fn raw_predict(path: &str) -> Option<Route> {
    let (_, call) = path.split_once("/publishers/anthropic/models/")?;
    let (model, verb) = call.rsplit_once(':')?;
    let stream = match verb {
        "rawPredict" => false,
        "streamRawPredict" => true,
        _ => return None,
    };
    Some(Route::RawPredict { model: decoded(model), stream })
}

/// `/{version}/models/{model}:{verb}`, also behind Vertex's longer paths.
fn gemini(path: &str, query: Option<&str>) -> Option<Route> {
    let (before, call) = path.split_once("/models/")?;
    let (model, verb) = call.rsplit_once(':')?;
    let sse = query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
    let verb = match verb {
        "generateContent" => Verb::Generate(Streaming::No),
        "streamGenerateContent" if sse => Verb::Generate(Streaming::Events),
        "streamGenerateContent" => Verb::Generate(Streaming::Array),
        "countTokens" => Verb::CountTokens,
        "embedContent" => Verb::Embed,
        "batchEmbedContents" => Verb::BatchEmbed,
        "predict" => Verb::Predict,
        _ => return None,
    };
    let version = before.trim_start_matches('/').split('/').next().unwrap_or_default();
    Some(Route::Gemini { version: version.to_owned(), model: decoded(model), verb })
}

/// The model of a session, which Azure calls a deployment.
fn session_model(query: Option<&str>) -> String {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let model = pairs.find(|(name, _)| ["model", "deployment"].contains(name));
    model.map(|(_, model)| decoded(model)).unwrap_or_default()
}

/// Who is meant where several families share a path.
fn dialect_of(path: &str, query: Option<&str>, headers: &HeaderMap) -> Dialect {
    let gemini_key = headers.contains_key("x-goog-api-key")
        || query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("key=")));
    if headers.contains_key("anthropic-version") || path.contains("/messages") {
        Dialect::Anthropic
    } else if path.starts_with("/v1beta") || gemini_key {
        Dialect::Gemini
    } else {
        Dialect::OpenAi
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &Method, path: &str, query: Option<&str>) -> Route {
        Route::of(method, path, query, &HeaderMap::new())
    }

    #[test]
    fn paths_are_read() {
        assert_eq!(route(&Method::POST, "/v1/chat/completions", None), Route::Chat);
        assert_eq!(route(&Method::POST, "/openai/v1/chat/completions", None), Route::Chat);
        assert_eq!(route(&Method::POST, "/v1/completions", None), Route::Completions);
        assert_eq!(route(&Method::POST, "/v1/messages", Some("beta=true")), Route::Messages);
        assert_eq!(route(&Method::POST, "/v1/messages/count_tokens", None), Route::CountTokens);
        assert_eq!(route(&Method::GET, "/v1/messages", None), Route::Nothing(Dialect::Anthropic, 405));
        assert_eq!(route(&Method::POST, "/v1/nothing", None), Route::Nothing(Dialect::OpenAi, 404));
        assert_eq!(route(&Method::GET, "/v1beta/models", None), Route::Models(Dialect::Gemini, None));
        let model = Some("meta/llama".to_owned());
        assert_eq!(route(&Method::GET, "/v1/models/meta/llama", None), Route::Models(Dialect::OpenAi, model));
    }

    #[test]
    fn gemini_calls_name_their_model() {
        let sse =
            route(&Method::POST, "/v1beta/models/gemini-3:streamGenerateContent", Some("key=x&alt=sse"));
        let verb = Verb::Generate(Streaming::Events);
        assert_eq!(sse, Route::Gemini { version: "v1beta".to_owned(), model: "gemini-3".to_owned(), verb });
        let array = route(&Method::POST, "/v1/models/m:streamGenerateContent", None);
        assert!(matches!(array, Route::Gemini { verb: Verb::Generate(Streaming::Array), .. }));
    }
}
