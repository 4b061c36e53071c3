//! Seals on foreign ground.
//!
//! A signature that Anthropic made has to come back to Anthropic byte for byte, also when the caller
//! speaks Gemini. In its maker's dialect a seal stands bare. In any other it is wrapped: an envelope in
//! base64 (so that SDKs which decode the field as bytes keep it) that names the maker and, where the seal
//! belongs to something other than the block that carries it, what it belongs to. What comes back is
//! unwrapped, and given to its maker only.

use crate::chat::{Origin, Seal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Marks our envelopes; the NUL cannot be in a provider's own base64 text by accident.
const MARK: &str = "gatehouse-seal-1\0";

/// A seal that was found in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwrapped {
    /// The seal.
    pub seal: Seal,
    /// What it belongs to, when not to the block that carried it: the id of a tool call.
    pub belongs_to: Option<String>,
}

/// The envelope of a seal for a dialect that is not its maker's. `belongs_to` is empty when it seals the
/// block that carries it.
#[must_use]
pub fn wrap(seal: &Seal, belongs_to: &str) -> String {
    let origin = seal.origin.as_str();
    STANDARD.encode(format!("{MARK}{origin}\0{belongs_to}\0{}", seal.value))
}

/// Reads what a caller returned in a field of `native`'s dialect: our envelope, or `native`'s own seal.
#[must_use]
pub fn unwrap(value: &str, native: Origin) -> Unwrapped {
    open(value).unwrap_or_else(|| Unwrapped {
        seal: Seal { origin: native, value: value.to_owned() },
        belongs_to: None,
    })
}

/// Writes a seal into a field of `native`'s dialect: bare when it is its own, wrapped when it is not.
#[must_use]
pub fn write(seal: &Seal, native: Origin) -> String {
    if seal.origin == native { seal.value.clone() } else { wrap(seal, "") }
}

/// Reads an envelope of ours; `None` when it is none.
pub(crate) fn open(value: &str) -> Option<Unwrapped> {
    let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let mut parts = decoded.strip_prefix(MARK)?.splitn(3, '\0');
    let name = parts.next()?;
    let origin = Origin::ALL.iter().copied().find(|origin| origin.as_str() == name)?;
    let belongs_to = Some(parts.next()?.to_owned()).filter(|id| !id.is_empty());
    Some(Unwrapped { seal: Seal { origin, value: parts.next()?.to_owned() }, belongs_to })
}

#[cfg(test)]
mod tests {
    use super::{open, unwrap, wrap, write};
    use crate::chat::{Origin, Seal};
    use proptest::prelude::*;

    proptest! {
        /// A seal comes back byte for byte, whatever its maker put in it.
        #[test]
        fn there_and_back(value in any::<String>(), id in "[a-zA-Z0-9_:.-]{0,20}") {
            let seal = Seal { origin: Origin::Gemini, value };
            let back = unwrap(&wrap(&seal, &id), Origin::Anthropic);
            prop_assert_eq!(back.seal, seal);
            prop_assert_eq!(back.belongs_to.unwrap_or_default(), id);
        }

        /// A maker's own seal stands bare and is never taken for an envelope.
        #[test]
        fn own_seals_stay_bare(value in "[A-Za-z0-9+/=]{0,80}") {
            let seal = Seal { origin: Origin::Anthropic, value };
            prop_assert_eq!(&write(&seal, Origin::Anthropic), &seal.value);
            if open(&seal.value).is_none() {
                prop_assert_eq!(unwrap(&seal.value, Origin::Anthropic).seal, seal);
            }
        }
    }
}
