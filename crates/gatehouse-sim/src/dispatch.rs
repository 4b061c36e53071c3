//! One request from its arrival to its answer: read, recorded, scripted, routed, paced.

use std::fmt;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::Incoming;
use serde::Deserialize;

use crate::answer::Answer;
use crate::ask::{Ask, refusal};
use crate::dialect::Dialect;
use crate::directive::Directives;
use crate::fault::{Checked, Fault};
use crate::journal::Kept;
use crate::options::BODY_BYTES_MAX;
use crate::pace::{Pace, Paced, Place};
use crate::route::{Route, Verb};
use crate::script::Script;
use crate::simulator::{Shared, Simulator};
use crate::stats::Flight;
use crate::{
    anthropic, bedrock, bench, cabinet, cohere, control, credential, form, gemini, media, models,
    openai_chat, openai_responses, realtime, rerank,
};

/// The connection is closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HangUp;

/// The members that are needed before the dialect reads the request.
#[derive(Default, Deserialize)]
struct Peek {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<PeekOptions>,
}

#[derive(Default, Deserialize)]
struct PeekOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

// === impl HangUp ===

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call was hung up on purpose")
    }
}

impl std::error::Error for HangUp {}

/// Answers a request.
pub(crate) async fn handle(
    simulator: &Simulator,
    request: Request<Incoming>,
) -> Result<Response<Paced>, HangUp> {
    let shared = &*simulator.shared;
    let (mut parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let route = Route::of(&parts.method, path, query, &parts.headers);
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Ok(too_large(shared, &route)),
        Err(_) => return Err(HangUp),
    };
    match route {
        Route::Control if shared.options.control => {
            return Ok(control::handle(simulator, &parts, &body).await);
        }
        Route::Root => {
            return Ok(Response::new(Paced::whole(Bytes::from_static(b"gatehouse simulated provider\n"))));
        }
        _ => {}
    }
    let peek: Peek = serde_json::from_slice(&body).unwrap_or_default();
    let in_form;
    let model = match &route {
        Route::Realtime { model }
        | Route::Gemini { model, .. }
        | Route::RawPredict { model, .. }
        | Route::Converse { model, .. }
        | Route::Invoke { model } => model.as_str(),
        Route::Media(task) if task.is_form() => {
            in_form = form::parts(&parts.headers, &body).unwrap_or_default();
            form::text(&in_form, "model").unwrap_or_default()
        }
        _ => peek.model.as_deref().unwrap_or_default(),
    };
    let flight = shared.stats.begin(path, model, body.len(), shared.options.deadline);
    let script = shared.scripts().take(path, model);
    if matches!(route, Route::Realtime { .. } | Route::Live { .. }) {
        if shared.options.control {
            keep(shared, &parts, &body);
        }
        let form = match route {
            Route::Live { by_path } => realtime::Form::Live { by_path },
            _ => realtime::Form::OpenAi,
        };
        let answered = realtime::answer(&simulator.shared, model, form, &mut parts, script, flight).await;
        return answered.ok_or(HangUp);
    }
    if script.is_none() && model == bench::MODEL && credential_is_fine(shared, &parts) {
        let include_usage = peek.stream_options.and_then(|options| options.include_usage).unwrap_or(false);
        let stream = peek.stream.unwrap_or(false);
        if let Some(answer) = shared.bench.answer(&route, stream, include_usage, &shared.options) {
            let delay = if answer.streamed { shared.options.bench_chunk_delay } else { Default::default() };
            let pace = Pace { delay, ..Pace::default() };
            let request_id = shared.ids.next("req_");
            return Ok(send(&route, answer, pace, None, flight, &request_id));
        }
    }
    if shared.options.control {
        keep(shared, &parts, &body);
    }
    answer(shared, &route, model, &parts, &body, script, flight).await
}

/// The ordinary way of an answer, with all that can go wrong in it on purpose.
async fn answer(
    shared: &Shared,
    route: &Route,
    model: &str,
    parts: &Parts,
    body: &Bytes,
    script: Option<Script>,
    mut flight: Flight,
) -> Result<Response<Paced>, HangUp> {
    let directives = Directives::of(model);
    let delay = script.as_ref().and_then(Script::delay).or(directives.slow);
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    if directives.hang_up || script.as_ref().is_some_and(|script| script.hang_up) {
        flight.cut();
        return Err(HangUp);
    }
    let mut pace = Pace {
        delay: directives.drip.unwrap_or_default(),
        chunk_bytes: None,
        cut: directives.cut.map(Place::Events),
        stall: directives.stall.map(Place::Events),
    };
    if let Some(script) = &script {
        script.set_pace(&mut pace);
    }
    let request_id = shared.ids.next("req_");
    let scripted = script.as_ref().and_then(Script::answer);
    let answer = scripted.unwrap_or_else(|| {
        let status = script.as_ref().and_then(|script| script.status).filter(|status| *status >= 400);
        let answered = match status {
            Some(status) => Err(Fault::new(status, format!("Scripted error {status}."))),
            None => ask(shared, route, model, directives, parts, body),
        };
        answered.unwrap_or_else(|fault| route.dialect().refuse(&fault, &request_id))
    });
    Ok(send(route, answer, pace, script.as_ref(), flight, &request_id))
}

/// What the dialect says.
fn ask(
    shared: &Shared,
    route: &Route,
    model: &str,
    directives: Directives,
    parts: &Parts,
    body: &Bytes,
) -> Checked<Answer> {
    let key = credential::find(&parts.headers, parts.uri.query());
    let key = if shared.options.require_key { key } else { key.or(Some("none")) };
    if let Some(fault) = refusal(route.dialect(), &directives, key) {
        return Err(fault);
    }
    let ask = Ask {
        model,
        headers: &parts.headers,
        body,
        directives,
        ids: &shared.ids,
        prefixes: &shared.prefixes,
    };
    match route {
        Route::Chat => openai_chat::chat(&ask),
        Route::Completions => openai_chat::completions(&ask),
        Route::Fim => openai_chat::fim(&ask),
        Route::Embeddings => openai_chat::embeddings(&ask),
        Route::VoyageEmbeddings => openai_chat::voyage_embeddings(&ask),
        Route::CohereChat => cohere::chat(&ask),
        Route::CohereEmbed => cohere::embed(&ask),
        Route::Rerank(form) => rerank::rerank(&ask, *form),
        Route::Media(task) => media::answer(&ask, *task),
        Route::Invoke { .. } => bedrock::invoke(&ask, parts.uri.path()),
        Route::Kept(task) => {
            let run = |path: &str, body: &Bytes| line(shared, parts, path, body);
            let request = cabinet::Request { headers: &parts.headers, body, ids: &shared.ids, run: &run };
            shared.cabinet().answer(task, &request)
        }
        Route::Responses => openai_responses::responses(&ask),
        Route::InputTokens => openai_responses::input_tokens(&ask),
        Route::StoredResponse(id) => Err(openai_responses::not_stored(id)),
        Route::Messages => anthropic::messages(&ask),
        Route::CountTokens => anthropic::count_tokens(&ask),
        Route::RawPredict { model, stream } => anthropic::raw_predict(&ask, model, *stream),
        Route::Converse { stream, .. } => bedrock::converse(&ask, *stream, parts.uri.path()),
        Route::Gemini { version, verb, .. } => match verb {
            Verb::Generate(streaming) => gemini::generate(&ask, *streaming, version),
            Verb::CountTokens => gemini::count_tokens(&ask, version),
            Verb::Embed => gemini::embed_content(&ask, version),
            Verb::Predict => gemini::predict(&ask),
            Verb::BatchEmbed => gemini::batch_embed_contents(&ask, version),
        },
        Route::Models(dialect, one) => models::models(*dialect, one.as_deref(), &shared.options.models),
        Route::Nothing(_, 405) => Err(Fault::new(405, "Method not allowed.")),
        Route::Nothing(..) | Route::Control | Route::Root | Route::Realtime { .. } | Route::Live { .. } => {
            Err(Fault::new(404, "Not found."))
        }
    }
}

/// What a line of a batch is answered. A batch has no batches in it.
fn line(shared: &Shared, parts: &Parts, path: &str, body: &Bytes) -> Answer {
    let route = match Route::of(&Method::POST, path, None, &parts.headers) {
        Route::Kept(_) => Route::Nothing(Dialect::OpenAi, 404),
        route => route,
    };
    let peek: Peek = serde_json::from_slice(body).unwrap_or_default();
    let model = peek.model.unwrap_or_default();
    let answered = ask(shared, &route, &model, Directives::of(&model), parts, body);
    answered.unwrap_or_else(|fault| route.dialect().refuse(&fault, &shared.ids.next("req_")))
}

/// Turns an answer into a response that paces itself.
fn send(
    route: &Route,
    mut answer: Answer,
    pace: Pace,
    script: Option<&Script>,
    flight: Flight,
    request_id: &str,
) -> Response<Paced> {
    // A replay is sent as it was recorded: nothing is added to what the script says.
    if script.is_none_or(|script| script.replay.is_none()) {
        route.dialect().dress(&mut answer.headers, request_id);
        script.iter().for_each(|script| script.dress(&mut answer.headers));
    }
    flight.answered(answer.status.as_u16());
    let mut response = Response::new(Paced::new(answer.pieces, answer.streamed, pace, Some(flight)));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

fn credential_is_fine(shared: &Shared, parts: &Parts) -> bool {
    !shared.options.require_key
        || credential::find(&parts.headers, parts.uri.query()).is_some_and(|key| !key.starts_with("invalid"))
}

fn keep(shared: &Shared, parts: &Parts, body: &Bytes) {
    shared.journal().keep(Kept {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers.clone(),
        body: body.clone(),
    });
}

fn too_large(shared: &Shared, route: &Route) -> Response<Paced> {
    let fault = Fault::new(413, format!("Request exceeds the maximum size of {BODY_BYTES_MAX} bytes."));
    let answer = route.dialect().refuse(&fault, &shared.ids.next("req_"));
    let mut response = Response::new(Paced::new(answer.pieces, false, Pace::default(), None));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    *response.headers_mut() = answer.headers;
    // The rest of the body is not read.
    response.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    response
}
