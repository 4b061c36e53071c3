//! Forms with files (`multipart/form-data`, RFC 7578): read as they come, without holding a file, and written.
//!
//! A reader of our own because what libraries there are hold a part's head of any length in memory, and because
//! files pass through here as the pieces that came from the network.

use crate::json::Out;
use bytes::{Buf as _, Bytes, BytesMut};
use gatehouse_core::error::Error;
use memchr::memmem;
use std::collections::BTreeMap;

/// The longest head of a part.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The most that may stand before the first part.
const PREAMBLE_BYTES_MAX: usize = 8 * 1024;
/// The most parts of a form.
pub const PARTS_MAX: usize = 128;
/// The longest boundary (RFC 2046 section 5.1.1).
const BOUNDARY_CHARS_MAX: usize = 70;

/// The head of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// Its name in the form.
    pub name: String,
    /// What is said of the file, when it is one.
    pub file: Option<FileHead>,
}

/// What is said of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileHead {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: Option<String>,
}

/// What comes next in a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A part begins.
    Part(PartHead),
    /// Some of its content.
    Data(Bytes),
    /// It is over.
    PartEnd,
    /// The form is over.
    End,
}

/// Reads a form.
#[derive(Debug)]
pub struct Reader {
    /// A line's end, two hyphens and the boundary.
    delimiter: Vec<u8>,
    buffer: BytesMut,
    state: State,
    parts: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    /// Behind a delimiter: another part, or the end.
    Delimiter,
    Head,
    Content,
    Ended,
}

/// The texts of a form, as an object of the same members; one that stands there several times is a list.
#[derive(Debug, Default)]
pub struct Fields(BTreeMap<String, Vec<String>>);

/// The boundary that a content type names.
///
/// # Errors
/// `invalid_request` when there is none.
pub fn boundary(content_type: &str) -> Result<String, Error> {
    let missing = || wrong("the content type must be multipart/form-data with a boundary");
    let (kind, parameters) = content_type.split_once(';').ok_or_else(missing)?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Err(missing());
    }
    let mut named = parameters.split(';').filter_map(|one| one.split_once('='));
    let (_, value) =
        named.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary")).ok_or_else(missing)?;
    let value = value.trim().trim_matches('"');
    let sound = (1..=BOUNDARY_CHARS_MAX).contains(&value.len())
        && value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if sound { Ok(value.to_owned()) } else { Err(missing()) }
}

fn wrong(message: &str) -> Error {
    Error::invalid("body", message)
}

// === impl Reader ===

impl Reader {
    /// A form of which nothing has come.
    #[must_use]
    pub fn new(boundary: &str) -> Self {
        // The first delimiter has no line's end before it.
        let buffer = BytesMut::from(b"\r\n".as_slice());
        Self { delimiter: format!("\r\n--{boundary}").into_bytes(), buffer, state: State::Preamble, parts: 0 }
    }

    /// Takes what has come. Ask for all pieces before the next one.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.state != State::Ended {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next piece; `None` when more must come first.
    ///
    /// # Errors
    /// `invalid_request` when it is no form.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, Error> {
        loop {
            match self.state {
                State::Preamble => match memmem::find(&self.buffer, &self.delimiter) {
                    Some(at) => {
                        self.buffer.advance(at + self.delimiter.len());
                        self.state = State::Delimiter;
                    }
                    None if self.buffer.len() > PREAMBLE_BYTES_MAX => {
                        return Err(wrong("the form does not begin with its boundary"));
                    }
                    None => return Ok(None),
                },
                State::Delimiter => match self.buffer.get(..2) {
                    None => return Ok(None),
                    Some(b"--") => {
                        self.state = State::Ended;
                        self.buffer = BytesMut::new();
                        return Ok(Some(Piece::End));
                    }
                    Some(b"\r\n") => {
                        self.buffer.advance(2);
                        self.state = State::Head;
                    }
                    // Space may be put behind a boundary (RFC 2046 section 5.1.1).
                    Some([b' ' | b'\t', _]) => self.buffer.advance(1),
                    Some(_) => return Err(wrong("a boundary of the form is not the end of its line")),
                },
                State::Head => return self.head(),
                State::Content => return Ok(self.content()),
                State::Ended => return Ok(Some(Piece::End)),
            }
        }
    }

    /// Nothing more will come.
    ///
    /// # Errors
    /// `invalid_request` when the form is not over.
    pub fn finish(&self) -> Result<(), Error> {
        if self.state == State::Ended { Ok(()) } else { Err(wrong("the form broke off")) }
    }

    fn head(&mut self) -> Result<Option<Piece>, Error> {
        let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") else {
            let too_long = self.buffer.len() > HEAD_BYTES_MAX;
            return if too_long {
                Err(wrong("the head of a part of the form is too long"))
            } else {
                Ok(None)
            };
        };
        if end > HEAD_BYTES_MAX {
            return Err(wrong("the head of a part of the form is too long"));
        }
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(wrong("the form has too many parts"));
        }
        let head = self.buffer.split_to(end);
        self.buffer.advance(4);
        self.state = State::Content;
        let head =
            std::str::from_utf8(&head).map_err(|_| wrong("the head of a part of the form is not UTF-8"))?;
        part_head(head).map(|head| Some(Piece::Part(head)))
    }

    fn content(&mut self) -> Option<Piece> {
        match memmem::find(&self.buffer, &self.delimiter) {
            Some(0) => {
                self.buffer.advance(self.delimiter.len());
                self.state = State::Delimiter;
                Some(Piece::PartEnd)
            }
            Some(at) => Some(Piece::Data(self.buffer.split_to(at).freeze())),
            None => {
                // The end of what is there may be the begin of a delimiter.
                let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
                (sure > 0).then(|| Piece::Data(self.buffer.split_to(sure).freeze()))
            }
        }
    }
}

fn part_head(head: &str) -> Result<PartHead, Error> {
    let (mut name, mut file, mut content_type) = (None, None, None);
    for line in head.split("\r\n") {
        let (header, value) =
            line.split_once(':').ok_or_else(|| wrong("the head of a part of the form cannot be read"))?;
        if header.eq_ignore_ascii_case("content-type") {
            content_type = Some(value.trim().to_owned());
        } else if header.eq_ignore_ascii_case("content-disposition") {
            for (parameter, value) in parameters(value) {
                match parameter.to_ascii_lowercase().as_str() {
                    "name" => name = Some(value),
                    "filename" => file = Some(value),
                    // Not meant for forms, and sent all the same (RFC 7578 section 4.2).
                    "filename*" => file = file.or_else(|| value.rsplit('\'').next().map(ToOwned::to_owned)),
                    _ => {}
                }
            }
        }
    }
    let name = name.ok_or_else(|| wrong("a part of the form has no name"))?;
    let file = file.map(|name| FileHead { name, content_type });
    Ok(PartHead { name, file })
}

/// `; name="value"` and so on; a quote inside a value is written `\"`, or `%22` by browsers, which stays.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let (text, left) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = after.find(';').unwrap_or(after.len());
                let (text, left) = after.split_at(end);
                (text.trim().to_owned(), left)
            }
        };
        found.push((name.trim().to_owned(), text));
        rest = left.trim_start().strip_prefix(';').unwrap_or_default();
    }
    found
}

/// A text up to its closing quote, and what follows.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' if matches!(text.get(at + 1..at + 2), Some("\"" | "\\")) => {
                value.extend(characters.next().map(|(_, escaped)| escaped));
            }
            other => value.push(other),
        }
    }
    (value, "")
}

// === impl Fields ===

impl Fields {
    /// Another text.
    pub fn add(&mut self, name: String, text: String) {
        self.0.entry(name).or_default().push(text);
    }

    /// The first text of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    /// All of them as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Out::new();
        out.object(|out| {
            for (name, texts) in &self.0 {
                match texts.as_slice() {
                    [only] => {
                        out.field(name, only.as_str());
                    }
                    several => {
                        out.array_field(name, |out| {
                            several.iter().for_each(|text| {
                                out.item(text.as_str());
                            });
                        });
                    }
                }
            }
        });
        out.into_bytes()
    }
}

// === writing ===

/// Writes the head of a part, with the delimiter before it.
#[must_use]
pub fn write_head(boundary: &str, head: &PartHead) -> Vec<u8> {
    let mut text = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{}\"", quoted(&head.name));
    if let Some(file) = &head.file {
        text.push_str(&format!("; filename=\"{}\"", quoted(&file.name)));
        if let Some(kind) = &file.content_type {
            text.push_str(&format!("\r\ncontent-type: {}", one_line(kind)));
        }
    }
    text.push_str("\r\n\r\n");
    text.into_bytes()
}

/// Writes a text.
#[must_use]
pub fn write_field(boundary: &str, name: &str, text: &str) -> Vec<u8> {
    let mut bytes = write_head(boundary, &PartHead { name: name.to_owned(), file: None });
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Writes the end of the form.
#[must_use]
pub fn write_end(boundary: &str) -> Vec<u8> {
    format!("--{boundary}--\r\n").into_bytes()
}

/// As browsers quote (the URL standard's way, which RFC 7578 section 2 allows).
fn quoted(name: &str) -> String {
    one_line(name).replace('"', "%22")
}

fn one_line(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Fields, FileHead, PartHead, Piece, Reader, boundary, write_end, write_field, write_head};
    use bytes::Bytes;
    use proptest::prelude::*;

    /// The parts of a form that comes in pieces of this size.
    fn read(form: &[u8], piece: usize) -> Result<Vec<(PartHead, Vec<u8>)>, String> {
        let mut reader = Reader::new("b-1");
        let mut parts: Vec<(PartHead, Vec<u8>)> = Vec::new();
        for bytes in form.chunks(piece.max(1)) {
            reader.push(bytes);
            while let Some(piece) = reader.next_piece().map_err(|error| error.message)? {
                match piece {
                    Piece::Part(head) => parts.push((head, Vec::new())),
                    Piece::Data(data) => parts.last_mut().unwrap().1.extend_from_slice(&data),
                    Piece::PartEnd => {}
                    Piece::End => break,
                }
            }
        }
        reader.finish().map_err(|error| error.message)?;
        Ok(parts)
    }

    fn written(parts: &[(PartHead, Vec<u8>)]) -> Vec<u8> {
        let mut form = Vec::new();
        for (head, data) in parts {
            form.extend_from_slice(&write_head("b-1", head));
            form.extend_from_slice(data);
            form.extend_from_slice(b"\r\n");
        }
        form.extend_from_slice(&write_end("b-1"));
        form
    }

    #[test]
    fn the_boundary_is_found_however_it_is_written() {
        for text in ["multipart/form-data; boundary=b-1", "Multipart/Form-Data; charset=x; Boundary=\"b-1\""]
        {
            assert_eq!(boundary(text).unwrap(), "b-1", "{text}");
        }
        for text in [
            "multipart/form-data",
            "application/json",
            "multipart/mixed; boundary=b",
            "multipart/form-data; boundary=",
        ] {
            assert!(boundary(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_clients_write_is_read() {
        let form = b"a preamble\r\n--b-1 \r\nContent-Disposition: form-data; name=model\r\n\r\nwhisper\r\n\
            --b-1\r\ncontent-type: audio/mpeg\r\ncontent-disposition: form-data; filename=\"a \\\"b\\\".mp3\"; name=\"file\"\
            \r\n\r\n\r\n--b-\r\n\r\n--b-1--\r\nan epilogue";
        for piece in [1, 7, 1_000] {
            let parts = read(form, piece).unwrap();
            assert_eq!(parts[0], (PartHead { name: "model".to_owned(), file: None }, b"whisper".to_vec()));
            let file =
                FileHead { name: "a \"b\".mp3".to_owned(), content_type: Some("audio/mpeg".to_owned()) };
            assert_eq!(parts[1].0, PartHead { name: "file".to_owned(), file: Some(file) });
            assert_eq!(parts[1].1, b"\r\n--b-\r\n");
        }
    }

    #[test]
    fn what_is_no_form_is_refused_within_bounds() {
        let long_head = format!("--b-1\r\nx: {}", "y".repeat(9_000));
        let parts = write_field("b-1", "n", "v").repeat(200);
        for (form, why) in [
            (b"--b-1\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nx".as_slice(), "broke off"),
            (b"--b-1\r\ncontent-disposition: form-data\r\n\r\nx\r\n--b-1--", "no name"),
            (b"--b-1\r\nnothing\r\n\r\nx\r\n--b-1--", "cannot be read"),
            (b"--b-1x\r\n", "not the end of its line"),
            (long_head.as_bytes(), "too long"),
            (&[b'x'; 20_000], "does not begin"),
            (&parts, "too many parts"),
        ] {
            let error = read(form, 64).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn texts_are_members_and_lists() {
        let mut fields = Fields::default();
        for (name, text) in [("g[]", "word"), ("model", "a\"b"), ("g[]", "segment")] {
            fields.add(name.to_owned(), text.to_owned());
        }
        assert_eq!(fields.get("model"), Some("a\"b"));
        assert_eq!(fields.to_json(), br#"{"g[]":["word","segment"],"model":"a\"b"}"#);
    }

    proptest! {
        /// Whatever is written is read again, however it is cut.
        #[test]
        fn written_forms_are_read(
            parts in proptest::collection::vec(("[a-z\\[\\]]{1,8}", any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200)), 0..5),
            piece in 1_usize..300,
        ) {
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(name, is_file, data)| {
                    let file = is_file.then(|| FileHead { name: "f.bin".to_owned(), content_type: None });
                    (PartHead { name, file }, data)
                })
                .filter(|(_, data)| memchr::memmem::find(data, b"\r\n--b-1").is_none())
                .collect();
            let form = written(&parts);
            prop_assert_eq!(read(&form, piece).unwrap(), parts);
        }

        /// Random bytes are refused or read, and never more than they are.
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut reader = Reader::new("b");
            reader.push(&Bytes::from(bytes));
            while let Ok(Some(piece)) = reader.next_piece() {
                if piece == Piece::End { break; }
            }
        }
    }
}
