//! The words of the command line.

mod audit;
pub(crate) mod import;
pub(crate) mod models;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

pub(crate) use audit::*;

/// One governed gateway in front of every model.
#[derive(Debug, Parser)]
#[command(name = "gatehouse", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where a gateway is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// The data folder: keys, records, index.
    #[arg(long, env = "GATEHOUSE_DATA", default_value = "data", global = true)]
    pub(crate) data: PathBuf,
    /// The configuration file. Without one, gatehouse.yaml here, or providers from the environment.
    #[arg(long, env = "GATEHOUSE_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway.
    ///
    /// SIGHUP or a changed file reloads the configuration; SIGTERM lets open calls end, a second one does
    /// not wait.
    Serve(Place),
    /// Check a configuration without starting anything.
    ///
    /// Every fault is shown with file, line and column, and what to write instead.
    Check {
        #[command(flatten)]
        place: Place,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Say which target would serve a model, and why each candidate is kept or dropped. Sends nothing.
    Explain(Explain),
    /// List the models that callers can name, with limits, abilities and prices, and who says so and when.
    Models(models::Models),
    /// Make, list, rotate and revoke caller keys, and keys for administration.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Show what was used and what it cost.
    Usage(Usage),
    /// Look into the record.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Hold recorded calls against another configuration: what would change in targets, blocks and cost.
    ///
    /// Name the other configuration with --config. Nothing is sent to anybody. Guardrails judge the requests whose text is kept (record.content).
    Replay(Box<Replay>),
    /// Make a configuration from that of another gateway, or from an environment.
    ///
    /// What does not go over as it was is reported on standard error, with its place and what to do instead. Secrets
    /// are never copied: the configuration refers to variables.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Run the simulated providers alone, for tests and benches.
    Sim(Sim),
    /// Run the gateway on simulated providers, with the traffic of several teams.
    Demo(Place),
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The model as a caller would name it.
    #[arg(long)]
    pub(crate) model: String,
    /// A prompt, for its length.
    #[arg(long, default_value = "")]
    pub(crate) prompt: String,
    /// The public part of a caller key, for what it may use.
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// The API that the caller would use.
    #[arg(long, value_enum, default_value = "chat")]
    pub(crate) front: FrontName,
    /// The request declares tools.
    #[arg(long)]
    pub(crate) tools: bool,
    /// Where the data must stay, such as eu.
    #[arg(long)]
    pub(crate) residency: Option<String>,
    /// The request has images.
    #[arg(long)]
    pub(crate) images: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// An API, by a short name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FrontName {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI responses.
    Responses,
    /// Anthropic messages.
    Messages,
    /// Gemini generateContent.
    Gemini,
    /// Cohere chat.
    Cohere,
    /// Amazon Bedrock's Converse.
    Converse,
    /// OpenAI embeddings.
    Embeddings,
    /// Cohere's and Jina's rankings.
    Rerank,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a caller key, or one for administration (--role). It is shown once.
    Create(KeyCreate),
    /// List the keys, without their secrets.
    List {
        #[command(flatten)]
        place: Place,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a key another secret. It is shown once.
    Rotate {
        #[command(flatten)]
        place: Place,
        /// The public part of the key (ghk_… or gha_…).
        id: String,
        /// How long the old secret is still taken, such as 1h.
        #[arg(long, default_value = "0s")]
        grace: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key. It holds at once, for open streams too.
    Revoke {
        #[command(flatten)]
        place: Place,
        /// The public part of the key (ghk_… or gha_…).
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct KeyCreate {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The same as --role owner.
    #[arg(long, conflicts_with = "role")]
    pub(crate) admin: bool,
    /// An administration key of this role instead of a caller key: owner, admin, auditor, team-admin or viewer.
    ///
    /// It opens the API on the administration side and no call. A team-admin is bound to a team or organisation, a viewer may be.
    #[arg(long, value_parser = ["owner", "admin", "auditor", "team-admin", "viewer"])]
    pub(crate) role: Option<String>,
    /// An administration key that may read what was said. An owner always may, a viewer never.
    #[arg(long)]
    pub(crate) content: bool,
    /// A name for people.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// The organisation it is bound to.
    #[arg(long, default_value = "")]
    pub(crate) org: String,
    /// The team it is bound to.
    #[arg(long, default_value = "")]
    pub(crate) team: String,
    /// The app it is bound to.
    #[arg(long, default_value = "")]
    pub(crate) app: String,
    /// The use case it is bound to; open: the caller says which.
    #[arg(long, default_value = "")]
    pub(crate) use_case: String,
    /// The end user it is bound to.
    #[arg(long, default_value = "")]
    pub(crate) user: String,
    /// The models it may use, separated by commas; a trailing * matches any rest. Default: all.
    #[arg(long, value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// What it may spend: "10 USD/day", "5 USD per month", "2.50 USD".
    #[arg(long)]
    pub(crate) budget: Option<String>,
    /// When it ends: a duration from now such as 90d, or a time such as 2027-01-31T00:00:00Z.
    #[arg(long)]
    pub(crate) expires: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to print a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct Usage {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Sum by these, separated by commas: org, team, app, use_case, user, key, model, provider, target,
    /// operation, day, hour, tag:NAME.
    #[arg(long, value_delimiter = ',', default_value = "team,model")]
    pub(crate) by: Vec<String>,
    /// From when: a duration back from now such as 24h, or a time.
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Until when.
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
    /// The same as --format json.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) place: Place,
    /// From when: a duration back from now such as 24h, or a time.
    #[arg(long, default_value = "24h")]
    pub(crate) since: String,
    /// Until when.
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub(crate) listen: String,
    /// Offer the control API under /_sim/.
    #[arg(long)]
    pub(crate) control: bool,
    /// Take calls without a credential.
    #[arg(long)]
    pub(crate) open: bool,
}
