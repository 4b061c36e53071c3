//! The words of `gatehouse models`.

use super::Place;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Models {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Option<ModelsCommand>,
    /// Only models of this provider, by its name or its kind.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Only models with this text in their name or in that of a target.
    #[arg(long)]
    pub(crate) search: Option<String>,
    /// The public part of a caller key: only what it may use.
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// The whole catalogue, whichever providers are configured.
    #[arg(long, conflicts_with = "key")]
    pub(crate) all: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// Take a newer catalogue of limits and prices from a file or an address.
    ///
    /// It is only taken if its SHA-256 is the one that is told here or in the configuration, and if it is not older
    /// than the one in force. What changes is printed.
    Refresh(Refresh),
}

#[derive(Debug, Args)]
pub(crate) struct Refresh {
    /// The file. Default: catalogue.file of the configuration.
    #[arg(long, conflicts_with = "url")]
    pub(crate) from: Option<PathBuf>,
    /// The address. Default: catalogue.url of the configuration.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// The SHA-256 that it has to have, in hex. Default: catalogue.sha256 of the configuration.
    #[arg(long)]
    pub(crate) sha256: Option<String>,
    /// Show what would change, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
