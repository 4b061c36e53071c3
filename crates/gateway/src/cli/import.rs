//! The words of `gatehouse import`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// LiteLLM's config.yaml.
    Litellm(Import),
    /// A file of variables (.env) that applications take their providers from.
    Env(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file to import.
    pub(crate) file: PathBuf,
    /// Where to write the configuration; else it goes to standard output.
    #[arg(short, long)]
    pub(crate) output: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// The configuration and the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
