//! Guardrails over an answer that is still being written.
//!
//! Frames wait in the window until everything that a guardrail could still find in their text would have
//! been found. What is found is cut out of the frames that carry it; a block ends the stream before any
//! of it has passed.

use crate::engine::arguments;
use crate::engine::{Active, Extent, Tally};
use bytes::Bytes;
use gatehouse_core::content::{Place, Span, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::chat::{Block, ChatEvent, Citations, Extension, RawJson};
use gatehouse_wire::free_form::FRAME;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::watch::texts_of;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many bytes of frames may wait. Beyond it, a provider is padding what a guardrail waits for.
pub const HELD_BYTES_MAX: usize = 1 << 20;

/// The window of one stream. `F` is the frame as the caller of this module keeps it.
pub struct Window<F> {
    active: Active,
    lookbehind: usize,
    held: VecDeque<Held<F>>,
    held_bytes: usize,
    /// How many frames have left at the front: the number of a held frame is its position plus this.
    left: usize,
    texts: BTreeMap<Key, OpenText>,
    /// The choices, blocks or items of which a text has changed.
    changed: BTreeSet<u64>,
    tally: Tally,
}

/// A frame and its meaning, as it may pass.
#[derive(Debug)]
pub struct Held<F> {
    /// The frame.
    pub frame: F,
    /// Its events, with their texts as they may pass.
    pub events: Vec<ChatEvent>,
    /// Which of the events have another text than the frame.
    pub changed: Vec<usize>,
    bytes: usize,
    /// Open texts of this frame that may not pass yet.
    waiting: usize,
}

/// A text that is still being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// Of a block, by its index.
    Block(u32),
    /// Beside the blocks, by its key.
    Aside(u32),
}

/// The text that has not passed yet, and which frames it came in.
struct OpenText {
    place: Place,
    /// Whether it is JSON, and what is kept of it begins in a string.
    json: Option<bool>,
    /// How many bytes at its beginning are not the model's words but ours.
    ours: usize,
    /// What it is said in, where that is told.
    scope: Option<u64>,
    /// The end of what has passed, so that what stands before a finding is seen, and all that has not.
    text: String,
    /// How many bytes of `text` have passed.
    passed: usize,
    pieces: VecDeque<Piece>,
}

/// A piece of text: in which frame, in which of its events, how long.
struct Piece {
    frame: usize,
    event: usize,
    bytes: usize,
}

// === impl Window ===

impl<F> Window<F> {
    /// A window for the guardrails of one call.
    #[must_use]
    pub fn new(active: Active) -> Self {
        let lookbehind = active.lookbehind();
        Self {
            active,
            lookbehind,
            held: VecDeque::new(),
            held_bytes: 0,
            left: 0,
            texts: BTreeMap::new(),
            changed: BTreeSet::new(),
            tally: Tally::default(),
        }
    }

    /// Takes in a frame of `bytes` bytes and its meaning.
    ///
    /// # Errors
    /// `guard_blocked` or `guard_unavailable`: nothing that is still held may pass any more.
    pub fn push(&mut self, frame: F, bytes: usize, events: Vec<ChatEvent>) -> Result<(), Error> {
        self.held_bytes += bytes;
        let number = self.left + self.held.len();
        self.held.push_back(Held { frame, events: Vec::new(), changed: Vec::new(), bytes, waiting: 0 });
        // Until all of it was judged; one with something to block in it waits for ever.
        self.wait(number);
        let beside = beside(&events);
        for (at, event) in events.into_iter().enumerate() {
            match &event {
                // What the caller sees of it is told once more, with all that it belongs to.
                ChatEvent::Delta { at: Some(own), .. } if beside.binary_search(&own.start).is_ok() => {
                    self.put(number, event);
                }
                _ => self.take(number, at, event)?,
            }
        }
        self.unwait(number);
        let waits = self.held.front().is_some_and(|held| held.waiting > 0);
        // A frame that waits for nothing may be as long as frames are.
        if waits && self.held_bytes > HELD_BYTES_MAX {
            return Err(Error::new(
                Code::UpstreamBadResponse,
                "the stream holds back more than a guardrail may wait for",
            ));
        }
        Ok(())
    }

    /// The next frame that may pass.
    pub fn pop(&mut self) -> Option<Held<F>> {
        if self.held.front()?.waiting > 0 {
            return None;
        }
        let mut held = self.held.pop_front()?;
        self.left += 1;
        // Frames leave in order: what spells a text that has changed comes with it, or behind it.
        let changed = &self.changed;
        let spelling = (0..).zip(&held.events).filter_map(|(at, event)| match event {
            ChatEvent::Spelled { scope, .. } if changed.contains(scope) => Some(at),
            _ => None,
        });
        held.changed.extend(spelling);
        self.held_bytes = self.held_bytes.saturating_sub(held.bytes);
        Some(held)
    }

    /// Nothing more will come: what is open is judged as it is.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(&mut self) -> Result<(), Error> {
        let open: Vec<Key> = self.texts.keys().copied().collect();
        open.into_iter().try_for_each(|key| self.close(key))
    }

    /// What the guardrails have seen in this answer.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    fn take(&mut self, frame: usize, at: usize, event: ChatEvent) -> Result<(), Error> {
        let mut event = event;
        let mut judge = None;
        match &mut event {
            ChatEvent::Open { index, block } => {
                if let Some(place) = place_of(block) {
                    self.texts.insert(Key::Block(*index), OpenText::new(place));
                } else if let Block::Opaque(own) = block {
                    self.judge_opaque(own)?;
                } else if let Block::Citations(cited) = block {
                    self.judge_citations(cited)?;
                }
            }
            ChatEvent::Delta { index, text, .. } => {
                let key = Key::Block(*index);
                let open = self.grow(key, Place::Output, text, Piece { frame, event: at, bytes: text.len() });
                if open.place == Place::ToolArguments {
                    open.json.get_or_insert_with(|| {
                        // The frame of a free-form input is of our own making.
                        open.ours = if text.starts_with(FRAME.0) { FRAME.0.len() } else { 0 };
                        false
                    });
                }
                judge = Some(key);
            }
            ChatEvent::Aside { key, scope, place, is_json, text, .. } if self.active.any_at(&[*place]) => {
                let key = Key::Aside(*key);
                let open = self.grow(key, *place, text, Piece { frame, event: at, bytes: text.len() });
                open.scope = Some(*scope);
                if *is_json {
                    open.json.get_or_insert(false);
                }
                judge = Some(key);
            }
            ChatEvent::Spelled { key, text, others, .. } if self.active.any_at(&[Place::Output]) => {
                let key = Key::Aside(*key);
                self.grow(key, Place::Output, text, Piece { frame, event: at, bytes: text.len() });
                judge = Some(key);
                for other in others {
                    if self.active.judge_text(other, Place::Output, &mut self.tally)?.is_some() {
                        self.mark_changed(frame, at);
                    }
                }
            }
            ChatEvent::Repeat { place, text, .. } => {
                if let Some(changed) = self.active.judge_text(text, *place, &mut self.tally)? {
                    *text = changed;
                    self.mark_changed(frame, at);
                }
            }
            ChatEvent::Close { index } => {
                let key = Key::Block(*index);
                self.put(frame, event);
                return self.close(key);
            }
            ChatEvent::AsideEnd { key } => {
                let key = Key::Aside(*key);
                self.put(frame, event);
                return self.close(key);
            }
            _ => {}
        }
        self.put(frame, event);
        if let Some(key) = judge {
            self.wait(frame);
            self.judge(key, Extent::Partial)?;
        }
        Ok(())
    }

    fn grow(&mut self, key: Key, place: Place, text: &str, piece: Piece) -> &mut OpenText {
        let open = self.texts.entry(key).or_insert_with(|| OpenText::new(place));
        open.text.push_str(text);
        open.pieces.push_back(piece);
        open
    }

    /// Judges what citations say of their sources, in either form that may be written.
    fn judge_citations(&mut self, cited: &mut Citations) -> Result<(), Error> {
        self.judge_opaque(&mut cited.own)?;
        for one in &mut cited.all {
            for text in [&mut one.title, &mut one.quote].into_iter().flatten() {
                let judged =
                    self.active.judge_rest(text, 0, Place::Output, Extent::Whole, &mut self.tally)?;
                if let Some(changed) = judged {
                    *text = changed;
                }
            }
        }
        Ok(())
    }

    /// Judges a block that only its own dialect knows, and makes its edits in it.
    fn judge_opaque(&mut self, own: &mut Extension) -> Result<(), Error> {
        let cannot = |_| Error::new(Code::GuardUnavailable, "a guardrail cannot read a part of this answer");
        let raw = Bytes::copy_from_slice(own.value.0.as_bytes());
        let doc = Doc::parse(raw, Strictness::Provider).map_err(cannot)?;
        let mut spans = Vec::new();
        texts_of(doc.root(), &mut |text, place| spans.push(Span { range: text.inner_range(), place }));
        let judged = self.active.judge(doc.text(), &spans);
        self.tally.merge(judged.tally);
        if let Some(error) = judged.stopped {
            return Err(error);
        }
        if !judged.edits.is_empty() {
            let edited =
                Doc::parse(splice(doc.bytes(), &judged.edits), Strictness::Provider).map_err(cannot)?;
            own.value = RawJson(edited.text().to_owned());
        }
        Ok(())
    }

    /// Judges the text that has not passed, and lets pass what is far enough from its end.
    fn judge(&mut self, key: Key, extent: Extent) -> Result<(), Error> {
        let Some(mut block) = self.texts.remove(&key) else { return Ok(()) };
        let from = block.passed.max(block.ours);
        let judged = match block.json {
            Some(inside) => {
                arguments::judge(&self.active, &block.text, inside, from, extent, &mut self.tally)
            }
            None => self.active.judge_rest(&block.text, from, block.place, extent, &mut self.tally),
        };
        if let Some(changed) = judged? {
            self.changed.extend(block.scope);
            self.spread(&mut block, &changed);
        }
        let safe = match extent {
            Extent::Whole => block.text.len(),
            Extent::Partial => match block.json {
                Some(inside) => arguments::safe(&block.text, inside, self.lookbehind),
                None => block.text.len().saturating_sub(self.lookbehind),
            },
        };
        let mut passed = block.passed;
        while let Some(piece) = block.pieces.front() {
            if passed + piece.bytes > safe {
                break;
            }
            passed += piece.bytes;
            self.unwait(piece.frame);
            block.pieces.pop_front();
        }
        let keep_from = if let Some(inside) = &mut block.json {
            let (from, is_inside) = arguments::keep_from(&block.text, *inside, passed, self.lookbehind);
            *inside = is_inside;
            from
        } else {
            (passed.saturating_sub(self.lookbehind)..=passed)
                .find(|at| block.text.is_char_boundary(*at))
                .unwrap_or(passed)
        };
        block.ours = block.ours.saturating_sub(keep_from);
        block.text.drain(..keep_from);
        block.passed = passed - keep_from;
        self.texts.insert(key, block);
        Ok(())
    }

    fn close(&mut self, key: Key) -> Result<(), Error> {
        self.judge(key, Extent::Whole)?;
        self.texts.remove(&key);
        Ok(())
    }

    /// Puts a changed text back into the pieces it came in: what is equal at both ends stays where it was,
    /// the rest goes to the first piece that differs.
    fn spread(&mut self, block: &mut OpenText, changed: &str) {
        let kept = common_prefix(&block.text, changed);
        let tail = common_suffix(&block.text, changed, kept);
        let old_end = block.text.len() - tail;
        let new_middle = changed.get(kept..changed.len() - tail).unwrap_or_default();
        let mut start = block.passed;
        let mut placed = false;
        for piece in &mut block.pieces {
            let end = start + piece.bytes;
            let before = block.text.get(start..end.min(kept).max(start)).unwrap_or_default();
            let after = block.text.get(start.max(old_end).min(end)..end).unwrap_or_default();
            let touches =
                end > kept && start < old_end || (!placed && end >= kept && start <= kept && kept == old_end);
            if touches {
                let middle = if placed { "" } else { new_middle };
                placed = true;
                let text = format!("{before}{middle}{after}");
                piece.bytes = text.len();
                if let Some(held) = self.held.get_mut(piece.frame - self.left) {
                    held.changed.push(piece.event);
                    if let Some(ChatEvent::Delta { text: own, .. } | ChatEvent::Aside { text: own, .. }) =
                        held.events.get_mut(piece.event)
                    {
                        *own = text;
                    }
                }
            }
            start = end;
        }
        block.text = changed.to_owned();
    }

    fn put(&mut self, frame: usize, event: ChatEvent) {
        if let Some(held) = self.held.get_mut(frame - self.left) {
            held.events.push(event);
        }
    }

    fn mark_changed(&mut self, frame: usize, event: usize) {
        if let Some(held) = self.held.get_mut(frame - self.left) {
            held.changed.push(event);
        }
    }

    fn wait(&mut self, frame: usize) {
        if let Some(held) = self.held.get_mut(frame - self.left) {
            held.waiting += 1;
        }
    }

    fn unwait(&mut self, frame: usize) {
        if let Some(held) = self.held.get_mut(frame - self.left) {
            held.waiting = held.waiting.saturating_sub(1);
        }
    }
}

// === impl OpenText ===

impl OpenText {
    fn new(place: Place) -> Self {
        Self {
            place,
            json: None,
            ours: 0,
            scope: None,
            text: String::new(),
            passed: 0,
            pieces: VecDeque::new(),
        }
    }
}

/// Where the texts stand that are told as the caller puts them together.
fn beside(events: &[ChatEvent]) -> Vec<usize> {
    let mut starts: Vec<usize> = events
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Aside { at, .. } | ChatEvent::Repeat { at, .. } => Some(at.start),
            _ => None,
        })
        .collect();
    starts.sort_unstable();
    starts
}

/// Which guardrails look at a block.
fn place_of(block: &Block) -> Option<Place> {
    match block {
        Block::ToolCall(_) => Some(Place::ToolArguments),
        Block::Text { .. } | Block::Thought(_) | Block::Refusal(_) => Some(Place::Output),
        Block::Citations(_) | Block::Opaque(_) => None,
    }
}

fn common_prefix(a: &str, b: &str) -> usize {
    a.char_indices().zip(b.chars()).find(|((_, x), y)| x != y).map_or(a.len().min(b.len()), |((at, _), _)| at)
}

fn common_suffix(a: &str, b: &str, prefix: usize) -> usize {
    let room = a.len().min(b.len()) - prefix;
    let mut bytes = 0;
    for (x, y) in a.chars().rev().zip(b.chars().rev()) {
        if x != y || bytes + x.len_utf8() > room {
            break;
        }
        bytes += x.len_utf8();
    }
    bytes
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a panic is how a test says no")]
#[path = "window_tests.rs"]
mod tests;
