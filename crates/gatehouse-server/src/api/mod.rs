//! The API for administration: from a request to an answer.
//!
//! In this order: by which name it was asked, which route it is, who asks, whether he may, and what exactly. What is
//! read is written down before it is shown.

mod openapi;
mod routes;
mod streams;

use crate::body::Reply;
use crate::clock::unix_seconds;
use crate::house::House;
use crate::office::{
    Asked, Body, FAILURE_PAUSE, Found, Office, Params, Problem, QUESTION_TIME_MAX, Reading, TURN_WAIT_MAX,
    Until, What,
};
use bytes::Bytes;
use gatehouse_audit::{Event, EventKind, Leaf};
use gatehouse_identity::admin::{Admin, Right};
use gatehouse_identity::carrier;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use routes::Route;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Whether a request to the administration side is one to the API.
pub(crate) fn is_meant<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    path == "/api" || path.starts_with("/api/")
}

/// Answers a request.
pub(crate) async fn serve(house: Arc<House>, request: Request<Incoming>) -> Response<Reply> {
    // The body is not read: nothing here takes one.
    let (head, _) = request.into_parts();
    let mut response = match answer(&house, &head).await {
        Ok(response) => response,
        Err(problem) => refused(&problem),
    };
    let headers = response.headers_mut();
    // Nothing of it may stay in a browser or a proxy, nor be taken for a page.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn answer(house: &Arc<House>, head: &http::request::Parts) -> Result<Response<Reply>, Problem> {
    let office = house.office.get().map(Arc::clone).ok_or_else(Problem::draining)?;
    if !is_ours(&office, head) {
        return Err(Problem::wrong_host());
    }
    if head.uri.path() == "/api/openapi.json" {
        only_get(&head.method)?;
        return Ok(whole("application/json", Bytes::from_static(openapi::DOCUMENT.as_bytes())));
    }
    let none = || Problem::not_found("there is nothing here; /api/openapi.json says what there is");
    let (route, call) = routes::find(head.uri.path()).ok_or_else(none)?;
    only_get(&head.method)?;
    let by = signed_in(&office, head).await?;
    may(&by, route.right)?;
    let params = Params::parse(head.uri.query(), route.params)?;
    if params.get("text").is_some() {
        may(&by, Right::Content)?;
    }
    let asked = |until| Asked { what: route.what, by: Arc::clone(&by), call, params, until };
    match route.what {
        What::Me => Ok(json_answer(&me(&by))),
        What::Live => streams::live(house, &office, asked).await,
        What::Export => streams::export(&office, asked).await,
        _ => question(&office, route, asked).await,
    }
}

fn only_get(method: &Method) -> Result<(), Problem> {
    if *method == Method::GET { Ok(()) } else { Err(Problem::method()) }
}

/// Whether it was asked by a name that is ours. Two names, or none, are nobody's.
fn is_ours(office: &Office, head: &http::request::Parts) -> bool {
    let mut named = head.headers.get_all(header::HOST).iter();
    let in_header = named.next().and_then(|host| host.to_str().ok());
    let in_address = head.uri.authority().map(http::uri::Authority::as_str);
    let takes = |host: &str| office.hosts.take(host);
    match (in_address, in_header) {
        _ if named.next().is_some() => false,
        (None, None) => false,
        (address, header) => address.is_none_or(takes) && header.is_none_or(takes),
    }
}

/// Who asks. That he came, or was not let in, is written down first.
async fn signed_in(office: &Arc<Office>, head: &http::request::Parts) -> Result<Arc<Admin>, Problem> {
    // Not in the address: addresses stand in the logs of proxies.
    let has_one = [header::AUTHORIZATION.as_str(), "x-api-key", "api-key", "x-goog-api-key"];
    if !has_one.iter().any(|name| head.headers.contains_key(*name)) {
        return Err(Problem::no_key());
    }
    let now = unix_seconds();
    let known = carrier::credential(&head.headers, None)
        .and_then(|presented| office.admins.load().authenticate(&presented, now));
    match known {
        Ok(admin) => {
            if let Some(event) = office.gate.comes(&admin, now) {
                append(office, &event)?;
                office.gate.is_recorded(&admin, now);
            }
            Ok(admin)
        }
        Err(error) => {
            let refused = office.gate.refuses(error.code.as_str(), now);
            if let Some(event) = &refused.event {
                append(office, event)?;
            }
            let Some(_place) = refused.place else { return Err(Problem::limited()) };
            tokio::time::sleep(FAILURE_PAUSE).await;
            Err(error.into())
        }
    }
}

fn may(by: &Admin, right: Right) -> Result<(), Problem> {
    if by.may(right) {
        return Ok(());
    }
    let role = by.role.as_str();
    Err(Problem::not_allowed(match right {
        Right::Content if by.role.may_be_given_content() => {
            format!("this key ({role}) may not read what was said; one that may is made with --content")
        }
        _ => format!("the role of this key ({role}) does not allow it"),
    }))
}

fn me(by: &Admin) -> Value {
    let all = [
        (Right::Records, "records"),
        (Right::Content, "content"),
        (Right::Export, "export"),
        (Right::Usage, "usage"),
    ];
    let rights: Vec<&str> =
        all.into_iter().filter(|(right, _)| by.may(*right)).map(|(_, name)| name).collect();
    let bound = |name: &Arc<str>| (!name.is_empty()).then(|| name.to_string());
    json!({
        "key": &*by.id, "name": &*by.name, "role": by.role.as_str(), "org": bound(&by.org), "team": bound(&by.team),
        "rights": rights,
    })
}

/// Looks something up on a thread that may block, within its time, and writes down that it was read.
async fn question(
    office: &Arc<Office>,
    route: &Route,
    asked: impl FnOnce(Until) -> Asked,
) -> Result<Response<Reply>, Problem> {
    let _place = turn(&office.questions).await?;
    let (until, _waits) = Until::within(QUESTION_TIME_MAX);
    let asked = asked(until);
    let (by, call) = (Arc::clone(&asked.by), asked.call);
    let ledger = Arc::clone(&office.ledger);
    let found = tokio::task::spawn_blocking(move || ledger.answer(&asked)).await;
    let found = found.map_err(|error| Problem::internal(&error))??;
    write_down(office, &by, route.what, call.map(|call| call.to_string()), &found).await?;
    Ok(match found.body {
        Body::Json(value) => json_answer(&value),
        Body::Text(text) => whole("text/plain; charset=utf-8", Bytes::from(text)),
    })
}

/// A turn among those who look something up.
async fn turn(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    let place = tokio::time::timeout(TURN_WAIT_MAX, Arc::clone(places).acquire_owned()).await;
    place
        .ok()
        .and_then(Result::ok)
        .ok_or_else(|| Problem::busy("others are being answered; try again in a moment"))
}

/// What was said is shown only when the log has on the disk that it is read.
async fn write_down(
    office: &Office,
    by: &Admin,
    what: What,
    record: Option<String>,
    found: &Found,
) -> Result<(), Problem> {
    if found.said > 0 {
        let event = Event::new(EventKind::ContentViewed, crate::clock::unix_micros()).by(Arc::clone(&by.id));
        let event = match record {
            Some(record) => event.field("record", record),
            None => {
                event.field("purpose", "search").field("records", found.said).field("of", found.of.clone())
            }
        };
        let ticket = office.log.append(Leaf::Event(&event)).map_err(|error| Problem::unrecorded(&error))?;
        return office.log.durable(ticket).await.map_err(|error| Problem::unrecorded(&error));
    }
    viewed(office, by, what, found.of.clone(), found.rows)
}

/// What is recorded of calls was read, but not what was said.
fn viewed(office: &Office, by: &Admin, what: What, of: String, rows: u64) -> Result<(), Problem> {
    let reading = Reading { by: Arc::clone(&by.id), what: what.as_str(), of };
    office.readings.note(&reading, rows, unix_seconds()).iter().try_for_each(|event| append(office, event))
}

fn append(office: &Office, event: &Event) -> Result<(), Problem> {
    office.log.append(Leaf::Event(event)).map(drop).map_err(|error| Problem::unrecorded(&error))
}

fn json_answer(value: &Value) -> Response<Reply> {
    whole("application/json", Bytes::from(value.to_string()))
}

fn whole(kind: &'static str, bytes: Bytes) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(Some(bytes)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn refused(problem: &Problem) -> Response<Reply> {
    let mut response = whole("application/problem+json", Bytes::from(problem.document().to_string()));
    *response.status_mut() =
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let status = response.status();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gatehouse\""));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
    }
    if let Some(seconds) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
