//! What a model said, read: the blocks of an answer in one piece, and what streams have in common with it.

use super::DIALECT;
use crate::chat::{Block, Citation, Citations, Extension, RawJson, Thought, ToolCall, Weight, chars, span};
use crate::json::Node;
use std::collections::BTreeMap;

/// Where the citations of an answer stand.
const CITATIONS: &str = "message.citations";
/// The kind of citations that back the words of the answer; others back its plan or its thoughts.
pub(super) const OF_TEXT: &str = "TEXT_CONTENT";

/// The member that holds seals of others, in envelopes of ours: Cohere itself seals nothing.
pub(super) const SIGNATURE: &str = "signature";

/// Where the texts of an answer begin, in characters of all its text put together.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By the index of the content block.
    begins: BTreeMap<u64, u64>,
    told: u64,
}

// === impl Places ===

impl Places {
    /// A text begins.
    pub(super) fn begin(&mut self, at: u64) {
        self.begins.entry(at).or_insert(self.told);
    }

    /// So many characters more.
    pub(super) fn grow(&mut self, told: u64) {
        self.told = self.told.saturating_add(told);
    }

    /// How many bytes it keeps, about.
    pub(super) fn bytes(&self) -> usize {
        self.begins.len() * size_of::<(u64, u64)>()
    }

    /// Where a text begins; the first one where none is named, as models that do not count them have one.
    fn of(&self, at: Option<u64>) -> u64 {
        let found = match at {
            Some(at) => self.begins.get(&at),
            None => self.begins.values().next(),
        };
        found.copied().unwrap_or_default()
    }
}

/// The blocks of a message: its plan, what it says, its calls, and where it has that from.
pub(super) fn read(message: Node<'_>) -> Vec<Block> {
    let (mut all, mut places) = (Vec::new(), Places::default());
    all.extend(thought(text_of(message, "tool_plan")));
    if let Some(content) = message.opt("content") {
        if let Some(text) = content.str() {
            places.begin(0);
            all.push(Block::text(text));
        }
        for (at, block) in (0_u64..).zip(content.items()) {
            one(at, block, &mut places, &mut all);
        }
    }
    all.extend(calls(message).map(|one| Block::ToolCall(call(one))));
    all.extend(message.opt("citations").and_then(|list| citations(list, &places)));
    all
}

fn one(at: u64, block: Node<'_>, places: &mut Places, all: &mut Vec<Block>) {
    match text_of(block, "type").as_str() {
        "text" => {
            let text = text_of(block, "text");
            places.begin(at);
            places.grow(chars(&text));
            all.push(Block::text(text));
        }
        "thinking" => all.extend(thought(text_of(block, "thinking"))),
        kind => all.push(opaque(at, kind, block.raw())),
    }
}

fn thought(text: String) -> Option<Block> {
    (!text.is_empty()).then(|| Block::Thought(Thought { text, ..Thought::default() }))
}

/// The calls of a message. An entry that names no tool calls nothing.
pub(super) fn calls(message: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let list = message.opt("tool_calls").into_iter();
    list.flat_map(|list| if list.is_object() { vec![list] } else { list.items().collect() })
        .filter(|call| call.path(&["function", "name"]).is_some_and(|name| !name.is_empty()))
}

/// A call of a tool; the arguments stay the text that came.
pub(super) fn call(one: Node<'_>) -> ToolCall {
    let function = one.opt("function");
    let said = |name: &str| function.map(|function| text_of(function, name)).unwrap_or_default();
    ToolCall {
        id: text_of(one, "id"),
        name: said("name"),
        arguments: said("arguments"),
        ..ToolCall::default()
    }
}

/// The block of the sources, each of a citation's a citation of its own. `None` when there are none.
pub(super) fn citations(list: Node<'_>, places: &Places) -> Option<Block> {
    let all: Vec<Citation> = list.items().flat_map(|one| sources(one, places)).collect();
    (!all.is_empty())
        .then(|| Block::Citations(Citations { all, own: extension(CITATIONS.to_owned(), list.raw()) }))
}

fn sources(one: Node<'_>, places: &Places) -> Vec<Citation> {
    let number = |name: &str| one.opt(name).and_then(|number| number.u64());
    let of_text = one.opt("type").is_none_or(|kind| kind.str().is_some_and(|kind| kind == OF_TEXT));
    let span = span(number("start"), number("end")).filter(|_| of_text);
    let backed = Citation { span, ..Citation::default() }.shifted(places.of(number("content_index")));
    let mut all: Vec<Citation> = one
        .opt("sources")
        .into_iter()
        .flat_map(|sources| sources.items())
        .map(|source| Citation { span: backed.span.clone(), ..source_of(source) })
        .collect();
    if all.is_empty() {
        all.push(backed);
    }
    all
}

/// A document of the caller's, or what a tool of theirs said: an object whose members they chose.
fn source_of(source: Node<'_>) -> Citation {
    let holder = source.opt("document").or_else(|| source.opt("tool_output"));
    let said = |names: &[&str]| {
        let texts = names.iter().filter_map(|name| holder.map(|holder| text_of(holder, name)));
        texts.into_iter().find(|text| !text.is_empty())
    };
    Citation {
        url: said(&["url"]),
        title: said(&["title"]),
        quote: said(&["text", "snippet", "content"]),
        span: None,
    }
}

/// A block that only Cohere knows.
pub(super) fn opaque(at: u64, kind: &str, raw: &str) -> Block {
    Block::Opaque(extension(format!("message.content[{at}].{kind}"), raw))
}

fn extension(path: String, raw: &str) -> Extension {
    Extension { path, value: RawJson(raw.to_owned()), origin: DIALECT, weight: Weight::Hint }
}

/// The text of a member; empty when there is none.
pub(super) fn text_of(node: Node<'_>, name: &str) -> String {
    node.opt(name).and_then(|text| text.str()).unwrap_or_default().into_owned()
}
