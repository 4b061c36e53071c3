//! The simulator's tokens are words: counting them, cutting a text into chunks, cutting it short.

use crate::options::STREAM_CHUNKS_MAX;

/// The number of words, which is the number of tokens here.
pub(crate) fn count(text: &str) -> u64 {
    u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX)
}

/// The text in chunks of a word each, every word with the space before it, so that the chunks joined
/// are the text. A long text gets at most [`STREAM_CHUNKS_MAX`] chunks of several words.
pub(crate) fn chunks(text: &str) -> Vec<&str> {
    let starts = word_starts(text);
    let each = starts.len().div_ceil(STREAM_CHUNKS_MAX).max(1);
    let mut cuts: Vec<usize> = starts.iter().copied().step_by(each).skip(1).collect();
    cuts.push(text.len());
    pieces_at(text, cuts)
}

/// The text in pieces of about `bytes` bytes, never inside a character: how arguments are streamed.
pub(crate) fn pieces(text: &str, bytes: usize) -> Vec<&str> {
    let each = bytes.max(text.len().div_ceil(STREAM_CHUNKS_MAX)).max(1);
    let mut cuts = Vec::new();
    let mut last = 0;
    for (at, _) in text.char_indices() {
        if at >= last + each {
            cuts.push(at);
            last = at;
        }
    }
    cuts.push(text.len());
    pieces_at(text, cuts)
}

/// The first `max` words, and whether anything was cut.
pub(crate) fn cut(text: &str, max: u64) -> (&str, bool) {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    match word_starts(text).get(max) {
        Some(at) => (text.get(..*at).unwrap_or(text), true),
        None => (text, false),
    }
}

/// The first `max` characters.
pub(crate) fn head(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// Where each word begins: the first at 0, every later one at the whitespace before it.
fn word_starts(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let (mut in_word, mut gap) = (false, 0);
    for (at, letter) in text.char_indices() {
        if letter.is_whitespace() {
            if in_word {
                gap = at;
            }
            in_word = false;
        } else if !in_word {
            starts.push(gap);
            in_word = true;
        }
    }
    starts
}

/// The text cut at the given places, the last of which is its end.
fn pieces_at(text: &str, cuts: Vec<usize>) -> Vec<&str> {
    let mut from = 0;
    let mut pieces = Vec::with_capacity(cuts.len());
    for to in cuts {
        pieces.extend(text.get(from..to).filter(|piece| !piece.is_empty()));
        from = to;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_word_keeps_the_space_before_it() {
        assert_eq!(chunks("You said: hello  there\n"), ["You", " said:", " hello", "  there\n"]);
        assert_eq!(chunks(""), Vec::<&str>::new());
    }

    #[test]
    fn cutting_counts_words() {
        assert_eq!(cut("one two three", 2), ("one two", true));
        assert_eq!(cut("one two", 2), ("one two", false));
        assert_eq!(cut("one two", 0), ("", true));
    }

    proptest! {
        #[test]
        fn pieces_joined_are_the_text(text in "\\PC{0,300}", bytes in 1_usize..20) {
            prop_assert_eq!(chunks(&text).concat(), text.as_str());
            prop_assert_eq!(pieces(&text, bytes).concat(), text.as_str());
        }

        #[test]
        fn a_cut_text_has_so_many_words(text in "[a-z ]{0,80}", max in 0_u64..20) {
            prop_assert_eq!(count(cut(&text, max).0), count(&text).min(max));
        }
    }
}
