//! Citations: the `annotations` of a text. Those of files and containers mean something to OpenAI alone.

use crate::chat::{Block, Citation, Citations, Extension, RawJson, Weight, span};
use crate::json::{Doc, Node, Out, Strictness};
use bytes::Bytes;
use gatehouse_core::content::Dialect;

/// What annotations say, as the block behind the text; `before` characters of other texts stand before that.
/// `None` when there are none.
pub(super) fn block(annotations: &[String], before: u64) -> Option<Block> {
    if annotations.is_empty() {
        return None;
    }
    let raw = format!("[{}]", annotations.join(","));
    let doc = Doc::parse(Bytes::copy_from_slice(raw.as_bytes()), Strictness::Provider);
    let read = |doc: Doc| doc.root().items().map(|one| read(one).shifted(before)).collect();
    let own = Extension {
        path: "output_text.annotations".to_owned(),
        value: RawJson(raw),
        origin: Dialect::OpenAiResponses,
        weight: Weight::Hint,
    };
    Some(Block::Citations(Citations { all: doc.map(read).unwrap_or_default(), own }))
}

/// The annotations of a part, each as it came.
pub(super) fn of_part(part: Node<'_>) -> Vec<String> {
    part.opt("annotations").iter().flat_map(Node::items).map(|one| one.raw().to_owned()).collect()
}

fn read(annotation: Node<'_>) -> Citation {
    let text = |name: &str| {
        let text = annotation.opt(name)?.str().filter(|text| !text.is_empty())?;
        Some(text.into_owned())
    };
    let number = |name: &str| annotation.opt(name).and_then(|number| number.u64());
    Citation {
        url: text("url"),
        title: text("title").or_else(|| text("filename")),
        quote: None,
        span: span(number("start_index"), number("end_index")),
    }
}

/// The annotations of a text before which `before` characters of other texts stand.
pub(super) fn written(cited: &Citations, before: u64) -> Vec<String> {
    if cited.own.origin == Dialect::OpenAiResponses {
        let doc = Doc::parse(Bytes::copy_from_slice(cited.own.value.0.as_bytes()), Strictness::Provider);
        return doc
            .map(|doc| doc.root().items().map(|one| one.raw().to_owned()).collect())
            .unwrap_or_default();
    }
    cited.all.iter().filter_map(|one| Some(annotation(one, one.url.as_deref()?, before))).collect()
}

fn annotation(one: &Citation, url: &str, before: u64) -> String {
    let span = one.span_behind(before);
    let mut out = Out::new();
    out.object(|out| {
        out.field("type", "url_citation").field("start_index", span.start).field("end_index", span.end);
        out.field("url", url).field("title", one.title.as_deref().unwrap_or_default());
    });
    out.as_str().to_owned()
}
