//! Pictures, sound and files: `data:` addresses and formats.

use crate::chat::Source;

/// Reads an address: `data:` with base64 inside is the medium itself.
pub(crate) fn source(url: &str) -> Source {
    match data_url(url) {
        Some((mime, data)) => Source::Base64 { mime: mime.to_owned(), data: data.to_owned() },
        None => Source::Url { url: url.to_owned(), mime: None },
    }
}

/// The MIME type and the base64 text of a `data:` address.
pub(super) fn data_url(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("data:")?;
    let (head, data) = rest.split_once(',')?;
    Some((head.strip_suffix(";base64")?, data))
}

/// The address of a medium, if it can have one.
pub(super) fn url_of(source: &Source) -> Option<String> {
    match source {
        Source::Base64 { mime, data } => Some(format!("data:{mime};base64,{data}")),
        Source::Url { url, .. } => Some(url.clone()),
        Source::Text(_) | Source::File { .. } => None,
    }
}

/// The MIME type of `input_audio`'s `format`.
pub(super) fn audio_mime(format: &str) -> String {
    match format {
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{other}"),
    }
}

/// `input_audio`'s `format` for a MIME type.
pub(super) fn audio_format(mime: &str) -> &str {
    match mime.split(';').next().unwrap_or_default() {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        other => other.split_once('/').map_or(other, |(_, subtype)| subtype),
    }
}

/// The MIME type of a file that came without one.
pub(super) fn mime_of_name(name: Option<&str>) -> &'static str {
    let ending = name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("txt") => "text/plain",
        Some("md") => "text/markdown",
        Some("html" | "htm") => "text/html",
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        _ => "application/pdf",
    }
}

/// A file name for a document that came without one; OpenAI wants one.
pub(super) fn name_of_mime(mime: &str) -> &'static str {
    match mime {
        "text/plain" => "document.txt",
        "text/markdown" => "document.md",
        "text/html" => "document.html",
        "text/csv" => "document.csv",
        "application/json" => "document.json",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "document.docx",
        _ => "document.pdf",
    }
}

#[cfg(test)]
mod tests {
    use super::{data_url, mime_of_name, name_of_mime, source, url_of};

    #[test]
    fn data_addresses_are_the_medium_and_others_are_addresses() {
        for url in ["data:image/png;base64,iVBOR", "https://x.example/a.png", "data:text/plain,hi"] {
            assert_eq!(url_of(&source(url)).as_deref(), Some(url));
        }
        assert_eq!(
            data_url("data:text/plain;charset=utf-8;base64,aGk="),
            Some(("text/plain;charset=utf-8", "aGk="))
        );
        assert_eq!(mime_of_name(Some(name_of_mime("text/csv"))), "text/csv");
    }
}
