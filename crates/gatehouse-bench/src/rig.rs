//! The servers of a run: one simulated provider, and before it nginx and the gateway, twice.

use crate::Arguments;
use crate::process::Server;
use crate::target::Target;
use anyhow::{Context as _, Result, bail};
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// The path of chat completions.
const CHAT: &str = "/v1/chat/completions";
/// How often a start is measured.
const STARTS: usize = 5;
/// The gateway whose record is on the disk before an answer ends: the default.
pub(crate) const LOCAL: &str = "gatehouse";
/// The gateway whose record is written, but not waited for.
pub(crate) const ASYNC: &str = "gatehouse, async";
/// The gateway when it records as little as it may: no commitments, and nobody waits.
pub(crate) const BARE: &str = "gatehouse, least record";
/// The floor.
pub(crate) const NGINX: &str = "nginx";

/// Everything that runs. Dropping it ends the processes.
pub(crate) struct Rig {
    /// The simulated provider without anything before it.
    pub(crate) direct: Arc<Target>,
    /// Those to be compared.
    pub(crate) targets: Vec<Arc<Target>>,
    /// How long each took to get ready, several times.
    pub(crate) starts: Vec<(String, Vec<Duration>)>,
    /// The size of the gateway's binary in bytes.
    pub(crate) binary_bytes: u64,
    _servers: Vec<Server>,
}

/// What the servers are made of.
struct Site<'a> {
    gatehouse: PathBuf,
    nginx: &'a Path,
    work: PathBuf,
    sim: SocketAddr,
}

// === impl Rig ===

impl Rig {
    /// Starts everything.
    pub(crate) async fn start(arguments: &Arguments) -> Result<Self> {
        std::fs::create_dir_all(&arguments.work)?;
        let site = Site {
            gatehouse: arguments.gatehouse.canonicalize().context("--gatehouse: there is no such file")?,
            nginx: &arguments.nginx,
            work: arguments.work.canonicalize()?,
            sim: arguments.sim.map_or_else(free_address, Ok)?,
        };
        let mut servers = vec![site.sim().await?];
        let mut targets = Vec::new();
        let mut starts = Vec::new();
        for name in [NGINX, LOCAL, ASYNC, BARE] {
            let mut times = Vec::new();
            for _ in 0..STARTS {
                let (_ended, _, time) = site.start(name).await?;
                times.push(time);
            }
            let (server, target, _) = site.start(name).await?;
            servers.push(server);
            targets.push(Arc::new(target));
            starts.push((name.to_owned(), times));
        }
        targets.extend(peers(arguments.peers.as_deref())?.into_iter().map(Arc::new));
        let direct = Target {
            name: "no gateway".to_owned(),
            address: site.sim,
            path: CHAT.to_owned(),
            headers: Vec::new(),
            pid: None,
        };
        let binary_bytes = std::fs::metadata(&site.gatehouse)?.len();
        Ok(Self { direct: Arc::new(direct), targets, starts, binary_bytes, _servers: servers })
    }
}

// === impl Site ===

impl Site<'_> {
    async fn sim(&self) -> Result<Server> {
        let mut command = Command::new(&self.gatehouse);
        command.args(["sim", "--open", "--listen", &self.sim.to_string()]);
        let mut server = Server::start(&mut command, &self.work.join("sim.log"))?;
        server.ready(self.sim, "").await.context("the simulated provider")?;
        Ok(server)
    }

    /// Starts a target and gives the time until it was ready.
    async fn start(&self, name: &str) -> Result<(Server, Target, Duration)> {
        let started = match name {
            NGINX => self.nginx().await,
            LOCAL => self.gatehouse(name, "local", "durability: local").await,
            ASYNC => self.gatehouse(name, "async", "durability: async").await,
            _ => self.gatehouse(name, "bare", "durability: async, content: none").await,
        };
        started.with_context(|| format!("{name}: see the logs in {}", self.work.display()))
    }

    async fn nginx(&self) -> Result<(Server, Target, Duration)> {
        let address = free_address()?;
        let file = self.work.join("nginx.conf");
        let text = include_str!("nginx.conf")
            .replace("@LISTEN@", &address.to_string())
            .replace("@UPSTREAM@", &self.sim.to_string());
        std::fs::write(&file, text)?;
        let mut command = Command::new(self.nginx);
        command.arg("-p").arg(&self.work).arg("-c").arg(&file).arg("-e").arg("stderr");
        let mut server = Server::start(&mut command, &self.work.join("nginx.log"))?;
        let time = server.ready(address, "").await?;
        let target = Target {
            name: NGINX.to_owned(),
            address,
            path: CHAT.to_owned(),
            headers: Vec::new(),
            pid: Some(server.pid()),
        };
        Ok((server, target, time))
    }

    async fn gatehouse(&self, name: &str, folder: &str, record: &str) -> Result<(Server, Target, Duration)> {
        let (address, admin) = (free_address()?, free_address()?);
        let data = self.work.join(format!("data-{folder}"));
        let config = self.work.join(format!("{folder}.yaml"));
        let text = include_str!("gatehouse.yaml")
            .replace("@LISTEN@", &address.to_string())
            .replace("@ADMIN@", &admin.to_string())
            .replace("@UPSTREAM@", &self.sim.to_string())
            .replace("@RECORD@", record);
        std::fs::write(&config, text)?;
        let key = self.key(&data)?;
        let mut command = Command::new(&self.gatehouse);
        command.arg("serve").arg("--config").arg(&config).arg("--data").arg(&data).env("SIM_KEY", "bench");
        let mut server = Server::start(&mut command, &self.work.join(format!("{folder}.log")))?;
        let time = server.ready(address, "/readyz").await?;
        let authorization = HeaderValue::try_from(format!("Bearer {key}"))?;
        let target = Target {
            name: name.to_owned(),
            address,
            path: CHAT.to_owned(),
            headers: vec![(http::header::AUTHORIZATION, authorization)],
            pid: Some(server.pid()),
        };
        Ok((server, target, time))
    }

    /// A caller key as a real one is: bound to an account, with a budget to be reserved from.
    fn key(&self, data: &Path) -> Result<String> {
        let output = Command::new(&self.gatehouse)
            .args(["key", "create", "--json", "--org", "acme", "--team", "support", "--app", "helpdesk"])
            .args(["--use-case", "triage", "--budget", "1000000 USD/day", "--data"])
            .arg(data)
            .output()?;
        if !output.status.success() {
            bail!("cannot make a key: {}", String::from_utf8_lossy(&output.stderr));
        }
        let made: Value = serde_json::from_slice(&output.stdout)?;
        Ok(made.get("key").and_then(Value::as_str).context("a key without a key")?.to_owned())
    }
}

/// A port that nobody uses now.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// `[{"name", "address", "path", "pid", "headers": {…}}]`
fn peers(file: Option<&Path>) -> Result<Vec<Target>> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let list: Vec<Value> = serde_json::from_slice(&text)?;
    list.iter().map(|peer| peer_of(peer).with_context(|| format!("not a peer: {peer}"))).collect()
}

fn peer_of(peer: &Value) -> Result<Target> {
    let text = |name: &str| peer.get(name).and_then(Value::as_str).with_context(|| format!("no {name}"));
    let headers = peer.get("headers").and_then(Value::as_object).into_iter().flatten();
    let headers = headers.map(|(name, value)| {
        let value = HeaderValue::from_str(value.as_str().unwrap_or_default())?;
        Ok((name.parse::<HeaderName>()?, value))
    });
    Ok(Target {
        name: text("name")?.to_owned(),
        address: text("address")?.parse()?,
        path: text("path").unwrap_or(CHAT).to_owned(),
        headers: headers.collect::<Result<_>>()?,
        pid: peer.get("pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok()),
    })
}
