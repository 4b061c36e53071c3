//! The work that every call causes, one piece at a time and without a network, for a tool that counts
//! instructions: `hot-path PIECE COUNT` does the piece so often. `bench/instructions.sh` runs each piece
//! with two counts under valgrind; the difference is the cost of one, and does not depend on the machine's
//! load.

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use gatehouse_audit::{Log, Options};
use gatehouse_core::call::{CallId, Caller, Operation, Scope};
use gatehouse_core::content::{Dialect, splice};
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Error;
use gatehouse_core::record::{Admitted, Attempt, Cost, Ending, Payload, PayloadRole, Settled, Timing};
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_identity::key::{ENTROPY_BYTES, Entry, Keys, Pepper, mint};
use gatehouse_ledger::{Counters, PriceBook, ServiceTier, Window, ceiling, parse_limit, settle};
use gatehouse_wire::codec::{Codec as _, ProviderCodec as _, Quirks, Target};
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::openai_chat::OpenAiChat;
use gatehouse_wire::sse::Frames;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-22, in Unix seconds.
const NOW: u64 = 1_795_375_800;
/// One chunk of a stream.
const CHUNK: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795375800,"model":"bench","#,
    r#""choices":[{"index":0,"delta":{"content":"lorem "},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    "\n\n"
);

/// A piece of work, ready to be done again and again.
type Piece = Box<dyn FnMut() -> Result<()>>;

/// Makes one ready.
type Make = fn() -> Result<Piece>;

/// The pieces by name.
const PIECES: [(&str, Make); 6] = [
    ("request", request),
    ("request-36k", request_large),
    ("chunk", chunk),
    ("authenticate", authenticate),
    ("money", money),
    ("record", record),
];

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        let names: Vec<&str> = PIECES.iter().map(|(name, _)| *name).collect();
        writeln!(std::io::stdout(), "{}", names.join("\n"))?;
        return Ok(());
    };
    let count: u32 = words.next().context("how often?")?.parse()?;
    let Some((_, make)) = PIECES.iter().find(|(each, _)| *each == name) else { bail!("no piece {name:?}") };
    let mut piece = make()?;
    for _ in 0..count {
        piece()?;
    }
    Ok(())
}

/// A small request: parsed, read, rewritten for its target.
fn request() -> Result<Piece> {
    request_of(150)
}

/// A longer conversation.
fn request_large() -> Result<Piece> {
    request_of(36_000)
}

fn request_of(bytes: usize) -> Result<Piece> {
    let text: String = "the quick brown fox jumps over the lazy dog ".chars().cycle().take(bytes).collect();
    let body = format!(
        r#"{{"model":"smart","stream":true,"messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"{text}"}}]}}"#
    );
    let body = Bytes::from(body);
    Ok(Box::new(move || {
        let quirks = Quirks::NONE;
        let target = Target { model: "gpt-5.2", capabilities: Capabilities::default(), quirks: &quirks };
        let doc = Doc::parse(black_box(body.clone()), Strictness::Caller).map_err(spoken)?;
        let view = OpenAiChat.view(&doc).map_err(spoken)?;
        let rewrite = OpenAiChat.rewrite(&doc, &view, &target).map_err(spoken)?;
        black_box(splice(doc.bytes(), &rewrite.edits));
        Ok(())
    }))
}

/// One chunk of a stream: framed and decoded.
fn chunk() -> Result<Piece> {
    let mut frames = Frames::default();
    let mut decoder = OpenAiChat.decoder();
    let mut events = Vec::new();
    Ok(Box::new(move || {
        frames.push(black_box(CHUNK.as_bytes())).map_err(spoken)?;
        while let Some(frame) = frames.next_frame() {
            events.clear();
            decoder.frame(&frame, &mut events).map_err(spoken)?;
            black_box((&frame, &events));
        }
        Ok(())
    }))
}

/// A caller's key found among a thousand.
fn authenticate() -> Result<Piece> {
    let pepper = Arc::new(Pepper::new([7; 32]));
    let minted: Vec<_> = (0..1_000_u32)
        .map(|number| {
            let mut entropy = [0; ENTROPY_BYTES];
            for (place, byte) in entropy.iter_mut().zip(number.to_be_bytes()) {
                *place = byte;
            }
            mint(&entropy, &pepper)
        })
        .collect();
    let entries = minted.iter().map(|key| Entry {
        hash: key.hash,
        old: None,
        caller: Arc::new(Caller {
            key_id: key.id.as_str().into(),
            key_name: "bench".into(),
            models: Arc::new([]),
            bound: scope(),
        }),
        expires_at: None,
    });
    let keys = Keys::new(Arc::clone(&pepper), entries);
    let presented = minted.into_iter().next_back().context("no key")?.key;
    Ok(Box::new(move || {
        black_box(keys.authenticate(black_box(&presented), NOW).map_err(spoken)?);
        Ok(())
    }))
}

/// Money reserved and settled.
fn money() -> Result<Piece> {
    let counters = Arc::new(Counters::default());
    let windows = [Window::new("key/ghk_1", parse_limit("1000000 USD/day")?)];
    let prices = PriceBook::default().resolve("sim", "sim", "small");
    let bound = Usage { input_tokens: 1_200, output_tokens: 4_096, ..Usage::default() };
    let used = Usage { input_tokens: 1_000, output_tokens: 500, ..Usage::default() };
    let tier = ServiceTier::Standard;
    Ok(Box::new(move || {
        let most = ceiling(&prices, black_box(&bound), tier, NOW).context("no price")?;
        let hold = counters.reserve(&windows, most, NOW)?;
        let cost = settle(black_box(&used), UsageSource::Provider, &prices, tier, NOW);
        hold.settle(cost.amount);
        Ok(())
    }))
}

/// Both leaves of a call, as far as the death of the process.
fn record() -> Result<Piece> {
    let folder = tempfile::tempdir()?;
    let mut options = Options::new(folder.path());
    // The thread that syncs stays out of the count.
    options.flush_after = Duration::from_secs(3_600);
    let log = Log::open(&options)?;
    let call = CallId::new(uuid::Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0001));
    let (admitted, settled) = (admitted(call), settled(call));
    Ok(Box::new(move || {
        // Kept until the last record is written.
        let _folder = &folder;
        let mut permit = log.permit()?;
        permit.admitted(black_box(&admitted))?;
        permit.settle(black_box(&settled))?;
        Ok(())
    }))
}

fn admitted(call: CallId) -> Admitted {
    Admitted {
        call,
        at: NOW * 1_000_000,
        key: "ghk_7Yt2".into(),
        scope: scope(),
        operation: Operation::Chat,
        surface: Dialect::OpenAiChat,
        model: "smart".into(),
        reserved: gatehouse_core::money::Nanodollars(8_192_000),
        plan: vec!["openai/gpt-5.2".into()],
    }
}

fn settled(call: CallId) -> Settled {
    let target: Arc<str> = "openai/gpt-5.2".into();
    Settled {
        call,
        at: NOW * 1_000_000,
        outcome: Ending::Settled,
        error: None,
        status: 200,
        key: Some("ghk_7Yt2".into()),
        scope: scope(),
        operation: Some(Operation::Chat),
        surface: Some(Dialect::OpenAiChat),
        stream: true,
        model: Some("smart".into()),
        target: Some(Arc::clone(&target)),
        route: Some("order".into()),
        attempts: vec![Attempt { target, status: Some(200), error: None, upstream_id: None, micros: 1_500 }],
        guards: Vec::new(),
        dropped: Vec::new(),
        finish: Some("stop".into()),
        usage: Usage { input_tokens: 1_000, output_tokens: 500, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Cost::default(),
        timing: Timing { queue_micros: 90, first_byte_micros: 1_600, total_micros: 9_000 },
        config: "0".repeat(64).into(),
        payload: vec![body(PayloadRole::Request), body(PayloadRole::Answer)],
        trace: None,
    }
}

/// A body that was hashed as it passed, as it is by default.
fn body(role: PayloadRole) -> Payload {
    Payload { role, bytes: 600, sha256: Some([7; 32]), text: None, redacted: false }
}

fn scope() -> Scope {
    Scope {
        org: "acme".into(),
        team: "support".into(),
        app: "helpdesk".into(),
        use_case: "triage".into(),
        ..Scope::default()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn spoken(error: Error) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}
