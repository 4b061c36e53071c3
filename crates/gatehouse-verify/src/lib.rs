//! Checks a copy of a Gatehouse log, or the proof of a record, with nothing but files.
//!
//! `gatehouse audit verify` and the small program `gatehouse-verify` are this. What is checked is in
//! [`gatehouse_proof`]; here is what reads the files ([`copy`], [`lines`], [`receipt`]) and what says what was found ([`output`]).

pub mod anchored;
pub mod copy;
pub mod lines;
pub mod output;
pub mod receipt;
pub mod trust;
pub mod work;
