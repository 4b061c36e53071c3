//! What is told of the record: how far it is written, on the disk and signed, and whether it works.

use super::metrics::counted;
use gatehouse_audit::{Stats, Status};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// How the tree over the record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signing {
    /// Leaves under the newest checkpoint.
    pub leaves: u64,
    /// Whether checkpoints are made.
    pub works: bool,
}

/// How far one sink of the record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Leaves that its receiver has.
    pub taken: u64,
    /// Leaves on the disk that he has not.
    pub lag: u64,
    /// Attempts that failed since the start.
    pub failures: u64,
    /// Leaves that he threw away, since the start.
    pub rejected: u64,
}

/// How one anchor of the record stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anchoring {
    /// Leaves under the newest checkpoint that it took.
    pub leaves: u64,
    /// When it took that, or said again that it has it; in Unix seconds.
    pub at: u64,
    /// Whether it could be reached when it was last tried.
    pub works: bool,
    /// Whether what it has is not what the log says: an alarm.
    pub drifts: bool,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AnchorLabels {
    anchor: Arc<str>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SinkLabels {
    sink: Arc<str>,
}

/// The figures of the record.
pub struct BookMetrics {
    sink_taken: Family<SinkLabels, Gauge>,
    sink_lag: Family<SinkLabels, Gauge>,
    sink_failures: Family<SinkLabels, Gauge>,
    sink_rejected: Family<SinkLabels, Gauge>,
    anchored: Family<AnchorLabels, Gauge>,
    anchored_at: Family<AnchorLabels, Gauge>,
    anchor_works: Family<AnchorLabels, Gauge>,
    anchor_drifts: Family<AnchorLabels, Gauge>,
    leaves: Gauge,
    durable: Gauge,
    signed: Gauge,
    writes: Gauge,
    signs: Gauge,
    kept: Gauge,
    spooled: Gauge,
    mirrored: Gauge,
    failures: Gauge,
    lost: Gauge,
}

// === impl BookMetrics ===

impl BookMetrics {
    /// Everything at zero.
    pub(super) fn new(all: &mut Registry) -> Self {
        Self {
            sink_taken: counted(all, "audit_sink_leaves", "Leaves that the receiver of a sink has"),
            sink_lag: counted(
                all,
                "audit_sink_lag_leaves",
                "Leaves that the receiver of a sink has not got yet",
            ),
            sink_failures: counted(
                all,
                "audit_sink_failures",
                "Attempts to send records to a sink that failed since the start",
            ),
            sink_rejected: counted(
                all,
                "audit_sink_rejected_leaves",
                "Leaves that the receiver of a sink threw away since the start",
            ),
            anchored: counted(
                all,
                "audit_anchored_leaves",
                "Leaves under the newest checkpoint that an anchor took",
            ),
            anchored_at: counted(
                all,
                "audit_anchored_at_seconds",
                "When an anchor last took a checkpoint or confirmed it, in Unix seconds",
            ),
            anchor_works: counted(all, "audit_anchor_works", "Whether an anchor took what it was last sent"),
            anchor_drifts: counted(
                all,
                "audit_anchor_drifts",
                "Whether an anchor and the record differ: one of them was changed or cut",
            ),
            leaves: counted(all, "audit_leaves", "Leaves in the record"),
            durable: counted(all, "audit_durable_leaves", "Leaves that are on the disk"),
            signed: counted(all, "audit_signed_leaves", "Leaves under the newest checkpoint"),
            writes: counted(all, "audit_writes", "Whether the record can be written"),
            signs: counted(all, "audit_signs", "Whether the record is signed"),
            kept: counted(
                all,
                "audit_kept_leaves",
                "Ends of calls that wait until the record can be written",
            ),
            spooled: counted(
                all,
                "audit_spooled_leaves",
                "Leaves in the spool, which come into the record when it can be written",
            ),
            mirrored: counted(
                all,
                "audit_remote_leaves",
                "Leaves that are in the second place, if there is one",
            ),
            failures: counted(
                all,
                "audit_failures",
                "How often the record could not be written since the start",
            ),
            lost: counted(all, "audit_lost_ends", "Calls that ended without their record: each is a bug"),
        }
    }

    /// Takes the figures of a sink.
    pub fn sink(&self, name: &Arc<str>, now: Sending) {
        let labels = SinkLabels { sink: Arc::clone(name) };
        let set = |family: &Family<SinkLabels, Gauge>, value: u64| {
            family.get_or_create(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.sink_taken, now.taken);
        set(&self.sink_lag, now.lag);
        set(&self.sink_failures, now.failures);
        set(&self.sink_rejected, now.rejected);
    }

    /// Takes the figures of an anchor.
    pub fn anchor(&self, name: &Arc<str>, now: Anchoring) {
        let labels = AnchorLabels { anchor: Arc::clone(name) };
        let set = |family: &Family<AnchorLabels, Gauge>, value: u64| {
            family.get_or_create(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.anchored, now.leaves);
        set(&self.anchored_at, now.at);
        set(&self.anchor_works, u64::from(now.works));
        set(&self.anchor_drifts, u64::from(now.drifts));
    }

    /// Takes the figures of now.
    pub fn set(&self, stats: Stats, status: &Status, signing: Option<Signing>, mirrored: Option<u64>) {
        let number = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        number(&self.leaves, stats.next_seq);
        number(&self.durable, stats.durable_seq);
        number(&self.kept, u64::try_from(stats.leaves_kept).unwrap_or(u64::MAX));
        number(&self.spooled, stats.leaves_spooled);
        number(&self.failures, stats.failures);
        number(&self.lost, stats.permits_lost);
        number(&self.writes, u64::from(*status == Status::Healthy));
        if let Some(mirrored) = mirrored {
            number(&self.mirrored, mirrored);
        }
        if let Some(signing) = signing {
            number(&self.signed, signing.leaves);
            number(&self.signs, u64::from(signing.works));
        }
    }
}
