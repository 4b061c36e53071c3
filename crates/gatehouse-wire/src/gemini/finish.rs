//! Why a model stopped, in Google's words.

use crate::chat::Finish;

/// Google's reasons (<https://ai.google.dev/api/generate-content#FinishReason>) and ours.
const REASONS: &[(&str, Finish)] = &[
    ("STOP", Finish::Stop),
    ("MAX_TOKENS", Finish::Length),
    ("CONTINUATION", Finish::Length),
    ("SAFETY", Finish::ContentFilter),
    ("RECITATION", Finish::ContentFilter),
    ("LANGUAGE", Finish::ContentFilter),
    ("BLOCKLIST", Finish::ContentFilter),
    ("PROHIBITED_CONTENT", Finish::ContentFilter),
    ("SPII", Finish::ContentFilter),
    ("IMAGE_SAFETY", Finish::ContentFilter),
    ("IMAGE_PROHIBITED_CONTENT", Finish::ContentFilter),
    ("IMAGE_RECITATION", Finish::ContentFilter),
    ("IMAGE_OTHER", Finish::ContentFilter),
    ("MODEL_ARMOR", Finish::ContentFilter),
    ("ESCALATION", Finish::ContentFilter),
    ("JAILBREAK", Finish::ContentFilter),
    ("NO_IMAGE", Finish::Failed),
    ("OTHER", Finish::Failed),
    ("FINISH_REASON_UNSPECIFIED", Finish::Failed),
    ("MALFORMED_FUNCTION_CALL", Finish::Failed),
    ("UNEXPECTED_TOOL_CALL", Finish::Failed),
    ("TOO_MANY_TOOL_CALLS", Finish::Failed),
    ("MISSING_THOUGHT_SIGNATURE", Finish::Failed),
    ("MALFORMED_RESPONSE", Finish::Failed),
];

/// Reads a `finishReason`. Google says `STOP` when a model calls tools, too.
pub(super) fn read(reason: &str, calls: bool) -> Finish {
    let known = REASONS.iter().find(|(own, _)| *own == reason);
    match known.map_or(Finish::Failed, |(_, finish)| *finish) {
        Finish::Stop | Finish::Failed if calls => Finish::ToolCalls,
        finish => finish,
    }
}

/// Writes a `finishReason`; Google's own word comes back as it was.
pub(super) fn write(finish: Finish, native: Option<&str>) -> &'static str {
    let own = REASONS
        .iter()
        .find(|(own, meaning)| Some(*own) == native && (*meaning == finish || finish == Finish::ToolCalls));
    own.map_or(
        match finish {
            Finish::Stop | Finish::StopSequence | Finish::ToolCalls | Finish::Pause => "STOP",
            Finish::Length => "MAX_TOKENS",
            Finish::ContentFilter => "SAFETY",
            Finish::Failed => "OTHER",
        },
        |(own, _)| *own,
    )
}

#[cfg(test)]
mod tests {
    use super::{REASONS, read, write};
    use crate::chat::Finish;

    #[test]
    fn every_reason_comes_back() {
        for (reason, finish) in REASONS {
            assert_eq!(write(read(reason, false), Some(reason)), *reason);
            assert_eq!(read(reason, false), *finish);
        }
        assert_eq!(read("STOP", true), Finish::ToolCalls);
        assert_eq!(read("MAX_TOKENS", true), Finish::Length);
        assert_eq!(write(Finish::ToolCalls, Some("tool_use")), "STOP");
    }
}
