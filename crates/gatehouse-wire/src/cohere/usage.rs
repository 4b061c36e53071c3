//! Usage. `tokens` says what was read and written, with the words that Cohere puts around a conversation;
//! `billed_units` says what of it is billed, which is less. We report the former and pay for the latter: the
//! difference is [`Usage::unbilled_input_tokens`] and [`Usage::unbilled_output_tokens`].

use crate::anthropic::usage::number;
use crate::json::{Node, Out};
use gatehouse_core::usage::Usage;

/// Reads a `usage` object.
pub(super) fn read(usage: Node<'_>) -> Usage {
    let count = |of: &str, name: &str| usage.path(&[of, name]).and_then(number);
    let (input, unbilled_input) =
        both(count("tokens", "input_tokens"), count("billed_units", "input_tokens"));
    let (output, unbilled_output) =
        both(count("tokens", "output_tokens"), count("billed_units", "output_tokens"));
    Usage {
        input_tokens: input,
        unbilled_input_tokens: unbilled_input,
        cached_read_tokens: usage.opt("cached_tokens").and_then(number).unwrap_or_default(),
        output_tokens: output,
        unbilled_output_tokens: unbilled_output,
        reasoning_tokens: count("tokens", "reasoning_tokens").unwrap_or_default(),
        ..Usage::default()
    }
    .clamped()
}

/// Writes a `usage` object.
pub(super) fn write(out: &mut Out, usage: &Usage) {
    out.object_field("usage", |out| {
        out.object_field("billed_units", |out| {
            out.field("input_tokens", usage.input_tokens.saturating_sub(usage.unbilled_input_tokens));
            out.field("output_tokens", usage.output_tokens.saturating_sub(usage.unbilled_output_tokens));
        });
        out.object_field("tokens", |out| {
            out.field("input_tokens", usage.input_tokens).field("output_tokens", usage.output_tokens);
            out.field_opt("reasoning_tokens", Some(usage.reasoning_tokens).filter(|count| *count > 0));
        });
        out.field_opt("cached_tokens", Some(usage.cached_read_tokens).filter(|count| *count > 0));
    });
}

/// The total, and how much of it is not billed. Where only one of the two is told, it is both.
fn both(all: Option<u64>, billed: Option<u64>) -> (u64, u64) {
    let total = all.max(billed).unwrap_or_default();
    (total, total - billed.unwrap_or(total))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::usage::Usage;

    #[test]
    fn what_is_not_billed_is_inside_of_what_was_counted() {
        let of = |text: &'static str| {
            read(Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Provider).unwrap().root())
        };
        let usage = of(r#"{"billed_units":{"input_tokens":60,"output_tokens":7.0},"cached_tokens":90,
            "tokens":{"input_tokens":100,"output_tokens":9,"reasoning_tokens":3}}"#);
        let expected = Usage {
            input_tokens: 100,
            unbilled_input_tokens: 40,
            // The cache holds the words around the conversation, too.
            cached_read_tokens: 60,
            output_tokens: 9,
            unbilled_output_tokens: 2,
            reasoning_tokens: 3,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        let one = Usage { input_tokens: 5, output_tokens: 6, ..Usage::default() };
        assert_eq!(of(r#"{"billed_units":{"input_tokens":5,"output_tokens":6}}"#), one);
        assert_eq!(of(r#"{"tokens":{"input_tokens":5,"output_tokens":6}}"#), one);
        assert_eq!(of("{}"), Usage::default());
    }
}
