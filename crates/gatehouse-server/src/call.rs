//! One governed call, in one shape for every dialect: what the stages hand on and exchanges send.

use crate::form::Files;
use crate::front::Front;
use bytes::Bytes;
use gatehouse_core::call::Scope;
use gatehouse_guard::engine::Active;
use gatehouse_identity::key::Entry;
use gatehouse_wire::codec::View;
use gatehouse_wire::json::Doc;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Instant;

/// One governed call: whole, parsed, and in one shape for every dialect.
pub struct Call {
    /// What was asked.
    pub(crate) front: Front,
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
}

// === impl Call ===

impl Call {
    /// Whether it can be sent, or sent again: a file that came by cannot.
    #[must_use]
    pub fn can_be_sent(&self) -> bool {
        !self.files.as_ref().is_some_and(Files::are_spent)
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.doc.bytes()
    }
}
