//! Files and batches of tenants, from the database to the house.

use anyhow::Result;
use gatehouse_core::call::CallId;
use gatehouse_server::shelf::{Shelf, Thing, Wanted};
use gatehouse_store::{Index, StoreError, ThingPage, ThingRecord, Things};

/// The table of what tenants have at providers.
pub(crate) struct Table(pub(crate) Things);

/// Closes the batches whose record is in the log already, though the table took no note of it: an earlier end came in
/// between. The index must be up to date.
pub(crate) fn close_settled(things: &Things, index: &Index) -> Result<()> {
    for thing in things.open_batches()? {
        let Some(call) = thing.settlement.as_deref().and_then(CallId::parse) else { continue };
        if index.show(call)?.is_some_and(|shown| shown.leaf.is_some()) {
            things.put(&ThingRecord { open: false, ..thing })?;
        }
    }
    Ok(())
}

// === impl Shelf ===

impl Shelf for Table {
    fn put(&self, thing: &Thing) -> Result<(), String> {
        self.0.put(&record(thing)).map_err(|error| words(&error))
    }

    fn find(&self, tenant: &str, provider: &str, upstream: &str) -> Result<Option<Thing>, String> {
        let found = self.0.find(tenant, provider, upstream).map_err(|error| words(&error))?;
        Ok(found.map(thing))
    }

    fn remove(&self, id: &str) -> Result<(), String> {
        self.0.remove(id).map_err(|error| words(&error))
    }

    fn list(&self, wanted: &Wanted) -> Result<Option<Vec<Thing>>, String> {
        let page = ThingPage {
            kind: &wanted.kind,
            tenant: &wanted.tenant,
            purpose: &wanted.purpose,
            after: wanted.after.as_deref(),
            ascending: wanted.ascending,
            limit: wanted.limit,
            now: wanted.now,
        };
        let found = self.0.list(&page).map_err(|error| words(&error))?;
        Ok(found.map(|rows| rows.into_iter().map(thing).collect()))
    }

    fn open(&self) -> Result<Vec<Thing>, String> {
        let found = self.0.open_batches().map_err(|error| words(&error))?;
        Ok(found.into_iter().map(thing).collect())
    }

    fn sweep(&self, now: u64) -> Result<(), String> {
        self.0.sweep(now).map_err(|error| words(&error))
    }
}

fn words(error: &StoreError) -> String {
    error.to_string()
}

fn record(thing: &Thing) -> ThingRecord {
    let Thing {
        id,
        kind,
        tenant,
        provider,
        upstream,
        purpose,
        created_at,
        expires_at,
        body,
        memo,
        made_by,
        open,
        misses,
        settlement,
    } = thing.clone();
    ThingRecord {
        id,
        kind,
        tenant,
        provider,
        upstream,
        purpose,
        created_at,
        expires_at,
        body,
        memo,
        made_by,
        open,
        misses,
        settlement,
    }
}

fn thing(record: ThingRecord) -> Thing {
    let ThingRecord {
        id,
        kind,
        tenant,
        provider,
        upstream,
        purpose,
        created_at,
        expires_at,
        body,
        memo,
        made_by,
        open,
        misses,
        settlement,
    } = record;
    Thing {
        id,
        kind,
        tenant,
        provider,
        upstream,
        purpose,
        created_at,
        expires_at,
        body,
        memo,
        made_by,
        open,
        misses,
        settlement,
    }
}

#[cfg(test)]
mod tests {
    use super::close_settled;
    use crate::data::Data;
    use crate::index::Indexer;
    use gatehouse_audit::{Log, Options};
    use gatehouse_core::call::CallId;
    use gatehouse_server::clock;
    use gatehouse_store::{Index, ThingRecord, Things};

    /// Between the leaf and the note of it the process may end: then the log knows, and nothing is written again.
    #[tokio::test]
    async fn a_batch_whose_end_is_in_the_log_is_closed_and_one_that_was_only_decided_stays_open() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::open(dir.path()).unwrap();
        let log = Log::open(&Options::new(data.dir())).unwrap();
        let things = Things::open(data.dir()).unwrap();
        let (written, decided) = (clock::call_id(), clock::call_id());
        for (id, settlement) in [("w", Some(written)), ("d", Some(decided)), ("o", None)] {
            let settlement = settlement.map(|call| call.to_string());
            things
                .put(&ThingRecord { id: id.to_owned(), open: true, settlement, ..ThingRecord::default() })
                .unwrap();
        }
        log.permit().unwrap().settle(&ended(written)).unwrap();
        let mut indexer = Indexer::open(&data, Some(&log)).unwrap();
        indexer.catch_up().unwrap();
        close_settled(&things, &Index::open(data.dir()).unwrap()).unwrap();
        let open: Vec<String> = things.open_batches().unwrap().into_iter().map(|thing| thing.id).collect();
        assert_eq!(open, ["d", "o"]);
    }

    fn ended(call: CallId) -> gatehouse_core::record::Settled {
        use gatehouse_core::record::{Cost, Ending, Settled, Timing};
        Settled {
            call,
            at: 1,
            outcome: Ending::Settled,
            error: None,
            status: 200,
            key: None,
            scope: gatehouse_core::call::Scope::default(),
            operation: None,
            surface: None,
            stream: false,
            model: None,
            target: None,
            route: None,
            attempts: Vec::new(),
            guards: Vec::new(),
            dropped: Vec::new(),
            finish: None,
            usage: gatehouse_core::usage::Usage::default(),
            usage_source: gatehouse_core::usage::UsageSource::None,
            cost: Cost::default(),
            timing: Timing::default(),
            config: "c".into(),
            payload: Vec::new(),
            trace: None,
        }
    }
}
