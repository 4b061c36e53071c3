//! The project's own chores.
//!
//! [`tidy`] checks what no compiler and no linter checks: how long files and functions are, which crate may
//! import which, whether the documents say what the code says. `cargo xtask tidy` prints its findings, and
//! `cargo test` fails on them. [`tree`] is what it reads, [`source`] how it reads Rust without parsing it.
//!
//! What this crate does *not* know: any other crate of the workspace. It reads their text.

pub mod source;
pub mod tidy;
pub mod tree;
