//! Connections: accepting them, limiting them, and letting them end in peace.

use crate::admin;
use crate::api;
use crate::body::{Reply, plain};
use crate::house::House;
use crate::patience::Patient;
use crate::pipeline;
use crate::refusal::Outspoken;
use crate::switch::Onward;
use crate::traffic::{Standstill, Traffic};
use crate::workers::Workers;
use gatehouse_config::file::Limits;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Headers of one request.
const HEADERS_MAX: usize = 128;
/// Calls at the same time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// HTTP/2 streams that a client may reset before they are answered: more is an attack.
const RESETS_MAX: usize = 64;
/// What waits for a slow client in one HTTP/2 stream.
const SEND_BUFFER_BYTES_MAX: usize = 256 << 10;
/// After SIGTERM, calls that come meanwhile are still taken for so long: load balancers need a moment.
const LAME_DUCK: Duration = Duration::from_millis(200);

/// Which side a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Calls.
    Calls,
    /// Administration.
    Admin,
}

/// How connections are served, in either version.
struct Server {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// How long a connection may stand still.
struct Watch<'a> {
    traffic: &'a Traffic,
    /// With nothing open on it.
    idle: Duration,
    /// With answers that its client does not take.
    stall: Duration,
}

/// Serves connections until the house drains, then waits for open calls.
pub async fn listen(house: Arc<House>, workers: Arc<Workers>, listener: TcpListener, side: Side) {
    let limits = house.snapshot.load().limits.clone();
    let places = usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
    let server = Arc::new(Server::new(&limits));
    let drain = watch::Sender::new(());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = house.drained_to_accept(LAME_DUCK) => break,
        };
        // Registered with the worker that is to serve it, not with us.
        let Ok(stream) = accepted.and_then(|(stream, _)| stream.into_std()) else {
            // Out of file descriptors: others will end and give theirs back.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // Beyond the limit a connection is closed at once: it costs nothing, and waits nowhere.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (house, server, drain) = (Arc::clone(&house), Arc::clone(&server), drain.subscribe());
        workers.spawn(async move {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            house.metrics.open_connections.inc();
            connection(Arc::clone(&house), &server, drain, stream, side).await;
            house.metrics.open_connections.dec();
            drop(place);
        });
    }
    drop(listener);
    let _ = drain.send(());
    // Each connection keeps its end of this until it has ended.
    if tokio::time::timeout(limits.drain.0, drain.closed()).await.is_err() {
        tracing::warn!("open calls were ended at the limit of the drain (limits.drain)");
    }
}

async fn connection(
    house: Arc<House>,
    server: &Server,
    drain: watch::Receiver<()>,
    stream: TcpStream,
    side: Side,
) {
    // A chunk of a stream is worth its own packet.
    let _ = stream.set_nodelay(true);
    let (idle, stall) = {
        let snapshot = house.snapshot.load();
        (snapshot.limits.header_time.0, snapshot.total)
    };
    let version = tokio::select! {
        version = version(&stream) => version,
        // Who never says which version he speaks would keep his place for ever.
        () = tokio::time::sleep(idle) => return,
        () = house.drained_to_accept(LAME_DUCK) => return,
    };
    let Ok(version) = version else { return };
    // As long as a call may take, and no longer, its answer may wait to be read.
    let stream = Patient::new(stream, stall);
    let traffic = Traffic::new();
    let calls = Arc::clone(&traffic);
    let refuses = (side == Side::Calls).then(|| Arc::clone(&house));
    // What goes on with the connection when HTTP has let go of it; until its end it is an open call.
    let onward = Arc::new(Mutex::new(None));
    let switched = Arc::clone(&onward);
    let service = service_fn(move |request| {
        let (house, call) = (Arc::clone(&house), calls.begin());
        let (calls, switched) = (Arc::clone(&calls), Arc::clone(&switched));
        async move {
            let mut answer = dispatch(house, request, side).await;
            if let Some(onward) = answer.extensions_mut().remove::<Onward>() {
                *switched.lock().unwrap_or_else(PoisonError::into_inner) = Some((onward, calls.begin()));
            }
            Ok::<_, Infallible>(answer.map(|reply| call.answer(reply)))
        }
    });
    let ended = match version {
        // How long it may idle, and how long nothing may get through, is seen to below us.
        Version::Http1 => {
            let stream = TokioIo::new(Outspoken::new(stream, refuses, Arc::clone(&traffic)));
            let connection = server.http1.serve_connection(stream, service).with_upgrades();
            serve(connection, |served| served.graceful_shutdown(), drain.clone(), None).await
        }
        // Large, and not what most speak.
        Version::Http2 => {
            let stream = TokioIo::new(stream);
            let watch = Watch { traffic: &traffic, idle, stall };
            let connection = server.http2.serve_connection(stream, service);
            Box::pin(serve(connection, |served| served.graceful_shutdown(), drain.clone(), Some(watch))).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
        return;
    }
    let session = onward.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((onward, call)) = session
        && let Some(session) = onward.take()
    {
        session.await;
        drop(call);
    }
}

/// Serves a connection to its end: the client's, or ours, of which `leave` tells him. `drain` lives as long.
async fn serve<C>(
    connection: C,
    leave: impl Fn(Pin<&mut C>),
    mut drain: watch::Receiver<()>,
    watch: Option<Watch<'_>>,
) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    // Whether the client has been told to go.
    let mut told = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = drain.changed(), if !told => {}
            standstill = Watch::standstill(watch.as_ref()) => match standstill {
                Standstill::Idle if !told => {}
                // What is left of it goes with the connection, and the calls with their answers.
                Standstill::Idle | Standstill::Stalled => return Ok(()),
            },
        }
        told = true;
        leave(connection.as_mut());
        // He has as long again to go.
        watch.iter().for_each(|watch| watch.traffic.moved());
    }
}

/// Tells by the first bytes which version a client speaks, without taking them: no method but HTTP/2's
/// preface (RFC 9113 section 3.4) begins with these.
async fn version(stream: &TcpStream) -> std::io::Result<Version> {
    const PREFACE: &[u8] = b"PRI";
    let mut begin = [0; PREFACE.len()];
    loop {
        let came = stream.peek(&mut begin).await?;
        match begin.get(..came).unwrap_or_default() {
            PREFACE => return Ok(Version::Http2),
            [] => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            part if !PREFACE.starts_with(part) => return Ok(Version::Http1),
            // Who sends so little at once may send the next byte at any time, and nobody tells us when.
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn dispatch(house: Arc<House>, request: Request<Incoming>, side: Side) -> Response<Reply> {
    if side == Side::Admin && api::is_meant(&request) {
        return api::serve(house, request).await;
    }
    if side == Side::Admin {
        return admin::serve(&house, &request).await;
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/healthz" | "/readyz") => admin::health(&house, request.uri().path()),
        // Claude Code looks whether anybody is there.
        (&Method::HEAD | &Method::GET, "/") => plain(StatusCode::OK, "gatehouse\n"),
        _ => pipeline::serve(house, request).await,
    }
}

// === impl Watch ===

impl Watch<'_> {
    /// Waits until the connection stands still; for ever, if nobody watches.
    async fn standstill(watch: Option<&Self>) -> Standstill {
        match watch {
            Some(watch) => watch.traffic.standstill(watch.idle, watch.stall).await,
            None => std::future::pending().await,
        }
    }
}

// === impl Server ===

impl Server {
    fn new(limits: &Limits) -> Self {
        let head_bytes = usize::try_from(limits.headers.0).unwrap_or(usize::MAX).max(8192);
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time.0)
            .max_buf_size(head_bytes)
            .max_headers(HEADERS_MAX)
            .half_close(false);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_pending_accept_reset_streams(RESETS_MAX)
            .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
            .keep_alive_interval(Some(Duration::from_secs(30)))
            .keep_alive_timeout(Duration::from_secs(20));
        Self { http1, http2 }
    }
}
