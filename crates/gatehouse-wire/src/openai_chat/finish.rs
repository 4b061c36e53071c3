//! Why a model stopped, in the many words of the family.

use crate::chat::Finish;
use crate::json::Node;

/// How an answer ended, as its choice says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// In our word.
    pub(super) finish: Finish,
    /// In the provider's.
    pub(super) native: Option<String>,
    /// The stop text that was met (vLLM says).
    pub(super) stop_sequence: Option<String>,
}

// === impl Ending ===

impl Ending {
    /// Reads a choice; `None` while it has not ended. An empty reason is none.
    pub(super) fn read(choice: Node<'_>) -> Option<Self> {
        let word = choice.opt("finish_reason")?.str().filter(|word| !word.is_empty())?.into_owned();
        let native = choice.opt("native_finish_reason").and_then(|word| word.str()).map(Into::into);
        let stop_sequence: Option<String> =
            choice.opt("stop_reason").and_then(|text| text.str()).map(Into::into);
        let finish = match finish(&word) {
            Finish::Stop if stop_sequence.is_some() => Finish::StopSequence,
            other => other,
        };
        Some(Self { finish, native: native.or(Some(word)), stop_sequence })
    }

    /// The ending of an answer whose calls are known: many servers say `stop` after calls, as OpenAI
    /// itself does when the call was forced by name.
    pub(super) fn with_calls(mut self, has_calls: bool) -> Self {
        if has_calls && self.finish == Finish::Stop {
            self.finish = Finish::ToolCalls;
        }
        self
    }
}

fn finish(word: &str) -> Finish {
    match word.to_ascii_lowercase().as_str() {
        "stop_sequence" => Finish::StopSequence,
        "length" | "max_tokens" | "model_length" => Finish::Length,
        "tool_calls" | "tool_use" | "tool_call" | "function_call" => Finish::ToolCalls,
        "content_filter" | "safety" | "refusal" => Finish::ContentFilter,
        "pause_turn" => Finish::Pause,
        "error" => Finish::Failed,
        // `stop`, `eos` (Together), `eos_token` (TGI), `end_turn`, and words that are new.
        _ => Finish::Stop,
    }
}

/// The provider's own word, where ours loses what it says.
pub(super) fn lost_word(finish: Finish, native: Option<&str>) -> Option<&str> {
    native.filter(|_| matches!(finish, Finish::Pause | Finish::Failed))
}
