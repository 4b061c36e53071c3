//! Citations: `annotations` of a message, and the lists that Perplexity puts beside the choices.

use crate::chat::{Block, Citation, Citations, Extension, RawJson, Weight, span};
use crate::json::{Doc, Node, Out, Raw, Strictness};
use bytes::Bytes;
use gatehouse_core::content::Dialect;

/// The member of a message that holds them.
pub(super) const MEMBER: &str = "annotations";

/// What annotations say, as the block behind the text. `None` when there are none.
pub(super) fn block(annotations: &[String]) -> Option<Block> {
    if annotations.is_empty() {
        return None;
    }
    let raw = format!("[{}]", annotations.join(","));
    let doc = Doc::parse(Bytes::copy_from_slice(raw.as_bytes()), Strictness::Provider);
    let all = doc.map(|doc| doc.root().items().map(read).collect()).unwrap_or_default();
    let own = Extension {
        path: MEMBER.to_owned(),
        value: RawJson(raw),
        origin: Dialect::OpenAiChat,
        weight: Weight::Hint,
    };
    Some(Block::Citations(Citations { all, own }))
}

/// The annotations of a message or of a delta, each as it came.
pub(super) fn of_message(message: Node<'_>) -> Vec<String> {
    message.opt(MEMBER).iter().flat_map(Node::items).map(|one| one.raw().to_owned()).collect()
}

/// Perplexity's sources, in the form of annotations: `search_results`, and `citations` where there are none.
/// The text names them by their number.
pub(super) fn of_root(root: Node<'_>) -> Vec<String> {
    let results = root.opt("search_results").filter(|list| !list.is_empty());
    let sources = results.or_else(|| root.opt("citations")).into_iter().flat_map(|list| list.items());
    let read = |source: Node<'_>| match source.str() {
        Some(url) => Citation { url: Some(url.into_owned()), ..Citation::default() },
        None => Citation {
            url: text(source, "url"),
            title: text(source, "title"),
            quote: text(source, "snippet"),
            span: None,
        },
    };
    sources.map(read).filter_map(|one| written(&one)).collect()
}

fn read(annotation: Node<'_>) -> Citation {
    let cited = annotation.opt("url_citation").unwrap_or(annotation);
    let number = |name: &str| cited.opt(name).and_then(|number| number.u64());
    Citation {
        url: text(cited, "url"),
        title: text(cited, "title"),
        // OpenRouter's.
        quote: text(cited, "content"),
        span: span(number("start_index"), number("end_index")),
    }
}

fn text(node: Node<'_>, name: &str) -> Option<String> {
    let text = node.opt(name)?.str().filter(|text| !text.is_empty())?;
    Some(text.into_owned())
}

/// Writes citations as items of `annotations`.
pub(super) fn write(out: &mut Out, cited: &Citations) {
    if cited.own.origin == Dialect::OpenAiChat {
        let own = cited.own.value.0.strip_prefix('[').and_then(|own| own.strip_suffix(']'));
        own.into_iter().filter(|own| !own.is_empty()).for_each(|own| {
            out.item(Raw(own));
        });
        return;
    }
    for annotation in cited.all.iter().filter_map(written) {
        out.item(Raw(&annotation));
    }
}

/// An annotation; `None` for a source that has no address, which has no place here.
fn written(one: &Citation) -> Option<String> {
    let url = one.url.as_ref()?;
    let span = one.span_behind(0);
    let mut out = Out::new();
    out.object(|out| {
        out.field("type", "url_citation").object_field("url_citation", |out| {
            out.field("start_index", span.start).field("end_index", span.end).field("url", url);
            out.field("title", one.title.as_deref().unwrap_or_default());
            out.field_opt("content", one.quote.as_deref());
        });
    });
    Some(out.as_str().to_owned())
}
