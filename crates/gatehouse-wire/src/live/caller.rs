//! What a message of the caller asks for.

use super::texts::Found;
use crate::codec::View;
use crate::gemini::member::{get, spells, whole};
use crate::json::{Doc, Node};
use crate::realtime::Asked;
use gatehouse_core::content::Place;
use gatehouse_core::error::Error;
use std::ops::Range;

/// The members of which a message has one.
const KINDS: [&str; 5] = ["setup", "clientContent", "realtimeInput", "toolResponse", "contextUpdate"];

/// Reads a message of the caller.
///
/// # Errors
/// `invalid_request` for what is no message.
pub(super) fn asked(doc: &Doc) -> Result<Asked, Error> {
    let found = found(doc.root())?;
    let model = get(doc.root(), "setup").and_then(model);
    Ok(Asked {
        event_id: None,
        spans: found.spans,
        audio_chars: found.audio_chars,
        images: found.others,
        model,
    })
}

/// What the pipeline needs of the first message.
///
/// # Errors
/// `invalid_request` for one that opens no session.
pub fn view(doc: &Doc) -> Result<View, Error> {
    let root = doc.root();
    let found = found(root)?;
    let setup = get(root, "setup")
        .ok_or_else(|| Error::invalid("setup", "setup: the first message must have it"))?
        .want_object()?;
    let limit = get(setup, "generationConfig").and_then(|config| get(config, "maxOutputTokens"));
    let mut view = View { stream: true, wants_usage: true, ..View::default() };
    view.model = model(setup);
    if view.model.is_none() {
        return Err(Error::invalid("setup.model", "setup.model: is required, as a string"));
    }
    view.max_output_tokens = limit.and_then(whole);
    if let Some(labels) = get(setup, "labels") {
        for (name, value) in labels.want_object()?.members() {
            view.metadata.push((name.into_owned(), value.want_str()?.into_owned()));
        }
    }
    if found.audio_chars > 0 || found.others > 0 {
        return Err(Error::invalid("setup", "setup: what a session is to be is said in texts alone"));
    }
    view.spans = found.spans;
    Ok(view)
}

/// The model without what Google writes before it: `models/`, and at Vertex AI a project and a location.
fn model(setup: Node<'_>) -> Option<(String, Range<usize>)> {
    let model = get(setup, "model")?;
    let name = model.str()?;
    let long = name.strip_prefix("projects/").or_else(|| name.strip_prefix("publishers/"));
    let bare = match long {
        Some(long) => long.split_once("/models/").map_or(&*name, |(_, bare)| bare),
        None => name.strip_prefix("models/").unwrap_or(&name),
    };
    Some((bare.to_owned(), model.range()))
}

fn found(root: Node<'_>) -> Result<Found, Error> {
    if !root.is_object() {
        return Err(Error::invalid("setup", "a message is a JSON object"));
    }
    let count = |kind: &&&str| root.members().filter(|(name, _)| spells(name, kind)).count();
    let said = KINDS.iter().map(|kind| count(&kind)).sum::<usize>();
    if said != 1 {
        let all = KINDS.join(", ");
        return Err(Error::invalid("setup", format!("a message has one of these members: {all}")));
    }
    // Two readers would take two of them.
    for twice in ["model", "generationConfig"] {
        if get(root, "setup")
            .is_some_and(|setup| setup.members().filter(|(name, _)| spells(name, twice)).count() > 1)
        {
            return Err(Error::invalid("setup", format!("setup.{twice} stands here in both spellings")));
        }
    }
    let mut found = Found::default();
    found.within(root, Place::Input);
    found.spans.sort_by_key(|span| span.range.start);
    Ok(found)
}
