//! What the gateway shall do.
//!
//! [`file::Config`] is the configuration as written, in the words of the file.
//!
//! What it does *not* know: how any of it is done.

pub mod file;
pub mod ordered;
pub mod secret;
pub mod unit;
