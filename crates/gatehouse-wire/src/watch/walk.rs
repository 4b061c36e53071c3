//! The way through a value of any dialect: which of its strings are language, what they are to the
//! conversation, and which are pieces of a text that goes on in the next frame.

use crate::json::{Kind, Node};
use gatehouse_core::content::Place;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// Members that hold ids, words of the protocol, addresses, ciphers, counts or bytes: no language, and not
/// to be edited.
const NOT_LANGUAGE: &[&str] = &[
    "approval_request_id",
    "blockReason",
    "call_id",
    "category",
    "channel",
    "container_id",
    "createTime",
    "data",
    "date",
    "encrypted_content",
    "encrypted_index",
    "encrypted_stdout",
    "error_code",
    "execution",
    "expires_at",
    "file_data",
    "file_id",
    "file_type",
    "fingerprint",
    "finishReason",
    "finish_reason",
    "format",
    "id",
    "image_url",
    "item_id",
    "jsonPath",
    "last_updated",
    "media_type",
    "mimeType",
    "mime_type",
    "model",
    "modelVersion",
    "name",
    "namespace",
    "native_finish_reason",
    "obfuscation",
    "object",
    "outcome",
    "p",
    "padding",
    "phase",
    "probability",
    "provider",
    "redactedContent",
    "request_id",
    "responseId",
    "retrieved_at",
    "role",
    "server_label",
    "service_tier",
    "severity",
    "signature",
    "status",
    "stopReason",
    "stop_reason",
    "stop_sequence",
    "system_fingerprint",
    "thoughtSignature",
    "thought_signature",
    "token_type",
    "toolType",
    "toolUseId",
    "tool_id",
    "tool_name",
    "tool_use_id",
    "type",
    "uri",
    "url",
    "urlRetrievalStatus",
    "usage",
    "usageMetadata",
];
/// Members that spell a text once more, token by token.
const SPELLED: &[&str] = &["logprobs", "logprobsResult"];
/// Members of these that hold the tokens that were likely.
const LIKELY: &[&str] = &["topCandidates", "top_logprobs"];
/// Members that hold what a model wants to be done, in any form.
const ARGUMENTS: &[&str] = &["args", "arguments", "code", "command", "input", "partial_json"];
/// Members through which the pieces of a running text come.
const CARRIERS: &[&str] = &[
    "audio",
    "candidates",
    "choices",
    "content",
    "content_block",
    "custom",
    "delta",
    "function",
    "function_call",
    "message",
    "parts",
    "reasoningContent",
    "reasoning_details",
    "thinking",
    "thinking_blocks",
    "toolUse",
    "tool_calls",
];
/// Lists of pieces. Which text one goes on is said by its kind and not by its position: the next frame may
/// lack what stood before it.
const ROWS: &[&str] = &["content", "parts", "reasoning_details", "thinking", "thinking_blocks"];
/// Indices of an event beside the scope that say which text it is about.
const PARTS: &[&str] = &["content_index", "summary_index"];
/// Members that hold a piece of a running text, when nothing but [`CARRIERS`] is around them.
const PIECES: &[&str] = &[
    "arguments",
    "content",
    "input",
    "partial_json",
    "reasoning",
    "reasoning_content",
    "refusal",
    "summary",
    "text",
    "thinking",
    "tool_plan",
    "transcript",
];

/// Where in a value the walk is.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// The choice, block or item: what ends together.
    pub(super) scope: u64,
    /// The names on the way, as one number.
    pub(super) path: u64,
    pub(super) place: Place,
    at_root: bool,
    /// Whether this is a response of Responses, whole or inside of an event.
    is_response: bool,
    /// Whether the items here are choices, each a scope of its own.
    splits: bool,
    /// Whether the items here are pieces of a row.
    is_row: bool,
    /// Whether all around are [`CARRIERS`].
    carries: bool,
    /// Whether a text right here is a piece.
    pub(super) is_piece: bool,
    /// Whether a text right here is JSON.
    pub(super) is_json: bool,
    /// Inside of arguments every name and number is the model's word.
    in_arguments: bool,
}

/// What the walk meets.
pub(super) enum Met<'a> {
    /// A text that is no word of the protocol.
    Text(Way, Node<'a>),
    /// What spells the texts beside it once more.
    Spelled(Way, Node<'a>),
    /// A scope that is over.
    End(u64),
}

// === impl Way ===

impl Way {
    /// The beginning. `kind` is the name of the event.
    pub(super) fn of(root: Node<'_>, kind: &str) -> Self {
        let index = ["index", "output_index", "contentBlockIndex"].iter().find_map(|name| root.opt(name));
        let scope = index.and_then(|index| index.u64());
        // A block begins with what it says first.
        let path =
            hashed(0, if kind.starts_with("content_block") { "content_block" } else { cohere_part(kind) });
        let part = |name: &&str| root.opt(name).and_then(|index| index.u64());
        let way = Self {
            scope: scope.unwrap_or_default(),
            path: PARTS.iter().filter_map(part).fold(path, hashed),
            // Responses say in the name of the event whose piece its `delta` is.
            place: if kind.contains("_call") { Place::ToolArguments } else { Place::Output },
            at_root: true,
            is_response: root
                .opt("object")
                .and_then(|object| object.str())
                .is_some_and(|object| object == "response"),
            splits: false,
            is_row: false,
            carries: true,
            is_piece: false,
            is_json: kind.contains("arguments"),
            in_arguments: false,
        };
        way.into(root)
    }

    /// Into an object whose type may say what it is.
    fn into(self, object: Node<'_>) -> Self {
        let is_result =
            !self.in_arguments && kind_of(object).is_some_and(|kind| kind.ends_with("_tool_result"));
        Self { place: if is_result { Place::ToolResult } else { self.place }, ..self }
    }

    fn member(self, name: &str) -> Self {
        let is_arguments = ARGUMENTS.contains(&name);
        Self {
            path: hashed(self.path, if name == "content_block" { "delta" } else { name }),
            place: match name {
                _ if is_arguments => Place::ToolArguments,
                "toolResult" => Place::ToolResult,
                _ => self.place,
            },
            at_root: false,
            is_response: self.at_root && name == "response",
            splits: matches!(name, "choices" | "candidates") && self.at_root,
            is_row: self.carries && ROWS.contains(&name),
            carries: self.carries && CARRIERS.contains(&name),
            is_piece: if self.at_root { name == "delta" } else { self.carries && PIECES.contains(&name) },
            // Converse's calls stream their `input` as text.
            is_json: matches!(name, "arguments" | "partial_json" | "toolUse")
                || (self.is_json && (self.at_root || name == "input")),
            in_arguments: self.in_arguments || is_arguments,
            ..self
        }
    }

    fn item(self, nth: u64, item: Node<'_>) -> Self {
        let index = item.opt("index").and_then(|index| index.u64());
        let path = match index {
            None if self.is_row => hashed(self.path, kind_in_row(item)),
            _ => hashed(self.path, index.unwrap_or(nth)),
        };
        let scope = if self.splits { index.unwrap_or(nth) } else { self.scope };
        Self { path, scope, splits: false, is_row: false, ..self }
    }
}

/// Calls `met` with all there is in a value.
pub(super) fn walk<'a>(way: Way, value: Node<'a>, met: &mut dyn FnMut(Met<'a>)) {
    match value.kind() {
        Kind::String | Kind::Escaped => met(Met::Text(way, value)),
        // Other numbers count something.
        Kind::Number if way.in_arguments => met(Met::Text(way, value)),
        Kind::Array => {
            for (nth, item) in (0u64..).zip(value.items()) {
                walk(way.item(nth, item), item, met);
            }
        }
        Kind::Object => walk_members(way.into(value), value, met),
        Kind::Null | Kind::True | Kind::False | Kind::Number => {}
    }
}

fn walk_members<'a>(way: Way, object: Node<'a>, met: &mut dyn FnMut(Met<'a>)) {
    for (key, value) in object.entries() {
        let name = key.str().unwrap_or_default();
        let name = name.as_ref();
        if way.in_arguments {
            met(Met::Text(Way { is_piece: false, ..way }, key));
            walk(way.member(name), value, met);
        } else if matches!(name, "finish_reason" | "finishReason") && value.is_str() {
            met(Met::End(way.scope));
        } else if SPELLED.contains(&name) {
            if !value.is_null() && !value.is_empty() {
                met(Met::Spelled(way.member(name), value));
            }
        } else if way.is_response && !matches!(name, "output" | "output_text") {
            // Beside its output, a response repeats the request.
        } else if !NOT_LANGUAGE.contains(&name) || is_document(object, name) {
            walk(way.member(name), value, met);
        }
    }
}

/// What tokens spell: the text that was said goes to `said`, what else was likely to `others`.
pub(super) fn spell(tokens: Node<'_>, is_other: bool, said: &mut String, others: &mut Vec<String>) {
    for item in tokens.items() {
        match item.str() {
            Some(token) if !is_other => said.push_str(&token),
            Some(token) => others.push(token.into_owned()),
            None => spell(item, is_other, said, others),
        }
    }
    for (name, value) in tokens.members() {
        let is_other = is_other || LIKELY.contains(&name.as_ref());
        match value.str() {
            Some(token) if name == "token" && !is_other => said.push_str(&token),
            Some(token) if name == "token" => others.push(token.into_owned()),
            // Completions have objects of tokens.
            _ if is_other && value.kind() == Kind::Number => others.push(name.into_owned()),
            _ => spell(value, is_other, said, others),
        }
    }
}

/// Whether the member is a document in plain text, where others have bytes.
fn is_document(object: Node<'_>, name: &str) -> bool {
    name == "data" && kind_of(object).is_some_and(|kind| kind == "text")
}

/// The type that an object gives itself.
pub(super) fn kind_of(object: Node<'_>) -> Option<Cow<'_, str>> {
    object.opt("type")?.str()
}

/// What tells the texts of a row apart: thoughts are not words.
fn kind_in_row(item: Node<'_>) -> (Option<Cow<'_, str>>, bool) {
    let is_thought = item.opt("thought").and_then(|thought| thought.bool()) == Some(true);
    (kind_of(item), is_thought)
}

/// What of a message of Cohere's an event is about; other names of events as they are.
fn cohere_part(kind: &str) -> &str {
    kind.strip_suffix("-start").or_else(|| kind.strip_suffix("-delta")).unwrap_or(kind)
}

fn hashed(path: u64, step: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (path, step).hash(&mut hasher);
    hasher.finish()
}
