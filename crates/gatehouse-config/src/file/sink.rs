//! Who else gets the record.

use crate::secret::Secret;
use crate::unit::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Somebody who gets the record, leaf by leaf and in its order, each at least once. Exactly one of `webhook`, `s3`,
/// `syslog` and `otlp` says how. What he has not taken is kept for him beyond `retention`, and no call ever waits for him.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sink {
    /// Required. Its name in metrics, and that of the file in the data folder which says how far it is.
    pub name: String,
    /// An address that gets batches by POST, as Standard Webhooks has it.
    pub webhook: Option<String>,
    /// With `webhook`: the secret that signs, by reference: `whsec_` and base64.
    pub secret: Option<Secret>,
    /// With `webhook` and `otlp`: the value of the header `authorization`, by reference.
    pub authorization: Option<Secret>,
    /// A bucket that gets an object for each batch.
    pub s3: Option<Bucket>,
    /// A syslog receiver: `tcp://host:601` or `tls://host:6514`.
    pub syslog: Option<String>,
    /// The base address of an OTLP/HTTP collector, which gets log records as JSON.
    pub otlp: Option<String>,
    /// What a leaf is made into. Without it: `otlp` for `otlp`, `cef` for `syslog`, else `jsonl`.
    pub format: Option<Form>,
    /// Leaves in one batch, at most.
    pub batch: u32,
    /// How often is looked for new leaves.
    pub every: Duration,
}

/// A bucket of S3 or of something that speaks as it does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bucket {
    /// Its address, such as `http://minio.internal:9000`. Default: AWS' in this region.
    pub endpoint: Option<String>,
    /// Required. The region.
    pub region: String,
    /// Required. The bucket.
    pub bucket: String,
    /// What names of objects begin with.
    pub prefix: String,
    /// Required. The id of the access key, by reference.
    pub access_key: Option<Secret>,
    /// Required. The secret of the access key, by reference.
    pub secret_key: Option<Secret>,
}

/// What a leaf is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The leaf as it was signed, one a line.
    Jsonl,
    /// OCSF 1.8, API Activity with the profile `ai_operation`, one event a line.
    Ocsf,
    /// `ArcSight` Common Event Format, one event a line.
    Cef,
    /// OpenTelemetry log records, as JSON.
    Otlp,
}

// === impl Sink ===

impl Default for Sink {
    fn default() -> Self {
        Self {
            name: String::new(),
            webhook: None,
            secret: None,
            authorization: None,
            s3: None,
            syslog: None,
            otlp: None,
            format: None,
            batch: 500,
            every: Duration::seconds(5),
        }
    }
}

impl Sink {
    /// What a leaf is made into.
    #[must_use]
    pub fn form(&self) -> Form {
        self.format.unwrap_or(match (&self.otlp, &self.syslog) {
            (Some(_), _) => Form::Otlp,
            (_, Some(_)) => Form::Cef,
            _ => Form::Jsonl,
        })
    }
}
