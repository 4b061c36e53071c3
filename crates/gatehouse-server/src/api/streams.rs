//! Answers that go on: calls as they end, and copies of records. Both are pulled by their reader and hold little.

use super::{append, turn, viewed};
use crate::body::{Cut, Live, Reply};
use crate::clock::{unix_micros, unix_seconds};
use crate::house::House;
use crate::office::{
    Asked, EXPORT_TIME_MAX, Ended, Leaving, Office, Problem, QUESTION_TIME_MAX, TAIL_TIME_MAX, Until, What,
};
use bytes::Bytes;
use futures_util::stream;
use gatehouse_audit::{Event, EventKind, Leaf};
use http::{HeaderValue, Response, header};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};

/// So long without a word, then a comment goes out, and it is looked whether the key still holds.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Pieces of a copy that wait for its reader.
const PIECES_MAX: usize = 4;

/// Somebody who follows calls.
struct Tail {
    house: Arc<House>,
    office: Arc<Office>,
    asked: Asked,
    ended: broadcast::Receiver<Ended>,
    deadline: Instant,
    is_over: bool,
    _waits: Leaving,
    _place: OwnedSemaphorePermit,
}

/// What a tail waits for.
enum Came {
    Calls(Ended),
    Lost,
    Nothing,
    End(&'static str),
}

/// Calls as they end, as server-sent events.
pub(super) async fn live(
    house: &Arc<House>,
    office: &Arc<Office>,
    asked: impl FnOnce(Until) -> Asked,
) -> Result<Response<Reply>, Problem> {
    if house.is_draining() {
        return Err(Problem::draining());
    }
    let full = |_| Problem::busy("as many follow the calls as can; try again later");
    let place = Arc::clone(&office.tails).try_acquire_owned().map_err(full)?;
    let turn = turn(&office.tellings).await?;
    let (until, waits) = Until::within(TAIL_TIME_MAX);
    let asked = asked(until);
    let (ledger, first) = (Arc::clone(&office.ledger), asked.clone());
    let begun = tokio::task::spawn_blocking(move || {
        // What is asked for wrongly is told now.
        let (_, of) = ledger.among(&first, &[])?;
        Ok::<_, Problem>((ledger.follow()?, of))
    });
    let (ended, of) = begun.await.map_err(|error| Problem::internal(&error))??;
    drop(turn);
    viewed(office, &asked.by, What::Live, of, 0)?;
    let deadline = Instant::now() + TAIL_TIME_MAX;
    let tail = Tail {
        house: Arc::clone(house),
        office: Arc::clone(office),
        asked,
        ended,
        deadline,
        is_over: false,
        _waits: waits,
        _place: place,
    };
    let open = stream::iter([Ok(Bytes::from_static(b"event: open\ndata: {}\n\n"))]);
    let events = stream::unfold(tail, |mut tail| async move { tail.next().await.map(|event| (event, tail)) });
    let body = futures_util::StreamExt::chain(open, events);
    Ok(streamed("text/event-stream", Live::until(deadline, body)))
}

impl Tail {
    async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        while !self.is_over {
            let came = self.came().await;
            if !self.office.admins.load().holds(&self.asked.by, unix_seconds()) {
                return self.last("end", "this key does not hold any more");
            }
            match came {
                Came::Calls(calls) => match self.told(calls).await {
                    Ok(None) => {}
                    Ok(Some(events)) => return Some(Ok(events)),
                    Err(problem) => return self.last("end", &problem.detail),
                },
                Came::Lost => {
                    return self.last("dropped", "calls came faster than they were read; ask for the list");
                }
                Came::Nothing => return Some(Ok(Bytes::from_static(b": still there\n\n"))),
                Came::End(why) => return self.last("end", why),
            }
        }
        None
    }

    async fn came(&mut self) -> Came {
        let mut drained = std::pin::pin!(self.house.drain.notified());
        drained.as_mut().enable();
        if self.house.is_draining() {
            return Came::End("the gateway is shutting down");
        }
        if Instant::now() >= self.deadline {
            return Came::End("the time of this answer is over; ask again");
        }
        tokio::select! {
            came = self.ended.recv() => match came {
                Ok(calls) => Came::Calls(calls),
                Err(RecvError::Lagged(_)) => Came::Lost,
                Err(RecvError::Closed) => Came::End("calls cannot be followed any more"),
            },
            () = drained => Came::End("the gateway is shutting down"),
            () = tokio::time::sleep(KEEP_ALIVE) => Came::Nothing,
        }
    }

    /// The events about those of these calls that are meant.
    async fn told(&self, calls: Ended) -> Result<Option<Bytes>, Problem> {
        let _turn = turn(&self.office.tellings).await?;
        let (until, _waits) = Until::within(QUESTION_TIME_MAX);
        let asked = Asked { until, ..self.asked.clone() };
        let ledger = Arc::clone(&self.office.ledger);
        let found = tokio::task::spawn_blocking(move || ledger.among(&asked, &calls)).await;
        let (rows, of) = found.map_err(|error| Problem::internal(&error))??;
        if rows.is_empty() {
            return Ok(None);
        }
        viewed(&self.office, &self.asked.by, What::Live, of, u64::try_from(rows.len()).unwrap_or(u64::MAX))?;
        let mut text = String::new();
        for row in &rows {
            let id = row.get("record").and_then(Value::as_str).unwrap_or_default();
            text.extend(["event: record\nid: ", id, "\ndata: ", &row.to_string(), "\n\n"]);
        }
        Ok(Some(Bytes::from(text)))
    }

    fn last(&mut self, event: &str, why: &str) -> Option<Result<Bytes, Cut>> {
        self.is_over = true;
        let data = serde_json::json!({ "detail": why });
        Some(Ok(Bytes::from(format!("event: {event}\ndata: {data}\n\n"))))
    }
}

/// A copy of records. That it is made is on the disk before the first of them goes out; how many went is written down
/// at its end, whatever the end.
pub(super) async fn export(
    office: &Arc<Office>,
    asked: impl FnOnce(Until) -> Asked,
) -> Result<Response<Reply>, Problem> {
    let full = |_| Problem::busy("as many copies are being made as can; try again later");
    let place = Arc::clone(&office.exports).try_acquire_owned().map_err(full)?;
    let (until, waits) = Until::within(EXPORT_TIME_MAX);
    let asked = asked(until);
    let (ledger, first) = (Arc::clone(&office.ledger), asked.clone());
    let of = tokio::task::spawn_blocking(move || ledger.export_of(&first)).await;
    let of = of.map_err(|error| Problem::internal(&error))??;
    let begun = created(&asked, &of).field("state", "begun");
    let ticket = office.log.append(Leaf::Event(&begun)).map_err(|error| Problem::unrecorded(&error))?;
    office.log.durable(ticket).await.map_err(|error| Problem::unrecorded(&error))?;
    let (send, pieces) = mpsc::channel::<Result<Bytes, Cut>>(PIECES_MAX);
    let copier = Arc::clone(office);
    drop(tokio::task::spawn_blocking(move || {
        copy(&copier, &asked, &of, &send);
        drop(place);
    }));
    // He who reads has left when the stream is dropped.
    let body = stream::unfold((pieces, waits), |(mut pieces, waits)| async move {
        pieces.recv().await.map(|piece| (piece, (pieces, waits)))
    });
    Ok(streamed("application/jsonl", Live::until(Instant::now() + EXPORT_TIME_MAX, body)))
}

fn copy(office: &Office, asked: &Asked, of: &str, send: &mpsc::Sender<Result<Bytes, Cut>>) {
    let mut records: u64 = 0;
    let copied = office.ledger.export(asked, &mut |piece: Bytes| {
        let lines = piece.iter().filter(|byte| **byte == b'\n').count();
        let taken = send.blocking_send(Ok(piece)).is_ok();
        records += if taken { u64::try_from(lines).unwrap_or_default() } else { 0 };
        taken
    });
    let state = match copied {
        Ok(all) if all == records => "whole",
        // Who has read this must not take it for all there is.
        Ok(_) | Err(_) => {
            let _ = send.blocking_send(Err(Cut));
            "cut"
        }
    };
    let event = created(asked, of).field("state", state).field("records", records);
    // Its problem is in the log of the process.
    let _ = append(office, &event);
}

fn created(asked: &Asked, of: &str) -> Event {
    Event::new(EventKind::ExportCreated, unix_micros())
        .by(Arc::clone(&asked.by.id))
        .field("format", "jsonl")
        .field("of", of.to_owned())
}

fn streamed(kind: &'static str, live: Live) -> Response<Reply> {
    let mut response = Response::new(Reply::Stream(live));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
