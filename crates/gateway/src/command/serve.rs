//! `gatehouse serve`: everything put together.

use super::first_start::{self, FirstCall};
use crate::anchors::{self, Anchors};
use crate::answers::Answers;
use crate::api::Books;
use crate::catalogue;
use crate::cli::Place;
use crate::control::{self, Word};
use crate::data::Data;
use crate::erasing;
use crate::index::{Indexer, Indexing};
use crate::receipts::Prover;
use crate::retention;
use crate::ring;
use crate::settings::{self, Settings};
use crate::shelf::{self, Table};
use crate::sinks;
use anyhow::{Context as _, Result, anyhow, bail};
use gatehouse_audit::tree::{SEAL_EVERY, Sealing};
use gatehouse_audit::{DEFAULT_SHARD, Event, EventKind, Leaf, Log, Mirror, Options, SpoolOptions};
use gatehouse_config::file::{OnUnwritable, Sink};
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::Cost;
use gatehouse_core::usage::UsageSource;
use gatehouse_identity::admin::Admins;
use gatehouse_identity::envelope::Seals;
use gatehouse_identity::key::Pepper;
use gatehouse_ledger::Counters;
use gatehouse_server::clock;
use gatehouse_server::house::House;
use gatehouse_server::kept::poller;
use gatehouse_server::listen::{Side, listen};
use gatehouse_server::office::{Hosts, Office};
use gatehouse_server::receipts::Receipts;
use gatehouse_server::snapshot::Snapshot;
use gatehouse_server::telemetry::otlp::{self, Exporter};
use gatehouse_server::workers::Workers;
use gatehouse_store::{AdminRecord, Index, Store, Things};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The version of the keys that seal ids. Ids of earlier versions stay open.
const SEALS_VERSION: u8 = 1;

/// How often it is looked whether what was read on the administration side is to be written down.
const WRITTEN_DOWN_EVERY: Duration = Duration::from_secs(10);

/// Runs the gateway until it is told to stop.
pub(crate) async fn run(place: &Place) -> Result<()> {
    run_with(place, Settings::load(place)?).await
}

/// Runs the gateway with settings that are already there.
pub(crate) async fn run_with(place: &Place, settings: Settings) -> Result<()> {
    // Before anybody is told that we are there: a signal that nobody hears ends the process at once.
    let Signals { mut terminate, mut interrupt, hangup } = Signals::hear()?;
    let data = Data::open(&place.data)?;
    let (anchors, sinks) = (Anchors::of(&settings.config.record)?, settings.config.record.sinks.clone());
    let calls = address(&settings.config.listen, "listen").await?;
    let admin = address(&settings.config.admin.listen, "admin.listen").await?;
    let store = Arc::new(Store::open(data.dir())?);
    refuse_open_doors(&store, &[calls, admin])?;

    let Book { log, sealing, indexer, things } = Book::open(&settings, &data)?;

    let pepper = data.pepper()?;
    let first_key = first_start::key(&store, &pepper, &log)?;
    let counters = Arc::new(Counters::default());
    restore(&store, &data, &counters)?;

    let sim = settings::start_sim(&settings.config).await?;
    let catalogue = catalogue::in_force(data.dir());
    let snapshot =
        Snapshot::compile_with(&settings.config, &settings.version, sim.as_deref(), None, catalogue)
            .map_err(anyhow::Error::msg)?;
    let first_call = FirstCall::new(data.dir())?;
    let house = House::new(
        snapshot,
        ring::load(&store, &pepper)?,
        log,
        Arc::new(Seals::new(&pepper, SEALS_VERSION)),
        Box::new(Answers::open(data.dir())?),
        counters,
        Box::new(first_call),
    );
    keep_a_copy(&house, &settings)?;
    house.desk.furnish(Arc::new(Table(things)));
    poller::restore(&house).await.map_err(|error| anyhow!(error))?;
    record_config(&house, &settings);
    export_telemetry(&house, &settings)?;

    let calls = TcpListener::bind(calls).await.with_context(|| format!("cannot listen on {calls}"))?;
    let admin = TcpListener::bind(admin).await.with_context(|| format!("cannot listen on {admin}"))?;
    // Before we say that we are there: a command may come at once.
    let commands = control::open(&data);
    first_start::greet(&settings, calls.local_addr()?, admin.local_addr()?, first_key.as_ref());

    let indexing = indexer.spawn(house.log.clone());
    let receipts = give_receipts(&house, &data, &indexing, &sealing);
    let books = Books::new(data.clone(), indexing.handle(), house.log.clone(), receipts);
    let hosts = Hosts::new(admin.local_addr()?.ip(), &settings.config.admin.hosts);
    open_office(&house, ring::admins(&store, &pepper)?, books, hosts);
    let prune = Arc::new(Notify::new());
    let hearing = hear_commands(commands, &house, &store, pepper, &indexing, Arc::clone(&prune));
    let reloading =
        tokio::spawn(settings::reload_on_change(Arc::clone(&house), settings, sim, data.clone(), hangup));
    let tending = tend(&house, &sealing, &data, anchors, &sinks, prune)?;
    let workers = Arc::new(Workers::start().context("the threads that serve cannot be started")?);
    let mut serving = tokio::spawn(listen(Arc::clone(&house), Arc::clone(&workers), calls, Side::Calls));
    let administering = tokio::spawn(listen(Arc::clone(&house), Arc::clone(&workers), admin, Side::Admin));

    wait_for_end(&house, &mut serving, &mut terminate, &mut interrupt).await?;
    end_all([serving, administering, reloading, hearing].into_iter().chain(tending)).await;
    close(&house, workers, &data, indexing, sealing).await
}

/// Ends what is still open, and brings index and signatures up to date.
async fn close(
    house: &House,
    workers: Arc<Workers>,
    data: &Data,
    indexing: Indexing,
    sealing: Sealing,
) -> Result<()> {
    // What is still open ends here, each call with its last leaf: before the index is told to end, and before
    // anything is dropped that the leaves need.
    tokio::task::spawn_blocking(|| drop(workers)).await?;
    if let Some(office) = house.office.get() {
        office.write_down(clock::unix_seconds(), true);
    }
    if let Some(export) = house.export.get() {
        export.flush().await;
    }
    let _ = std::fs::remove_file(data.control());
    let indexed = indexing.finish().await;
    // The last leaves are on the disk, and signed.
    sealing.finish(&house.log).await;
    indexed
}

/// What goes on beside the calls.
fn tend(
    house: &Arc<House>,
    sealing: &Sealing,
    data: &Data,
    anchors: Anchors,
    sinks: &[Sink],
    prune: Arc<Notify>,
) -> Result<Vec<JoinHandle<()>>> {
    Ok(vec![
        tokio::spawn(poller::watch(Arc::clone(house))),
        tokio::spawn(write_down(Arc::clone(house))),
        tokio::spawn(retention::watch(Arc::clone(house), sealing.clone(), data.clone(), prune)),
        anchors::spawn(anchors, house, sealing, data.dir())?,
        sinks::spawn(sinks, house, data.dir())?,
    ])
}

/// What is read on the administration side is written down at its time.
async fn write_down(house: Arc<House>) {
    loop {
        tokio::time::sleep(WRITTEN_DOWN_EVERY).await;
        if let Some(office) = house.office.get() {
            office.write_down(clock::unix_seconds(), false);
        }
    }
}

/// The record, opened and put in order.
struct Book {
    log: Log,
    sealing: Sealing,
    indexer: Indexer,
    things: Things,
}

// === impl Book ===

impl Book {
    fn open(settings: &Settings, data: &Data) -> Result<Self> {
        let mut options = Options::new(data.dir());
        options.content_key = Some(data.content_key()?);
        options.spool = spool(settings, data);
        options.spans = retention::spans(&settings.config.retention);
        options.permits_max = usize::try_from(settings.config.limits.calls).unwrap_or(usize::MAX);
        let log = Log::open(&options).context("the audit log cannot be opened")?;
        erasing::finish(&log).context("an erasure that was begun cannot be finished")?;
        let sealing =
            Sealing::start(&log, DEFAULT_SHARD, settings.config.record.origin.as_deref(), SEAL_EVERY)?;
        let mut indexer = Indexer::open(data, Some(&log))?;
        let things = Things::open(data.dir())?;
        settle_unfinished(&log, data, &mut indexer, &settings.version, &things)?;
        shelf::close_settled(&things, &Index::open(data.dir())?)?;
        Ok(Self { log, sealing, indexer, things })
    }
}

/// Where records go while the log cannot be written, if the configuration wants that.
fn spool(settings: &Settings, data: &Data) -> Option<SpoolOptions> {
    let record = &settings.config.record;
    let dir = record.spool.dir.as_ref().filter(|_| record.on_failure == OnUnwritable::Spool)?;
    let disk = |path: &Path| path.ancestors().find_map(|path| path.metadata().ok()).map(|found| found.dev());
    if disk(Path::new(dir)) == disk(data.dir()) {
        tracing::warn!(
            dir,
            "record.spool.dir is on the same disk as the data folder: it helps against little"
        );
    }
    Some(SpoolOptions { dir: dir.into(), bytes_max: record.spool.max.0 })
}

/// The record goes to a second place, too, if one is named.
fn keep_a_copy(house: &House, settings: &Settings) -> Result<()> {
    if let Some(dir) = &settings.config.record.remote.dir {
        // Nobody else sets it.
        let _ = house.mirror.set(Mirror::start(&house.log, Path::new(dir))?);
    }
    Ok(())
}

/// What the process is told from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

// === impl Signals ===

impl Signals {
    fn hear() -> Result<Self> {
        let hear = |kind| signal(kind).context("signals cannot be heard");
        Ok(Self {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
            hangup: hear(SignalKind::hangup())?,
        })
    }
}

/// Callers may ask for the proofs of their calls.
fn give_receipts(house: &House, data: &Data, indexing: &Indexing, sealing: &Sealing) -> Arc<dyn Receipts> {
    let prover: Arc<dyn Receipts> = Arc::new(Prover {
        data: data.dir().to_owned(),
        index: indexing.handle(),
        log: house.log.clone(),
        sealing: sealing.clone(),
    });
    // Nobody else sets it.
    let _ = house.receipts.set(Arc::clone(&prover));
    prover
}

/// Those with a role may ask for records.
fn open_office(house: &House, admins: Admins, books: Books, hosts: Hosts) {
    let office = Office::new(admins, Arc::new(books), hosts, house.log.clone());
    // Nobody else sets it.
    let _ = house.office.set(office);
}

/// Hears what commands say, until it is told to end.
fn hear_commands(
    commands: Result<UnixListener>,
    house: &Arc<House>,
    store: &Arc<Store>,
    pepper: Arc<Pepper>,
    indexing: &Indexing,
    prune: Arc<Notify>,
) -> JoinHandle<()> {
    let (house, store, indexing) = (Arc::clone(house), Arc::clone(store), indexing.handle());
    tokio::spawn(async move {
        let act = move |word| match word {
            Word::Key(change, id) => {
                reload_keys(&house, &store, &pepper)?;
                house.log.append(Leaf::Event(&change.event(&store, &id)?))?;
                Ok(())
            }
            Word::Index => indexing.catch_up(),
            Word::Erase(subject) => erasing::erase(&house.log, subject),
            Word::Hold(placed, number) => {
                let kind = if placed { EventKind::HoldPlaced } else { EventKind::HoldReleased };
                house.log.append(Leaf::Event(&control::held(&store, house.log.subjects(), kind, number)?))?;
                Ok(())
            }
            Word::Exported(made) => {
                house.log.append(Leaf::Event(&made.event()))?;
                Ok(())
            }
            Word::Prune => {
                prune.notify_one();
                Ok(())
            }
            Word::Looked(purpose, records) => {
                house.log.append(Leaf::Event(&control::looked(&purpose, records)))?;
                Ok(())
            }
            Word::Viewed(record) => {
                house.log.append(Leaf::Event(&control::viewed(&record)))?;
                Ok(())
            }
        };
        match commands {
            Ok(listener) => control::hear(listener, act).await,
            Err(error) => tracing::error!(%error, "commands cannot reach this gateway"),
        }
    })
}

/// Waits for SIGTERM or SIGINT, then for open calls; a second signal does not wait.
async fn wait_for_end(
    house: &Arc<House>,
    serving: &mut JoinHandle<()>,
    terminate: &mut Signal,
    interrupt: &mut Signal,
) -> Result<()> {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining: open calls may end, new ones are not taken");
    house.start_draining();
    let limit = house.snapshot.load().limits.drain.0;
    let ended = async {
        serving.await?;
        // No connection waits for these.
        if tokio::time::timeout(limit, house.background.ended()).await.is_err() {
            tracing::warn!("answers in the background were ended at the limit of the drain (limits.drain)");
        }
        Ok(())
    };
    tokio::select! {
        ended = ended => ended,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// Ends tasks and waits until they hold nothing any more.
async fn end_all(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks.into_iter().filter(|task| !task.is_finished()) {
        task.abort();
        let _ = task.await;
    }
}

async fn address(text: &str, name: &str) -> Result<SocketAddr> {
    let mut all =
        tokio::net::lookup_host(text).await.with_context(|| format!("{name}: {text:?} is no address"))?;
    all.next().with_context(|| format!("{name}: {text:?} is no address"))
}

/// Nobody but this machine may reach a gateway that has no administrator.
fn refuse_open_doors(store: &Store, addresses: &[SocketAddr]) -> Result<()> {
    let open = addresses.iter().find(|address| !address.ip().is_loopback());
    if let Some(open) = open
        && !store.admins()?.iter().any(is_in_force)
    {
        bail!(
            "refusing to listen on {open}: there is no administrator key yet. Listen on 127.0.0.1, or make one \
             with \"gatehouse key create --role owner\""
        );
    }
    Ok(())
}

fn is_in_force(key: &AdminRecord) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|end| clock::unix_micros() < end)
}

/// Calls that a crash has cut off are settled now, from what was reserved for them.
fn settle_unfinished(
    log: &Log,
    data: &Data,
    indexer: &mut Indexer,
    version: &str,
    things: &Things,
) -> Result<()> {
    indexer.catch_up()?;
    let unfinished = Index::open(data.dir())?.unfinished(log.subjects())?;
    for call in &unfinished {
        let mut settled = call.settlement(clock::unix_micros(), version.into());
        if things.has_made(&call.call.to_string())? {
            // Its batch is known, and has a record of its own when it is over.
            (settled.cost, settled.usage_source) = (Cost::default(), UsageSource::None);
        }
        log.permit()?.settle(&settled)?;
    }
    if !unfinished.is_empty() {
        tracing::warn!(calls = unfinished.len(), "calls that an earlier end had cut off were settled");
        indexer.catch_up()?;
    }
    Ok(())
}

/// What budgets have used is read from the book.
fn restore(store: &Store, data: &Data, counters: &Arc<Counters>) -> Result<()> {
    let index = Index::open(data.dir())?;
    let now = clock::unix_seconds();
    for key in store.keys()?.iter().filter(|key| key.revoked_at.is_none()) {
        if let Some(window) = ring::window(key)? {
            let since = window.limit.period.span(now).0.saturating_mul(1_000_000);
            let spent = index.spent(&key.key_id, since)?;
            if spent > Nanodollars::ZERO {
                counters.restore(&window, spent, now);
            }
        }
    }
    Ok(())
}

fn reload_keys(house: &House, store: &Store, pepper: &Arc<Pepper>) -> Result<()> {
    house.replace_keys(ring::load(store, pepper)?);
    if let Some(office) = house.office.get() {
        office.admins.store(Arc::new(ring::admins(store, pepper)?));
        office.gate.forget();
    }
    Ok(())
}

/// Traces and metrics go to a collector, if one is named.
fn export_telemetry(house: &House, settings: &Settings) -> Result<()> {
    let configured = settings.config.telemetry.otlp.as_deref();
    let found =
        otlp::Settings::find(configured, &|name| std::env::var(name).ok()).map_err(anyhow::Error::msg)?;
    if let Some(collector) = found {
        // Nobody else sets it.
        let _ = house.export.set(Exporter::start(&collector, &house.metrics));
    }
    Ok(())
}

fn record_config(house: &House, settings: &Settings) {
    let event = Event::new(EventKind::ConfigChanged, clock::unix_micros())
        .field("config_sha256", settings.version.clone())
        .field("catalogue_date", house.snapshot.load().catalogue().date().to_owned())
        .field("source", settings.source.clone());
    if let Err(error) = house.log.append(Leaf::Event(&event)) {
        tracing::error!(%error, "the configuration could not be recorded");
    }
}
