//! What the API for administration knows of the records: the index, the log and the proofs, as the commands use them.

mod ask;
mod tell;

use crate::data::Data;
use crate::index::Handle;
use crate::records;
use crate::search;
use ask::{filter, of, selection};
use bytes::Bytes;
use gatehouse_audit::{DEFAULT_SHARD, Log, Subjects, View, shard_dir, shards};
use gatehouse_core::call::CallId;
use gatehouse_server::office::{Asked, Body, Ended, Found, Ledger, Problem, What};
use gatehouse_server::receipts::Receipts;
use gatehouse_store::{After, DIMENSIONS_MAX, Dimension, Index, PAGE_ROWS_MAX, Shown, StoreError};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tell::Teller;
use tokio::sync::broadcast;

/// How long a question waits for what the index has not taken in yet.
const CATCH_UP_WAIT_MAX: Duration = Duration::from_secs(2);
/// Rows of a page, unless it is said how many.
const PAGE_ROWS_USUAL: usize = 50;
/// Bytes of a copy that are handed on at once.
const PIECE_BYTES: usize = 64 << 10;

/// The records of this gateway.
pub(crate) struct Books {
    data: Data,
    index: Handle,
    log: Log,
    receipts: Arc<dyn Receipts>,
    teller: Teller,
}

// === impl Books ===

impl Books {
    pub(crate) fn new(data: Data, index: Handle, log: Log, receipts: Arc<dyn Receipts>) -> Self {
        Self { data, index, log, receipts, teller: Teller::default() }
    }

    /// The index, which gives up when the time of the question is over.
    fn open(&self, asked: &Asked) -> Result<Index, Problem> {
        let index = Index::open(self.data.dir()).map_err(failed)?;
        let until = asked.until.clone();
        index.give_up_when(move || until.is_over()).map_err(failed)?;
        Ok(index)
    }

    /// The same with what is in the log now.
    fn fresh(&self, asked: &Asked) -> Result<Index, Problem> {
        self.index.catch_up_within(CATCH_UP_WAIT_MAX).map_err(|error| internal(&error))?;
        self.open(asked)
    }

    fn subjects(&self, shard: &str) -> anyhow::Result<Arc<Subjects>> {
        if shard == DEFAULT_SHARD {
            return Ok(Arc::clone(self.log.subjects()));
        }
        self.data.subjects(shard).map(Arc::new)
    }

    /// Everything about the call that is asked for, if it is one that he who asks may see. Any other does not exist.
    fn shown(&self, asked: &Asked) -> Result<(CallId, Shown), Problem> {
        let none = || Problem::not_found("there is no record of this id");
        let call = asked.call.ok_or_else(none)?;
        let mut shown = self.open(asked)?.show(call).map_err(failed)?;
        if shown.as_ref().is_none_or(|shown| shown.leaf.is_none()) {
            // Perhaps it came a moment ago.
            shown = self.fresh(asked)?.show(call).map_err(failed)?;
        }
        let shown = shown.ok_or_else(none)?;
        let leaf = shown.leaf.as_deref().or(shown.admitted.as_deref()).ok_or_else(none)?;
        let view = View::parse(leaf.as_bytes()).map_err(|error| Problem::internal(&error))?;
        if !asked.by.sees(&view.org.org, &view.org.team) {
            return Err(none());
        }
        Ok((call, shown))
    }

    fn list(&self, asked: &Asked) -> Result<Found, Problem> {
        let filter = filter(asked)?;
        let limit = asked.params.read("limit", |text| match text.parse() {
            Ok(limit @ 1..=PAGE_ROWS_MAX) => Ok(limit),
            _ => Err(format!("write a number from 1 to {PAGE_ROWS_MAX}")),
        })?;
        let limit = limit.unwrap_or(PAGE_ROWS_USUAL);
        let after = asked.params.read("cursor", |text| match CallId::parse(text) {
            Some(call) => Ok(After { call: call.to_string() }),
            None => Err("not the next of a page".to_owned()),
        })?;
        let index = self.fresh(asked)?;
        let (page, said) = match asked.params.get("text") {
            None => (index.calls(&filter, after.as_ref(), limit).map_err(failed)?, 0),
            Some(text) => {
                let mut keys = |shard: &str| self.subjects(shard);
                let is_over = || asked.until.is_over();
                let found = search::calls(&index, &filter, after, limit, text, &mut keys, &is_over);
                let found = found.map_err(|error| internal(&error))?;
                if found.is_stopped {
                    return Err(Problem::too_long());
                }
                (found.page, found.read)
            }
        };
        let rows: Vec<Value> = page.rows.iter().map(records::row).collect();
        let count = number(rows.len());
        let next = page.next.map(|next| next.call);
        let body = Body::Json(json!({ "records": rows, "next": next }));
        Ok(Found { body, of: of(asked, self.log.subjects()), rows: count, said })
    }

    fn record(&self, asked: &Asked) -> Result<Found, Problem> {
        let (call, shown) = self.shown(asked)?;
        let mut whole = records::whole(&shown, &Value::Null);
        if let Some(members) = whole.as_object_mut() {
            members.remove("content");
            let proof = shown.leaf.is_some().then(|| format!("/api/records/{call}/proof"));
            members.insert("proof".to_owned(), json!(proof));
        }
        Ok(one(Body::Json(whole), call, 0))
    }

    fn content(&self, asked: &Asked) -> Result<Found, Problem> {
        let (call, shown) = self.shown(asked)?;
        let (mut content, mut said) = (Vec::new(), 0);
        if let Some(entry) = shown.entry.as_ref().filter(|entry| !entry.contents.is_empty()) {
            let subjects = self.subjects(&shown.shard).map_err(|error| internal(&error))?;
            let bodies = entry.payloads(&subjects).map_err(|error| Problem::internal(&error))?;
            content = records::said(&bodies);
            said = u64::from(bodies.iter().any(|body| body.text.is_some()));
        }
        Ok(one(Body::Json(json!({ "record": call.to_string(), "content": content })), call, said))
    }

    fn proof(&self, asked: &Asked) -> Result<Found, Problem> {
        let (call, _) = self.shown(asked)?;
        let found = self.receipts.find(call).map_err(|error| Problem::internal(&error))?;
        let receipt =
            found.ok_or_else(|| Problem::not_found("this call has not ended: there is no proof yet"))?;
        let proof = receipt.proof.ok_or_else(|| Problem::busy("no checkpoint covers this record yet"))?;
        Ok(one(Body::Text(proof), call, 0))
    }

    fn usage(&self, asked: &Asked) -> Result<Found, Problem> {
        let read = |text: &str| -> Result<Vec<Dimension>, String> {
            let by: anyhow::Result<Vec<_>> = text.split(',').map(records::dimension).collect();
            let by = by.map_err(|error| error.to_string())?;
            if by.len() > DIMENSIONS_MAX {
                return Err(format!("at most {DIMENSIONS_MAX}"));
            }
            Ok(by)
        };
        let by = asked.params.read("by", read)?.unwrap_or_else(|| vec![Dimension::Team, Dimension::Model]);
        let rows = self.fresh(asked)?.usage(&by, &filter(asked)?).map_err(failed)?;
        let names: Vec<String> = by.iter().map(Dimension::name).collect();
        let lines: Vec<Value> = rows.iter().map(|row| records::usage_row(&names, row)).collect();
        let count = number(lines.len());
        let body = Body::Json(json!({ "by": names, "rows": lines }));
        Ok(Found { body, of: of(asked, self.log.subjects()), rows: count, said: 0 })
    }

    /// Hands on lines until nobody wants more, or its time is over.
    fn copy(&self, asked: &Asked, to: &mut dyn FnMut(Bytes) -> bool) -> anyhow::Result<u64> {
        let selection = selection(asked).map_err(|problem| anyhow::anyhow!(problem.detail))?;
        let (mut count, mut lines, mut goes_on) = (0_u64, Vec::with_capacity(PIECE_BYTES), true);
        for shard in shards(self.data.dir())? {
            let subjects = self.subjects(&shard)?;
            records::each(&shard_dir(self.data.dir(), &shard), &selection, &subjects, |leaf, meant| {
                if meant.is_some_and(|view| asked.by.sees(&view.org.org, &view.org.team)) {
                    lines.extend_from_slice(leaf);
                    lines.push(b'\n');
                    count += 1;
                }
                if lines.len() >= PIECE_BYTES {
                    let piece = std::mem::replace(&mut lines, Vec::with_capacity(PIECE_BYTES));
                    goes_on = to(piece.into());
                }
                goes_on = goes_on && !asked.until.is_over();
                Ok(goes_on)
            })?;
            anyhow::ensure!(goes_on, "nobody waits for the copy any more");
        }
        if !lines.is_empty() {
            to(lines.into());
        }
        Ok(count)
    }
}

impl Ledger for Books {
    fn answer(&self, asked: &Asked) -> Result<Found, Problem> {
        match asked.what {
            What::Records => self.list(asked),
            What::Record => self.record(asked),
            What::Content => self.content(asked),
            What::Proof => self.proof(asked),
            What::Usage => self.usage(asked),
            What::Me | What::Live | What::Export => Err(Problem::internal(&"nothing to look up")),
        }
    }

    fn export_of(&self, asked: &Asked) -> Result<String, Problem> {
        asked.params.read("format", |format| match format {
            "jsonl" => Ok(()),
            _ => Err("known here: jsonl; gatehouse audit export makes other copies".to_owned()),
        })?;
        selection(asked)?;
        Ok(of(asked, self.log.subjects()))
    }

    fn export(&self, asked: &Asked, to: &mut dyn FnMut(Bytes) -> bool) -> Result<u64, Problem> {
        self.copy(asked, to).map_err(|error| internal(&error))
    }

    fn follow(&self) -> Result<broadcast::Receiver<Ended>, Problem> {
        let index = || {
            self.index.catch_up_within(CATCH_UP_WAIT_MAX)?;
            Ok(Index::open(self.data.dir())?)
        };
        self.teller.follow(self.data.dir(), &self.index, index).map_err(|error| internal(&error))
    }

    fn among(&self, asked: &Asked, calls: &[CallId]) -> Result<(Vec<Value>, String), Problem> {
        let filter = filter(asked)?;
        let rows = match calls {
            [] => Vec::new(),
            calls => self.open(asked)?.among(calls, &filter).map_err(failed)?,
        };
        Ok((rows.iter().map(records::row).collect(), of(asked, self.log.subjects())))
    }
}

fn one(body: Body, call: CallId, said: u64) -> Found {
    Found { body, of: json!({ "record": call.to_string() }).to_string(), rows: 1, said }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn failed(error: StoreError) -> Problem {
    internal(&error.into())
}

fn internal(error: &anyhow::Error) -> Problem {
    match error.downcast_ref::<StoreError>() {
        Some(error) if error.is_given_up() => Problem::too_long(),
        _ => Problem::internal(&format!("{error:#}")),
    }
}
