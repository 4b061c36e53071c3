//! Usage as the family reports it, in one convention and back.

use crate::json::{Node, Out};
use gatehouse_core::usage::Usage;

/// The usage that an answer or a chunk carries, wherever its server puts it: at the top, under Groq's
/// `x_groq`, or inside the choice (Moonshot).
pub(super) fn find(root: Node<'_>) -> Option<Usage> {
    let in_choice = || root.opt("choices")?.items().next()?.opt("usage");
    root.opt("usage")
        .and_then(read)
        .or_else(|| root.path(&["x_groq", "usage"]).and_then(read))
        .or_else(|| in_choice().and_then(read))
}

/// Reads a usage object; `None` when it counts nothing at all.
pub(super) fn read(usage: Node<'_>) -> Option<Usage> {
    let top = |name: &str| count(usage.opt(name));
    let (prompt_details, completion_details) =
        (usage.opt("prompt_tokens_details"), usage.opt("completion_tokens_details"));
    let input = |name: &str| count(prompt_details?.opt(name));
    let output = |name: &str| count(completion_details?.opt(name));
    let hit = top("prompt_cache_hit_tokens");
    let prompt = top("prompt_tokens").or_else(|| Some(hit? + top("prompt_cache_miss_tokens")?));
    let completion = top("completion_tokens");
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let (prompt, completion) = (prompt.unwrap_or(0), completion.unwrap_or(0));
    // Each server has its own word for tokens read from the cache.
    let cached = [
        input("cached_tokens"),
        hit,
        top("cache_read_input_tokens"),
        top("cached_tokens"),
        top("num_cached_tokens"),
    ];
    let long = count(usage.path(&["prompt_tokens_details", "cache_write_tokens_details", "ttl_12h"]))
        .or_else(|| count(usage.path(&["cache_creation", "ephemeral_1h_input_tokens"])))
        .unwrap_or(0);
    let written = input("cache_write_tokens").or_else(|| top("cache_creation_input_tokens")).unwrap_or(long);
    let reasoning = output("reasoning_tokens").or_else(|| top("reasoning_tokens")).unwrap_or(0);
    // xAI counts reasoning beside the completion; its total gives it away.
    let beside = reasoning > 0 && top("total_tokens") == Some(prompt + completion + reasoning);
    let searches = count(usage.path(&["server_tool_use_details", "web_search_requests"]))
        .or_else(|| count(usage.path(&["server_tool_use", "web_search_requests"])));
    let usage = Usage {
        input_tokens: prompt,
        cached_read_tokens: cached.into_iter().flatten().max().unwrap_or(0),
        cache_write_tokens: written.saturating_sub(long),
        cache_write_long_tokens: long,
        audio_input_tokens: input("audio_tokens").unwrap_or(0),
        image_input_tokens: input("image_tokens").unwrap_or(0),
        output_tokens: if beside { completion + reasoning } else { completion },
        reasoning_tokens: reasoning,
        audio_output_tokens: output("audio_tokens").unwrap_or(0),
        image_output_tokens: output("image_tokens").unwrap_or(0),
        searches: searches.unwrap_or(0),
        ..Usage::default()
    };
    Some(usage.clamped())
}

/// Writes usage as OpenAI does. What OpenAI has no member for is written only when there is something to
/// say, by the names that its family uses.
pub(super) fn write(out: &mut Out, usage: &Usage) {
    let cache_write = usage.cache_write_tokens.saturating_add(usage.cache_write_long_tokens);
    out.object_field("usage", |out| {
        out.field("prompt_tokens", usage.input_tokens)
            .field("completion_tokens", usage.output_tokens)
            .field("total_tokens", usage.total_tokens());
        out.object_field("prompt_tokens_details", |out| {
            out.field("cached_tokens", usage.cached_read_tokens)
                .field("audio_tokens", usage.audio_input_tokens)
                .field("cache_write_tokens", cache_write)
                .field_opt("image_tokens", some(usage.image_input_tokens));
            if usage.cache_write_long_tokens > 0 {
                out.object_field("cache_write_tokens_details", |out| {
                    out.field("ttl_30m", usage.cache_write_tokens)
                        .field("ttl_12h", usage.cache_write_long_tokens);
                });
            }
        });
        out.object_field("completion_tokens_details", |out| {
            out.field("reasoning_tokens", usage.reasoning_tokens)
                .field("audio_tokens", usage.audio_output_tokens)
                .field("accepted_prediction_tokens", 0u64)
                .field("rejected_prediction_tokens", 0u64)
                .field_opt("image_tokens", some(usage.image_output_tokens));
        });
        if usage.searches > 0 {
            out.object_field("server_tool_use_details", |out| {
                out.field("web_search_requests", usage.searches);
            });
        }
    });
}

fn some(count: u64) -> Option<u64> {
    Some(count).filter(|count| *count > 0)
}

/// A count, also where a server writes it as text.
fn count(node: Option<Node<'_>>) -> Option<u64> {
    let node = node?;
    // No real count comes near this; sums of a few of them cannot overflow.
    const COUNT_MAX: u64 = 1 << 60;
    node.u64().or_else(|| node.str()?.parse().ok()).map(|count: u64| count.min(COUNT_MAX))
}

#[cfg(test)]
mod tests {
    use super::{find, write};
    use crate::json::{Doc, Out, Strictness};
    use bytes::Bytes;
    use gatehouse_core::usage::Usage;
    use proptest::prelude::*;

    fn of(text: &str) -> Option<Usage> {
        let doc = Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Provider).unwrap();
        find(doc.root())
    }

    #[test]
    fn every_server_of_the_family_is_understood() {
        let openai = of(r#"{"usage":{"prompt_tokens":100,"completion_tokens":"20","total_tokens":120,
            "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30,"audio_tokens":null,
            "cache_write_tokens_details":{"ttl_30m":20,"ttl_12h":10}},
            "completion_tokens_details":{"reasoning_tokens":5}}}"#)
        .unwrap();
        assert_eq!((openai.input_tokens, openai.output_tokens, openai.reasoning_tokens), (100, 20, 5));
        assert_eq!((openai.cached_read_tokens, openai.cache_write_tokens), (60, 20));
        assert_eq!(openai.cache_write_long_tokens, 10);
        let deepseek = of(r#"{"usage":{"completion_tokens":1,"prompt_cache_hit_tokens":3,
            "prompt_cache_miss_tokens":4,"prompt_tokens_details":null}}"#)
        .unwrap();
        assert_eq!((deepseek.input_tokens, deepseek.cached_read_tokens), (7, 3));
        let xai = of(r#"{"usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":241,
            "completion_tokens_details":{"reasoning_tokens":228}}}"#)
        .unwrap();
        assert_eq!((xai.output_tokens, xai.reasoning_tokens), (229, 228));
        let groq = of(r#"{"usage":null,"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}}}"#);
        assert_eq!(groq.unwrap().total_tokens(), 3);
        let moonshot =
            of(r#"{"choices":[{"usage":{"prompt_tokens":9,"completion_tokens":1,"cached_tokens":99}}]}"#);
        assert_eq!(moonshot.unwrap().cached_read_tokens, 9, "clamped");
        assert_eq!(of(r#"{"usage":{}}"#), None);
    }

    proptest! {
        /// What is written is what is read.
        #[test]
        fn there_and_back(
            parts in proptest::array::uniform5(0u64..1000),
            out in 0u64..1000,
            more in 0u64..99,
        ) {
            let [cached, short, long, audio, image] = parts;
            let usage = Usage {
                input_tokens: parts.iter().sum::<u64>() + more,
                cached_read_tokens: cached,
                cache_write_tokens: short,
                cache_write_long_tokens: long,
                audio_input_tokens: audio,
                image_input_tokens: image,
                output_tokens: out,
                searches: more,
                ..Usage::default()
            };
            let mut json = Out::new();
            json.object(|json| write(json, &usage));
            prop_assert_eq!(of(json.as_str()), Some(usage));
        }
    }
}
