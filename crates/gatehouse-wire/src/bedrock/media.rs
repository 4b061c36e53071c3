//! Images, documents, sound and pictures in a caller's request, read.

use super::blocks::text_of;
use crate::anthropic::content_out::plain_text;
use crate::chat::{Media, MediaKind, Origin, Part, Source};
use crate::json::Node;

/// Types whose names differ from Converse's words for them, by kind and word.
const TYPES: &[(MediaKind, &str, &str)] = &[
    (MediaKind::Document, "pdf", "application/pdf"),
    (MediaKind::Document, "txt", "text/plain"),
    (MediaKind::Document, "md", "text/markdown"),
    (MediaKind::Document, "doc", "application/msword"),
    (MediaKind::Document, "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (MediaKind::Document, "xls", "application/vnd.ms-excel"),
    (MediaKind::Document, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (MediaKind::Audio, "mp3", "audio/mpeg"),
    (MediaKind::Audio, "mpga", "audio/mpeg"),
    (MediaKind::Audio, "x-aac", "audio/aac"),
    (MediaKind::Video, "mov", "video/quicktime"),
    (MediaKind::Video, "mkv", "video/x-matroska"),
    (MediaKind::Video, "mpg", "video/mpeg"),
    (MediaKind::Video, "flv", "video/x-flv"),
    (MediaKind::Video, "wmv", "video/x-ms-wmv"),
    (MediaKind::Video, "three_gp", "video/3gpp"),
];

/// A medium. `name` is that of the block's member.
pub(super) fn part(name: &str, media: Node<'_>) -> Part {
    let kind = match name {
        "image" => MediaKind::Image,
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => MediaKind::Document,
    };
    let title = media.opt("name").and_then(|name| name.str()).map(Into::into);
    Part::Media(Media { kind, source: source(kind, media), name: title, detail: None, cache: None })
}

fn source(kind: MediaKind, media: Node<'_>) -> Source {
    let from = |name: &str| media.path(&["source", name]);
    if let Some(place) = from("s3Location") {
        // Only Bedrock can fetch it.
        return Source::File { id: text_of(place, "uri"), origin: Origin::Bedrock };
    }
    if let Some(text) = from("text").and_then(|text| text.str()) {
        return Source::Text(text.into_owned());
    }
    if let Some(pieces) = from("content") {
        let texts: Vec<String> = pieces.items().map(|piece| text_of(piece, "text")).collect();
        return Source::Text(texts.join("\n"));
    }
    let mime = mime(kind, &text_of(media, "format"));
    let data = from("bytes").and_then(|bytes| bytes.str()).unwrap_or_default().into_owned();
    match plain_text(kind, &mime, &data) {
        Some(text) => Source::Text(text),
        None => Source::Base64 { mime, data },
    }
}

fn mime(kind: MediaKind, format: &str) -> String {
    let known = TYPES.iter().find(|(of, word, _)| *of == kind && *word == format);
    if let Some((_, _, mime)) = known {
        return (*mime).to_owned();
    }
    let top = match kind {
        MediaKind::Image => "image",
        MediaKind::Document => "text",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    };
    format!("{top}/{format}")
}
