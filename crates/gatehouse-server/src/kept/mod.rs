//! What is kept for callers between calls: answers here, files and batches at their providers.

pub mod batches;
pub mod content;
pub mod files;
pub mod ids;
pub mod lines;
pub mod lists;
pub mod named;
pub mod poller;
pub mod remote;
pub mod results;

use crate::call::Call;
use crate::exchange::Whole;
use crate::house::House;
use crate::trail::Trail;
use gatehouse_core::error::{Code, Error};

/// Answers a call about something that is kept.
///
/// # Errors
/// `not_found`, the same for what does not exist and for what is another tenant's.
pub async fn answer(house: &House, call: &Call, trail: &mut Trail) -> Result<Whole, Error> {
    let _ = (house, trail);
    match call.front.operation {
        _ => Err(Error::new(Code::NotFound, "there is nothing of this kind")),
    }
}
