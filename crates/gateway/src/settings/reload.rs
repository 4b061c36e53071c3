//! A changed configuration comes into force without a restart: on SIGHUP, and when its file changes. A bad
//! one changes nothing; the last good one stays.

use super::{Settings, Source, start_sim};
use crate::catalogue;
use crate::data::Data;
use gatehouse_audit::{Event, EventKind, Leaf};
use gatehouse_config::file::{Config, OnUnwritable, Spool};
use gatehouse_config::{Fault, Faults, Severity};
use gatehouse_server::clock;
use gatehouse_server::house::House;
use gatehouse_server::snapshot::Snapshot;
use gatehouse_server::telemetry::metrics::ReloadLabels;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A file counts as written when nothing has happened to it for so long.
const QUIET: Duration = Duration::from_millis(200);
/// In a folder where something happens all the time, the file is read after so many events regardless.
const EVENTS_MAX: usize = 50;

/// Why a configuration is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// SIGHUP: it is applied even if the document is the same, as what it refers to may have changed.
    Signal,
    /// Something happened in its folder.
    Change,
}

/// Watches the folders of a file: editors and Kubernetes replace files, so the file itself is no good to
/// watch.
struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

/// What is needed to bring another configuration into force.
struct Reloader {
    house: Arc<House>,
    source: Source,
    sim: Option<String>,
    /// Where a newer catalogue may be.
    data: Data,
    /// As the process was started with.
    initial: Config,
    /// The document that was read last, applied or not. A change of something else in its folder, such as
    /// a log, is no reason to read it again.
    seen: Option<u64>,
}

/// Follows SIGHUP and changes of the file until the process ends. `sim` is the simulated provider's
/// address, if it runs.
pub(crate) async fn reload_on_change(
    house: Arc<House>,
    settings: Settings,
    sim: Option<String>,
    data: Data,
    mut hangup: Signal,
) {
    let mut reloader =
        Reloader { house, source: settings.origin, sim, data, initial: settings.config, seen: None };
    let (tell, mut told) = mpsc::channel(1);
    let mut watch = Watch::new(tell);
    watch.follow(&reloader.source);
    loop {
        let cause = tokio::select! {
            Some(()) = hangup.recv() => Cause::Signal,
            Some(()) = told.recv() => {
                until_quiet(&mut told).await;
                Cause::Change
            }
            else => return,
        };
        reloader.reload(cause).await;
        // Links may point elsewhere now.
        watch.follow(&reloader.source);
    }
}

async fn until_quiet(told: &mut mpsc::Receiver<()>) {
    for _ in 0..EVENTS_MAX {
        if !matches!(timeout(QUIET, told.recv()).await, Ok(Some(()))) {
            return;
        }
    }
}

// === impl Reloader ===

impl Reloader {
    async fn reload(&mut self, cause: Cause) {
        // A file that was there and is gone is a fault, not the wish to go back to the environment.
        let source = match &self.source {
            Source::Environment => Source::unnamed(),
            Source::File(_) | Source::BuiltIn { .. } => self.source.clone(),
        };
        let in_force = Arc::clone(&self.house.snapshot.load().version);
        let (reading, seen) = (source.clone(), self.seen);
        let read = tokio::task::spawn_blocking(move || {
            let document = fingerprint(&reading);
            let is_known = cause == Cause::Change && seen == Some(document);
            (!is_known).then(|| (document, reading.read()))
        });
        let settings = match read.await {
            Ok(None) => return,
            Ok(Some((document, read))) => {
                self.seen = Some(document);
                match read {
                    Ok(settings) => settings,
                    Err(faults) => {
                        for fault in &faults.0 {
                            tracing::error!("{fault}");
                        }
                        return self.refused(&source, &summary(&faults));
                    }
                }
            }
            Err(error) => return self.refused(&source, &error.to_string()),
        };
        if cause == Cause::Change && *settings.version == *in_force {
            return;
        }
        if self.sim.is_none() {
            match start_sim(&settings.config).await {
                Ok(sim) => self.sim = sim,
                Err(error) => return self.refused(&source, &format!("{error:#}")),
            }
        }
        self.apply(source, settings, &in_force).await;
    }

    async fn apply(&mut self, source: Source, settings: Settings, before: &str) {
        let (sim, in_use, data) = (self.sim.clone(), self.house.snapshot.load_full(), self.data.clone());
        // Guardrails compile large patterns: not on the threads that serve calls.
        let compiled = tokio::task::spawn_blocking(move || {
            let (version, catalogue) = (&settings.version, catalogue::in_force(data.dir()));
            Snapshot::compile_with(&settings.config, version, sim.as_deref(), Some(&in_use), catalogue)
                .map(|snapshot| (snapshot, settings))
        });
        let (snapshot, settings) = match compiled.await {
            Ok(Ok(compiled)) => compiled,
            Ok(Err(message)) => return self.refused(&source, &message),
            Err(error) => return self.refused(&source, &error.to_string()),
        };
        self.house.snapshot.store(Arc::new(snapshot));
        self.source = source;
        self.house.metrics.reloads.get_or_create(&ReloadLabels { result: "applied" }).inc();
        tracing::info!(version = settings.version, source = settings.source, "configuration applied");
        settings.log_warnings();
        for name in needs_restart(&self.initial, &settings.config) {
            tracing::warn!("{name} has changed: it counts from the next start on");
        }
        let event = Event::new(EventKind::ConfigChanged, clock::unix_micros())
            .field("config_sha256", settings.version)
            .field("config_sha256_before", before.to_owned())
            .field("catalogue_date", self.house.snapshot.load().catalogue().date().to_owned())
            .field("source", settings.source);
        self.record(&event);
    }

    /// Says everywhere that a configuration was refused. The reason holds no value that came from a variable
    /// or another file: [`Fault`] promises it.
    fn refused(&self, source: &Source, reason: &str) {
        self.house.metrics.reloads.get_or_create(&ReloadLabels { result: "refused" }).inc();
        tracing::error!(
            source = source.name(),
            reason,
            "configuration refused, the last good one stays in force"
        );
        let event = Event::new(EventKind::ConfigRefused, clock::unix_micros())
            .field("config_sha256", self.house.snapshot.load().version.to_string())
            .field("source", source.name())
            .field("reason", reason.to_owned());
        self.record(&event);
    }

    fn record(&self, event: &Event) {
        if let Err(error) = self.house.log.append(Leaf::Event(event)) {
            tracing::error!(%error, "what became of the configuration could not be recorded");
        }
    }
}

/// The first fault, and how many there are beside it.
fn summary(faults: &Faults) -> String {
    let is_error = |fault: &&Fault| fault.severity == Severity::Error;
    let first = faults.0.iter().find(is_error).or(faults.0.first());
    let first = first.map_or_else(|| "it has faults".to_owned(), Fault::to_string);
    match faults.0.len() {
        0 | 1 => first,
        all => format!("{first} (the first of {all} faults)"),
    }
}

/// Tells documents apart. None at all is one as well.
fn fingerprint(source: &Source) -> u64 {
    let text = match source {
        Source::File(path) => std::fs::read(path).ok(),
        Source::Environment | Source::BuiltIn { .. } => None,
    };
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn spool(config: &Config) -> (OnUnwritable, &Spool) {
    (config.record.on_failure, &config.record.spool)
}

/// What listeners and the log were started with.
fn needs_restart(initial: &Config, now: &Config) -> Vec<&'static str> {
    let (old, new) = (&initial.limits, &now.limits);
    let changes = [
        ("listen", initial.listen != now.listen),
        ("admin.listen", initial.admin.listen != now.admin.listen),
        ("admin.hosts", initial.admin.hosts != now.admin.hosts),
        ("record.anchors", initial.record.anchors != now.record.anchors),
        ("record.sinks", initial.record.sinks != now.record.sinks),
        ("record.spool", spool(initial) != spool(now)),
        ("record.remote", initial.record.remote.dir != now.record.remote.dir),
        ("limits.connections", old.connections != new.connections),
        ("limits.calls", old.calls != new.calls),
        ("limits.headers", old.headers != new.headers),
        ("limits.header_time", old.header_time != new.header_time),
        ("limits.drain", old.drain != new.drain),
        ("telemetry.otlp", initial.telemetry.otlp != now.telemetry.otlp),
    ];
    changes.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

// === impl Watch ===

impl Watch {
    fn new(tell: mpsc::Sender<()>) -> Self {
        let heard = move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                // A full channel means that a reload is due already.
                let _ = tell.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(heard)
            .inspect_err(|error| tracing::warn!(%error, "changes of the file are not seen; send SIGHUP"))
            .ok();
        Self { watcher, folders: BTreeSet::new() }
    }

    /// Watches the folders of the file as it is named and as its links lead, and no others.
    fn follow(&mut self, source: &Source) {
        let Some(watcher) = &mut self.watcher else { return };
        let folders = folders(source);
        for gone in self.folders.difference(&folders) {
            let _ = watcher.unwatch(gone);
        }
        for new in folders.difference(&self.folders) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, folder = %new.display(), "changes of the file are not seen; send SIGHUP");
            }
        }
        self.folders = folders;
    }
}

fn folders(source: &Source) -> BTreeSet<PathBuf> {
    let named = match source {
        Source::File(path) => path.as_path(),
        // It may come to be.
        Source::Environment => Path::new(super::DEFAULT_FILE),
        Source::BuiltIn { .. } => return BTreeSet::new(),
    };
    let real = std::fs::canonicalize(named).ok();
    let folder = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let all = [Some(folder(named)), real.as_deref().map(folder)];
    all.into_iter().flatten().filter_map(|folder| std::fs::canonicalize(folder).ok()).collect()
}

#[cfg(test)]
mod tests;
