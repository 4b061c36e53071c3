//! Opaque parts that come back: thinking signatures, thought signatures, encrypted reasoning. They are
//! keyed hashes, so that one altered byte is noticed, and stay valid over a restart.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Not a secret: it only has to differ from what a client could compute by accident.
const KEY: &[u8] = b"gatehouse simulated provider, signing key 1";

/// What a signature is for; one kind never passes as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anthropic's `thinking.signature`, over the thinking text.
    Thinking,
    /// Gemini's `thoughtSignature` on a call, over the function's name.
    Call,
    /// Gemini's `thoughtSignature` on a text part, over nothing: texts come in any pieces.
    Text,
    /// The Responses API's `encrypted_content`, over the reasoning it carries.
    Reasoning,
}

/// The signature over a text, in base64.
pub(crate) fn sign(kind: Kind, text: &str) -> String {
    STANDARD.encode(mac(kind, text))
}

/// Whether it is exactly the signature that [`sign`] gave.
pub(crate) fn verify(kind: Kind, text: &str, signature: &str) -> bool {
    sign(kind, text) == signature
}

/// A text sealed so that its owner alone can tell whether it was altered: hash and text in base64.
pub(crate) fn seal(text: &str) -> String {
    let mut sealed = mac(Kind::Reasoning, text);
    sealed.extend_from_slice(text.as_bytes());
    STANDARD.encode(sealed)
}

/// Whether it came from [`seal`], byte for byte.
pub(crate) fn is_sealed(sealed: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(sealed) else { return false };
    let Some((_, text)) = bytes.split_at_checked(32) else { return false };
    std::str::from_utf8(text).is_ok_and(|text| seal(text) == sealed)
}

fn mac(kind: Kind, text: &str) -> Vec<u8> {
    let label: &[u8] = match kind {
        Kind::Thinking => b"thinking\0",
        Kind::Call => b"call\0",
        Kind::Text => b"text\0",
        Kind::Reasoning => b"reasoning\0",
    };
    // HMAC takes a key of any length; the other arm cannot be reached and would only fail to verify.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(KEY) else { return Vec::new() };
    mac.update(label);
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds_do_not_pass_for_each_other() {
        assert!(verify(Kind::Call, "f", &sign(Kind::Call, "f")));
        assert!(!verify(Kind::Thinking, "f", &sign(Kind::Call, "f")));
    }

    proptest! {
        #[test]
        fn an_altered_seal_is_noticed(text in "\\PC{0,60}", at in 0_usize..200, letter in "[A-Za-z0-9]") {
            let sealed = seal(&text);
            prop_assert!(is_sealed(&sealed));
            let at = at % sealed.len();
            let mut altered = sealed.clone();
            altered.replace_range(at..=at, &letter);
            prop_assert_eq!(is_sealed(&altered), altered == sealed);
        }
    }
}
