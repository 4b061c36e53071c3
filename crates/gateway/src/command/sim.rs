//! `gatehouse sim`: the simulated providers alone.

use crate::cli::Sim;
use crate::output;
use anyhow::{Context as _, Result};
use gatehouse_sim::{Options, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves until it is told to stop.
pub(crate) async fn run(wanted: &Sim) -> Result<()> {
    let listener = TcpListener::bind(&wanted.listen)
        .await
        .with_context(|| format!("cannot listen on {}", wanted.listen))?;
    let options = Options { control: wanted.control, require_key: !wanted.open, ..Options::default() };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    output::line(&format!("simulated providers on http://{}", listener.local_addr()?));
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve(listener, options, stop).await;
    Ok(())
}
