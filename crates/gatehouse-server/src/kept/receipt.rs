//! `GET /v1/receipts/{record}`: the proof that a call is in the log, for who made it.

use crate::call::Call;
use crate::exchange::Whole;
use crate::house::House;
use bytes::Bytes;
use gatehouse_audit::View;
use gatehouse_core::call::{CallId, Caller};
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::json::{Out, Raw};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

/// Answers.
///
/// # Errors
/// `not_found`, the same for what does not exist and for what is another tenant's; `audit_unavailable` while the leaf is
/// not covered.
pub(super) async fn retrieve(house: &House, call: &Call) -> Result<Whole, Error> {
    let none = || Error::new(Code::NotFound, "there is no record of this id");
    let id = call.front.id.as_deref().and_then(CallId::parse).ok_or_else(none)?;
    let broken = |why: String| Error::new(Code::Internal, "the record cannot be looked up").detail(why);
    let receipts =
        house.receipts.get().map(Arc::clone).ok_or_else(|| broken("nobody proves it".to_owned()))?;
    let found = tokio::task::spawn_blocking(move || receipts.find(id)).await;
    let found = found.map_err(|error| broken(error.to_string()))?.map_err(broken)?;
    let receipt = found.filter(|receipt| is_of(&receipt.leaf, &call.key.caller)).ok_or_else(none)?;
    let Some(proof) = receipt.proof else {
        let message = "the record is not signed yet; checkpoints are made every second";
        return Err(Error::new(Code::AuditUnavailable, message).retry_after(Duration::from_secs(1)));
    };
    let accepts = call.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (media, body) = if accepts.contains("json") {
        let mut out = Out::new();
        out.object(|out| {
            out.field("object", "receipt")
                .field("record", call.front.id.as_deref())
                .field("leaf", Raw(&String::from_utf8_lossy(&receipt.leaf)))
                .field("proof", proof.as_str())
                .field("key", receipt.key.as_str());
        });
        ("application/json", out.into_bytes())
    } else {
        ("text/plain; charset=utf-8", proof.into_bytes())
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    Ok(Whole::ok(headers, Bytes::from(body)))
}

/// Whether a call was this caller's: of its application, or of its key where that is of none.
fn is_of(leaf: &[u8], caller: &Caller) -> bool {
    let Ok(view) = View::parse(leaf) else { return false };
    let bound = &caller.bound;
    if bound.app.is_empty() {
        return view.actor.credential == *caller.key_id;
    }
    (view.org.app.as_ref(), view.org.team.as_ref(), view.org.org.as_ref())
        == (&*bound.app, &*bound.team, &*bound.org)
}
