//! Floods over HTTP/2, frame by frame: none of them stops the gateway.

use crate::front::Front;
use crate::house::House;
use crate::life::until;
use crate::provider::{PATIENCE, Provider};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const CONFIG: &str = "limits: { headers: 16KiB, header_time: 1s, body_time: 1s }\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frames of a flood.
const FLOOD: u32 = 5_000;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame that came.
#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A text without Huffman coding (RFC 7541, 5.1 and 5.2).
fn text(into: &mut Vec<u8>, text: &str) {
    if text.len() < 127 {
        into.push(u8::try_from(text.len()).unwrap());
    } else {
        into.push(127);
        let mut left = text.len() - 127;
        while left > 127 {
            into.push(u8::try_from(left % 128).unwrap() | 128);
            left /= 128;
        }
        into.push(u8::try_from(left).unwrap());
    }
    into.extend(text.as_bytes());
}

/// A list of headers, none of them indexed (RFC 7541, 6.2.2).
fn fields(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let own = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")];
    let mut block = Vec::new();
    for (name, value) in own.iter().chain(more) {
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    }
    block
}

/// Sends these bytes behind the preface and reads until `enough`, or until the connection ends.
async fn talk(house: &House, bytes: Vec<u8>, enough: impl Fn(&Frame) -> bool) -> Vec<Frame> {
    let (mut reader, mut writer) = TcpStream::connect(&house.calls).await.unwrap().into_split();
    let writing = tokio::spawn(async move {
        let bytes = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &bytes].concat();
        // Who floods is hung up on.
        let _ = writer.write_all(&bytes).await;
        writer
    });
    let mut frames = Vec::new();
    let mut head = [0; 9];
    while timeout(PATIENCE, reader.read_exact(&mut head)).await.expect("it neither answers nor ends").is_ok()
    {
        let mut payload = vec![0; usize::from(head[1]) * 256 + usize::from(head[2])];
        if reader.read_exact(&mut payload).await.is_err() {
            break;
        }
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        frames.push(Frame { kind: head[3], flags: head[4], stream, payload });
        if frames.last().is_some_and(&enough) {
            break;
        }
    }
    writing.abort();
    frames
}

fn is_ended(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| frame.kind == GOAWAY)
}

/// The gateway answers over both protocols, and nothing of the flood is left.
async fn is_well(house: &House, provider: &Provider, received: u64) {
    let auth = format!("Bearer {}", house.key);
    let models = fields("GET", "/v1/models", &[("authorization", &auth)]);
    let ask = frame(HEADERS, END_HEADERS | END_STREAM, 1, &models);
    let frames = talk(house, ask, |frame| frame.kind == HEADERS).await;
    // `:status: 200` in one byte (RFC 7541, appendix A).
    assert_eq!(frames.last().unwrap().payload[0], 0x88, "{frames:?}");
    until(async || house.admin("/metrics").await.text().contains("gatehouse_open_calls 0\n")).await;
    assert_eq!(provider.sim.stats().total.received, received);
    let answer = house.call(Front::Chat.ask("openai/m", "hi")).await;
    assert_eq!(answer.status, 200, "{} {}", answer.text(), house.stderr());
}

#[tokio::test]
async fn streams_that_are_reset_at_once() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    for auth in ["Bearer wrong".to_owned(), format!("Bearer {}", house.key)] {
        let received = provider.sim.stats().total.received;
        let block = fields("POST", "/v1/chat/completions", &[("authorization", &auth)]);
        let both = |stream| {
            [frame(HEADERS, END_HEADERS, stream, &block), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())]
        };
        let flood = (0..FLOOD).flat_map(|number| both(2 * number + 1).concat()).collect();
        let frames = talk(&house, flood, |frame| frame.kind == GOAWAY).await;
        assert!(is_ended(&frames), "{} frames", frames.len());
        is_well(&house, &provider, received).await;
    }
}

#[tokio::test]
async fn heads_without_end() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    // Beyond the limit, in frames of a legal size.
    let block = fields("GET", "/v1/models", &[("x-huge", &"y".repeat(40_000))]);
    let pieces: Vec<&[u8]> = block.chunks(16_000).collect();
    let mut bytes = frame(HEADERS, END_STREAM, 1, pieces[0]);
    bytes.extend(frame(CONTINUATION, 0, 1, pieces[1]));
    bytes.extend(frame(CONTINUATION, END_HEADERS, 1, pieces[2]));
    let frames = talk(&house, bytes, |frame| frame.stream == 1 || frame.kind == GOAWAY).await;
    let refused = |frame: &Frame| [HEADERS, RST_STREAM, GOAWAY].contains(&frame.kind);
    assert!(frames.last().is_some_and(refused) && frames.last().unwrap().payload[0] != 0x88, "{frames:?}");
    is_well(&house, &provider, 0).await;

    // Pieces of a head that never ends, empty and full.
    for piece in [0, 1_000] {
        let mut block = vec![0];
        text(&mut block, "x-a");
        text(&mut block, &"y".repeat(piece));
        let mut bytes = frame(HEADERS, END_STREAM, 1, &fields("GET", "/v1/models", &[]));
        (0..FLOOD)
            .for_each(|_| bytes.extend(frame(CONTINUATION, 0, 1, if piece == 0 { &[] } else { &block })));
        let frames = talk(&house, bytes, |_| false).await;
        assert!(frames.iter().all(|frame| frame.kind != HEADERS), "{frames:?}");
        is_well(&house, &provider, if piece == 0 { 1 } else { 2 }).await;
    }
}

#[tokio::test]
async fn frames_that_say_nothing() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let auth = format!("Bearer {}", house.key);
    let mut bytes =
        frame(HEADERS, END_HEADERS, 1, &fields("POST", "/v1/chat/completions", &[("authorization", &auth)]));
    (0..FLOOD).for_each(|_| bytes.extend(frame(DATA, 0, 1, &[])));
    // The body does not come: that is answered, or the connection ends.
    let frames = talk(&house, bytes, |frame| frame.stream == 1 && frame.kind == HEADERS).await;
    assert!(
        frames.last().is_some_and(|frame| frame.kind != HEADERS || frame.payload[0] != 0x88),
        "{frames:?}"
    );
    is_well(&house, &provider, 0).await;

    let pings = (0..FLOOD).flat_map(|number| frame(PING, 0, 0, &u64::from(number).to_be_bytes())).collect();
    let last = u64::from(FLOOD - 1).to_be_bytes();
    let frames = talk(&house, pings, |frame| frame.kind == GOAWAY || frame.payload == last).await;
    let answered = |frame: &Frame| frame.kind == PING && frame.flags == ACK && frame.payload == last;
    assert!(is_ended(&frames) || frames.last().is_some_and(answered), "{frames:?}");
    is_well(&house, &provider, 1).await;
}

/// A call of chat completions, head and body, in frames.
fn chat(house: &House, stream: u32, model: &str, streamed: bool) -> Vec<u8> {
    let ask = house.keyed(Front::Chat.ask_with(model, "hi", streamed, &json!({})));
    let headers: Vec<_> = ask.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let head = frame(HEADERS, END_HEADERS, stream, &fields(ask.method, &ask.path, &headers));
    [head, frame(DATA, END_STREAM, stream, &ask.body)].concat()
}

#[tokio::test]
async fn who_asks_for_nothing_more_does_not_keep_the_connection() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config(CONFIG)).await;
    let ask = chat(&house, 1, "openai/m", false);
    for bytes in [ask, Vec::new()] {
        let asked = !bytes.is_empty();
        // To its end, which is not the client's doing.
        let frames = talk(&house, bytes, |_| false).await;
        assert_eq!(
            frames.iter().any(|frame| frame.kind == HEADERS && frame.stream == 1),
            asked,
            "{frames:?}"
        );
        assert!(is_ended(&frames), "{frames:?}");
    }
    // The one that is left asks for the metrics.
    until(async || house.admin("/metrics").await.text().contains("gatehouse_open_connections 1\n")).await;
    house.records_once(1).await;
}

#[tokio::test]
async fn a_call_that_takes_longer_than_a_connection_may_idle() {
    let provider = Provider::start().await;
    let house = House::start(&provider.config("limits: { header_time: 100ms }\n")).await;
    let ask = chat(&house, 1, "openai/slow-1000", false);
    let frames = talk(&house, ask, |frame| frame.kind == DATA && frame.flags == END_STREAM).await;
    assert!(frames.last().is_some_and(|frame| frame.kind == DATA), "{frames:?}");
    assert_eq!(house.records_once(1).await[0]["outcome"], "settled");
}

#[tokio::test]
async fn who_opens_no_window_does_not_keep_the_connection() {
    /// SETTINGS_INITIAL_WINDOW_SIZE is 0 (RFC 9113, 6.5.2).
    const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];
    let provider = Provider::start().await;
    let limits = "timeouts: { connect: 1s, first_token: 2s, idle: 2s, total: 2s }\n";
    let house = House::start(&provider.config(limits)).await;
    let asks = [(1, false), (3, true)].map(|(stream, streamed)| chat(&house, stream, "openai/m", streamed));
    let bytes = [frame(SETTINGS, 0, 0, &NO_WINDOW), asks.concat()].concat();
    let frames = talk(&house, bytes, |_| false).await;
    let of_kind = |kind| frames.iter().filter(move |frame| frame.kind == kind).count();
    assert_eq!((of_kind(HEADERS), of_kind(DATA)), (2, 0), "{frames:?}");
    until(async || house.admin("/metrics").await.text().contains("gatehouse_open_connections 1\n")).await;
    let records = house.records_once(2).await;
    let mut outcomes: Vec<_> = records.iter().map(|record| record["outcome"].as_str().unwrap()).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["aborted", "settled"], "{records:#?}");
    provider.wait(|counts| counts.in_flight == 0).await;
}
