//! How many tokens a request can have at most, from its size alone: for reservations, before anybody counts.

/// What a request is made of, as far as its size tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestSize {
    /// UTF-8 bytes of all its texts: messages, tool definitions, schemas.
    pub text_bytes: u64,
    /// Messages, each with some tokens of its own.
    pub messages: u64,
    /// Images, wherever they lie.
    pub images: u64,
    /// Bytes of audio and documents as they travel (base64).
    pub file_bytes: u64,
}

/// Fewer bytes to a token than prose and code of any script has on average; only dense digits and
/// punctuation have fewer.
const TEXT_BYTES_PER_TOKEN: u64 = 2;
/// The roles and separators of a message.
const TOKENS_PER_MESSAGE: u64 = 8;
/// The instructions that providers add when tools are defined, and the primer of the answer.
const TOKENS_PER_REQUEST: u64 = 16;
/// A picture of the largest size that is not scaled down, at the dearest of the large providers.
const TOKENS_PER_IMAGE: u64 = 1_700;
/// A page of PDF is some 2,000 tokens in rarely less than 20 kB; a second of audio 25 in 3 kB or more.
const FILE_BYTES_PER_TOKEN: u64 = 10;

// === impl RequestSize ===

impl RequestSize {
    /// Tokens that the prompt has at most, by any ordinary content.
    #[must_use]
    pub fn tokens_max(&self) -> u64 {
        let parts = [
            self.text_bytes.div_ceil(TEXT_BYTES_PER_TOKEN),
            self.messages.saturating_mul(TOKENS_PER_MESSAGE),
            self.images.saturating_mul(TOKENS_PER_IMAGE),
            self.file_bytes.div_ceil(FILE_BYTES_PER_TOKEN),
        ];
        parts.into_iter().fold(TOKENS_PER_REQUEST, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::RequestSize;

    #[test]
    fn every_part_counts_and_nothing_overflows() {
        let size = RequestSize { text_bytes: 1_001, messages: 2, images: 1, file_bytes: 95 };
        assert_eq!(size.tokens_max(), 16 + 501 + 16 + 1_700 + 10);
        let huge =
            RequestSize { text_bytes: u64::MAX, messages: u64::MAX, images: u64::MAX, file_bytes: u64::MAX };
        assert_eq!(huge.tokens_max(), u64::MAX);
    }
}
