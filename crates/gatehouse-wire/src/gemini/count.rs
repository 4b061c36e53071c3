//! `:countTokens`: a request to be counted, bare or in `generateContentRequest`, and the count.

use super::member::{check, get, whole};
use super::{request, request_out, rewrite, view};
use crate::chat::ChatRequest;
use crate::codec::{Encoded, Rewrite, Target, View};
use crate::json::{Doc, Node, Out, Raw};
use gatehouse_core::error::{Code, Error};

/// What the pipeline needs of it.
///
/// # Errors
/// `invalid_request` naming the member.
pub fn view(doc: &Doc) -> Result<View, Error> {
    view::view(inside(doc)?)
}

/// Reads it.
///
/// # Errors
/// `invalid_request` naming the member.
pub fn decode(doc: &Doc) -> Result<ChatRequest, Error> {
    request::decode(inside(doc)?)
}

/// Makes it fit for a target of this dialect, as the request itself would be.
///
/// # Errors
/// `invalid_request` when it is not one, `unsupported_parameter` for what the target cannot honour.
pub fn rewrite(doc: &Doc, target: &Target<'_>) -> Result<Rewrite, Error> {
    rewrite::rewrite(doc, inside(doc)?, target)
}

/// Writes one, in the wrapped form, which alone takes instructions and tools at Google AI.
///
/// # Errors
/// `unsupported_parameter` for what cannot be said here.
pub fn encode(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    let inner = request_out::encode(request, target)?;
    let text = String::from_utf8(inner.body).unwrap_or_default();
    let members = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
    let mut out = Out::new();
    out.object(|out| {
        out.object_field("generateContentRequest", |out| {
            out.field("model", super::resource_name(target.model)).item(Raw(members));
        });
    });
    Ok(Encoded { body: out.into_bytes(), dropped: inner.dropped })
}

/// Writes the answer.
#[must_use]
pub fn encode_answer(total_tokens: u64) -> Vec<u8> {
    let mut out = Out::new();
    out.object(|out| {
        out.field("totalTokens", total_tokens);
        out.array_field("promptTokensDetails", |out| {
            out.object(|out| {
                out.field("modality", "TEXT").field("tokenCount", total_tokens);
            });
        });
    });
    out.into_bytes()
}

/// Reads the answer. Google leaves out a count of nothing.
///
/// # Errors
/// `upstream_bad_response` when it is not one.
pub fn decode_answer(doc: &Doc) -> Result<u64, Error> {
    match get(doc.root(), "totalTokens") {
        Some(total) => whole(total),
        None => (doc.root().is_object() && get(doc.root(), "error").is_none()).then_some(0),
    }
    .ok_or_else(|| Error::new(Code::UpstreamBadResponse, "the provider's answer holds no count of tokens"))
}

/// The request itself.
fn inside(doc: &Doc) -> Result<Node<'_>, Error> {
    let root = doc.root();
    let Some(wrapped) = get(root, "generateContentRequest") else { return Ok(root) };
    check(root, &["generateContentRequest", "contents"])?;
    if let Some(twice) = get(root, "contents") {
        return Err(twice.wrong("stands beside \"generateContentRequest\"; write one of the two"));
    }
    Ok(wrapped)
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_answer, encode, encode_answer, rewrite};
    use crate::chat::{ChatRequest, Part, Turn};
    use crate::codec::{Quirks, Target};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::content::splice;
    use gatehouse_core::deployment::Capabilities;

    fn doc(text: impl Into<Vec<u8>>) -> Doc {
        Doc::parse(Bytes::from(text.into()), Strictness::Caller).unwrap()
    }

    #[test]
    fn bare_and_wrapped_are_the_same() {
        let target =
            Target { model: "gemini-2.5-pro", capabilities: Capabilities::default(), quirks: &Quirks::NONE };
        let bare = doc(r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#);
        let wrapped =
            r#"{"generateContentRequest":{"model":"models/a","contents":[{"parts":[{"text":"hi"}]}]}}"#;
        let wrapped = doc(wrapped);
        let expected = ChatRequest {
            turns: vec![Turn::User(vec![Part::text("hi")])],
            include_usage: true,
            ..ChatRequest::default()
        };
        assert_eq!(decode(&bare).unwrap(), expected);
        assert_eq!(decode(&wrapped).unwrap(), expected);
        assert_eq!(decode(&doc(encode(&expected, &target).unwrap().body)).unwrap(), expected);
        let edited = splice(wrapped.bytes(), &rewrite(&wrapped, &target).unwrap().edits);
        assert!(
            edited.starts_with(br#"{"generateContentRequest":{"model":"models/gemini-2.5-pro","contents""#)
        );
    }

    #[test]
    fn the_count_comes_back() {
        assert_eq!(decode_answer(&doc(encode_answer(31))).unwrap(), 31);
        assert!(decode_answer(&doc(r#"{"error":{}}"#)).is_err());
    }
}
