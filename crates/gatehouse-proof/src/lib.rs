//! What an auditor needs to check a Gatehouse log, and nothing else: no files, no network, no clock.
//!
//! A log is a Merkle tree over leaves of canonical JSON ([`tree`], [`hash`]), whose size and root are signed from
//! time to time ([`checkpoint`], [`note`]). Who has a checkpoint can be shown that a leaf is under it
//! ([`proof_file`]), and that a later one only adds to it. The formats are those of C2SP and RFC 6962, so that other
//! programs can check the same. [`examine`] goes through a whole log and says in a [`report`] what it found.

pub mod checkpoint;
pub mod examine;
pub mod hash;
pub mod leaf;
pub mod note;
pub mod policy;
pub mod proof_file;
pub mod report;
pub mod stamp;
pub mod tile;
pub mod tree;

mod der;
