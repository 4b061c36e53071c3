//! What is told of the record: how far it is written, on the disk and signed, and whether it works.

use super::metrics::counted;
use gatehouse_audit::{Stats, Status};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How the tree over the record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signing {
    /// Leaves under the newest checkpoint.
    pub leaves: u64,
    /// Whether checkpoints are made.
    pub works: bool,
}

/// The figures of the record.
pub struct BookMetrics {
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
