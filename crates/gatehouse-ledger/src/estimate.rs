//! How many tokens a text has, without a tokenizer: for streams whose usage never comes.
//!
//! Tokenizers of large models split text before they look into their vocabulary: into words with the space
//! before them, groups of up to three digits, runs of punctuation, runs of blanks. Where such a run begins
//! and how long it is can be seen from a byte and the eight before it, so the estimate is a sum over bytes
//! of a function without a branch, which compilers turn into vector code. The costs are calibrated against
//! OpenAI's `o200k` (`tests/it/estimate.rs`): within 15 % for prose, code and JSON.

/// A hundredth of a token, so that the cost of a byte fits into a byte.
type Centitoken = u8;

/// A whole token.
const TOKEN: Centitoken = 100;
/// How many bytes before a byte its cost depends on.
const REACH: usize = 8;
/// How many bytes are worked on at once.
const BLOCK: usize = 256;

/// Counts tokens of a text that arrives in pieces; how it is cut does not matter, not even within a letter.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenEstimator {
    centitokens: u64,
    /// The last bytes that were fed; zeros, which cost nothing and begin nothing, before the first.
    before: [u8; REACH],
}

/// The tokens of a whole text.
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    let mut estimator = TokenEstimator::default();
    estimator.feed(text);
    estimator.tokens()
}

// === impl TokenEstimator ===

impl TokenEstimator {
    /// The next piece of the text.
    pub fn feed(&mut self, text: &str) {
        self.feed_bytes(text.as_bytes());
    }

    /// The next piece of the text as UTF-8, which may end within a character.
    pub fn feed_bytes(&mut self, bytes: &[u8]) {
        let mut buffer = [0; REACH + BLOCK];
        for block in bytes.chunks(BLOCK) {
            let (head, rest) = buffer.split_at_mut(REACH);
            head.copy_from_slice(&self.before);
            let (filled, _) = rest.split_at_mut(block.len());
            filled.copy_from_slice(block);
            let (used, _) = buffer.split_at(REACH + block.len());
            self.centitokens += u64::from(block_cost(used));
            if let Some(last) = used.last_chunk() {
                self.before = *last;
            }
        }
    }

    /// The estimate for all that was fed, rounded up.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.centitokens.div_ceil(u64::from(TOKEN))
    }
}

/// The cost of a block after its first `REACH` bytes. At most `BLOCK` × 255 centitokens, so it fits.
fn block_cost(bytes: &[u8]) -> u32 {
    let mut kinds = [0; REACH + BLOCK];
    let mut costs = [0; BLOCK];
    for (kind, &byte) in kinds.iter_mut().zip(bytes) {
        *kind = lookup(&KINDS, byte);
    }
    for (cost, &byte) in costs.iter_mut().zip(bytes.iter().skip(REACH)) {
        *cost = lookup(&CHARACTERS, byte);
    }
    // The same kinds from eight places on: each zip is a row of vector code, without bounds checks.
    let back = |places: usize| kinds.iter().skip(REACH - places).copied();
    let near = back(0).zip(back(1)).zip(back(2)).zip(back(3));
    let far = back(4).zip(back(5)).zip(back(6)).zip(back(8));
    let length = bytes.len().saturating_sub(REACH);
    for (cost, ((((k, k1), k2), k3), (((k4, k5), k6), k8))) in
        costs.iter_mut().zip(near.zip(far)).take(length)
    {
        *cost += runs_cost([k, k1, k2, k3, k4, k5, k6, k8]);
    }
    costs.iter().take(length).map(|&cost| u32::from(cost)).sum()
}

/// What a byte costs by the runs that it begins or prolongs, from its kind and those of bytes before it.
///
/// Kinds are sets of one bit, so `k & k1 & k2` says of every kind at once whether it has lasted for three
/// bytes, and `k & !k1` whether it begins.
#[inline(always)]
const fn runs_cost([k, k1, k2, k3, k4, k5, k6, k8]: [u8; REACH]) -> Centitoken {
    let begins = k & !k1;
    let third = k & k1 & k2;
    let fourth = third & k3;
    let seventh = fourth & k4 & k5 & k6;
    // A word begins at a letter after none, and at a capital after a small letter.
    let after_letter = k1 & LETTER | k2 & ACCENT;
    let word = has(k & (LETTER | ACCENT)) & !has(after_letter) | has(k & UPPER) & has(k1 & LOWER);
    // One space belongs to the word after it, but not to a number, and a second one to none.
    let blank = has(k & (SPACE | DIGIT)) & has(k1 & !k2 & SPACE);
    // The end of a line belongs to the punctuation before it.
    let line = has(begins & NEWLINE) & !has(k1 & PUNCTUATION);
    // The dot of `a.b` often belongs to `b`; so does the line of `a_b`.
    let mark = has(begins & PUNCTUATION) & (has(k1 & LETTER) & 60 | !has(k1 & LETTER) & TOKEN);
    let foreign = has(k & !k2 & OTHER_ALPHABET);
    let foreign_long = has(k & k2 & k4 & k6 & k8 & OTHER_ALPHABET);
    ((word | has(begins & DIGIT) | blank | line | foreign) & TOKEN)
        + mark
        + (has(seventh & LOWER) & 10)
        + (has(third & (UPPER | PUNCTUATION)) & 35)
        + (has(fourth & DIGIT) & 33)
        + (foreign_long & 22)
}

/// All ones when a set is not empty, else zero: `has(set) & 35` is 35 or nothing, without a branch.
#[inline(always)]
const fn has(set: u8) -> u8 {
    if set == 0 { 0 } else { 0xff }
}

// The kinds of bytes, a bit each. Bytes that continue a character have none.
const LOWER: u8 = 1;
const UPPER: u8 = 2;
const LETTER: u8 = LOWER | UPPER;
const DIGIT: u8 = 4;
const SPACE: u8 = 8;
const NEWLINE: u8 = 16;
const PUNCTUATION: u8 = 32;
/// The first of the two bytes of a Latin letter with an accent.
const ACCENT: u8 = 64;
/// The first of the two bytes of a letter of Greek, Cyrillic, Hebrew, Arabic and their neighbours.
const OTHER_ALPHABET: u8 = 128;

#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "constant, checked when compiled")]
static KINDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = kind(byte as u8);
        byte += 1;
    }
    table
};
#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "constant, checked when compiled")]
static CHARACTERS: [Centitoken; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = character(byte as u8);
        byte += 1;
    }
    table
};

/// An entry of a table that has one for every byte.
#[inline(always)]
fn lookup(table: &[u8; 256], byte: u8) -> u8 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

const fn kind(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => LOWER,
        b'A'..=b'Z' => UPPER,
        b'0'..=b'9' => DIGIT,
        b' ' | b'\t' => SPACE,
        b'\n' | b'\r' => NEWLINE,
        b'!'..=b'~' => PUNCTUATION,
        0xc3..=0xc9 => ACCENT,
        0xca..=0xdf => OTHER_ALPHABET,
        _ => 0,
    }
}

/// What the first byte of a character costs that is a word, or much of one, by itself.
const fn character(byte: u8) -> Centitoken {
    match byte {
        0xc2 | 0xe2 | 0xee | 0xef => 80, // dashes, quotes, currency, arrows, wide punctuation
        0xc3..=0xc9 => 110,              // an accent often breaks its word in two
        0xe0 | 0xe1 => 40,               // South and South East Asian scripts
        0xe3 => 68,                      // Japanese syllables, East Asian punctuation
        0xe4..=0xe9 => 72,               // Chinese
        0xea..=0xed => 65,               // Korean
        0xf0..=0xf4 => 200,              // emoji
        _ => 0,
    }
}
