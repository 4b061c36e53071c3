//! Where a call goes.
//!
//! [`plan::plan`] is pure: from what a call needs and the targets of its model to the targets to try, in
//! order, with a reason for every candidate. [`retry`] says whether and when to try again, [`rotation`]
//! which credential to use.
//!
//! What it does *not* know: networks, clocks, prices, who asks. Time and chance are arguments.

pub mod plan;
pub mod retry;
pub mod rotation;
pub mod sticky;
