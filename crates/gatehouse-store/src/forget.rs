//! Records whose time is over go out of the index with their leaves. Sums by team and model stay: they name nobody.

use gatehouse_audit::{RETENTION_PRUNED, View};
use rusqlite::{Transaction, params};
use serde::Deserialize;

use crate::database::signed;
use crate::error::StoreError;

/// What `retention.pruned` says of records; of texts it has no `last`.
#[derive(Deserialize)]
struct Records {
    last: u64,
}

/// The last record that went, when a leaf says so.
pub(crate) fn last_pruned(view: &View<'_>) -> Option<u64> {
    let event = view.event.filter(|_| view.kind == RETENTION_PRUNED)?;
    serde_json::from_str::<Records>(event.get()).ok().map(|records| records.last)
}

/// Takes calls out whose last leaves are in segments up to this leaf, and with them the names of end users who made no
/// others.
pub(crate) fn forget(transaction: &Transaction<'_>, shard: &str, last: u64) -> Result<(), StoreError> {
    transaction
        .execute("DELETE FROM calls WHERE shard = ? AND segment <= ?", params![shard, signed(last)])?;
    transaction.execute("DELETE FROM callers WHERE caller NOT IN (SELECT caller FROM calls)", [])?;
    // Grains 4 and 5 are by caller.
    let sql = "DELETE FROM sums WHERE grain IN (4, 5) AND who NOT IN (SELECT caller FROM callers)";
    transaction.execute(sql, [])?;
    Ok(())
}
