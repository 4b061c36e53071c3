//! Listening: HTTP/1.1 and HTTP/2 on one port, a bounded number of connections, an orderly end.

use std::future::Future;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::dispatch;
use crate::options::{CONNECTIONS_MAX, HTTP2_STREAMS_MAX, Options};
use crate::simulator::Simulator;

/// How long to wait after the system refused a connection, for example because files ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves a simulated provider until `shutdown` ends.
pub async fn serve(listener: TcpListener, options: Options, shutdown: impl Future) {
    Simulator::new(options).serve(listener, shutdown).await;
}

// === impl Simulator ===

impl Simulator {
    /// Serves until `shutdown` ends, then lets running answers end for as long as `Options::drain`.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future) {
        run(self.clone(), listener, shutdown).await;
    }
}

/// The loop behind [`Simulator::serve`].
async fn run(simulator: Simulator, listener: TcpListener, shutdown: impl Future) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            _ = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(simulator.clone(), stream, graceful.watcher()))),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    // What does not end in time (a stall never does) is dropped with its task.
    let drain = simulator.shared.options.drain;
    let _ended_in_time = tokio::time::timeout(drain, graceful.shutdown()).await.is_ok();
    connections.shutdown().await;
}

async fn connection(simulator: Simulator, stream: TcpStream, watcher: hyper_util::server::graceful::Watcher) {
    // Without it small events would wait for each other; a failure only costs time.
    let _best_effort = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).half_close(false);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(HTTP2_STREAMS_MAX);
    let service = service_fn(|request| {
        let simulator = simulator.clone();
        async move { dispatch::handle(&simulator, request).await }
    });
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    // An error here is the client's leaving or a cut: both are counted where they are noticed.
    let _ended = watcher.watch(connection).await.is_ok();
}
