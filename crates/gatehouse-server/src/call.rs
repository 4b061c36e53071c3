//! One governed call, in one shape for every dialect: what the stages hand on and exchanges send.

use crate::form::Files;
use crate::front::Front;
use crate::memory::recall::Recalled;
use crate::passage::Passage;
use crate::snapshot::Route;
use bytes::Bytes;
use gatehouse_core::call::{Operation, Scope};
use gatehouse_core::content::Place;
use gatehouse_guard::engine::Active;
use gatehouse_identity::key::Entry;
use gatehouse_route::sticky::Conversation;
use gatehouse_wire::codec::View;
use gatehouse_wire::json::Doc;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Instant;

/// One governed call: whole, parsed, and in one shape for every dialect.
pub struct Call {
    /// What was asked.
    pub(crate) front: Front,
    /// What stands behind the path.
    pub(crate) query: Option<String>,
    /// The request's headers.
    pub(crate) headers: HeaderMap,
    /// Who asks.
    pub(crate) key: Arc<Entry>,
    /// On whose account.
    pub(crate) scope: Scope,
    /// The body.
    pub(crate) doc: Doc,
    /// What of it the pipeline needs.
    pub(crate) view: View,
    /// The model that the caller named.
    pub(crate) model: String,
    /// Whether the answer is streamed.
    pub(crate) stream: bool,
    /// When the answer is worth nothing any more.
    pub(crate) deadline: Instant,
    /// The guardrails for this account.
    pub(crate) guards: Active,
    /// The files of a form.
    pub(crate) files: Option<Files>,
    /// Who serves it, where the path says so.
    pub(crate) route: Option<Arc<Route>>,
    /// What passes as it is.
    pub(crate) passage: Option<Passage>,
    /// What it has to do with the memory of this gateway.
    pub(crate) recalled: Option<Recalled>,
    /// What it is a turn of, where that decides who serves it.
    pub(crate) conversation: Option<Conversation>,
}

/// How much of a text tells a conversation from others, in bytes.
const BEGINNING_BYTES_MAX: usize = 16 << 10;

// === impl Call ===

impl Call {
    /// Whether it can be sent, or sent again: a file that came by cannot.
    #[must_use]
    pub fn can_be_sent(&self) -> bool {
        let files = self.files.as_ref().is_none_or(|files| !files.are_spent());
        files && self.passage.as_ref().is_none_or(Passage::can_be_sent)
    }

    /// What the call is a turn of: what the caller calls it for the provider's cache, else the run, else how it
    /// begins. Of the beginning the texts count, the first instructions and the first words of the user: marks of
    /// the cache move on from turn to turn, and tools come and go. `None` for what is no conversation.
    #[must_use]
    pub fn turn_of(&self) -> Option<Conversation> {
        if !matches!(self.front.operation, Operation::Chat | Operation::TextCompletion) {
            return None;
        }
        // Callers have nothing in common at a provider, even if they say the same.
        let caller = &self.key.caller.key_id;
        if let Some(name) = self.doc.root().opt("prompt_cache_key").and_then(|name| name.str()) {
            return Some(Conversation::of(&(caller, "key", name)));
        }
        if !self.scope.run.is_empty() {
            return Some(Conversation::of(&(caller, "run", &self.scope.run)));
        }
        let first = |place| {
            let span = self.view.spans.iter().find(|span| span.place == place)?;
            let text = self.body().get(span.range.clone())?;
            text.get(..BEGINNING_BYTES_MAX).or(Some(text))
        };
        let (system, input) = (first(Place::System), first(Place::Input));
        (system.is_some() || input.is_some()).then(|| Conversation::of(&(caller, system, input)))
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.doc.bytes()
    }
}
