//! Words and phrases that must not pass: whole words, in any letter case.

use crate::{Detector, Unavailable};
use gatehouse_core::verdict::Finding;
use regex::Regex;
use std::sync::Arc;

/// The most words of one guardrail.
pub const WORDS_MAX: usize = 10_000;
/// The longest word or phrase in bytes.
pub const WORD_BYTES_MAX: usize = 200;
/// How much a letter may grow in bytes when its case changes.
const CASE_GROWTH: usize = 3;

/// Finds any of a list of words.
#[derive(Debug)]
pub struct Words {
    pattern: Regex,
    longest: usize,
    category: Arc<str>,
    replacement: Arc<str>,
}

impl Words {
    /// Compiles a list.
    ///
    /// # Errors
    /// Says what is wrong with the list: empty, too long, a word that is too long.
    pub fn new(words: &[String]) -> Result<Self, String> {
        if words.is_empty() {
            return Err("give at least one word".to_owned());
        }
        if words.len() > WORDS_MAX {
            return Err(format!("at most {WORDS_MAX} words"));
        }
        if let Some(bad) = words.iter().find(|word| word.trim().is_empty() || word.len() > WORD_BYTES_MAX) {
            return Err(format!("{bad:?}: a word has 1 to {WORD_BYTES_MAX} bytes"));
        }
        // The longest first, so that "night train" is found before "night".
        let mut sorted: Vec<&str> = words.iter().map(|word| word.trim()).collect();
        sorted.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let longest = sorted.first().map_or(0, |word| word.len());
        let alternatives: Vec<String> = sorted.iter().map(|word| bounded(word)).collect();
        let pattern = regex::RegexBuilder::new(&alternatives.join("|"))
            .case_insensitive(true)
            .size_limit(64 << 20)
            .build()
            .map_err(|error| format!("the list cannot be compiled: {error}"))?;
        Ok(Self { pattern, longest, category: "words".into(), replacement: "[REDACTED]".into() })
    }
}

/// A word as a pattern: whole, where its ends are letters or digits; any run of white space where it has
/// a space.
fn bounded(word: &str) -> String {
    let is_word = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let inner: Vec<String> = word.split_whitespace().map(regex::escape).collect();
    let start = if is_word(word.chars().next()) { r"\b" } else { "" };
    let end = if is_word(word.chars().next_back()) { r"\b" } else { "" };
    format!("{start}{}{end}", inner.join(r"\s{1,8}"))
}

impl Detector for Words {
    fn find(&self, text: &str) -> Result<Vec<Finding>, Unavailable> {
        let finding = |found: regex::Match<'_>| Finding {
            category: Arc::clone(&self.category),
            range: found.range(),
            replacement: Arc::clone(&self.replacement),
        };
        Ok(self.pattern.find_iter(text).map(finding).collect())
    }

    fn lookbehind(&self) -> usize {
        // The longest match with generous case folding and white space, and the characters beside it.
        self.longest * CASE_GROWTH + 8
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a panic is how a test says no")]
mod tests {
    use super::Words;
    use crate::Detector;

    fn found(words: &[&str], text: &str) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let detector = Words::new(&words).unwrap();
        detector.find(text).unwrap().iter().map(|finding| text[finding.range.clone()].to_owned()).collect()
    }

    #[test]
    fn whole_words_in_any_case() {
        assert_eq!(
            found(&["Nightingale"], "NIGHTINGALE, nightingale's; nightingales"),
            ["NIGHTINGALE", "nightingale"]
        );
        assert_eq!(found(&["Straße", "c++"], "STRAßE c++"), ["STRAßE", "c++"]);
        assert_eq!(found(&["night", "night train"], "the night  train"), ["night  train"]);
    }

    #[test]
    fn a_list_that_cannot_work_is_refused() {
        assert!(Words::new(&[]).is_err());
        assert!(Words::new(&[" ".to_owned()]).is_err());
        assert!(Words::new(&["x".repeat(300)]).is_err());
    }
}
