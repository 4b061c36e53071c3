//! The gateway as its callers and operators see it: the real binary on loopback ports, in front of
//! simulated providers in this process. Tests wait for events, never for time.
#![cfg_attr(test, allow(clippy::string_slice, reason = "a panic is how a test says no"))]

#[cfg(test)]
mod client;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod front;
#[cfg(test)]
mod house;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod tsa;

#[cfg(test)]
mod anchors;
#[cfg(test)]
mod api;
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod cloud_callers;
#[cfg(test)]
mod clouds;
#[cfg(test)]
mod cohere;
#[cfg(test)]
mod converse;
#[cfg(test)]
mod departures;
#[cfg(test)]
mod embeddings;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod files;
#[cfg(test)]
mod fim;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod guards_in_streams;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod independent;
#[cfg(test)]
mod keeping;
#[cfg(test)]
mod kept_responses;
mod keys;
#[cfg(test)]
mod life;
#[cfg(test)]
mod live;
#[cfg(test)]
mod media;
#[cfg(test)]
mod passthrough;
#[cfg(test)]
mod prompt_cache;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod realtime;
#[cfg(test)]
mod records;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod rerank;
mod retention;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod sinks;
#[cfg(test)]
mod sinks_again;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod stream_usage;
#[cfg(test)]
mod translation;
