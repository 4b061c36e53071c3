//! Streams as guardrails must see them: every text of every frame.
//!
//! A dialect's decoder says what an answer *means*; some texts of a frame have no place in that, or another
//! form there: free-form input inside of arguments, arguments that are an object or come before their name,
//! further choices, results of hosted tools, what a server says twice. Where the caller gets the frames as
//! they are, [`Watched`] walks each frame once more and tells every text that the decoder has not told with
//! its place: as [`ChatEvent::Aside`] where it comes in pieces, as [`ChatEvent::Repeat`] where it is whole.
//! So what is judged is what the caller sees, in whatever dialect, and each of it can be edited in place.

use crate::chat::ChatEvent;
use crate::codec::StreamDecoder;
use crate::json::{Doc, Kind, Node, Strictness};
use crate::sse::Frame;
use gatehouse_core::content::Place;
use gatehouse_core::error::Error;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// How many texts may come in pieces at once; what begins beyond is judged piece by piece.
pub const ASIDES_MAX: usize = 1024;

/// Members that hold ids, words of the protocol, addresses, ciphers, counts or bytes: no language, and not
/// to be edited.
const NOT_LANGUAGE: &[&str] = &[
    "approval_request_id",
    "blockReason",
    "call_id",
    "category",
    "container_id",
    "createTime",
    "data",
    "encrypted_content",
    "encrypted_index",
    "encrypted_stdout",
    "execution",
    "file_id",
    "file_data",
    "fingerprint",
    "finishReason",
    "finish_reason",
    "format",
    "id",
    "image_url",
    "item_id",
    "jsonPath",
    "logprobs",
    "logprobsResult",
    "media_type",
    "mimeType",
    "mime_type",
    "model",
    "modelVersion",
    "name",
    "native_finish_reason",
    "obfuscation",
    "object",
    "probability",
    "provider",
    "responseId",
    "role",
    "server_label",
    "service_tier",
    "signature",
    "status",
    "stop_reason",
    "stop_sequence",
    "system_fingerprint",
    "thoughtSignature",
    "thought_signature",
    "tool_use_id",
    "type",
    "uri",
    "url",
    "usage",
    "usageMetadata",
];
/// Members that hold what a model wants to be done, in any form.
const ARGUMENTS: &[&str] =
    &["args", "arguments", "code", "command", "executableCode", "input", "partialArgs", "partial_json"];
/// Members through which the pieces of a running text come.
const CARRIERS: &[&str] = &[
    "audio",
    "candidates",
    "choices",
    "content",
    "custom",
    "delta",
    "function",
    "function_call",
    "message",
    "parts",
    "reasoning_details",
    "thinking",
    "thinking_blocks",
    "tool_calls",
];
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
    "transcript",
];

/// A decoder whose frames are told in full.
pub struct Watched {
    inner: Box<dyn StreamDecoder>,
    /// The texts that are running, by what ends them and the way to them, and the key that each has.
    running: BTreeMap<(u64, u64), u32>,
    next: u32,
}

/// Where in a value the walk is.
#[derive(Clone, Copy)]
struct Way {
    /// The choice, block or item: what ends together.
    scope: u64,
    /// The names on the way, as one number.
    path: u64,
    place: Place,
    at_root: bool,
    /// Whether the items here are choices, each a scope of its own.
    splits: bool,
    /// Whether all around are [`CARRIERS`].
    carries: bool,
    /// Whether a text right here is a piece.
    is_piece: bool,
    /// Inside of arguments every name and number is the model's word.
    in_arguments: bool,
}

/// What the walk meets.
enum Met<'a> {
    /// A text that is no word of the protocol.
    Text(Way, Node<'a>),
    /// A scope that is over.
    End(u64),
}

/// Calls `found` with every text of a block that only its own dialect knows, and what it is to the
/// conversation.
pub fn texts_of<'a>(block: Node<'a>, found: &mut dyn FnMut(Node<'a>, Place)) {
    walk(Way::of(block, ""), block, &mut |met| {
        if let Met::Text(way, text) = met {
            found(text, way.place);
        }
    });
}

// === impl Watched ===

impl Watched {
    /// Tells what `inner` does, and every text beside.
    #[must_use]
    pub fn new(inner: Box<dyn StreamDecoder>) -> Self {
        Self { inner, running: BTreeMap::new(), next: 0 }
    }

    fn watch(&mut self, root: Node<'_>, name: &str, before: usize, out: &mut Vec<ChatEvent>) {
        let place_of = |event: &ChatEvent| match event {
            ChatEvent::Delta { at: Some(at), .. } | ChatEvent::Repeat { at, .. } => Some(at.start),
            _ => None,
        };
        let mut told: Vec<usize> = out.iter().skip(before).filter_map(place_of).collect();
        told.sort_unstable();
        let kind = kind_of(root);
        let kind = kind.as_deref().unwrap_or(name);
        let way = Way::of(root, kind);
        let mut ended = Vec::new();
        if kind == "content_block_stop" || kind.ends_with(".done") {
            ended.push(way.scope);
        }
        walk(way, root, &mut |met| match met {
            Met::Text(way, text) => out.extend(self.text(way, text, &told)),
            Met::End(scope) => ended.push(scope),
        });
        ended.into_iter().for_each(|scope| self.end(scope, scope, out));
    }

    /// What is to be told of a text; nothing when the decoder has told it with its place.
    fn text(&mut self, way: Way, text: Node<'_>, told: &[usize]) -> Option<ChatEvent> {
        let at = text.inner_range();
        let known = (way.scope, way.path);
        let mut key = self.running.get(&known).copied().filter(|_| way.is_piece);
        // What has begun aside goes on aside: only there has all of it been seen.
        if at.is_empty() || (key.is_none() && told.binary_search(&at.start).is_ok()) {
            return None;
        }
        if key.is_none() && way.is_piece && self.running.len() < ASIDES_MAX {
            key = Some(self.next);
            self.running.insert(known, self.next);
            self.next = self.next.wrapping_add(1);
        }
        let words = text.str().map_or_else(|| text.raw().to_owned(), Cow::into_owned);
        Some(match key {
            Some(key) => ChatEvent::Aside { key, place: way.place, text: words, at },
            None => ChatEvent::Repeat { place: way.place, text: words, at },
        })
    }

    /// All texts of these scopes are over.
    fn end(&mut self, first: u64, last: u64, out: &mut Vec<ChatEvent>) {
        let over: Vec<_> = self.running.range((first, u64::MIN)..=(last, u64::MAX)).collect();
        let over: Vec<_> = over.into_iter().map(|(known, key)| (*known, *key)).collect();
        for (known, key) in over {
            self.running.remove(&known);
            out.push(ChatEvent::AsideEnd { key });
        }
    }

    /// With the answer everything is over.
    fn end_all(&mut self, before: usize, out: &mut Vec<ChatEvent>) {
        if out.iter().skip(before).any(|event| matches!(event, ChatEvent::End)) {
            self.end(u64::MIN, u64::MAX, out);
        }
    }
}

impl StreamDecoder for Watched {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        let before = out.len();
        self.inner.frame(frame, out)?;
        // What is no JSON is a mark of the end: anything else the decoder has refused.
        if let Ok(doc) = Doc::parse(frame.data(), Strictness::Provider) {
            self.watch(doc.root(), frame.name(), before, out);
        }
        self.end_all(before, out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        let before = out.len();
        self.inner.finish(out)?;
        self.end_all(before, out);
        Ok(())
    }
}

// === impl Way ===

impl Way {
    /// The beginning. `kind` is the name of the event.
    fn of(root: Node<'_>, kind: &str) -> Self {
        let scope = root.opt("index").or_else(|| root.opt("output_index")).and_then(|index| index.u64());
        let way = Self {
            scope: scope.unwrap_or_default(),
            path: hashed(0, kind),
            // Responses say in the name of the event whose piece its `delta` is.
            place: if kind.contains("_call") { Place::ToolArguments } else { Place::Output },
            at_root: true,
            splits: false,
            carries: true,
            is_piece: false,
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
            path: hashed(self.path, name),
            place: if is_arguments { Place::ToolArguments } else { self.place },
            at_root: false,
            splits: matches!(name, "choices" | "candidates") && self.at_root,
            carries: self.carries && CARRIERS.contains(&name),
            is_piece: if self.at_root { name == "delta" } else { self.carries && PIECES.contains(&name) },
            in_arguments: self.in_arguments || is_arguments,
            ..self
        }
    }

    fn item(self, nth: u64, item: Node<'_>) -> Self {
        let nth = item.opt("index").and_then(|index| index.u64()).unwrap_or(nth);
        let scope = if self.splits { nth } else { self.scope };
        Self { path: hashed(self.path, nth), scope, splits: false, ..self }
    }
}

fn walk<'a>(way: Way, value: Node<'a>, met: &mut dyn FnMut(Met<'a>)) {
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
        } else if name == "response" && way.at_root {
            // Beside its output, a response repeats the request.
            let outputs = ["output", "output_text"].into_iter();
            for (name, output) in outputs.filter_map(|name| Some((name, value.get(name)?))) {
                walk(way.member("response").member(name), output, met);
            }
        } else if !NOT_LANGUAGE.contains(&name) || is_document(object, name) {
            walk(way.member(name), value, met);
        }
    }
}

/// Whether the member is a document in plain text, where others have bytes.
fn is_document(object: Node<'_>, name: &str) -> bool {
    name == "data" && kind_of(object).is_some_and(|kind| kind == "text")
}

fn kind_of(object: Node<'_>) -> Option<Cow<'_, str>> {
    object.opt("type")?.str()
}

fn hashed(path: u64, step: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    (path, step).hash(&mut hasher);
    hasher.finish()
}
