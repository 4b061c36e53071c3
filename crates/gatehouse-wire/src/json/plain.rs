//! Passing over what stands for itself in a string: most of every body is that.

/// How many bytes at the front stand for themselves in a string: no quote, no backslash, no control
/// character. Eight are looked at as one number, for most strings are names and short words; what goes on
/// beyond [`SHORT_BYTES`] is a text, and looked at in blocks, which compilers make a few wide instructions of.
pub(super) fn plain_bytes(text: &[u8]) -> usize {
    let (short, long) = text.split_at_checked(SHORT_BYTES).unwrap_or((text, &[]));
    let passed = plain_bytes_by_eight(short);
    if passed < SHORT_BYTES {
        return passed;
    }
    let special = |byte: u8| (byte == b'"') | (byte == b'\\') | (byte < 0x20);
    let (blocks, _) = long.as_chunks::<32>();
    let plain = |block: &&[u8; 32]| !block.iter().fold(false, |found, byte| found | special(*byte));
    let passed = passed + blocks.iter().take_while(plain).count() * 32;
    passed + plain_bytes_by_eight(text.get(passed..).unwrap_or_default())
}

/// The longest string that is looked at by eight bytes alone.
const SHORT_BYTES: usize = 64;

fn plain_bytes_by_eight(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let found = special_bytes(u64::from_le_bytes(*word));
        if found != 0 {
            return at * 8 + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
        }
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    text.len() - rest.len() + rest.iter().position(special).unwrap_or(rest.len())
}

/// The top bit of each byte that is special; of those above the first one some that are not.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & TOPS;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    equal(b'"') | equal(b'\\') | below(word, 0x20)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        /// Looking at eight bytes at once finds what looking at each finds.
        #[test]
        fn plain_bytes_are_counted(text in proptest::collection::vec(32u8..=255, 0..200), at in 0..400usize, byte in prop::sample::select(b"\"\\\x00\x1f".to_vec())) {
            let mut text = text;
            if let Some(place) = text.get_mut(at) { *place = byte; }
            let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let expected = text.iter().position(special).unwrap_or(text.len());
            prop_assert_eq!(super::plain_bytes(&text), expected);
        }
    }
}
