//! Putting into a request what it refers to: the answers that it goes on from, and items that it only names.

use super::{Memory, Sought};
use crate::clock;
use gatehouse_core::call::{CallId, Caller};
use gatehouse_core::error::{Code, Error};
use gatehouse_identity::envelope::Tenant;
use gatehouse_wire::json::Doc;
use gatehouse_wire::openai_responses::kept::{self, Asked};
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

/// Items that one request may name without sending them: each is looked up.
const REFERENCES_MAX: usize = 1_000;

/// What a call has to do with memory.
#[derive(Clone, Debug)]
pub struct Recalled {
    /// Whose memory it is.
    pub tenant: Tenant,
    /// How long the answer is kept; `None` when it is not.
    pub keep: Option<Duration>,
    /// The answer that it goes on from: as the caller names it, and which it is.
    pub previous: Option<(String, CallId)>,
    /// How many items of the request were said before.
    pub context: usize,
    /// Whether the answer is fetched later.
    pub background: bool,
}

/// The rules of this gateway.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long answers are kept; `None` when none are.
    pub keep: Option<Duration>,
    /// How large a request may be with all that it refers to.
    pub bytes_max: u64,
}

// === impl Memory ===

impl Memory {
    /// The request with all that it refers to in it; nothing besides for calls that have nothing to do with memory.
    ///
    /// # Errors
    /// `not_found` for answers and items that are not there, or not this caller's; `unsupported_parameter` for what
    /// cannot be kept here; `request_too_large` when the whole conversation is.
    pub async fn recall(
        &self,
        caller: &Caller,
        doc: Doc,
        rules: Rules,
    ) -> Result<(Doc, Option<Recalled>), Error> {
        let asked = kept::asked(&doc)?;
        let keep = rules.keep.filter(|_| asked.store != Some(false));
        may_be(&asked, &doc, rules.keep.is_some(), keep.is_some())?;
        let tenant = Tenant::of(caller);
        let recalled = Recalled { tenant, keep, previous: None, context: 0, background: asked.background };
        let thinks = !asked.thoughts.is_empty() && rules.keep.is_some();
        if asked.previous.is_none() && asked.references.is_empty() && !thinks && !asked.background {
            return Ok((doc, keep.is_some().then_some(recalled)));
        }
        let (doc, recalled) = self.referred(doc, asked, recalled, rules).await?;
        let matters = recalled.keep.is_some() || recalled.previous.is_some();
        Ok((doc, matters.then_some(recalled)))
    }

    async fn referred(
        &self,
        doc: Doc,
        asked: Asked,
        mut recalled: Recalled,
        rules: Rules,
    ) -> Result<(Doc, Recalled), Error> {
        let now = clock::unix_seconds();
        let mut exchanges = Vec::new();
        if let Some(previous) = asked.previous {
            let here = |error: Error| {
                if error.code == Code::NotFound { error.at("previous_response_id") } else { error }
            };
            let last = self.open(&recalled.tenant, &previous).map_err(here)?;
            let sought = Sought {
                tenant: recalled.tenant.clone(),
                last,
                now,
                expires_at: recalled.keep.map(|keep| now.saturating_add(keep.as_secs())),
                bytes_max: usize::try_from(rules.bytes_max).unwrap_or(usize::MAX),
            };
            exchanges = self.chain(sought).await.map_err(here)?;
            if let Some(unfinished) = exchanges.iter().find(|exchange| !is_finished(exchange)) {
                return Err(not_finished(unfinished));
            }
            recalled.previous = Some((previous, last));
        }
        let context: Vec<Cow<'_, str>> = exchanges.iter().flat_map(kept::Exchange::context).collect();
        recalled.context = context.len();
        let items = self.items(&recalled.tenant, &asked.references, now, rules.bytes_max).await?;
        let resolve = |id: &str| items.get(id).cloned().ok_or_else(|| no_item(id));
        let known = self.thoughts(&recalled.tenant, &asked.thoughts, now).await?;
        let whole = kept::whole(
            &doc,
            usize::try_from(rules.bytes_max).unwrap_or(usize::MAX),
            &context,
            &resolve,
            &|id| known.get(id).cloned(),
        )?;
        if u64::try_from(whole.bytes().len()).unwrap_or(u64::MAX) > rules.bytes_max {
            return Err(too_large(rules.bytes_max));
        }
        Ok((whole, recalled))
    }

    /// The items that a request names, by their ids; `None` for those that are nothing without a provider's memory.
    async fn items(
        &self,
        tenant: &Tenant,
        ids: &[String],
        now: u64,
        bytes_max: u64,
    ) -> Result<HashMap<String, Option<String>>, Error> {
        let mut bytes = 0;
        if ids.len() > REFERENCES_MAX {
            let message = format!("input: refers to more than {REFERENCES_MAX} items; send them");
            return Err(Error::invalid("input", message));
        }
        let mut items = HashMap::new();
        for id in ids {
            if items.contains_key(id) {
                continue;
            }
            let found = self.responses.having(tenant.clone(), id.clone(), now).await?;
            let exchange = found.and_then(|found| self.read(tenant, found)).ok_or_else(|| no_item(id))?;
            let item = exchange.item(id).ok_or_else(|| no_item(id))?;
            let item = item.map(Cow::into_owned);
            bytes += item.as_ref().map_or(0, |item| u64::try_from(item.len()).unwrap_or(u64::MAX));
            if bytes > bytes_max {
                return Err(too_large(bytes_max));
            }
            items.insert(id.clone(), item);
        }
        Ok(items)
    }
}

// === impl Memory: items ===

impl Memory {
    /// The reasoning of these ids that is kept, with what only its provider can read. Most of it comes whole from its
    /// caller, and nobody has to look.
    async fn thoughts(
        &self,
        tenant: &Tenant,
        ids: &[String],
        now: u64,
    ) -> Result<HashMap<String, String>, Error> {
        let mut known = HashMap::new();
        for id in ids.iter().take(REFERENCES_MAX) {
            let found = self.responses.having(tenant.clone(), id.clone(), now).await?;
            let exchange = found.and_then(|found| self.read(tenant, found));
            if let Some(item) = exchange.as_ref().and_then(|exchange| exchange.item(id)).flatten() {
                known.insert(id.clone(), item.into_owned());
            }
        }
        Ok(known)
    }
}

/// Refuses what cannot be kept.
fn may_be(asked: &Asked, doc: &Doc, remembers: bool, keeps: bool) -> Result<(), Error> {
    let refused = |member: &str, why: &str| Err(Error::unsupported(member, format!("{member}: {why}")));
    if !remembers {
        let off = "this gateway keeps no answers (responses.keep)";
        if asked.previous.is_some() {
            return refused(
                "previous_response_id",
                &format!("{off}; send the whole conversation in \"input\""),
            );
        }
        if !asked.references.is_empty() {
            return refused(
                "input",
                &format!("{off}; send the items themselves instead of references to them"),
            );
        }
        if asked.background {
            return refused("background", &format!("{off}; leave it out and stream the answer"));
        }
    }
    if asked.background {
        if !keeps {
            return refused(
                "background",
                "an answer that is fetched later has to be kept; leave \"store\" out",
            );
        }
        if doc.root().opt("stream").and_then(|stream| stream.bool()) == Some(true) {
            return refused(
                "stream",
                "an answer that is made in the background is not streamed; ask for it later",
            );
        }
    }
    Ok(())
}

fn status(exchange: &kept::Exchange) -> Option<String> {
    exchange.response()?.opt("status")?.str().map(std::borrow::Cow::into_owned)
}

fn is_finished(exchange: &kept::Exchange) -> bool {
    status(exchange)
        .is_none_or(|status| !["queued", "in_progress", "failed", "cancelled"].contains(&status.as_str()))
}

fn not_finished(exchange: &kept::Exchange) -> Error {
    let status = status(exchange).unwrap_or_default();
    let message = format!("previous_response_id: an answer that is {status} cannot be gone on from");
    Error::invalid("previous_response_id", message)
}

fn no_item(id: &str) -> Error {
    /// Ids of items are short; what is longer is none, and is not repeated in full.
    const SHOWN_CHARS_MAX: usize = 64;
    let shown: String = id.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect();
    Error { code: Code::NotFound, ..Error::invalid("input", format!("input: there is no item {shown:?}")) }
}

/// A conversation is larger than a request may be.
#[must_use]
pub fn too_large(bytes_max: impl std::fmt::Display) -> Error {
    let message = format!("the conversation so far exceeds the limit of {bytes_max} bytes (limits.body)");
    Error::new(Code::RequestTooLarge, message).at("previous_response_id")
}
