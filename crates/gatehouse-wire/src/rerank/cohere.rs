//! Cohere's `POST /v2/rerank`, and the one form in which callers ask. <https://docs.cohere.com/reference/rerank>
//!
//! Towards callers it takes what Jina's `/v1/rerank` and Cohere's `/v1/rerank` take, too: documents as objects with a
//! `text`, and `return_documents`. Version 2 of Cohere's has neither; both are edited out.

use super::{Billing, RerankAnswer, RerankCodec, RerankEncoded, RerankRequest, form};
use crate::chat::{Extension, RawJson, Weight};
use crate::codec::{Ranks, Rewrite, Target, View};
use crate::cut::cut;
use crate::json::{Doc, Node, Out, Raw, escaped};
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Edit, Family, Place, Span};
use gatehouse_core::error::Error;

/// Members of a request.
const ROOT: &[&str] = &["model", "query", "documents", "top_n", "return_documents", "max_tokens_per_doc"];
/// Members that say which texts count: without them the ranking would be another.
const MEANING: &[&str] = &["rank_fields"];
/// What Cohere knows beside [`ROOT`].
const ALSO: &[&str] = &["priority"];
/// The member of a document that is its text.
const TEXT: &str = "text";

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct CohereRerank;

/// Reads what the pipeline needs of a caller's request, and refuses what is malformed in it.
///
/// # Errors
/// `invalid_request` naming the member.
pub fn view(doc: &Doc) -> Result<View, Error> {
    let root = doc.root().want_object()?;
    root.refuse_case_variants(ROOT)?;
    let model = root.need("model")?;
    let mut view = View { wants_usage: true, ..View::default() };
    view.model = Some((model.want_str()?.into_owned(), model.range()));
    let query = root.need("query")?;
    query.want_str()?;
    for name in ["top_n", "max_tokens_per_doc"] {
        root.opt(name).map(|number| number.want_u64()).transpose()?;
    }
    root.opt("return_documents").map(|wanted| wanted.want_bool()).transpose()?;
    let documents = root.need("documents")?.want_array()?;
    if documents.is_empty() {
        return Err(documents.wrong("must hold at least one document"));
    }
    view.spans.push(Span { range: query.inner_range(), place: Place::Input });
    let mut count = 0;
    for document in documents.items() {
        view.spans.push(Span { range: text_of(document)?.inner_range(), place: Place::Input });
        count += 1;
    }
    view.spans.sort_by_key(|span| span.range.start);
    view.ranks = Some(Ranks { query: query.inner_range(), documents: count });
    Ok(view)
}

/// A document's text: the document itself, or its one member.
fn text_of(document: Node<'_>) -> Result<Node<'_>, Error> {
    if document.is_str() {
        return Ok(document);
    }
    if !document.is_object() {
        return Err(document.wrong("must be a string, or an object with a \"text\""));
    }
    document.refuse_case_variants(&[TEXT])?;
    let text = document.need(TEXT)?;
    text.want_str()?;
    // What else is in it would be ranked by some and passed over by others, and no guardrail would have seen it.
    match document.members().find(|(name, value)| name != TEXT && !value.is_null()) {
        Some((_, other)) => Err(other.wrong("cannot be ranked; write what counts into \"text\"")),
        None => Ok(text),
    }
}

/// Makes a caller's request fit for a target that speaks version 2.
///
/// # Errors
/// `unsupported_parameter` for what the target cannot honour.
pub fn rewrite(doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
    let mut rewrite = Rewrite::default();
    let root = doc.root();
    let request = decode_request(doc)?;
    form::kept(&request, |name| ALSO.contains(&name), &mut rewrite.dropped)?;
    if let Some((_, range)) = view.model.as_ref().filter(|(name, _)| name != target.model) {
        let quoted = [b"\"", escaped(target.model).as_slice(), b"\""].concat();
        rewrite.edits.push(Edit { range: range.clone(), with: Bytes::from(quoted) });
    }
    for document in root.need("documents")?.items().filter(Node::is_object) {
        let text = text_of(document)?;
        let with = Bytes::copy_from_slice(text.raw().as_bytes());
        rewrite.edits.push(Edit { range: document.range(), with });
    }
    let gone = |name: &str| name == "return_documents" || rewrite.dropped.iter().any(|own| own == name);
    let mut edits = Vec::new();
    cut(doc, root, gone, &mut edits);
    rewrite.edits.append(&mut edits);
    rewrite.edits.sort_by_key(|edit| edit.range.start);
    Ok(rewrite)
}

/// Reads a caller's request.
///
/// # Errors
/// `invalid_request` naming the member.
pub fn decode_request(doc: &Doc) -> Result<RerankRequest, Error> {
    let root = doc.root().want_object()?;
    let documents = root.need("documents")?.items();
    let text = |document: Node<'_>| Ok(text_of(document)?.want_str()?.into_owned());
    let own = root.members().filter(|(name, value)| !ROOT.contains(&name.as_ref()) && !value.is_null());
    let extension = |(name, value): (std::borrow::Cow<'_, str>, Node<'_>)| Extension {
        weight: if MEANING.contains(&name.as_ref()) { Weight::Meaning } else { Weight::Hint },
        path: name.into_owned(),
        value: RawJson(value.raw().to_owned()),
        origin: Dialect::CohereRerank,
    };
    let number = |name: &str| root.opt(name).map(|number| number.want_u64()).transpose();
    Ok(RerankRequest {
        model: root.need("model")?.want_str()?.into_owned(),
        query: root.need("query")?.want_str()?.into_owned(),
        documents: documents.map(text).collect::<Result<_, Error>>()?,
        top_n: number("top_n")?,
        return_documents: root.opt("return_documents").and_then(|wanted| wanted.bool()).unwrap_or(false),
        max_tokens_per_doc: number("max_tokens_per_doc")?,
        extensions: own.map(extension).collect(),
    })
}

/// Writes an answer for a caller, in a form that Cohere's clients and Jina's read: units under `meta`, tokens under
/// `usage`, each where they are known. `id` stands where the provider named none.
#[must_use]
pub fn encode_answer(answer: &RerankAnswer, request: &RerankRequest, model: &str, id: &str) -> Vec<u8> {
    let usage = answer.usage.unwrap_or_default();
    let id = if answer.id.is_empty() { id } else { &answer.id };
    let mut out = Out::new();
    out.object(|out| {
        out.field("id", id).field("object", "list").field("model", model);
        out.array_field("results", |out| {
            for ranked in &answer.results {
                out.object(|out| {
                    out.field("index", ranked.index).field("relevance_score", Raw(&ranked.score));
                    let text = usize::try_from(ranked.index).ok().and_then(|at| request.documents.get(at));
                    if let Some(text) = text.filter(|_| request.return_documents) {
                        out.object_field("document", |out| {
                            out.field(TEXT, text);
                        });
                    }
                });
            }
        });
        out.object_field("meta", |out| {
            out.object_field("api_version", |out| {
                out.field("version", "2");
            });
            if usage.search_units > 0 {
                out.object_field("billed_units", |out| {
                    out.field("search_units", usage.search_units);
                });
            }
        });
        if usage.input_tokens > 0 {
            out.object_field("usage", |out| {
                out.field("prompt_tokens", usage.input_tokens).field("total_tokens", usage.input_tokens);
            });
        }
    });
    out.into_bytes()
}

// === impl CohereRerank ===

impl RerankCodec for CohereRerank {
    fn billing(&self) -> Billing {
        Billing::Units
    }

    fn encode_request(&self, request: &RerankRequest, target: &Target<'_>) -> Result<RerankEncoded, Error> {
        let mut dropped = Vec::new();
        let kept = form::kept(request, |name| ALSO.contains(&name), &mut dropped)?;
        let mut out = Out::new();
        out.object(|out| {
            form::question(out, Some(target.model), request, "documents");
            out.field_opt("top_n", request.top_n);
            out.field_opt("max_tokens_per_doc", request.max_tokens_per_doc);
            form::extend(out, &kept);
        });
        Ok(RerankEncoded { body: out.into_bytes(), dropped })
    }

    fn decode_answer(&self, doc: &Doc) -> Result<RerankAnswer, Error> {
        form::answer(Family::Cohere, doc)
    }
}
