//! What every chat dialect can do. A dialect is symmetrical: the same module reads and writes it, towards
//! callers and towards providers.

use crate::chat::{ChatEvent, ChatRequest, ChatResponse, Origin};
use crate::json::Doc;
use crate::sse::Frame;
use gatehouse_core::content::{Edit, Span};
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;
use std::ops::Range;

/// What the pipeline needs to know of a request without understanding all of it.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The model and where its JSON string stands, quotes included; `None` where it is in the path.
    pub model: Option<(String, Range<usize>)>,
    /// Whether the body asks for a stream (Gemini says so in the path).
    pub stream: bool,
    /// The limit of the answer that the caller set.
    pub max_output_tokens: Option<u64>,
    /// How many answers are asked for at once; zero where nothing says so, which is one.
    pub choices: u64,
    /// Every natural-language text in the body.
    pub spans: Vec<Span>,
    /// The member that holds words which nobody but the model can read: token ids.
    pub unreadable: Option<&'static str>,
    /// What the serving model must be able to do.
    pub needs: Needs,
    /// The end user, in whatever member the dialect has for it.
    pub user: Option<String>,
    /// Labels, in whatever member the dialect has for them.
    pub metadata: Vec<(String, String)>,
    /// Whether the caller asked for usage in the stream. Dialects that always send it say `true`.
    pub wants_usage: bool,
    /// `service_tier`, which decides the price.
    pub service_tier: Option<String>,
    /// Media in the request, for the estimate.
    pub media: u32,
    /// What is to be ranked, where that is asked.
    pub ranks: Option<Ranks>,
}

/// A question, and how many documents are held against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Where the question stands, inside its quotes.
    pub query: Range<usize>,
    /// How many documents.
    pub documents: u64,
}

/// What a request needs of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Tools are declared.
    pub tools: bool,
    /// Images are in it.
    pub images: bool,
    /// Audio is in it, or asked for.
    pub audio: bool,
    /// Documents are in it.
    pub documents: bool,
    /// The answer must follow a schema.
    pub structured: bool,
    /// Reasoning is asked for by name.
    pub reasoning: bool,
}

/// Who a request is written for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The model's name there.
    pub model: &'a str,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How its server differs from the dialect's own.
    pub quirks: &'a Quirks,
}

/// How a server differs from the one that its dialect comes from. All data: a new provider of the family
/// is a value of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Members of the request, or of its messages, that it refuses and that may be left out without
    /// changing the meaning.
    pub drop: &'static [&'static str],
    /// Members of the request that it cannot honour: refused by name.
    pub refuse: &'static [&'static str],
    /// Its name for the limit of the answer: `max_completion_tokens` (OpenAI) or `max_tokens`.
    pub max_tokens: MaxTokens,
    /// Takes the role `developer` beside `system`.
    pub developer_role: bool,
    /// Takes `stream_options: {include_usage: true}`.
    pub stream_options: bool,
    /// The form that ids of tool calls must have.
    pub tool_ids: ToolIds,
    /// Takes `response_format: {type: json_schema}`.
    pub json_schema: bool,
    /// Its word for a forced tool call: `required` (OpenAI) or `any` (Mistral).
    pub forced_tool: &'static str,
    /// Its name for the seed: `seed` (OpenAI) or `random_seed` (Mistral).
    pub seed: &'static str,
    /// Takes `reasoning_effort`.
    pub reasoning_effort: bool,
    /// Wants `reasoning_content` of earlier answers back (DeepSeek in tool loops).
    pub reasoning_back: bool,
    /// How it is told to think, when `reasoning_effort` is true.
    pub reasoning_as: ReasoningAs,
    /// Whose seals it takes back: [`Origin::OpenRouter`] as `reasoning_details`, [`Origin::Gemini`] as
    /// `extra_content`. Those of others are left out.
    pub seals: Option<Origin>,
    /// How it is shown what to cache.
    pub cache_marks: CacheMarks,
    /// Takes `tool_choice: {type: allowed_tools}`; else the list of tools is cut to the allowed ones.
    pub allowed_tools: bool,
    /// The member and its text that stand where the model's name does elsewhere: Anthropic's models at Vertex AI have
    /// the name in the path.
    pub instead_of_model: Option<(&'static str, &'static str)>,
}

/// How a server of OpenAI's family is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningAs {
    /// `reasoning_effort: "low"` (OpenAI)
    Effort,
    /// `reasoning: {effort | max_tokens}` (OpenRouter)
    Object,
    /// `thinking: {type: enabled | disabled}` (DeepSeek, Z.ai, Moonshot)
    Thinking,
}

/// How a server of OpenAI's family is shown what to cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMarks {
    /// Not at all.
    Drop,
    /// `prompt_cache_breakpoint` on a content part (OpenAI).
    Breakpoint,
    /// `cache_control` on a content part (OpenRouter).
    CacheControl,
}

/// What the limit of the answer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokens {
    /// `max_completion_tokens`
    CompletionTokens,
    /// `max_tokens`
    Tokens,
}

/// The form that ids of tool calls must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolIds {
    /// Any text.
    Any,
    /// Exactly nine letters or digits (Mistral).
    NineAlphanumeric,
}

/// A request written for a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The body.
    pub body: Vec<u8>,
    /// What was left out, by path.
    pub dropped: Vec<String>,
}

/// A request of the same dialect, made fit for a target by edits of its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Sorted and disjoint.
    pub edits: Vec<Edit>,
    /// What was left out, by path.
    pub dropped: Vec<String>,
}

/// What accounting needs of an answer in one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// What it used; `None` when the provider did not say.
    pub usage: Option<Usage>,
    /// The tier that served, where the provider says.
    pub service_tier: Option<String>,
    /// Why it stopped, in OpenAI chat's word.
    pub finish: Option<&'static str>,
    /// Bytes of text in the answer, for an estimate when there is no usage.
    pub text_bytes: usize,
    /// An error that came with a status of success (some providers do).
    pub error: Option<Error>,
}

/// What an answer is written with.
#[derive(Clone, Debug, Default)]
pub struct ReplyContext {
    /// The model as the caller named it: what a translated answer says.
    pub model: String,
    /// An id for dialects whose ids have a form of their own; 32 hex digits, unique to the call.
    pub id: String,
    /// Unix seconds, where the provider's answer has no time.
    pub created: u64,
    /// Tells how long the answer took, for dialects that say so.
    pub took: Option<Took>,
    /// Whether the stream is to end with the usage where the dialect makes that a choice.
    pub include_usage: bool,
    /// The request, for dialects that echo parts of it (Responses); empty for the others.
    pub request: Option<std::sync::Arc<ChatRequest>>,
    /// Whether the stream is Gemini's JSON array instead of server-sent events.
    pub json_array: bool,
}

/// How long something took, told by who has a clock.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// When it began, in milliseconds.
    pub began: u64,
    /// What that clock shows.
    pub now: fn() -> u64,
}

/// A chat dialect towards providers: requests are written, answers are read.
pub trait ProviderCodec: Send + Sync {
    /// Writes a request that was read in another dialect.
    ///
    /// # Errors
    /// `unsupported_parameter` naming the caller's member for what cannot be said here.
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error>;

    /// Reads what accounting needs of an answer in one piece.
    fn summary(&self, doc: &Doc) -> Summary;

    /// Every natural-language text in an answer in one piece.
    fn answer_spans(&self, doc: &Doc) -> Vec<Span>;

    /// Reads a whole answer.
    ///
    /// # Errors
    /// `upstream_bad_response` when it is not one.
    fn decode_answer(&self, doc: &Doc) -> Result<ChatResponse, Error>;

    /// Reads a stream.
    fn decoder(&self) -> Box<dyn StreamDecoder>;
}

/// A chat dialect that callers speak, too: requests are read, answers are written.
pub trait Codec: ProviderCodec {
    /// Reads what the pipeline needs of a request, and refuses what is malformed in it.
    ///
    /// # Errors
    /// `invalid_request` naming the member.
    fn view(&self, doc: &Doc) -> Result<View, Error>;

    /// Makes a request of this dialect fit for a target that speaks it too: the model's name, usage asked
    /// for in streams, what the target's quirks demand. Every other byte stays.
    ///
    /// # Errors
    /// `unsupported_parameter` for what the target cannot honour.
    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error>;

    /// Reads a whole request.
    ///
    /// # Errors
    /// `invalid_request` naming the member.
    fn decode_request(&self, doc: &Doc) -> Result<ChatRequest, Error>;

    /// Writes an answer that was read in another dialect.
    fn encode_answer(&self, answer: &ChatResponse, context: &ReplyContext) -> Vec<u8>;

    /// Writes a stream.
    fn encoder(&self, context: ReplyContext) -> Box<dyn StreamEncoder>;
}

/// Reads a stream frame by frame.
pub trait StreamDecoder: Send {
    /// Appends the meaning of one frame. Frames that mean nothing to anybody (pings) add nothing.
    ///
    /// # Errors
    /// `upstream_bad_response` when the frame cannot be read. An error that the provider *reports* is a
    /// [`ChatEvent::Error`], not this.
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), Error>;

    /// The body is over: closes open blocks and appends [`ChatEvent::End`] unless it was there already.
    ///
    /// # Errors
    /// `upstream_bad_response` when the answer is not whole.
    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Error>;

    /// How many bytes it keeps of what came, about: what waits to be told, and what is known of every block.
    /// Who reads a stream has to end it when this grows too large.
    fn kept(&self) -> usize;
}

/// Writes a stream event by event.
pub trait StreamEncoder: Send {
    /// Appends the bytes for one event, complete frames only. [`ChatEvent::Error`] is written as the
    /// dialect's own error in the middle of a stream, and nothing may follow it.
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>);
}

// === impl Took ===

impl Took {
    /// How many milliseconds have passed.
    #[must_use]
    pub fn millis(&self) -> u64 {
        (self.now)().saturating_sub(self.began)
    }
}

// === impl Quirks ===

impl Quirks {
    /// No difference: the provider that the dialect comes from.
    pub const NONE: Self = Self {
        drop: &[],
        refuse: &[],
        max_tokens: MaxTokens::CompletionTokens,
        developer_role: true,
        stream_options: true,
        tool_ids: ToolIds::Any,
        json_schema: true,
        forced_tool: "required",
        seed: "seed",
        reasoning_effort: true,
        reasoning_back: false,
        reasoning_as: ReasoningAs::Effort,
        seals: None,
        cache_marks: CacheMarks::Breakpoint,
        allowed_tools: true,
        instead_of_model: None,
    };

    /// The usual server of the OpenAI-compatible family: older names, no `developer`.
    pub const COMPATIBLE: Self = Self {
        max_tokens: MaxTokens::Tokens,
        developer_role: false,
        reasoning_effort: true,
        cache_marks: CacheMarks::Drop,
        allowed_tools: false,
        ..Self::NONE
    };
}
