//! Parts of messages: text, images, files and sound, read and written.

use super::extension;
use crate::chat::{CacheMark, Extension, Media, MediaKind, Origin, Part, Source, Weight};
use crate::codec::{CacheMarks, Target};
use crate::json::{Node, Out, Raw};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// What files are called that came without a name: the API wants one.
const FILE_NAME: &str = "document";
/// The member of a part that marks the end of what may be cached.
const CACHE_MARK: &str = "prompt_cache_breakpoint";

/// Reads a text or a list of parts.
pub(super) fn decode(content: Node<'_>) -> Result<Vec<Part>, Error> {
    if let Some(text) = content.str() {
        return Ok(vec![Part::text(text)]);
    }
    if !content.is_array() {
        return Err(content.wrong("must be a string or an array of parts"));
    }
    content.items().map(part).collect()
}

/// The prompt-cache mark of a part.
pub(super) fn cache_mark(part: Node<'_>) -> Option<CacheMark> {
    let mark = part.opt(CACHE_MARK)?;
    let long = mark.opt("ttl").and_then(|ttl| ttl.str()).is_some_and(|ttl| ttl == "12h");
    Some(if long { CacheMark::Long } else { CacheMark::Short })
}

fn part(part: Node<'_>) -> Result<Part, Error> {
    let kind = part.want_object()?.need("type")?.want_str()?;
    let cache = cache_mark(part);
    let media = |kind, source, name| Media { kind, source, name, detail: None, cache };
    let text = |name: &str| part.opt(name).map(|node| node.want_str()).transpose();
    match kind.as_ref() {
        "input_text" | "output_text" | "text" => {
            Ok(Part::Text { text: part.need("text")?.want_str()?.into_owned(), cache })
        }
        "input_image" => {
            let source = match text("image_url")? {
                Some(url) => address(&url),
                None => file(part)?,
            };
            let detail = text("detail")?.map(std::borrow::Cow::into_owned);
            Ok(Part::Media(Media { detail, ..media(MediaKind::Image, source, None) }))
        }
        "input_file" => {
            let name = text("filename")?.map(std::borrow::Cow::into_owned);
            let source = match (text("file_data")?, text("file_url")?) {
                (Some(data), _) => file_data(&data, name.as_deref()),
                (None, Some(url)) => Source::Url { url: url.into_owned(), mime: None },
                (None, None) => file(part)?,
            };
            Ok(Part::Media(media(MediaKind::Document, source, name)))
        }
        "input_audio" => {
            let audio = part.need("input_audio")?.want_object()?;
            let mime = match audio.need("format")?.want_str()?.as_ref() {
                "mp3" => "audio/mpeg".to_owned(),
                other => format!("audio/{other}"),
            };
            let data = audio.need("data")?.want_str()?.into_owned();
            Ok(Part::Media(media(MediaKind::Audio, Source::Base64 { mime, data }, None)))
        }
        _ => Ok(Part::Opaque(extension(part.name(), part, Weight::Meaning))),
    }
}

fn file(part: Node<'_>) -> Result<Source, Error> {
    Ok(Source::File { id: part.need("file_id")?.want_str()?.into_owned(), origin: Origin::OpenAi })
}

/// A URL, or the data inside a `data:` URL.
fn address(url: &str) -> Source {
    match data_url(url) {
        Some((mime, data)) => Source::Base64 { mime: mime.to_owned(), data: data.to_owned() },
        None => Source::Url { url: url.to_owned(), mime: None },
    }
}

/// `file_data` is a data URL; some clients send bare base64, whose type only the name tells.
fn file_data(data: &str, name: Option<&str>) -> Source {
    let (mime, data) = data_url(data).unwrap_or_else(|| {
        let is_text = name.is_some_and(|name| name.ends_with(".txt") || name.ends_with(".md"));
        (if is_text { "text/plain" } else { "application/pdf" }, data)
    });
    Source::Base64 { mime: mime.to_owned(), data: data.to_owned() }
}

fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    Some((head.strip_suffix(";base64")?, data))
}

/// Writes a part of somebody other than the model.
///
/// # Errors
/// `unsupported_parameter` for media that the target or the dialect does not take.
pub(super) fn write(
    out: &mut Out,
    part: &Part,
    target: &Target<'_>,
    dropped: &mut Vec<String>,
) -> Result<(), Error> {
    match part {
        Part::Text { text, .. } if text.is_empty() => {}
        Part::Text { text, cache } => {
            out.object(|out| {
                out.field("type", "input_text").field("text", text);
                write_mark(out, *cache, target, dropped);
            });
        }
        Part::Media(media) => write_media(out, media, target, dropped)?,
        Part::Opaque(own) if own.origin == Dialect::OpenAiResponses => {
            out.item(Raw(&own.value.0));
        }
        Part::Opaque(foreign) => dropped.push(lost(foreign)?),
    }
    Ok(())
}

/// Names what only another dialect understands, if it may be left out.
pub(super) fn lost(foreign: &Extension) -> Result<String, Error> {
    match foreign.weight {
        Weight::Hint => Ok(foreign.path.clone()),
        Weight::Meaning => Err(Error::unsupported(
            foreign.path.clone(),
            format!("{}: the serving model's API has nothing like it", foreign.path),
        )),
    }
}

/// Writes a prompt-cache mark, unless the target does not know them.
pub(super) fn write_mark(
    out: &mut Out,
    cache: Option<CacheMark>,
    target: &Target<'_>,
    dropped: &mut Vec<String>,
) {
    let Some(mark) = cache else { return };
    if target.quirks.cache_marks != CacheMarks::Breakpoint {
        dropped.push(CACHE_MARK.to_owned());
    } else {
        out.object_field(CACHE_MARK, |out| {
            let ttl = if mark == CacheMark::Long { "12h" } else { "30m" };
            out.field("mode", "explicit").field("ttl", ttl);
        });
    }
}

fn write_media(
    out: &mut Out,
    media: &Media,
    target: &Target<'_>,
    dropped: &mut Vec<String>,
) -> Result<(), Error> {
    let (able, kind) = match media.kind {
        MediaKind::Image => (target.capabilities.images, "image"),
        MediaKind::Document => (target.capabilities.documents, "document"),
        MediaKind::Audio => (target.capabilities.audio, "audio"),
        MediaKind::Video => (Some(false), "video"),
    };
    if able == Some(false) {
        return Err(Error::unsupported(kind, format!("{kind}: the serving model does not read it")));
    }
    let (part_type, place) = match media.kind {
        MediaKind::Image => ("input_image", image(media)),
        MediaKind::Document => ("input_file", document(media)),
        MediaKind::Audio | MediaKind::Video => ("input_audio", audio(media)),
    };
    let Some(place) = place else {
        let message = format!("{kind}: the serving model's API does not take it from where it is");
        return Err(Error::unsupported(kind, message));
    };
    out.object(|out| {
        out.field("type", part_type);
        let unnamed = matches!(place, Place::Member("file_data", _)).then_some(FILE_NAME);
        match place {
            Place::Member(name, value) => out.field(name, value),
            Place::Audio { format, data } => out.object_field("input_audio", |out| {
                out.field("data", data).field("format", format);
            }),
        };
        if media.kind == MediaKind::Document {
            out.field_opt("filename", media.name.as_deref().or(unnamed));
        }
        out.field_opt("detail", media.detail.as_ref().filter(|_| media.kind == MediaKind::Image));
        write_mark(out, media.cache, target, dropped);
    });
    Ok(())
}

/// Where the dialect has a medium.
enum Place<'a> {
    /// In this member, as this text.
    Member(&'static str, String),
    /// In `input_audio`.
    Audio { format: &'a str, data: &'a str },
}

fn image(media: &Media) -> Option<Place<'_>> {
    match &media.source {
        Source::Base64 { mime, data } => {
            Some(Place::Member("image_url", format!("data:{mime};base64,{data}")))
        }
        Source::Url { url, .. } => Some(Place::Member("image_url", url.clone())),
        Source::File { id, origin: Origin::OpenAi } => Some(Place::Member("file_id", id.clone())),
        Source::File { .. } | Source::Text(_) => None,
    }
}

fn document(media: &Media) -> Option<Place<'_>> {
    match &media.source {
        Source::Base64 { mime, data } => {
            Some(Place::Member("file_data", format!("data:{mime};base64,{data}")))
        }
        Source::Text(text) => {
            Some(Place::Member("file_data", format!("data:text/plain;base64,{}", STANDARD.encode(text))))
        }
        Source::Url { url, .. } => Some(Place::Member("file_url", url.clone())),
        Source::File { id, origin: Origin::OpenAi } => Some(Place::Member("file_id", id.clone())),
        Source::File { .. } => None,
    }
}

fn audio(media: &Media) -> Option<Place<'_>> {
    let Source::Base64 { mime, data } = &media.source else { return None };
    let format = match mime.strip_prefix("audio/")? {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        other => other,
    };
    Some(Place::Audio { format, data })
}
