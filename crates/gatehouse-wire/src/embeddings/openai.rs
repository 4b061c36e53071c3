//! OpenAI's `POST /v1/embeddings`, which most of the world imitates.

use super::task;
use super::thin::Thin;
use super::{
    EmbedAnswer, EmbedCodec, EmbedEncoded, EmbedInput, EmbedProviderCodec, EmbedRequest, Encoding, Vector,
};
use crate::chat::{Extension, RawJson, Weight};
use crate::codec::{Rewrite, Summary, Target, View};
use crate::error::from_stream;
use crate::json::{Doc, Node, Out, Raw, escaped};
use crate::members::fitted;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Edit, Family, Place, Span, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;

/// Members of the request.
const ROOT: &[&str] = &["model", "input", "dimensions", "encoding_format", "user"];

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiEmbeddings;

// === impl OpenAiEmbeddings ===

impl EmbedCodec for OpenAiEmbeddings {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        let root = doc.root().want_object()?;
        root.refuse_case_variants(ROOT)?;
        let model = root.need("model")?;
        let mut view = View { wants_usage: true, ..View::default() };
        view.model = Some((model.want_str()?.into_owned(), model.range()));
        view.user = root.opt("user").map(|user| user.want_str()).transpose()?.map(Into::into);
        if let Some(dimensions) = root.opt("dimensions") {
            dimensions.want_u64()?;
        }
        if let Some(format) = root.opt("encoding_format") {
            format.want_str()?;
        }
        let input = root.need("input")?;
        let texts = texts(input)?;
        view.unreadable = (!input.is_str() && texts.len() < input.items().count()).then_some("input");
        for text in texts {
            view.spans.push(Span { range: text.inner_range(), place: Place::Input });
        }
        Ok(view)
    }

    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        fitted(doc, view, target)
    }

    fn decode_request(&self, doc: &Doc) -> Result<EmbedRequest, Error> {
        let view = self.view(doc)?;
        let root = doc.root();
        let input = root.need("input")?;
        let encoding = match root.opt("encoding_format").and_then(|format| format.str()).as_deref() {
            None | Some("float") => Encoding::Float,
            Some("base64") => Encoding::Base64,
            Some(_) => {
                let message = "encoding_format: only \"float\" and \"base64\" can be translated";
                return Err(Error::unsupported("encoding_format", message));
            }
        };
        let extensions = root
            .members()
            .filter(|(name, value)| !ROOT.contains(&name.as_ref()) && !value.is_null())
            .map(|(name, value)| Extension {
                path: name.into_owned(),
                value: RawJson(value.raw().to_owned()),
                origin: Dialect::OpenAiEmbeddings,
                weight: Weight::Hint,
            });
        let inputs = inputs(input);
        Ok(EmbedRequest {
            model: view.model.map(|(name, _)| name).unwrap_or_default(),
            batch: inputs.len() > 1 || (input.is_array() && !input.items().all(|item| item.u64().is_some())),
            inputs,
            dimensions: root.opt("dimensions").and_then(|dimensions| dimensions.u64()),
            encoding,
            user: view.user,
            extensions: extensions.collect(),
            ..EmbedRequest::default()
        })
    }

    fn encode_answer(
        &self,
        answer: &EmbedAnswer,
        request: &EmbedRequest,
        model: &str,
    ) -> Result<Vec<u8>, Error> {
        let vectors = as_many_as_asked(answer, request)?;
        let encoded: Vec<_> =
            vectors.iter().map(|vector| vector.encoded(request.encoding)).collect::<Result<_, _>>()?;
        let used = answer.usage.unwrap_or_default().input_tokens;
        let mut out = Out::new();
        out.object(|out| {
            out.field("object", "list");
            out.array_field("data", |out| {
                for (index, vector) in (0u64..).zip(&encoded) {
                    out.object(|out| {
                        out.field("object", "embedding").field("index", index);
                        match request.encoding {
                            Encoding::Float => out.field("embedding", Raw(vector)),
                            Encoding::Base64 => out.field("embedding", vector),
                        };
                    });
                }
            });
            out.field("model", model);
            // SDKs require the member, so an answer that nobody counted says 0.
            out.object_field("usage", |out| {
                out.field("prompt_tokens", used).field("total_tokens", used);
            });
        });
        Ok(out.into_bytes())
    }
}

/// An answer with an id, which OpenAI's has none of and Mistral's clients want; one that has its own keeps it.
#[must_use]
pub fn identified(answer: Bytes, id: &str) -> Bytes {
    let Ok(thin) = Thin::parse(&answer) else { return answer };
    let root = thin.doc.root();
    if !root.is_object() || root.is_empty() || root.get("id").is_some() {
        return answer;
    }
    // What is before the first brace is blank, and so is not set aside.
    let at = root.range().start + 1;
    let member = [b"\"id\":\"", escaped(id).as_slice(), b"\","].concat();
    splice(&answer, &[Edit { range: at..at, with: Bytes::from(member) }])
}

impl EmbedProviderCodec for OpenAiEmbeddings {
    fn encode_request(&self, request: &EmbedRequest, target: &Target<'_>) -> Result<EmbedEncoded, Error> {
        let mut dropped: Vec<String> =
            [(task::member(request), &request.task_type), ("title", &request.title)]
                .into_iter()
                .filter_map(|(name, value)| value.as_ref().map(|_| name.to_owned()))
                .collect();
        let extensions = own_extensions(&request.extensions, Dialect::OpenAiEmbeddings, &mut dropped)?;
        let mut out = Out::new();
        out.object(|out| {
            out.field("model", target.model);
            match request.inputs.as_slice() {
                [only] if !request.batch => input(out, only),
                several => {
                    out.array_field("input", |out| several.iter().for_each(|one| item(out, one)));
                }
            }
            out.field_opt("dimensions", request.dimensions);
            out.field_opt("encoding_format", (request.encoding == Encoding::Base64).then_some("base64"));
            out.field_opt("user", request.user.as_deref());
            for extension in extensions {
                out.field(&extension.path, Raw(&extension.value.0));
            }
        });
        Ok(EmbedEncoded { body: out.into_bytes(), dropped, batch: request.batch })
    }

    fn summary(&self, body: &Bytes) -> Summary {
        match Thin::parse(body) {
            Ok(thin) => Summary {
                usage: thin.doc.root().opt("usage").and_then(usage),
                error: from_stream(Family::OpenAi, &thin.doc),
                ..Summary::default()
            },
            Err(error) => Summary { error: Some(error), ..Summary::default() },
        }
    }

    fn decode_answer(&self, body: &Bytes) -> Result<EmbedAnswer, Error> {
        let thin = Thin::parse(body)?;
        let root = thin.doc.root();
        let Some(data) = root.opt("data").filter(|data| data.is_array()) else {
            let nothing = || Error::new(Code::UpstreamBadResponse, "the provider's answer holds no vectors");
            return Err(from_stream(Family::OpenAi, &thin.doc).unwrap_or_else(nothing));
        };
        let mut vectors = Vec::new();
        for (at, one) in (0u64..).zip(data.items()) {
            let place = one.opt("index").and_then(|index| index.u64()).unwrap_or(at);
            vectors.push((place, vector(&thin, one)?));
        }
        vectors.sort_by_key(|(place, _)| *place);
        Ok(EmbedAnswer {
            id: String::new(),
            model: root.opt("model").and_then(|model| model.str()).unwrap_or_default().into_owned(),
            vectors: vectors.into_iter().map(|(_, vector)| vector).collect(),
            usage: root.opt("usage").and_then(usage),
        })
    }
}

/// The extensions of one dialect; others are named as dropped, or refused.
pub(super) fn own_extensions<'a>(
    extensions: &'a [Extension],
    own: Dialect,
    dropped: &mut Vec<String>,
) -> Result<Vec<&'a Extension>, Error> {
    let mut kept = Vec::new();
    for extension in extensions {
        match extension.weight {
            _ if extension.origin == own => kept.push(extension),
            Weight::Hint => dropped.push(extension.path.clone()),
            Weight::Meaning => {
                let message = format!("{} cannot be honoured by this model", extension.path);
                return Err(Error::unsupported(extension.path.clone(), message));
            }
        }
    }
    Ok(kept)
}

/// The vectors, of which there must be as many as texts.
pub(super) fn as_many_as_asked<'a>(
    answer: &'a EmbedAnswer,
    request: &EmbedRequest,
) -> Result<&'a [Vector], Error> {
    let (came, asked) = (answer.vectors.len(), request.inputs.len());
    if came == asked {
        return Ok(&answer.vectors);
    }
    let message = format!("the provider answered {asked} texts with {came} vectors");
    Err(Error::new(Code::UpstreamBadResponse, message))
}

/// Checks `input`; the strings in it.
fn texts<'a>(input: Node<'a>) -> Result<Vec<Node<'a>>, Error> {
    if input.is_str() {
        return Ok(vec![input]);
    }
    if input.want_array()?.is_empty() {
        return Err(input.wrong("must hold at least one text"));
    }
    let mut texts = Vec::new();
    let (mut numbers, mut others) = (false, false);
    for item in input.items() {
        if item.is_str() {
            texts.push(item);
            others = true;
        } else if item.is_array() {
            item.items().try_for_each(|token| token.want_u64().map(|_| ()))?;
            others = true;
        } else {
            item.u64().ok_or_else(|| item.wrong("must be a string or token ids"))?;
            numbers = true;
        }
    }
    if numbers && others {
        return Err(input.wrong("must hold texts or token ids, not both side by side"));
    }
    Ok(texts)
}

/// `input` in the order of its texts.
fn inputs(input: Node<'_>) -> Vec<EmbedInput> {
    let tokens = |list: Node<'_>| EmbedInput::Tokens(list.items().filter_map(|token| token.u64()).collect());
    if let Some(text) = input.str() {
        return vec![EmbedInput::Text(text.into_owned())];
    }
    if input.items().all(|item| item.u64().is_some()) {
        return vec![tokens(input)];
    }
    let one =
        |item: Node<'_>| item.str().map_or_else(|| tokens(item), |text| EmbedInput::Text(text.into_owned()));
    input.items().map(one).collect()
}

fn input(out: &mut Out, one: &EmbedInput) {
    let mut value = Out::new();
    item(&mut value, one);
    out.field("input", Raw(value.as_str()));
}

fn item(out: &mut Out, one: &EmbedInput) {
    match one {
        EmbedInput::Text(text) => {
            out.item(text);
        }
        EmbedInput::Tokens(tokens) => {
            out.array(|out| {
                tokens.iter().for_each(|token| {
                    out.item(*token);
                });
            });
        }
    }
}

/// `embedding`: a list of numbers, or base64.
fn vector(thin: &Thin, one: Node<'_>) -> Result<Vector, Error> {
    let embedding = one.opt("embedding");
    let list = embedding.and_then(|list| list.u64()).and_then(|index| thin.list(index));
    let numbers = list.map(|list| Vector::Numbers(list.to_owned()));
    let text = || embedding.and_then(|text| text.str()).map(|text| Vector::Base64(text.into_owned()));
    numbers
        .or_else(text)
        .ok_or_else(|| Error::new(Code::UpstreamBadResponse, "the provider's answer lacks a vector"))
}

/// `usage`; some servers give the total alone.
fn usage(usage: Node<'_>) -> Option<Usage> {
    let tokens = ["prompt_tokens", "total_tokens"].iter().find_map(|name| usage.opt(name)?.u64())?;
    Some(Usage { input_tokens: tokens, ..Usage::default() })
}
