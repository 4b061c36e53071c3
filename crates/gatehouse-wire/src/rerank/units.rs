//! The units in which Cohere and Amazon Bedrock bill rankings, for reservations and where no count comes.
//!
//! A unit is one question with up to a hundred documents; a document that with the question is longer than five hundred
//! tokens counts once for each such piece. <https://cohere.com/pricing>, <https://aws.amazon.com/bedrock/pricing/>

/// Documents in a unit.
const DOCUMENTS: u64 = 100;
/// Tokens of a question and a piece of a document.
const PIECE_TOKENS: u64 = 500;
/// What a long question leaves of that for the document at least.
const ROOM_TOKENS_MIN: u64 = PIECE_TOKENS / 2;

/// The most units that a ranking can be, by the number of documents and the tokens of the question and of all
/// documents together.
#[must_use]
pub fn search_units(documents: u64, query_tokens: u64, document_tokens: u64) -> u64 {
    let room = PIECE_TOKENS.saturating_sub(query_tokens).max(ROOM_TOKENS_MIN);
    // Each document begins a piece of its own, and each room that is filled begins another.
    let pieces = documents.saturating_add(document_tokens / room);
    pieces.div_ceil(DOCUMENTS).max(1)
}

#[cfg(test)]
mod tests {
    use super::search_units;
    use proptest::prelude::*;

    #[test]
    fn a_hundred_short_documents_are_one_unit() {
        assert_eq!(search_units(1, 5, 20), 1);
        assert_eq!(search_units(100, 5, 400), 1);
        assert_eq!(search_units(101, 5, 400), 2);
        assert_eq!(search_units(0, 0, 0), 1);
    }

    proptest! {
        /// However the tokens are spread, no document is counted in fewer pieces than it has.
        #[test]
        fn long_documents_never_count_less(query in 0_u64..250, sizes in proptest::collection::vec(1_u64..3_000, 1..200)) {
            let room = 500 - query;
            let pieces: u64 = sizes.iter().map(|size| size.div_ceil(room)).sum();
            let documents = u64::try_from(sizes.len()).unwrap();
            let most = search_units(documents, query, sizes.iter().sum());
            prop_assert!(most >= pieces.div_ceil(100));
        }
    }
}
