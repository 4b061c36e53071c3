//! Reads the audit log into the index, a batch in one transaction together with its cursor.
//!
//! So the index is always exactly the log up to the cursor, after any crash, and a second process that
//! catches up at the same time only takes turns. First leaves are held in memory while their call may
//! still end in the same batch, so that a call which is over costs one row and no more.

use gatehouse_audit::tree::log_name;
use gatehouse_audit::{Cursor, Entry, Part, Subjects, View, read, shard_dir, shards};
use gatehouse_core::call::CallId;
use rusqlite::{Connection, OptionalExtension, Statement, Transaction, TransactionBehavior, params};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::database::signed;
use crate::error::StoreError;
use crate::forget::{erased, forget, forget_name, last_pruned};
use crate::index::{HOUR_MICROS, cursor, open_index};
use crate::names::Book;
use crate::sums::Sums;

/// How many leaves go into one transaction.
pub const BATCH_LEAVES_MAX: usize = 2000;

/// The index as it is when nothing was read yet.
const FORGET_ALL: &str = "DELETE FROM cursors; DELETE FROM calls; DELETE FROM callers; DELETE FROM labels; DELETE FROM kinds; \
    DELETE FROM open_calls; DELETE FROM spent; DELETE FROM sums;";

/// Gives the keys of the subjects of a shard: those of the log that is open, where one is.
pub type Keys = Box<dyn Fn(&str) -> io::Result<Arc<Subjects>> + Send>;

/// Keeps the index up with the log.
pub struct Projector {
    keys: Keys,
    connection: Connection,
    data: PathBuf,
    shards: HashMap<String, Shard>,
    names: Book,
}

/// What the database says of one shard, remembered.
struct Shard {
    subjects: Arc<Subjects>,
    cursor: Cursor,
    /// Where the first leaves of the calls in `open_calls` stand.
    open: HashMap<Id, Cursor>,
}

type Id = [u8; 16];

/// One batch on its way into the database.
struct Filling<'t> {
    shard: &'t str,
    transaction: &'t Transaction<'t>,
    names: &'t mut Book,
    subjects: Arc<Subjects>,
    insert: Statement<'t>,
    delete_open: Statement<'t>,
    /// First leaves of this batch: their place in it.
    fresh: HashMap<Id, usize>,
    /// Key and hour to nanodollars.
    spent: HashMap<(String, u64), u64>,
    sums: Sums,
}

// === impl Projector ===

impl Projector {
    /// Opens the index in this data folder for writing, and makes it when it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened, or was written by a newer version.
    pub fn open(data: &Path, keys: Keys) -> Result<Self, StoreError> {
        Ok(Self {
            keys,
            connection: open_index(data)?,
            data: data.to_owned(),
            shards: HashMap::new(),
            names: Book::default(),
        })
    }

    /// Takes in all that the log holds by now. Gives the number of leaves read.
    ///
    /// # Errors
    /// When the log cannot be read or the database not written; a later call goes on where this stopped.
    pub fn catch_up(&mut self) -> Result<u64, StoreError> {
        self.catch_up_while(&|| true)
    }

    /// The same as long as `wanted`, which is asked before each batch.
    ///
    /// # Errors
    /// Those of [`Self::catch_up`].
    pub fn catch_up_while(&mut self, wanted: &dyn Fn() -> bool) -> Result<u64, StoreError> {
        let mut total = 0;
        for shard in shards(&self.data)? {
            while wanted() {
                let taken = self.take_batch(&shard).inspect_err(|_| {
                    // What is remembered may be ahead of what was committed.
                    self.shards.remove(&shard);
                    self.names.forget();
                })?;
                total += u64::try_from(taken).unwrap_or_default();
                if taken == 0 {
                    break;
                }
            }
        }
        Ok(total)
    }

    fn take_batch(&mut self, name: &str) -> Result<usize, StoreError> {
        if !self.shards.contains_key(name) {
            let subjects = (self.keys)(name).map_err(|source| StoreError::Keys { source })?;
            self.know_log(name)?;
            self.shards.insert(name.to_owned(), Shard::load(&self.connection, name, subjects)?);
        }
        let Some(shard) = self.shards.get_mut(name) else { return Ok(0) };
        let batch = read(&shard_dir(&self.data, name), shard.cursor, BATCH_LEAVES_MAX)?;
        if batch.entries.is_empty() {
            return Ok(0);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if load_cursor(&transaction, name)? != shard.cursor {
            // Another process was faster: begin from where it stopped. It may have taken names out.
            self.names.forget();
            *shard = Shard::load(&transaction, name, Arc::clone(&shard.subjects))?;
            return Ok(batch.entries.len());
        }
        let forgotten = fill(&transaction, name, &batch.entries, shard, &mut self.names)?;
        shard.cursor = batch.next;
        store_cursor(&transaction, name, batch.next)?;
        transaction.commit()?;
        if forgotten {
            // Nor in the file of what has changed. While somebody reads it stays there until the next time.
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(batch.entries.len())
    }

    /// What was built from another log is thrown away.
    fn know_log(&mut self, name: &str) -> Result<(), StoreError> {
        let dir = shard_dir(&self.data, name);
        let keys = |source| StoreError::Io { what: "read the keys of", path: dir.clone(), source };
        let Some(log) = log_name(&dir).map_err(keys)? else { return Ok(()) };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let select = "SELECT log FROM cursors WHERE shard = ?";
        let before: Option<String> =
            transaction.prepare_cached(select)?.query_row([name], |row| row.get(0)).optional()?;
        if before.as_ref() == Some(&log) {
            return Ok(());
        }
        if let Some(before) = before.filter(|before| !before.is_empty()) {
            tracing::warn!(
                shard = name,
                before,
                log,
                "the audit log is another one; its index is built anew"
            );
            transaction.execute_batch(FORGET_ALL)?;
        }
        let adopt = "INSERT INTO cursors (shard, segment, position, log) VALUES (?, 0, 0, ?) \
                     ON CONFLICT (shard) DO UPDATE SET log = excluded.log";
        transaction.execute(adopt, [name, &log])?;
        transaction.commit()?;
        self.shards.clear();
        self.names.forget();
        Ok(())
    }
}

/// Takes in leaves: whether somebody's name went.
fn fill(
    transaction: &Transaction<'_>,
    name: &str,
    entries: &[Entry],
    shard: &mut Shard,
    names: &mut Book,
) -> Result<bool, StoreError> {
    let mut filling = Filling {
        shard: name,
        transaction,
        names,
        subjects: Arc::clone(&shard.subjects),
        insert: transaction.prepare(INSERT_CALL)?,
        delete_open: transaction.prepare("DELETE FROM open_calls WHERE call = ?")?,
        fresh: HashMap::new(),
        spent: HashMap::new(),
        sums: Sums::default(),
    };
    let (mut pruned, mut forgotten) = (None, false);
    for (place, entry) in entries.iter().enumerate() {
        // One leaf that does not read must not keep all later ones out.
        let Ok(view) = View::parse(&entry.leaf) else {
            tracing::warn!(shard = name, ?entry.at, "a record of the audit log does not read");
            continue;
        };
        pruned = pruned.max(last_pruned(&view));
        if let Some(subject) = erased(&view) {
            filling.names.forget();
            forget_name(transaction, &subject)?;
            forgotten = true;
        }
        let Some(call) = CallId::parse(&view.id) else { continue };
        let id = *call.as_bytes();
        match view.part() {
            Part::Admitted => {
                filling.fresh.insert(id, place);
            }
            Part::Ending => {
                let fresh =
                    filling.fresh.remove(&id).and_then(|place| entries.get(place)).map(|entry| entry.at);
                let admitted = match fresh {
                    Some(at) => Some(at),
                    None => filling.close(&id, shard)?,
                };
                filling.insert_call(&id, &view, entry.at, admitted)?;
            }
            Part::Other => {}
        }
    }
    let Filling { fresh, spent, sums, names, .. } = filling;
    insert_open(transaction, name, &fresh, entries, shard)?;
    add_spent(transaction, spent)?;
    sums.store(transaction)?;
    if let Some(last) = pruned {
        names.forget();
        forget(transaction, name, last)?;
    }
    Ok(forgotten)
}

// === impl Filling ===

const INSERT_CALL: &str = "INSERT INTO calls (call, at, kind, caller, run, input_tokens, cached_tokens, \
    output_tokens, reasoning_tokens, usage_source, cost_nanos, cost_status, total_us, ttft_us, labels, shard, \
    segment, position, admitted_segment, admitted_position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
    ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";

impl Filling<'_> {
    /// A call of an earlier batch has ended. Gives the place of its first leaf.
    fn close(&mut self, id: &Id, shard: &mut Shard) -> Result<Option<Cursor>, StoreError> {
        let Some(at) = shard.open.remove(id) else { return Ok(None) };
        self.delete_open.execute([id])?;
        Ok(Some(at))
    }

    /// Adds the row of a call. A second end of the same call, which should not be, changes nothing.
    fn insert_call(
        &mut self,
        id: &Id,
        view: &View<'_>,
        at: Cursor,
        admitted: Option<Cursor>,
    ) -> Result<(), StoreError> {
        let accepted_at = view.accepted_at();
        let names = self.names.names(self.transaction, view, &self.subjects)?;
        let labels = self.names.labels(self.transaction, view)?;
        let inserted = self.insert.execute(params![
            id,
            signed(accepted_at),
            names.kind,
            names.caller,
            view.corr.run_id.as_ref(),
            signed(view.usage.input),
            signed(view.usage.in_cached),
            signed(view.usage.out),
            signed(view.usage.reasoning),
            view.usage.source.as_ref(),
            view.cost.nano.map(signed),
            view.cost.status.as_ref(),
            signed(view.timing.total_us),
            signed(view.timing.ttft_us),
            labels,
            self.shard,
            signed(at.segment),
            signed(at.offset),
            admitted.map(|at| signed(at.segment)),
            admitted.map(|at| signed(at.offset)),
        ])?;
        if inserted == 1 {
            self.sums.add(view, names);
        }
        let nanos = view.cost.nano.unwrap_or_default();
        if inserted == 1 && nanos > 0 && !view.actor.credential.is_empty() {
            let bucket = (view.actor.credential.to_string(), accepted_at / HOUR_MICROS);
            let sum = self.spent.entry(bucket).or_default();
            *sum = sum.saturating_add(nanos);
        }
        Ok(())
    }
}

fn insert_open(
    transaction: &Transaction<'_>,
    name: &str,
    fresh: &HashMap<Id, usize>,
    entries: &[Entry],
    shard: &mut Shard,
) -> Result<(), StoreError> {
    // An admitted leaf behind the end of its call is no open call.
    let mut insert = transaction.prepare_cached(
        "INSERT INTO open_calls (call, shard, at, key, reserved_nanos, segment, position) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM calls WHERE call = ?1) \
         ON CONFLICT (call) DO UPDATE SET reserved_nanos = ?5, segment = ?6, position = ?7",
    )?;
    for (id, place) in fresh {
        let Some(entry) = entries.get(*place) else { continue };
        let Ok(view) = View::parse(&entry.leaf) else { continue };
        insert.execute(params![
            id,
            name,
            signed(view.at()),
            view.actor.credential.as_ref(),
            signed(view.cost.reserved_nano),
            signed(entry.at.segment),
            signed(entry.at.offset),
        ])?;
        shard.open.insert(*id, entry.at);
    }
    Ok(())
}

fn add_spent(transaction: &Transaction<'_>, spent: HashMap<(String, u64), u64>) -> Result<(), StoreError> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO spent (key, hour, nanos) VALUES (?, ?, ?) \
         ON CONFLICT (key, hour) DO UPDATE SET nanos = nanos + excluded.nanos",
    )?;
    for ((key, hour), nanos) in spent {
        add.execute(params![key, signed(hour), signed(nanos)])?;
    }
    Ok(())
}

// === impl Shard ===

impl Shard {
    fn load(connection: &Connection, name: &str, subjects: Arc<Subjects>) -> Result<Self, StoreError> {
        let mut select =
            connection.prepare_cached("SELECT call, segment, position FROM open_calls WHERE shard = ?")?;
        let open = select.query_map([name], |row| Ok((row.get(0)?, cursor(row.get(1)?, row.get(2)?))))?;
        Ok(Self { cursor: load_cursor(connection, name)?, open: open.collect::<Result<_, _>>()?, subjects })
    }
}

fn load_cursor(connection: &Connection, name: &str) -> Result<Cursor, StoreError> {
    let mut select = connection.prepare_cached("SELECT segment, position FROM cursors WHERE shard = ?")?;
    let found = select.query_row([name], |row| Ok(cursor(row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.unwrap_or_default())
}

fn store_cursor(connection: &Connection, name: &str, at: Cursor) -> Result<(), StoreError> {
    let mut update = connection.prepare_cached(
        "INSERT INTO cursors (shard, segment, position, log) VALUES (?, ?, ?, '') \
         ON CONFLICT (shard) DO UPDATE SET segment = excluded.segment, position = excluded.position",
    )?;
    update.execute(params![name, signed(at.segment), signed(at.offset)])?;
    Ok(())
}

#[cfg(test)]
#[path = "projector_tests.rs"]
mod tests;
