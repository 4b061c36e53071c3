//! Parts, written: the same form in requests and in answers.

use super::response;
use crate::chat::ToolCall;
use crate::json::Out;

/// Words or a thought.
pub(super) fn words(out: &mut Out, text: &str, thought: bool, signature: Option<&str>) {
    out.object(|out| {
        out.field("text", text).field_opt("thought", thought.then_some(true));
        out.field_opt("thoughtSignature", signature);
    });
}

/// A call of a function.
pub(super) fn call(out: &mut Out, call: &ToolCall, signature: Option<&str>) {
    out.object(|out| {
        out.object_field("functionCall", |out| {
            out.field_opt("id", Some(&call.id).filter(|id| !id.is_empty()));
            out.field("name", &call.name);
            response::write_args(out, &call.arguments);
        });
        out.field_opt("thoughtSignature", signature);
    });
}
