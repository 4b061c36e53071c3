//! Usage as this dialect reports it.

use crate::json::{Node, Out};
use gatehouse_core::usage::Usage;

/// The usage of an answer or a chunk; `None` when it counts nothing.
pub(super) fn find(root: Node<'_>) -> Option<Usage> {
    let usage = root.opt("usage")?;
    let count = |path: &[&str]| usage.path(path).and_then(|node| node.u64());
    let (input, output) = (count(&["prompt_tokens"]), count(&["completion_tokens"]));
    if input.is_none() && output.is_none() {
        return None;
    }
    let all = Usage {
        input_tokens: input.unwrap_or(0),
        cached_read_tokens: count(&["prompt_tokens_details", "cached_tokens"]).unwrap_or(0),
        output_tokens: output.unwrap_or(0),
        reasoning_tokens: count(&["completion_tokens_details", "reasoning_tokens"]).unwrap_or(0),
        ..Usage::default()
    };
    Some(all.clamped())
}

/// Writes it as the member `usage`.
pub(super) fn write(out: &mut Out, usage: &Usage) {
    out.object_field("usage", |out| {
        out.field("prompt_tokens", usage.input_tokens)
            .field("completion_tokens", usage.output_tokens)
            .field("total_tokens", usage.total_tokens());
        if usage.cached_read_tokens > 0 {
            out.object_field("prompt_tokens_details", |out| {
                out.field("cached_tokens", usage.cached_read_tokens);
            });
        }
        if usage.reasoning_tokens > 0 {
            out.object_field("completion_tokens_details", |out| {
                out.field("reasoning_tokens", usage.reasoning_tokens);
            });
        }
    });
}
