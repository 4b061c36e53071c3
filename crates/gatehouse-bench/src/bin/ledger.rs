//! What the record takes: `ledger FOLDER RECORDS` writes so many ends of calls of about two kilobytes, as fast as they
//! become durable, while the tree is signed beside them. `bench/ledger.sh` lets the gateway verify them then.

use anyhow::{Context as _, Result};
use gatehouse_audit::tree::{SEAL_EVERY, Sealing};
use gatehouse_audit::{DEFAULT_SHARD, Leaf, Log, Options};
use gatehouse_core::call::{CallId, Operation, Scope};
use gatehouse_core::content::Dialect;
use gatehouse_core::record::{Cost, Ending, Payload, PayloadRole, Settled, Timing};
use gatehouse_core::usage::{Usage, UsageSource};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Calls of one thread that wait for one sync.
const CALLS_PER_SYNC: u64 = 64;
/// Threads that serve.
const THREADS: u64 = 2;
/// Labels of a call: they make its leaf as long as it is to be.
const LABELS: u64 = 16;
/// Letters of a label.
const LABEL_LETTERS: usize = 70;
/// End users.
const USERS: u64 = 1_000;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let folder = words.next().context("which folder?")?;
    let records: u64 = words.next().context("how many?")?.parse()?;
    let log = Log::open(&Options::new(&folder))?;
    let sealing = Sealing::start(&log, DEFAULT_SHARD, Some("bench.example/r0"), SEAL_EVERY)?;
    let (begun, cpu_before) = (Instant::now(), cpu()?);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let log = &log;
                scope.spawn(move || write(log, thread, records / THREADS))
            })
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().unwrap_or_else(|_| anyhow::bail!("it panicked")))
    })?;
    let (took, cpu_used) = (begun.elapsed(), cpu()? - cpu_before);
    sealing.seal(&log)?;
    let sealed = begun.elapsed();
    let bytes = size(log.dir())?;
    while raw_segments(log.dir())? > 1 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (compressed, compressed_bytes) = (begun.elapsed(), size(log.dir())?);
    drop((sealing, log));
    let per = |whole: Duration| whole.as_secs_f64() * 1e6 / lossy(records);
    writeln!(
        std::io::stdout(),
        "records {records}\nrecords/s {:.0}\ncpu us/record {:.1}\nsigned after s {:.2}\nbytes/record {:.0}\ncompressed after s {:.2}\nbytes/record then {:.0}",
        lossy(records) / took.as_secs_f64(),
        per(cpu_used),
        (sealed - took).as_secs_f64(),
        lossy(bytes) / lossy(records),
        (compressed - took).as_secs_f64(),
        lossy(compressed_bytes) / lossy(records),
    )?;
    Ok(())
}

/// Segments that are not compressed.
fn raw_segments(dir: &Path) -> Result<usize> {
    let files = fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    Ok(files.iter().filter(|file| file.path().extension().is_some_and(|kind| kind == "seg")).count())
}

/// Ends calls, a group of them at a time, each group when that before it is on the disk.
fn write(log: &Log, thread: u64, records: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut settled = call();
    let mut dice = Dice(thread);
    for number in 0..records {
        let id = u128::from(thread) << 64 | u128::from(number);
        settled.call = CallId::new(uuid::Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0000 | id));
        settled.scope.user = format!("user-{}", number % USERS).into();
        vary(&mut settled, &mut dice);
        let ticket = log.append(Leaf::Settled(&settled))?;
        if number % CALLS_PER_SYNC == CALLS_PER_SYNC - 1 || number == records - 1 {
            runtime.block_on(log.durable(ticket))?;
        }
    }
    Ok(())
}

/// A generator of numbers (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// What differs from call to call, so that records compress as real ones do: times, amounts, what was said, and one
/// label in four.
fn vary(call: &mut Settled, dice: &mut Dice) {
    let bits = dice.next();
    call.at += bits % 3_000;
    call.usage =
        Usage { input_tokens: 200 + bits % 9_000, output_tokens: 1 + bits % 800, ..Usage::default() };
    call.timing = Timing {
        queue_micros: bits % 400,
        first_byte_micros: 80_000 + bits % 90_000,
        total_micros: bits % 4_000_000,
    };
    for payload in &mut call.payload {
        payload.bytes = 100 + dice.next() % 5_000;
        payload.sha256 = Some(std::array::from_fn(|_| u8::try_from(dice.next() >> 56).unwrap_or_default()));
    }
    for (at, (_, value)) in call.scope.tags.iter_mut().enumerate().filter(|(at, _)| at % 4 == 0) {
        *value = format!("{:016x}-{at}-{}", dice.next(), "x".repeat(LABEL_LETTERS - 20)).into();
    }
}

fn call() -> Settled {
    let label = |number: u64| (format!("label-{number:02}").into(), "x".repeat(LABEL_LETTERS).into());
    let body = |role, bytes| Payload { role, bytes, sha256: Some([7; 32]), text: None, redacted: false };
    Settled {
        call: CallId::new(uuid::Uuid::nil()),
        at: 1_795_375_800_000_000,
        outcome: Ending::Settled,
        error: None,
        status: 200,
        key: Some("ghk_7Yt2".into()),
        scope: Scope {
            team: "support".into(),
            app: "helpdesk".into(),
            tags: (0..LABELS).map(label).collect(),
            ..Scope::default()
        },
        operation: Some(Operation::Chat),
        surface: Some(Dialect::OpenAiChat),
        model: Some("smart".into()),
        target: Some("openai/gpt-5.2".into()),
        route: Some("order".into()),
        config: "5f".repeat(32).into(),
        trace: None,
        attempts: Vec::new(),
        guards: Vec::new(),
        dropped: Vec::new(),
        usage: Usage { input_tokens: 1_200, output_tokens: 80, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Cost::default(),
        timing: Timing { queue_micros: 150, first_byte_micros: 90_000, total_micros: 1_400_000 },
        finish: Some("stop".into()),
        payload: vec![body(PayloadRole::Request, 900), body(PayloadRole::Answer, 600)],
        stream: false,
    }
}

/// What this process has computed so far.
fn cpu() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().context("no name")?.split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

fn size(dir: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "figures that are shown")]
fn lossy(number: u64) -> f64 {
    number as f64
}
