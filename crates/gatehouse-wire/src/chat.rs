//! The canonical conversation: what every chat dialect means, and the superset of what they can say.
//!
//! A dialect reads its bytes into these types and writes them from these types; that is the whole of
//! translation. Three rules keep it honest:
//!
//! * What a model made and must get back unchanged (signatures, encrypted reasoning) travels as a [`Seal`]
//!   with the name of its maker, so that it is never shown to another provider.
//! * Numbers, schemas and tool arguments stay the JSON **text** that came in ([`RawJson`]).
//! * What has no place here is an [`Extension`]: the writing dialect takes it, names it as dropped, or
//!   refuses it. Nothing is lost in silence.

mod citations;
mod events;
mod sealed;

pub use citations::{Citation, Citations};
pub(crate) use citations::{chars, span};
pub use events::{ChatEvent, events, fold};
pub use sealed::{Origin, Seal};

use gatehouse_core::content::Dialect;
use gatehouse_core::usage::Usage;

/// JSON text, byte for byte as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawJson(pub String);

/// What a caller asks a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatRequest {
    /// The model as the caller named it. Empty when the dialect has it in the path.
    pub model: String,
    /// The conversation, in order.
    pub turns: Vec<Turn>,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// The longest answer, reasoning included.
    pub max_output_tokens: Option<u64>,
    /// Sampling temperature.
    pub temperature: Option<RawJson>,
    /// Nucleus sampling.
    pub top_p: Option<RawJson>,
    /// The k likeliest.
    pub top_k: Option<u64>,
    /// OpenAI's and Gemini's presence penalty.
    pub presence_penalty: Option<RawJson>,
    /// OpenAI's and Gemini's frequency penalty.
    pub frequency_penalty: Option<RawJson>,
    /// For answers that can be repeated.
    pub seed: Option<RawJson>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How many answers. Translation knows one; the same dialect on both sides passes any number.
    pub candidates: Option<u64>,
    /// The form of the answer.
    pub format: Option<Format>,
    /// How to think.
    pub reasoning: Option<Reasoning>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether the caller wants the usage in the stream (OpenAI: only then is it sent).
    pub include_usage: bool,
    /// The caller's name for its end user.
    pub user: Option<String>,
    /// The caller's labels.
    pub metadata: Vec<(String, String)>,
    /// `auto`, `default`, `flex`, `priority`, …
    pub service_tier: Option<String>,
    /// What only some dialects know.
    pub extensions: Vec<Extension>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Instructions (`system`, `developer`, `instructions`, `systemInstruction`).
    System(Vec<Part>),
    /// The user.
    User(Vec<Part>),
    /// The model, as it answered before.
    Assistant(Vec<Block>),
    /// Results of the calls of the turn before; several in one turn where the dialect has them so.
    ToolResults(Vec<ToolResult>),
}

/// A piece of what somebody other than the model said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// A prompt-cache mark behind it.
        cache: Option<CacheMark>,
    },
    /// An image, a document or audio.
    Media(Media),
    /// A part that only the dialect it came from understands.
    Opaque(Extension),
}

/// Something that is not text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it is.
    pub source: Source,
    /// Its file name or title.
    pub name: Option<String>,
    /// OpenAI's `detail` of an image.
    pub detail: Option<String>,
    /// A prompt-cache mark behind it.
    pub cache: Option<CacheMark>,
}

/// What a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A PDF or text document.
    Document,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
}

/// Where a medium is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the request.
    Base64 {
        /// Its MIME type.
        mime: String,
        /// The bytes in base64, as they came.
        data: String,
    },
    /// Plain text in the request (Anthropic's text documents).
    Text(String),
    /// To be fetched by the provider.
    Url {
        /// The address.
        url: String,
        /// Its MIME type, where it was given.
        mime: Option<String>,
    },
    /// Uploaded to the provider before.
    File {
        /// The provider's id.
        id: String,
        /// Whose id it is.
        origin: Origin,
    },
}

/// A piece of what the model said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// What has to come back with it.
        seal: Option<Seal>,
        /// A prompt-cache mark behind it.
        cache: Option<CacheMark>,
    },
    /// Reasoning, as far as it is shown.
    Thought(Thought),
    /// A call of a tool.
    ToolCall(ToolCall),
    /// A refusal in words.
    Refusal(String),
    /// Where what was said comes from.
    Citations(Citations),
    /// A block that only the dialect it came from understands (server tools …).
    Opaque(Extension),
}

/// Reasoning that a model showed, or sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thought {
    /// The readable part; empty when all of it is sealed.
    pub text: String,
    /// The provider's id of it (OpenAI Responses `rs_…`).
    pub id: Option<String>,
    /// Its signature, or the whole of it in encrypted form.
    pub seal: Option<Seal>,
    /// Whether the seal *is* the thought (Anthropic's `redacted_thinking`).
    pub redacted: bool,
}

/// A call of a tool by the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Its id, made up where the provider has none.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as JSON text; may be empty where there are none.
    pub arguments: String,
    /// Gemini's thought signature of the call.
    pub seal: Option<Seal>,
    /// A prompt-cache mark behind it.
    pub cache: Option<CacheMark>,
}

/// The answer of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The id of the call it answers.
    pub call_id: String,
    /// The tool's name, where the dialect gives it (Gemini does, and needs it).
    pub name: Option<String>,
    /// Whether the tool failed, where the dialect says.
    pub is_error: bool,
    /// What it said.
    pub parts: Vec<Part>,
    /// A prompt-cache mark behind it.
    pub cache: Option<CacheMark>,
}

/// A prompt-cache mark: everything up to here may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheMark {
    /// Anthropic 5 minutes, OpenAI 30 minutes.
    Short,
    /// Anthropic 1 hour, OpenAI 12 hours.
    Long,
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// A function of the caller's.
    Function {
        /// Its name.
        name: String,
        /// What it does.
        description: Option<String>,
        /// JSON Schema of its arguments.
        parameters: Option<RawJson>,
        /// Whether arguments must follow the schema exactly. `None`: the dialect's default.
        strict: Option<bool>,
        /// A prompt-cache mark behind it.
        cache: Option<CacheMark>,
    },
    /// A tool that the provider runs, or one of a kind that only its dialect knows.
    Hosted {
        /// Its type or name in the dialect, for messages.
        name: String,
        /// Its definition.
        definition: Extension,
    },
}

/// Whether and what to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model likes.
    Auto,
    /// No call.
    None,
    /// Any call, but one at least.
    Required,
    /// This one.
    Named(String),
    /// One of these (Gemini's `allowedFunctionNames`, OpenAI's `allowed_tools`).
    Allowed {
        /// The names.
        names: Vec<String>,
        /// Whether one must be called.
        required: bool,
    },
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON after a schema.
    JsonSchema {
        /// The schema's name; OpenAI requires one (`response` when the caller gave none).
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: RawJson,
        /// Whether it must be followed exactly. `None`: the dialect's default.
        strict: Option<bool>,
    },
}

/// How to think.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How hard.
    pub effort: Option<Effort>,
    /// How long at most, in tokens.
    pub budget_tokens: Option<u64>,
    /// Whether the caller wants to see it (`summary`, `includeThoughts`, Anthropic's `display`).
    pub visible: bool,
    /// Whether sealed reasoning is to be returned for the next turn
    /// (`include: ["reasoning.encrypted_content"]`).
    pub sealed: bool,
}

/// How hard to think, from OpenAI's list, which is the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all (`none`, Anthropic's `disabled`, Gemini's budget 0).
    None,
    /// `minimal`
    Minimal,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    XHigh,
    /// `max`
    Max,
}

/// Something that only some dialects know, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its path in the request, for messages and `x-gatehouse-dropped` (`logit_bias`, `tools[1]`).
    pub path: String,
    /// Its value.
    pub value: RawJson,
    /// The dialect it is a member of.
    pub origin: Dialect,
    /// What leaving it out would do.
    pub weight: Weight,
}

/// What leaving something out would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// Nothing that the caller would miss in the answer: dropped and named.
    Hint,
    /// Change what the caller asked for: refused where it cannot be honoured.
    Meaning,
}

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatResponse {
    /// The provider's id of the answer.
    pub id: String,
    /// The model as the provider names it.
    pub model: String,
    /// When, in Unix seconds, where the provider says.
    pub created: Option<u64>,
    /// What it said, in order.
    pub blocks: Vec<Block>,
    /// Why it stopped.
    pub finish: Finish,
    /// The stop reason in the provider's own word.
    pub native_finish: Option<String>,
    /// The stop text that was met.
    pub stop_sequence: Option<String>,
    /// What it used.
    pub usage: Option<Usage>,
    /// The tier that served.
    pub service_tier: Option<String>,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Finish {
    /// It was done.
    #[default]
    Stop,
    /// It met one of the caller's stop texts.
    StopSequence,
    /// It ran out of tokens.
    Length,
    /// It calls tools.
    ToolCalls,
    /// It refused, or a filter stopped it.
    ContentFilter,
    /// It paused and wants to be called again (Anthropic's `pause_turn`).
    Pause,
    /// It failed by its own word (malformed call and the like).
    Failed,
}

// === impl Effort ===

impl Effort {
    /// OpenAI's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// Reads OpenAI's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max]
            .into_iter()
            .find(|effort| effort.as_str() == word)
    }
}

// === impl Finish ===

impl Finish {
    /// OpenAI chat's word, which records use too.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop | Self::StopSequence | Self::Pause | Self::Failed => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
        }
    }
}

// === impl Block ===

impl Block {
    /// A text block without anything attached.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), seal: None, cache: None }
    }
}

// === impl Part ===

impl Part {
    /// A text part without anything attached.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), cache: None }
    }
}
