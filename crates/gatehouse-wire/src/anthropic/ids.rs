//! Ids of tool calls in the form that Anthropic demands: `^[a-zA-Z0-9_-]+$`.

use std::borrow::Cow;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// An id as Anthropic takes it. The same id always gives the same result, so a call and its result still
/// match; different ids stay different, as a changed one ends in a hash of what it was.
pub(crate) fn clean(id: &str) -> Cow<'_, str> {
    if is_clean(id) {
        return Cow::Borrowed(id);
    }
    let safe: String = id.chars().map(|one| if is_allowed(one) { one } else { '_' }).collect();
    Cow::Owned(format!("{safe}_{:016x}", fnv(id.as_bytes())))
}

/// Whether a tool's name can be said: the same letters as ids.
pub(crate) fn is_clean(name: &str) -> bool {
    !name.is_empty() && name.chars().all(is_allowed)
}

fn is_allowed(one: char) -> bool {
    one.is_ascii_alphanumeric() || matches!(one, '_' | '-')
}

/// A short hash that is the same everywhere and always.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::{clean, is_clean};
    use proptest::prelude::*;

    proptest! {
        /// Clean, the same each time, untouched when clean already, and never two for one.
        #[test]
        fn clean_and_faithful(one in any::<String>(), other in any::<String>()) {
            prop_assert!(is_clean(&clean(&one)));
            let once = clean(&one);
            prop_assert_eq!(clean(&once), once.as_ref());
            prop_assert_eq!(one == other, clean(&one) == clean(&other));
        }
    }
}
