//! A caller that does not read: the provider has to wait, the gateway's memory must not.

use crate::client::{Ask, Live};
use crate::front::Front;
use crate::house::House;
use crate::life::until;
use crate::provider::Provider;
use serde_json::json;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// A provider that has sent nothing for so long is held back.
const STANDSTILL: Duration = Duration::from_millis(300);
/// What the gateway may need more for a call, whatever the answer's size.
const GROWTH_KIB_MAX: u64 = 4 * 1024;
/// What the caller's system takes of an answer that he does not read.
const CALLERS_BUFFER: u32 = 64 * 1024;
/// What the provider's system takes of an answer that the gateway does not read.
const PROVIDERS_BUFFER: u32 = 128 * 1024;

/// How a caller speaks.
#[derive(Clone, Copy, Debug)]
enum Version {
    Http1,
    Http2,
}

impl Version {
    /// The text of an answer: more than twice of what the buffers on its way hold, as the first and the last are
    /// small. HTTP/2 has a window of its own, so that less comes to the socket's.
    fn text_kib(self) -> usize {
        match self {
            Self::Http1 => 16 * 1024,
            Self::Http2 => 8 * 1024,
        }
    }
}

/// A provider whose words are with the gateway, not in a buffer on the way, once it has sent them.
fn provider() -> Provider {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(PROVIDERS_BUFFER).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    Provider::on(socket.listen(16).unwrap())
}

/// Asks, over a connection that takes little of what is not read.
async fn open(house: &House, version: Version, ask: Ask) -> Live {
    let socket = TcpSocket::new_v4().unwrap();
    // Before it connects: else more has been offered already.
    socket.set_recv_buffer_size(CALLERS_BUFFER).unwrap();
    let stream: TcpStream = socket.connect(house.calls.parse().unwrap()).await.unwrap();
    match version {
        Version::Http1 => house.keyed(ask).open_on(stream).await,
        Version::Http2 => house.keyed(ask).open_http2_on(stream).await,
    }
}

async fn is_held_back(kind: &str, version: Version) {
    let provider = provider();
    let house = House::start(&provider.config("")).await;
    assert_eq!(house.call(Front::Chat.stream(&format!("{kind}/m"), "hi")).await.status, 200);
    let (before, memory) = (provider.sim.stats().total.bytes_out, house.memory_kib());
    let kib = version.text_kib();
    let words = (kib * 1_024).div_ceil(10);
    let ask =
        Front::Chat.ask_with(&format!("{kind}/big-{kib}"), "hi", true, &json!({"max_tokens": words * 10}));
    let mut live = open(&house, version, ask).await;
    live.read_until("gatehouse").await;
    let mut sent = 0;
    // That nothing happens is no event to wait for.
    while std::mem::replace(&mut sent, provider.sim.stats().total.bytes_out) != sent {
        tokio::time::sleep(STANDSTILL).await;
    }
    let counts = provider.sim.stats().total;
    assert_eq!((counts.completed, counts.in_flight), (1, 1), "{kind}: all of it went out: {counts:?}");
    if let (Some(before), Some(now)) = (memory, house.memory_kib()) {
        assert!(now < before + GROWTH_KIB_MAX, "{kind}: from {before} KiB to {now} KiB");
    }

    let answer = live.rest().await;
    assert!(!answer.cut);
    let all = provider.wait(|counts| counts.completed == 2).await.bytes_out;
    assert!((sent - before) * 2 < all - before, "{kind}: {sent} of {all} went out before it was read");
    // Pieces end within words.
    assert_eq!(Front::Chat.text_in(&answer).matches("gatehouse").count(), words, "{kind}");
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{kind}");
    assert_eq!(house.record(&answer.record()).await["outcome"], "settled");
}

#[tokio::test]
async fn a_caller_that_does_not_read_holds_the_provider_back() {
    for kind in ["openai", "anthropic"] {
        is_held_back(kind, Version::Http1).await;
    }
}

#[tokio::test]
async fn a_caller_that_does_not_read_holds_the_provider_back_over_http2() {
    is_held_back("openai", Version::Http2).await;
}

#[tokio::test]
async fn a_caller_that_does_not_read_an_answer_does_not_keep_its_connection() {
    let provider = provider();
    let house = House::start(&provider.config("timeouts: { first_token: 5s, idle: 5s, total: 5s }\n")).await;
    let ask = Front::Chat.ask_with("openai/big-6144", "hi", false, &json!({"max_tokens": 10_000_000}));
    let live = open(&house, Version::Http1, ask).await;
    assert_eq!(
        house.record(live.headers["x-gatehouse-record"].to_str().unwrap()).await["outcome"],
        "settled"
    );
    // The one that is left asks for the metrics.
    until(async || house.admin("/metrics").await.text().contains("gatehouse_open_connections 1\n")).await;
    assert!(live.rest().await.cut);
}
