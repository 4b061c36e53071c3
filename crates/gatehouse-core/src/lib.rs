//! The vocabulary and the seams of the gateway: what every other crate speaks.
//!
//! Read the modules in the order in which a call meets them: a [`call::Caller`] asks for an
//! [`call::Operation`] with a [`content::Body`]; guardrails give [`verdict`]s on it; a
//! [`deployment::Deployment`] answers; [`usage::Usage`] becomes [`money::Nanodollars`]; everything ends
//! in one [`record::Settled`].
//!
//! This crate does no IO, knows no runtime, reads no clock and serialises nothing: whatever leaves the
//! process has a type of its own at its edge.

pub mod call;
pub mod content;
pub mod deployment;
pub mod error;
pub mod money;
pub mod record;
pub mod usage;
pub mod verdict;
