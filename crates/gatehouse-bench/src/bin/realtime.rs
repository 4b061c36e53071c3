//! What a realtime session costs: CPU of the gateway against that of a plain relay, which passes the same WebSocket
//! messages on with the same library and looks at none of them.
//!
//! ```text
//! cargo run --release -p gatehouse-bench --bin realtime -- --gatehouse target/release/gatehouse
//! ```
//!
//! An exchange is 100 ms of the caller's audio one way, 50 ms of the model's and a piece of its transcript the other.

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use futures_util::{SinkExt as _, StreamExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

/// 100 ms of PCM at 24 kHz and 16 bits, in base64.
const CALLER_CHARS: usize = 6_400;
/// 50 ms of it.
const MODEL_CHARS: usize = 3_200;
/// Ticks of `/proc/PID/stat` in a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a server may take to get ready.
const READY_MAX: Duration = Duration::from_secs(20);

/// What to measure.
#[derive(Parser)]
struct Arguments {
    /// The gateway's binary.
    #[arg(long, required_unless_present = "relay")]
    gatehouse: Option<PathBuf>,
    /// Sessions at the same time.
    #[arg(long, default_value_t = 8)]
    sessions: usize,
    /// Exchanges of each session in a round.
    #[arg(long, default_value_t = 5_000)]
    exchanges: usize,
    /// Rounds, in each of which both are measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Be the plain relay: from this address to the next.
    #[arg(long, num_args = 2, hide = true)]
    relay: Option<Vec<String>>,
}

/// A process that ends when this is dropped.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some([listen, upstream]) = arguments.relay.as_deref() {
        return relay(listen, upstream).await;
    }
    let gatehouse = arguments.gatehouse.as_deref().context("--gatehouse is needed")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let provider = listener.local_addr()?.to_string();
    tokio::spawn(provide(listener));
    let folder = tempfile::tempdir()?;
    let (floor, floor_at) = start_relay(&provider)?;
    let (gateway, gateway_at, key) = start_gateway(gatehouse, &provider, folder.path()).await?;
    let mut ratios = Vec::new();
    for round in 0..=arguments.rounds {
        let plain = round_of(&arguments, floor.0.id(), &floor_at, None).await?;
        let ours = round_of(&arguments, gateway.0.id(), &gateway_at, Some(&key)).await?;
        // The first warms both up.
        if round > 0 {
            say(&format!(
                "plain relay {plain:.1} µs, gatehouse {ours:.1} µs an exchange: {:.2}x",
                ours / plain
            ));
            ratios.push(ours / plain);
        }
    }
    ratios.sort_by(f64::total_cmp);
    say(&format!("median {:.2}x", ratios.get(ratios.len() / 2).copied().unwrap_or_default()));
    Ok(())
}

/// One round: CPU µs of a process for each exchange.
async fn round_of(arguments: &Arguments, pid: u32, at: &str, key: Option<&str>) -> Result<f64> {
    let before = cpu(pid)?;
    let sessions: Vec<_> = (0..arguments.sessions)
        .map(|_| {
            let (at, key, exchanges) = (at.to_owned(), key.map(ToOwned::to_owned), arguments.exchanges);
            tokio::spawn(async move { session(&at, key.as_deref(), exchanges).await })
        })
        .collect();
    for session in sessions {
        session.await??;
    }
    let exchanges = u32::try_from(arguments.sessions * arguments.exchanges)?;
    Ok((cpu(pid)? - before) * 1e6 / f64::from(exchanges))
}

/// The caller's side of a session.
async fn session(at: &str, key: Option<&str>, exchanges: usize) -> Result<()> {
    let mut request = format!("ws://{at}/v1/realtime?model=bench").into_client_request()?;
    if let Some(key) = key {
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse()?);
    }
    let stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = client_async(request, stream).await?;
    let append =
        format!("{{\"type\":\"input_audio_buffer.append\",\"audio\":\"{}\"}}", "A".repeat(CALLER_CHARS));
    let append = Message::text(append);
    for _ in 0..exchanges {
        socket.send(append.clone()).await?;
        for _ in 0..2 {
            socket.next().await.context("the session ended")??;
        }
    }
    socket.close(None).await?;
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}

/// The provider: answers whatever comes with a piece of speech.
async fn provide(listener: TcpListener) {
    let head = "\"event_id\":\"event_1\",\"response_id\":\"resp_1\",\"item_id\":\"item_1\",\"output_index\":0,\
                \"content_index\":0";
    let audio = format!(
        "{{\"type\":\"response.output_audio.delta\",{head},\"delta\":\"{}\"}}",
        "A".repeat(MODEL_CHARS)
    );
    let words =
        format!("{{\"type\":\"response.output_audio_transcript.delta\",{head},\"delta\":\" lorem\"}}");
    let said = [Message::text(audio), Message::text(words)];
    while let Ok((stream, _)) = listener.accept().await {
        let said = said.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(mut socket) = accept_async(stream).await else { return };
            while let Some(Ok(heard)) = socket.next().await {
                if !heard.is_text() {
                    continue;
                }
                for message in said.clone() {
                    if socket.feed(message).await.is_err() {
                        return;
                    }
                }
                if socket.flush().await.is_err() {
                    return;
                }
            }
        });
    }
}

/// The floor: messages from one side to the other, on as many threads as the gateway has.
async fn relay(listen: &str, upstream: &str) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let upstream = upstream.to_owned();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let caller = accept_async(stream).await?;
            let stream = TcpStream::connect(&upstream).await?;
            stream.set_nodelay(true)?;
            let request = format!("ws://{upstream}/v1/realtime?model=bench").into_client_request()?;
            let (provider, _) = client_async(request, stream).await?;
            pass(caller, provider).await
        });
    }
}

async fn pass(mut one: WebSocketStream<TcpStream>, mut other: WebSocketStream<TcpStream>) -> Result<()> {
    loop {
        tokio::select! {
            heard = one.next() => other.send(heard.context("gone")??).await?,
            heard = other.next() => one.send(heard.context("gone")??).await?,
        }
    }
}

fn start_relay(provider: &str) -> Result<(Ends, String)> {
    let at = free_address()?;
    let child = Command::new(std::env::current_exe()?).args(["--relay", &at, provider]).spawn()?;
    Ok((Ends(child), at))
}

async fn start_gateway(binary: &Path, provider: &str, folder: &Path) -> Result<(Ends, String, String)> {
    let (at, admin) = (free_address()?, free_address()?);
    let config = format!(
        "version: 1\nlisten: \"{at}\"\nadmin: {{ listen: \"{admin}\" }}\nproviders:\n  sim:\n    api: openai\n    \
         base_url: http://{provider}/v1\n    api_key: \"${{SIM_KEY}}\"\n    prices: {{ \"*\": {{ input: \"1\", output: \"2\" }} }}\n\
         models:\n  bench: {{ targets: [sim/bench] }}\n"
    );
    let config_path = folder.join("gatehouse.yaml");
    std::fs::write(&config_path, config)?;
    let binary = binary.canonicalize().context("--gatehouse: there is no such file")?;
    let command = |words: &[&str]| {
        let mut command = Command::new(&binary);
        command
            .current_dir(folder)
            .env("GATEHOUSE_DATA", folder.join("data"))
            .env("SIM_KEY", "sk-bench")
            .args(words);
        command
    };
    let made = command(&["key", "create", "--name", "bench", "--json"]).output()?;
    let made: serde_json::Value = serde_json::from_slice(&made.stdout)
        .with_context(|| String::from_utf8_lossy(&made.stderr).into_owned())?;
    let key = made.get("key").and_then(|key| key.as_str()).context("no key was made")?.to_owned();
    let mut serve = command(&["serve", "--config"]);
    let child = Ends(serve.arg(&config_path).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let begun = Instant::now();
    while TcpStream::connect(&at).await.is_err() {
        if begun.elapsed() > READY_MAX {
            bail!("the gateway does not get ready");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok((child, at, key))
}

fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// CPU seconds of a process, user and system.
fn cpu(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / TICKS_PER_SECOND)
}

#[expect(clippy::print_stdout, reason = "the result of a bench is printed")]
fn say(line: &str) {
    println!("{line}");
}
