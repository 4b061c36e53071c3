//! Answers of `/v1/responses` that were kept: to be read, followed back, given up and deleted.

use crate::call::Call;
use crate::clock;
use crate::exchange::{Whole, whole};
use crate::front::query_value;
use crate::house::House;
use crate::memory::Sought;
use crate::memory::keeper::Standing;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::call::CallId;
use gatehouse_core::content::splice;
use gatehouse_core::error::{Code, Error};
use gatehouse_identity::envelope::{Kind, Tenant};
use gatehouse_wire::codec::Codec as _;
use gatehouse_wire::json::{Doc, Node, Out, Raw, Strictness};
use gatehouse_wire::openai_responses::OpenAiResponses;
use gatehouse_wire::openai_responses::kept::{self, Exchange};
use http::HeaderMap;

/// Items of a list, unless the caller says how many, and the most.
const ITEMS_USUAL: usize = 20;
const ITEMS_MAX: usize = 100;

/// Which answer a call is about.
struct About {
    tenant: Tenant,
    id: CallId,
}

/// `GET /v1/responses/{id}`
///
/// # Errors
/// `not_found`, `unsupported_parameter`, `guard_blocked`.
pub(super) async fn retrieve(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    if query_value(call.query.as_deref(), "stream").is_some_and(|stream| stream == "true") {
        let message = "stream: an answer that was kept comes in one piece; leave it out";
        return Err(Error::unsupported("stream", message));
    }
    let about = About::of(house, call)?;
    let exchange = house.memory.get(&about.tenant, about.id).await?;
    shown(house, call, &about, &exchange, trail)
}

/// `DELETE /v1/responses/{id}`
///
/// # Errors
/// `not_found`.
pub(super) async fn delete(house: &House, call: &Call) -> Result<Whole, Error> {
    let about = About::of(house, call)?;
    if let Some(job) = house.background.find(about.id) {
        // If its last word is being said, it is deleted behind that.
        let _ = job.cancel();
    }
    house.memory.delete(&about.tenant, about.id).await?;
    let mut out = Out::new();
    out.object(|out| {
        out.field("id", call.front.id.as_deref()).field("object", "response").field("deleted", true);
    });
    Ok(answer(out.into_bytes()))
}

/// `POST /v1/responses/{id}/cancel`
///
/// # Errors
/// `not_found`, `invalid_request` for an answer that was not made in the background.
pub(super) async fn cancel(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    let about = About::of(house, call)?;
    let exchange = house.memory.get(&about.tenant, about.id).await?;
    let response = exchange.response().ok_or_else(|| Kind::Response.not_found())?;
    if response.opt("background").and_then(|background| background.bool()) != Some(true) {
        let message = "only an answer that is made in the background can be cancelled";
        return Err(Error::new(Code::InvalidRequest, message));
    }
    if house.background.find(about.id).is_some_and(|job| job.cancel()) {
        let cancelled = kept::restated(response, Standing::Cancelled).unwrap_or_default();
        house.memory.restate(&about.tenant, about.id, &exchange, &cancelled).await?;
        return Ok(answer(cancelled.into_bytes()));
    }
    // Its last word was said before this one.
    let exchange = house.memory.get(&about.tenant, about.id).await?;
    shown(house, call, &about, &exchange, trail)
}

/// `GET /v1/responses/{id}/input_items`: everything that the answer was made of, the last first.
///
/// # Errors
/// `not_found`, `invalid_request`, `guard_blocked`.
pub(super) async fn input_items(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    let about = About::of(house, call)?;
    let sought = Sought {
        tenant: about.tenant,
        last: about.id,
        now: clock::unix_seconds(),
        expires_at: None,
        bytes_max: usize::try_from(trail.snapshot.limits.body.0).unwrap_or(usize::MAX),
    };
    let exchanges = house.memory.chain(sought).await?;
    let last = exchanges.len().saturating_sub(1);
    let mut items: Vec<(String, String)> = Vec::new();
    for (turn, exchange) in exchanges.iter().enumerate() {
        let output = exchange.output().filter(|_| turn < last);
        for item in exchange.input().chain(output) {
            let at = items.len();
            let id = item.opt("id").and_then(|id| id.str()).map(std::borrow::Cow::into_owned);
            items.push((id.unwrap_or_else(|| item_id(exchange, at)), item.raw().to_owned()));
        }
    }
    let page = Page::asked(call.query.as_deref())?.of(items)?;
    page.judged(call, trail)
}

/// An id for an item that has none: the same each time.
fn item_id(exchange: &Exchange, at: usize) -> String {
    let response = exchange.response().and_then(|response| response.opt("id")).and_then(|id| id.str());
    let mark: String = response.unwrap_or_default().chars().rev().take(16).collect();
    format!("msg_{mark}{at}")
}

/// An answer as it stands, once more under the guardrails that act now.
fn shown(
    house: &House,
    call: &Call,
    about: &About,
    exchange: &Exchange,
    trail: &mut Trail,
) -> Result<Whole, Error> {
    let response = exchange.response().ok_or_else(|| Kind::Response.not_found())?;
    let is_made =
        response.opt("status").and_then(|status| status.str()).is_none_or(|status| status != "in_progress");
    let text = if is_made || house.background.find(about.id).is_some() {
        response.raw().to_owned()
    } else {
        let error = Error::new(Code::Internal, "the gateway ended while the answer was being made");
        kept::restated(response, Standing::Failed(&error)).unwrap_or_default()
    };
    let doc = Doc::parse(Bytes::from(text), Strictness::Provider)?;
    Ok(answer(whole::judged(call, &OpenAiResponses, doc, trail)?.bytes().to_vec()))
}

fn answer(body: Vec<u8>) -> Whole {
    Whole::ok(HeaderMap::new(), Bytes::from(body))
}

/// Which part of a list is wanted.
struct Page {
    limit: usize,
    after: Option<String>,
    newest_first: bool,
}

/// A part of a list.
struct Part {
    items: Vec<(String, String)>,
    has_more: bool,
}

// === impl About ===

impl About {
    fn of(house: &House, call: &Call) -> Result<Self, Error> {
        let tenant = Tenant::of(&call.key.caller);
        let id = house.memory.open(&tenant, call.front.id.as_deref().unwrap_or_default())?;
        Ok(Self { tenant, id })
    }
}

// === impl Page ===

impl Page {
    fn asked(query: Option<&str>) -> Result<Self, Error> {
        let limit = match query_value(query, "limit") {
            None => ITEMS_USUAL,
            Some(limit) => {
                let limit = limit.parse().ok().filter(|limit| (1..=ITEMS_MAX).contains(limit));
                limit.ok_or_else(|| Error::invalid("limit", format!("limit: must be 1 to {ITEMS_MAX}")))?
            }
        };
        let newest_first = match query_value(query, "order").as_deref() {
            None | Some("desc") => true,
            Some("asc") => false,
            Some(_) => return Err(Error::invalid("order", "order: must be \"asc\" or \"desc\"")),
        };
        Ok(Self { limit, after: query_value(query, "after"), newest_first })
    }

    /// This part of a list that is given oldest first.
    fn of(self, mut items: Vec<(String, String)>) -> Result<Part, Error> {
        if self.newest_first {
            items.reverse();
        }
        let from = match &self.after {
            None => 0,
            Some(after) => {
                let at = items.iter().position(|(id, _)| id == after);
                at.ok_or_else(|| Error::invalid("after", "after: there is no such item"))? + 1
            }
        };
        let has_more = items.len() > from.saturating_add(self.limit);
        Ok(Part { items: items.into_iter().skip(from).take(self.limit).collect(), has_more })
    }
}

// === impl Part ===

impl Part {
    /// The list as its caller gets it, under the guardrails that act now.
    fn judged(&self, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
        let mut out = Out::new();
        out.object(|out| {
            // As a request, so that the dialect can tell what is what.
            out.field("object", "list").field("model", "-");
            out.array_field("input", |out| {
                self.items.iter().for_each(|(_, item)| {
                    out.item(Raw(item));
                });
            });
        });
        let doc = Doc::parse(Bytes::from(out.into_bytes()), Strictness::Provider)?;
        let spans = if self.items.is_empty() { Vec::new() } else { OpenAiResponses.view(&doc)?.spans };
        let judged = call.guards.judge(doc.text(), &spans);
        trail.judged(judged.tally);
        if let Some(error) = judged.stopped {
            return Err(error);
        }
        let doc = Doc::parse(splice(doc.bytes(), &judged.edits), Strictness::Provider)?;
        let items = doc.root().opt("input").into_iter().flat_map(|input| input.items());
        let mut out = Out::new();
        out.object(|out| {
            out.field("object", "list");
            out.array_field("data", |out| {
                for (item, (id, _)) in items.zip(&self.items) {
                    write(out, item, id);
                }
            });
            out.field("first_id", self.items.first().map(|(id, _)| id));
            out.field("last_id", self.items.last().map(|(id, _)| id));
            out.field("has_more", self.has_more);
        });
        Ok(answer(out.into_bytes()))
    }
}

/// An item with its id, in the form that lists have: contents are parts, and every item has its type.
fn write(out: &mut Out, item: Node<'_>, id: &str) {
    out.object(|out| {
        out.field("id", id);
        if item.opt("type").is_none() {
            out.field("type", "message");
        }
        for (name, value) in item.members().filter(|(name, _)| name != "id") {
            match value.str().filter(|_| name == "content") {
                Some(text) => out.array_field("content", |out| {
                    let is_model =
                        item.opt("role").and_then(|role| role.str()).is_some_and(|role| role == "assistant");
                    out.object(|out| {
                        out.field("type", if is_model { "output_text" } else { "input_text" })
                            .field("text", text);
                        if is_model {
                            out.array_field("annotations", |_| {});
                        }
                    });
                }),
                None => out.field(&name, Raw(value.raw())),
            };
        }
    });
}
