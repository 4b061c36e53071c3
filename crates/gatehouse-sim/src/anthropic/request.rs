//! Reading and checking a Messages request, as strictly as Anthropic does.

use serde_json::Value;

use super::answer::Cached;
use super::{tools, turns};
use crate::cache::Prefixes;
use crate::conversation::{Choice, Conversation, Format};
use crate::fault::{Checked, Fault};
use crate::json::{get, list, text, unknown};

const KNOWN: [&str; 22] = [
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// The least that thinking may be given.
const THINKING_BUDGET_MIN: u64 = 1_024;
/// Cache markers of one request.
const CACHE_MARKERS_MAX: usize = 4;

/// A checked request.
pub(crate) struct MessagesRequest {
    /// What decides the answer.
    pub(crate) conversation: Conversation,
    /// Whether it is streamed.
    pub(crate) stream: bool,
    /// Whether the thinking is left out of its block.
    pub(crate) thinking_omitted: bool,
    /// What is marked to be cached.
    pub(crate) cached: Option<CachedPrefix>,
}

/// The part of a request up to its last cache marker.
pub(crate) struct CachedPrefix {
    /// All of it, as text that is the same for the same prefix.
    pub(crate) key: String,
    /// Its words.
    pub(crate) tokens: u64,
    /// Whether it is kept for an hour.
    pub(crate) hour: bool,
}

/// How thinking is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    Off,
    /// With a budget: the blocks must come back.
    Enabled,
    Adaptive,
}

// === impl CachedPrefix ===

impl CachedPrefix {
    /// Written the first time, read every later time.
    pub(super) fn usage(&self, prefixes: &Prefixes) -> Cached {
        let read = prefixes.touch(&self.key);
        let written = if read { 0 } else { self.tokens };
        Cached {
            read: if read { self.tokens } else { 0 },
            five_minutes: if self.hour { 0 } else { written },
            hour: if self.hour { written } else { 0 },
        }
    }
}

// === impl MessagesRequest ===

impl MessagesRequest {
    /// A request that asks for nothing in particular.
    pub(crate) fn plain(model: &str, stream: bool) -> Self {
        let conversation = Conversation::new(model);
        Self { conversation, stream, thinking_omitted: false, cached: None }
    }
}

/// Checks a body and reads what decides the answer. Counting tokens needs no `max_tokens`.
pub(super) fn read(body: &Value, generates: bool) -> Checked<MessagesRequest> {
    if let Some(name) = unknown(body, &KNOWN).first() {
        return Err(Fault::bad(format!("{name}: Extra inputs are not permitted")));
    }
    let mut request = MessagesRequest::plain(required_text(body, "model")?, boolean(body, "stream")?);
    let max_tokens = max_tokens(body, generates)?;
    let thinking = thinking(body, max_tokens)?;
    numbers(body, thinking)?;
    let conversation = &mut request.conversation;
    conversation.max_tokens = max_tokens;
    conversation.reasoning = thinking != Thinking::Off;
    conversation.stop = stop_sequences(body)?;
    tools::read(body, conversation)?;
    if conversation.reasoning && matches!(conversation.choice, Choice::Any | Choice::Named(_)) {
        return Err(Fault::bad("Thinking may not be enabled when tool_choice forces tool use."));
    }
    request.thinking_omitted =
        get(body, "thinking").is_some_and(|thinking| text(thinking, "display") == Some("omitted"));
    turns::read(body, thinking, conversation)?;
    conversation.format = format(body)?;
    request.cached = cached(body)?;
    Ok(request)
}

pub(super) fn required_text<'a>(body: &'a Value, name: &str) -> Checked<&'a str> {
    match get(body, name) {
        None => Err(field_required(name)),
        Some(value) => match value.as_str() {
            Some("") => Err(Fault::bad(format!("{name}: String should have at least 1 character"))),
            Some(text) => Ok(text),
            None => Err(Fault::bad(format!("{name}: Input should be a valid string"))),
        },
    }
}

pub(super) fn field_required(name: &str) -> Fault {
    Fault::bad(format!("{name}: Field required"))
}

fn boolean(body: &Value, name: &str) -> Checked<bool> {
    match get(body, name) {
        None => Ok(false),
        Some(value) => {
            value.as_bool().ok_or_else(|| Fault::bad(format!("{name}: Input should be a valid boolean")))
        }
    }
}

fn max_tokens(body: &Value, generates: bool) -> Checked<Option<u64>> {
    match get(body, "max_tokens") {
        None if generates => Err(field_required("max_tokens")),
        None => Ok(None),
        Some(value) => match value.as_i64().map(u64::try_from) {
            Some(Ok(number)) if number >= 1 => Ok(Some(number)),
            Some(_) => Err(Fault::bad("max_tokens: Input should be greater than or equal to 1")),
            None => Err(Fault::bad("max_tokens: Input should be a valid integer")),
        },
    }
}

fn thinking(body: &Value, max_tokens: Option<u64>) -> Checked<Thinking> {
    let Some(thinking) = get(body, "thinking") else { return Ok(Thinking::Off) };
    match text(thinking, "type") {
        Some("disabled") => Ok(Thinking::Off),
        Some("adaptive" | "between_tools") => Ok(Thinking::Adaptive),
        Some("enabled") => {
            let budget = get(thinking, "budget_tokens")
                .ok_or_else(|| field_required("thinking.enabled.budget_tokens"))?;
            let budget = budget.as_u64().ok_or_else(|| {
                Fault::bad("thinking.enabled.budget_tokens: Input should be a valid integer")
            })?;
            if budget < THINKING_BUDGET_MIN {
                let said = "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024";
                return Err(Fault::bad(said));
            }
            if max_tokens.is_some_and(|most| most <= budget) {
                return Err(Fault::bad("`max_tokens` must be greater than `thinking.budget_tokens`."));
            }
            Ok(Thinking::Enabled)
        }
        Some(other) => Err(Fault::bad(format!(
            "thinking: Input tag '{other}' found using 'type' does not match any of the expected tags: 'adaptive', \
             'between_tools', 'disabled', 'enabled'"
        ))),
        None => Err(field_required("thinking.type")),
    }
}

fn numbers(body: &Value, thinking: Thinking) -> Checked<()> {
    for name in ["temperature", "top_p"] {
        let Some(value) = get(body, name) else { continue };
        match value.as_f64() {
            None => return Err(Fault::bad(format!("{name}: Input should be a valid number"))),
            Some(number) if !(0.0..=1.0).contains(&number) => {
                return Err(Fault::bad(format!("{name}: range: 0..1")));
            }
            Some(_) => {}
        }
    }
    let temperature = get(body, "temperature").and_then(Value::as_f64);
    if thinking != Thinking::Off && temperature.is_some_and(|number| number < 1.0) {
        return Err(Fault::bad("`temperature` may only be set to 1 when thinking is enabled."));
    }
    if thinking != Thinking::Off && get(body, "top_k").is_some() {
        return Err(Fault::bad("`top_k` must be unset when thinking is enabled."));
    }
    match get(body, "top_k") {
        Some(value) if value.as_u64().is_none() => Err(Fault::bad("top_k: Input should be a valid integer")),
        _ => Ok(()),
    }
}

fn stop_sequences(body: &Value) -> Checked<Vec<String>> {
    let stops = match get(body, "stop_sequences") {
        None => return Ok(Vec::new()),
        Some(Value::Array(stops)) => stops,
        Some(_) => return Err(Fault::bad("stop_sequences: Input should be a valid array")),
    };
    let mut read = Vec::with_capacity(stops.len());
    for (index, stop) in stops.iter().enumerate() {
        match stop.as_str() {
            Some(stop) if stop.trim().is_empty() => {
                return Err(Fault::bad("stop_sequences: each stop sequence must contain non-whitespace"));
            }
            Some(stop) => read.push(stop.to_owned()),
            None => {
                return Err(Fault::bad(format!("stop_sequences.{index}: Input should be a valid string")));
            }
        }
    }
    Ok(read)
}

fn format(body: &Value) -> Checked<Format> {
    let in_config = get(body, "output_config").and_then(|config| get(config, "format"));
    let Some(format) = in_config.or_else(|| get(body, "output_format")) else { return Ok(Format::Text) };
    match (text(format, "type"), get(format, "schema")) {
        (Some("json_schema"), Some(schema)) => Ok(Format::Schema(schema.clone())),
        (Some("json_schema"), None) => Err(field_required("output_config.format.schema")),
        (Some(other), _) => Err(Fault::bad(format!(
            "output_config.format: Input tag '{other}' found using 'type' does not match any of the expected tags: \
             'json_schema'"
        ))),
        (None, _) => Err(field_required("output_config.format.type")),
    }
}

/// Finds the last cache marker: tools come first, then the system prompt, then the messages.
fn cached(body: &Value) -> Checked<Option<CachedPrefix>> {
    let mut prefix = Prefix::default();
    list(body, "tools").iter().for_each(|tool| prefix.block(tool, 0));
    match get(body, "system") {
        Some(Value::Array(blocks)) => blocks.iter().for_each(|block| prefix.block(block, words_of(block))),
        Some(other) => prefix.block(other, words_of(other)),
        None => {}
    }
    for message in list(body, "messages") {
        prefix.key.push_str(text(message, "role").unwrap_or_default());
        match get(message, "content") {
            Some(Value::Array(blocks)) => {
                blocks.iter().for_each(|block| prefix.block(block, words_of(block)));
            }
            Some(other) => prefix.block(other, words_of(other)),
            None => {}
        }
    }
    if prefix.markers > CACHE_MARKERS_MAX {
        let said =
            format!("A maximum of 4 blocks with cache_control may be provided. Found {}.", prefix.markers);
        return Err(Fault::bad(said));
    }
    // A marker on the request itself stands for one on its last block.
    if let Some(marker) = get(body, "cache_control") {
        prefix.mark(marker);
    }
    Ok(prefix.marked.map(|(end, tokens, hour)| {
        prefix.key.truncate(end);
        CachedPrefix { key: prefix.key, tokens, hour }
    }))
}

fn words_of(block: &Value) -> u64 {
    let own = block.as_str().or_else(|| text(block, "text")).map_or(0, crate::words::count);
    let inner = match get(block, "content") {
        Some(Value::Array(blocks)) => blocks.iter().map(words_of).sum(),
        Some(other) => words_of(other),
        None => 0,
    };
    own + inner
}

/// The request's blocks in their order, and the last marked place.
#[derive(Default)]
struct Prefix {
    key: String,
    tokens: u64,
    markers: usize,
    /// The length of the key, the tokens, and whether it is kept for an hour.
    marked: Option<(usize, u64, bool)>,
}

// === impl Prefix ===

impl Prefix {
    fn block(&mut self, block: &Value, words: u64) {
        let mut plain = block.clone();
        plain.as_object_mut().map(|object| object.remove("cache_control"));
        self.key.push_str(&plain.to_string());
        self.tokens += words;
        if let Some(marker) = get(block, "cache_control") {
            self.markers += 1;
            self.mark(marker);
        }
    }

    fn mark(&mut self, marker: &Value) {
        self.marked = Some((self.key.len(), self.tokens, text(marker, "ttl") == Some("1h")));
    }
}
