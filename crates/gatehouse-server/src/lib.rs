//! The house: the only crate that knows HTTP serving and the runtime.
//!
//! [`pipeline`] is the way of a call; [`stage`] has its stages, [`exchange`] what happens between us and a
//! provider, [`trail`] what is written down. [`house::House`] is what all calls share, [`snapshot`] the
//! configuration as they use it. [`listen`] brings connections.
//!
//! What it does *not* know: where keys and records are stored, the command line.

pub mod admin;
mod api;
pub mod aside;
pub mod background;
pub mod body;
pub mod call;
pub mod clock;
pub mod dial;
pub mod dialects;
pub mod exchange;
pub mod fetch;
pub mod form;
pub mod front;
pub mod headers;
pub mod house;
pub mod keeping;
pub mod kept;
pub mod listen;
pub mod memory;
pub mod meter;
pub mod office;
pub mod passage;
mod patience;
pub mod payload;
pub mod pipeline;
pub mod receipts;
mod redacted;
mod refusal;
pub mod render;
pub mod shelf;
pub mod snapshot;
pub mod stage;
pub mod switch;
pub mod target;
pub mod telemetry;
mod traffic;
pub mod trail;
pub mod upstream;
pub mod vault;
pub mod workers;
