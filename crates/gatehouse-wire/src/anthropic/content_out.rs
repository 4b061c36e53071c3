//! Content blocks, written: one function a kind, for requests and answers alike.

use super::content::{RAW_ARGUMENTS, rides_as};
use super::ids;
use super::words::write_mark;
use crate::chat::{Block, CacheMark, Citations, Extension, Media, MediaKind, Part, Source, ToolCall};
use crate::json::{Doc, Out, Raw, Strictness};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// A text block.
pub(super) fn text(out: &mut Out, text: &str, cache: Option<CacheMark>, riders: &[&Extension]) {
    out.object(|out| {
        out.field("type", "text").field("text", text);
        write_riders(out, riders);
        write_mark(out, cache);
    });
}

/// A thinking block. Without a signature the member is empty, as SDKs demand that it is there.
pub(super) fn thinking(out: &mut Out, text: &str, signature: &str) {
    out.object(|out| {
        out.field("type", "thinking").field("thinking", text).field("signature", signature);
    });
}

/// A thinking block that is all cipher.
pub(super) fn redacted(out: &mut Out, data: &str) {
    out.object(|out| {
        out.field("type", "redacted_thinking").field("data", data);
    });
}

/// A call of a tool.
pub(super) fn tool_use(out: &mut Out, call: &ToolCall, cache: Option<CacheMark>, riders: &[&Extension]) {
    out.object(|out| {
        out.field("type", "tool_use").field("id", ids::clean(&call.id)).field("name", &call.name);
        input(out, &call.arguments);
        write_riders(out, riders);
        write_mark(out, cache);
    });
}

/// The arguments as the object that `input` must be. A model can write arguments that are none (and an
/// answer can be cut in the middle of them): those go as text under a name of ours, and come back as they
/// were.
pub(crate) fn input(out: &mut Out, arguments: &str) {
    if arguments.trim().is_empty() {
        out.object_field("input", |_| {});
    } else if is_object(arguments) {
        out.field("input", Raw(arguments));
    } else {
        out.object_field("input", |out| {
            out.field(RAW_ARGUMENTS, arguments);
        });
    }
}

/// Whether a text is one JSON object.
pub(super) fn is_object(json: &str) -> bool {
    Doc::parse(Bytes::copy_from_slice(json.as_bytes()), Strictness::Provider)
        .is_ok_and(|doc| doc.root().is_object())
}

/// Members that rode behind a block, back in their place.
pub(super) fn write_riders(out: &mut Out, riders: &[&Extension]) {
    for rider in riders {
        if let Some(name) = rides_as(rider) {
            out.field(name, Raw(&rider.value.0));
        }
    }
}

/// An image or a document. What has no form here was refused by [`super::check`] before.
pub(super) fn media(out: &mut Out, media: &Media, cache: Option<CacheMark>, riders: &[&Extension]) {
    out.object(|out| {
        out.field("type", if media.kind == MediaKind::Image { "image" } else { "document" });
        out.object_field("source", |out| source(out, media));
        if media.kind == MediaKind::Document {
            out.field_opt("title", media.name.as_deref().filter(|title| !title.is_empty()));
        }
        write_riders(out, riders);
        write_mark(out, cache);
    });
}

fn source(out: &mut Out, media: &Media) {
    let text = |out: &mut Out, data: &str| {
        out.field("type", "text").field("media_type", "text/plain").field("data", data);
    };
    match &media.source {
        Source::Base64 { mime, data } => match plain_text(media.kind, mime, data) {
            Some(plain) => text(out, &plain),
            None => {
                out.field("type", "base64").field("media_type", mime).field("data", data);
            }
        },
        Source::Text(data) => text(out, data),
        Source::Url { url, .. } => {
            out.field("type", "url").field("url", url);
        }
        Source::File { id, .. } => {
            out.field("type", "file").field("file_id", id);
        }
    }
}

/// The text of a document that came as base64 and is no PDF: Anthropic takes such as plain text.
pub(crate) fn plain_text(kind: MediaKind, mime: &str, data: &str) -> Option<String> {
    let textual = mime.starts_with("text/") || matches!(mime, "application/json" | "application/xml");
    if kind != MediaKind::Document || !textual {
        return None;
    }
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}

/// Whether Anthropic would refuse a text for having nothing in it.
pub(crate) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// The riders behind the block at `at`.
pub(super) fn riders_of_block(blocks: &[Block], at: usize) -> Vec<&Extension> {
    blocks.iter().skip(at + 1).map_while(as_rider_block).collect()
}

/// The riders behind the part at `at`.
pub(super) fn riders_of_part(parts: &[Part], at: usize) -> Vec<&Extension> {
    parts.iter().skip(at + 1).map_while(as_rider_part).collect()
}

fn as_rider_block(block: &Block) -> Option<&Extension> {
    match block {
        Block::Citations(Citations { own: extension, .. }) | Block::Opaque(extension) => {
            rides_as(extension).map(|_| extension)
        }
        _ => None,
    }
}

fn as_rider_part(part: &Part) -> Option<&Extension> {
    match part {
        Part::Opaque(extension) => rides_as(extension).map(|_| extension),
        _ => None,
    }
}
