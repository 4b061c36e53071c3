//! What a response that is under way has used so far: the provider tells at its end, and only then.

use gatehouse_core::usage::Usage;
use gatehouse_ledger::TokenEstimator;
use gatehouse_wire::realtime::{Asked, Said};

/// Characters of base64 that are a token of spoken input: ten tokens a second, of PCM at 24 kHz and 16 bits.
const INPUT_CHARS_PER_TOKEN: usize = 6_400;
/// The same of the model's voice, which is twenty tokens a second.
const OUTPUT_CHARS_PER_TOKEN: usize = 3_200;

/// The responses of a session, counted by us while nobody else has.
#[derive(Default)]
pub(super) struct Turns {
    /// How many are under way.
    running: u32,
    /// What the last one had in its context, its answer included.
    context: u64,
    /// What the caller said since.
    asked: TokenEstimator,
    asked_audio_chars: usize,
    /// What the model has said in those under way.
    said: TokenEstimator,
    said_audio_chars: usize,
}

// === impl Turns ===

impl Turns {
    /// Whether a response is under way.
    pub(super) fn is_running(&self) -> bool {
        self.running > 0
    }

    /// The caller said something.
    pub(super) fn asked(&mut self, text: &str, asked: &Asked) {
        asked
            .spans
            .iter()
            .filter_map(|span| text.get(span.range.clone()))
            .for_each(|text| self.asked.feed(text));
        self.asked_audio_chars = self.asked_audio_chars.saturating_add(asked.audio_chars);
    }

    /// A response begins.
    pub(super) fn begins(&mut self) {
        self.running = self.running.saturating_add(1);
    }

    /// The model says something.
    pub(super) fn said(&mut self, said: &Said) {
        if let Some(piece) = &said.piece {
            self.said.feed(&piece.text);
        }
    }

    /// The model speaks, in an event of so many bytes.
    pub(super) fn spoke(&mut self, bytes: usize) {
        self.said_audio_chars = self.said_audio_chars.saturating_add(bytes);
    }

    /// A response is over, and used that.
    pub(super) fn over(&mut self, usage: &Usage) {
        let context = usage.input_tokens.saturating_add(usage.output_tokens);
        *self = Self { running: self.running.saturating_sub(1), context, ..Self::default() };
    }

    /// What those under way have used by our count.
    pub(super) fn counted(&self) -> Usage {
        let audio_input_tokens = wide(self.asked_audio_chars / INPUT_CHARS_PER_TOKEN);
        let audio_output_tokens = wide(self.said_audio_chars / OUTPUT_CHARS_PER_TOKEN);
        Usage {
            input_tokens: self.context + self.asked.tokens() + audio_input_tokens,
            audio_input_tokens,
            output_tokens: self.said.tokens() + audio_output_tokens,
            audio_output_tokens,
            ..Usage::default()
        }
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Turns;
    use gatehouse_core::usage::Usage;

    #[test]
    fn a_response_that_is_cut_is_counted_with_what_came_before_it() {
        let mut turns = Turns::default();
        turns.begins();
        turns.over(&Usage { input_tokens: 100, output_tokens: 20, ..Usage::default() });
        assert!(!turns.is_running());
        turns.begins();
        turns.spoke(32_000);
        let counted = turns.counted();
        assert_eq!((counted.input_tokens, counted.output_tokens, counted.audio_output_tokens), (120, 10, 10));
        assert!(turns.is_running());
    }
}
