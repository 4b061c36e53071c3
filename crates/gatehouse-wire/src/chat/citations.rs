//! Where a model has its words from, as far as the dialects that say so have it in common.

use super::{Block, Extension};
use gatehouse_core::content::Dialect;
use std::ops::Range;

/// Before the path of what was left out of an answer, to tell it from members of the request.
const OF_ANSWER: &str = "answer.";

/// The sources of what was said so far: a block of its own, behind the text that it backs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citations {
    /// What every dialect with citations understands of them.
    pub all: Vec<Citation>,
    /// As their maker wrote them, for callers of the same dialect.
    pub own: Extension,
}

/// One source of something that was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation {
    /// Where the source is on the web; `None` for documents and stores of the caller's.
    pub url: Option<String>,
    /// What it is called.
    pub title: Option<String>,
    /// The words of the source.
    pub quote: Option<String>,
    /// The words that it backs: characters (Unicode scalar values) of all text of the answer, put together.
    /// `None` where the dialect does not say.
    pub span: Option<Range<u64>>,
}

// === impl Block ===

impl Block {
    /// The name of what a caller of the dialect `to` will not see of this block of an answer.
    #[must_use]
    pub fn lost_in(&self, to: Dialect) -> Option<String> {
        let name = |what: &str| Some(format!("{OF_ANSWER}{}", without_places(what)));
        match self {
            Self::Opaque(own) | Self::Citations(Citations { own, .. }) if own.origin == to => None,
            Self::Opaque(own) => name(&own.path),
            // What has no address has a place in the dialect of its maker alone.
            Self::Citations(cited) => {
                let all_have = cited.all.iter().all(|one| one.url.is_some());
                if all_have && to != Dialect::OpenAiCompletions { None } else { name(&cited.own.path) }
            }
            Self::Thought(_) if to == Dialect::OpenAiCompletions => name("reasoning"),
            Self::Text { .. } | Self::Thought(_) | Self::ToolCall(_) | Self::Refusal(_) => None,
        }
    }
}

// === impl Citation ===

impl Citation {
    /// The same, when `before` characters stand before the text that its span counts from.
    #[must_use]
    pub(crate) fn shifted(mut self, before: u64) -> Self {
        self.span = self.span.map(|span| span.start.saturating_add(before)..span.end.saturating_add(before));
        self
    }

    /// The span inside of a text before which `before` characters stand; at the text's start when it is not
    /// known, as the dialects that demand one have it then.
    pub(crate) fn span_behind(&self, before: u64) -> Range<u64> {
        let span = self.span.clone().unwrap_or(before..before);
        span.start.saturating_sub(before)..span.end.saturating_sub(before)
    }
}

/// A path without the places in lists, so that what an answer has many times is named once.
fn without_places(path: &str) -> String {
    let mut inside = false;
    let is_kept = |letter: &char| {
        let was_inside = inside;
        inside = (inside || *letter == '[') && *letter != ']';
        !was_inside && !inside
    };
    path.chars().filter(is_kept).collect()
}

/// How many characters a text has.
pub(crate) fn chars(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

/// A span that says something: servers without one send zeros.
pub(crate) fn span(start: Option<u64>, end: Option<u64>) -> Option<Range<u64>> {
    let (start, end) = (start.unwrap_or_default(), end?);
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::{Citation, Citations};
    use crate::chat::{Block, Extension, RawJson, Thought, Weight};
    use gatehouse_core::content::Dialect;

    fn cited(url: Option<&str>) -> Block {
        let own = Extension {
            path: "annotations".to_owned(),
            value: RawJson("[]".to_owned()),
            origin: Dialect::OpenAiChat,
            weight: Weight::Hint,
        };
        let one = Citation { url: url.map(Into::into), ..Citation::default() };
        Block::Citations(Citations { all: vec![one], own })
    }

    #[test]
    fn a_name_is_the_same_wherever_in_the_answer() {
        assert_eq!(super::without_places("content[12].citations"), "content.citations");
        assert_eq!(super::without_places("candidates[0].content.parts[3]"), "candidates.content.parts");
    }

    #[test]
    fn what_has_no_place_is_named() {
        let lost = Some("answer.annotations".to_owned());
        for (block, to, expected) in [
            (cited(None), Dialect::OpenAiChat, None),
            (cited(None), Dialect::AnthropicMessages, lost.clone()),
            (cited(Some("u")), Dialect::AnthropicMessages, None),
            (cited(Some("u")), Dialect::OpenAiCompletions, lost),
            (Block::text("a"), Dialect::OpenAiCompletions, None),
            (
                Block::Thought(Thought::default()),
                Dialect::OpenAiCompletions,
                Some("answer.reasoning".to_owned()),
            ),
        ] {
            assert_eq!(block.lost_in(to), expected);
        }
    }
}
