//! Items and blocks of a stream that is being read.

use crate::chat::{ChatEvent, chars};
use crate::json::Node;
use crate::kept::Texts;
use std::collections::BTreeMap;
use std::ops::Range;

/// What the frames so far mean.
pub(super) type Events = Vec<ChatEvent>;

/// An item on its way.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// Its open or closed blocks, by the index of the part: a message has one for each part, anything else
    /// one in all.
    pub(super) blocks: BTreeMap<u64, Growing>,
    pub(super) done: bool,
}

/// A block on its way.
#[derive(Clone, Debug)]
pub(super) struct Growing {
    /// Its canonical index.
    pub(super) index: u32,
    /// Bytes of text that came so far.
    pub(super) received: usize,
    /// The parts of a thought that came so far; the last one is the one that grows.
    pub(super) parts: Vec<(bool, u64)>,
    pub(super) closed: bool,
    /// Characters of text so far; a thought or a call counts none.
    pub(super) chars: Option<u64>,
    /// The citations that came so far.
    pub(super) annotations: Texts,
}

// === impl Growing ===

impl Growing {
    /// A block that has just been opened.
    pub(super) fn new(index: u32, is_text: bool) -> Self {
        let chars = is_text.then_some(0);
        Self { index, received: 0, parts: Vec::new(), closed: false, chars, annotations: Texts::default() }
    }

    /// Takes the text of a frame.
    pub(super) fn push(&mut self, text: Node<'_>, out: &mut Events) {
        self.add(&text.str().unwrap_or_default(), Some(text.inner_range()), out);
    }

    /// Takes a text; `at` says where it stands in the frame, when it stands there alone.
    pub(super) fn add(&mut self, text: &str, at: Option<Range<usize>>, out: &mut Events) {
        self.received += text.len();
        self.chars = self.chars.map(|told| told.saturating_add(chars(text)));
        out.push(ChatEvent::Delta { index: self.index, text: text.to_owned(), at });
    }

    /// Ends the block, once.
    pub(super) fn close(&mut self, out: &mut Events) {
        if !self.closed {
            self.closed = true;
            out.push(ChatEvent::Close { index: self.index });
        }
    }
}
