//! Who asks, and on whose account.
//!
//! [`carrier`] finds the one credential in a request; [`key::Keys`] says whose it is; [`scope`] fills in the
//! account from headers and from the members that SDKs and coding agents have for it. A caller may narrow what its key
//! allows, never widen it. [`envelope`] makes ids that open for one tenant only. [`admin`] says who may look at the administration side.
//!
//! What it does *not* know: where keys are stored, what a call says, what anything costs. No IO, no clock.

pub mod admin;
pub mod carrier;
pub mod envelope;
pub mod key;
pub mod scope;
mod session;
