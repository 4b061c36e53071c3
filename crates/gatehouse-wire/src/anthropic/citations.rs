//! Citations: of the web, which other dialects have too, and of documents, which only Anthropic has.

use super::DIALECT;
use super::content::{rider, text_of};
use crate::chat::{Block, Citation, Citations, Extension, Origin, Seal};
use crate::json::{Doc, Node, Out, Raw, Strictness};
use crate::seal;
use bytes::Bytes;
use std::ops::Range;

/// In an envelope: no seal, but a citation that another provider made.
const CITED: &str = ":cited";

/// What a text block's `citations` say, as the block behind it. They are of the whole text, at `span`.
pub(super) fn block(path: &str, raw: &str, span: Range<u64>) -> Block {
    let doc = Doc::parse(Bytes::copy_from_slice(raw.as_bytes()), Strictness::Provider);
    let read = |doc: Doc| doc.root().items().map(|one| read(one, span.clone())).collect();
    Block::Citations(Citations { all: doc.map(read).unwrap_or_default(), own: rider(path, "citations", raw) })
}

fn read(citation: Node<'_>, span: Range<u64>) -> Citation {
    let text = |name: &str| {
        let text = citation.opt(name).and_then(|text| text.str()).filter(|text| !text.is_empty());
        text.map(std::borrow::Cow::into_owned)
    };
    // A search result of the caller's has any text for its source.
    let source =
        text("source").filter(|source| source.starts_with("https://") || source.starts_with("http://"));
    Citation {
        url: text("url").or(source),
        title: text("title").or_else(|| text("document_title")),
        quote: text("cited_text"),
        span: Some(span).filter(|span| !span.is_empty()),
    }
}

/// The citations as the member of a text block; those of another maker without an address are left out.
pub(super) fn member(cited: &Citations) -> Extension {
    if cited.own.origin == DIALECT {
        return cited.own.clone();
    }
    let mut out = Out::new();
    out.array(|out| {
        for one in &cited.all {
            if let Some(url) = &one.url {
                out.object(|out| write(out, one, url));
            }
        }
    });
    rider("content", "citations", out.as_str())
}

/// Whether a text block has citations that another provider made.
pub(super) fn are_foreign(block: Node<'_>) -> bool {
    block
        .opt("citations")
        .is_some_and(|all| all.items().any(|one| text_of(one, "encrypted_index") == foreign_index()))
}

/// Stands for the index that only a search of Anthropic's own has: an envelope, so that the citation is
/// known when it comes back, and is not shown to Anthropic.
fn foreign_index() -> String {
    seal::wrap(&Seal { origin: Origin::OpenAi, value: String::new() }, CITED)
}

/// A citation of the web.
fn write(out: &mut Out, one: &Citation, url: &str) {
    out.field("type", "web_search_result_location");
    out.field("cited_text", one.quote.as_deref().unwrap_or_default())
        .field("encrypted_index", foreign_index());
    out.field("title", one.title.as_ref()).field("url", url);
}

/// Writes a text block without words, for citations whose text is over.
pub(super) fn write_alone(out: &mut Out, cited: &Citations) {
    let member = member(cited);
    out.object(|out| {
        out.field("type", "text").field("text", "").field("citations", Raw(&member.value.0));
    });
}
