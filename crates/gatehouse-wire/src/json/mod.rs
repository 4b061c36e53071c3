//! JSON as it came: parsed once into a flat index of byte ranges, read in place, edited by splicing.
//!
//! [`Doc`] is strict where it reads callers (depth, duplicates, members that differ only in case, numbers
//! that do not fit, lone surrogates: what was checked must be what the provider reads) and lenient where
//! it reads providers. [`Node`] reads it, [`Out`] writes new JSON.

mod node;
mod out;
mod plain;
mod scan;
mod text;

pub use node::{Kind, Node};
pub use out::{Out, Raw, ToJson};
pub use scan::{Doc, Strictness};
pub use text::{escape_into, escaped, unescape};

/// How deep a body may nest. Provider limits are far below; the parser recurses this deep at most.
pub const DEPTH_MAX: usize = 64;
/// How many values a body may hold: bounds the index to sixteen bytes each.
pub const VALUES_MAX: usize = 1_000_000;
/// How many characters a number may have.
pub const NUMBER_CHARS_MAX: usize = 64;
