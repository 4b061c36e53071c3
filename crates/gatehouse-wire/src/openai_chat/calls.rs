//! Calls of tools in a stream, put together from their pieces.
//!
//! OpenAI sends id and name first and the arguments in pieces, each with the call's `index`. Its family
//! sends calls whole, without ids, without indices, with one index for all, or with the name behind.

use super::reasoning::read_signature;
use crate::chat::{Block, ChatEvent, Seal, ToolCall};
use crate::free_form;
use crate::json::Node;

/// How many characters of the answer's id an id of ours takes over.
const ANSWER_ID_CHARS: usize = 16;
/// The index of the one call of the legacy `function_call`.
const LEGACY: u64 = u64::MAX;

/// The calls of an answer so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slots: Vec<Slot>,
    /// What the slots keep: each of them itself, and what came of a call before its name.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Slot {
    /// The provider's index of it.
    key: u64,
    id: String,
    name: String,
    is_custom: bool,
    /// Arguments that came before the name.
    held: String,
    /// Our index, once it is open.
    index: Option<u32>,
    is_closed: bool,
}

/// The id of a call that came without one: the same whether the answer was streamed or not.
pub(super) fn minted_id(answer_id: &str, nth: u32) -> String {
    let plain: Vec<char> = answer_id.chars().filter(char::is_ascii_alphanumeric).collect();
    let tail: String = plain.iter().skip(plain.len().saturating_sub(ANSWER_ID_CHARS)).collect();
    if tail.is_empty() { format!("call_{nth}") } else { format!("call_{tail}_{nth}") }
}

/// The call of a custom tool; some servers fill the member with empty texts beside a function.
pub(super) fn custom(call: Node<'_>) -> Option<Node<'_>> {
    let custom = call.opt("custom")?;
    (call.opt("function").is_none() || !text(custom, "name").is_empty()).then_some(custom)
}

// === impl Calls ===

impl Calls {
    /// Whether there were any.
    pub(super) fn any(&self) -> bool {
        self.slots.iter().any(|slot| slot.index.is_some())
    }

    /// How many bytes they keep, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A piece of `tool_calls`. `next` is the index that the next block gets.
    pub(super) fn piece(
        &mut self,
        piece: Node<'_>,
        answer_id: &str,
        next: &mut u32,
        out: &mut Vec<ChatEvent>,
    ) {
        let custom = custom(piece);
        let Some(function) = custom.or_else(|| piece.opt("function")) else { return };
        let id = text(piece, "id");
        let key = piece.opt("index").and_then(|index| index.u64());
        let at = self.find(key, &id, !text(function, "name").is_empty());
        let Some(slot) = self.slots.get_mut(at) else { return };
        let before = slot.bytes();
        slot.is_custom |= custom.is_some();
        if slot.id.is_empty() {
            slot.id = id;
        }
        slot.add(at, function, read_signature(piece), answer_id, next, out);
        self.bytes = (self.bytes + slot.bytes()).saturating_sub(before);
    }

    /// A piece of the legacy `function_call`.
    pub(super) fn legacy(
        &mut self,
        call: Node<'_>,
        answer_id: &str,
        next: &mut u32,
        out: &mut Vec<ChatEvent>,
    ) {
        if text(call, "name").is_empty() && text(call, "arguments").is_empty() {
            return;
        }
        let at = self.find(Some(LEGACY), "", false);
        if let Some(slot) = self.slots.get_mut(at) {
            let before = slot.bytes();
            slot.add(at, call, None, answer_id, next, out);
            self.bytes = (self.bytes + slot.bytes()).saturating_sub(before);
        }
    }

    /// Ends all calls.
    pub(super) fn close(&mut self, answer_id: &str, next: &mut u32, out: &mut Vec<ChatEvent>) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.index.is_none() && !(slot.id.is_empty() && slot.held.is_empty()) {
                slot.open(at, None, answer_id, next, out);
            }
            if let Some(index) = slot.index.filter(|_| !slot.is_closed) {
                slot.is_closed = true;
                if slot.is_custom {
                    out.push(ChatEvent::Delta { index, text: free_form::FRAME.1.to_owned(), at: None });
                }
                out.push(ChatEvent::Close { index });
            }
        }
    }

    /// The slot that a piece belongs to; a new one when it begins a call.
    fn find(&mut self, key: Option<u64>, id: &str, is_named: bool) -> usize {
        let found = match key {
            // Servers that give all calls one index give each an id.
            Some(key) => self.slots.iter().rposition(|slot| slot.key == key).filter(|at| {
                let own = self.slots.get(*at).map_or("", |slot| slot.id.as_str());
                !is_named || id.is_empty() || own.is_empty() || own == id
            }),
            None if !id.is_empty() => self.slots.iter().rposition(|slot| slot.id == id),
            None if is_named => None,
            None => self.slots.len().checked_sub(1),
        };
        let found = found.filter(|at| self.slots.get(*at).is_some_and(|slot| !slot.is_closed));
        found.unwrap_or_else(|| {
            let key = key.unwrap_or_else(|| u64::try_from(self.slots.len()).unwrap_or(LEGACY));
            self.slots.push(Slot { key, ..Slot::default() });
            self.bytes += size_of::<Slot>();
            self.slots.len() - 1
        })
    }
}

// === impl Slot ===

impl Slot {
    /// The texts that it keeps.
    fn bytes(&self) -> usize {
        self.id.len() + self.name.len() + self.held.len()
    }

    fn add(
        &mut self,
        nth: usize,
        function: Node<'_>,
        seal: Option<Seal>,
        answer_id: &str,
        next: &mut u32,
        out: &mut Vec<ChatEvent>,
    ) {
        if self.name.is_empty() {
            self.name = text(function, "name");
        }
        match self.index {
            None if !self.name.is_empty() => self.open(nth, seal, answer_id, next, out),
            Some(index) => out.extend(seal.map(|seal| ChatEvent::Seal { index, seal })),
            None => {}
        }
        if let Some(more) = function.opt("arguments").or_else(|| function.opt("input")) {
            self.argue(more, out);
        }
    }

    fn open(
        &mut self,
        nth: usize,
        seal: Option<Seal>,
        answer_id: &str,
        next: &mut u32,
        out: &mut Vec<ChatEvent>,
    ) {
        let index = *next;
        *next += 1;
        self.index = Some(index);
        if self.id.is_empty() {
            self.id = minted_id(answer_id, u32::try_from(nth).unwrap_or(u32::MAX));
        }
        let (id, name) = (self.id.clone(), self.name.clone());
        let call = ToolCall { id, name, seal, ..ToolCall::default() };
        out.push(ChatEvent::Open { index, block: Block::ToolCall(call) });
        let lead = if self.is_custom { free_form::FRAME.0 } else { "" };
        let text = format!("{lead}{}", std::mem::take(&mut self.held));
        if !text.is_empty() {
            out.push(ChatEvent::Delta { index, text, at: None });
        }
    }

    fn argue(&mut self, more: Node<'_>, out: &mut Vec<ChatEvent>) {
        if more.is_str() && more.is_empty() {
            return;
        }
        let (text, at) = match more.str() {
            Some(text) if self.is_custom => (free_form::escaped_text(&text), None),
            Some(text) => (text.into_owned(), Some(more.inner_range())),
            // An object where its text should be.
            None => (more.raw().to_owned(), None),
        };
        match self.index {
            Some(index) => out.push(ChatEvent::Delta { index, text, at }),
            None => self.held.push_str(&text),
        }
    }
}

fn text(node: Node<'_>, name: &str) -> String {
    node.opt(name).and_then(|node| node.str()).unwrap_or_default().into_owned()
}
