//! Processes: started with a log, ended with their starter, their CPU time and memory read from `/proc`.

use anyhow::{Context as _, Result, bail};
use std::collections::HashMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Ticks of `/proc/PID/stat` in a second: 100 on every Linux that userland sees.
const TICKS_PER_SECOND: u32 = 100;
/// How long a server may take to get ready.
const READY_MAX: Duration = Duration::from_secs(20);
/// How long a server may take to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(3);

/// A process that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// When it was started.
    started: Instant,
}

// === impl Server ===

impl Server {
    /// Starts it; what it prints goes to the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child, started })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `path` answers with 200 (or anything, with an empty path) and gives the time since the
    /// start.
    pub(crate) async fn ready(&mut self, address: SocketAddr, path: &str) -> Result<Duration> {
        while self.started.elapsed() < READY_MAX {
            if let Some(status) = self.child.try_wait()? {
                bail!("a server ended before it was ready: {status}");
            }
            if answers(address, path).await {
                return Ok(self.started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("{address} is not ready after {READY_MAX:?}")
    }
}

impl Drop for Server {
    /// SIGTERM first: only nginx's master knows the workers that it is about to start.
    fn drop(&mut self) {
        signal("-TERM", self.pid());
        let asked = Instant::now();
        while asked.elapsed() < END_MAX && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            descendants(self.pid()).into_iter().for_each(|pid| signal("-KILL", pid));
            let _ = self.child.wait();
        }
    }
}

fn signal(name: &str, pid: u32) {
    let _ = Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status();
}

async fn answers(address: SocketAddr, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    if path.is_empty() {
        return true;
    }
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench.invalid\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    stream.write_all(request.as_bytes()).await.is_ok()
        && stream.read_to_end(&mut answer).await.is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}

/// The CPU time that a process and its living descendants have used, user and system.
pub(crate) fn cpu(pid: u32) -> Duration {
    let ticks: u32 = descendants(pid).into_iter().filter_map(stat).map(|stat| stat.ticks).sum();
    Duration::from_secs(1) * ticks / TICKS_PER_SECOND
}

/// The resident memory of a process and its living descendants, in bytes. Pages that they share count for
/// each.
pub(crate) fn resident(pid: u32) -> u64 {
    descendants(pid).into_iter().filter_map(resident_of).sum()
}

fn resident_of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}

struct Stat {
    parent: u32,
    ticks: u32,
}

/// See proc(5): the name in parentheses may hold anything, so fields are counted from behind it.
fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some(Stat { parent: number(1)?, ticks: number(11)? + number(12)? })
}

/// The process and all below it.
fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        found.extend(children.get(&pid).into_iter().flatten());
        at += 1;
    }
    found
}
