//! Forms with files: the same parts at any cut, within their bounds, and what is written is read back.

use super::{apply, parse, requests::target, spans_can_be_masked};
use bytes::Bytes;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;
use gatehouse_wire::codec::Quirks;
use gatehouse_wire::form::{HEAD_BYTES_MAX, PARTS_MAX, PartHead, Piece, Reader, write_end, write_head};
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::native;

/// The boundary of all forms under test.
const BOUNDARY: &str = "b-1";

/// A part, and all that came of it.
type Part = (PartHead, Vec<u8>);

/// Any bytes as a form.
pub fn form(bytes: &[u8], cut: usize) {
    let (parts, end) = read(bytes, bytes.len().max(1));
    let again = read(bytes, cut.max(1));
    assert!(again == (parts.clone(), end.clone()), "another form at cut {cut}: {again:?}, not {end:?}");
    assert!(parts.len() <= PARTS_MAX);
    for (head, _) in &parts {
        let file = head.file.as_ref().map_or(0, |file| file.name.len());
        assert!(head.name.len() + file <= 2 * HEAD_BYTES_MAX);
    }
    if end.is_ok() {
        // Written by us it is the same form. A quote is written as browsers do, and stays so.
        let (back, end) = read(&written(&parts), 7);
        assert!(end.is_ok() && back.len() == parts.len(), "{end:?}");
        for ((head, data), (again, same)) in parts.iter().zip(&back) {
            assert_eq!(head.name.replace('"', "%22"), again.name, "{head:?} came back as {again:?}");
            assert_eq!((data, head.file.is_some()), (same, again.file.is_some()));
        }
    }
}

/// Forms about their bounds: so much before the first boundary, heads so long, so many parts. Only the size counts,
/// and the cut of the network does not.
pub fn bombs(cut: usize) {
    let part = |more: usize| {
        format!("--b-1\r\ncontent-disposition: form-data; name=\"{}\"\r\n\r\nv\r\n", "n".repeat(more))
    };
    for size in
        [HEAD_BYTES_MAX - 60, HEAD_BYTES_MAX - 44, HEAD_BYTES_MAX - 3, HEAD_BYTES_MAX, 3 * HEAD_BYTES_MAX]
    {
        form(format!("{}--b-1--", part(size)).as_bytes(), cut);
        form(format!("{}\r\n{}--b-1--", "x".repeat(size), part(1)).as_bytes(), cut);
        for off in 0..8 {
            form(format!("{}--b-1--", part(size + off)).as_bytes(), cut);
            form(format!("{}\r\n{}--b-1--", "x".repeat(size + off), part(1)).as_bytes(), cut);
        }
    }
    for parts in [PARTS_MAX - 1, PARTS_MAX, PARTS_MAX + 1, 20 * PARTS_MAX] {
        let (read, end) = read(format!("{}--b-1--", part(1).repeat(parts)).as_bytes(), cut.max(1));
        assert_eq!((read.len(), end.is_ok()), (parts.min(PARTS_MAX), parts <= PARTS_MAX));
    }
}

/// Requests and answers of operations that are not translated.
pub fn native(bytes: &[u8]) {
    let body = || Bytes::copy_from_slice(bytes);
    for codec in Dialect::ALL.iter().filter_map(|dialect| native::codec(*dialect)) {
        if let Ok(doc) = Doc::parse(body(), Strictness::Provider) {
            let _ = codec.summary(&doc);
            spans_can_be_masked(&doc, &codec.answer_spans(&doc));
        }
        let Ok(doc) = Doc::parse(body(), Strictness::Caller) else { continue };
        let Ok(view) = codec.view(&doc) else { continue };
        spans_can_be_masked(&doc, &view.spans);
        let sent = parse(&apply(&doc, &native::rewrite(&view, &target(&Quirks::NONE))), Strictness::Caller);
        let again = codec.view(&sent);
        let again =
            again.unwrap_or_else(|error| panic!("rewritten to what we refuse: {error}\n{}", sent.text()));
        assert_eq!(again.spans.len(), view.spans.len());
        assert!(again.model.is_none_or(|(model, _)| model == "target-model"));
    }
}

fn read(bytes: &[u8], cut: usize) -> (Vec<Part>, Result<(), Error>) {
    let (mut reader, mut parts) = (Reader::new(BOUNDARY), Vec::<Part>::new());
    for piece in bytes.chunks(cut) {
        reader.push(piece);
        loop {
            match reader.next_piece() {
                Ok(Some(Piece::Part(head))) => parts.push((head, Vec::new())),
                Ok(Some(Piece::Data(data))) => {
                    parts.last_mut().expect("data of a part").1.extend_from_slice(&data);
                }
                Ok(Some(Piece::PartEnd)) => {}
                Ok(Some(Piece::End) | None) => break,
                Err(error) => return (parts, Err(error)),
            }
        }
    }
    (parts, reader.finish())
}

fn written(parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::new();
    for (head, data) in parts {
        out.extend_from_slice(&write_head(BOUNDARY, head));
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(&write_end(BOUNDARY));
    out
}
