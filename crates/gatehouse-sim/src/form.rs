//! Forms (`multipart/form-data`) as strict as a server may read them: whole, and refused where they are odd.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use memchr::memmem;

use crate::fault::{Checked, Fault};

/// A part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: String,
    /// The file's name, when it is one.
    pub(crate) file: Option<String>,
    /// What it holds.
    pub(crate) data: Bytes,
}

/// All parts of a form.
pub(crate) fn parts(headers: &HeaderMap, body: &Bytes) -> Checked<Vec<Part>> {
    let wrong = |what: &str| Fault::bad(format!("Could not parse multipart form: {what}"));
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let (_, boundary) =
        kind.split_once("multipart/form-data; boundary=").ok_or_else(|| wrong("no boundary"))?;
    let delimiter = format!("\r\n--{}", boundary.trim_matches('"'));
    let body = Bytes::from([b"\r\n".as_slice(), body].concat());
    let mut ends = memmem::find_iter(&body, delimiter.as_bytes());
    let mut from =
        ends.next().filter(|at| *at == 0).ok_or_else(|| wrong("no first boundary"))? + delimiter.len();
    let mut parts = Vec::new();
    for end in ends {
        let part = body
            .get(from..end)
            .and_then(|part| part.strip_prefix(b"\r\n"))
            .ok_or_else(|| wrong("no line end"))?;
        parts.push(one(part).ok_or_else(|| wrong("no name"))?);
        from = end + delimiter.len();
    }
    match body.get(from..) {
        Some(b"--" | b"--\r\n") => Ok(parts),
        _ => Err(wrong("no last boundary")),
    }
}

fn one(part: &[u8]) -> Option<Part> {
    let end = memmem::find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(part.get(..end)?).ok()?;
    let line =
        head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition: form-data"))?;
    let named = |name: &str| {
        let (_, rest) = line.split_once(&format!("; {name}=\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let data = Bytes::copy_from_slice(part.get(end + 4..)?);
    Some(Part { name: named("name")?, file: named("filename"), data })
}

/// A text of a form.
pub(crate) fn text<'a>(parts: &'a [Part], name: &str) -> Option<&'a str> {
    let part = parts.iter().find(|part| part.name == name && part.file.is_none())?;
    std::str::from_utf8(&part.data).ok()
}

#[cfg(test)]
mod tests {
    use super::{parts, text};
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};

    #[test]
    fn a_form_is_read_whole_or_not_at_all() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("multipart/form-data; boundary=b"));
        let form = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nw\r\n--b\r\n\
            content-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n\x00\r\n--b--\r\n";
        let read = parts(&headers, &Bytes::from(form)).unwrap();
        assert_eq!(
            (text(&read, "model"), read[1].file.as_deref(), &read[1].data[..]),
            (Some("w"), Some("a.mp3"), b"\0".as_slice())
        );
        for odd in ["", "--b\r\n", form.trim_end_matches("--\r\n"), &form.replace("name=\"model\"", "x=1")] {
            assert!(parts(&headers, &Bytes::from(odd.to_owned())).is_err(), "{odd}");
        }
    }
}
