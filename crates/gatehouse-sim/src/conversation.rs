//! What the brain needs to know of a request, in no dialect's words: each dialect fills it in.

use serde_json::Value;

use crate::words;

/// Tokens that every message costs beyond its words.
const TOKENS_PER_MESSAGE: u64 = 3;
/// How a text begins that stands in a user's message, and is none of theirs: a system message in the middle of a
/// conversation, where the dialect has no place for one.
const SYSTEM_MARK: &str = "<system>";

/// A request, reduced to what decides the answer.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    /// The model's name as it was asked for.
    pub(crate) model: String,
    /// The text of the last user message.
    pub(crate) last_user: String,
    /// What tools answered since the last user text.
    pub(crate) tool_said: Option<String>,
    /// Images in the whole input.
    pub(crate) images: u32,
    /// Documents, audio and other files in the whole input.
    pub(crate) files: u32,
    /// The functions that may be called.
    pub(crate) tools: Vec<Tool>,
    /// Whether one must be.
    pub(crate) choice: Choice,
    /// Whether several may be called at once.
    pub(crate) parallel: bool,
    /// The form that the answer has to take.
    pub(crate) format: Format,
    /// Whether reasoning is asked for.
    pub(crate) reasoning: bool,
    /// Texts at which the answer ends.
    pub(crate) stop: Vec<String>,
    /// The longest answer, in words.
    pub(crate) max_tokens: Option<u64>,
    /// Words in all texts of the request.
    words: u64,
    /// Messages, the system prompt included.
    messages: u64,
}

/// A function that the model may call.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    /// Its name.
    pub(crate) name: String,
    /// The schema of its arguments.
    pub(crate) schema: Value,
}

/// Which call the client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// As the model likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Any,
    /// This one.
    Named(String),
}

/// The form of the answer.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    /// Plain text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// An instance of this schema.
    Schema(Value),
}

// === impl Conversation ===

impl Conversation {
    /// An empty one.
    pub(crate) fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            last_user: String::new(),
            tool_said: None,
            images: 0,
            files: 0,
            tools: Vec::new(),
            choice: Choice::Auto,
            parallel: true,
            format: Format::Text,
            reasoning: false,
            stop: Vec::new(),
            max_tokens: None,
            words: 0,
            messages: 0,
        }
    }

    /// Counts a message.
    pub(crate) fn message(&mut self) {
        self.messages += 1;
    }

    /// Counts the words of a text, whoever said it.
    pub(crate) fn hear(&mut self, text: &str) {
        self.words += words::count(text);
    }

    /// Begins a user message: what was said before it is no longer the last word.
    pub(crate) fn user_begins(&mut self) {
        self.last_user.clear();
        self.tool_said = None;
    }

    /// A text of the current user message. After the answers of tools it is the newer word.
    pub(crate) fn user_says(&mut self, text: &str) {
        self.hear(text);
        if text.starts_with(SYSTEM_MARK) {
            return;
        }
        if self.tool_said.is_some() {
            self.user_begins();
        }
        if !self.last_user.is_empty() {
            self.last_user.push(' ');
        }
        self.last_user.push_str(text);
    }

    /// The answer of a tool.
    pub(crate) fn tool_says(&mut self, text: &str) {
        self.hear(text);
        let said = self.tool_said.get_or_insert_default();
        if !said.is_empty() {
            said.push(' ');
        }
        said.push_str(text);
    }

    /// What the input is billed as.
    pub(crate) fn input_tokens(&self) -> u64 {
        self.words + TOKENS_PER_MESSAGE * self.messages
    }
}
