//! Sessions over a WebSocket: OpenAI's `/v1/realtime`, in the form of the general release, and Gemini Live.

mod live;
mod said;
mod session;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::ask::refusal;
use crate::credential;
use crate::dialect::Dialect;
use crate::directive::Directives;
use crate::fault::{Checked, Fault};
use crate::pace::Paced;
use crate::script::Script;
use crate::simulator::Shared;
use crate::stats::Flight;

/// The subprotocol that clients offer and get.
const SUBPROTOCOL: &str = "realtime";

/// Whose sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// OpenAI's.
    OpenAi,
    /// Google's, whose first message names the model.
    Live {
        /// Whether by its whole path, as Vertex AI has it.
        by_path: bool,
    },
}

/// Answers a request for a session, and goes on with it; `None` where the connection is to be closed instead.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    model: &str,
    form: Form,
    parts: &mut Parts,
    script: Option<Script>,
    mut flight: Flight,
) -> Option<Response<Paced>> {
    let directives = Directives::of(model);
    if let Some(delay) = script.as_ref().and_then(Script::delay).or(directives.slow) {
        tokio::time::sleep(delay).await;
    }
    if directives.hang_up || script.as_ref().is_some_and(|script| script.hang_up) {
        flight.cut();
        return None;
    }
    let request_id = shared.ids.next("req_");
    let scripted = script.as_ref().and_then(|script| script.status).filter(|status| *status >= 400);
    let agreed = match scripted {
        Some(status) => Err(Fault::new(status, format!("Scripted error {status}."))),
        None => agree(shared, model, form, &directives, parts),
    };
    let (upgrade, headers) = match agreed {
        Ok(agreed) => agreed,
        Err(fault) => {
            let answer = form.dialect().refuse(&fault, &request_id);
            flight.answered(answer.status.as_u16());
            let mut response =
                Response::new(Paced::new(answer.pieces, false, Default::default(), Some(flight)));
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            return Some(response);
        }
    };
    let mut response = Response::new(Paced::whole(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let (shared, model) = (Arc::clone(shared), model.to_owned());
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        match form {
            Form::OpenAi => session::run(&shared, &model, directives, socket, flight).await,
            Form::Live { by_path } => live::run(&shared, by_path, socket, flight).await,
        }
    });
    Some(response)
}

// === impl Form ===

impl Form {
    fn dialect(self) -> Dialect {
        match self {
            Self::OpenAi => Dialect::OpenAi,
            Self::Live { .. } => Dialect::Gemini,
        }
    }
}

/// Checks what a session needs.
fn agree(
    shared: &Shared,
    model: &str,
    form: Form,
    directives: &Directives,
    parts: &mut Parts,
) -> Checked<(OnUpgrade, HeaderMap)> {
    let key = credential::find(&parts.headers, parts.uri.query());
    let key = if shared.options.require_key { key } else { key.or(Some("none")) };
    if let Some(fault) = refusal(form.dialect(), directives, key) {
        return Err(fault);
    }
    if model.is_empty() && matches!(form, Form::OpenAi) {
        return Err(Fault::bad("You must provide a model parameter.").param("model"));
    }
    if directives.missing {
        return Err(Fault::new(404, format!("The model `{model}` does not exist.")));
    }
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let (Some(upgrade), Some(Ok(accept))) =
        (parts.extensions.remove::<OnUpgrade>(), key.map(|key| HeaderValue::from_str(&key)))
    else {
        return Err(Fault::new(426, "You must connect with a WebSocket."));
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    let offered = parts.headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    if offered.is_some_and(|list| list.split(',').any(|one| one.trim() == SUBPROTOCOL)) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    Ok((upgrade, headers))
}
