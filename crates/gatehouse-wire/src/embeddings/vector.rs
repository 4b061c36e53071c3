//! One vector, as it came, and its two forms.

use super::Encoding;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_core::error::{Code, Error};
use std::borrow::Cow;
use std::fmt::Write as _;

/// A vector as its provider wrote it. Providers compute in 32 bits or fewer, so the way through `f32`
/// and back loses nothing of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vector {
    /// A JSON list of numbers, digits untouched.
    Numbers(String),
    /// Base64 of little-endian 32-bit floats.
    Base64(String),
}

// === impl Vector ===

impl Vector {
    /// The inside of a JSON value in this encoding: a list of numbers, or the text of a base64 string.
    pub(super) fn encoded(&self, encoding: Encoding) -> Result<Cow<'_, str>, Error> {
        match (self, encoding) {
            (Self::Numbers(text), Encoding::Float) => {
                floats(text)?;
                Ok(Cow::Borrowed(text))
            }
            (Self::Base64(text), Encoding::Base64) => Ok(Cow::Borrowed(text)),
            (Self::Numbers(text), Encoding::Base64) => {
                let bytes: Vec<u8> = floats(text)?.into_iter().flat_map(f32::to_le_bytes).collect();
                Ok(Cow::Owned(STANDARD.encode(bytes)))
            }
            (Self::Base64(text), Encoding::Float) => {
                let bytes = STANDARD.decode(text).map_err(|error| bad(&error.to_string()))?;
                list(&bytes).map(Cow::Owned)
            }
        }
    }
}

/// The numbers of a JSON list.
fn floats(list: &str) -> Result<Vec<f32>, Error> {
    let inside = list.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default();
    inside.split(',').map(|number| number_of(number.trim())).collect()
}

/// Stricter than `parse`, which knows `+1`, `1.` and `.5`.
fn number_of(text: &str) -> Result<f32, Error> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let first = digits.starts_with(|letter: char| letter.is_ascii_digit());
    let number: Option<f32> = text.parse().ok().filter(|number: &f32| number.is_finite());
    let pointless = digits.contains(".e") || digits.contains(".E") || digits.ends_with('.');
    number.filter(|_| first && !pointless).ok_or_else(|| bad("not a number of 32 bits"))
}

/// A JSON list of the floats in `bytes`, each with the fewest digits that mean it.
fn list(bytes: &[u8]) -> Result<String, Error> {
    let (floats, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(bad("not a whole number of 32-bit floats"));
    }
    let mut text = String::with_capacity(floats.len().saturating_mul(12) + 2);
    for (at, float) in floats.iter().enumerate() {
        let number = f32::from_le_bytes(*float);
        if !number.is_finite() {
            return Err(bad("a number that is infinite or none"));
        }
        text.push(if at == 0 { '[' } else { ',' });
        // Writing into a string cannot fail.
        let _ = write!(text, "{number:?}");
    }
    text.push_str(if floats.is_empty() { "[]" } else { "]" });
    Ok(text)
}

fn bad(why: &str) -> Error {
    Error::new(Code::UpstreamBadResponse, "the provider's vector cannot be read").detail(why)
}

#[cfg(test)]
mod tests {
    use super::{Encoding, Vector};
    use proptest::prelude::*;

    fn turn(vector: &Vector, encoding: Encoding) -> String {
        vector.encoded(encoding).unwrap().into_owned()
    }

    #[test]
    fn the_form_is_little_endian() {
        assert_eq!(turn(&Vector::Numbers("[1.0, -2]".to_owned()), Encoding::Base64), "AACAPwAAAMA=");
        assert_eq!(turn(&Vector::Base64("AACAPwAAAMA=".to_owned()), Encoding::Float), "[1.0,-2.0]");
        assert_eq!(turn(&Vector::Base64(String::new()), Encoding::Float), "[]");
        for wrong in ["[+1]", "[1.]", "[]", "[1e99]", "[1,]", "[01x]"] {
            assert!(Vector::Numbers(wrong.to_owned()).encoded(Encoding::Float).is_err(), "{wrong}");
        }
        for wrong in ["AAA", "AACAfw==", "!"] {
            assert!(Vector::Base64(wrong.to_owned()).encoded(Encoding::Float).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bit_is_lost(numbers in proptest::collection::vec(any::<f32>().prop_filter("finite", |number| number.is_finite()), 1..20)) {
            let text: Vec<_> = numbers.iter().map(|number| format!("{number:?}")).collect();
            let list = Vector::Numbers(format!("[{}]", text.join(",")));
            let packed = Vector::Base64(turn(&list, Encoding::Base64));
            prop_assert_eq!(Vector::Numbers(turn(&packed, Encoding::Float)), list);
        }
    }
}
