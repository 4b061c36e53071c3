//! The head of the answer: what every answer says about its call.

use crate::headers::{self, put};
use crate::trail::{Ended, Trail};
use gatehouse_core::content::Family;
use gatehouse_core::record::CostStatus;
use http::HeaderMap;

/// Writes what every answer says about its call.
pub fn describe(into: &mut HeaderMap, trail: &Trail) {
    let record = trail.record();
    put(into, headers::RECORD, &record.call.to_string());
    if let Some(target) = &record.target {
        put(into, headers::TARGET, target);
    }
    if let Some(route) = &record.route {
        put(into, headers::ROUTE, route);
    }
    put(into, headers::GUARDS, &trail.guards());
    put(into, headers::ATTEMPTS, &trail.attempts().to_string());
    if !record.dropped.is_empty() {
        put(into, headers::DROPPED, &record.dropped.join(","));
    }
}

/// Writes what the call cost, where that is known before the body.
pub fn price(into: &mut HeaderMap, ended: &Ended) {
    match ended.cost.status {
        CostStatus::Unpriced => put(into, headers::COST, "unpriced"),
        _ => put(into, headers::COST, &ended.cost.amount.to_string()),
    }
}

/// SDKs show the id under the name that their provider uses: ours, where the provider gave none.
pub fn request_id(into: &mut HeaderMap, family: Family, record: &str) {
    let name = match family {
        Family::Anthropic => headers::ANTHROPIC_ID,
        Family::OpenAi => headers::OPENAI_ID,
        Family::Bedrock => headers::AMAZON_ID,
        Family::Gemini | Family::Cohere => return,
    };
    if !into.contains_key(&name) {
        put(into, name, record);
    }
}
