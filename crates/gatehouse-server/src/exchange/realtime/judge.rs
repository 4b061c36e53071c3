//! May this event pass? Guardrails over a session: over whole texts on the way in, and in a window over texts
//! that grow on the way out.

use super::super::edit;
use bytes::Bytes;
use gatehouse_core::content::{Place, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_guard::engine::{Active, Tally};
use gatehouse_guard::window::Window;
use gatehouse_wire::chat::ChatEvent;
use gatehouse_wire::json::Doc;
use gatehouse_wire::realtime::{Asked, Said};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Growing texts at a time; nobody says more than a few things at once.
const GROWING_MAX: usize = 256;

/// The guardrails of one session.
pub(super) struct Judge {
    guards: Active,
    window: Option<Window<Utf8Bytes>>,
    /// The texts that grow, by the names that the dialect has for them and the numbers that the window has.
    growing: Vec<(String, u32)>,
    next: u32,
    tally: Tally,
}

// === impl Judge ===

impl Judge {
    /// The guardrails of a call.
    pub(super) fn new(guards: Active) -> Self {
        let places = [
            Place::Output,
            Place::ToolArguments,
            Place::Input,
            Place::System,
            Place::ToolResult,
            Place::ToolDefinition,
        ];
        let window = guards.any_at(&places).then(|| Window::new(guards.clone()));
        Self { guards, window, growing: Vec::new(), next: 0, tally: Tally::default() }
    }

    /// Whether anybody looks at what the provider says.
    pub(super) fn listens(&self) -> bool {
        self.window.is_some()
    }

    /// An event of the caller as it may pass; `None` when it may as it is.
    ///
    /// # Errors
    /// `guard_blocked` or `guard_unavailable`.
    pub(super) fn asked(&mut self, doc: &Doc, asked: &Asked) -> Result<Option<Bytes>, Error> {
        if asked.audio_chars > 0 || asked.images > 0 {
            self.unread(Place::Input)?;
        }
        let judged = self.guards.judge(doc.text(), &asked.spans);
        self.tally.merge(judged.tally);
        match judged.stopped {
            Some(error) => Err(error),
            None if judged.edits.is_empty() => Ok(None),
            None => Ok(Some(splice(doc.bytes(), &judged.edits))),
        }
    }

    /// Audio or pictures that nobody here can read, on their way from or to this place.
    ///
    /// # Errors
    /// `guard_blocked` where a guardrail acts there: nothing may pass it unseen.
    pub(super) fn unread(&mut self, place: Place) -> Result<(), Error> {
        if self.guards.acts_at(place) {
            let instead =
                if place == Place::Output { "ask for text with output_modalities" } else { "send text" };
            let message =
                format!("a guardrail must read what is said, and cannot read audio or pictures; {instead}");
            return Err(Error::new(Code::GuardBlocked, message));
        }
        if self.window.is_some() {
            self.tally.merge(self.guards.unread(place));
        }
        Ok(())
    }

    /// An event of the provider; what may pass now is in `out`.
    ///
    /// # Errors
    /// `guard_blocked` or `guard_unavailable`: nothing that is held back may pass any more.
    pub(super) fn said(
        &mut self,
        event: Utf8Bytes,
        said: Option<(&Doc, &Said)>,
        out: &mut Vec<Utf8Bytes>,
    ) -> Result<(), Error> {
        if self.window.is_none() {
            out.push(event);
            return Ok(());
        }
        let events = said.map(|(doc, said)| self.events(doc, said)).transpose()?.unwrap_or_default();
        let Some(window) = &mut self.window else { return Ok(()) };
        let bytes = event.len();
        let pushed = window.push(event, bytes, events);
        while let Some(held) = window.pop() {
            out.push(written(held.frame, &held.events, &held.changed)?);
        }
        pushed
    }

    /// What the guardrails have seen.
    pub(super) fn take_tally(&mut self) -> Tally {
        let mut tally = std::mem::take(&mut self.tally);
        tally.merge(self.window.as_mut().map(Window::take_tally).unwrap_or_default());
        tally
    }

    /// An event in the window's words.
    fn events(&mut self, doc: &Doc, said: &Said) -> Result<Vec<ChatEvent>, Error> {
        let mut events = Vec::new();
        for piece in &said.pieces {
            let key = self.key(&piece.name)?;
            events.push(ChatEvent::Aside {
                key,
                scope: u64::from(key),
                place: piece.place,
                is_json: piece.is_json,
                text: piece.text.clone(),
                at: piece.at.clone(),
            });
        }
        if let Some(beginning) = &said.ends {
            self.growing.retain(|(name, key)| {
                let ends = name.starts_with(beginning.as_str());
                if ends {
                    events.push(ChatEvent::AsideEnd { key: *key });
                }
                !ends
            });
        }
        for span in &said.spans {
            let text = doc.text().get(span.range.clone()).unwrap_or_default();
            let text = gatehouse_wire::json::unescape(text).into_owned();
            events.push(ChatEvent::Repeat { place: span.place, text, at: span.range.clone() });
        }
        Ok(events)
    }

    fn key(&mut self, name: &str) -> Result<u32, Error> {
        if let Some((_, key)) = self.growing.iter().find(|(known, _)| known == name) {
            return Ok(*key);
        }
        if self.growing.len() >= GROWING_MAX {
            return Err(Error::new(Code::UpstreamBadResponse, "the provider says too many things at once"));
        }
        self.next = self.next.wrapping_add(1);
        self.growing.push((name.to_owned(), self.next));
        Ok(self.next)
    }
}

/// An event with its texts as they may pass.
fn written(event: Utf8Bytes, events: &[ChatEvent], changed: &[usize]) -> Result<Utf8Bytes, Error> {
    let mut edits = edit::of_texts(events, changed);
    if edits.is_empty() {
        return Ok(event);
    }
    edits.sort_by_key(|edit| edit.range.start);
    Utf8Bytes::try_from(splice(&Bytes::from(event), &edits)).map_err(|_| edit::cannot())
}
