//! Words that mean the same on both sides: stop reasons, tiers, cache marks.

use crate::chat::{CacheMark, Finish};
use crate::json::{Node, Out};

/// Why the model stopped, from `stop_reason`.
pub(super) fn finish_of(stop_reason: &str) -> Finish {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" | "compaction" => Finish::Length,
        "stop_sequence" => Finish::StopSequence,
        "tool_use" => Finish::ToolCalls,
        "pause_turn" => Finish::Pause,
        "refusal" => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}

/// The `stop_reason` of an answer. The provider's own word is kept when it is one of ours and means the same.
pub(super) fn stop_reason(finish: Finish, native: Option<&str>, calls: bool) -> &'static str {
    if let Some(kept) = native.and_then(own_word)
        && finish_of(kept) == finish
    {
        return kept;
    }
    match finish {
        // Some providers say "stop" after tool calls; a client would then never run the tools.
        Finish::Stop if calls => "tool_use",
        Finish::Stop | Finish::Failed => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
        Finish::Pause => "pause_turn",
    }
}

/// Words of ours that [`Finish`] alone would not always give back.
fn own_word(native: &str) -> Option<&'static str> {
    ["model_context_window_exceeded", "compaction", "end_turn"].into_iter().find(|word| *word == native)
}

/// `service_tier` of a request or an answer in the canonical word.
pub(super) fn tier_in(word: &str) -> String {
    match word {
        "standard_only" | "standard" => "default".to_owned(),
        other => other.to_owned(),
    }
}

/// The `service_tier` to ask for; `None` when Anthropic has no such tier.
pub(super) fn tier_asked(tier: &str) -> Option<&'static str> {
    match tier {
        "auto" => Some("auto"),
        "default" => Some("standard_only"),
        _ => None,
    }
}

/// The `usage.service_tier` of an answer.
pub(super) fn tier_served(tier: &str) -> &str {
    if tier == "default" { "standard" } else { tier }
}

/// The cache mark of a block or tool.
pub(super) fn cache_mark(block: Node<'_>) -> Option<CacheMark> {
    let mark = block.opt("cache_control")?;
    let long = mark.opt("ttl").and_then(|ttl| ttl.str()).is_some_and(|ttl| ttl == "1h");
    Some(if long { CacheMark::Long } else { CacheMark::Short })
}

/// Writes a cache mark, where there is one.
pub(super) fn write_mark(out: &mut Out, mark: Option<CacheMark>) {
    let Some(mark) = mark else { return };
    out.object_field("cache_control", |out| {
        out.field("type", "ephemeral");
        if mark == CacheMark::Long {
            out.field("ttl", "1h");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{finish_of, stop_reason};
    use crate::chat::Finish;

    #[test]
    fn every_finish_has_a_word_that_means_it() {
        for finish in [
            Finish::Stop,
            Finish::StopSequence,
            Finish::Length,
            Finish::ToolCalls,
            Finish::ContentFilter,
            Finish::Pause,
        ] {
            assert_eq!(finish_of(stop_reason(finish, None, false)), finish);
        }
        assert_eq!(stop_reason(Finish::Stop, Some("stop"), true), "tool_use");
        assert_eq!(
            stop_reason(Finish::Length, Some("model_context_window_exceeded"), false),
            "model_context_window_exceeded"
        );
        assert_eq!(stop_reason(Finish::Stop, Some("compaction"), false), "end_turn");
    }
}
