//! Records whose time is over go out of the index with their leaves; sums by team and model stay, as they name nobody.
//! Of an end user whose key is destroyed the name goes, and what he used stays.

use gatehouse_audit::{EventKind, RETENTION_PRUNED, View, erased_label};
use rusqlite::{Transaction, params};
use serde::Deserialize;

use crate::database::signed;
use crate::error::StoreError;

/// What `retention.pruned` says of records; of texts it has no `last`.
#[derive(Deserialize)]
struct Records {
    last: u64,
}

/// What `subject.erased` says.
#[derive(Deserialize)]
struct Erased {
    subject: String,
}

/// Who is to be forgotten, when a leaf says so.
pub(crate) fn erased(view: &View<'_>) -> Option<String> {
    let event = view.event.filter(|_| view.kind == EventKind::SubjectErased.as_str())?;
    serde_json::from_str::<Erased>(event.get()).ok().map(|erased| erased.subject)
}

/// Takes the name of a subject out.
pub(crate) fn forget_name(transaction: &Transaction<'_>, subject: &str) -> Result<(), StoreError> {
    let sql = "UPDATE callers SET user = ? WHERE subject = ? AND subject != ''";
    transaction.execute(sql, [erased_label(subject).as_str(), subject])?;
    Ok(())
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
    // Later calls have later rows of tags, or share one with calls that came together.
    let sql =
        "DELETE FROM labels WHERE labels < (SELECT coalesce(min(labels), 9223372036854775807) FROM calls)";
    transaction.execute(sql, [])?;
    // Grains 4 and 5 are by caller.
    let sql = "DELETE FROM sums WHERE grain IN (4, 5) AND who NOT IN (SELECT caller FROM callers)";
    transaction.execute(sql, [])?;
    Ok(())
}
