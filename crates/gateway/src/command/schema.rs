//! `gatehouse schema`: what an editor needs to help with the configuration.

use crate::output;
use anyhow::Result;

/// Prints the JSON Schema.
pub(crate) fn run() -> Result<()> {
    output::line(&gatehouse_config::schema());
    Ok(())
}
