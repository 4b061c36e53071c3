//! The head of the answer: what every answer says about its call.

use crate::headers::put;
use crate::trail::{Ended, Trail};
use gatehouse_core::content::Family;
use gatehouse_core::record::CostStatus;
use http::HeaderMap;

/// Writes what every answer says about its call.
pub fn describe(headers: &mut HeaderMap, trail: &Trail) {
    let record = trail.record();
    put(headers, "x-gatehouse-record", &record.call.to_string());
    if let Some(target) = &record.target {
        put(headers, "x-gatehouse-target", target);
    }
    if let Some(route) = &record.route {
        put(headers, "x-gatehouse-route", route);
    }
    put(headers, "x-gatehouse-guards", &trail.guards());
    put(headers, "x-gatehouse-attempts", &trail.attempts().to_string());
    if !record.dropped.is_empty() {
        put(headers, "x-gatehouse-dropped", &record.dropped.join(","));
    }
}

/// Writes what the call cost, where that is known before the body.
pub fn price(headers: &mut HeaderMap, ended: &Ended) {
    match ended.cost.status {
        CostStatus::Unpriced => put(headers, "x-gatehouse-cost", "unpriced"),
        _ => put(headers, "x-gatehouse-cost", &ended.cost.amount.to_string()),
    }
}

/// SDKs show the id under the name that their provider uses: ours, where the provider gave none.
pub fn request_id(headers: &mut HeaderMap, family: Family, record: &str) {
    let name = match family {
        Family::Anthropic => "request-id",
        Family::OpenAi => "x-request-id",
        Family::Gemini => return,
    };
    if !headers.contains_key(name) {
        put(headers, name, record);
    }
}
