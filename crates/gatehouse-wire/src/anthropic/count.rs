//! `POST /v1/messages/count_tokens`: the request is one of `/v1/messages` without `max_tokens` (so the view
//! and the reading are those of [`super::Messages`]); the answer is `{"input_tokens":N}`.

use super::request_out::{Purpose, write};
use crate::chat::ChatRequest;
use crate::codec::{Encoded, Target};
use crate::json::{Doc, Out};
use gatehouse_core::error::{Code, Error};

/// Writes a request that was read in another dialect. Members that do not count (sampling, labels, the
/// limit of the answer) are left out: this endpoint refuses them.
///
/// # Errors
/// `unsupported_parameter` naming the caller's member for what cannot be said here.
pub fn encode_request(request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
    write(request, target, Purpose::Count)
}

/// Reads the number of tokens in the prompt.
///
/// # Errors
/// `upstream_bad_response` when the answer does not hold one.
pub fn decode_answer(doc: &Doc) -> Result<u64, Error> {
    let tokens = doc.root().opt("input_tokens").and_then(|tokens| tokens.u64());
    tokens.ok_or_else(|| {
        Error::new(Code::UpstreamBadResponse, "the provider's answer holds no count of tokens")
    })
}

/// Writes the number of tokens in a prompt.
#[must_use]
pub fn encode_answer(input_tokens: u64) -> Vec<u8> {
    let mut out = Out::new();
    out.object(|out| {
        out.field("input_tokens", input_tokens);
    });
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{decode_answer, encode_answer, encode_request};
    use crate::anthropic::Messages;
    use crate::codec::{Codec, Quirks, Target};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::deployment::Capabilities;

    #[test]
    fn counts_there_and_back_and_a_request_without_what_is_not_counted() {
        let answer = Doc::parse(Bytes::from(encode_answer(641)), Strictness::Provider).unwrap();
        assert_eq!(decode_answer(&answer).unwrap(), 641);
        let body =
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":1,"stream":true}"#;
        let doc = Doc::parse(Bytes::from_static(body.as_bytes()), Strictness::Caller).unwrap();
        let request = Messages.decode_request(&doc).unwrap();
        let target = Target { model: "claude", capabilities: Capabilities::default(), quirks: &Quirks::NONE };
        let encoded = encode_request(&request, &target).unwrap();
        assert_eq!(
            String::from_utf8(encoded.body).unwrap(),
            r#"{"model":"claude","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#
        );
    }
}
