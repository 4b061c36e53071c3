//! The estimator against a real tokenizer, on texts of the kinds that calls carry.

use gatehouse_ledger::{TokenEstimator, estimate_tokens};
use proptest::prelude::*;

/// The largest error that is taken, in hundredths of the real count.
const ERROR_PERCENT_MAX: u64 = 15;

const SAMPLES: [(&str, &str); 9] = [
    ("English", include_str!("samples/english.txt")),
    ("German", include_str!("samples/german.txt")),
    ("Chinese", include_str!("samples/chinese.txt")),
    ("Japanese", include_str!("samples/japanese.txt")),
    ("Russian", include_str!("samples/russian.txt")),
    ("Rust", include_str!("samples/rust.txt")),
    ("Python", include_str!("samples/python.txt")),
    ("JSON", include_str!("samples/json.txt")),
    ("Markdown", include_str!("samples/markdown.txt")),
];

#[test]
fn the_estimate_is_within_its_bound_of_a_real_tokenizer() {
    let tokenizer = bpe_openai::o200k_base();
    for (name, text) in SAMPLES {
        let real = u64::try_from(tokenizer.count(text)).unwrap();
        let estimate = estimate_tokens(text);
        println!("{name}: {estimate} for {real}, {} %", i128::from(estimate * 100 / real) - 100);
        assert!(
            estimate.abs_diff(real) * 100 <= real * ERROR_PERCENT_MAX,
            "{name}: estimated {estimate}, really {real}"
        );
    }
}

proptest! {
    /// A stream is cut anywhere: the count is that of the whole.
    #[test]
    fn cutting_changes_nothing(text in "\\PC{0,80}", cuts in prop::collection::vec(0_usize..400, 0..6)) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut estimator = TokenEstimator::default();
        let mut from = 0;
        for to in cuts.into_iter().chain([bytes.len()]) {
            estimator.feed_bytes(&bytes[from..to]);
            from = to;
        }
        prop_assert_eq!(estimator.tokens(), estimate_tokens(&text));
    }

    /// More text is never fewer tokens, and there are never more tokens than twice the bytes.
    #[test]
    fn the_count_grows_with_the_text(head in "\\PC{0,40}", tail in "\\PC{0,40}") {
        let whole = estimate_tokens(&format!("{head}{tail}"));
        prop_assert!(whole + 1 >= estimate_tokens(&head));
        prop_assert!(whole <= 2 * u64::try_from(head.len() + tail.len()).unwrap());
    }
}
