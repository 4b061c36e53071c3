//! Usage in Anthropic's way of counting: `input_tokens` leaves out what was read from or written to the
//! cache. Ours includes it.

use crate::json::{Node, Out};
use gatehouse_core::usage::Usage;

/// Counters as Anthropic reports them; in a stream a later report supersedes member by member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_short: Option<u64>,
    cache_write_long: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    searches: Option<u64>,
    /// Passes that compacted the conversation: billed, but in no total.
    compaction: Option<Compaction>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Compaction {
    input: u64,
    output: u64,
}

// === impl Counters ===

impl Counters {
    /// Takes in a `usage` object. Members that are missing or `null` say nothing new.
    pub(super) fn update(&mut self, usage: Node<'_>) {
        let at = |path: &[&str]| usage.path(path).and_then(number);
        let set = |own: &mut Option<u64>, new: Option<u64>| *own = new.or(*own);
        set(&mut self.input, at(&["input_tokens"]));
        set(&mut self.cache_read, at(&["cache_read_input_tokens"]));
        set(&mut self.cache_write, at(&["cache_creation_input_tokens"]));
        set(&mut self.cache_write_short, at(&["cache_creation", "ephemeral_5m_input_tokens"]));
        set(&mut self.cache_write_long, at(&["cache_creation", "ephemeral_1h_input_tokens"]));
        set(&mut self.output, at(&["output_tokens"]));
        set(&mut self.thinking, at(&["output_tokens_details", "thinking_tokens"]));
        set(&mut self.searches, at(&["server_tool_use", "web_search_requests"]));
        if let Some(iterations) = usage.opt("iterations") {
            self.compaction = Some(compaction(iterations));
        }
    }

    /// In our way of counting.
    pub(super) fn usage(&self) -> Usage {
        let split = self.cache_write_short.unwrap_or_default() + self.cache_write_long.unwrap_or_default();
        let written = self.cache_write.unwrap_or(split);
        let long = self.cache_write_long.unwrap_or_default().min(written);
        let read = self.cache_read.unwrap_or_default();
        let extra = self.compaction.unwrap_or_default();
        Usage {
            input_tokens: self.input.unwrap_or_default() + read + written + extra.input,
            cached_read_tokens: read,
            cache_write_tokens: written - long,
            cache_write_long_tokens: long,
            output_tokens: self.output.unwrap_or_default() + extra.output,
            reasoning_tokens: self.thinking.unwrap_or_default(),
            searches: self.searches.unwrap_or_default(),
            ..Usage::default()
        }
        .clamped()
    }
}

/// Reads a `usage` object that stands alone.
pub(super) fn read(usage: Node<'_>) -> Usage {
    let mut counters = Counters::default();
    counters.update(usage);
    counters.usage()
}

/// Writes the members of a `usage` object.
pub(super) fn write(out: &mut Out, usage: &Usage, tier: Option<&str>) {
    let usage = usage.clamped();
    let written = usage.cache_write_tokens + usage.cache_write_long_tokens;
    out.field("input_tokens", usage.input_tokens - usage.cached_read_tokens - written)
        .field("cache_creation_input_tokens", written)
        .field("cache_read_input_tokens", usage.cached_read_tokens)
        .object_field("cache_creation", |out| {
            out.field("ephemeral_5m_input_tokens", usage.cache_write_tokens)
                .field("ephemeral_1h_input_tokens", usage.cache_write_long_tokens);
        })
        .field("output_tokens", usage.output_tokens);
    if usage.reasoning_tokens > 0 {
        out.object_field("output_tokens_details", |out| {
            out.field("thinking_tokens", usage.reasoning_tokens);
        });
    }
    if usage.searches > 0 {
        out.object_field("server_tool_use", |out| {
            out.field("web_search_requests", usage.searches);
        });
    }
    out.field_opt("service_tier", tier);
}

/// Tokens of compaction passes. Passes of an advisor run on another model at another price and are left
/// out: they are not this model's tokens.
fn compaction(iterations: Node<'_>) -> Compaction {
    let mut sum = Compaction::default();
    for pass in iterations.items() {
        if pass.opt("type").and_then(|kind| kind.str()).is_some_and(|kind| kind == "compaction") {
            let own = read_flat(pass);
            sum.input += own.input;
            sum.output += own.output;
        }
    }
    sum
}

fn read_flat(pass: Node<'_>) -> Compaction {
    let at = |name: &str| pass.opt(name).and_then(number).unwrap_or_default();
    Compaction {
        input: at("input_tokens") + at("cache_read_input_tokens") + at("cache_creation_input_tokens"),
        output: at("output_tokens"),
    }
}

/// A count, also from a server that writes numbers as strings. Counts beyond any context window are taken
/// for nonsense, so that sums cannot overflow.
pub(crate) fn number(node: Node<'_>) -> Option<u64> {
    const TOKENS_MAX: u64 = 1 << 40;
    let count = node.u64().or_else(|| node.str().and_then(|text| text.parse().ok()))?;
    Some(count.min(TOKENS_MAX))
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use crate::json::{Doc, Out, Strictness};
    use bytes::Bytes;
    use gatehouse_core::usage::Usage;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Usage {
        read(Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Provider).unwrap().root())
    }

    #[test]
    fn cached_tokens_are_inside_the_input_and_compaction_is_counted() {
        let usage = parsed(
            r#"{"input_tokens":3,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,
                "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},
                "output_tokens":"9","output_tokens_details":{"thinking_tokens":4},
                "server_tool_use":{"web_search_requests":2},
                "iterations":[{"type":"compaction","input_tokens":1000,"output_tokens":7},
                              {"type":"message","input_tokens":3,"output_tokens":9}]}"#,
        );
        let expected = Usage {
            input_tokens: 1153,
            cached_read_tokens: 100,
            cache_write_tokens: 20,
            cache_write_long_tokens: 30,
            output_tokens: 16,
            reasoning_tokens: 4,
            searches: 2,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        assert_eq!(parsed("{}"), Usage::default());
        assert_eq!(parsed(r#"{"cache_creation_input_tokens":5}"#).cache_write_tokens, 5);
    }

    proptest! {
        /// What we write is read back as the same.
        #[test]
        fn there_and_back(
            fresh in 0u64..1_000_000, read in 0u64..1_000_000, short in 0u64..9_999, long in 0u64..9_999,
            output in 0u64..1_000_000, part in 0u64..100, searches in 0u64..9,
        ) {
            let usage = Usage {
                input_tokens: fresh + read + short + long,
                cached_read_tokens: read,
                cache_write_tokens: short,
                cache_write_long_tokens: long,
                output_tokens: output,
                reasoning_tokens: output * part / 100,
                searches,
                ..Usage::default()
            };
            let mut out = Out::new();
            out.object(|out| write(out, &usage, None));
            prop_assert_eq!(parsed(out.as_str()), usage);
        }
    }
}
