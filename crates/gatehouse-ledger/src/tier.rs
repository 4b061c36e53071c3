//! The service tier of a request: the same model, faster or slower, at another price.

/// A provider's way of serving a request, as far as it changes the price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ServiceTier {
    /// The list price.
    #[default]
    Standard,
    /// Within a day, through a batch endpoint.
    Batch,
    /// When there is room.
    Flex,
    /// Before others.
    Priority,
    /// Anthropic's fast mode; at OpenAI another word for priority.
    Fast,
    /// OpenAI's fastest.
    Ultrafast,
}

// === impl ServiceTier ===

impl ServiceTier {
    /// Reads what requests and answers call `service_tier` or `speed`. Words that do not change the
    /// price (`auto`, `default`, `on_demand`, …) and unknown ones are the standard tier.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::named(text).unwrap_or_default()
    }

    /// The tier that the catalogue means by a name.
    pub(crate) fn named(text: &str) -> Option<Self> {
        match text {
            "batch" => Some(Self::Batch),
            "flex" => Some(Self::Flex),
            "priority" => Some(Self::Priority),
            "fast" => Some(Self::Fast),
            "ultrafast" => Some(Self::Ultrafast),
            _ => None,
        }
    }

    /// Whether it costs more than the standard tier, so that the standard price is no safe substitute.
    #[must_use]
    pub fn is_premium(self) -> bool {
        matches!(self, Self::Priority | Self::Fast | Self::Ultrafast)
    }

    /// The name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Fast => "fast",
            Self::Ultrafast => "ultrafast",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServiceTier;

    #[test]
    fn words_that_do_not_change_the_price_are_the_standard_tier() {
        for word in ["auto", "default", "standard", "on_demand", "scale", "standard_only", ""] {
            assert_eq!(ServiceTier::parse(word), ServiceTier::Standard, "{word}");
        }
        for word in ["batch", "flex", "priority", "fast", "ultrafast"] {
            assert_eq!(ServiceTier::parse(word).as_str(), word);
        }
    }
}
