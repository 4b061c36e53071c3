//! Leaves that are not about a call: the log's own life, keys, the configuration.

use gatehouse_core::call::CallId;
use gatehouse_core::record::UnixMicros;
use std::borrow::Cow;
use std::sync::Arc;

use crate::canonical::{Object, by_utf16, is_plain};

/// How many fields of an event are kept.
pub const EVENT_FIELDS_MAX: usize = 24;
/// The longest name of a field; one with a longer name, or with a character to be escaped, is left out.
pub const EVENT_NAME_BYTES_MAX: usize = 64;
/// The longest text of a field.
pub const EVENT_TEXT_BYTES_MAX: usize = 512;
/// How many texts of a list are kept.
pub const EVENT_TEXTS_MAX: usize = 16;
/// The longest text of a list.
const EVENT_LIST_TEXT_BYTES_MAX: usize = 48;

/// The kind of the leaf that tells of texts or records whose time was over.
pub const RETENTION_PRUNED: &str = "retention.pruned";

/// Something that happened to the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: UnixMicros,
    /// Its own id, when somebody has to find it again.
    pub id: Option<CallId>,
    /// The credential of the one who did it; absent when the gateway did.
    pub actor: Option<Arc<str>>,
    /// The particulars. Sorted when they are written; never a secret.
    pub fields: Vec<(Cow<'static, str>, Field)>,
}

/// The kinds of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A process took over the log.
    LogOpened,
    /// For a while the log could not be written, or leaves written may not have reached the disk.
    GapDeclared,
    /// A caller key was made.
    KeyCreated,
    /// A caller key was ended.
    KeyRevoked,
    /// A caller key got another secret.
    KeyRotated,
    /// Another configuration came into force.
    ConfigChanged,
    /// The key of a subject was destroyed: what was said is gone, and that it was said stays.
    SubjectErased,
    /// Somebody read what was said.
    ContentViewed,
    /// Records were copied for somebody.
    ExportCreated,
    /// What is on hold is given up by nobody, from now on.
    HoldPlaced,
    /// It may be given up again.
    HoldReleased,
    /// Texts or records went whose time was over.
    RetentionPruned,
    /// An epoch of the key that signs the log ended: the last leaf under the old key.
    EpochClosed,
    /// Another configuration was read and could not be used: the one in force stays.
    ConfigRefused,
    /// Somebody used an administration key.
    SignedIn,
    /// Somebody was not let in.
    SignInFailed,
    /// Somebody read what is recorded of calls, but not what was said.
    RecordsViewed,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A text.
    Text(Cow<'static, str>),
    /// A count or an amount.
    Number(u64),
    /// A truth value.
    Flag(bool),
    /// Several texts.
    Texts(Vec<Arc<str>>),
}

/// Writes the fields in canonical order; of two with one name the first counts.
pub(crate) fn write_fields(o: &mut Object<'_>, fields: &[(Cow<'static, str>, Field)]) {
    let fits = |name: &str| name.len() <= EVENT_NAME_BYTES_MAX && is_plain(name);
    let mut fields: Vec<_> = fields.iter().filter(|(name, _)| fits(name)).collect();
    fields.sort_by(|left, right| by_utf16(&left.0, &right.0));
    fields.dedup_by(|later, earlier| later.0 == earlier.0);
    for (name, field) in fields.into_iter().take(EVENT_FIELDS_MAX) {
        match field {
            Field::Text(text) => o.text(name, text, EVENT_TEXT_BYTES_MAX),
            Field::Number(number) => o.integer(name, *number),
            Field::Flag(flag) => o.flag(name, *flag),
            Field::Texts(texts) => o.list(name, |l| {
                texts.iter().take(EVENT_TEXTS_MAX).for_each(|text| l.text(text, EVENT_LIST_TEXT_BYTES_MAX));
            }),
        }
    }
}

// === impl Event ===

impl Event {
    /// An event of the gateway's own, without particulars.
    #[must_use]
    pub fn new(kind: EventKind, at: UnixMicros) -> Self {
        Self { kind, at, id: None, actor: None, fields: Vec::new() }
    }

    /// Names who did it.
    #[must_use]
    pub fn by(mut self, actor: impl Into<Arc<str>>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// Gives it an id.
    #[must_use]
    pub fn with_id(mut self, id: CallId) -> Self {
        self.id = Some(id);
        self
    }

    /// Adds a particular.
    #[must_use]
    pub fn field(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Field>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }
}

// === impl EventKind ===

impl EventKind {
    /// The kind of the leaf.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LogOpened => "log.opened",
            Self::GapDeclared => "gap.declared",
            Self::KeyCreated => "key.created",
            Self::KeyRevoked => "key.revoked",
            Self::KeyRotated => "key.rotated",
            Self::ConfigChanged => "config.changed",
            Self::SubjectErased => "subject.erased",
            Self::ContentViewed => "content.viewed",
            Self::ExportCreated => "export.created",
            Self::HoldPlaced => "hold.placed",
            Self::HoldReleased => "hold.released",
            Self::RetentionPruned => RETENTION_PRUNED,
            Self::EpochClosed => "epoch.closed",
            Self::ConfigRefused => "config.refused",
            Self::SignedIn => "signin.succeeded",
            Self::SignInFailed => "signin.failed",
            Self::RecordsViewed => "records.viewed",
        }
    }
}

// === impl Field ===

impl From<&'static str> for Field {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Field {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Field {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Vec<Arc<str>>> for Field {
    fn from(texts: Vec<Arc<str>>) -> Self {
        Self::Texts(texts)
    }
}
