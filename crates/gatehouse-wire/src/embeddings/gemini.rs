//! Gemini's `:embedContent` (one text) and `:batchEmbedContents` (a list of the same in `requests`).

use super::openai::{as_many_as_asked, own_extensions};
use super::thin::Thin;
use super::{
    EmbedAnswer, EmbedCodec, EmbedEncoded, EmbedInput, EmbedProviderCodec, EmbedRequest, Encoding, Vector,
};
use crate::chat::{Extension, RawJson, Weight};
use crate::codec::{Rewrite, Summary, Target, View};
use crate::cut::cut;
use crate::error::from_stream;
use crate::gemini::member::{check, each, get, spells, text, whole};
use crate::gemini::{resource_name, usage};
use crate::json::{Doc, Node, Out, Raw, escaped};
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Edit, Family, Place, Span};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;

/// Members of a request for one text.
const ONE: &[&str] = &["model", "content", "taskType", "title", "outputDimensionality"];
/// Members of a content and of its parts.
const CONTENT: &[&str] = &["role", "parts"];
const PART: &[&str] = &["text", "inlineData", "fileData"];

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct GeminiEmbeddings;

// === impl GeminiEmbeddings ===

impl EmbedCodec for GeminiEmbeddings {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        check(doc.root(), &["requests", "content"])?;
        let mut view = View { wants_usage: true, ..View::default() };
        for one in requests(doc.root())? {
            check(one, ONE)?;
            let content = get(one, "content").map_or_else(|| one.need("content"), Ok)?;
            check(content, CONTENT)?;
            for part in each(get(content, "parts")) {
                check(part, PART)?;
                if let Some(text) = get(part, "text") {
                    text.want_str()?;
                    view.spans.push(Span { range: text.inner_range(), place: Place::Input });
                } else {
                    view.media = view.media.saturating_add(1);
                }
            }
            for name in ["model", "taskType", "title"] {
                if let Some(value) = get(one, name) {
                    value.want_str()?;
                }
            }
            if let Some(title) = get(one, "title") {
                view.spans.push(Span { range: title.inner_range(), place: Place::Input });
            }
            if let Some(length) = get(one, "outputDimensionality").filter(|length| whole(*length).is_none()) {
                length.want_u64()?;
            }
        }
        Ok(view)
    }

    fn rewrite(&self, doc: &Doc, _view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        let mut rewrite = Rewrite::default();
        let quirks = target.quirks;
        for one in requests(doc.root())? {
            if let Some(model) = get(one, "model").filter(|model| model.is_str()) {
                let with = Bytes::from(escaped(&resource_name(target.model)));
                rewrite.edits.push(Edit { range: model.inner_range(), with });
            }
            let there = |name: &&&str| get(one, name).is_some();
            if let Some(name) = quirks.refuse.iter().find(there) {
                return Err(Error::unsupported(*name, format!("{name} cannot be honoured by this provider")));
            }
            for name in quirks.drop.iter().filter(there) {
                if !rewrite.dropped.iter().any(|own| own == name) {
                    rewrite.dropped.push((*name).to_owned());
                }
            }
            let gone = |name: &str| quirks.drop.iter().any(|camel| spells(name, camel));
            cut(doc, one, gone, &mut rewrite.edits);
        }
        rewrite.edits.sort_by_key(|edit| edit.range.start);
        Ok(rewrite)
    }

    fn decode_request(&self, doc: &Doc) -> Result<EmbedRequest, Error> {
        self.view(doc)?;
        let all = requests(doc.root())?;
        let mut request = EmbedRequest { batch: get(doc.root(), "requests").is_some(), ..Default::default() };
        let Some(first) = all.first().copied() else { return Ok(request) };
        let own = |one: Node<'_>| (text(one, "taskType"), text(one, "title"));
        let length = |one: Node<'_>| get(one, "outputDimensionality").and_then(whole);
        (request.task_type, request.title) = own(first);
        request.dimensions = length(first);
        for one in all {
            if length(one) != request.dimensions {
                let message = "outputDimensionality must be the same for all texts to be translated";
                return Err(Error::unsupported("outputDimensionality", message));
            }
            let (task, title) = own(one);
            // What holds for some texts alone has no place in the canonical form.
            if task != request.task_type {
                request.extensions.extend(get(one, "taskType").map(hint));
            }
            if title != request.title {
                request.extensions.extend(get(one, "title").map(hint));
            }
            let unknown = one
                .members()
                .filter(|(name, value)| !value.is_null() && !ONE.iter().any(|known| spells(name, known)));
            request.extensions.extend(unknown.map(|(_, value)| hint(value)));
            request.inputs.push(input(one)?);
        }
        Ok(request)
    }

    fn encode_answer(
        &self,
        answer: &EmbedAnswer,
        request: &EmbedRequest,
        _model: &str,
    ) -> Result<Vec<u8>, Error> {
        let vectors = as_many_as_asked(answer, request)?;
        let encoded: Vec<_> =
            vectors.iter().map(|vector| vector.encoded(Encoding::Float)).collect::<Result<_, _>>()?;
        let mut out = Out::new();
        out.object(|out| {
            if request.batch {
                out.array_field("embeddings", |out| {
                    for vector in &encoded {
                        out.object(|out| {
                            out.field("values", Raw(vector));
                        });
                    }
                });
            } else if let Some(vector) = encoded.first() {
                out.object_field("embedding", |out| {
                    out.field("values", Raw(vector));
                });
            }
            if let Some(usage) = answer.usage {
                out.object_field("usageMetadata", |out| {
                    out.field("promptTokenCount", usage.input_tokens);
                });
            }
        });
        Ok(out.into_bytes())
    }
}

impl EmbedProviderCodec for GeminiEmbeddings {
    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<EmbedEncoded, Error> {
        let mut dropped = Vec::new();
        if request.user.is_some() {
            dropped.push("user".to_owned());
        }
        // Extensions of this dialect belong to single texts, of which nothing is known any more.
        for own in own_extensions(&request.extensions, Dialect::GeminiEmbed, &mut dropped)? {
            dropped.push(own.path.clone());
        }
        let mut texts = Vec::new();
        for input in &request.inputs {
            let EmbedInput::Text(text) = input else {
                return Err(Error::unsupported("input", "a Gemini model takes texts, not token ids"));
            };
            texts.push(text.as_str());
        }
        let batch = request.batch || texts.len() != 1;
        let one = |out: &mut Out, text: &&str| {
            out.object(|out| {
                out.field("model", resource_name(target.model));
                out.object_field("content", |out| {
                    out.array_field("parts", |out| {
                        out.object(|out| {
                            out.field("text", *text);
                        });
                    });
                });
                out.field_opt("taskType", request.task_type.as_deref());
                out.field_opt("title", request.title.as_deref());
                out.field_opt("outputDimensionality", request.dimensions);
            });
        };
        let mut out = Out::new();
        if batch {
            out.object(|out| {
                out.array_field("requests", |out| texts.iter().for_each(|text| one(out, text)));
            });
        } else {
            texts.iter().for_each(|text| one(&mut out, text));
        }
        Ok(EmbedEncoded { body: out.into_bytes(), dropped, batch })
    }

    fn summary(&self, body: &Bytes) -> Summary {
        match Thin::parse(body) {
            Ok(thin) => Summary {
                usage: used(thin.doc.root()),
                error: from_stream(Family::Gemini, &thin.doc),
                ..Summary::default()
            },
            Err(error) => Summary { error: Some(error), ..Summary::default() },
        }
    }

    fn decode_answer(&self, body: &Bytes) -> Result<EmbedAnswer, Error> {
        let thin = Thin::parse(body)?;
        let root = thin.doc.root();
        let bad = |message| Error::new(Code::UpstreamBadResponse, message);
        if let Some(error) = from_stream(Family::Gemini, &thin.doc) {
            return Err(error);
        }
        let found: Vec<_> = each(get(root, "embeddings").or(get(root, "embedding"))).collect();
        if found.is_empty() {
            return Err(bad("the provider's answer holds no vectors"));
        }
        let vector = |one: &Node<'_>| {
            let list = get(*one, "values").and_then(|values| values.u64()).and_then(|index| thin.list(index));
            list.map(|list| Vector::Numbers(list.to_owned()))
        };
        let vectors: Option<Vec<_>> = found.iter().map(vector).collect();
        let vectors = vectors.ok_or_else(|| bad("the provider's answer lacks a vector"))?;
        Ok(EmbedAnswer { vectors, usage: used(root), ..EmbedAnswer::default() })
    }
}

/// The requests for one text each.
fn requests(root: Node<'_>) -> Result<Vec<Node<'_>>, Error> {
    let Some(batch) = get(root, "requests") else { return Ok(vec![root]) };
    if let Some(content) = get(root, "content") {
        return Err(content.wrong("stands beside \"requests\"; write one of the two"));
    }
    if batch.is_array() && batch.is_empty() {
        return Err(batch.wrong("must hold at least one request"));
    }
    Ok(each(Some(batch)).collect())
}

/// The text of one request. Several parts are one text to Gemini, a line each to others.
fn input(one: Node<'_>) -> Result<EmbedInput, Error> {
    let content = get(one, "content");
    let mut lines = Vec::new();
    for part in each(content.and_then(|content| get(content, "parts"))) {
        let Some(text) = text(part, "text") else {
            let path = part.name();
            let message = format!("{path}: only texts can be embedded by a model of another dialect");
            return Err(Error::unsupported(path, message));
        };
        lines.push(text);
    }
    Ok(EmbedInput::Text(lines.join("\n")))
}

fn hint(value: Node<'_>) -> Extension {
    Extension {
        path: value.name(),
        value: RawJson(value.raw().to_owned()),
        origin: Dialect::GeminiEmbed,
        weight: Weight::Hint,
    }
}

fn used(root: Node<'_>) -> Option<Usage> {
    get(root, "usageMetadata").and_then(usage::read)
}
