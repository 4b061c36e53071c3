//! Anchors: what was signed, in the hands of others.

use crate::secret::Secret;
use crate::unit::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An anchor: a witness, a copy in a file or at an address, or a time stamp. Exactly one of `witness`, `file`, `url`,
/// `timestamp`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Anchor {
    /// A witness (C2SP tlog-witness): the address under which it takes checkpoints, without `/add-checkpoint`.
    pub witness: Option<String>,
    /// Required with `witness`. Its public key for cosignatures, as it publishes it: `name+number+base64`.
    pub key: Option<String>,
    /// A file that holds the newest checkpoint, by its whole path, in a folder that is there: on another disk, a mount,
    /// an object store that is mounted.
    pub file: Option<String>,
    /// An address to which the newest checkpoint is sent: an object that is replaced, or a webhook.
    pub url: Option<String>,
    /// With `url`: how it is sent.
    pub method: Method,
    /// With `url`: a bearer token, by reference.
    pub token: Option<Secret>,
    /// An authority that tells the time (RFC 3161): its address. It is sent a digest of the newest checkpoint, and gives
    /// back a signed word of when that was there.
    pub timestamp: Option<String>,
    /// Required with `timestamp`. A PEM file with the certificate that signs, or those of the authorities above it: what a
    /// time stamp is held against. A relative path starts in the working folder.
    pub certificate: Option<String>,
    /// How often; by default once a minute, and a time stamp once an hour. Also what a stop of the witness or of the second place may hide: keep it short.
    pub every: Option<Duration>,
}

/// How a checkpoint is sent to an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// With PUT, after what is there was read with GET and compared with the log.
    #[default]
    Put,
    /// With POST, to whoever keeps all that comes. It is not read back, so nothing is compared.
    Post,
}
