//! An answer that is made in the background: its caller is told its id at once and asks for it later.

use crate::background::Job;
use crate::body::Reply;
use crate::exchange::{Answered, Whole};
use crate::house::House;
use crate::memory::keeper::Keeper;
use crate::render;
use crate::stage::{Funded, answer};
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::error as wire;
use http::Response;
use std::pin::pin;
use std::sync::Arc;

/// Begins to make an answer, and says so. The record of the call is that of the answer: it ends when that does.
pub async fn begin(house: Arc<House>, funded: Funded, trail: Trail, family: Family) -> Response<Reply> {
    let keeper = match keeper(&house, &funded, &trail).await {
        Ok(keeper) => keeper,
        Err(error) => return render::failed(&error, trail, family).await,
    };
    let response = render::begun(&trail, Bytes::from(keeper.begun().to_owned()));
    // Its place is taken before the caller can ask for it.
    let place = house.background.begin(keeper.id());
    tokio::spawn(async move {
        make(&house, funded, trail, &keeper, place.job()).await;
        // Until here it counts as being made: what it has come to can be read now.
        drop(place);
    });
    response
}

/// What keeps the answer, which is kept as one that is being made from now on.
async fn keeper(house: &House, funded: &Funded, trail: &Trail) -> Result<Keeper, Error> {
    let call = funded.call();
    let recalled =
        call.recalled.as_ref().ok_or_else(|| Error::new(Code::Internal, "the answer is not kept"))?;
    let keeper = super::keeper(house, call, recalled, trail)?;
    if keeper.put(&house.memory, keeper.begun()).await {
        Ok(keeper)
    } else {
        Err(Error::new(Code::Internal, "the answer cannot be kept, so it is not made"))
    }
}

async fn make(house: &House, funded: Funded, mut trail: Trail, keeper: &Keeper, job: &Job) {
    let answered = tokio::select! {
        answered = answer::answer(&funded, &mut trail) => answered,
        // Dropped, the trail tells that it was given up.
        () = job.cancelled() => return,
        () = revoked(house, &funded) => Err(Error::new(Code::InvalidApiKey, "this caller key was revoked")),
    };
    let made = match answered {
        Ok(Answered::Whole(Whole { body, .. })) => Ok(body),
        Ok(_) => Err(Error::new(Code::Internal, "the answer came as a stream")),
        Err(error) => Err(error),
    };
    let response = match &made {
        Ok(body) => keeper.as_kept(body),
        Err(error) => Bytes::from(keeper.failed(error)),
    };
    trail.answer.take_in(&response);
    let ended = match &made {
        Ok(_) => trail.settle(200),
        Err(error) => trail.fail(wire::status(Family::OpenAi, error), error),
    };
    // Nobody reads an answer before its record is safe.
    let response = match trail.safe(&ended).await {
        Ok(()) => response,
        Err(error) => Bytes::from(keeper.failed(&error)),
    };
    if job.end() {
        let text = String::from_utf8_lossy(&response);
        keeper.put(&house.memory, &text).await;
    }
}

/// Waits until the caller's key is taken back.
async fn revoked(house: &House, funded: &Funded) {
    loop {
        let mut changed = pin!(house.keys_changed.notified());
        // Listening begins before the look, so that no change in between is missed.
        changed.as_mut().enable();
        if !house.keys.load().keys.holds(&funded.call().key.caller.key_id) {
            return;
        }
        changed.await;
    }
}
