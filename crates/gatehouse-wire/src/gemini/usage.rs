//! `usageMetadata`, both ways.
//!
//! Google counts thoughts beside the candidates and results of its own tools beside the prompt; the
//! total is the sum of the four. Cached tokens are inside the prompt, as ours are.

use super::member::{each, get, text, whole};
use crate::json::{Node, Out};
use gatehouse_core::usage::Usage;

/// Reads it. `None` when it counts nothing: Vertex sends it with the kind of traffic alone.
pub(crate) fn read(metadata: Node<'_>) -> Option<Usage> {
    const COUNTS: &[&str] = &[
        "promptTokenCount",
        "candidatesTokenCount",
        "responseTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
    ];
    if COUNTS.iter().all(|name| get(metadata, name).is_none()) {
        return None;
    }
    let count = |name| get(metadata, name).and_then(whole).unwrap_or(0);
    let details = |name, modality| {
        each(get(metadata, name))
            .filter(|detail| text(*detail, "modality").as_deref() == Some(modality))
            .filter_map(|detail| get(detail, "tokenCount").and_then(whole))
            .fold(0u64, u64::saturating_add)
    };
    // Our classes do not overlap: what was read from the cache is in the cached class alone.
    let input = |modality| {
        details("promptTokensDetails", modality).saturating_sub(details("cacheTokensDetails", modality))
    };
    // Sessions call the answer a response.
    let answer = count("candidatesTokenCount").max(count("responseTokenCount"));
    let answered = |modality| {
        details("candidatesTokensDetails", modality).max(details("responseTokensDetails", modality))
    };
    let prompt = count("promptTokenCount");
    let (thoughts, tools) = (count("thoughtsTokenCount"), count("toolUsePromptTokenCount"));
    let usage = Usage {
        input_tokens: prompt.saturating_add(tools),
        cached_read_tokens: count("cachedContentTokenCount"),
        audio_input_tokens: input("AUDIO"),
        image_input_tokens: input("IMAGE"),
        output_tokens: answer.saturating_add(thoughts),
        reasoning_tokens: thoughts,
        audio_output_tokens: answered("AUDIO"),
        image_output_tokens: answered("IMAGE"),
        ..Usage::default()
    };
    Some(usage.clamped())
}

/// The tier that served, in the canonical word.
pub(super) fn tier(metadata: Node<'_>) -> Option<String> {
    let tier = super::member::text(metadata, "serviceTier")?;
    Some(if tier == "standard" { "default".to_owned() } else { tier })
}

/// How many searches a candidate tells of. Models before Gemini 3 are billed by the grounded prompt.
pub(super) fn searches(candidate: Node<'_>, by_query: bool) -> u64 {
    let queries = get(candidate, "groundingMetadata").and_then(|metadata| get(metadata, "webSearchQueries"));
    let queries = u64::try_from(each(queries).count()).unwrap_or(u64::MAX);
    if by_query { queries } else { queries.min(1) }
}

/// Writes it as a member.
pub(super) fn write(out: &mut Out, usage: &Usage, tier: Option<&str>) {
    let answer = usage.output_tokens.saturating_sub(usage.reasoning_tokens);
    let some = |count: u64| (count > 0).then_some(count);
    out.object_field("usageMetadata", |out| {
        out.field("promptTokenCount", usage.input_tokens).field("candidatesTokenCount", answer);
        out.field("totalTokenCount", usage.total_tokens());
        out.field_opt("cachedContentTokenCount", some(usage.cached_read_tokens));
        out.field_opt("thoughtsTokenCount", some(usage.reasoning_tokens));
        let (audio, image) = (usage.audio_input_tokens, usage.image_input_tokens);
        details(out, "promptTokensDetails", usage.input_tokens, audio, image);
        details(out, "candidatesTokensDetails", answer, usage.audio_output_tokens, usage.image_output_tokens);
        out.field_opt("serviceTier", tier.map(|tier| if tier == "default" { "standard" } else { tier }));
    });
}

/// The modalities of a total, where there is more than text.
fn details(out: &mut Out, name: &str, total: u64, audio: u64, image: u64) {
    let words = total.saturating_sub(audio).saturating_sub(image);
    if audio == 0 && image == 0 {
        return;
    }
    out.array_field(name, |out| {
        for (modality, count) in [("TEXT", words), ("AUDIO", audio), ("IMAGE", image)] {
            if count > 0 {
                out.object(|out| {
                    out.field("modality", modality).field("tokenCount", count);
                });
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{get, read, write};
    use crate::json::{Doc, Out, Strictness};
    use bytes::Bytes;
    use gatehouse_core::usage::Usage;
    use proptest::prelude::*;

    fn parse(text: &str) -> Doc {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Provider).unwrap()
    }

    #[test]
    fn thoughts_and_tools_are_counted_in_and_nothing_is_no_usage() {
        let doc = parse(
            r#"{"promptTokenCount":10,"toolUsePromptTokenCount":5,"candidatesTokenCount":"3","thoughtsTokenCount":4,
                "totalTokenCount":22,"cachedContentTokenCount":6,
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":6},{"modality":"IMAGE"}],
                "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":2}]}"#,
        );
        let usage = read(doc.root()).unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.reasoning_tokens), (15, 7, 4));
        assert_eq!((usage.cached_read_tokens, usage.audio_input_tokens), (6, 4));
        assert_eq!(usage.total_tokens(), 22);
        assert_eq!(read(parse(r#"{"trafficType":"ON_DEMAND"}"#).root()), None);
    }

    proptest! {
        #[test]
        fn there_and_back(input in 0u64..99, parts in proptest::array::uniform6(0u64..30)) {
            let [cached, audio, image, output, reasoning, spoken] = parts;
            let usage = Usage {
                input_tokens: input + cached + audio + image,
                cached_read_tokens: cached,
                audio_input_tokens: audio,
                image_input_tokens: image,
                output_tokens: output + reasoning + spoken,
                reasoning_tokens: reasoning,
                audio_output_tokens: spoken,
                ..Usage::default()
            };
            let mut out = Out::new();
            out.object(|out| write(out, &usage, None));
            let doc = parse(out.as_str());
            prop_assert_eq!(get(doc.root(), "usageMetadata").and_then(read), Some(usage));
        }
    }
}
