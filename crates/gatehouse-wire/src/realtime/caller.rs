//! What an event of the caller asks for.

use super::texts;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Place, Span};
use gatehouse_core::error::Error;
use std::ops::Range;

/// The session's own members are the application's words; a default place for the rest of them.
const SESSION: &str = "session.update";

/// What an event of the caller means.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What the caller calls the event.
    pub event_id: Option<String>,
    /// Its texts, in the order in which they stand.
    pub spans: Vec<Span>,
    /// How many characters of audio it carries, in base64.
    pub audio_chars: usize,
    /// How many pictures it carries that nobody here can read either.
    pub images: u32,
    /// The model that it names for the session, and where, quotes included.
    pub model: Option<(String, Range<usize>)>,
}

/// Reads an event of the caller.
///
/// # Errors
/// `invalid_request` for what is no event.
pub fn asked(doc: &Doc) -> Result<Asked, Error> {
    let root = doc.root();
    if !root.is_object() {
        return Err(Error::invalid("type", "an event is a JSON object"));
    }
    let kind = root.get("type").and_then(|kind| kind.str());
    let kind = kind.ok_or_else(|| Error::invalid("type", "type: is required, as a string"))?;
    let event_id = root.opt("event_id").and_then(|id| id.str()).map(std::borrow::Cow::into_owned);
    if kind == "input_audio_buffer.append" {
        let audio_chars = root.get("audio").map_or(0, |audio| audio.inner_range().len());
        return Ok(Asked { event_id, audio_chars, ..Asked::default() });
    }
    let place = if kind == SESSION { Place::System } else { Place::Input };
    let mut spans = Vec::new();
    texts::find(root, place, &mut spans);
    spans.sort_by_key(|span| span.range.start);
    let model = root.path(&["session", "model"]).or_else(|| root.path(&["response", "model"]));
    let model = model.and_then(|model| Some((model.str()?.into_owned(), model.range())));
    Ok(Asked { event_id, spans, audio_chars: audio_chars(root), images: images(root), model })
}

/// Pictures in items: `{"type": "input_image", "image_url": "…"}`.
fn images(node: Node<'_>) -> u32 {
    let own = u32::from(node.get("image_url").is_some_and(|image| !image.is_null()));
    let members: u32 = node.members().map(|(_, value)| images(value)).sum();
    let items: u32 = node.items().map(images).sum();
    own + members + items
}

/// Audio in items: `{"type": "input_audio", "audio": "…"}`.
fn audio_chars(node: Node<'_>) -> usize {
    let own = node.get("audio").filter(Node::is_str).map_or(0, |audio| audio.inner_range().len());
    let members: usize = node.members().map(|(_, value)| audio_chars(value)).sum();
    let items: usize = node.items().map(audio_chars).sum();
    own + members + items
}
