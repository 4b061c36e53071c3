//! Who asks? Before the body is read, so that nobody unknown makes us buffer anything.

use super::{Accepted, Authenticated};
use crate::clock;
use crate::house::House;
use crate::trail::Trail;
use gatehouse_core::error::Error;
use gatehouse_identity::carrier;

/// Finds the caller's key.
///
/// # Errors
/// `invalid_api_key`, `key_expired`, or `invalid_request` for two credentials.
pub fn authenticate(house: &House, accepted: Accepted, trail: &mut Trail) -> Result<Authenticated, Error> {
    trail.asks(accepted.front.operation, accepted.front.dialect);
    let presented = carrier::credential(&accepted.headers, accepted.query.as_deref())?;
    let key = house.keys.load().keys.authenticate(&presented, clock::unix_seconds())?;
    trail.caller(&key.caller.key_id, &key.caller.bound);
    Ok(Authenticated { accepted, key })
}
