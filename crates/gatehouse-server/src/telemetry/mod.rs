//! What the house says about itself: metrics, traces, logs. Never a prompt, never a secret.

pub mod book;
pub mod metrics;
pub mod otlp;
mod semconv;
pub mod trace_context;
