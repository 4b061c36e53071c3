//! Whose model a name at Bedrock is, and what that maker's models take beyond the common members.

/// The maker of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// Claude.
    Anthropic,
    /// Amazon's Nova.
    Nova,
    /// Nova of the second generation, which thinks.
    Nova2,
    /// OpenAI's open models.
    OpenAi,
    /// Another one, or a name that does not say it (the ARN of a profile, an imported model).
    Other,
}

// === impl Maker ===

impl Maker {
    /// By the name: `anthropic.claude-…`, `us.amazon.nova-2-lite-v1:0`, also inside of an ARN.
    pub(crate) fn of(model: &str) -> Self {
        let has = |word: &str| model.contains(word);
        if has("anthropic.") || has("claude") {
            Self::Anthropic
        } else if has("amazon.nova-2") {
            Self::Nova2
        } else if has("amazon.nova") {
            Self::Nova
        } else if has("openai.") {
            Self::OpenAi
        } else {
            Self::Other
        }
    }

    /// Whether it takes `cachePoint` in messages and instructions; others refuse the request for one.
    pub(crate) fn caches(self) -> bool {
        matches!(self, Self::Anthropic | Self::Nova | Self::Nova2)
    }
}

#[cfg(test)]
mod tests {
    use super::Maker;

    #[test]
    fn makers_are_told_by_the_name() {
        for (name, maker) in [
            ("us.anthropic.claude-sonnet-4-6", Maker::Anthropic),
            ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-haiku-4-5", Maker::Anthropic),
            ("amazon.nova-lite-v1:0", Maker::Nova),
            ("us.amazon.nova-2-lite-v1:0", Maker::Nova2),
            ("openai.gpt-oss-120b-1:0", Maker::OpenAi),
            ("deepseek.r1-v1:0", Maker::Other),
        ] {
            assert_eq!(Maker::of(name), maker, "{name}");
        }
    }
}
