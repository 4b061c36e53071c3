//! What a message of the provider says.

use super::texts::Found;
use crate::gemini::member::{each, get, text, whole};
use crate::gemini::usage;
use crate::json::{Doc, Node};
use crate::realtime::{Kind, Piece, Said, Turn};
use gatehouse_core::content::Place;
use gatehouse_core::usage::Usage;
use std::ops::Range;

/// The beginning of the names of what the model says itself.
const MODEL: &str = "model/";

/// Reads a message of the provider.
pub(super) fn said(doc: &Doc) -> Said {
    let root = doc.root();
    let content = get(root, "serverContent");
    let flag = |name| content.and_then(|content| get(content, name)?.bool()).unwrap_or_default();
    let mut pieces = Vec::new();
    let turn = content.and_then(|content| get(content, "modelTurn"));
    for part in each(turn.and_then(|turn| get(turn, "parts"))) {
        let thought = get(part, "thought").and_then(|thought| thought.bool()).unwrap_or_default();
        let name = if thought { "model/thought" } else { "model/text" };
        pieces.extend(get(part, "text").and_then(|text| piece(text, name, Place::Output)));
    }
    let transcript = |member: &str, name: &str, place| {
        let text = get(get(content?, member)?, "text")?;
        piece(text, name, place)
    };
    let spoken = content.is_some_and(|content| get(content, "outputTranscription").is_some());
    pieces.extend(transcript("outputTranscription", "spoken", Place::Output));
    pieces.extend(transcript("inputTranscription", "heard", Place::Input));
    pieces.extend(transcript("interimInputTranscription", "guessed", Place::Input));
    pieces.sort_by_key(|piece| piece.at.start);
    let calls = get(root, "toolCall").is_some();
    let turn = Turn {
        speaks: turn.is_some() || spoken || calls,
        rests: flag("generationComplete") || flag("interrupted"),
        waits: calls,
        over: flag("turnComplete"),
        usage: get(root, "usageMetadata").and_then(used),
    };
    let mut found = Found::default();
    found.within(root, Place::Output);
    let known = |range: &Range<usize>| pieces.iter().any(|piece| piece.at == *range);
    found.spans.retain(|span| !known(&span.range));
    found.spans.sort_by_key(|span| span.range.start);
    // A transcript may come after what it is one of, so that only the end of the turn ends it.
    let ends = if turn.over { Some("") } else { turn.rests.then_some(MODEL) };
    Said {
        kind: if turn == Turn::default() { Kind::Other } else { Kind::Turn(turn) },
        pieces,
        spans: found.spans,
        ends: ends.map(ToOwned::to_owned),
        media_chars: found.audio_chars.saturating_add(found.other_chars),
    }
}

fn piece(node: Node<'_>, name: &str, place: Place) -> Option<Piece> {
    let text = node.str().filter(|text| !text.is_empty())?.into_owned();
    Some(Piece { name: name.to_owned(), place, is_json: false, text, at: node.inner_range() })
}

/// Frames of a video are pictures, and priced as such.
fn used(metadata: Node<'_>) -> Option<Usage> {
    let mut usage = usage::read(metadata)?;
    let video = each(get(metadata, "promptTokensDetails"))
        .filter(|detail| text(*detail, "modality").as_deref() == Some("VIDEO"))
        .filter_map(|detail| get(detail, "tokenCount").and_then(whole))
        .fold(0, u64::saturating_add);
    usage.image_input_tokens = usage.image_input_tokens.saturating_add(video);
    Some(usage.clamped())
}
