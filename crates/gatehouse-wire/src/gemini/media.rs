//! Media: `inlineData` and `fileData` and what they are.

use super::member::{get, text};
use crate::chat::{Extension, Media, MediaKind, Origin, Part, RawJson, Source, Weight};
use crate::json::{Node, Out};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_core::content::Dialect;

/// What a MIME type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Image,
    Audio,
    Video,
    /// Everything else: PDF, text and what nobody knows.
    Document,
}

/// MIME types by the ending of a file's name, for addresses that came without one: Google wants it said.
const ENDINGS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("csv", "text/csv"),
    ("md", "text/markdown"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("mp4", "video/mp4"),
    ("mov", "video/mov"),
    ("webm", "video/webm"),
];

/// The family of a MIME type.
pub(super) fn family(mime: &str) -> Family {
    match mime.split('/').next().map(str::to_ascii_lowercase).as_deref() {
        Some("image") => Family::Image,
        Some("audio") => Family::Audio,
        Some("video") => Family::Video,
        _ => Family::Document,
    }
}

/// Reads a part that holds a medium. What lies at Google, and what is to be looked at in Google's own way
/// (frames a second, resolution), is for Gemini alone.
pub(super) fn read(part: Node<'_>) -> Option<Part> {
    let (data, file) = (get(part, "inlineData"), get(part, "fileData"));
    let holder = data.or(file)?;
    let google = ["videoMetadata", "mediaResolution"].iter().any(|name| get(part, name).is_some());
    let mime = text(holder, "mimeType");
    let source = if data.is_some() {
        let mime = mime.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
        Source::Base64 { mime, data: text(holder, "data").unwrap_or_default() }
    } else {
        Source::Url { url: text(holder, "fileUri").unwrap_or_default(), mime: mime.clone() }
    };
    if google || matches!(&source, Source::Url { url, .. } if lies_at_google(url)) {
        return Some(Part::Opaque(opaque(part, Weight::Meaning)));
    }
    let kind = match family(mime.as_deref().unwrap_or_default()) {
        Family::Image => MediaKind::Image,
        Family::Audio => MediaKind::Audio,
        Family::Video => MediaKind::Video,
        Family::Document => MediaKind::Document,
    };
    Some(Part::Media(Media { kind, source, name: text(holder, "displayName"), detail: None, cache: None }))
}

/// A part as it came, for Gemini alone.
pub(super) fn opaque(part: Node<'_>, weight: Weight) -> Extension {
    Extension {
        path: part.name(),
        value: RawJson(part.raw().to_owned()),
        origin: Dialect::GeminiGenerate,
        weight,
    }
}

/// Files and videos that only Google can open by their address.
fn lies_at_google(url: &str) -> bool {
    const HOMES: &[&str] = &[
        "gs://",
        "https://generativelanguage.googleapis.com/",
        "https://www.youtube.com/",
        "https://youtu.be/",
    ];
    HOMES.iter().any(|home| url.starts_with(home)) || !url.contains("://")
}

/// Writes a medium as a part. `false` when Gemini cannot take it: another provider's file.
pub(super) fn write(out: &mut Out, media: &Media) -> bool {
    match &media.source {
        Source::Base64 { mime, data } => {
            out.object(|out| {
                out.object_field("inlineData", |out| {
                    out.field("mimeType", mime).field("data", data);
                });
            });
        }
        // As a document, so that it stays apart from what the user says.
        Source::Text(text) => {
            out.object(|out| {
                out.object_field("inlineData", |out| {
                    out.field("mimeType", "text/plain").field("data", STANDARD.encode(text));
                });
            });
        }
        Source::Url { url, mime } => {
            let mime = mime.as_deref().unwrap_or_else(|| guess(url, media.kind));
            out.object(|out| {
                out.object_field("fileData", |out| {
                    out.field("mimeType", mime).field("fileUri", url);
                });
            });
        }
        Source::File { id, origin: Origin::Gemini } => {
            out.object(|out| {
                out.object_field("fileData", |out| {
                    out.field("fileUri", id);
                });
            });
        }
        Source::File { .. } => return false,
    }
    true
}

fn guess(url: &str, kind: MediaKind) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit('.').next().unwrap_or_default();
    let known = ENDINGS.iter().find(|(own, _)| own.eq_ignore_ascii_case(ending));
    known.map_or(
        match kind {
            MediaKind::Image => "image/jpeg",
            MediaKind::Document => "application/pdf",
            MediaKind::Audio => "audio/mp3",
            MediaKind::Video => "video/mp4",
        },
        |(_, mime)| *mime,
    )
}

#[cfg(test)]
mod tests {
    use super::guess;
    use crate::chat::MediaKind;

    #[test]
    fn a_type_is_found_for_every_address() {
        assert_eq!(guess("https://a.example/cat.PNG?size=1", MediaKind::Image), "image/png");
        assert_eq!(guess("https://a.example/cat", MediaKind::Image), "image/jpeg");
        assert_eq!(guess("https://a.example/x.pdf#2", MediaKind::Document), "application/pdf");
    }
}
