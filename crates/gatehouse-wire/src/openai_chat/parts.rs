//! Content parts of a request, read.

use super::media;
use crate::chat::{CacheMark, Extension, Media, MediaKind, Origin, Part, RawJson, Source, Weight};
use crate::json::Node;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// Reads a message's content: one text, or parts.
pub(super) fn read(content: Node<'_>) -> Result<Vec<Part>, Error> {
    match content.str() {
        Some(text) => Ok(vec![Part::text(text)]),
        None => content.want_array()?.items().map(part).collect(),
    }
}

/// Something that only this dialect knows.
pub(super) fn opaque(node: Node<'_>, weight: Weight) -> Extension {
    Extension {
        path: node.name(),
        value: RawJson(node.raw().to_owned()),
        origin: Dialect::OpenAiChat,
        weight,
    }
}

/// The cache mark of a part, by OpenAI's name or by the one that routers took from Anthropic.
pub(super) fn cache_mark(node: Node<'_>) -> Option<CacheMark> {
    let (mark, long) = match node.opt("prompt_cache_breakpoint") {
        Some(mark) => (mark, "12h"),
        None => (node.opt("cache_control")?, "1h"),
    };
    let is_long = mark.opt("ttl").and_then(|ttl| ttl.str()).is_some_and(|ttl| ttl == long);
    Some(if is_long { CacheMark::Long } else { CacheMark::Short })
}

/// Reads one part. Assistants' own kinds (refusals, thinking) are read before this is asked.
pub(super) fn part(part: Node<'_>) -> Result<Part, Error> {
    let part = part.want_object()?;
    let medium = match part.need("type")?.want_str()?.as_ref() {
        "text" => {
            let text = part.need("text")?.want_str()?.into_owned();
            return Ok(Part::Text { text, cache: cache_mark(part) });
        }
        "image_url" => addressed(part.need("image_url")?, MediaKind::Image)?,
        "video_url" => addressed(part.need("video_url")?, MediaKind::Video)?,
        "document_url" => document(part)?,
        "file" => file(part.need("file")?.want_object()?)?,
        "input_audio" => match audio(part.need("input_audio")?)? {
            Some(audio) => audio,
            None => return Ok(Part::Opaque(opaque(part, Weight::Meaning))),
        },
        _ => return Ok(Part::Opaque(opaque(part, Weight::Meaning))),
    };
    Ok(Part::Media(Media { cache: cache_mark(part), ..medium }))
}

fn medium(kind: MediaKind, source: Source) -> Media {
    Media { kind, source, name: None, detail: None, cache: None }
}

/// `{url, detail}`, or the bare address (Mistral).
fn addressed(node: Node<'_>, kind: MediaKind) -> Result<Media, Error> {
    if let Some(url) = node.str() {
        return Ok(medium(kind, media::source(&url)));
    }
    let url = node.want_object()?.need("url")?.want_str()?;
    let detail = node.opt("detail").map(|detail| detail.want_str()).transpose()?;
    Ok(Media { detail: detail.map(Into::into), ..medium(kind, media::source(&url)) })
}

/// Mistral's document by address.
fn document(part: Node<'_>) -> Result<Media, Error> {
    let name = part.opt("document_name").map(|name| name.want_str()).transpose()?;
    let found = addressed(part.need("document_url")?, MediaKind::Document)?;
    Ok(Media { name: name.map(Into::into), ..found })
}

/// `{file_data, filename}` or `{file_id}`. The data is a `data:` address, bare base64, or an address.
fn file(file: Node<'_>) -> Result<Media, Error> {
    let text = |name: &str| file.opt(name).map(|node| node.want_str()).transpose();
    let name = text("filename")?.map(String::from);
    let source = match (text("file_id")?, text("file_data")?) {
        (Some(id), _) => Source::File { id: id.into_owned(), origin: Origin::OpenAi },
        (None, Some(data)) if data.starts_with("https://") || data.starts_with("http://") => {
            Source::Url { url: data.into_owned(), mime: None }
        }
        (None, Some(data)) => match media::data_url(&data) {
            Some((mime, data)) => Source::Base64 { mime: mime.to_owned(), data: data.to_owned() },
            None => Source::Base64 {
                mime: media::mime_of_name(name.as_deref()).to_owned(),
                data: data.into_owned(),
            },
        },
        (None, None) => return Err(file.wrong("needs file_data or file_id")),
    };
    Ok(Media { name, ..medium(MediaKind::Document, source) })
}

/// `{data, format}`; `None` for the forms of others, which only they understand.
fn audio(node: Node<'_>) -> Result<Option<Media>, Error> {
    if !node.is_object() {
        return Ok(None);
    }
    let format = node.need("format")?.want_str()?;
    let data = node.need("data")?.want_str()?.into_owned();
    let source = Source::Base64 { mime: media::audio_mime(&format), data };
    Ok(Some(medium(MediaKind::Audio, source)))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::chat::{CacheMark, MediaKind, Part, Source};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;

    fn of(text: &'static str) -> Vec<Part> {
        read(Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Caller).unwrap().root()).unwrap()
    }

    #[test]
    fn every_kind_of_part_is_read() {
        let parts = of(r#"[
            {"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}},
            {"type":"text","text":"b","cache_control":{"type":"ephemeral"}},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},
            {"type":"image_url","image_url":"https://x.example/i.png"},
            {"type":"input_audio","input_audio":{"data":"AA==","format":"mp3"}},
            {"type":"file","file":{"filename":"a.csv","file_data":"AA=="}},
            {"type":"file","file":{"file_id":"file-1"}},
            {"type":"hologram","url":"x"}]"#);
        let caches: Vec<_> = parts
            .iter()
            .map(|part| if let Part::Text { cache, .. } = part { *cache } else { None })
            .take(2)
            .collect();
        assert_eq!(caches, [Some(CacheMark::Long), Some(CacheMark::Short)]);
        let kinds: Vec<_> = parts
            .iter()
            .filter_map(|part| if let Part::Media(media) = part { Some(media.kind) } else { None })
            .collect();
        use MediaKind::{Audio, Document, Image};
        assert_eq!(kinds, [Image, Image, Audio, Document, Document]);
        assert!(matches!(&parts[5], Part::Media(media)
            if matches!(&media.source, Source::Base64 { mime, .. } if mime == "text/csv")));
        assert!(matches!(&parts[7], Part::Opaque(own) if own.path == "[7]"));
    }
}
