//! The word that was probably meant.

/// The longest word that is compared: the time for a comparison grows with the square of it.
const WORD_CHARS_MAX: usize = 64;

/// The nearest of the known words, if one is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let length = word.chars().count();
    if length > WORD_CHARS_MAX {
        return None;
    }
    let word = word.to_lowercase();
    // A third of the letters may be wrong: enough for slips, too few for another word.
    let distance_max = (length / 3).max(1);
    known
        .into_iter()
        .filter(|known| known.len() <= WORD_CHARS_MAX * 4)
        .map(|known| (strsim::damerau_levenshtein(&word, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known.to_owned())
}

/// Words as an enumeration: `order, cost or weight`.
pub(crate) fn enumerated(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{enumerated, nearest};

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["claude", "openai", "gemini"];
        assert_eq!(nearest("cluade", known).as_deref(), Some("claude"));
        assert_eq!(nearest("OpenAI", known).as_deref(), Some("openai"));
        assert_eq!(nearest("mistral", known), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
    }

    #[test]
    fn words_are_enumerated() {
        assert_eq!(enumerated(&["a", "b", "c"]), "a, b or c");
        assert_eq!(enumerated(&["a"]), "a");
    }
}
