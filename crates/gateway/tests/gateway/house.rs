//! A gateway in a process of its own.

use crate::client::{Answer, Ask, Live};
use crate::provider::PATIENCE;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tempfile::TempDir;

/// The file in its folder that holds variables which a test adds, `NAME=value` each.
const ENVIRONMENT: &str = "environment";
const BINARY: &str = env!("CARGO_BIN_EXE_gatehouse");
/// What the provider's credential is.
pub(crate) const PROVIDER_KEY: &str = "sk-provider-canary-5f1d7c";

/// A gateway in a process of its own, on a data folder of its own.
pub(crate) struct House {
    child: Arc<Mutex<Child>>,
    dir: Arc<TempDir>,
    /// Where calls arrive.
    pub(crate) calls: String,
    /// Where metrics are.
    pub(crate) admin: String,
    /// The key that the first start printed.
    pub(crate) key: String,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

impl House {
    /// Starts a gateway with this configuration and waits until it is ready.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), config, "info", String::new()).await
    }

    /// The same with these variables in its environment.
    pub(crate) async fn start_with(config: &str, variables: &[(&str, &str)]) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let lines: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        std::fs::write(dir.path().join(ENVIRONMENT), lines.join("\n")).unwrap();
        Self::start_in(dir, config, "info", String::new()).await
    }

    /// The same with every line of log that there is.
    pub(crate) async fn start_talkative(config: &str) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), config, "trace", String::new()).await
    }

    async fn start_in(dir: Arc<TempDir>, config: &str, log: &'static str, key: String) -> Self {
        std::fs::write(dir.path().join("gatehouse.yaml"), config).unwrap();
        tokio::task::spawn_blocking(move || Self::spawn(dir, log, key)).await.unwrap()
    }

    fn spawn(dir: Arc<TempDir>, log: &str, known_key: String) -> Self {
        let mut child = command(dir.path())
            .arg("serve")
            .env("GATEHOUSE_LOG", log)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let (tell, told) = channel();
        follow(child.stdout.take().unwrap(), Arc::clone(&stdout), Some(tell));
        follow(child.stderr.take().unwrap(), Arc::clone(&stderr), None);
        let (mut calls, mut admin, mut key) = (String::new(), String::new(), known_key);
        loop {
            let line = told.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it does not start: {}", stderr.lock().unwrap()));
            let line = line.trim();
            if let Some(address) = line.strip_prefix("calls ") {
                calls = address.trim().trim_start_matches("http://").to_owned();
            } else if let Some(address) = line.strip_prefix("metrics ") {
                admin = address.trim().trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
            } else if line.starts_with("ghk_") {
                key = line.to_owned();
            } else if line.starts_with("Or point an SDK") {
                break;
            }
        }
        Self { child: Arc::new(Mutex::new(child)), dir, calls, admin, key, stdout, stderr }
    }

    /// Kills the process as a failing machine would, and starts another one on the same folder.
    pub(crate) async fn crash_and_restart(self) -> Self {
        self.child.lock().unwrap().kill().unwrap();
        self.ended().await;
        let config = std::fs::read_to_string(self.config_path()).unwrap();
        Self::start_in(Arc::clone(&self.dir), &config, "info", self.key.clone()).await
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&self) -> ExitStatus {
        let child = Arc::clone(&self.child);
        tokio::task::spawn_blocking(move || child.lock().unwrap().wait().unwrap()).await.unwrap()
    }

    /// The memory that it has in use, where the system tells.
    pub(crate) fn memory_kib(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The most memory that it ever had in use, where the system tells.
    pub(crate) fn peak_kib(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Option<u64> {
        let id = self.child.lock().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    // === calls ===

    /// Sends a request with the first key, unless it has a credential, and reads the answer.
    pub(crate) async fn call(&self, ask: Ask) -> Answer {
        self.open(ask).await.rest().await
    }

    /// Sends a request with the first key, unless it has a credential.
    pub(crate) async fn open(&self, ask: Ask) -> Live {
        self.keyed(ask).open(&self.calls).await
    }

    /// The request with the first key, unless it has a credential.
    pub(crate) fn keyed(&self, ask: Ask) -> Ask {
        let carries = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
        let has_one = ask.headers.iter().any(|(name, _)| carries.contains(&name.as_str()));
        if has_one { ask } else { ask.key(&self.key) }
    }

    /// What the administration side answers.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        Ask::get(path).open(&self.admin).await.rest().await
    }

    // === commands ===

    /// Runs a command against this gateway.
    pub(crate) async fn command(&self, words: &[&str]) -> Output {
        let mut command = command(self.dir.path());
        command.args(words);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Starts a command against this gateway that goes on until it is killed.
    pub(crate) fn start_command(&self, words: &[&str]) -> Child {
        let mut command = command(self.dir.path());
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a command that prints JSON.
    pub(crate) async fn json(&self, words: &[&str]) -> Value {
        let output = self.command(&[words, &["--json"]].concat()).await;
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Makes a key: its id and the key itself.
    pub(crate) async fn new_key(&self, words: &[&str]) -> (String, String) {
        let made = self.json(&[&["key", "create"], words].concat()).await;
        (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
    }

    /// All records, newest first.
    pub(crate) async fn records(&self) -> Vec<Value> {
        self.json(&["audit", "query", "--limit", "1000"]).await["calls"].as_array().unwrap().clone()
    }

    /// All records, once there are so many.
    pub(crate) async fn records_once(&self, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let records = self.records().await;
            if records.len() >= count {
                assert_eq!(records.len(), count, "{records:#?}");
                return records;
            }
            assert!(begun.elapsed() < PATIENCE, "{} of {count} records: {records:#?}", records.len());
        }
    }

    /// The one record with this id.
    pub(crate) async fn record(&self, id: &str) -> Value {
        let records = self.records().await;
        let mut own = records.into_iter().filter(|record| record["record"] == id);
        let record = own.next().unwrap_or_else(|| panic!("no record {id}"));
        assert!(own.next().is_none(), "two records {id}");
        record
    }

    /// How often this text stands in the audit log.
    pub(crate) fn in_the_log(&self, text: &str) -> usize {
        self.log().iter().map(|leaf| count(leaf, text.as_bytes())).sum()
    }

    /// How many calls the log itself has begun and ended: it may not hold an end twice.
    pub(crate) fn leaves(&self) -> (usize, usize) {
        let leaves = self.log();
        let of = |kind: &[u8]| leaves.iter().map(|leaf| count(leaf, kind)).sum::<usize>();
        let begun = of(b"\"kind\":\"call.admitted\"");
        (begun, of(b"\"kind\":\"call.") - begun)
    }

    fn log(&self) -> Vec<Vec<u8>> {
        let dir = gatehouse_audit::shard_dir(&self.dir.path().join("data"), "r0");
        let found = gatehouse_audit::read(&dir, gatehouse_audit::Cursor::default(), usize::MAX).unwrap();
        found.entries.into_iter().map(|entry| entry.leaf).collect()
    }

    // === what it leaves behind ===

    pub(crate) fn config_path(&self) -> PathBuf {
        self.dir.path().join("gatehouse.yaml")
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Every file of the data folder.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut folders, mut files) = (vec![self.dir.path().join("data")], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() {
                    // A journal of the database may go while we look.
                    files.extend(std::fs::read(&path).map(|bytes| (path, bytes)));
                }
            }
        }
        files
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
        if !std::thread::panicking() {
            let stderr = self.stderr();
            assert!(!stderr.contains("panicked"), "{stderr}");
        }
    }
}

/// The binary on this folder, with nothing of the environment's that would change what it does.
fn command(dir: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env_clear()
        .env("PROVIDER_KEY", PROVIDER_KEY)
        .env("SECOND_KEY", "sk-second")
        .env("GATEHOUSE_DATA", dir.join("data"))
        .env("GATEHOUSE_CONFIG", dir.join("gatehouse.yaml"));
    let more = std::fs::read_to_string(dir.join(ENVIRONMENT)).unwrap_or_default();
    command.envs(more.lines().filter_map(|line| line.split_once('=')));
    command
}

fn follow(from: impl std::io::Read + Send + 'static, into: Arc<Mutex<String>>, tell: Option<Sender<String>>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(reader.by_ref().read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).into_owned();
            into.lock().unwrap().push_str(&text);
            if let Some(tell) = &tell {
                let _ = tell.send(text);
            }
            line.clear();
        }
    });
}

fn count(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).filter(|window| *window == wanted).count()
}
