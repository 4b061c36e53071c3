//! `POST /v1/responses/input_tokens`: a request whose tokens are counted, and the count.
//! <https://platform.openai.com/docs/api-reference/responses/input-tokens>

use crate::json::{Doc, Out, Raw};
use gatehouse_core::error::Error;

/// The members that are counted. Every other is refused there.
const COUNTED: [&str; 9] = [
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

/// A request as the provider counts it: one of `/v1/responses` without what takes no tokens.
///
/// # Errors
/// `unsupported_parameter` for what takes tokens and cannot be said here.
pub fn encode_request(request: &Doc) -> Result<Vec<u8>, Error> {
    if request.root().opt("prompt").is_some() {
        let message = "prompt: what is kept at the provider cannot be counted; send it in \"input\"";
        return Err(Error::unsupported("prompt", message));
    }
    let mut out = Out::new();
    out.object(|out| {
        for (name, value) in request.root().members() {
            if COUNTED.contains(&name.as_ref()) {
                out.field(&name, Raw(value.raw()));
            }
        }
    });
    Ok(out.into_bytes())
}

/// Writes the answer.
#[must_use]
pub fn encode_answer(input_tokens: u64) -> Vec<u8> {
    let mut out = Out::new();
    out.object(|out| {
        out.field("object", "response.input_tokens").field("input_tokens", input_tokens);
    });
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{encode_answer, encode_request};
    use crate::json::{Doc, Strictness};

    fn doc(body: &'static str) -> Doc {
        Doc::parse(body.into(), Strictness::Caller).unwrap()
    }

    #[test]
    fn what_takes_no_tokens_is_left_out() {
        let request = doc(
            r#"{"model":"m","store":false,"input":[{"role":"user","content":"hi"}],"max_output_tokens":9,"tools":[]}"#,
        );
        assert_eq!(
            String::from_utf8(encode_request(&request).unwrap()).unwrap(),
            r#"{"model":"m","input":[{"role":"user","content":"hi"}],"tools":[]}"#
        );
        let kept = doc(r#"{"model":"m","prompt":{"id":"pmpt_1"}}"#);
        assert_eq!(encode_request(&kept).unwrap_err().param.as_deref(), Some("prompt"));
        assert_eq!(encode_answer(7), br#"{"object":"response.input_tokens","input_tokens":7}"#);
    }
}
