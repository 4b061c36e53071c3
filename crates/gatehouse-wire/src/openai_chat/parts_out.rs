//! Content parts of a request, written.

use super::media::{audio_format, name_of_mime, url_of};
use super::quirks::refusal;
use super::request_out::Body;
use crate::chat::{CacheMark, Media, MediaKind, Origin, Part, Source};
use crate::codec::CacheMarks;
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// The content of a message, ready to be written, and the members that came with it.
pub(super) struct Content<'r> {
    body: Said<'r>,
    /// Members of the message that only this dialect knows: name and JSON text.
    members: Vec<(&'r str, &'r str)>,
}

enum Said<'r> {
    Text(&'r str),
    Parts(Vec<Out>),
}

/// Makes the content of a message. `first` are parts that stand before the others.
pub(super) fn content<'r>(
    body: &mut Body<'_>,
    parts: &'r [Part],
    first: Vec<Out>,
) -> Result<Content<'r>, Error> {
    let mut members = Vec::new();
    let mut said: Vec<&'r Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Opaque(own) if own.origin != Dialect::OpenAiChat => body.foreign(own)?,
            Part::Opaque(own) if !own.path.ends_with(']') => {
                let name = own.path.rsplit_once('.').map_or(own.path.as_str(), |(_, name)| name);
                if body.may(name)? {
                    members.push((name, own.value.0.as_str()));
                }
            }
            _ => said.push(part),
        }
    }
    let is_marked =
        |cache: &Option<CacheMark>| cache.is_some() && body.target.quirks.cache_marks != CacheMarks::Drop;
    if let ([Part::Text { text, cache }], true) = (said.as_slice(), first.is_empty())
        && !is_marked(cache)
    {
        if cache.is_some() {
            body.drop("cache marks");
        }
        return Ok(Content { body: Said::Text(text), members });
    }
    if said.is_empty() && first.is_empty() {
        return Ok(Content { body: Said::Text(""), members });
    }
    let mut all = first;
    for part in said {
        all.push(part_json(body, part)?);
    }
    Ok(Content { body: Said::Parts(all), members })
}

// === impl Content ===

impl Content<'_> {
    /// A content of parts that are written already.
    pub(super) fn parts(parts: Vec<Out>) -> Self {
        Self { body: Said::Parts(parts), members: Vec::new() }
    }

    /// Writes `content` and what came with it.
    pub(super) fn write(&self, out: &mut Out) {
        match &self.body {
            Said::Text(text) => {
                out.field("content", *text);
            }
            Said::Parts(parts) => {
                out.array_field("content", |out| {
                    for part in parts {
                        out.item(Raw(part.as_str()));
                    }
                });
            }
        }
        for (name, value) in &self.members {
            out.field(name, Raw(value));
        }
    }
}

/// One part.
pub(super) fn part_json(body: &mut Body<'_>, part: &Part) -> Result<Out, Error> {
    let mut out = Out::new();
    match part {
        Part::Text { text, cache } => {
            out.object(|out| {
                out.field("type", "text").field("text", text);
                write_mark(out, body, *cache);
            });
        }
        Part::Media(media) => write_media(body, &mut out, media)?,
        Part::Opaque(own) if own.origin == Dialect::OpenAiChat => {
            out.item(Raw(&own.value.0));
        }
        Part::Opaque(own) => body.foreign(own)?,
    }
    Ok(out)
}

/// Writes a cache mark as the server reads it.
pub(super) fn write_mark(out: &mut Out, body: &mut Body<'_>, mark: Option<CacheMark>) {
    let Some(mark) = mark else { return };
    match body.target.quirks.cache_marks {
        CacheMarks::Drop => body.drop("cache marks"),
        CacheMarks::Breakpoint => {
            let ttl = if mark == CacheMark::Long { "12h" } else { "30m" };
            out.object_field("prompt_cache_breakpoint", |out| {
                out.field("mode", "explicit").field("ttl", ttl);
            });
        }
        CacheMarks::CacheControl => {
            let ttl = Some("1h").filter(|_| mark == CacheMark::Long);
            out.object_field("cache_control", |out| {
                out.field("type", "ephemeral").field_opt("ttl", ttl);
            });
        }
    }
}

fn write_media(body: &mut Body<'_>, out: &mut Out, media: &Media) -> Result<(), Error> {
    let (taken, what) = match media.kind {
        MediaKind::Image => (body.target.capabilities.images, "images"),
        MediaKind::Document => (body.target.capabilities.documents, "documents"),
        MediaKind::Audio => (body.target.capabilities.audio, "audio"),
        MediaKind::Video => (None, "video"),
    };
    if taken == Some(false) {
        return Err(Error::unsupported("messages", format!("the model does not read {what}")));
    }
    let cannot = |what: &str| Error::unsupported("messages", refusal(what));
    match (media.kind, &media.source) {
        (MediaKind::Image, source) => {
            let url = url_of(source).ok_or_else(|| cannot("images that are not in the request"))?;
            write_part(body, out, media, "image_url", |out| {
                out.field("url", url).field_opt("detail", media.detail.as_deref());
            });
        }
        (MediaKind::Video, source) => {
            let url = url_of(source).ok_or_else(|| cannot("videos that are not in the request"))?;
            write_part(body, out, media, "video_url", |out| {
                out.field("url", url);
            });
        }
        (MediaKind::Audio, Source::Base64 { mime, data }) => {
            write_part(body, out, media, "input_audio", |out| {
                out.field("data", data).field("format", audio_format(mime));
            });
        }
        (MediaKind::Audio, _) => return Err(cannot("audio that is not in the request")),
        (MediaKind::Document, source) => write_document(body, out, media, source)?,
    }
    Ok(())
}

fn write_document(body: &mut Body<'_>, out: &mut Out, media: &Media, source: &Source) -> Result<(), Error> {
    let name = media.name.as_deref();
    match source {
        Source::Base64 { mime, data } => write_part(body, out, media, "file", |out| {
            out.field("filename", name.unwrap_or_else(|| name_of_mime(mime)))
                .field("file_data", format!("data:{mime};base64,{data}"));
        }),
        Source::File { id, origin: Origin::OpenAi } => write_part(body, out, media, "file", |out| {
            out.field("file_id", id).field_opt("filename", name);
        }),
        // A document that is text needs no file.
        Source::Text(text) => {
            let text = name.map_or_else(|| text.clone(), |name| format!("{name}\n\n{text}"));
            *out = part_json(body, &Part::Text { text, cache: media.cache })?;
        }
        Source::Url { url, .. } if !body.target.quirks.developer_role => {
            out.object(|out| {
                out.field("type", "document_url").field("document_url", url).field_opt("document_name", name);
                write_mark(out, body, media.cache);
            });
        }
        Source::Url { .. } => {
            return Err(Error::unsupported("messages", refusal("documents by address")));
        }
        Source::File { .. } => {
            let message = "the file was uploaded to another provider than the one that serves this model";
            return Err(Error::unsupported("messages", message));
        }
    }
    Ok(())
}

/// `{type: NAME, NAME: {…}}`
fn write_part(body: &mut Body<'_>, out: &mut Out, media: &Media, name: &str, inside: impl FnOnce(&mut Out)) {
    out.object(|out| {
        out.field("type", name).object_field(name, inside);
        write_mark(out, body, media.cache);
    });
}
