//! What a call used, in the classes that providers bill.

/// Tokens and other billed units of one call.
///
/// One convention for every provider: `input_tokens` and `output_tokens` are **totals**; the other
/// token fields say how much of a total belongs to a class with its own price. Anthropic counts cached
/// tokens beside `input_tokens`, OpenAI and Gemini inside: the dialects normalise to *inside*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All tokens of the prompt, cached ones included.
    pub input_tokens: u64,
    /// Of the input: what the provider counts and does not bill (Cohere's own words around a conversation).
    pub unbilled_input_tokens: u64,
    /// Of the input: read from the provider's prompt cache.
    pub cached_read_tokens: u64,
    /// Of the input: written to the cache for the short lifetime (5 or 30 minutes).
    pub cache_write_tokens: u64,
    /// Of the input: written to the cache for the long lifetime (1 or 12 hours).
    pub cache_write_long_tokens: u64,
    /// Of the input: audio.
    pub audio_input_tokens: u64,
    /// Of the input: images, where the provider prices them apart.
    pub image_input_tokens: u64,
    /// All tokens of the answer, reasoning included.
    pub output_tokens: u64,
    /// Of the output: what the provider counts and does not bill (Cohere).
    pub unbilled_output_tokens: u64,
    /// Of the output: reasoning that may not be shown.
    pub reasoning_tokens: u64,
    /// Of the output: audio.
    pub audio_output_tokens: u64,
    /// Of the output: images.
    pub image_output_tokens: u64,
    /// Web searches that the provider ran and bills by the piece.
    pub searches: u64,
    /// Images made, where the provider bills them by the piece.
    pub images: u64,
    /// Milliseconds of audio heard, where the provider bills it by its length.
    pub audio_millis: u64,
    /// Characters read aloud, where the provider bills them.
    pub characters: u64,
    /// Units in which rankings are billed: a question with up to a hundred documents (Cohere, Amazon Bedrock).
    pub search_units: u64,
}

/// Who counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// Nobody: nothing was sent or nothing came.
    #[default]
    None,
    /// The provider.
    Provider,
    /// We did, because the provider's count never came.
    Estimated,
}

// === impl Usage ===

impl Usage {
    /// Makes the parts fit their totals, as some providers report more cached than input tokens.
    #[must_use]
    pub fn clamped(mut self) -> Self {
        let mut left = self.input_tokens;
        for part in [
            // First: what is billed is what the other classes share.
            &mut self.unbilled_input_tokens,
            &mut self.cached_read_tokens,
            &mut self.cache_write_tokens,
            &mut self.cache_write_long_tokens,
            &mut self.audio_input_tokens,
            &mut self.image_input_tokens,
        ] {
            *part = (*part).min(left);
            left -= *part;
        }
        let mut left = self.output_tokens;
        for part in
            [&mut self.unbilled_output_tokens, &mut self.audio_output_tokens, &mut self.image_output_tokens]
        {
            *part = (*part).min(left);
            left -= *part;
        }
        self.reasoning_tokens = self.reasoning_tokens.min(left);
        self
    }

    /// Both together: what several attempts used.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        let sum = u64::saturating_add;
        Self {
            input_tokens: sum(self.input_tokens, other.input_tokens),
            unbilled_input_tokens: sum(self.unbilled_input_tokens, other.unbilled_input_tokens),
            cached_read_tokens: sum(self.cached_read_tokens, other.cached_read_tokens),
            cache_write_tokens: sum(self.cache_write_tokens, other.cache_write_tokens),
            cache_write_long_tokens: sum(self.cache_write_long_tokens, other.cache_write_long_tokens),
            audio_input_tokens: sum(self.audio_input_tokens, other.audio_input_tokens),
            image_input_tokens: sum(self.image_input_tokens, other.image_input_tokens),
            output_tokens: sum(self.output_tokens, other.output_tokens),
            unbilled_output_tokens: sum(self.unbilled_output_tokens, other.unbilled_output_tokens),
            reasoning_tokens: sum(self.reasoning_tokens, other.reasoning_tokens),
            audio_output_tokens: sum(self.audio_output_tokens, other.audio_output_tokens),
            image_output_tokens: sum(self.image_output_tokens, other.image_output_tokens),
            searches: sum(self.searches, other.searches),
            images: sum(self.images, other.images),
            audio_millis: sum(self.audio_millis, other.audio_millis),
            characters: sum(self.characters, other.characters),
            search_units: sum(self.search_units, other.search_units),
        }
    }

    /// Whether nothing at all was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Input and output together.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

impl UsageSource {
    /// The name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Provider => "provider",
            Self::Estimated => "estimated",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn parts_never_exceed_their_total() {
        let odd = Usage {
            input_tokens: 10,
            cached_read_tokens: 161,
            output_tokens: 5,
            reasoning_tokens: 9,
            ..Usage::default()
        };
        let fixed = odd.clamped();
        assert_eq!((fixed.cached_read_tokens, fixed.reasoning_tokens), (10, 5));
    }
}
