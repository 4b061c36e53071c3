//! What is kept for callers between calls, and asked for again.

pub mod later;
mod responses;

pub mod batches;
pub mod content;
pub mod files;
pub mod ids;
pub mod lines;
pub mod lists;
pub mod named;
pub mod poller;
pub mod receipt;
pub mod remote;
pub mod results;

use crate::call::Call;
use crate::exchange::{Answered, Whole};
use crate::house::House;
use crate::memory::keeper::Keeper;
use crate::memory::recall::Recalled;
use crate::trail::Trail;
use gatehouse_core::call::Operation;
use gatehouse_core::error::{Code, Error};

/// Answers a call about something that is kept.
///
/// # Errors
/// `not_found`, the same for what does not exist and for what is another tenant's.
pub async fn answer(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    match call.front.operation {
        Operation::RetrieveResponse => responses::retrieve(house, call, trail).await,
        Operation::ListInputItems => responses::input_items(house, call, trail).await,
        Operation::CancelResponse => responses::cancel(house, call, trail).await,
        Operation::DeleteResponse => responses::delete(house, call).await,
        Operation::RetrieveReceipt => receipt::retrieve(house, call).await,
        _ => Err(Error::new(Code::NotFound, "there is nothing of this kind")),
    }
}

/// An answer that has come, kept where it is to be: one in one piece now, a stream when its end has come.
///
/// # Errors
/// `internal_error`.
pub async fn keep(house: &House, call: &Call, answered: Answered, trail: &Trail) -> Result<Answered, Error> {
    let Some(recalled) = &call.recalled else { return Ok(answered) };
    let keeper = keeper(house, call, recalled, trail)?;
    Ok(match answered {
        Answered::Whole(whole) => {
            let body = keeper.whole(&house.memory, whole.body).await;
            Answered::Whole(Whole { body, ..whole })
        }
        Answered::Stream(mut opened) => {
            opened.keeper = Some(Box::new(keeper));
            Answered::Stream(opened)
        }
        other => other,
    })
}

/// What keeps the answer to a call.
fn keeper(house: &House, call: &Call, recalled: &Recalled, trail: &Trail) -> Result<Keeper, Error> {
    let keeper = Keeper::new(&house.memory, recalled, trail.id(), &call.model, &call.doc)?;
    // What is kept comes back as a caller's request does: with the ids that callers have.
    Ok(keeper.renaming(&call.file_ids))
}
