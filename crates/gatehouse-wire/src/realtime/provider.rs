//! What an event of the provider says.

use super::texts;
use crate::json::{Doc, Node};
use gatehouse_core::content::{Place, Span};
use gatehouse_core::usage::Usage;
use std::ops::Range;

/// What an event of the provider means.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What it is for the session.
    pub kind: Kind,
    /// The pieces of growing texts that it brings, in the order in which they stand.
    pub pieces: Vec<Piece>,
    /// The texts that it brings whole.
    pub spans: Vec<Span>,
    /// The growing texts that end with it, by the beginning of their names.
    pub ends: Option<String>,
    /// How many characters of audio and pictures it carries beside its texts, in base64.
    pub media_chars: usize,
}

/// What an event is for the session.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A response begins; whether it is to be spoken.
    Begins {
        /// Whether audio is to come.
        audio: bool,
    },
    /// A response is over, with what it used where that is told.
    Over(Option<Usage>),
    /// A part of a turn, in dialects whose responses have no beginning of their own.
    Turn(Turn),
    /// Anything else.
    #[default]
    Other,
}

/// What an event says of the turn of the model that is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The model speaks: a turn begins, if none is under way.
    pub speaks: bool,
    /// It has said all that it will, or was interrupted; what the turn used may still be told.
    pub rests: bool,
    /// It waits for what its tools say: what was used until here is told here, if it is told by itself.
    pub waits: bool,
    /// The turn is over.
    pub over: bool,
    /// What was used, where that is told.
    pub usage: Option<Usage>,
}

/// A piece of a text that comes in several events.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which text it is a piece of.
    pub name: String,
    /// What it is to the conversation.
    pub place: Place,
    /// Whether the text is JSON.
    pub is_json: bool,
    /// The piece.
    pub text: String,
    /// Where it stands in the event, inside the quotes.
    pub at: Range<usize>,
}

/// Whether an event brings nothing but audio. Told by its beginning, where OpenAI and Azure have the type: these
/// events are many and long, and nothing else in them concerns us.
#[must_use]
pub fn is_audio(event: &str) -> bool {
    let Some(rest) = event.strip_prefix('{') else { return false };
    let Some(rest) = rest.trim_start().strip_prefix("\"type\"") else { return false };
    let Some(rest) = rest.trim_start().strip_prefix(':') else { return false };
    let rest = rest.trim_start();
    rest.starts_with("\"response.output_audio.delta\"") || rest.starts_with("\"response.audio.delta\"")
}

/// Reads an event of the provider.
#[must_use]
pub fn said(doc: &Doc) -> Said {
    let root = doc.root();
    let kind = root.get("type").and_then(|kind| kind.str()).unwrap_or_default();
    if let Some((place, is_json)) = delta(&kind) {
        let piece = root.get("delta").and_then(|delta| {
            let text = delta.str()?.into_owned();
            Some(Piece { name: name(root, &kind), place, is_json, text, at: delta.inner_range() })
        });
        return Said { pieces: piece.into_iter().collect(), ..Said::default() };
    }
    let response = root.get("response");
    let (kind, ends) = match &*kind {
        "response.created" => {
            let audio = response.and_then(modalities).is_some_and(|all| all.items().any(is_audio_word));
            (Kind::Begins { audio }, None)
        }
        "response.done" => {
            let id = response.and_then(|response| response.get("id")?.str()).unwrap_or_default();
            let usage = response.and_then(|response| response.opt("usage")).map(usage);
            (Kind::Over(usage), Some(format!("{id}/")))
        }
        other => {
            let ends = [".done", ".completed", ".failed"].iter().any(|end| other.ends_with(end));
            (Kind::Other, ends.then(|| name(root, other)))
        }
    };
    let mut spans = Vec::new();
    texts::find(root, Place::Output, &mut spans);
    spans.sort_by_key(|span| span.range.start);
    Said { kind, spans, ends, ..Said::default() }
}

fn modalities(response: Node<'_>) -> Option<Node<'_>> {
    response.opt("output_modalities").or_else(|| response.opt("modalities"))
}

fn is_audio_word(word: Node<'_>) -> bool {
    word.str().is_some_and(|word| word == "audio")
}

/// Which growing texts there are: the newer names, and those of the beta that Azure still has.
fn delta(kind: &str) -> Option<(Place, bool)> {
    Some(match kind {
        "response.output_text.delta"
        | "response.text.delta"
        | "response.output_audio_transcript.delta"
        | "response.audio_transcript.delta" => (Place::Output, false),
        "response.function_call_arguments.delta" | "response.mcp_call_arguments.delta" => {
            (Place::ToolArguments, true)
        }
        "conversation.item.input_audio_transcription.delta" => (Place::Input, false),
        _ => return None,
    })
}

/// The name of a growing text: whose it is, and of which kind.
fn name(event: Node<'_>, kind: &str) -> String {
    let word = |name: &str| event.get(name).and_then(|word| word.str()).unwrap_or_default();
    let index = event.get("content_index").and_then(|index| index.u64()).unwrap_or_default();
    let family = kind.rsplit_once('.').map_or(kind, |(family, _)| family);
    format!("{}/{}/{index}/{family}", word("response_id"), word("item_id"))
}

/// OpenAI counts cached tokens inside, and says of which kind they are; ours are apart.
fn usage(usage: Node<'_>) -> Usage {
    let count = |path: &[&str]| usage.path(path).and_then(|count| count.u64()).unwrap_or_default();
    let input = |kind: &str| {
        let cached = count(&["input_token_details", "cached_tokens_details", kind]);
        count(&["input_token_details", kind]).saturating_sub(cached)
    };
    Usage {
        input_tokens: count(&["input_tokens"]),
        cached_read_tokens: count(&["input_token_details", "cached_tokens"]),
        audio_input_tokens: input("audio_tokens"),
        image_input_tokens: input("image_tokens"),
        output_tokens: count(&["output_tokens"]),
        audio_output_tokens: count(&["output_token_details", "audio_tokens"]),
        ..Usage::default()
    }
    .clamped()
}
