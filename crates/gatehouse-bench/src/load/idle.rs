//! Streams that have begun and then say nothing.

use super::Connection;
use crate::target::Target;
use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Streams that are opened at the same time.
const OPENING: usize = 200;

/// Open streams; dropping this closes them.
pub(crate) struct Held(Vec<(Connection, Incoming)>);

// === impl Held ===

impl Held {
    /// Opens `count` streams and waits for the first event of each.
    pub(crate) async fn open(target: &Arc<Target>, body: &Bytes, count: usize) -> Result<Self> {
        let mut held = Vec::with_capacity(count);
        let mut opening = JoinSet::new();
        for begun in 0..count {
            opening.spawn(one(Arc::clone(target), body.clone()));
            if begun >= OPENING {
                held.extend(opening.join_next().await.transpose()?.transpose()?);
            }
        }
        while let Some(opened) = opening.join_next().await {
            held.push(opened??);
        }
        Ok(Self(held))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

async fn one(target: Arc<Target>, body: Bytes) -> Result<(Connection, Incoming)> {
    let mut connection = Connection::open(&target).await?;
    let response = connection.begin(&body).await?;
    let status = response.status();
    let mut stream = response.into_body();
    let first = stream.frame().await.context("the stream has no event")??;
    if !status.is_success() {
        let text = first.into_data().unwrap_or_default();
        bail!("status {status}: {}", String::from_utf8_lossy(&text));
    }
    Ok((connection, stream))
}
