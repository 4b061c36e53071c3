//! Usage in Converse's way of counting: `inputTokens` leaves out what was read from or written to the
//! cache. Ours includes it.

use crate::anthropic::usage::number;
use crate::json::{Node, Out};
use gatehouse_core::usage::Usage;

/// Reads a `usage` object.
pub(super) fn read(usage: Node<'_>) -> Usage {
    let count = |name: &str| usage.opt(name).and_then(number);
    let lasting = |ttl: &str| -> u64 {
        let details = usage.opt("cacheDetails").into_iter().flat_map(|details| details.items());
        let of_ttl =
            details.filter(|one| one.opt("ttl").and_then(|word| word.str()).is_some_and(|own| own == ttl));
        of_ttl.filter_map(|one| one.opt("inputTokens").and_then(number)).fold(0, u64::saturating_add)
    };
    let (short, long) = (lasting("5m"), lasting("1h"));
    let read = count("cacheReadInputTokens").unwrap_or_default();
    let written = count("cacheWriteInputTokens").unwrap_or_else(|| short.saturating_add(long));
    let long = long.min(written);
    let input = count("inputTokens").unwrap_or_default();
    Usage {
        input_tokens: input.saturating_add(read).saturating_add(written),
        cached_read_tokens: read,
        cache_write_tokens: written - long,
        cache_write_long_tokens: long,
        output_tokens: count("outputTokens").unwrap_or_default(),
        ..Usage::default()
    }
    .clamped()
}

/// Writes the member `usage`.
pub(super) fn write(out: &mut Out, used: &Usage) {
    let (short, long) = (used.cache_write_tokens, used.cache_write_long_tokens);
    let written = short.saturating_add(long);
    let read = used.cached_read_tokens;
    out.object_field("usage", |out| {
        out.field("inputTokens", used.input_tokens.saturating_sub(read).saturating_sub(written));
        out.field("outputTokens", used.output_tokens).field("totalTokens", used.total_tokens());
        out.field("cacheReadInputTokens", read).field("cacheWriteInputTokens", written);
        if long > 0 {
            out.array_field("cacheDetails", |out| {
                for (ttl, tokens) in [("1h", long), ("5m", short)] {
                    out.object(|out| {
                        out.field("ttl", ttl).field("inputTokens", tokens);
                    });
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::usage::Usage;

    #[test]
    fn the_cache_is_inside_of_the_input_and_told_by_its_lifetime() {
        let of = |text: &'static str| {
            read(Doc::parse(Bytes::from_static(text.as_bytes()), Strictness::Provider).unwrap().root())
        };
        let usage = of(r#"{"inputTokens":3,"outputTokens":9,"totalTokens":162,"cacheReadInputTokens":100,
            "cacheWriteInputTokens":50,"cacheDetails":[{"ttl":"1h","inputTokens":30},{"ttl":"5m","inputTokens":20}]}"#);
        let expected = Usage {
            input_tokens: 153,
            cached_read_tokens: 100,
            cache_write_tokens: 20,
            cache_write_long_tokens: 30,
            output_tokens: 9,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        assert_eq!(of(r#"{"cacheDetails":[{"ttl":"1h","inputTokens":7}]}"#).cache_write_long_tokens, 7);
        assert_eq!(of("{}"), Usage::default());
    }
}
