//! The words about the record.

use super::Place;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List calls, newest first.
    Query(Box<AuditQuery>),
    /// Show everything that is recorded of one call.
    Show {
        #[command(flatten)]
        place: Place,
        /// The record's id, as in x-gatehouse-record.
        record: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check that nothing was changed, added or taken out since it was signed.
    ///
    /// Of this gateway's own records, or of a copy (audit export), or of the proof of one record; or of a gateway that
    /// runs, that its log only grew since checkpoints that you remember. Exits with 0 when verified, with 1 when not.
    Verify(Box<AuditVerify>),
    /// Write the proof that a record is in the log.
    ///
    /// The file holds the record and the signed checkpoint, and can be checked by anybody who has the log's key.
    Prove {
        #[command(flatten)]
        place: Place,
        /// The record's id, as in x-gatehouse-record.
        record: String,
        /// The file; standard output without one.
        #[arg(short, long)]
        out: Option<PathBuf>,
    },
    /// Make the name of an end user, what he said, and what he was answered, unreadable for ever.
    ///
    /// The keys of his name, of the texts and of the commitments to them are destroyed; the record of the calls stays, and verifies.
    Erase(Box<AuditErase>),
    /// Keep what is recorded of some calls beyond its time: nothing of them is given up or erased.
    #[command(subcommand)]
    Hold(AuditHold),
    /// Give up now what its time is over for (retention), and not at the next look.
    Prune(AuditPrune),
    /// Copy the log, or some of its records, so that it can be checked and read elsewhere.
    Export(Box<AuditExport>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A folder: tiles of the tree with all records in them, keys and checkpoints. For audit verify.
    Tlog,
    /// A folder: records, one a line as they were signed, and beside them the proof of each. For audit verify.
    Jsonl,
    /// A folder: a Parquet file with columns and the records as they were signed, and the proof of each beside.
    Parquet,
    /// A file: events of the Open Cybersecurity Schema Framework 1.8, one a line.
    Ocsf,
    /// A file: ArcSight's Common Event Format, one event a line.
    Cef,
    /// A file: OpenTelemetry logs as OTLP in JSON, one request a line.
    Otlp,
}

#[derive(Debug, Args)]
pub(crate) struct AuditExport {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The form of the copy.
    #[arg(long, value_enum, default_value = "tlog")]
    pub(crate) format: ExportFormat,
    /// The folder, which must be empty or not there yet; or the file, which must not be there yet, - for standard output.
    #[arg(short, long)]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) of: Selected,
}

#[derive(Debug, Args)]
pub(crate) struct AuditErase {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The end user, as calls named him (x-gatehouse-user, user).
    #[arg(long)]
    pub(crate) subject: String,
    /// Only in this organisation.
    #[arg(long)]
    pub(crate) org: Option<String>,
    /// Only in this team.
    #[arg(long)]
    pub(crate) team: Option<String>,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditHold {
    /// Place a hold.
    Place(Box<HoldPlace>),
    /// List holds, the released ones too.
    List {
        #[command(flatten)]
        place: Place,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a hold.
    Release {
        #[command(flatten)]
        place: Place,
        /// Its number.
        number: u64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct HoldPlace {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Why: a case, a request of an authority. It is recorded.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) of: Selected,
    /// All calls.
    #[arg(long)]
    pub(crate) all: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which calls: all that fit everything that is named.
#[derive(Clone, Debug, Args)]
pub(crate) struct Selected {
    #[command(flatten)]
    pub(crate) of: Whose,
    /// One call, by the id of its record.
    #[arg(long)]
    pub(crate) record: Option<String>,
}

/// On whose account, with which model, and when.
#[derive(Clone, Debug, Args)]
pub(crate) struct Whose {
    #[arg(long)]
    pub(crate) org: Option<String>,
    #[arg(long)]
    pub(crate) team: Option<String>,
    #[arg(long)]
    pub(crate) app: Option<String>,
    #[arg(long)]
    pub(crate) use_case: Option<String>,
    #[arg(long)]
    pub(crate) user: Option<String>,
    #[arg(long)]
    pub(crate) key: Option<String>,
    #[arg(long)]
    pub(crate) run: Option<String>,
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// From when: a duration back from now such as 24h, or a time.
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Until when.
    #[arg(long)]
    pub(crate) until: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditPrune {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only say what would go.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AuditVerify {
    #[command(flatten)]
    pub(crate) place: Place,
    /// A copy of a log, the proof of a record, or the address of a log, such as http://127.0.0.1:8081/log/r0. Without
    /// it: this gateway's own records.
    pub(crate) path: Option<PathBuf>,
    /// A key of the log that you trust, or a file of them. Without one, the key that is beside the log is used.
    #[arg(long)]
    pub(crate) key: Vec<String>,
    /// Witnesses, and how many of them you want: a file in the form of C2SP tlog-policy.
    #[arg(long)]
    pub(crate) policy: Option<PathBuf>,
    /// A checkpoint that you saw before, or elsewhere.
    #[arg(long)]
    pub(crate) checkpoint: Vec<PathBuf>,
    /// Do not accept gaps that the log declares, nor calls without an end.
    #[arg(long)]
    pub(crate) strict: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AuditQuery {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) of: Whose,
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// settled, denied, failed or aborted.
    #[arg(long)]
    pub(crate) outcome: Option<String>,
    /// A stable error code, such as guard_blocked.
    #[arg(long)]
    pub(crate) error: Option<String>,
    /// An HTTP status.
    #[arg(long)]
    pub(crate) status: Option<u16>,
    /// A guardrail that looked at it, such as pii, or what it did: pii=redact.
    #[arg(long)]
    pub(crate) guard: Option<String>,
    /// A tag and its value: name=value.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) tag: Option<String>,
    /// Cost at least so many US dollars.
    #[arg(long, value_name = "USD")]
    pub(crate) cost_over: Option<String>,
    /// Took at least so long, such as 2s.
    #[arg(long, value_name = "DURATION")]
    pub(crate) slower_than: Option<String>,
    /// This was said in it, in capitals or not: searches the texts that are kept (record.content), newest first. That
    /// they were read is recorded.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) text: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
    /// Go on behind this record (the last of the page before).
    #[arg(long)]
    pub(crate) after: Option<String>,
    /// Go on with every call that ends from now on, until interrupted. As JSON: one call a line.
    #[arg(long, conflicts_with_all = ["after", "until"])]
    pub(crate) follow: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
