//! A session whose first message says what is asked for: the connection becomes a WebSocket once the caller is known,
//! and the stages go on with that message as with the body of any other call.

use super::{CatchUnwind, Way, asked};
use crate::body::Reply;
use crate::dialects;
use crate::exchange::Answered;
use crate::exchange::realtime::Caller;
use crate::exchange::realtime::opening::{Unsaid, close_code};
use crate::house::House;
use crate::render;
use crate::stage::Authenticated;
use crate::switch::{Asked, Onward};
use crate::trail::Trail;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use http::{HeaderMap, Response};
use std::sync::Arc;

/// Agrees to the switch; what is asked for comes on the connection then.
pub(super) async fn begin(
    house: Arc<House>,
    request: Authenticated,
    trail: Trail,
    switch: Option<Asked>,
    family: Family,
) -> Response<Reply> {
    let Some(switch) = switch else {
        let error = Error::new(Code::Internal, "the request asks for no WebSocket");
        return render::failed(&error, trail, family).await;
    };
    let mut response = render::switching(HeaderMap::new(), &switch, &trail, family);
    let session = Box::pin(run(house, request, trail, switch));
    response.extensions_mut().insert(Onward::new(session));
    response
}

/// From the first message to the end of the session.
async fn run(house: Arc<House>, mut request: Authenticated, mut trail: Trail, switch: Asked) {
    let Ok(codec) = dialects::session(request.accepted.front.dialect) else { return };
    // Where the caller has left, the trail ends as one whose caller has.
    let Some(line) = switch.line().await else { return };
    let mut caller = Caller::new(line, &trail, codec).await;
    let limit = trail.snapshot.limits.body_time.0;
    match caller.first(&house, limit).await {
        Ok(first) => request.accepted.first = Some(first),
        Err(Unsaid::Left) => return caller.left(trail).await,
        Err(Unsaid::Wrong(error, code)) => return caller.refuse(&error, code, trail).await,
    }
    let way = CatchUnwind(Box::pin(asked(&house, request, &mut trail))).await;
    let error = match way {
        Ok(Ok(Way::Answered(Answered::Session(opened)))) => {
            return Box::pin(opened.serve_on(caller, trail, house)).await;
        }
        Ok(Err(error)) => error,
        // One call's bug ends one call.
        Ok(Ok(_)) | Err(_) => Error::new(Code::Internal, "the gateway failed"),
    };
    caller.refuse(&error, close_code(&error), trail).await;
}
