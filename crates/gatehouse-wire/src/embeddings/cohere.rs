//! Cohere's `POST /v2/embed`, towards providers and towards callers. <https://docs.cohere.com/reference/embed>
//!
//! It wants to know what the vectors are for, and each of its words for that has one of Gemini's ([`TASKS`]). Vectors
//! come by the type of their numbers; between dialects it is one of the two that mean 32-bit floats.

use super::openai::as_many_as_asked;
use super::task::{self, INPUT_TYPE};
use super::thin::Thin;
use super::{
    EmbedAnswer, EmbedCodec, EmbedEncoded, EmbedInput, EmbedProviderCodec, EmbedRequest, Encoding, Vector,
};
use crate::chat::{Extension, RawJson, Weight};
use crate::codec::{Rewrite, Summary, Target, View};
use crate::error::from_stream;
use crate::json::{Doc, Node, Out, Raw};
use crate::members::fitted;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Family, Place, Span};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;

/// Texts that a model takes at once.
pub(super) const TEXTS_MAX: usize = 96;
/// What models are told where the caller says nothing: they do not answer without it.
pub(super) const TASK: &str = "search_document";
/// Cohere's words for Gemini's.
pub(super) const TASKS: &[(&str, &str)] = &[
    ("RETRIEVAL_QUERY", "search_query"),
    ("RETRIEVAL_DOCUMENT", "search_document"),
    ("CLASSIFICATION", "classification"),
    ("CLUSTERING", "clustering"),
];
/// Members of a request.
const ROOT: &[&str] =
    &["model", "texts", "images", "inputs", INPUT_TYPE, "output_dimension", "embedding_types"];
/// Members that only Cohere's models know.
const OWN: &[&str] = &["max_tokens", "truncate", "priority"];
/// Vectors as lists of numbers.
const FLOAT: &str = "float";
/// Vectors as base64 of 32-bit floats.
const BASE64: &str = "base64";

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct CohereEmbed;

/// Whether a model's vectors have one length alone.
pub(super) fn check_length(request: &EmbedRequest, model: &str) -> Result<(), Error> {
    if request.dimensions.is_some() && model.contains("-v3") {
        return Err(Error::unsupported("dimensions", "dimensions cannot be chosen with this model"));
    }
    Ok(())
}

// === impl CohereEmbed ===

impl EmbedProviderCodec for CohereEmbed {
    fn texts_max(&self, _: &str) -> Option<usize> {
        Some(TEXTS_MAX)
    }

    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<EmbedEncoded, Error> {
        let mut dropped = Vec::new();
        let word = task::word(request, TASKS, &mut dropped);
        let own = [&[INPUT_TYPE], OWN].concat();
        let kept = task::rest(request, &own, &mut dropped)?;
        let texts = task::texts(request)?;
        check_length(request, target.model)?;
        let mut out = Out::new();
        out.object(|out| {
            out.field("model", target.model);
            out.array_field("texts", |out| {
                texts.iter().for_each(|text| {
                    out.item(*text);
                });
            });
            if !kept.iter().any(|extension| extension.path == INPUT_TYPE) {
                out.field(INPUT_TYPE, word.unwrap_or(TASK));
            }
            // Base64 is made of these where it is asked for: older models do not have it.
            out.array_field("embedding_types", |out| {
                out.item(FLOAT);
            });
            out.field_opt("output_dimension", request.dimensions);
            for extension in kept {
                out.field(&extension.path, Raw(&extension.value.0));
            }
        });
        Ok(EmbedEncoded { body: out.into_bytes(), dropped, batch: request.batch })
    }

    fn summary(&self, body: &Bytes) -> Summary {
        match Thin::parse(body) {
            Ok(thin) => Summary {
                usage: used(thin.doc.root()),
                error: from_stream(Family::Cohere, &thin.doc),
                ..Summary::default()
            },
            Err(error) => Summary { error: Some(error), ..Summary::default() },
        }
    }

    fn decode_answer(&self, body: &Bytes) -> Result<EmbedAnswer, Error> {
        let thin = Thin::parse(body)?;
        let root = thin.doc.root();
        let of = |name: &str| root.path(&["embeddings", name]).filter(Node::is_array);
        let numbers = of(FLOAT).and_then(|list| list.items().map(|one| numbers(&thin, one)).collect());
        let packed = || -> Option<Vec<Vector>> {
            of(BASE64)?.items().map(|one| Some(Vector::Base64(one.str()?.into_owned()))).collect()
        };
        let vectors = numbers.or_else(packed).filter(|vectors| !vectors.is_empty()).ok_or_else(|| {
            let nothing = || Error::new(Code::UpstreamBadResponse, "the provider's answer holds no vectors");
            from_stream(Family::Cohere, &thin.doc).unwrap_or_else(nothing)
        })?;
        let id = root.opt("id").and_then(|id| id.str()).unwrap_or_default().into_owned();
        Ok(EmbedAnswer { id, vectors, usage: used(root), ..EmbedAnswer::default() })
    }
}

impl EmbedCodec for CohereEmbed {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        let root = doc.root().want_object()?;
        root.refuse_case_variants(ROOT)?;
        let model = root.need("model")?;
        let mut view = View { wants_usage: true, ..View::default() };
        view.model = Some((model.want_str()?.into_owned(), model.range()));
        root.opt(INPUT_TYPE).map(|word| word.want_str()).transpose()?;
        root.opt("output_dimension").map(|length| length.want_u64()).transpose()?;
        if let Some(types) = root.opt("embedding_types") {
            types.want_array()?.items().try_for_each(|one| one.want_str().map(|_| ()))?;
        }
        for text in list(root, "texts")? {
            text.want_str()?;
            view.spans.push(Span { range: text.inner_range(), place: Place::Input });
        }
        for image in list(root, "images")? {
            image.want_str()?;
            view.media = view.media.saturating_add(1);
        }
        for input in list(root, "inputs")? {
            mixed(input, &mut view)?;
        }
        if view.spans.is_empty() && view.media == 0 {
            return Err(root.wrong("must hold \"texts\", \"images\" or \"inputs\" with something to embed"));
        }
        view.spans.sort_by_key(|span| span.range.start);
        Ok(view)
    }

    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        fitted(doc, view, target)
    }

    fn decode_request(&self, doc: &Doc) -> Result<EmbedRequest, Error> {
        let view = self.view(doc)?;
        let root = doc.root();
        if view.media > 0 {
            let message = "only texts can be embedded by a model of another dialect";
            let at = if root.opt("images").is_some() { "images" } else { "inputs" };
            return Err(Error::unsupported(at, message));
        }
        let mut inputs = Vec::new();
        for text in list(root, "texts")? {
            inputs.push(EmbedInput::Text(text.want_str()?.into_owned()));
        }
        for input in list(root, "inputs")? {
            // Several parts are one text to Cohere, a line each to others.
            let lines: Vec<_> = parts(input).filter_map(|part| part.opt("text")?.str()).collect();
            inputs.push(EmbedInput::Text(lines.join("\n")));
        }
        let own = root.members().filter(|(name, value)| !ROOT.contains(&name.as_ref()) && !value.is_null());
        let extensions = own.map(|(name, value)| Extension {
            path: name.into_owned(),
            value: RawJson(value.raw().to_owned()),
            origin: Dialect::CohereEmbed,
            weight: Weight::Hint,
        });
        Ok(EmbedRequest {
            model: view.model.map(|(name, _)| name).unwrap_or_default(),
            batch: true,
            inputs,
            dimensions: root.opt("output_dimension").and_then(|length| length.u64()),
            encoding: encoding(root)?,
            task_type: task_of(root)?,
            task_member: Some(INPUT_TYPE),
            extensions: extensions.collect(),
            ..EmbedRequest::default()
        })
    }

    fn encode_answer(
        &self,
        answer: &EmbedAnswer,
        request: &EmbedRequest,
        _model: &str,
    ) -> Result<Vec<u8>, Error> {
        let vectors = as_many_as_asked(answer, request)?;
        let encoded: Vec<_> =
            vectors.iter().map(|vector| vector.encoded(request.encoding)).collect::<Result<_, _>>()?;
        let kind = if request.encoding == Encoding::Base64 { BASE64 } else { FLOAT };
        let mut out = Out::new();
        out.object(|out| {
            out.field("id", &answer.id);
            out.object_field("embeddings", |out| {
                out.array_field(kind, |out| {
                    for vector in &encoded {
                        match request.encoding {
                            Encoding::Float => out.item(Raw(vector)),
                            Encoding::Base64 => out.item(vector),
                        };
                    }
                });
            });
            out.array_field("texts", |out| {
                for input in &request.inputs {
                    if let EmbedInput::Text(text) = input {
                        out.item(text);
                    }
                }
            });
            out.object_field("meta", |out| {
                out.object_field("api_version", |out| {
                    out.field("version", "2");
                });
                if let Some(usage) = answer.usage {
                    out.object_field("billed_units", |out| {
                        out.field("input_tokens", usage.input_tokens);
                    });
                }
            });
            out.field("response_type", "embeddings_by_type");
        });
        Ok(out.into_bytes())
    }
}

/// The items of a list, if it is there.
fn list<'a>(root: Node<'a>, name: &str) -> Result<Vec<Node<'a>>, Error> {
    let Some(list) = root.opt(name) else { return Ok(Vec::new()) };
    Ok(list.want_array()?.items().collect())
}

fn parts(input: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    input.opt("content").into_iter().flat_map(|content| content.items())
}

/// A text and images that become one vector.
fn mixed(input: Node<'_>, view: &mut View) -> Result<(), Error> {
    let input = input.want_object()?;
    input.refuse_case_variants(&["content"])?;
    for part in input.need("content")?.want_array()?.items() {
        let part = part.want_object()?;
        part.refuse_case_variants(&["type", "text", "image_url"])?;
        if let Some(text) = part.opt("text") {
            text.want_str()?;
            view.spans.push(Span { range: text.inner_range(), place: Place::Input });
        } else {
            part.need("image_url")?;
            view.media = view.media.saturating_add(1);
        }
    }
    Ok(())
}

/// Gemini's word for what the vectors are for.
fn task_of(root: Node<'_>) -> Result<Option<String>, Error> {
    let Some(word) = root.opt(INPUT_TYPE).and_then(|word| word.str()) else { return Ok(None) };
    let known = TASKS.iter().find(|(_, own)| *own == word);
    known.map(|(gemini, _)| Some((*gemini).to_owned())).ok_or_else(|| {
        let message = format!("{INPUT_TYPE}: {word:?} cannot be said to a model of another dialect");
        Error::unsupported(INPUT_TYPE, message)
    })
}

/// How the vectors are to be written; as numbers where nothing is said.
fn encoding(root: Node<'_>) -> Result<Encoding, Error> {
    let types: Vec<_> = root
        .opt("embedding_types")
        .into_iter()
        .flat_map(|types| types.items())
        .filter_map(|one| one.str())
        .collect();
    match types.iter().map(AsRef::as_ref).collect::<Vec<&str>>().as_slice() {
        [] | [FLOAT] => Ok(Encoding::Float),
        [BASE64] => Ok(Encoding::Base64),
        _ => {
            let message =
                "embedding_types: a model of another dialect has \"float\" or \"base64\", one of them";
            Err(Error::unsupported("embedding_types", message))
        }
    }
}

fn numbers(thin: &Thin, one: Node<'_>) -> Option<Vector> {
    one.u64().and_then(|index| thin.list(index)).map(|list| Vector::Numbers(list.to_owned()))
}

/// What is billed: tokens of texts and of images, which are told apart.
fn used(root: Node<'_>) -> Option<Usage> {
    let billed = root.path(&["meta", "billed_units"])?;
    let count = |name: &str| billed.opt(name).and_then(crate::anthropic::usage::number);
    let image_input_tokens = count("image_tokens").unwrap_or_default();
    let input_tokens = count("input_tokens").or(Some(0).filter(|_| image_input_tokens > 0))?;
    let input_tokens = input_tokens.saturating_add(image_input_tokens);
    Some(Usage { input_tokens, image_input_tokens, ..Usage::default() })
}
