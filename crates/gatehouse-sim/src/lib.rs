//! The simulated provider, `gatehouse sim`: speaks OpenAI's, Anthropic's, Gemini's, Bedrock's and Cohere's APIs, and
//! those of Jina and Voyage that rank, on one port, streamed and not, as strictly as they do, and misbehaves on demand.
//! Demo, tests and benches use it as the upstream; because it is the opponent in those tests, it shares no code with
//! the translators.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:9000").await?;
//! let simulator = gatehouse_sim::Simulator::new(gatehouse_sim::Options { control: true, ..Default::default() });
//! simulator.serve(listener, std::future::pending::<()>()).await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it answers
//! Always the same to the same request; `docs/simulator.md` has the whole contract.
//! - `You said: <the last user text, at most 200 characters>`, and ` [1 image]`, ` [2 files]` for what else
//!   was in the input; in streams a word a chunk.
//! - With tools, and no answer of a tool since the last user text: it calls every tool whose name is a word
//!   of that text, in that order; a forced choice without such a name calls the forced or the first one.
//!   The arguments are an instance of the tool's schema, where `name=value` in the text sets the property
//!   `name`. After answers of tools: `Tool said: <what they said>`.
//! - With a schema for the answer: an instance of it. With reasoning asked for: reasoning, signed.
//! - A token is a word. Input costs 3 more a message, a call 5 more than the words of its arguments.
//!
//! # What it does when the model is named so
//! `missing…` unknown model · `slow-<ms>` · `error-<status>` · `ratelimit-<s>` · `cut-<n>` and `stall-<n>`
//! after n events · `fail-<n>` error event after n events · `drip-<ms>` between chunks · `big-<kb>` ·
//! `filter` · `echo-json` · `hangup` · `pings` (in sessions) · `bench`. They combine with `+`.
//!
//! # The way of a call
//! [`serve`] → `dispatch` (read, count, script, route) → the dialect's folder (check, reduce to a
//! `conversation`) → `think` (what to say) → the dialect's answer or stream → `pace` (when, in what pieces,
//! where it is cut) with the call's count in it.

mod options;
mod simulator;

mod credential;
mod dispatch;
mod route;
mod serve;

mod ask;
mod cabinet;
mod cache;
mod conversation;
mod directive;
mod embed;
mod schema;
mod sign;
mod think;
mod words;

mod anthropic;
mod bedrock;
mod cohere;
mod dialect;
mod fault;
mod form;
mod gemini;
mod ids;
mod json;
mod media;
mod models;
mod openai_chat;
mod openai_responses;
mod realtime;
mod rerank;
mod sse;

mod answer;
mod bench;
mod pace;

mod control;
mod journal;
mod script;
mod stats;

pub use journal::Received;
pub use options::*;
pub use script::{Match, Replay, Script, TooManyScripts};
pub use serve::serve;
pub use simulator::Simulator;
pub use stats::{Counts, Filter, Row, Snapshot};
