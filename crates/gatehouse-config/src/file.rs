//! The configuration as written: one type a section, every field with its default.
//!
//! Doc comments here are the reference: `gatehouse schema` and the page in docs are made from them.

mod defaults;
mod record;
mod sink;

use crate::secret::Secret;
use crate::unit::{Bytes, Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use crate::anchors::{Anchor, Method};
pub use crate::batches::Batches;
pub use crate::ordered::Ordered;
pub use crate::retention::Retention;
pub use crate::unit::Decimal;
pub use record::{OnUnwritable, RecordRule, Remote, Spool};
pub use sink::{Bucket, Form, Sink};

/// The whole file. All of it is optional.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The version of this format.
    pub version: u32,
    /// Where calls arrive. Anything but loopback needs an administrator key.
    pub listen: String,
    /// The administration side.
    pub admin: Admin,
    /// Where keys and the index of records are kept: `sqlite` (in the data folder).
    pub store: String,
    /// Who answers, by the name that models and records use.
    pub providers: Ordered<Provider>,
    /// The names that callers use.
    pub models: Ordered<Model>,
    /// What may pass.
    pub guards: Vec<Guard>,
    /// Who calls: teams, their apps and use cases. If any stand here, guardrails and new keys may name no others.
    pub teams: BTreeMap<String, Team>,
    /// What is recorded of each exchange.
    pub record: Record,
    /// How long what is recorded is kept.
    pub retention: Retention,
    /// What is kept of the answers of `/v1/responses` for those who refer to them later.
    pub responses: Responses,
    /// What happens when a price is not known.
    pub prices: Prices,
    /// Limits of size and number.
    pub limits: Limits,
    /// Limits of time.
    pub timeouts: Timeouts,
    /// Second attempts.
    pub retry: Retry,
    /// Batches at providers.
    pub batches: Batches,
    /// Where traces and metrics go.
    pub telemetry: Telemetry,
    /// Where `gatehouse models refresh` finds newer limits and prices of models. Nothing else ever looks there.
    pub catalogue: Catalogue,
}

/// The administration side.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where the API for administration, metrics and health are served. Loopback unless an administrator key exists.
    pub listen: String,
    /// Names by which the API may be asked while it listens on loopback, such as that of a proxy before it; localhost
    /// and loopback addresses may always. Any other `Host` is refused: a web page must not reach it by a name of its own.
    pub hosts: Vec<String>,
}

/// A provider: a kind, an address, a credential.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    /// Required. What it speaks: `openai`, `anthropic`, `gemini`, `mistral`, `groq`, `ollama`, …, `compatible`, `sim`.
    pub api: String,
    /// Its credential, by reference only: `${OPENAI_API_KEY}` or `${file:/run/secrets/openai}`.
    pub api_key: Option<Secret>,
    /// Several credentials. A conversation stays with one of them, as caches of prompts do; one that is refused or
    /// out of quota rests for a while.
    pub api_keys: Vec<Secret>,
    /// Where it is, when not at its usual place. Required for servers of one's own.
    pub base_url: Option<String>,
    /// Azure: the address of the resource, such as `https://NAME.openai.azure.com`. The same as `base_url`.
    pub endpoint: Option<String>,
    /// Azure: the version in the query of the paths by deployment. Without it the paths under `/openai/v1` are used,
    /// which need none.
    pub api_version: Option<String>,
    /// What models are called there, by the name that the catalogue has for them, where that differs: deployments of
    /// Azure, inference profiles of Bedrock.
    pub deployments: BTreeMap<String, String>,
    /// Bedrock: the region, such as `eu-central-1`; else `AWS_REGION`.
    pub aws_region: Option<String>,
    /// Vertex AI: the project's id; else `GOOGLE_CLOUD_PROJECT`.
    pub project: Option<String>,
    /// Vertex AI: the location, such as `europe-west4`, `eu` or `global`; else `GOOGLE_CLOUD_LOCATION`.
    pub location: Option<String>,
    /// Cloudflare: the account's id; else `CLOUDFLARE_ACCOUNT_ID`.
    pub account: Option<String>,
    /// Azure, Bedrock and Vertex AI: whom to ask for a credential when no `api_key` is written. What does not stand here
    /// is looked for as the cloud's own libraries do.
    pub credentials: Option<Credentials>,
    /// Where the data goes (`eu`, `us`, …).
    pub region: Option<String>,
    /// Where that claim comes from.
    pub region_evidence: Option<String>,
    /// Runs on one's own machines: models without a price cost nothing instead of being unpriced.
    pub self_hosted: bool,
    /// Prices that replace the list's, by model (`*` for all), in dollars per million tokens.
    pub prices: BTreeMap<String, Price>,
    /// Models to offer in lists beside those of the catalogue.
    pub models: Vec<String>,
    /// Time limits that differ from the general ones; what does not stand here is taken from those.
    pub timeouts: Option<Timeouts>,
    /// Anthropic, Bedrock and Vertex AI: whether marks of the prompt cache are set for callers who set none.
    pub prompt_cache: PromptCache,
    /// Whether everything that the provider offers can be reached under `/passthrough/NAME/`, with this credential. What
    /// it keeps for one caller is within reach of all who may pass through.
    pub passthrough: bool,
}

/// Whether marks of the prompt cache are set for callers who set none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptCache {
    /// No: what the caller sent is sent.
    #[default]
    AsSent,
    /// Yes, for Claude, and Nova at Bedrock: behind the tools, the instructions and the last two turns of the user,
    /// where that much is long enough to be kept. What is written to a cache costs more, what is read from it less.
    Auto,
}

/// Whom to ask for a credential.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// Entra ID: the tenant's id; else `AZURE_TENANT_ID`.
    pub tenant: Option<String>,
    /// Entra ID: the application's id, or that of a managed identity; else `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// Entra ID: the application's secret, by reference; else `AZURE_CLIENT_SECRET`.
    pub client_secret: Option<Secret>,
    /// Google: the key file of a service account, by reference: `${file:/run/secrets/vertex.json}`.
    pub service_account: Option<Secret>,
    /// AWS: the profile in the shared files `~/.aws/credentials` and `~/.aws/config`.
    pub profile: Option<String>,
}

/// A price in dollars per million tokens. Write decimals in quotes or plainly; they are never rounded.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Price {
    /// Input.
    pub input: Option<Decimal>,
    /// Output.
    pub output: Option<Decimal>,
    /// Input read from the cache.
    pub cached_read: Option<Decimal>,
    /// Input written to the cache for the short lifetime.
    pub cache_write: Option<Decimal>,
    /// Input written to the cache for the long lifetime.
    pub cache_write_long: Option<Decimal>,
    /// Reasoning, where it has a price of its own.
    pub reasoning: Option<Decimal>,
    /// Characters read aloud, per million of them.
    pub character: Option<Decimal>,
    /// One image made, in dollars each.
    pub image: Option<Decimal>,
    /// One hour of audio heard, in dollars each.
    pub audio_hour: Option<Decimal>,
    /// One search unit of a ranking, in dollars each: a question with up to a hundred documents.
    pub search_unit: Option<Decimal>,
}

/// A name that callers use and who may serve it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Model {
    /// Required. `provider/model`, in order of preference.
    pub targets: Vec<String>,
    /// How to choose among the targets.
    pub prefer: Prefer,
}

/// How to choose among targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// The first; the next ones when it fails.
    #[default]
    Order,
    /// All alike: each conversation goes to one of them and stays there, where its beginning is cached; to another
    /// one only while that fails.
    Spread,
}

/// A guardrail and where it applies.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Its name in headers and records.
    pub name: String,
    /// What it looks for.
    pub detect: Detect,
    /// With `detect: words`: whole words or phrases, in any letter case.
    #[serde(default)]
    pub words: Vec<String>,
    /// Which texts it sees.
    #[serde(default = "input_and_output")]
    pub at: Vec<At>,
    /// What it does about a finding.
    #[serde(rename = "do")]
    pub action: Do,
    /// Only for calls on these accounts.
    #[serde(default)]
    pub only: Only,
    /// What happens when it cannot run.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What a guardrail looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detect {
    /// Words and phrases.
    Words,
}

/// A kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// Instructions of the application.
    System,
    /// Words of the user, and texts to embed.
    Input,
    /// Words of the model.
    Output,
    /// Arguments of tool calls.
    ToolArguments,
    /// Results of tool calls.
    ToolResult,
    /// Names and descriptions of tools.
    ToolDefinition,
}

/// What to do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Do {
    /// Stop the call.
    Block,
    /// Replace the finding for good.
    Redact,
    /// Say so in `x-gatehouse-guards` and in the record.
    Flag,
    /// Say so in the record.
    Observe,
}

/// Accounts that something applies to; what is absent applies to all.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Only {
    /// The organisation.
    pub org: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// The app.
    pub app: Option<String>,
    /// The use case.
    pub use_case: Option<String>,
}

/// What happens when a guardrail cannot run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The call stops.
    #[default]
    Closed,
    /// The call passes, and the record says so.
    Open,
}

/// A team.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Team {
    /// Its apps; empty: any. A key whose app is taken out here goes on until it is revoked.
    pub apps: BTreeMap<String, App>,
    /// The models it may use; empty: all.
    pub models: Vec<String>,
}

/// An app.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    /// Its use cases; empty: any.
    pub use_cases: Vec<String>,
}

/// What is recorded of each exchange.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// What is kept of what was said.
    pub content: Content,
    /// When the end of an answer is released.
    pub durability: Durability,
    /// Who else gets the record, leaf by leaf.
    pub sinks: Vec<Sink>,
    /// Other rules for some calls, top down.
    pub rules: Vec<RecordRule>,
    /// What happens while the record cannot be written: a full disk, a broken one.
    pub on_failure: OnUnwritable,
    /// Where records go then, with `on_failure: spool`.
    pub spool: Spool,
    /// The second place, where all of the record is kept again.
    pub remote: Remote,
    /// The name of this gateway's log in all that it signs, such as `gatehouse.acme.example/eu-1`: chosen once, for the
    /// life of the data folder. Without one, the first start makes one up.
    pub origin: Option<String>,
    /// Who else holds what was signed, so that even whoever runs the gateway cannot write the record anew unseen. Taken
    /// at a start.
    pub anchors: Vec<Anchor>,
}

/// What is kept of what was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Nothing but its size.
    None,
    /// Its size, and a commitment to it that says nothing without its salt.
    #[default]
    Digest,
    /// The texts without what guardrails find in them, whatever these do about it, sealed as below. What cannot be read
    /// leaves a commitment alone.
    Redacted,
    /// All of it, sealed under a key of its end user.
    Full,
}

/// When the end of an answer is released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// When its record is written: survives the end of the process, not of the machine.
    Async,
    /// When its record is on the disk.
    #[default]
    Local,
    /// When its record is on the disk, here and in `record.remote.dir`.
    Remote,
}

/// What happens when a price is not known.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// What happens to calls of models without a known price.
    pub unknown: Unknown,
}

/// What happens to calls of models without a known price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// They pass and are recorded as `unpriced`, never as zero. A key with a budget refuses them.
    #[default]
    Flag,
    /// They are refused with `price_unknown`.
    Refuse,
}

/// Limits of size and number.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest request body.
    pub body: Bytes,
    /// The largest form with files (recordings, images); they pass through without being held in memory.
    pub upload: Bytes,
    /// The largest answer in one piece that is taken from a provider.
    pub answer: Bytes,
    /// The largest request head.
    pub headers: Bytes,
    /// Open connections of callers.
    pub connections: u32,
    /// Calls at the same time; one more is answered `overloaded`.
    pub calls: u32,
    /// How long a client may take over the head of a request.
    pub header_time: Duration,
    /// How long a client may take over the body of a request.
    pub body_time: Duration,
    /// How long open calls may go on after the first SIGTERM.
    pub drain: Duration,
    /// The largest message of a realtime session, from either side.
    pub message: Bytes,
    /// How long a realtime session may last.
    pub session: Duration,
    /// How long both sides of a realtime session may be silent while no response is under way.
    pub session_idle: Duration,
}

/// What is kept of the answers of `/v1/responses` for those who refer to them later.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Responses {
    /// How long an answer is kept, from the last time that its conversation was gone on with; `0s` keeps none. What is
    /// kept is encrypted, and its caller may delete it at any time.
    pub keep: Duration,
}

/// Limits of time towards providers.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To connect.
    pub connect: Duration,
    /// To the first byte of an answer.
    pub first_token: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// For the whole call, all attempts together.
    pub total: Duration,
}

/// Second attempts, always before the first byte has been passed on.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Additional attempts at one target.
    pub attempts: u32,
    /// Of all calls to a target, the share that may be retried, in percent.
    pub budget_percent: u32,
    /// The first pause; doubled each time, with jitter.
    pub backoff: Duration,
    /// A `retry-after` longer than this is not waited for.
    pub wait_max: Duration,
}

/// Where traces and metrics go.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// The base address of an OTLP/HTTP collector. Default: `OTEL_EXPORTER_OTLP_ENDPOINT`, else none.
    pub otlp: Option<String>,
}

/// Where `gatehouse models refresh` finds newer limits and prices of models.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Catalogue {
    /// A file. A relative path starts in the working folder.
    pub file: Option<String>,
    /// An address. Only that command asks it, never a start or a reload.
    pub url: Option<String>,
    /// Required with either. The SHA-256 of the file in hex: any other is refused.
    pub sha256: Option<String>,
}

// === defaults ===

fn input_and_output() -> Vec<At> {
    vec![At::Input, At::Output]
}
