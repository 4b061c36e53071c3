//! Content blocks, written: one function a kind.

use super::names::{self, Documents};
use crate::anthropic::content_out::input;
use crate::chat::{CacheMark, Media, MediaKind, Source, Thought, ToolCall};
use crate::json::Out;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A text.
pub(super) fn text(out: &mut Out, text: &str) {
    out.object(|out| {
        out.field("text", text);
    });
}

/// A mark of the cache, which is a block of its own behind what it covers.
pub(super) fn cache_point(out: &mut Out, mark: CacheMark) {
    out.object(|out| {
        out.object_field("cachePoint", |out| {
            out.field("type", "default");
            if mark == CacheMark::Long {
                out.field("ttl", "1h");
            }
        });
    });
}

/// A thought that Bedrock sealed.
pub(super) fn thought(out: &mut Out, thought: &Thought) {
    let seal = thought.seal.as_ref().map(|seal| seal.value.as_str()).unwrap_or_default();
    out.object(|out| {
        out.object_field("reasoningContent", |out| {
            if thought.redacted {
                out.field("redactedContent", seal);
            } else {
                out.object_field("reasoningText", |out| {
                    out.field("text", &thought.text).field("signature", seal);
                });
            }
        });
    });
}

/// A call of a tool.
pub(super) fn tool_use(out: &mut Out, call: &ToolCall) {
    out.object(|out| {
        out.object_field("toolUse", |out| {
            out.field("toolUseId", names::id(&call.id)).field("name", &call.name);
            input(out, &call.arguments);
        });
    });
}

/// An image, a document, audio or video, and its name if it is a document. What has no form here was
/// refused by [`super::check`] before.
pub(super) fn media(out: &mut Out, media: &Media, documents: &mut Documents) {
    let is_document = media.kind == MediaKind::Document;
    let member = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Document => "document",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    };
    let (format, bytes) = match &media.source {
        Source::Base64 { mime, data } => (format(media.kind, mime).unwrap_or_default(), data.clone()),
        Source::Text(text) => ("txt", STANDARD.encode(text)),
        Source::Url { .. } | Source::File { .. } => return,
    };
    out.object(|out| {
        out.object_field(member, |out| {
            out.field("format", format);
            if is_document {
                out.field("name", documents.name(media.name.as_deref()));
            }
            out.object_field("source", |out| {
                out.field("bytes", bytes);
            });
        });
    });
}

/// Converse's word for the type of a medium; `None` when it has none.
pub(super) fn format(kind: MediaKind, mime: &str) -> Option<&'static str> {
    let mime = mime.split(';').next().unwrap_or_default().trim();
    let (top, sub) = mime.split_once('/')?;
    match kind {
        MediaKind::Image => ["jpeg", "png", "gif", "webp"]
            .into_iter()
            .find(|format| *format == sub || (*format == "jpeg" && sub == "jpg")),
        MediaKind::Document => document(mime).or_else(|| (top == "text").then_some("txt")),
        MediaKind::Audio => Some(match sub.trim_start_matches("x-") {
            "mpeg" | "mp3" => "mp3",
            "wav" | "wave" | "vnd.wave" => "wav",
            "m4a" => "m4a",
            known => ["flac", "ogg", "opus", "aac", "webm", "mp4"].into_iter().find(|one| *one == known)?,
        }),
        MediaKind::Video => Some(match sub {
            "quicktime" => "mov",
            "x-matroska" | "matroska" => "mkv",
            "x-flv" => "flv",
            "x-ms-wmv" => "wmv",
            "3gpp" => "three_gp",
            known => {
                ["mp4", "webm", "mov", "mkv", "flv", "mpeg", "wmv"].into_iter().find(|one| *one == known)?
            }
        }),
    }
}

fn document(mime: &str) -> Option<&'static str> {
    Some(match mime {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "text/html" => "html",
        "text/markdown" => "md",
        "application/json" | "application/xml" => "txt",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        _ => return None,
    })
}
