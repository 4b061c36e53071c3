//! One file a command.

/// The setting that holds the hash of the administrator key.
pub(crate) const ADMIN_KEY_SETTING: &str = "admin_key_hash";

pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod first_start;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod models;
pub(crate) mod replay;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod sim;
pub(crate) mod usage;
